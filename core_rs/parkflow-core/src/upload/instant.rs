//! Instants as a gate writes them: RFC 3339, always with an offset, within the years that Python's datetime knows.

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Length of date and time without a fraction: `2026-10-20T12:00:00`.
const WHOLE_SECONDS_CHARS: usize = 19;

/// `Z` or `+08:00`.
const OFFSET_CHARS: usize = 6;

/// 0001-01-01 and the end of 9999 in UTC, unix milliseconds.
const RANGE_MS: core::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Unix milliseconds of an instant, a begun one counting from its start; `None` if the text is none.
pub(super) fn instant_ms(text: &str) -> Option<i64> {
    let (local, rest) = text.as_bytes().split_at_checked(WHOLE_SECONDS_CHARS)?;
    let (millisecond, zone) = fraction(rest)?;
    let at_s = local_time(local)?.to_timestamp_at(offset(zone)?)?;
    Some(at_s.checked_mul(1_000)?.checked_add(millisecond)?).filter(|at_ms| RANGE_MS.contains(at_ms))
}

/// Date and time of day that exist; a second 60 does not, as for Python.
struct LocalTime(DateTime);

impl LocalTime {
    fn to_timestamp_at(&self, offset: Offset) -> Option<i64> {
        offset.to_timestamp(self.0).ok().map(jiff::Timestamp::as_second)
    }
}

fn local_time(text: &[u8]) -> Option<LocalTime> {
    let separators = [(4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":")];
    let is_apart = |&(place, sign): &(usize, &[u8; 1])| match sign {
        b"T" => matches!(text[place], b'T' | b't' | b' '),
        sign => text[place] == sign[0],
    };
    if !separators.iter().all(is_apart) {
        return None;
    }
    let year = i16::try_from(number(&text[..4])?).ok().filter(|year| *year >= 1)?;
    let part =
        |place: usize| number(text.get(place..place.checked_add(2)?)?).and_then(|value| i8::try_from(value).ok());
    DateTime::new(year, part(5)?, part(8)?, part(11)?, part(14)?, part(17)?, 0)
        .ok()
        .map(LocalTime)
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
    (length > 0).then_some((i64::from(number(&first)?), rest))
}

fn offset(text: &[u8]) -> Option<Offset> {
    if matches!(text, b"Z" | b"z") {
        return Some(Offset::UTC);
    }
    if text.len() != OFFSET_CHARS || text[3] != b':' {
        return None;
    }
    let hours = number(&text[1..3]).filter(|hours| *hours < 24)?;
    let minutes = number(&text[4..]).filter(|minutes| *minutes < 60)?;
    let seconds = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?;
    match text[0] {
        b'+' => Offset::from_seconds(seconds).ok(),
        b'-' => Offset::from_seconds(seconds.checked_neg()?).ok(),
        _ => None,
    }
}

/// A few decimal digits.
fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0_i32, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i32::from(byte & 15))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
