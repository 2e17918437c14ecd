//! Columns for a statement: one text or one run of bytes each, and no object for each value.
//!
//! Numbers are array literals as Postgres reads them (its manual, 8.15.2), texts are joined by U+001F for
//! `string_to_array`, and hashes of one length stand one after another for `substr`. No text has a U+001F in it: they are
//! words, or JSON, which escapes it (RFC 8259, section 7).

use core::fmt::Write;
use core::iter::repeat_n;

use parkflow_core::upload::Judgement;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::judged::{direction_name, Word};

const BETWEEN_TEXTS: char = '\u{1f}';

/// What becomes columns of all scans, and of the passages among them that are asked for.
pub struct Columns {
    /// How many scans each upload has.
    counts: Vec<usize>,
    seq: String,
    content_sha256: Vec<u8>,
    chain_sha256: Vec<u8>,
    at_ms: String,
    /// Direction, medium, content, the gate's verdict, ours.
    texts: [String; 5],
    passages: Vec<Passage>,
}

struct Passage {
    upload: usize,
    bucket: u64,
    seq: i64,
    card_id: u64,
    direction: &'static str,
    at_ms: i64,
    code_id: [u8; 16],
    serial: u64,
    code_key: [u8; 32],
}

impl Columns {
    /// `uploads`: how many were judged.
    pub fn new(judgement: &Judgement<'_>, uploads: usize) -> Self {
        let scans = &judgement.scans;
        let mut counts = vec![0; uploads];
        for one in scans {
            counts[one.upload] += 1;
        }
        Self {
            counts,
            seq: numbers(scans.iter().map(|one| one.scan.seq)),
            content_sha256: scans.iter().flat_map(|one| one.scan.content_sha256).collect(),
            chain_sha256: scans.iter().flat_map(|one| one.scan.chain_sha256).collect(),
            at_ms: numbers(scans.iter().map(|one| one.scan.at_ms)),
            texts: [
                texts(scans.iter().map(|one| direction_name(one.scan.direction))),
                texts(scans.iter().map(|one| one.scan.medium.name())),
                texts(scans.iter().map(|one| &*one.content)),
                texts(scans.iter().map(|one| one.gate_verdict)),
                texts(scans.iter().map(|one| Word::of(one.result).text())),
            ],
            passages: passages(judgement),
        }
    }

    /// The columns of the events; those of `of_upload` come first, numbers that all scans of an upload share.
    pub fn events(&self, py: Python<'_>, of_upload: &[Vec<i64>]) -> PyResult<Vec<Py<PyAny>>> {
        let uploads = self.counts.iter().enumerate();
        let uploads: Vec<_> = uploads.flat_map(|(upload, count)| repeat_n(upload, *count)).collect();
        let mut columns = shared(py, of_upload, self.counts.len(), &uploads)?;
        columns.push(text(py, &self.seq));
        columns.push(bytes(py, &self.content_sha256));
        columns.push(bytes(py, &self.chain_sha256));
        columns.push(text(py, &self.at_ms));
        columns.extend(self.texts.iter().map(|one| text(py, one)));
        Ok(columns)
    }

    /// The columns of passages, of all or of those at `places`; `of_upload` as for events.
    pub fn passages(
        &self,
        py: Python<'_>,
        of_upload: &[Vec<i64>],
        places: Option<&[usize]>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let chosen: Vec<&Passage> = match places {
            None => self.passages.iter().collect(),
            Some(places) => places
                .iter()
                .map(|place| self.passages.get(*place))
                .collect::<Option<_>>()
                .ok_or_else(|| PyIndexError::new_err("there is no passage at one of the places"))?,
        };
        let rows = || chosen.iter().copied();
        let uploads: Vec<_> = rows().map(|one| one.upload).collect();
        let mut columns = shared(py, of_upload, self.counts.len(), &uploads)?;
        columns.push(text(py, &numbers(rows().map(|one| one.bucket))));
        columns.push(text(py, &numbers(rows().map(|one| one.seq))));
        columns.push(text(py, &numbers(rows().map(|one| one.card_id))));
        columns.push(text(py, &texts(rows().map(|one| one.direction))));
        columns.push(text(py, &numbers(rows().map(|one| one.at_ms))));
        columns.push(bytes(py, &rows().flat_map(|one| one.code_id).collect::<Vec<_>>()));
        columns.push(text(py, &numbers(rows().map(|one| one.serial))));
        columns.push(bytes(py, &rows().flat_map(|one| one.code_key).collect::<Vec<_>>()));
        Ok(columns)
    }
}

fn passages(judgement: &Judgement<'_>) -> Vec<Passage> {
    let row = |row: usize| &judgement.scans[row];
    let passages = judgement.passages.iter().map(|one| Passage {
        upload: row(one.row).upload,
        bucket: one.bucket,
        seq: row(one.row).scan.seq,
        card_id: one.card_id,
        direction: direction_name(row(one.row).scan.direction),
        at_ms: row(one.row).scan.at_ms,
        code_id: one.code_id,
        serial: one.serial,
        code_key: one.code_key,
    });
    passages.collect()
}

/// A column for each place of the uploads' numbers, with the number of each row's upload.
fn shared(py: Python<'_>, of_upload: &[Vec<i64>], uploads: usize, rows: &[usize]) -> PyResult<Vec<Py<PyAny>>> {
    let width = of_upload.first().map_or(0, Vec::len);
    if of_upload.len() != uploads || of_upload.iter().any(|one| one.len() != width) {
        return Err(PyValueError::new_err("every upload has as many numbers as the others"));
    }
    let column = |place: usize| text(py, &numbers(rows.iter().map(|upload| of_upload[*upload][place])));
    Ok((0..width).map(column).collect())
}

fn numbers(values: impl Iterator<Item = impl core::fmt::Display>) -> String {
    let mut literal = String::from("{");
    for (place, value) in values.enumerate() {
        if place > 0 {
            literal.push(',');
        }
        write!(literal, "{value}").expect("a String takes whatever is written");
    }
    literal.push('}');
    literal
}

fn texts(values: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut joined = String::new();
    for (place, value) in values.enumerate() {
        if place > 0 {
            joined.push(BETWEEN_TEXTS);
        }
        joined.push_str(value.as_ref());
    }
    joined
}

fn text(py: Python<'_>, text: &str) -> Py<PyAny> {
    PyString::new(py, text).into_any().unbind()
}

fn bytes(py: Python<'_>, bytes: &[u8]) -> Py<PyAny> {
    PyBytes::new(py, bytes).into_any().unbind()
}
