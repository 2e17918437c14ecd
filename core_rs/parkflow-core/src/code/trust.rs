//! What a verifier goes by: the issuer keys, and the credentials that it has verified under them.

use super::cache::CredentialCache;
use super::keyset::KeySet;

/// Issuer keys, and a memory of verified credentials where there is one.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The trusted keys.
    pub keys: &'a KeySet,
    /// Saves the issuer's signature of credentials that come again; changes no verdict.
    pub verified: Option<&'a CredentialCache>,
}

impl<'a> From<&'a KeySet> for Trust<'a> {
    fn from(keys: &'a KeySet) -> Self {
        Self { keys, verified: None }
    }
}
