//! What an upload says: a part of a gate's journal, each scan with its canonical text and its place in the hash chain.

use core::ops::Range;

use sha2::{Digest, Sha256};

use crate::stay::Direction;

/// SHA-256 (FIPS 180-4).
pub type Hash = [u8; 32];

/// The chain's hash before the first scan of an epoch.
pub const CHAIN_BEGIN: Hash = [0; 32];

/// The chain's hash at a scan: SHA-256 of the hash before it and the scan's content hash.
#[must_use]
pub fn chain_sha256(before: &Hash, content_sha256: &Hash) -> Hash {
    Sha256::new_with_prefix(before)
        .chain_update(content_sha256)
        .finalize()
        .into()
}

/// What was shown to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A code.
    Code,
    /// A number plate.
    Plate,
    /// A ticket.
    Ticket,
    /// Nothing: somebody raised the barrier.
    Lift,
}

impl Medium {
    /// Every medium.
    pub const ALL: [Self; 4] = [Self::Code, Self::Plate, Self::Ticket, Self::Lift];

    /// Its name in an upload.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Plate => "plate",
            Self::Ticket => "ticket",
            Self::Lift => "lift",
        }
    }
}

/// A part of a gate's journal as one body told it; only [`super::read_upload`] makes one.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The gate's journal; a new one begins when a gate loses its state.
    pub epoch: i64,
    /// The place of the first scan in the journal.
    pub first_seq: i64,
    /// The version of the bundle that the gate went by.
    pub bundle_version: i64,
    /// The gate's clock when it sent this, unix milliseconds.
    pub gate_at_ms: i64,
    /// When the gate's clock was last set by the server's, unix milliseconds.
    pub last_sync_ms: Option<i64>,
    /// How far the server's clock was ahead of the gate's then, by the gate's own estimate.
    pub offset_ms: i64,
    /// The chain's hash before the first scan, as the gate has it.
    pub prev_hash: Hash,
    pub(super) scans: Vec<Scan>,
    /// The canonical texts of all scans, and behind one what it shows if that is written with escapes.
    pub(super) text: String,
}

impl Upload {
    /// The scans in the order of the journal; at least one.
    #[must_use]
    pub fn scans(&self) -> &[Scan] {
        &self.scans
    }

    /// The place of the last scan in the journal.
    #[must_use]
    pub fn last_seq(&self) -> i64 {
        self.scans.last().map_or(self.first_seq, |scan| scan.seq)
    }

    /// The chain's hash after the last scan.
    #[must_use]
    pub fn last_hash(&self) -> Hash {
        self.scans.last().map_or(self.prev_hash, |scan| scan.chain_sha256)
    }

    /// The time of the oldest scan, unix milliseconds by the gate's clock.
    #[must_use]
    pub fn oldest_at_ms(&self) -> i64 {
        self.scans.iter().map(|scan| scan.at_ms).min().unwrap_or(0)
    }

    /// The time of the newest scan.
    #[must_use]
    pub fn newest_at_ms(&self) -> i64 {
        self.scans.iter().map(|scan| scan.at_ms).max().unwrap_or(0)
    }

    /// The scan in canonical JSON (RFC 8785), of which `content_sha256` is the hash.
    #[must_use]
    pub fn canonical(&self, scan: &Scan) -> &str {
        self.at(&scan.canonical)
    }

    /// The code, the plate or the ticket; nothing for a lift.
    #[must_use]
    pub fn shown(&self, scan: &Scan) -> Option<&str> {
        scan.shown.as_ref().map(|shown| self.at(&shown.text))
    }

    /// What the gate decided.
    #[must_use]
    pub fn verdict(&self, scan: &Scan) -> &str {
        self.at(&scan.verdict)
    }

    /// Who raised the barrier by hand, where the gate tells.
    #[must_use]
    pub fn lifted_by(&self, scan: &Scan) -> Option<&str> {
        scan.lifted_by.as_ref().map(|name| self.at(name))
    }

    pub(super) fn at(&self, place: &Span) -> &str {
        &self.text[place.clone()]
    }
}

/// A place in the text of an upload.
pub(super) type Span = Range<usize>;

/// One passage as the gate saw it; its texts are asked of its [`Upload`].
#[derive(Debug, Clone)]
pub struct Scan {
    /// The place in the journal.
    pub seq: i64,
    /// Unix milliseconds by the gate's clock.
    pub at_ms: i64,
    /// Which way.
    pub direction: Direction,
    /// What was shown.
    pub medium: Medium,
    /// Whether the barrier was opened by hand, whatever the verdict.
    pub manual: bool,
    /// SHA-256 of the canonical text: the same event has the same hash.
    pub content_sha256: Hash,
    /// The chain's hash at this scan.
    pub chain_sha256: Hash,
    pub(super) canonical: Span,
    pub(super) shown: Option<Shown>,
    pub(super) verdict: Span,
    pub(super) lifted_by: Option<Span>,
}

/// Where a code, plate or ticket stands.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// What it says.
    pub(super) text: Span,
    /// Its member in the canonical text, with the comma that follows.
    pub(super) member: Span,
}
