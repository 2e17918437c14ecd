//! `parkflow._core`: converts, releases the GIL, calls `parkflow-core`, converts back. No rule lives here.

use pyo3::prelude::*;

mod arrow;
mod bundle;
mod code;
mod ed25519;
mod errors;
mod gate;
mod ledger;
mod lotqr;
mod stay;
mod tariff;
mod upload;

/// The extension module `parkflow._core`.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    bundle::register(module)?;
    code::register(module)?;
    ed25519::register(module)?;
    gate::register(module)?;
    ledger::register(module)?;
    lotqr::register(module)?;
    stay::register(module)?;
    tariff::register(module)?;
    upload::register(module)?;
    Ok(())
}
