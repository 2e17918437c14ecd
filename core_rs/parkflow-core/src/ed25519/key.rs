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

/// The y of the eight points of small order, little-endian: 0, 1, -1, and those of the four points of order 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    low_and_high(0x01, 0x00, 0x00),
    low_and_high(0xec, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn low_and_high(low: u8, middle: u8, high: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = low;
    bytes[31] = high;
    bytes
}

/// Whether a canonical encoding is that of a point of small order, whatever its sign; cheaper than decoding it.
pub(super) fn is_small_order(bytes: &[u8; 32]) -> bool {
    let mut y = *bytes;
    y[31] &= 0x7f;
    SMALL_ORDER_Y.contains(&y)
}

/// Whether the 255-bit little-endian number is below p = 2^255 - 19.
fn is_below_field_prime(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    *lowest < 0xed || *highest & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;

    use super::{is_small_order, SMALL_ORDER_Y};

    #[test]
    fn the_points_of_small_order_are_known_by_their_encodings() {
        let mut found = [false; SMALL_ORDER_Y.len()];
        for point in EIGHT_TORSION {
            let bytes = point.compress().to_bytes();
            assert!(is_small_order(&bytes));
            let mut y = bytes;
            y[31] &= 0x7f;
            for (place, known) in SMALL_ORDER_Y.iter().enumerate() {
                found[place] |= *known == y;
            }
        }
        assert_eq!(found, [true; SMALL_ORDER_Y.len()]);
        assert!(!is_small_order(&[2; 32]));
    }
}
