//! Binding of `parkflow_core::lotqr`: fields in, a signed text out; a text in, fields or the number of a refusal out.

use parkflow_core::ed25519::{VerifyingKey, SECRET_BYTES};
use parkflow_core::lotqr::{self, LotQrPurpose, LotQrRefusal};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::ed25519::exact;

/// What a text says, or nothing; and the number of the refusal, 0 for none.
type Answer = (Option<LotQrFields>, u8);

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(lot_qr_refusals, module)?)?;
    module.add_function(wrap_pyfunction!(sign_lot_qr, module)?)?;
    module.add_function(wrap_pyfunction!(read_lot_qr, module)?)?;
    module.add_function(wrap_pyfunction!(verify_lot_qr, module)?)?;
    module.add_class::<LotQrFields>()?;
    Ok(())
}

#[pyclass(frozen, eq, module = "parkflow._core")]
#[derive(PartialEq)]
pub struct LotQrFields(lotqr::LotQrFields);

#[pymethods]
impl LotQrFields {
    #[new]
    #[pyo3(signature = (*, operator_id, lot_id, lane_id, purpose, issued_at_s))]
    fn new(operator_id: i64, lot_id: i64, lane_id: i64, purpose: &str, issued_at_s: u32) -> PyResult<Self> {
        let purpose = LotQrPurpose::from_name(purpose).ok_or_else(|| {
            let known = LotQrPurpose::ALL.map(LotQrPurpose::name).join(", ");
            PyValueError::new_err(format!("purpose must be one of {known}; got {purpose:?}"))
        })?;
        Ok(Self(lotqr::LotQrFields {
            operator_id,
            lot_id,
            lane_id,
            purpose,
            issued_at_s,
        }))
    }

    #[getter]
    fn operator_id(&self) -> i64 {
        self.0.operator_id
    }

    #[getter]
    fn lot_id(&self) -> i64 {
        self.0.lot_id
    }

    #[getter]
    fn lane_id(&self) -> i64 {
        self.0.lane_id
    }

    #[getter]
    fn purpose(&self) -> &'static str {
        self.0.purpose.name()
    }

    #[getter]
    fn issued_at_s(&self) -> u32 {
        self.0.issued_at_s
    }

    fn __repr__(&self) -> String {
        let fields = &self.0;
        format!(
            "LotQrFields(operator_id={}, lot_id={}, lane_id={}, purpose={:?}, issued_at_s={})",
            fields.operator_id,
            fields.lot_id,
            fields.lane_id,
            fields.purpose.name(),
            fields.issued_at_s
        )
    }
}

#[pyfunction]
fn lot_qr_refusals() -> Vec<(u8, &'static str)> {
    LotQrRefusal::ALL
        .into_iter()
        .map(|refusal| (refusal.number(), refusal.name()))
        .collect()
}

#[pyfunction]
fn sign_lot_qr(py: Python<'_>, root_secret: &[u8], fields: &LotQrFields) -> PyResult<String> {
    let root_secret = exact::<SECRET_BYTES>("root_secret", root_secret)?;
    Ok(py.detach(|| lotqr::sign_lot_qr(&root_secret, &fields.0)))
}

#[pyfunction]
fn read_lot_qr(text: &Bound<'_, PyString>) -> Answer {
    answer(lotqr::read_lot_qr(text.to_string_lossy().as_bytes()).map(|lot_qr| lot_qr.fields))
}

#[pyfunction]
fn verify_lot_qr(text: &Bound<'_, PyString>, root_key: &[u8]) -> PyResult<Answer> {
    let seen = text.to_string_lossy();
    text.py()
        .detach(|| {
            let root_key = VerifyingKey::enrol(root_key)?;
            Ok(answer(lotqr::verify_lot_qr(seen.as_bytes(), &root_key)))
        })
        .map_err(|refusal: parkflow_core::ed25519::KeyRefusal| PyValueError::new_err(format!("root_key: {refusal}")))
}

fn answer(read: Result<lotqr::LotQrFields, LotQrRefusal>) -> Answer {
    match read {
        Ok(fields) => (Some(LotQrFields(fields)), 0),
        Err(refusal) => (None, refusal.number()),
    }
}
