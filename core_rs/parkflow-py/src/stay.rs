//! Binding of `parkflow_core::stay`: scans in, pairings out.

use parkflow_core::stay::{self, Direction, EventId, Scan, DEBOUNCE_MS};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(pair_scans, module)?)?;
    module.add_class::<ScanEvent>()?;
    module.add_class::<Pairing>()?;
    Ok(())
}

#[pyclass(module = "parkflow._core", frozen, eq, hash, from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScanEvent(Scan);

#[pymethods]
impl ScanEvent {
    #[new]
    fn new(gate_id: i64, epoch: i64, seq: i64, at_ms: i64, direction: &str) -> PyResult<Self> {
        let direction = match direction {
            "entry" => Direction::Entry,
            "exit" => Direction::Exit,
            _ => return Err(PyValueError::new_err("direction must be entry or exit")),
        };
        let id = EventId { gate_id, epoch, seq };
        Ok(Self(Scan { at_ms, id, direction }))
    }

    #[getter]
    fn gate_id(&self) -> i64 {
        self.0.id.gate_id
    }

    #[getter]
    fn epoch(&self) -> i64 {
        self.0.id.epoch
    }

    #[getter]
    fn seq(&self) -> i64 {
        self.0.id.seq
    }

    #[getter]
    fn at_ms(&self) -> i64 {
        self.0.at_ms
    }

    #[getter]
    fn direction(&self) -> &'static str {
        match self.0.direction {
            Direction::Entry => "entry",
            Direction::Exit => "exit",
        }
    }

    #[getter]
    fn event_id(&self) -> (i64, i64, i64) {
        let EventId { gate_id, epoch, seq } = self.0.id;
        (gate_id, epoch, seq)
    }

    fn __repr__(&self) -> String {
        let EventId { gate_id, epoch, seq } = self.0.id;
        let direction = self.direction();
        format!("ScanEvent({gate_id}, {epoch}, {seq}, {}, '{direction}')", self.0.at_ms)
    }
}

/// What the scans of one card in one lot mean.
#[pyclass(module = "parkflow._core", frozen, get_all, eq)]
#[derive(PartialEq, Eq)]
pub struct Pairing {
    open: Option<ScanEvent>,
    opened: bool,
    closed: Vec<(ScanEvent, ScanEvent)>,
    awaiting_entry: Vec<ScanEvent>,
    missing_exit: Vec<ScanEvent>,
    duplicates: Vec<(ScanEvent, (i64, i64, i64))>,
}

impl From<stay::Pairing> for Pairing {
    fn from(pairing: stay::Pairing) -> Self {
        let many = |scans: Vec<Scan>| scans.into_iter().map(ScanEvent).collect();
        let repeated = |duplicate: stay::Duplicate| {
            let EventId { gate_id, epoch, seq } = duplicate.of;
            (ScanEvent(duplicate.scan), (gate_id, epoch, seq))
        };
        Self {
            open: pairing.open.map(ScanEvent),
            opened: pairing.opened,
            closed: pairing
                .closed
                .into_iter()
                .map(|(entry, exit)| (ScanEvent(entry), ScanEvent(exit)))
                .collect(),
            awaiting_entry: many(pairing.awaiting_entry),
            missing_exit: many(pairing.missing_exit),
            duplicates: pairing.duplicates.into_iter().map(repeated).collect(),
        }
    }
}

#[pyfunction]
#[pyo3(signature = (groups, *, debounce_ms = None))]
fn pair_scans(
    py: Python<'_>,
    groups: Vec<(Option<ScanEvent>, Vec<ScanEvent>)>,
    debounce_ms: Option<i64>,
) -> Vec<Pairing> {
    let groups: Vec<(Option<Scan>, Vec<Scan>)> = groups
        .into_iter()
        .map(|(open, scans)| (open.map(|open| open.0), scans.into_iter().map(|scan| scan.0).collect()))
        .collect();
    let debounce_ms = debounce_ms.unwrap_or(DEBOUNCE_MS);
    let pairings = py.detach(|| stay::pair_groups(&groups, debounce_ms));
    pairings.into_iter().map(Pairing::from).collect()
}
