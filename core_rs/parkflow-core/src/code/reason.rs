//! Why a code is refused: stable numbers and names, in the order in which a code is checked.

/// What a check found; the number is what is stored and sent, and the lowest that applies is the one given.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Let through.
    Accepted = 0,
    /// The text is longer than any code.
    TooLong = 1,
    /// Not a code of parkflow.
    BadPrefix = 2,
    /// Not the Base45 of any bytes.
    BadBase45 = 3,
    /// Not the length of a code.
    BadLength = 4,
    /// A version that this verifier does not know.
    BadVersion = 5,
    /// The key set has no such issuer key.
    UnknownKid = 6,
    /// The moment is after the issuer key's window.
    KidExpired = 7,
    /// The moment is before the credential's or the issuer key's window.
    NotYetValid = 8,
    /// The moment is after the credential's window.
    CredentialExpired = 9,
    /// The code is older than the policy allows: a screenshot.
    CodeStale = 10,
    /// The code is from the future by more than the clocks may differ.
    CodeFromFuture = 11,
    /// The subject is on the deny list.
    Denied = 12,
    /// This very code was let through before.
    Replayed = 13,
    /// The code is for something else.
    WrongProduct = 14,
    /// The fee is more than the credential lets out unpaid.
    OverCeiling = 15,
    /// The issuer did not sign this credential.
    BadIssuerSignature = 16,
    /// The credential's code key did not sign this code.
    BadCodeSignature = 17,
}

impl Reason {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 18] = [
        Self::Accepted,
        Self::TooLong,
        Self::BadPrefix,
        Self::BadBase45,
        Self::BadLength,
        Self::BadVersion,
        Self::UnknownKid,
        Self::KidExpired,
        Self::NotYetValid,
        Self::CredentialExpired,
        Self::CodeStale,
        Self::CodeFromFuture,
        Self::Denied,
        Self::Replayed,
        Self::WrongProduct,
        Self::OverCeiling,
        Self::BadIssuerSignature,
        Self::BadCodeSignature,
    ];

    /// The stable number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::TooLong => "too_long",
            Self::BadPrefix => "bad_prefix",
            Self::BadBase45 => "bad_base45",
            Self::BadLength => "bad_length",
            Self::BadVersion => "bad_version",
            Self::UnknownKid => "unknown_kid",
            Self::KidExpired => "kid_expired",
            Self::NotYetValid => "not_yet_valid",
            Self::CredentialExpired => "credential_expired",
            Self::CodeStale => "code_stale",
            Self::CodeFromFuture => "code_from_future",
            Self::Denied => "denied",
            Self::Replayed => "replayed",
            Self::WrongProduct => "wrong_product",
            Self::OverCeiling => "over_ceiling",
            Self::BadIssuerSignature => "bad_issuer_signature",
            Self::BadCodeSignature => "bad_code_signature",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn numbers_count_up_from_zero_in_the_order_of_checking() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason.number()), number);
        }
    }
}
