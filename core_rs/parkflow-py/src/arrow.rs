//! Columns in and out through the Arrow `PyCapsule` interface, without copying: any table library can hand them over.
//!
//! Source: Apache Arrow, "The Arrow `PyCapsule` Interface" and "The Arrow C stream interface". The only unsafe code of the binding.

use std::ffi::CStr;

use arrow_array::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{RecordBatch, RecordBatchIterator};
use arrow_schema::SchemaRef;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

const STREAM: &CStr = c"arrow_array_stream";

/// The batches of a Python object that has `__arrow_c_stream__`.
///
/// Raises `TypeError` for an object without it, `ValueError` for a stream that cannot be read.
pub fn batches(table: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
    let Ok(method) = table.getattr("__arrow_c_stream__") else {
        return Err(PyTypeError::new_err(
            "needs a table with the Arrow PyCapsule interface: of polars, pyarrow, pandas (3 or newer), DuckDB, …",
        ));
    };
    let capsule = method.call0()?;
    let capsule = capsule.cast::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds a valid ArrowArrayStream (the PyCapsule interface says so), and stays alive here. The
    // stream is moved out and its release callback set to null, so the capsule's destructor does not release it again.
    let reader = unsafe { ArrowArrayStreamReader::from_raw(pointer.as_ptr()) };
    let unreadable = |error| PyValueError::new_err(format!("the table cannot be read: {error}"));
    let reader = reader.map_err(unreadable)?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    Ok((schema, batches))
}

/// A capsule from which a table library takes the batches; they are shared, not copied.
pub fn stream(py: Python<'_>, schema: SchemaRef, batches: Vec<RecordBatch>) -> PyResult<Bound<'_, PyCapsule>> {
    let reader = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(reader));
    PyCapsule::new_with_value(py, stream, STREAM)
}
