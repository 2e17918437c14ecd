//! Python errors that carry a stable `code` and the `path` of what they are about.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use pyo3::PyTypeInfo;

/// The exception type with its attributes declared, so that they exist (empty) on the class too.
pub fn coded_error_type<T: PyTypeInfo>(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    let kind = T::type_object(py);
    kind.setattr("__module__", "parkflow._core")?;
    for name in ["code", "path", "message"] {
        kind.setattr(name, PyString::new(py, ""))?;
    }
    Ok(kind)
}

/// An error of that type.
pub fn coded_error<T: PyTypeInfo>(py: Python<'_>, code: &str, path: &str, message: String) -> PyErr {
    let made = || -> PyResult<Bound<'_, PyAny>> {
        let error = T::type_object(py).call1((message.as_str(),))?;
        error.setattr("code", code)?;
        error.setattr("path", path)?;
        error.setattr("message", message.as_str())?;
        Ok(error)
    };
    match made() {
        Ok(error) => PyErr::from_value(error),
        Err(failure) => failure,
    }
}
