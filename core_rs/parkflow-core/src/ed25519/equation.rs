//! The verification equation of one signature, and the single check.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};

use super::key::{decode_point, is_small_order, VerifyingKey};

/// Length of an encoded signature (RFC 8032, 5.1.6).
pub const SIGNATURE_BYTES: usize = 64;

/// `[8][S]B = [8]R + [8][k]A` with its parts decoded and bounded: what is left to find out is whether it holds.
#[derive(Debug, Clone, Copy)]
pub struct Equation {
    pub(super) key: VerifyingKey,
    pub(super) r: EdwardsPoint,
    pub(super) s: Scalar,
    pub(super) k: Scalar,
}

impl Equation {
    /// The equation of `signature` over the concatenation of `message`'s parts; `None` if PF-1 refuses the encoding.
    #[must_use]
    pub fn new(key: &VerifyingKey, message: &[&[u8]], signature: &[u8]) -> Option<Self> {
        let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
        let (r_bytes, s_bytes) = signature.split_first_chunk::<32>()?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s_bytes.try_into().ok()?))?;
        if is_small_order(r_bytes) {
            return None;
        }
        let r = decode_point(*r_bytes).ok()?;
        let mut hash = Sha512::new_with_prefix(r_bytes);
        hash.update(key.bytes());
        for part in message {
            hash.update(part);
        }
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        Some(Self { key: *key, r, s, k })
    }

    /// Whose signature it is about.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether the equation holds.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "group arithmetic does not overflow")]
    pub fn holds(&self) -> bool {
        let minus_key = -self.key.point();
        let r = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &minus_key, &self.s);
        (r - self.r).mul_by_cofactor().is_identity()
    }
}

/// PF-1 for one signature under a key that was checked before.
#[must_use]
pub fn verify(key: &VerifyingKey, message: &[&[u8]], signature: &[u8]) -> bool {
    Equation::new(key, message, signature).is_some_and(|equation| equation.holds())
}
