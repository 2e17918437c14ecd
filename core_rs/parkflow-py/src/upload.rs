//! Binding of `parkflow_core::upload`: bodies in, uploads and columns of judged scans out.

mod columns;
mod judged;
mod post;

use core::num::NonZeroUsize;

use parkflow_core::upload::{self, Scan};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::code::{all_cores, CredentialCache};
use crate::ed25519::fill_from_os;
use crate::errors::{coded_error, coded_error_type};
use columns::Columns;
use judged::Judged;
use post::{SubjectKeys, UploadPost};

pyo3::create_exception!(_core, UploadError, PyValueError);

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("UploadError", coded_error_type::<UploadError>(module.py())?)?;
    module.add_function(wrap_pyfunction!(read_upload, module)?)?;
    module.add_function(wrap_pyfunction!(judge_uploads, module)?)?;
    module.add_class::<Upload>()?;
    module.add_class::<SubjectKeys>()?;
    module.add_class::<UploadPost>()?;
    module.add_class::<Judged>()?;
    Ok(())
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct Upload {
    core: upload::Upload,
    oldest_at_ms: i64,
    newest_at_ms: i64,
}

impl Upload {
    fn hashes<'py>(&self, py: Python<'py>, hash: impl Fn(&Scan) -> &upload::Hash) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.core.scans().iter().map(|scan| PyBytes::new(py, hash(scan))))
    }
}

#[pymethods]
impl Upload {
    #[getter]
    fn epoch(&self) -> i64 {
        self.core.epoch
    }

    #[getter]
    fn first_seq(&self) -> i64 {
        self.core.first_seq
    }

    #[getter]
    fn last_seq(&self) -> i64 {
        self.core.last_seq()
    }

    #[getter]
    fn count(&self) -> usize {
        self.core.scans().len()
    }

    #[getter]
    fn prev_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.core.prev_hash)
    }

    #[getter]
    fn last_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.core.last_hash())
    }

    #[getter]
    fn bundle_version(&self) -> i64 {
        self.core.bundle_version
    }

    #[getter]
    fn gate_at_ms(&self) -> i64 {
        self.core.gate_at_ms
    }

    #[getter]
    fn last_sync_ms(&self) -> Option<i64> {
        self.core.last_sync_ms
    }

    #[getter]
    fn offset_ms(&self) -> i64 {
        self.core.offset_ms
    }

    #[getter]
    fn oldest_at_ms(&self) -> i64 {
        self.oldest_at_ms
    }

    #[getter]
    fn newest_at_ms(&self) -> i64 {
        self.newest_at_ms
    }

    #[getter]
    fn content_sha256<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.hashes(py, |scan| &scan.content_sha256)
    }

    #[getter]
    fn chain_sha256<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.hashes(py, |scan| &scan.chain_sha256)
    }

    fn __repr__(&self) -> String {
        format!(
            "Upload(epoch={}, first_seq={}, count={})",
            self.core.epoch,
            self.core.first_seq,
            self.core.scans().len()
        )
    }
}

/// What a body says; a refusal raises `UploadError` with its code.
#[pyfunction]
#[pyo3(signature = (body, *, scans_max))]
fn read_upload(py: Python<'_>, body: &[u8], scans_max: usize) -> PyResult<Upload> {
    let read = py.detach(|| {
        upload::read_upload(body, scans_max).map(|core| Upload {
            oldest_at_ms: core.oldest_at_ms(),
            newest_at_ms: core.newest_at_ms(),
            core,
        })
    });
    read.map_err(|error| coded_error::<UploadError>(py, error.refusal.name(), &error.place, error.message))
}

#[pyfunction]
#[pyo3(signature = (uploads, *, now_ms, cache = None, threads = None))]
fn judge_uploads(
    py: Python<'_>,
    uploads: Vec<(Py<Upload>, Py<UploadPost>)>,
    now_ms: i64,
    cache: Option<&CredentialCache>,
    threads: Option<NonZeroUsize>,
) -> PyResult<Judged> {
    let verified = cache.map(|cache| &cache.0);
    let threads = threads.unwrap_or_else(all_cores);
    let (judgement, columns) = py.detach(|| {
        let posted: Vec<_> = uploads
            .iter()
            .map(|(upload, post)| (&upload.get().core, post.get().core()))
            .collect();
        let judgement = upload::judge_uploads(&posted, now_ms, verified, threads, &mut fill_from_os);
        let columns = Columns::new(&judgement, uploads.len());
        (judgement, columns)
    });
    Judged::new(py, &judgement, columns)
}
