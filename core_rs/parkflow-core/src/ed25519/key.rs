//! Public keys: what PF-1 asks of one, and the two ways to come by one.

use core::fmt;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::IsIdentity;

/// Length of an encoded public key (RFC 8032, 5.1.2).
pub const KEY_BYTES: usize = 32;

/// Why PF-1 does not take a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Not 32 bytes.
    WrongLength,
    /// The encoded y is not below the field prime: the same point has another encoding.
    NotCanonical,
    /// No point of the curve has this y.
    NotOnCurve,
    /// The identity, or a point with a part of small order: such a key lets verifiers disagree.
    NotTorsionFree,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WrongLength => "an Ed25519 public key has 32 bytes",
            Self::NotCanonical => "the public key is not in its canonical encoding",
            Self::NotOnCurve => "the public key is not a point of the curve",
            Self::NotTorsionFree => "the public key is not a point of the prime-order group",
        })
    }
}

impl core::error::Error for KeyRefusal {}

/// A public key with its point at hand; made only by the two checks below.
#[derive(Debug, Clone, Copy)]
pub struct VerifyingKey {
    bytes: [u8; KEY_BYTES],
    point: EdwardsPoint,
}

impl VerifyingKey {
    /// The whole key check of PF-1, for keys that nobody has vouched for yet: enrolment, issuer keys, raw checks.
    ///
    /// Costs about as much as a verification, which is why codes do not repeat it: see [`Self::certified`].
    pub fn enrol(bytes: &[u8]) -> Result<Self, KeyRefusal> {
        let bytes = bytes.try_into().map_err(|_| KeyRefusal::WrongLength)?;
        let key = Self::certified(bytes)?;
        if key.point.is_identity() || !key.point.is_torsion_free() {
            return Err(KeyRefusal::NotTorsionFree);
        }
        Ok(key)
    }

    /// A key that was checked by [`Self::enrol`] before a signature vouched for it: encoding and curve only.
    ///
    /// Even for a key that slipped through unchecked, single and batch agree, as both multiply by the cofactor.
    pub fn certified(bytes: [u8; KEY_BYTES]) -> Result<Self, KeyRefusal> {
        let point = decode_point(bytes)?;
        Ok(Self { bytes, point })
    }

    /// The encoding that went in.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    pub(super) fn point(&self) -> &EdwardsPoint {
        &self.point
    }
}

/// Decodes a point and refuses a y that is not below the field prime.
///
/// The other non-canonical form, x = 0 with the sign bit set, belongs to two points of order 1 and 2, which PF-1
/// refuses both as A and as R, so that it needs no look here.
pub(super) fn decode_point(bytes: [u8; 32]) -> Result<EdwardsPoint, KeyRefusal> {
    if !is_below_field_prime(&bytes) {
        return Err(KeyRefusal::NotCanonical);
    }
    CompressedEdwardsY(bytes).decompress().ok_or(KeyRefusal::NotOnCurve)
}

/// Whether the 255-bit little-endian number is below p = 2^255 - 19.
fn is_below_field_prime(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    *lowest < 0xed || *highest & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}
