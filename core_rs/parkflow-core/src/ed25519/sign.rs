//! Signing as RFC 8032 has it: deterministic, so that the same key and message give the same signature.

use ed25519_dalek::{Signer, SigningKey};

use super::{KEY_BYTES, SIGNATURE_BYTES};

/// Length of a secret key: the seed of RFC 8032, 5.1.5.
pub const SECRET_BYTES: usize = 32;

/// The public key of a secret.
#[must_use]
pub fn public_key(secret: &[u8; SECRET_BYTES]) -> [u8; KEY_BYTES] {
    SigningKey::from_bytes(secret).verifying_key().to_bytes()
}

/// Signs the message as it is; messages of the product are signed through [`super::Purpose::sign`].
#[must_use]
pub fn sign(secret: &[u8; SECRET_BYTES], message: &[u8]) -> [u8; SIGNATURE_BYTES] {
    SigningKey::from_bytes(secret).sign(message).to_bytes()
}
