//! Credentials whose issuer signature was verified before: their next code needs one signature instead of two.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::keyset::IssuerKey;
use super::layout::Code;
use crate::ed25519::VerifyingKey;

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
///
/// Two generations stand in for an exact order of use: when the young one is full it becomes the old one, and what is
/// in the old one and asked for moves over. So whatever was used among the last `capacity / 2` is still there.
#[derive(Debug)]
pub struct CredentialCache {
    generation_max: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<CredentialDigest, VerifyingKey>,
    old: HashMap<CredentialDigest, VerifyingKey>,
}

impl CredentialCache {
    /// An empty memory for at most `capacity` credentials, at least two; one takes about 300 bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            generation_max: (capacity / 2).max(1),
            generations: Mutex::default(),
        }
    }

    /// How many credentials it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        let generations = self.lock();
        generations.young.len().saturating_add(generations.old.len())
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The code key of a credential that was verified before.
    #[must_use]
    pub fn code_key(&self, digest: &CredentialDigest) -> Option<VerifyingKey> {
        let mut generations = self.lock();
        if let Some(key) = generations.young.get(digest) {
            return Some(*key);
        }
        let key = generations.old.remove(digest)?;
        self.put(&mut generations, *digest, key);
        Some(key)
    }

    /// Keeps a credential whose issuer signature holds.
    pub fn keep(&self, digest: CredentialDigest, code_key: VerifyingKey) {
        self.put(&mut self.lock(), digest, code_key);
    }

    fn put(&self, generations: &mut Generations, digest: CredentialDigest, code_key: VerifyingKey) {
        if generations.young.len() >= self.generation_max {
            generations.old = core::mem::take(&mut generations.young);
        }
        generations.old.remove(&digest);
        generations.young.insert(digest, code_key);
    }

    /// A lock poisoned by a panic is taken all the same: each step leaves both generations usable.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
