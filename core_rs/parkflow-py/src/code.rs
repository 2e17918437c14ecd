//! Binding of `parkflow_core::code`: credentials, codes, key sets, verdicts.

mod credential;
mod keys;
mod memory;
mod verdict;

use core::num::NonZeroUsize;
use std::thread;

use parkflow_core::code::{self, NothingDenied, NothingSeen, Reason, Trust, SUBJECT_BYTES, SUBJECT_KEY_BYTES};
use parkflow_core::ed25519::SECRET_BYTES;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::ed25519::{exact, fill_from_os};

pub use credential::Code;
use credential::CredentialFields;
use keys::IssuerKey;
pub use keys::{KeySet, Policy};
pub use memory::CredentialCache;
use memory::{DeniedSubjects, ReplayCache};
use verdict::Verdict;

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(refusal_reasons, module)?)?;
    module.add_function(wrap_pyfunction!(seal_subject, module)?)?;
    module.add_function(wrap_pyfunction!(open_subject, module)?)?;
    module.add_function(wrap_pyfunction!(issue_credential, module)?)?;
    module.add_function(wrap_pyfunction!(make_code, module)?)?;
    module.add_function(wrap_pyfunction!(read_code, module)?)?;
    module.add_function(wrap_pyfunction!(encode_base45, module)?)?;
    module.add_function(wrap_pyfunction!(decode_base45, module)?)?;
    module.add_function(wrap_pyfunction!(verify_code, module)?)?;
    module.add_function(wrap_pyfunction!(verify_codes, module)?)?;
    module.add_class::<CredentialFields>()?;
    module.add_class::<Code>()?;
    module.add_class::<IssuerKey>()?;
    module.add_class::<KeySet>()?;
    module.add_class::<Policy>()?;
    module.add_class::<DeniedSubjects>()?;
    module.add_class::<ReplayCache>()?;
    module.add_class::<CredentialCache>()?;
    module.add_class::<Verdict>()?;
    Ok(())
}

#[pyfunction]
fn refusal_reasons() -> Vec<(u8, &'static str)> {
    Reason::ALL
        .into_iter()
        .map(|reason| (reason.number(), reason.name()))
        .collect()
}

#[pyfunction]
fn seal_subject<'py>(py: Python<'py>, key: &[u8], card_id: u64, serial: u64) -> PyResult<Bound<'py, PyBytes>> {
    let key = exact::<SUBJECT_KEY_BYTES>("key", key)?;
    Ok(PyBytes::new(py, &code::seal_subject(&key, card_id, serial)))
}

#[pyfunction]
fn open_subject(key: &[u8], subject: &[u8]) -> PyResult<(u64, u64)> {
    Ok(code::open_subject(
        &exact::<SUBJECT_KEY_BYTES>("key", key)?,
        &exact::<SUBJECT_BYTES>("subject", subject)?,
    ))
}

#[pyfunction]
fn issue_credential<'py>(
    py: Python<'py>,
    issuer_secret: &[u8],
    fields: &CredentialFields,
) -> PyResult<Bound<'py, PyBytes>> {
    let issuer_secret = exact::<SECRET_BYTES>("issuer_secret", issuer_secret)?;
    let credential = py
        .detach(|| code::issue_credential(&issuer_secret, &fields.0))
        .map_err(value_error)?;
    Ok(PyBytes::new(py, &credential.encode()))
}

#[pyfunction]
fn make_code(py: Python<'_>, credential: &[u8], code_secret: &[u8], issued_at_s: u32, nonce: u16) -> PyResult<String> {
    let code_secret = exact::<SECRET_BYTES>("code_secret", code_secret)?;
    py.detach(|| code::make_code(credential, &code_secret, issued_at_s, nonce))
        .map(|code| code::encode_code(&code))
        .map_err(value_error)
}

/// What a text says, unchecked; if it cannot be read, the number of the reason instead.
#[pyfunction]
fn read_code(text: &Bound<'_, PyString>) -> (Option<Code>, u8) {
    match code::decode_code(text.to_string_lossy().as_bytes()) {
        Ok(code) => (Some(Code(code)), Reason::Accepted.number()),
        Err(reason) => (None, reason.number()),
    }
}

#[pyfunction]
fn encode_base45(bytes: &[u8]) -> String {
    code::encode_base45(bytes)
}

#[pyfunction]
fn decode_base45<'py>(py: Python<'py>, text: &Bound<'_, PyString>) -> PyResult<Bound<'py, PyBytes>> {
    code::decode_base45(text.to_string_lossy().as_bytes())
        .map(|bytes| PyBytes::new(py, &bytes))
        .map_err(|_| PyValueError::new_err("text is not the Base45 of any bytes (RFC 9285)"))
}

#[pyfunction]
#[pyo3(signature = (text, *, now_s, keys, policy, deny = None, replay = None, cache = None))]
fn verify_code(
    text: &Bound<'_, PyString>,
    now_s: i64,
    keys: &KeySet,
    policy: &Policy,
    deny: Option<&DeniedSubjects>,
    replay: Option<&ReplayCache>,
    cache: Option<&CredentialCache>,
) -> Verdict {
    let seen = text.to_string_lossy();
    let denied: &(dyn code::DenyList + Sync) = deny.map_or(&NothingDenied, |deny| &deny.0);
    let trust = trust_of(keys, cache);
    let verdict = text.py().detach(|| match replay {
        None => code::verify_code(seen.as_bytes(), now_s, trust, &policy.0, denied, &mut NothingSeen),
        Some(replay) => code::verify_code(seen.as_bytes(), now_s, trust, &policy.0, denied, &mut *replay.memory()),
    });
    Verdict(verdict)
}

#[pyfunction]
#[pyo3(signature = (texts, at_s, *, keys, policy, cache = None, threads = None))]
fn verify_codes(
    py: Python<'_>,
    texts: Vec<Bound<'_, PyString>>,
    at_s: Vec<i64>,
    keys: &KeySet,
    policy: &Policy,
    cache: Option<&CredentialCache>,
    threads: Option<NonZeroUsize>,
) -> PyResult<Vec<Verdict>> {
    if texts.len() != at_s.len() {
        let message = format!(
            "texts and at_s must be equally long, not {} and {}",
            texts.len(),
            at_s.len()
        );
        return Err(PyValueError::new_err(message));
    }
    let seen: Vec<_> = texts.iter().map(|text| text.to_string_lossy()).collect();
    let scans: Vec<_> = seen.iter().map(|text| text.as_bytes()).zip(at_s).collect();
    let trust = trust_of(keys, cache);
    let threads = threads.unwrap_or_else(all_cores);
    let verdicts = py.detach(|| code::verify_codes(&scans, trust, &policy.0, threads, &mut fill_from_os));
    Ok(verdicts.into_iter().map(Verdict).collect())
}

/// As many threads as the machine runs at once.
pub fn all_cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn trust_of<'a>(keys: &'a KeySet, cache: Option<&'a CredentialCache>) -> Trust<'a> {
    Trust {
        keys: &keys.0,
        verified: cache.map(|cache| &cache.0),
    }
}

fn value_error(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}
