//! Why a bundle is not taken.

use core::fmt;

/// A reason with a stable number and name, in the order of checking.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BundleRefusal {
    /// Longer than any bundle.
    TooLong = 1,
    /// The operator's root key did not sign it.
    BadSignature = 2,
    /// A format that this verifier does not know.
    BadFormat = 3,
    /// Not the bytes of any content.
    Malformed = 4,
    /// An issuer key does not pass PF-1 or has an empty window.
    BadKey = 5,
    /// Its version is not above the one that the gate has.
    NotNewer = 6,
    /// It has expired.
    Expired = 7,
    /// It does not know the gate's lot or lane.
    UnknownLane = 8,
    /// It goes with a filter that the gate does not have yet.
    FilterMissing = 9,
    /// The bytes given as its filter are not the ones that it names, or no filter.
    BadFilter = 10,
    /// It could not be written to the gate's disk, and what is not on the disk is not used.
    NotStored = 11,
}

impl BundleRefusal {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 11] = [
        Self::TooLong,
        Self::BadSignature,
        Self::BadFormat,
        Self::Malformed,
        Self::BadKey,
        Self::NotNewer,
        Self::Expired,
        Self::UnknownLane,
        Self::FilterMissing,
        Self::BadFilter,
        Self::NotStored,
    ];

    /// The stable number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::BadSignature => "bad_signature",
            Self::BadFormat => "bad_format",
            Self::Malformed => "malformed",
            Self::BadKey => "bad_key",
            Self::NotNewer => "not_newer",
            Self::Expired => "expired",
            Self::UnknownLane => "unknown_lane",
            Self::FilterMissing => "filter_missing",
            Self::BadFilter => "bad_filter",
            Self::NotStored => "not_stored",
        }
    }
}

impl fmt::Display for BundleRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl core::error::Error for BundleRefusal {}
