//! Signed static QR codes on the signs of lots (`parkflow/lotqr/1`): they say whose sign it is and at which lane.
//!
//! A sign is not secret and never ends; its signature keeps a stranger's sticker from passing for the operator's.
//! Fixed layout, big-endian, no optional fields, nothing after the end:
//!
//! | field | bytes | |
//! |---|---|---|
//! | version | 1 | 1 |
//! | operator id | 8 | signed integer, as in the database; says whose root key to check with |
//! | lot id | 8 | |
//! | lane id | 8 | |
//! | purpose | 1 | 1 entry, 2 prepay, 3 exit |
//! | issued at | 4 | unix seconds |
//! | signature | 64 | Ed25519 (rule PF-1) by the operator's root key over `parkflow/lotqr/1\0` and the above |
//!
//! 94 bytes, written in base32 (RFC 4648, section 6: upper case; no padding): 151 characters of the alphanumeric mode
//! of QR, which need no escape in a web address, so that any phone's camera opens `HTTPS://HOST/L/<token>`.

use data_encoding::BASE32_NOPAD;

use crate::ed25519::{Purpose, VerifyingKey, SECRET_BYTES, SIGNATURE_BYTES};

/// The only version there is.
pub const VERSION: u8 = 1;

/// Length of an encoded lot QR, signature included.
pub const LOT_QR_BYTES: usize = 94;

/// Length of a lot QR's text.
pub const LOT_QR_CHARS: usize = 151;

/// Longer texts are refused unread, which bounds the work that a stranger's text can cause.
pub const TEXT_BYTES_MAX: usize = 200;

/// Why a lot QR is refused: stable numbers and names, in the order in which it is checked.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LotQrRefusal {
    /// The text is longer than any lot QR.
    TooLong = 1,
    /// Not the base32 of any bytes; lower case, padding and unused bits that are set make it another text.
    BadBase32 = 2,
    /// Not the length of a lot QR.
    BadLength = 3,
    /// A version that this reader does not know.
    BadVersion = 4,
    /// No purpose has this number.
    BadPurpose = 5,
    /// The operator's root key did not sign this as a lot QR.
    BadSignature = 6,
}

impl LotQrRefusal {
    /// Every refusal, in order of its number.
    pub const ALL: [Self; 6] = [
        Self::TooLong,
        Self::BadBase32,
        Self::BadLength,
        Self::BadVersion,
        Self::BadPurpose,
        Self::BadSignature,
    ];

    /// The stable number; 0 is left for what is not refused.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::BadBase32 => "bad_base32",
            Self::BadLength => "bad_length",
            Self::BadVersion => "bad_version",
            Self::BadPurpose => "bad_purpose",
            Self::BadSignature => "bad_signature",
        }
    }
}

/// What a driver does at the sign.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LotQrPurpose {
    /// Drive in.
    Entry = 1,
    /// Pay before driving to an exit.
    Prepay = 2,
    /// Drive out.
    Exit = 3,
}

impl LotQrPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Entry, Self::Prepay, Self::Exit];

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Prepay => "prepay",
            Self::Exit => "exit",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.number() == number)
    }
}

/// What an operator says on a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotQrFields {
    /// Whose sign it is, and so whose root key signed it.
    pub operator_id: i64,
    /// The lot.
    pub lot_id: i64,
    /// The lane at which the sign stands.
    pub lane_id: i64,
    /// What it is for.
    pub purpose: LotQrPurpose,
    /// When it was signed, unix seconds.
    pub issued_at_s: u32,
}

impl LotQrFields {
    /// The bytes that the operator signs, behind the prefix of [`Purpose::LotQr`].
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LOT_QR_BYTES);
        bytes.push(VERSION);
        bytes.extend(self.operator_id.to_be_bytes());
        bytes.extend(self.lot_id.to_be_bytes());
        bytes.extend(self.lane_id.to_be_bytes());
        bytes.push(self.purpose.number());
        bytes.extend(self.issued_at_s.to_be_bytes());
        bytes
    }
}

/// A lot QR as it came: its signature is not checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotQr {
    /// What it says.
    pub fields: LotQrFields,
    /// The operator's signature over it.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl LotQr {
    /// Reads the bytes: refuses another length, another version and an unknown purpose.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotQrRefusal> {
        let bytes: &[u8; LOT_QR_BYTES] = bytes.try_into().map_err(|_| LotQrRefusal::BadLength)?;
        let mut reader = Reader(bytes);
        if reader.take()? != [VERSION] {
            return Err(LotQrRefusal::BadVersion);
        }
        let operator_id = i64::from_be_bytes(reader.take()?);
        let lot_id = i64::from_be_bytes(reader.take()?);
        let lane_id = i64::from_be_bytes(reader.take()?);
        let purpose = LotQrPurpose::from_number(u8::from_be_bytes(reader.take()?)).ok_or(LotQrRefusal::BadPurpose)?;
        let issued_at_s = u32::from_be_bytes(reader.take()?);
        let fields = LotQrFields {
            operator_id,
            lot_id,
            lane_id,
            purpose,
            issued_at_s,
        };
        Ok(Self {
            fields,
            signature: reader.take()?,
        })
    }

    /// The bytes that the text stands for.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.fields.signed_bytes();
        bytes.extend(self.signature);
        bytes
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.encode())
    }

    /// Whether the holder of the root key signed this as a lot QR.
    #[must_use]
    pub fn is_signed_by(&self, root_key: &VerifyingKey) -> bool {
        Purpose::LotQr.verify(root_key, &self.fields.signed_bytes(), &self.signature)
    }
}

/// The text of a lot QR, signed with the operator's root secret.
#[must_use]
pub fn sign_lot_qr(root_secret: &[u8; SECRET_BYTES], fields: &LotQrFields) -> String {
    let signature = Purpose::LotQr.sign(root_secret, &fields.signed_bytes());
    LotQr {
        fields: *fields,
        signature,
    }
    .text()
}

/// Reads a text without checking its signature; takes any bytes, as a scanner delivers what it saw.
///
/// Its word is not to be taken for true: it only says which operator's root key to verify it with.
pub fn read_lot_qr(text: &[u8]) -> Result<LotQr, LotQrRefusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(LotQrRefusal::TooLong);
    }
    let bytes = BASE32_NOPAD.decode(text).map_err(|_| LotQrRefusal::BadBase32)?;
    LotQr::decode(&bytes)
}

/// What a lot QR says, if the holder of the root key signed it.
///
/// Whether that key is the one of the operator that it names is for the caller, who looked the key up by it.
pub fn verify_lot_qr(text: &[u8], root_key: &VerifyingKey) -> Result<LotQrFields, LotQrRefusal> {
    let lot_qr = read_lot_qr(text)?;
    if lot_qr.is_signed_by(root_key) {
        Ok(lot_qr.fields)
    } else {
        Err(LotQrRefusal::BadSignature)
    }
}

/// Reads fields from the front of what is left.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], LotQrRefusal> {
        let (field, rest) = self.0.split_first_chunk().ok_or(LotQrRefusal::BadLength)?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::{LotQrPurpose, LotQrRefusal};

    #[test]
    fn numbers_count_up_from_one_in_the_order_of_checking() {
        for (number, refusal) in (1..).zip(LotQrRefusal::ALL) {
            assert_eq!(refusal.number(), number);
        }
    }

    #[test]
    fn purposes_keep_their_numbers_and_are_found_by_name() {
        let numbered = LotQrPurpose::ALL.map(|purpose| (purpose.number(), purpose.name()));
        assert_eq!(numbered, [(1, "entry"), (2, "prepay"), (3, "exit")]);
        for purpose in LotQrPurpose::ALL {
            assert_eq!(LotQrPurpose::from_name(purpose.name()), Some(purpose));
        }
    }
}
