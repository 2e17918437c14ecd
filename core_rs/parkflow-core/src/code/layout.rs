//! The bytes of a credential and of a code: fixed layout, big-endian, no optional fields, nothing after the end.

use sha2::{Digest, Sha256};

use super::reason::Reason;
use super::subject::SUBJECT_BYTES;
use crate::ed25519::{Purpose, KEY_BYTES, SIGNATURE_BYTES};

/// The only version there is.
pub const VERSION: u8 = 1;

/// Length of an encoded credential, signature included.
pub const CREDENTIAL_BYTES: usize = 126;

/// Length of the part of a credential that the issuer signs.
const CREDENTIAL_SIGNED_BYTES: usize = CREDENTIAL_BYTES - SIGNATURE_BYTES;

/// Length of an encoded code: credential and proof.
pub const CODE_BYTES: usize = 196;

/// Length of the part of a code that the phone signs: credential, moment and nonce.
const CODE_SIGNED_BYTES: usize = CODE_BYTES - SIGNATURE_BYTES;

/// Longest life of a credential: 72 hours. A longer one counts as expired.
pub const LIFETIME_MINUTES_MAX: u16 = 72 * 60;

const SECONDS_PER_MINUTE: i64 = 60;

/// What an issuer says in a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialFields {
    /// Issuer key; algorithm, operator, product and validity window are properties of the key, not of the message.
    pub kid: u32,
    /// Sealed card reference: only the server can open it.
    pub subject: [u8; SUBJECT_BYTES],
    /// Public key that the phone made for this credential alone, so that nothing in a code links two days.
    pub code_key: [u8; KEY_BYTES],
    /// First second of validity, unix time.
    pub not_before_s: u32,
    /// Minutes of validity from then on, at most [`LIFETIME_MINUTES_MAX`].
    pub lifetime_minutes: u16,
    /// What the code is for.
    pub product: u8,
    /// Largest fee that a gate may let out unpaid, in whole currency units; 0 = no limit.
    pub ceiling: u16,
}

impl CredentialFields {
    /// The bytes that the issuer signs, behind the prefix of [`Purpose::Credential`].
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CODE_BYTES);
        bytes.push(VERSION);
        bytes.extend(self.kid.to_be_bytes());
        bytes.extend(self.subject);
        bytes.extend(self.code_key);
        bytes.extend(self.not_before_s.to_be_bytes());
        bytes.extend(self.lifetime_minutes.to_be_bytes());
        bytes.push(self.product);
        bytes.extend(self.ceiling.to_be_bytes());
        bytes
    }

    /// First second after the validity, unix time; that of the beginning if the lifetime is longer than allowed.
    #[must_use]
    pub fn not_after_s(&self) -> i64 {
        let begin_s = i64::from(self.not_before_s);
        if self.lifetime_minutes > LIFETIME_MINUTES_MAX {
            return begin_s;
        }
        begin_s.saturating_add(i64::from(self.lifetime_minutes).saturating_mul(SECONDS_PER_MINUTE))
    }
}

/// A credential as it came: its signature is not checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// What the issuer says.
    pub fields: CredentialFields,
    /// Issuer's signature over it.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Credential {
    /// Reads a credential: refuses another length and another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() != CREDENTIAL_BYTES {
            return Err(Reason::BadLength);
        }
        let mut reader = Reader(bytes);
        let credential = reader.credential()?;
        reader.end()?;
        Ok(credential)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.fields.signed_bytes();
        bytes.extend(self.signature);
        bytes
    }
}

/// A code as it came: its signatures are not checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Who may make codes.
    pub credential: Credential,
    /// The moment at which the phone made the code, unix seconds.
    pub issued_at_s: u32,
    /// Tells two codes of one second apart.
    pub nonce: u16,
    /// Phone's signature over credential, moment and nonce.
    pub signature: [u8; SIGNATURE_BYTES],
    /// The bytes that this was read from or is written as.
    bytes: [u8; CODE_BYTES],
}

impl Code {
    /// Reads a code: refuses another length and another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        let bytes: &[u8; CODE_BYTES] = bytes.try_into().map_err(|_| Reason::BadLength)?;
        let mut reader = Reader(bytes);
        let code = Self {
            credential: reader.credential()?,
            issued_at_s: u32::from_be_bytes(reader.take()?),
            nonce: u16::from_be_bytes(reader.take()?),
            signature: reader.take()?,
            bytes: *bytes,
        };
        reader.end()?;
        Ok(code)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> &[u8; CODE_BYTES] {
        &self.bytes
    }

    /// The credential's bytes, issuer signature included.
    #[must_use]
    pub fn credential_bytes(&self) -> &[u8] {
        &self.bytes[..CREDENTIAL_BYTES]
    }

    /// What the issuer signed, without the prefix.
    #[must_use]
    pub fn credential_signed_bytes(&self) -> &[u8] {
        &self.bytes[..CREDENTIAL_SIGNED_BYTES]
    }

    /// What the phone signed, without the prefix.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.bytes[..CODE_SIGNED_BYTES]
    }

    /// The replay key: first 16 bytes of SHA-256(code prefix ‖ code key ‖ issued at ‖ nonce).
    ///
    /// Signatures are left out on purpose: some phones sign with randomness, so one code may bear several.
    #[must_use]
    pub fn code_id(&self) -> [u8; 16] {
        let hash = Sha256::new_with_prefix(Purpose::Code.prefix())
            .chain_update(self.credential.fields.code_key)
            .chain_update(self.issued_at_s.to_be_bytes())
            .chain_update(self.nonce.to_be_bytes())
            .finalize();
        let mut code_id = [0; 16];
        code_id.copy_from_slice(&hash[..16]);
        code_id
    }
}

/// Reads fields from the front of what is left.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Reason> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Reason::BadLength)?;
        self.0 = rest;
        Ok(*field)
    }

    fn credential(&mut self) -> Result<Credential, Reason> {
        if self.take()? != [VERSION] {
            return Err(Reason::BadVersion);
        }
        let fields = CredentialFields {
            kid: u32::from_be_bytes(self.take()?),
            subject: self.take()?,
            code_key: self.take()?,
            not_before_s: u32::from_be_bytes(self.take()?),
            lifetime_minutes: u16::from_be_bytes(self.take()?),
            product: u8::from_be_bytes(self.take()?),
            ceiling: u16::from_be_bytes(self.take()?),
        };
        Ok(Credential {
            fields,
            signature: self.take()?,
        })
    }

    fn end(&self) -> Result<(), Reason> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Reason::BadLength)
        }
    }
}
