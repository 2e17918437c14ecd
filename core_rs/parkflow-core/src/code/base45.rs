//! Strict Base45 (RFC 9285): one text for each byte string, everything else refused.

/// The alphabet of RFC 9285, table 1, which is that of the alphanumeric mode of QR.
const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Too large for any group, so that a group with a foreign character is refused like one that is too large.
const NO_DIGIT: u32 = 1 << 16;

/// The value of each byte as a digit, or [`NO_DIGIT`].
static DIGITS: [u32; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, reason = "there are 45 digits")]
        let digit = value as u32;
        digits[ALPHABET[value] as usize] = digit;
        value += 1;
    }
    digits
};

/// The text is not the Base45 of any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base45Error;

/// Two bytes become three characters, a last single byte two.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2).saturating_mul(3));
    for group in bytes.chunks(2) {
        let (value, characters) = match *group {
            [high, low] => (u16::from_be_bytes([high, low]), 3),
            [only] => (u16::from(only), 2),
            _ => (0, 0),
        };
        let digits = [value % 45, value / 45 % 45, value / 2025];
        text.extend(
            digits
                .iter()
                .take(characters)
                .map(|digit| char::from(ALPHABET[usize::from(*digit)])),
        );
    }
    text
}

/// The bytes of the text; refuses foreign characters, a lone last character, and groups that are too large.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "three digits of at most 2^16 make less than 2^28"
)]
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base45Error> {
    let (groups, rest) = text.as_chunks();
    let mut bytes = Vec::with_capacity(groups.len() * 2 + 1);
    for [low, middle, high] in groups {
        let value = digit(*low) + digit(*middle) * 45 + digit(*high) * 2025;
        bytes.extend(u16::try_from(value).map_err(|_| Base45Error)?.to_be_bytes());
    }
    match *rest {
        [] => Ok(bytes),
        [low, high] => {
            let value = digit(low) + digit(high) * 45;
            bytes.push(u8::try_from(value).map_err(|_| Base45Error)?);
            Ok(bytes)
        }
        _ => Err(Base45Error),
    }
}

fn digit(character: u8) -> u32 {
    DIGITS[usize::from(character)]
}
