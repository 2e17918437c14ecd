//! The issuer keys that a verifier trusts, each with what it may be used for.

use core::fmt;
use std::collections::HashMap;

use crate::ed25519::{KeyRefusal, VerifyingKey};

/// How a key signs: a property of the kid, never a field of a code, so that nothing is ever negotiated.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032) under rule PF-1.
    Ed25519 = 1,
}

impl Algorithm {
    /// The stable number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        (number == Self::Ed25519.number()).then_some(Self::Ed25519)
    }
}

/// An issuer key. Its algorithm is [`Algorithm::Ed25519`]; another one would be another kind of key here.
#[derive(Debug, Clone, Copy)]
pub struct IssuerKey {
    /// Its number in credentials.
    pub kid: u32,
    /// The checked public key.
    pub public_key: VerifyingKey,
    /// Operator, or group of operators, whose cards it stands for.
    pub operator_id: i64,
    /// The only product it may sign for; `None` = any.
    pub product: Option<u8>,
    /// First second at which codes under it are good, unix time.
    pub not_before_s: i64,
    /// First second at which they no longer are, unix time.
    pub not_after_s: i64,
}

/// Why a key set is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySetError {
    /// A public key does not pass PF-1.
    BadKey {
        /// Whose.
        kid: u32,
        /// What is wrong with it.
        refusal: KeyRefusal,
    },
    /// The window is empty.
    EmptyWindow {
        /// Whose.
        kid: u32,
    },
    /// Two keys have the same kid.
    DoubleKid {
        /// Which.
        kid: u32,
    },
}

impl fmt::Display for KeySetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadKey { kid, refusal } => write!(formatter, "issuer key {kid}: {refusal}"),
            Self::EmptyWindow { kid } => write!(formatter, "issuer key {kid}: not_after_s must be after not_before_s"),
            Self::DoubleKid { kid } => write!(formatter, "issuer key {kid} is there twice; a kid names one key"),
        }
    }
}

impl core::error::Error for KeySetError {}

impl IssuerKey {
    /// Checks and decodes the public key, once for all codes.
    pub fn new(
        kid: u32,
        public_key: &[u8],
        operator_id: i64,
        product: Option<u8>,
        window_s: core::ops::Range<i64>,
    ) -> Result<Self, KeySetError> {
        let public_key = VerifyingKey::enrol(public_key).map_err(|refusal| KeySetError::BadKey { kid, refusal })?;
        if window_s.is_empty() {
            return Err(KeySetError::EmptyWindow { kid });
        }
        Ok(Self {
            kid,
            public_key,
            operator_id,
            product,
            not_before_s: window_s.start,
            not_after_s: window_s.end,
        })
    }
}

/// Issuer keys by kid.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: HashMap<u32, IssuerKey>,
}

impl KeySet {
    /// A set of keys, no two with the same kid.
    pub fn new(keys: impl IntoIterator<Item = IssuerKey>) -> Result<Self, KeySetError> {
        let mut set = Self::default();
        for key in keys {
            if set.keys.insert(key.kid, key).is_some() {
                return Err(KeySetError::DoubleKid { kid: key.kid });
            }
        }
        Ok(set)
    }

    /// The key of this number.
    #[must_use]
    pub fn get(&self, kid: u32) -> Option<&IssuerKey> {
        self.keys.get(&kid)
    }

    /// All numbers, in rising order.
    #[must_use]
    pub fn kids(&self) -> Vec<u32> {
        let mut kids: Vec<u32> = self.keys.keys().copied().collect();
        kids.sort_unstable();
        kids
    }
}
