//! What a verifier trusts and allows, as Python classes.

use parkflow_core::code;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::value_error;

#[pyclass(frozen, module = "parkflow._core", from_py_object)]
#[derive(Clone)]
pub struct IssuerKey(pub(super) code::IssuerKey);

#[pymethods]
impl IssuerKey {
    #[new]
    #[pyo3(signature = (kid, public_key, operator_id, product, not_before_s, not_after_s))]
    fn new(
        kid: u32,
        public_key: &[u8],
        operator_id: i64,
        product: Option<u8>,
        not_before_s: i64,
        not_after_s: i64,
    ) -> PyResult<Self> {
        code::IssuerKey::new(kid, public_key, operator_id, product, not_before_s..not_after_s)
            .map(Self)
            .map_err(value_error)
    }

    #[getter]
    fn kid(&self) -> u32 {
        self.0.kid
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public_key.bytes())
    }

    #[getter]
    fn operator_id(&self) -> i64 {
        self.0.operator_id
    }

    #[getter]
    fn product(&self) -> Option<u8> {
        self.0.product
    }

    #[getter]
    fn not_before_s(&self) -> i64 {
        self.0.not_before_s
    }

    #[getter]
    fn not_after_s(&self) -> i64 {
        self.0.not_after_s
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct KeySet(pub(crate) code::KeySet);

#[pymethods]
impl KeySet {
    #[new]
    fn new(keys: Vec<IssuerKey>) -> PyResult<Self> {
        code::KeySet::new(keys.into_iter().map(|key| key.0))
            .map(Self)
            .map_err(value_error)
    }

    fn kids(&self) -> Vec<u32> {
        self.0.kids()
    }

    fn get(&self, kid: u32) -> Option<IssuerKey> {
        self.0.get(kid).copied().map(IssuerKey)
    }

    fn __len__(&self) -> usize {
        self.0.kids().len()
    }
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct Policy(pub(crate) code::Policy);

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(signature = (code_age_max_s = 30, skew_s = 30, product = None, fee_due_units = None))]
    fn new(code_age_max_s: u32, skew_s: u32, product: Option<u8>, fee_due_units: Option<u32>) -> Self {
        Self(code::Policy {
            code_age_max_s,
            skew_s,
            product,
            fee_due_units,
        })
    }

    #[getter]
    fn code_age_max_s(&self) -> u32 {
        self.0.code_age_max_s
    }

    #[getter]
    fn skew_s(&self) -> u32 {
        self.0.skew_s
    }

    #[getter]
    fn product(&self) -> Option<u8> {
        self.0.product
    }

    #[getter]
    fn fee_due_units(&self) -> Option<u32> {
        self.0.fee_due_units
    }
}
