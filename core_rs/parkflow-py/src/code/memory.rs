//! What a verifier remembers, as Python classes.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use parkflow_core::code::{self, DenyList, ReplayMemory, SUBJECT_BYTES};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::ed25519::exact;

#[pyclass(frozen, module = "parkflow._core", name = "DenyList")]
pub struct DeniedSubjects(pub(super) HashSet<[u8; SUBJECT_BYTES]>);

#[pymethods]
impl DeniedSubjects {
    #[new]
    fn new(subjects: &Bound<'_, PyAny>) -> PyResult<Self> {
        let subject_of = |item: PyResult<Bound<'_, PyAny>>| exact("subject", &item?.extract::<PyBackedBytes>()?);
        subjects.try_iter()?.map(subject_of).collect::<PyResult<_>>().map(Self)
    }

    fn __contains__(&self, subject: &[u8]) -> bool {
        subject.try_into().is_ok_and(|subject| self.0.denies(subject))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct ReplayCache(Mutex<code::ReplayCache>);

impl ReplayCache {
    /// The memory, for one call. A lock poisoned by a panic is taken all the same: the cache is usable at every step.
    pub fn memory(&self) -> MutexGuard<'_, code::ReplayCache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl ReplayCache {
    #[new]
    fn new(capacity: usize) -> PyResult<Self> {
        if capacity == 0 {
            return Err(PyValueError::new_err("capacity must be at least 1"));
        }
        Ok(Self(Mutex::new(code::ReplayCache::new(capacity))))
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.memory().capacity()
    }

    fn __contains__(&self, code_id: &[u8]) -> bool {
        let memory = self.memory();
        code_id.try_into().is_ok_and(|code_id| memory.remembers(code_id))
    }

    fn __len__(&self) -> usize {
        self.memory().len()
    }

    fn remember(&self, code_id: &[u8], useless_after_s: i64) -> PyResult<()> {
        let code_id = exact("code_id", code_id)?;
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remember(code_id, useless_after_s);
        Ok(())
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct CredentialCache(pub(crate) code::CredentialCache);

#[pymethods]
impl CredentialCache {
    #[new]
    fn new(capacity: usize) -> PyResult<Self> {
        if capacity < 2 {
            return Err(PyValueError::new_err("capacity must be at least 2"));
        }
        Ok(Self(code::CredentialCache::new(capacity)))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}
