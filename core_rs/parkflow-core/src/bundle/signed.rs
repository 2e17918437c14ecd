//! The signed form: a bundle's content, then the root key's signature over it.

use super::content::BundleContent;
use super::encode::ContentError;
use super::refusal::BundleRefusal;
use crate::ed25519::{Purpose, VerifyingKey, SECRET_BYTES, SIGNATURE_BYTES};

/// No bundle is longer; the deny filter is not in it.
pub const BUNDLE_BYTES_MAX: usize = 4 << 20;

/// Signs content, which must be sorted: content bytes, then 64 bytes of signature for the purpose `bundle/1`.
pub fn seal_bundle(root_secret: &[u8; SECRET_BYTES], content: &BundleContent) -> Result<Vec<u8>, ContentError> {
    let mut bytes = content.encode()?;
    if bytes.len().saturating_add(SIGNATURE_BYTES) > BUNDLE_BYTES_MAX {
        return Err(ContentError("the content"));
    }
    bytes.extend(Purpose::Bundle.sign(root_secret, &bytes));
    Ok(bytes)
}

/// Reads a bundle that the root key has signed. Nothing is read before the signature is found good.
pub fn open_bundle(root_key: &VerifyingKey, bytes: &[u8]) -> Result<BundleContent, BundleRefusal> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(BundleRefusal::TooLong);
    }
    let (content, signature) = bytes
        .split_last_chunk::<SIGNATURE_BYTES>()
        .ok_or(BundleRefusal::Malformed)?;
    if !Purpose::Bundle.verify(root_key, content, signature) {
        return Err(BundleRefusal::BadSignature);
    }
    BundleContent::decode(content)
}
