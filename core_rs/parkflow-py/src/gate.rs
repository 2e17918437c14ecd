//! Binding of `parkflow_gate`: one class for a gate, one for what it decides.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use parkflow_core::bundle::BundleRefusal;
use parkflow_core::code::decode_code;
use parkflow_gate::{self as gate, BundleStore, Capacities, Direction, GateReason, Outcome, Post, Visit};
use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::code::Code;
use crate::ed25519::exact;
use crate::errors::{coded_error, coded_error_type};

create_exception!(parkflow._core, BundleError, PyValueError);

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(gate_reasons, module)?)?;
    module.add_class::<Gate>()?;
    module.add_class::<Decision>()?;
    module.add("BundleError", coded_error_type::<BundleError>(module.py())?)?;
    Ok(())
}

/// Number, name and display text of every reason of a gate.
#[pyfunction]
fn gate_reasons() -> Vec<(u8, &'static str, &'static str)> {
    GateReason::all()
        .map(|reason| (reason.number(), reason.name(), reason.display()))
        .collect()
}

fn refused(py: Python<'_>, refusal: BundleRefusal) -> PyErr {
    let message = format!("the bundle is refused: {}", refusal.name().replace('_', " "));
    coded_error::<BundleError>(py, refusal.name(), "bundle", message)
}

fn direction_named(name: &str) -> PyResult<Direction> {
    match name {
        "entry" => Ok(Direction::Entry),
        "exit" => Ok(Direction::Exit),
        other => Err(PyValueError::new_err(format!(
            "direction must be entry or exit, not {other:?}"
        ))),
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct Gate(Mutex<gate::Gate>);

impl Gate {
    fn turn(&self) -> MutexGuard<'_, gate::Gate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Gate {
    #[new]
    #[pyo3(signature = (root_key, lot_id, lane_id, *, folder = None, stem = "gate"))]
    fn new(root_key: &[u8], lot_id: u64, lane_id: u64, folder: Option<PathBuf>, stem: &str) -> PyResult<Self> {
        let post = Post {
            root_key: exact("root_key", root_key)?,
            lot_id,
            lane_id,
        };
        let store = folder.map(|folder| BundleStore::new(&folder, stem));
        gate::Gate::new(post, Capacities::default(), store)
            .map(|gate| Self(Mutex::new(gate)))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn load(&self, py: Python<'_>) -> PyResult<bool> {
        py.detach(|| self.turn().load())
            .map_err(|error| PyOSError::new_err(error.to_string()))
    }

    #[getter]
    fn bundle_version(&self) -> u64 {
        self.turn().bundle_version()
    }

    #[getter]
    fn bundle_expires_at_s(&self) -> u64 {
        self.turn().bundle_expires_at_s()
    }

    fn filter_of<'py>(&self, py: Python<'py>, bundle: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let name = self.turn().filter_of(bundle).map_err(|refusal| refused(py, refusal))?;
        Ok(name.map(|sha256| PyBytes::new(py, &sha256)))
    }

    #[pyo3(signature = (bundle, *, now_s, filter = None))]
    fn take_bundle(&self, py: Python<'_>, bundle: &[u8], now_s: i64, filter: Option<&[u8]>) -> PyResult<u64> {
        py.detach(|| self.turn().take_bundle(bundle, filter, now_s))
            .map_err(|refusal| refused(py, refusal))
    }

    fn confirm_bundle(&self, now_s: i64) {
        self.turn().confirm_bundle(now_s);
    }

    fn clear(&self, subject: &[u8]) -> PyResult<()> {
        self.turn().clear(exact("subject", subject)?);
        Ok(())
    }

    fn note_passage(&self, text: &Bound<'_, PyString>, direction: &str, at_s: i64) -> PyResult<bool> {
        let direction = direction_named(direction)?;
        let Ok(code) = decode_code(text.to_string_lossy().as_bytes()) else {
            return Ok(false);
        };
        self.turn().note_passage(&code, direction, at_s);
        Ok(true)
    }

    #[pyo3(signature = (text, direction, *, now_s, fee_due_units = None))]
    fn decide(
        &self,
        text: &Bound<'_, PyString>,
        direction: &str,
        now_s: i64,
        fee_due_units: Option<u32>,
    ) -> PyResult<Decision> {
        let direction = direction_named(direction)?;
        let seen = text.to_string_lossy();
        let decision = text.py().detach(|| {
            self.turn().decide(&Visit {
                text: seen.as_bytes(),
                direction,
                fee_due_units,
                now_s,
            })
        });
        Ok(Decision(decision))
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct Decision(gate::Decision);

#[pymethods]
impl Decision {
    #[getter]
    fn outcome(&self) -> &'static str {
        match self.0.outcome {
            Outcome::Accept => "accept",
            Outcome::AcceptAndFlag => "accept_and_flag",
            Outcome::Refuse => "refuse",
        }
    }

    #[getter]
    fn opens(&self) -> bool {
        self.0.opens()
    }

    #[getter]
    fn reason(&self) -> u8 {
        self.0.reason.number()
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.0.reason.name()
    }

    #[getter]
    fn display(&self) -> &'static str {
        self.0.reason.display()
    }

    #[getter]
    fn certain(&self) -> bool {
        self.0.certain
    }

    #[getter]
    fn code(&self) -> Option<Code> {
        self.0.code.map(Code::from)
    }
}
