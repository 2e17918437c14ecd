//! The text that the QR holds: a prefix, then the bytes in Base45.

use super::base45;
use super::layout::Code;
use super::reason::Reason;

/// What every code begins with; its digit is the version of the text form.
pub const PREFIX: &str = "PF1:";

/// Length of a code's text: 4 of prefix and 294 of Base45. All of it is in the QR alphanumeric alphabet.
pub const CODE_CHARS: usize = 298;

/// Longer texts are refused unread, which bounds the work that a stranger's QR can cause.
pub const TEXT_BYTES_MAX: usize = 400;

/// The text of a code.
#[must_use]
pub fn encode_code(code: &Code) -> String {
    let mut text = String::with_capacity(CODE_CHARS);
    text.push_str(PREFIX);
    text.push_str(&base45::encode(code.encode()));
    text
}

/// Reads a text; takes any bytes, as a scanner delivers what it saw.
pub fn decode_code(text: &[u8]) -> Result<Code, Reason> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Reason::TooLong);
    }
    let encoded = text.strip_prefix(PREFIX.as_bytes()).ok_or(Reason::BadPrefix)?;
    let bytes = base45::decode(encoded).map_err(|_| Reason::BadBase45)?;
    Code::decode(&bytes)
}
