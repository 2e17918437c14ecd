//! Domain separation: a signature made for one kind of message is worth nothing for another.

use super::equation::verify;
use super::key::VerifyingKey;
use super::sign::sign;
use super::{SECRET_BYTES, SIGNATURE_BYTES};

/// What a signed message is. Its prefix goes before the message when signing and is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Issuer to gate: this code key may make codes for this card.
    Credential,
    /// Phone to gate: the code on the screen.
    Code,
    /// Gate to server: scans.
    Batch,
    /// Server to gate: issuer keys, deny list, settings.
    Bundle,
    /// Operator to driver: the QR code on a lot's sign.
    LotQr,
    /// Phone to server: proof that it holds the device key that it enrols.
    Enrol,
    /// Phone to server: the enrolled device asks for a credential for a new code key.
    CredentialRequest,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 7] = [
        Self::Credential,
        Self::Code,
        Self::Batch,
        Self::Bundle,
        Self::LotQr,
        Self::Enrol,
        Self::CredentialRequest,
    ];

    /// What is signed before the message. The zero byte ends it, so that no prefix begins another.
    #[must_use]
    pub fn prefix(self) -> &'static [u8] {
        match self {
            Self::Credential => b"parkflow/credential/1\0",
            Self::Code => b"parkflow/code/1\0",
            Self::Batch => b"parkflow/batch/1\0",
            Self::Bundle => b"parkflow/bundle/1\0",
            Self::LotQr => b"parkflow/lotqr/1\0",
            Self::Enrol => b"parkflow/enrol/1\0",
            Self::CredentialRequest => b"parkflow/credential-request/1\0",
        }
    }

    /// The name with its version, such as `bundle/1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential/1",
            Self::Code => "code/1",
            Self::Batch => "batch/1",
            Self::Bundle => "bundle/1",
            Self::LotQr => "lotqr/1",
            Self::Enrol => "enrol/1",
            Self::CredentialRequest => "credential-request/1",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// Signs a message for this purpose.
    #[must_use]
    pub fn sign(self, secret: &[u8; SECRET_BYTES], message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        sign(secret, &[self.prefix(), message].concat())
    }

    /// Whether the signature was made for this purpose and message by the key's holder.
    #[must_use]
    pub fn verify(self, key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
        verify(key, &[self.prefix(), message], signature)
    }
}

#[cfg(test)]
mod tests {
    use super::Purpose;

    #[test]
    fn the_prefix_is_the_name_in_parkflows_room_and_no_prefix_begins_another() {
        for purpose in Purpose::ALL {
            assert_eq!(purpose.prefix(), format!("parkflow/{}\0", purpose.name()).as_bytes());
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
            let begun = Purpose::ALL
                .iter()
                .filter(|other| other.prefix().starts_with(purpose.prefix()));
            assert_eq!(begun.count(), 1);
        }
    }
}
