//! Instants as a gate writes them: RFC 3339, always with an offset, within the years that Python's datetime knows.

use jiff::civil::{date, DateTime};

/// Length of date and time without a fraction: `2026-10-20T12:00:00`.
const WHOLE_SECONDS_CHARS: usize = 19;

/// `+08:00`.
const OFFSET_CHARS: usize = 6;

const SECONDS_PER_MINUTE: i64 = 60;

/// 0001-01-01 and the end of 9999 in UTC, unix milliseconds.
const RANGE_MS: core::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Unix milliseconds of an instant, a begun one counting from its start; `None` if the text is none.
pub(super) fn instant_ms(text: &str) -> Option<i64> {
    let (local, rest) = text.as_bytes().split_at_checked(WHOLE_SECONDS_CHARS)?;
    let (millisecond, zone) = fraction(rest)?;
    let since = local_time(local)?.duration_since(date(1970, 1, 1).at(0, 0, 0, 0));
    let seconds = since.as_secs().checked_sub(offset_s(zone)?)?;
    let at_ms = seconds.checked_mul(1_000)?.checked_add(millisecond)?;
    RANGE_MS.contains(&at_ms).then_some(at_ms)
}

/// Date and time of day that exist; a second 60 does not, as for Python.
fn local_time(text: &[u8]) -> Option<DateTime> {
    let is_apart = text[4] == b'-' && text[7] == b'-' && text[13] == b':' && text[16] == b':';
    if !is_apart || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let year = i16::try_from(number(&text[..4])?).ok().filter(|year| *year >= 1)?;
    let pair = |place: usize| {
        let digits = text.get(place..place.checked_add(2)?)?;
        i8::try_from(number(digits)?).ok()
    };
    DateTime::new(year, pair(5)?, pair(8)?, pair(11)?, pair(14)?, pair(17)?, 0).ok()
}

/// The milliseconds of a fraction, if there is one, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let mut first = *b"000";
    let known = length.min(first.len());
    first[..known].copy_from_slice(&digits[..known]);
    (length > 0).then_some((number(&first)?, rest))
}

fn offset_s(text: &[u8]) -> Option<i64> {
    if matches!(text, b"Z" | b"z") {
        return Some(0);
    }
    if text.len() != OFFSET_CHARS || text[3] != b':' {
        return None;
    }
    let hours = number(&text[1..3]).filter(|hours| *hours < 24)?;
    let minutes = number(&text[4..]).filter(|minutes| *minutes < 60)?;
    let ahead_s = hours
        .checked_mul(60)?
        .checked_add(minutes)?
        .checked_mul(SECONDS_PER_MINUTE)?;
    match text[0] {
        b'+' => Some(ahead_s),
        b'-' => ahead_s.checked_neg(),
        _ => None,
    }
}

/// A few decimal digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte & 15))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
