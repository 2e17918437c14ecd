//! Credentials and codes as Python classes.

use parkflow_core::code;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::ed25519::exact;

#[pyclass(frozen, eq, module = "parkflow._core")]
#[derive(PartialEq)]
pub struct CredentialFields(pub(super) code::CredentialFields);

#[pymethods]
impl CredentialFields {
    #[new]
    #[pyo3(signature = (*, kid, subject, code_key, not_before_s, lifetime_minutes, product, ceiling))]
    fn new(
        kid: u32,
        subject: &[u8],
        code_key: &[u8],
        not_before_s: u32,
        lifetime_minutes: u16,
        product: u8,
        ceiling: u16,
    ) -> PyResult<Self> {
        let subject = exact("subject", subject)?;
        let code_key = exact("code_key", code_key)?;
        Ok(Self(code::CredentialFields {
            kid,
            subject,
            code_key,
            not_before_s,
            lifetime_minutes,
            product,
            ceiling,
        }))
    }

    #[getter]
    fn kid(&self) -> u32 {
        self.0.kid
    }

    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.subject)
    }

    #[getter]
    fn code_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.code_key)
    }

    #[getter]
    fn not_before_s(&self) -> u32 {
        self.0.not_before_s
    }

    #[getter]
    fn not_after_s(&self) -> i64 {
        self.0.not_after_s()
    }

    #[getter]
    fn lifetime_minutes(&self) -> u16 {
        self.0.lifetime_minutes
    }

    #[getter]
    fn product(&self) -> u8 {
        self.0.product
    }

    #[getter]
    fn ceiling(&self) -> u16 {
        self.0.ceiling
    }

    fn __repr__(&self) -> String {
        let fields = &self.0;
        format!(
            "CredentialFields(kid={}, not_before_s={}, lifetime_minutes={}, product={}, ceiling={})",
            fields.kid, fields.not_before_s, fields.lifetime_minutes, fields.product, fields.ceiling
        )
    }
}

#[pyclass(frozen, eq, module = "parkflow._core")]
#[derive(PartialEq)]
pub struct Code(pub(super) code::Code);

impl From<code::Code> for Code {
    fn from(code: code::Code) -> Self {
        Self(code)
    }
}

#[pymethods]
impl Code {
    #[getter]
    fn credential(&self) -> CredentialFields {
        CredentialFields(self.0.credential.fields)
    }

    #[getter]
    fn credential_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.credential.encode())
    }

    #[getter]
    fn issued_at_s(&self) -> u32 {
        self.0.issued_at_s
    }

    #[getter]
    fn nonce(&self) -> u16 {
        self.0.nonce
    }

    #[getter]
    fn code_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.code_id())
    }

    fn text(&self) -> String {
        code::encode_code(&self.0)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.encode())
    }
}
