//! Binding of `parkflow_core::ed25519`: bytes in, bytes and verdicts out.

use std::collections::HashMap;

use parkflow_core::ed25519::{self, verify_equations, Equation, Purpose, VerifyingKey, SECRET_BYTES};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// Public key, message and signature, not copied out of Python.
type Triple = (PyBackedBytes, PyBackedBytes, PyBackedBytes);

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(public_key, module)?)?;
    module.add_function(wrap_pyfunction!(sign, module)?)?;
    module.add_function(wrap_pyfunction!(check_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(public_key_refusal, module)?)?;
    module.add_function(wrap_pyfunction!(ed25519_verify, module)?)?;
    module.add_function(wrap_pyfunction!(ed25519_verify_batch, module)?)?;
    module.add_function(wrap_pyfunction!(sign_message, module)?)?;
    module.add_function(wrap_pyfunction!(verify_message, module)?)?;
    module.add_function(wrap_pyfunction!(message_purposes, module)?)?;
    Ok(())
}

/// Takes an argument of exactly so many bytes.
pub fn exact<const LENGTH: usize>(name: &str, bytes: &[u8]) -> PyResult<[u8; LENGTH]> {
    bytes
        .try_into()
        .map_err(|_| PyValueError::new_err(format!("{name} must be {LENGTH} bytes, not {}", bytes.len())))
}

/// Fills a buffer for batch coefficients; without them no verdict may be given, so a failing OS stops the call.
pub fn fill_from_os(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system gives randomness");
}

#[pyfunction]
fn public_key<'py>(py: Python<'py>, secret: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let secret = exact::<SECRET_BYTES>("secret", secret)?;
    Ok(PyBytes::new(py, &py.detach(|| ed25519::public_key(&secret))))
}

#[pyfunction]
fn sign<'py>(py: Python<'py>, secret: &[u8], message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let secret = exact::<SECRET_BYTES>("secret", secret)?;
    Ok(PyBytes::new(py, &py.detach(|| ed25519::sign(&secret, message))))
}

#[pyfunction]
fn check_public_key(py: Python<'_>, public_key: &[u8]) -> bool {
    py.detach(|| VerifyingKey::enrol(public_key).is_ok())
}

/// Why PF-1 does not take a public key, in one line; `None` if it does.
#[pyfunction]
fn public_key_refusal(py: Python<'_>, public_key: &[u8]) -> Option<String> {
    py.detach(|| VerifyingKey::enrol(public_key).err().map(|refusal| refusal.to_string()))
}

#[pyfunction]
fn ed25519_verify(py: Python<'_>, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    py.detach(|| VerifyingKey::enrol(public_key).is_ok_and(|key| ed25519::verify(&key, &[message], signature)))
}

#[pyfunction]
fn ed25519_verify_batch(py: Python<'_>, items: Vec<Triple>) -> Vec<bool> {
    py.detach(|| verify_items(&items))
}

/// PF-1 on raw triples; each distinct key is checked once.
fn verify_items(items: &[Triple]) -> Vec<bool> {
    let mut keys: HashMap<&[u8], Option<VerifyingKey>> = HashMap::new();
    let mut equations = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len());
    for (place, (key, message, signature)) in items.iter().enumerate() {
        let key = keys.entry(&key[..]).or_insert_with(|| VerifyingKey::enrol(key).ok());
        if let Some(equation) = key.as_ref().and_then(|key| Equation::new(key, &[message], signature)) {
            equations.push(equation);
            places.push(place);
        }
    }
    let mut verdicts = vec![false; items.len()];
    for (place, holds) in places.into_iter().zip(verify_equations(&equations, &mut fill_from_os)) {
        verdicts[place] = holds;
    }
    verdicts
}

#[pyfunction]
fn sign_message<'py>(py: Python<'py>, secret: &[u8], purpose: &str, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let secret = exact::<SECRET_BYTES>("secret", secret)?;
    let purpose = purpose_named(purpose)?;
    Ok(PyBytes::new(py, &py.detach(|| purpose.sign(&secret, message))))
}

#[pyfunction]
fn verify_message(
    py: Python<'_>,
    public_key: &[u8],
    purpose: &str,
    message: &[u8],
    signature: &[u8],
) -> PyResult<bool> {
    let purpose = purpose_named(purpose)?;
    Ok(py.detach(|| VerifyingKey::enrol(public_key).is_ok_and(|key| purpose.verify(&key, message, signature))))
}

#[pyfunction]
fn message_purposes() -> Vec<&'static str> {
    Purpose::ALL.into_iter().map(Purpose::name).collect()
}

fn purpose_named(name: &str) -> PyResult<Purpose> {
    Purpose::from_name(name).ok_or_else(|| {
        let known = Purpose::ALL.map(Purpose::name).join(", ");
        PyValueError::new_err(format!("purpose must be one of {known}; got {name:?}"))
    })
}
