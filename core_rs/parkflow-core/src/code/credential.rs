//! Making: an issuer signs a credential, a phone makes a code of it.

use core::fmt;

use super::layout::{Code, Credential, CredentialFields, CODE_BYTES, LIFETIME_MINUTES_MAX};
use super::reason::Reason;
use crate::ed25519::{public_key, KeyRefusal, Purpose, VerifyingKey, SECRET_BYTES};

/// Why a credential or a code is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueError {
    /// The code key does not pass PF-1.
    BadCodeKey(KeyRefusal),
    /// The lifetime is zero or more than 72 hours.
    BadLifetime,
    /// The credential's bytes cannot be read.
    BadCredential(Reason),
    /// The secret does not belong to the credential's code key.
    ForeignSecret,
}

impl fmt::Display for IssueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCodeKey(refusal) => write!(formatter, "code_key: {refusal}"),
            Self::BadLifetime => write!(formatter, "lifetime_minutes must be from 1 to {LIFETIME_MINUTES_MAX}"),
            Self::BadCredential(reason) => write!(formatter, "the credential cannot be read: {}", reason.name()),
            Self::ForeignSecret => formatter.write_str("the code secret does not belong to the credential's code key"),
        }
    }
}

impl core::error::Error for IssueError {}

/// Signs a credential. This is where the code key is checked, once: gates rely on it.
pub fn issue_credential(
    issuer_secret: &[u8; SECRET_BYTES],
    fields: &CredentialFields,
) -> Result<Credential, IssueError> {
    VerifyingKey::enrol(&fields.code_key).map_err(IssueError::BadCodeKey)?;
    if fields.lifetime_minutes == 0 || fields.lifetime_minutes > LIFETIME_MINUTES_MAX {
        return Err(IssueError::BadLifetime);
    }
    let signature = Purpose::Credential.sign(issuer_secret, &fields.signed_bytes());
    Ok(Credential {
        fields: *fields,
        signature,
    })
}

/// Makes the code of one moment, as a phone does.
pub fn make_code(
    credential: &[u8],
    code_secret: &[u8; SECRET_BYTES],
    issued_at_s: u32,
    nonce: u16,
) -> Result<Code, IssueError> {
    let read = Credential::decode(credential).map_err(IssueError::BadCredential)?;
    if public_key(code_secret) != read.fields.code_key {
        return Err(IssueError::ForeignSecret);
    }
    let mut bytes = Vec::with_capacity(CODE_BYTES);
    bytes.extend(credential);
    bytes.extend(issued_at_s.to_be_bytes());
    bytes.extend(nonce.to_be_bytes());
    bytes.extend(Purpose::Code.sign(code_secret, &bytes));
    Code::decode(&bytes).map_err(IssueError::BadCredential)
}
