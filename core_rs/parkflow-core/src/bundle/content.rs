//! What a bundle says.

use crate::code::{Algorithm, SUBJECT_BYTES};

/// The only format there is.
pub const FORMAT: u8 = 1;

/// A bundle's content. In canonical form every list is in strictly rising order, as each field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleContent {
    /// Whose gates it is for.
    pub operator_id: u64,
    /// Rises by at least one from bundle to bundle of an operator.
    pub version: u64,
    /// When it was signed, unix seconds; a gate whose clock is earlier knows that its clock is behind.
    pub issued_at_s: u64,
    /// First second at which it lets nobody in any more, unix seconds.
    pub expires_at_s: u64,
    /// Issuer keys, by kid.
    pub keys: Vec<KeyRecord>,
    /// The operator's lots, by id.
    pub lots: Vec<Lot>,
    /// The filter over denied subjects, if there is one.
    pub filter: Option<FilterName>,
    /// Subjects denied for certain, in rising order: those that came after the filter was built.
    pub denied: Vec<[u8; SUBJECT_BYTES]>,
    /// Subjects that the filter hits and that are not denied, in rising order.
    pub cleared: Vec<[u8; SUBJECT_BYTES]>,
}

/// An issuer key as it is written; one of an algorithm that a gate does not know is passed over by that gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number in credentials.
    pub kid: u32,
    /// Operator, or group of operators, whose cards it stands for.
    pub operator_id: u64,
    /// The only product it may sign for; 0 = any.
    pub product: u8,
    /// Number of its algorithm; see [`Algorithm`].
    pub algorithm: u8,
    /// First second at which codes under it are good, unix time.
    pub not_before_s: u64,
    /// First second at which they no longer are, unix time.
    pub not_after_s: u64,
    /// The public key, at most 255 bytes; 32 for Ed25519.
    pub public_key: Vec<u8>,
}

impl KeyRecord {
    /// Its algorithm, if it is one that this verifier knows.
    #[must_use]
    pub fn known_algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_number(self.algorithm)
    }
}

/// The settings of one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Which.
    pub lot_id: u64,
    /// The only product that its gates take; 0 = any.
    pub product: u8,
    /// Longest time that a code may be on the screen, seconds.
    pub code_age_max_s: u16,
    /// Largest difference between the clocks of phone and gate, seconds.
    pub skew_s: u16,
    /// What happens to a denied card that wants out.
    pub exit_denied: ExitDenied,
    /// A card that passed may not pass in the same direction again for so many seconds; 0 = it may.
    pub passback_s: u32,
    /// When a good code is flagged or refused because little is known of it, in strictly rising order.
    pub risk: Vec<RiskRule>,
    /// Its lanes, by id.
    pub lanes: Vec<Lane>,
}

/// What an exit gate does with a denied card; a car inside is never trapped.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitDenied {
    /// Let it out and flag it; the passage is charged like any other.
    Accept = 0,
    /// Keep the barrier shut: the driver pays at the lane.
    Pay = 1,
}

/// A rule of the risk budget: from this ceiling, this age of the code and this age of the bundle on, the outcome.
///
/// All rules that match count, and the strictest outcome is taken, so that their order means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RiskRule {
    /// Matches credentials of at least this ceiling, whole currency units; one without a limit is above all; 0 = any.
    pub ceiling_from: u16,
    /// Matches codes at least this old, seconds.
    pub code_age_from_s: u16,
    /// Matches when the bundle was confirmed at least so long ago, seconds.
    pub bundle_age_from_s: u32,
    /// What then happens.
    pub outcome: RiskOutcome,
}

/// What a risk rule asks for, from mild to strict.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskOutcome {
    /// Let through and flag.
    Flag = 1,
    /// Refuse.
    Refuse = 2,
}

/// One way in or out of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub lane_id: u64,
    /// Where it leads.
    pub direction: LaneDirection,
}

/// Where a lane leads.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneDirection {
    /// Into the lot.
    Entry = 1,
    /// Out of the lot.
    Exit = 2,
    /// Both ways.
    Both = 3,
}

/// Which filter a bundle goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterName {
    /// SHA-256 of the filter's bytes.
    pub sha256: [u8; 32],
    /// How many bytes it has.
    pub bytes: u32,
}
