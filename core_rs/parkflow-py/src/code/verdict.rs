//! The answer of a check as a Python class.

use parkflow_core::code::{self, CredentialFields};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::credential::Code;

#[pyclass(frozen, eq, module = "parkflow._core")]
#[derive(PartialEq)]
pub struct Verdict(pub(super) code::Verdict);

impl Verdict {
    fn fields(&self) -> Option<&CredentialFields> {
        self.said().map(|code| &code.credential.fields)
    }

    fn said(&self) -> Option<&code::Code> {
        self.0.code.as_ref()
    }
}

#[pymethods]
impl Verdict {
    #[getter]
    fn reason(&self) -> u8 {
        self.0.reason.number()
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.0.reason.name()
    }

    #[getter]
    fn accepted(&self) -> bool {
        self.0.is_accepted()
    }

    #[getter]
    fn code_id<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.said().map(|code| PyBytes::new(py, &code.code_id()))
    }

    #[getter]
    fn code(&self) -> Option<Code> {
        self.0.code.map(Code)
    }

    #[getter]
    fn issued_at_s(&self) -> Option<u32> {
        self.said().map(|code| code.issued_at_s)
    }

    #[getter]
    fn nonce(&self) -> Option<u16> {
        self.said().map(|code| code.nonce)
    }

    #[getter]
    fn kid(&self) -> Option<u32> {
        self.fields().map(|fields| fields.kid)
    }

    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.fields().map(|fields| PyBytes::new(py, &fields.subject))
    }

    #[getter]
    fn code_key<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.fields().map(|fields| PyBytes::new(py, &fields.code_key))
    }

    #[getter]
    fn not_before_s(&self) -> Option<u32> {
        self.fields().map(|fields| fields.not_before_s)
    }

    #[getter]
    fn lifetime_minutes(&self) -> Option<u16> {
        self.fields().map(|fields| fields.lifetime_minutes)
    }

    #[getter]
    fn product(&self) -> Option<u8> {
        self.fields().map(|fields| fields.product)
    }

    #[getter]
    fn ceiling(&self) -> Option<u16> {
        self.fields().map(|fields| fields.ceiling)
    }

    fn __repr__(&self) -> String {
        format!("Verdict({})", self.0.reason.name())
    }
}
