//! Who is denied, by a bundle's two lists and its filter.

use std::sync::Arc;

use super::filter::DenyFilter;
use crate::code::{DenyList, SUBJECT_BYTES};

/// What a bundle says of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// Not denied.
    No,
    /// The filter hits: denied, or one in 256 others. A gate that is online asks before it refuses.
    Likely,
    /// On the exact list.
    Certain,
}

/// The deny list of one bundle; 16 bytes for each exact entry, nine bits for each one of the filter.
#[derive(Debug, Clone, Default)]
pub struct DenyIndex {
    denied: Box<[[u8; SUBJECT_BYTES]]>,
    cleared: Box<[[u8; SUBJECT_BYTES]]>,
    filter: Option<Arc<DenyFilter>>,
}

impl DenyIndex {
    /// The deny list of a content: its two exact lists, each in rising order, and the filter that it names.
    #[must_use]
    pub fn new(
        denied: Vec<[u8; SUBJECT_BYTES]>,
        cleared: Vec<[u8; SUBJECT_BYTES]>,
        filter: Option<Arc<DenyFilter>>,
    ) -> Self {
        Self {
            denied: denied.into_boxed_slice(),
            cleared: cleared.into_boxed_slice(),
            filter,
        }
    }

    /// The exact entries first, as they are newer than the filter; a subject on both lists is denied.
    #[must_use]
    pub fn denial(&self, subject: &[u8; SUBJECT_BYTES]) -> Denial {
        if self.denied.binary_search(subject).is_ok() {
            return Denial::Certain;
        }
        if self.cleared.binary_search(subject).is_ok() {
            return Denial::No;
        }
        if self.filter.as_ref().is_some_and(|filter| filter.hits(subject)) {
            return Denial::Likely;
        }
        Denial::No
    }
}

impl DenyList for DenyIndex {
    fn denies(&self, subject: &[u8; SUBJECT_BYTES]) -> bool {
        self.denial(subject) != Denial::No
    }
}
