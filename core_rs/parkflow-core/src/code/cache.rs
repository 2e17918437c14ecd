//! Credentials whose issuer signature was verified before: their next code needs one signature instead of two.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::keyset::IssuerKey;
use super::layout::Code;
use crate::ed25519::VerifyingKey;
use crate::recent::Recent;

/// Names a credential under an issuer key, by every byte of both.
///
/// The issuer key is part of it, so that another key under the same kid finds nothing; and so is the issuer's
/// signature, so that a verdict never depends on what was verified before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialDigest([u8; 32]);

impl CredentialDigest {
    /// SHA-256 (FIPS 180-4) over the issuer's public key and the credential's bytes.
    #[must_use]
    pub fn new(code: &Code, issuer: &IssuerKey) -> Self {
        let hash = Sha256::new_with_prefix(issuer.public_key.bytes()).chain_update(code.credential_bytes());
        Self(hash.finalize().into())
    }
}

/// A bounded memory of verified credentials with their decoded code keys; may be shared by threads.
#[derive(Debug)]
pub struct CredentialCache {
    code_keys: Mutex<Recent<CredentialDigest, VerifyingKey>>,
}

impl CredentialCache {
    /// An empty memory for at most `capacity` credentials, at least two; one takes about 300 bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            code_keys: Mutex::new(Recent::new(capacity)),
        }
    }

    /// How many credentials it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The code key of a credential that was verified before.
    #[must_use]
    pub fn code_key(&self, digest: &CredentialDigest) -> Option<VerifyingKey> {
        self.lock().get(digest)
    }

    /// Keeps a credential whose issuer signature holds.
    pub fn keep(&self, digest: CredentialDigest, code_key: VerifyingKey) {
        self.lock().put(digest, code_key);
    }

    /// A lock poisoned by a panic is taken all the same: the memory is usable at every step.
    fn lock(&self) -> MutexGuard<'_, Recent<CredentialDigest, VerifyingKey>> {
        self.code_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
