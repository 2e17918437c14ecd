//! Judged scans as columns: lists that go into a statement as they are, and no object for each scan.

use ahash::AHashMap;
use parkflow_core::stay::Direction;
use parkflow_core::upload::{Judgement, Medium, ScanResult};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

#[pyclass(frozen, get_all, module = "parkflow._core")]
pub struct Judged {
    upload: Py<PyList>,
    seq: Py<PyList>,
    content_sha256: Py<PyList>,
    chain_sha256: Py<PyList>,
    at_ms: Py<PyList>,
    direction: Py<PyList>,
    medium: Py<PyList>,
    content: Py<PyList>,
    gate_verdict: Py<PyList>,
    result: Py<PyList>,
    passage_row: Py<PyList>,
    passage_bucket: Py<PyList>,
    passage_card_id: Py<PyList>,
    passage_serial: Py<PyList>,
    passage_code_id: Py<PyList>,
    passage_code_key: Py<PyList>,
    unopened_row: Py<PyList>,
    sighting_row: Py<PyList>,
    sighting_text: Py<PyList>,
    sighting_lifted_by: Py<PyList>,
}

#[pymethods]
impl Judged {
    fn __len__(&self, py: Python<'_>) -> usize {
        self.seq.bind(py).len()
    }
}

impl Judged {
    /// The columns of a judgement; each distinct word becomes one Python text.
    pub fn new(py: Python<'_>, judgement: &Judgement<'_>) -> PyResult<Self> {
        let (scans, passages) = (&judgement.scans, &judgement.passages);
        let sightings = &judgement.sightings;
        let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
        let mut words = Words::new(py);
        Ok(Self {
            upload: column(py, scans, |one| one.upload)?,
            seq: column(py, scans, |one| one.scan.seq)?,
            content_sha256: column(py, scans, |one| bytes(&one.scan.content_sha256))?,
            chain_sha256: column(py, scans, |one| bytes(&one.scan.chain_sha256))?,
            at_ms: column(py, scans, |one| one.scan.at_ms)?,
            direction: words.column(scans, |one| Word::Plain(direction_name(one.scan.direction)))?,
            medium: words.column(scans, |one| Word::Plain(Medium::name(one.scan.medium)))?,
            content: column(py, scans, |one| PyString::new(py, &one.content))?,
            gate_verdict: words.column(scans, |one| Word::Plain(one.gate_verdict))?,
            result: words.column(scans, |one| match one.result {
                ScanResult::Accepted => Word::Plain("accepted"),
                ScanResult::Replayed => Word::Plain("replayed"),
                ScanResult::Rejected(reason) => Word::Rejected(reason),
            })?,
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

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Entry => "entry",
        Direction::Exit => "exit",
    }
}

/// A word as it is, or as the reason of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Word<'a> {
    Plain(&'a str),
    Rejected(&'a str),
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
            let text = known.entry(word).or_insert_with(|| match word {
                Word::Plain(text) => PyString::new(*py, text),
                Word::Rejected(reason) => PyString::new(*py, &format!("rejected:{reason}")),
            });
            text.clone()
        })
    }
}
