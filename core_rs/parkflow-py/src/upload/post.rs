//! Where scans were made and by which rules, as Python classes.

use std::collections::HashMap;

use parkflow_core::bundle::{ExitDenied, LaneDirection};
use parkflow_core::{code, upload};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::code::{KeySet, Policy};
use crate::ed25519::exact;

#[pyclass(frozen, module = "parkflow._core")]
pub struct SubjectKeys(code::SubjectKeys);

#[pymethods]
impl SubjectKeys {
    #[new]
    fn new(keys: HashMap<u32, PyBackedBytes>) -> PyResult<Self> {
        let exact_key = |(kid, key): (u32, PyBackedBytes)| Ok((kid, exact("subject key", &key)?));
        let keys = keys.into_iter().map(exact_key).collect::<PyResult<Vec<_>>>()?;
        Ok(Self(code::SubjectKeys::new(keys)))
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct UploadPost {
    keys: Py<KeySet>,
    policy: Py<Policy>,
    subject_keys: Py<SubjectKeys>,
    lane_direction: LaneDirection,
    exit_denied: ExitDenied,
}

impl UploadPost {
    /// The same for the core, which borrows what is shared between posts.
    pub fn core(&self) -> upload::Post<'_> {
        upload::Post {
            keys: &self.keys.get().0,
            policy: &self.policy.get().0,
            subject_keys: &self.subject_keys.get().0,
            lane_direction: self.lane_direction,
            exit_denied: self.exit_denied,
        }
    }
}

#[pymethods]
impl UploadPost {
    #[new]
    #[pyo3(signature = (keys, policy, subject_keys, lane_direction, exit_denied))]
    fn new(
        keys: Py<KeySet>,
        policy: Py<Policy>,
        subject_keys: Py<SubjectKeys>,
        lane_direction: &str,
        exit_denied: &str,
    ) -> PyResult<Self> {
        Ok(Self {
            keys,
            policy,
            subject_keys,
            lane_direction: match lane_direction {
                "entry" => LaneDirection::Entry,
                "exit" => LaneDirection::Exit,
                "both" => LaneDirection::Both,
                _ => return Err(PyValueError::new_err("lane_direction must be entry, exit or both")),
            },
            exit_denied: match exit_denied {
                "accept" => ExitDenied::Accept,
                "pay" => ExitDenied::Pay,
                _ => return Err(PyValueError::new_err("exit_denied must be accept or pay")),
            },
        })
    }
}
