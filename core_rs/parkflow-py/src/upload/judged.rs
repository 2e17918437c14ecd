//! Judged scans as columns: lists to look values up in, and texts for statements; no object for each scan.

use std::borrow::Cow;

use ahash::AHashMap;
use parkflow_core::stay::Direction;
use parkflow_core::upload::{Judgement, Medium, ScanResult};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use super::columns::Columns;

#[pyclass(frozen, module = "parkflow._core")]
pub struct Judged {
    columns: Columns,
    #[pyo3(get)]
    upload: Py<PyList>,
    #[pyo3(get)]
    seq: Py<PyList>,
    #[pyo3(get)]
    content_sha256: Py<PyList>,
    #[pyo3(get)]
    chain_sha256: Py<PyList>,
    #[pyo3(get)]
    at_ms: Py<PyList>,
    #[pyo3(get)]
    direction: Py<PyList>,
    #[pyo3(get)]
    medium: Py<PyList>,
    #[pyo3(get)]
    content: Py<PyList>,
    #[pyo3(get)]
    gate_verdict: Py<PyList>,
    #[pyo3(get)]
    result: Py<PyList>,
    #[pyo3(get)]
    passage_row: Py<PyList>,
    #[pyo3(get)]
    passage_bucket: Py<PyList>,
    #[pyo3(get)]
    passage_card_id: Py<PyList>,
    #[pyo3(get)]
    passage_serial: Py<PyList>,
    #[pyo3(get)]
    passage_code_id: Py<PyList>,
    #[pyo3(get)]
    passage_code_key: Py<PyList>,
    #[pyo3(get)]
    unopened_row: Py<PyList>,
    #[pyo3(get)]
    sighting_row: Py<PyList>,
    #[pyo3(get)]
    sighting_text: Py<PyList>,
    #[pyo3(get)]
    sighting_lifted_by: Py<PyList>,
}

#[pymethods]
impl Judged {
    fn __len__(&self, py: Python<'_>) -> usize {
        self.seq.bind(py).len()
    }

    fn event_columns(&self, py: Python<'_>, of_upload: Vec<Vec<i64>>) -> PyResult<Vec<Py<PyAny>>> {
        self.columns.events(py, &of_upload)
    }

    #[pyo3(signature = (of_upload, places = None))]
    fn passage_columns(
        &self,
        py: Python<'_>,
        of_upload: Vec<Vec<i64>>,
        places: Option<Vec<usize>>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        self.columns.passages(py, &of_upload, places.as_deref())
    }
}

impl Judged {
    /// The columns of a judgement of so many uploads; each distinct word becomes one Python text.
    pub fn new(py: Python<'_>, judgement: &Judgement<'_>, columns: Columns) -> PyResult<Self> {
        let (scans, passages) = (&judgement.scans, &judgement.passages);
        let sightings = &judgement.sightings;
        let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
        let mut words = Words::new(py);
        Ok(Self {
            columns,
            upload: column(py, scans, |one| one.upload)?,
            seq: column(py, scans, |one| one.scan.seq)?,
            content_sha256: column(py, scans, |one| bytes(&one.scan.content_sha256))?,
            chain_sha256: column(py, scans, |one| bytes(&one.scan.chain_sha256))?,
            at_ms: column(py, scans, |one| one.scan.at_ms)?,
            direction: words.column(scans, |one| Word::Plain(direction_name(one.scan.direction)))?,
            medium: words.column(scans, |one| Word::Plain(Medium::name(one.scan.medium)))?,
            content: column(py, scans, |one| PyString::new(py, &one.content))?,
            gate_verdict: words.column(scans, |one| Word::Plain(one.gate_verdict))?,
            result: words.column(scans, |one| Word::of(one.result))?,
            passage_row: column(py, passages, |one| one.row)?,
            passage_bucket: column(py, passages, |one| one.bucket)?,
            passage_card_id: column(py, passages, |one| one.card_id)?,
            passage_serial: column(py, passages, |one| one.serial)?,
            passage_code_id: column(py, passages, |one| bytes(&one.code_id))?,
            passage_code_key: column(py, passages, |one| bytes(&one.code_key))?,
            unopened_row: column(py, &judgement.unopened, |row| *row)?,
            sighting_row: column(py, sightings, |one| one.row)?,
            sighting_text: column(py, sightings, |one| one.text.as_deref())?,
            sighting_lifted_by: column(py, sightings, |one| one.lifted_by)?,
        })
    }
}

fn column<'py, 'r, R, T: IntoPyObject<'py>>(
    py: Python<'py>,
    rows: &'r [R],
    value: impl FnMut(&'r R) -> T,
) -> PyResult<Py<PyList>> {
    PyList::new(py, rows.iter().map(value)).map(Bound::unbind)
}

/// What a direction is called everywhere.
pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Entry => "entry",
        Direction::Exit => "exit",
    }
}

/// A word as it is, or as the reason of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Word<'a> {
    Plain(&'a str),
    Rejected(&'a str),
}

impl<'a> Word<'a> {
    pub(super) fn of(result: ScanResult<'a>) -> Self {
        match result {
            ScanResult::Accepted => Self::Plain("accepted"),
            ScanResult::Replayed => Self::Plain("replayed"),
            ScanResult::Rejected(reason) => Self::Rejected(reason),
        }
    }

    pub(super) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Rejected(reason) => Cow::Owned(format!("rejected:{reason}")),
        }
    }
}

/// The Python texts of the few words that come again and again.
struct Words<'py, 'a> {
    py: Python<'py>,
    known: AHashMap<Word<'a>, Bound<'py, PyString>>,
}

impl<'py, 'a> Words<'py, 'a> {
    fn new(py: Python<'py>) -> Self {
        Self {
            py,
            known: AHashMap::new(),
        }
    }

    fn column<'r, R>(&mut self, rows: &'r [R], word: impl Fn(&'r R) -> Word<'a>) -> PyResult<Py<PyList>> {
        let Self { py, known } = self;
        column(*py, rows, |row| {
            let word = word(row);
            known
                .entry(word)
                .or_insert_with(|| PyString::new(*py, &word.text()))
                .clone()
        })
    }
}
