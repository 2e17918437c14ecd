//! Local civil time tick by tick, windows of it, and days that turn at a time.

use std::cell::Cell;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::Timestamp;

use super::feature::{Feature, Seen};
use super::misreading::Misreading;

const DAY_S: i64 = 86_400;
/// Stretches of this length are asked about at both ends; where the answers differ, each tick is asked about.
const STRETCH_S: i64 = 900;
/// No clock is set back by more, in the years of the stays.
const SET_BACK_S: i64 = 7_200;

pub fn day_number(date: Date) -> i64 {
    date.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() / DAY_S
}

/// A local date, by its number from 1970-01-01, and the second of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    pub day: i64,
    pub second: i64,
}

/// The local clock, which remembers the offset of the stretch that it was asked about last.
pub struct LocalClock<'a> {
    zone: &'a TimeZone,
    stretch: Cell<(i64, Option<i64>)>,
}

impl<'a> LocalClock<'a> {
    pub fn new(zone: &'a TimeZone) -> Self {
        Self {
            zone,
            stretch: Cell::new((i64::MIN, None)),
        }
    }

    pub fn offset_s(&self, at_s: i64) -> i64 {
        let ask = |at_s| i64::from(self.zone.to_offset(Timestamp::from_second(at_s).unwrap()).seconds());
        let from_s = at_s - at_s.rem_euclid(STRETCH_S);
        if self.stretch.get().0 != from_s {
            let first = ask(from_s);
            self.stretch
                .set((from_s, (first == ask(from_s + STRETCH_S - 1)).then_some(first)));
        }
        self.stretch.get().1.unwrap_or_else(|| ask(at_s))
    }

    pub fn local(&self, at_s: i64) -> Local {
        let shown_s = at_s + self.offset_s(at_s);
        Local {
            day: shown_s.div_euclid(DAY_S),
            second: shown_s.rem_euclid(DAY_S),
        }
    }
}

/// The first instant at which the clock shows a time of a date or a later one; the time is a whole minute.
pub fn first_shown_s(zone: &TimeZone, day: i64, second: i64) -> i64 {
    let clock = LocalClock::new(zone);
    let mut at_s = day * DAY_S + second - DAY_S;
    loop {
        let shown = clock.local(at_s);
        if (shown.day, shown.second) >= (day, second) {
            return at_s;
        }
        at_s += 60;
    }
}

/// Days that turn at a time of day: tick by tick, the latest day that the clock has shown.
pub struct ServiceDays<'a> {
    clock: LocalClock<'a>,
    turn_s: i64,
    tick_s: i64,
    next_s: i64,
    latest: i64,
    reopens: bool,
}

impl<'a> ServiceDays<'a> {
    pub fn from(zone: &'a TimeZone, from_s: i64, turn_s: i64, tick_s: i64, misreading: Option<Misreading>) -> Self {
        Self {
            clock: LocalClock::new(zone),
            turn_s,
            tick_s,
            next_s: from_s - SET_BACK_S,
            latest: i64::MIN,
            reopens: misreading == Some(Misreading::RepeatedHourReopensYesterday),
        }
    }

    /// The day of a tick; ticks are asked about in order.
    pub fn at(&mut self, at_s: i64) -> i64 {
        while self.next_s <= at_s {
            let Local { day, second } = self.clock.local(self.next_s);
            let shown = if second >= self.turn_s { day } else { day - 1 };
            self.latest = if self.reopens { shown } else { self.latest.max(shown) };
            self.next_s += self.tick_s;
        }
        self.latest
    }
}

/// Weekdays and dates of a token.
pub type Days = (Vec<i64>, Vec<i64>);
type MonthDay = (i8, i8);

#[derive(Default)]
pub struct When {
    pub from_s: i64,
    pub to_s: i64,
    pub yes: Vec<Days>,
    pub no: Vec<Days>,
    pub named: bool,
    pub seasons: Vec<(MonthDay, MonthDay)>,
    pub on: Option<(i64, i64)>,
    /// The last two answers about dates.
    pub answers: Cell<[(i64, bool); 2]>,
}

/// What a window is asked with.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub misreading: Option<Misreading>,
    pub seen: &'a Seen,
}

impl When {
    pub fn holds(&self, at: Local, reading: Reading<'_>) -> bool {
        if self.from_s < self.to_s {
            return self.from_s <= at.second && at.second < self.to_s && self.date_holds(at.day, reading);
        }
        if at.second >= self.from_s {
            return self.date_holds(at.day, reading);
        }
        if at.second >= self.to_s {
            return false;
        }
        reading.seen.effect(Feature::WhenWrapped);
        let each_day = reading.misreading == Some(Misreading::NightBelongsToEachDay);
        self.date_holds(if each_day { at.day } else { at.day - 1 }, reading)
    }

    fn date_holds(&self, day: i64, reading: Reading<'_>) -> bool {
        if self.yes.is_empty() && self.no.is_empty() && self.seasons.is_empty() && self.on.is_none() {
            return true;
        }
        let known = self.answers.get();
        // Day 0 is the cells' first content and no stay's.
        if let Some((_, answer)) = known.iter().find(|(asked, _)| *asked == day && day != 0) {
            return *answer;
        }
        let answer = self.ask_date(day, reading);
        self.answers.set([(day, answer), known[0]]);
        answer
    }

    fn ask_date(&self, day: i64, Reading { misreading, seen }: Reading<'_>) -> bool {
        let weekday = (day + 3).rem_euclid(7);
        let on_day = |(weekdays, dates): &Days| weekdays.contains(&weekday) || dates.contains(&day);
        if self.no.iter().any(on_day) && misreading != Some(Misreading::NegationIgnored) {
            seen.effect(Feature::WhenNot);
            return false;
        }
        if !self.yes.is_empty() && !self.yes.iter().any(on_day) {
            seen.effect(Feature::WhenWeekdays);
            return false;
        }
        seen.effect_if(
            self.named && self.yes.iter().any(|(_, dates)| dates.contains(&day)),
            Feature::WhenNamed,
        );
        if let Some((first, last)) = self.on {
            seen.effect(Feature::WhenOn);
            if !(first..=last).contains(&day) {
                return false;
            }
        }
        if self.seasons.is_empty() {
            return true;
        }
        let date = Timestamp::from_second(day * DAY_S)
            .unwrap()
            .to_zoned(TimeZone::UTC)
            .date();
        let today = (date.month(), date.day());
        let inside = self.seasons.iter().any(|(first, last)| {
            if first <= last {
                return (*first..=*last).contains(&today);
            }
            seen.effect(Feature::WhenSeasonOverNewYear);
            misreading != Some(Misreading::SeasonNeverOverNewYear) && (today >= *first || today <= *last)
        });
        seen.effect(Feature::WhenSeason);
        inside
    }
}
