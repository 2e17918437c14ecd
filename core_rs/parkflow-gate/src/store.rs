//! The gate's disk: the bundle in use and the filter that it names, each whole or not there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use parkflow_core::bundle::{FilterName, BUNDLE_BYTES_MAX, FILTER_BYTES_MAX};

/// Two files, `STEM.bundle` and `STEM.SHA256.filter`, replaced in a way that survives a power cut at any moment.
///
/// A draft is written, synced and renamed over the old file, and the folder is synced: what is read back later is the
/// old one or the new one, and once a write has returned, the new one.
#[derive(Debug, Clone)]
pub struct BundleStore {
    folder: PathBuf,
    stem: String,
}

impl BundleStore {
    /// In `folder`, which exists, under names that begin with `stem`.
    #[must_use]
    pub fn new(folder: &Path, stem: &str) -> Self {
        Self {
            folder: folder.to_path_buf(),
            stem: stem.to_owned(),
        }
    }

    /// The bundle that was written last; `None` before the first.
    pub(crate) fn read_bundle(&self) -> io::Result<Option<Vec<u8>>> {
        read_at_most(&self.bundle_path(), BUNDLE_BYTES_MAX)
    }

    /// The filter of that name, if it is there; whether it is the right one is for the caller to check.
    pub(crate) fn read_filter(&self, name: &FilterName) -> io::Result<Option<Vec<u8>>> {
        read_at_most(&self.filter_path(name), FILTER_BYTES_MAX)
    }

    pub(crate) fn write_bundle(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_through(&self.bundle_path(), bytes)
    }

    pub(crate) fn write_filter(&self, name: &FilterName, bytes: &[u8]) -> io::Result<()> {
        self.write_through(&self.filter_path(name), bytes)
    }

    /// Removes the filters of earlier bundles. What cannot be removed only takes room, so failures are passed over.
    pub(crate) fn remove_other_filters(&self, current: Option<&FilterName>) {
        let keep = current.map(|name| self.filter_path(name));
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let prefix = format!("{}.", self.stem);
        for path in entries.flatten().map(|entry| entry.path()) {
            let ours = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".filter"))
                .is_some_and(|hash| hash.len() == 64);
            if ours && keep.as_ref() != Some(&path) {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn bundle_path(&self) -> PathBuf {
        self.folder.join(format!("{}.bundle", self.stem))
    }

    fn filter_path(&self, name: &FilterName) -> PathBuf {
        use core::fmt::Write as _;
        let mut hash = String::with_capacity(64);
        for byte in name.sha256 {
            // Writing to a string does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        self.folder.join(format!("{}.{hash}.filter", self.stem))
    }

    fn write_through(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = self.folder.join(format!("{}.draft", self.stem));
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        // Only this makes the rename itself last; a folder can be opened for that on Unix alone.
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}

fn read_at_most(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // One more than allowed, so that a file that is too long is seen to be.
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(bytes_max);
    let mut bytes = Vec::with_capacity(length.min(bytes_max).saturating_add(1));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
