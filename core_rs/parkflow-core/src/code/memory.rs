//! What a verifier remembers: who is denied, and which codes were let through.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;

use super::layout::Code;
use super::subject::SUBJECT_BYTES;

/// Says who is not let in.
pub trait DenyList {
    /// Whether this sealed subject is denied.
    fn denies(&self, subject: &[u8; SUBJECT_BYTES]) -> bool;
}

/// A deny list for checks that have none, such as the server's re-check of scans.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingDenied;

impl DenyList for NothingDenied {
    fn denies(&self, _subject: &[u8; SUBJECT_BYTES]) -> bool {
        false
    }
}

impl<S: BuildHasher> DenyList for HashSet<[u8; SUBJECT_BYTES], S> {
    fn denies(&self, subject: &[u8; SUBJECT_BYTES]) -> bool {
        self.contains(subject)
    }
}

/// Remembers codes that were let through. Only accepted codes are written, so that a stranger's QR cannot fill it
/// and a refused code can still be shown again.
pub trait ReplayMemory {
    /// Whether this code was let through before.
    fn remembers(&self, code_id: &[u8; 16]) -> bool;

    /// The same of a code whose identity need not be known for that.
    fn remembers_code(&self, code: &Code) -> bool {
        self.remembers(&code.code_id())
    }

    /// Writes an accepted code; it can be forgotten when no clock would take it any more.
    fn remember(&mut self, code_id: [u8; 16], useless_after_s: i64);
}

/// A replay memory for checks that have none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingSeen;

impl ReplayMemory for NothingSeen {
    fn remembers(&self, _code_id: &[u8; 16]) -> bool {
        false
    }

    fn remembers_code(&self, _code: &Code) -> bool {
        false
    }

    fn remember(&mut self, _code_id: [u8; 16], _useless_after_s: i64) {}
}

/// A replay memory of bounded size.
///
/// Nothing is forgotten because of the clock, which may jump ahead and back; only when it is full does it forget the
/// code that becomes useless first.
#[derive(Debug, Clone)]
pub struct ReplayCache {
    capacity: usize,
    useless_after_s: HashMap<[u8; 16], i64>,
    by_end: BTreeSet<(i64, [u8; 16])>,
}

impl ReplayCache {
    /// An empty memory for at most `capacity` codes, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            useless_after_s: HashMap::new(),
            by_end: BTreeSet::new(),
        }
    }

    /// How many codes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_end.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_end.is_empty()
    }

    /// How many codes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl ReplayMemory for ReplayCache {
    fn remembers(&self, code_id: &[u8; 16]) -> bool {
        self.useless_after_s.contains_key(code_id)
    }

    fn remember(&mut self, code_id: [u8; 16], useless_after_s: i64) {
        if let Some(earlier_s) = self.useless_after_s.insert(code_id, useless_after_s) {
            self.by_end.remove(&(earlier_s, code_id));
        }
        self.by_end.insert((useless_after_s, code_id));
        while self.by_end.len() > self.capacity {
            if let Some((_, forgotten)) = self.by_end.pop_first() {
                self.useless_after_s.remove(&forgotten);
            }
        }
    }
}
