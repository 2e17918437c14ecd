//! Being written.
use pyo3::prelude::*;

/// Adds this part's names to the extension module.
pub fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
