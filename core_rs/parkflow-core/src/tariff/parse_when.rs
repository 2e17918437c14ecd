//! Reads windows of local time and conditions on a stay.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::calendar::{parse_day, DAY_S};
use super::error::{near, shown, TariffError};
use super::model::{Comparison, Condition, Days, When};
use super::place::Place;

/// Named dates of the tariff, and how many windows may still be read.
pub(super) struct Dates {
    /// Name to sorted day numbers.
    sets: BTreeMap<String, Vec<i64>>,
    whens_left: Cell<usize>,
}

impl Default for Dates {
    fn default() -> Self {
        Self {
            sets: BTreeMap::new(),
            whens_left: Cell::new(WHENS_TOTAL_MAX),
        }
    }
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WHENS_MAX: usize = 32;
const NAMES_MAX: usize = 64;
/// Most windows of a tariff and most of its dates: every window is tried on every date when a tariff is compiled.
const WHENS_TOTAL_MAX: usize = 1_000;
const DATES_TOTAL_MAX: usize = 4_000;
const DATE_SETS_MAX: usize = 256;

impl Dates {
    /// The map of named dates.
    pub fn read(place: &Place<'_>) -> Result<Self, TariffError> {
        let mut all = Self::default();
        let (mut count, named) = (0_usize, place.named()?);
        if named.len() > DATE_SETS_MAX {
            return Err(place.invalid(format!(
                "has {} names; at most {DATE_SETS_MAX} are allowed",
                named.len()
            )));
        }
        for (name, dates) in named {
            let spelled_well = name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if name.is_empty() || !spelled_well {
                return Err(dates.invalid("the name of a set of dates is written in capitals, such as PH"));
            }
            let mut days = dates
                .list(DATES_TOTAL_MAX)?
                .iter()
                .map(date)
                .collect::<Result<Vec<i64>, _>>()?;
            count = count.saturating_add(days.len());
            if count > DATES_TOTAL_MAX {
                return Err(place.invalid(format!(
                    "has more than {DATES_TOTAL_MAX} dates; leave out those long past"
                )));
            }
            days.sort_unstable();
            days.dedup();
            all.sets.insert(name.to_owned(), days);
        }
        Ok(all)
    }

    /// Counts one more window.
    fn count_when(&self, place: &Place<'_>) -> Result<(), TariffError> {
        let left = self.whens_left.get().checked_sub(1);
        let left = left.ok_or_else(|| {
            place.invalid(format!(
                "is one window of time more than {WHENS_TOTAL_MAX}, the most of one tariff"
            ))
        })?;
        self.whens_left.set(left);
        Ok(())
    }
}

fn date(place: &Place<'_>) -> Result<i64, TariffError> {
    let day = place.text().ok().and_then(parse_day);
    day.ok_or_else(|| place.invalid("needs a date such as 2026-10-01"))
}

/// One window or a list of windows.
pub(super) fn whens(place: &Place<'_>, dates: &Dates) -> Result<Vec<When>, TariffError> {
    let parts = place.one_or_list(WHENS_MAX)?;
    if parts.is_empty() {
        return Err(place.invalid("is an empty list; remove it to mean always"));
    }
    parts.iter().map(|part| when(part, dates)).collect()
}

fn when(place: &Place<'_>, dates: &Dates) -> Result<When, TariffError> {
    dates.count_when(place)?;
    let fields = place.fields(&["from", "to", "days", "season", "on"])?;
    let from_s = fields.optional("from").map_or(Ok(0), |from| time_of_day_s(&from))?;
    let to_s = fields.optional("to").map_or(Ok(DAY_S), |to| time_of_day_s(&to))?;
    if from_s == DAY_S {
        return Err(place.invalid("a window cannot start at 24:00; write from: \"00:00\""));
    }
    let days = fields
        .optional("days")
        .map_or_else(|| Ok(Days::default()), |days| day_tokens(&days, dates))?;
    let seasons = fields
        .optional("season")
        .map_or_else(|| Ok(Vec::new()), |season| seasons(&season))?;
    let on = fields.optional("on").map(|on| date_range(&on)).transpose()?;
    Ok(When {
        from_s,
        to_s,
        days,
        seasons,
        on,
    })
}

/// `HH:MM` or `HH:MM:SS`, up to `24:00`, as seconds of the day.
pub(super) fn time_of_day_s(place: &Place<'_>) -> Result<i64, TariffError> {
    place.text().ok().and_then(parse_time_of_day_s).ok_or_else(|| {
        place.invalid("needs a time of two and two digits in quotes, \"00:00\" to \"24:00\", such as \"08:00\"")
    })
}

pub(super) fn parse_time_of_day_s(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    for (part, (limit, unit_s)) in text.split(':').zip([(24, 3_600), (59, 60), (59, 1)]) {
        if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: i64 = part.parse().ok().filter(|number| *number <= limit)?;
        seconds = seconds.checked_add(number.checked_mul(unit_s)?)?;
    }
    (matches!(text.split(':').count(), 2 | 3) && seconds <= DAY_S).then_some(seconds)
}

/// A weekday and a time, such as `mon 00:00`.
pub(super) fn weekday_and_time(place: &Place<'_>) -> Result<(u8, i64), TariffError> {
    let refuse = || place.invalid("needs a weekday and a time such as \"mon 00:00\"");
    let (day, time) = place.text()?.split_once(' ').ok_or_else(refuse)?;
    let weekday = weekday_number(day).ok_or_else(refuse)?;
    let turn_s = parse_time_of_day_s(time)
        .filter(|turn_s| *turn_s < DAY_S)
        .ok_or_else(refuse)?;
    Ok((weekday, turn_s))
}

fn weekday_number(text: &str) -> Option<u8> {
    let index = WEEKDAYS.iter().position(|day| *day == text)?;
    u8::try_from(index).ok()
}

/// The bits of `mon` or of `mon-fri`; a range may run over Sunday.
fn weekday_bits(text: &str) -> Option<u8> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (mut day, last) = (weekday_number(first)?, weekday_number(last)?);
    let mut bits = 0_u8;
    loop {
        bits |= 1 << day;
        if day == last {
            return Some(bits);
        }
        day = if day == 6 { 0 } else { day.saturating_add(1) };
    }
}

fn day_tokens(place: &Place<'_>, dates: &Dates) -> Result<Days, TariffError> {
    let mut days = Days::default();
    let mut met: Vec<&str> = Vec::new();
    for token in place.one_or_list(NAMES_MAX)? {
        let text = token.text()?;
        if met.contains(&text) {
            continue;
        }
        met.push(text);
        let (name, negative) = text.strip_prefix('!').map_or((text, false), |name| (name, true));
        days.positive |= !negative;
        if let Some(bits) = weekday_bits(name) {
            *(if negative {
                &mut days.weekdays_not
            } else {
                &mut days.weekdays
            }) |= bits;
        } else if let Some(named) = dates.sets.get(name) {
            (if negative { &mut days.dates_not } else { &mut days.dates }).extend(named);
        } else {
            let known: Vec<&str> = WEEKDAYS
                .into_iter()
                .chain(dates.sets.keys().map(String::as_str))
                .collect();
            return Err(token.invalid(format!(
                "`{}` is neither a weekday (mon … sun, mon-fri) nor a name under `dates`{}",
                shown(name),
                near(name, &known)
            )));
        }
    }
    days.dates.sort_unstable();
    days.dates_not.sort_unstable();
    Ok(days)
}

fn pair<'a>(place: &Place<'a>) -> Result<[Place<'a>; 2], TariffError> {
    let items = place.list(2)?;
    <[Place<'a>; 2]>::try_from(items).map_err(|_| place.invalid("needs exactly two items, the first and the last"))
}

fn seasons(place: &Place<'_>) -> Result<Vec<[(i64, i64); 2]>, TariffError> {
    place
        .list(WHENS_MAX)?
        .iter()
        .map(|season| {
            let [first, last] = pair(season).map_err(|_| season.invalid("needs pairs such as [[03-15, 11-15]]"))?;
            Ok([month_day(&first)?, month_day(&last)?])
        })
        .collect()
}

fn month_day(place: &Place<'_>) -> Result<(i64, i64), TariffError> {
    // A leap year, so that 02-29 is a date.
    let valid = |text: &str| {
        parse_day(&format!("2000-{text}"))?;
        let (month, day) = text.split_once('-')?;
        Some((month.parse().ok()?, day.parse().ok()?))
    };
    place
        .text()
        .ok()
        .and_then(valid)
        .ok_or_else(|| place.invalid("needs month and day such as 03-15"))
}

fn date_range(place: &Place<'_>) -> Result<(i64, i64), TariffError> {
    let [first, last] = pair(place)?;
    let range = (date(&first)?, date(&last)?);
    if range.0 > range.1 {
        return Err(place.invalid("the first date is after the last"));
    }
    Ok(range)
}

/// The `if` of a plan or of a cap.
pub(super) fn condition(place: &Place<'_>, dates: &Dates) -> Result<Condition, TariffError> {
    let fields = place.fields(&["class", "tag", "entry", "exit", "minutes"])?;
    let names = |name: &str| -> Result<Vec<String>, TariffError> {
        let Some(list) = fields.optional(name) else {
            return Ok(Vec::new());
        };
        let names = list.one_or_list(NAMES_MAX)?;
        if names.is_empty() {
            return Err(list.invalid("is an empty list; remove it to mean any"));
        }
        names.iter().map(|item| item.name().map(str::to_owned)).collect()
    };
    let windows = |name: &str| {
        fields
            .optional(name)
            .map_or_else(|| Ok(Vec::new()), |place| whens(&place, dates))
    };
    Ok(Condition {
        classes: names("class")?,
        tags: names("tag")?,
        entry: windows("entry")?,
        exit: windows("exit")?,
        lengths: fields
            .optional("minutes")
            .map_or_else(|| Ok(Vec::new()), |minutes| lengths(&minutes))?,
    })
}

fn lengths(place: &Place<'_>) -> Result<Vec<(Comparison, i64)>, TariffError> {
    let fields = place.fields(&["le", "lt", "ge", "gt"])?;
    [
        ("le", Comparison::LessOrEqual),
        ("lt", Comparison::Less),
        ("ge", Comparison::GreaterOrEqual),
        ("gt", Comparison::Greater),
    ]
    .into_iter()
    .filter_map(|(name, comparison)| fields.optional(name).map(|place| (place, comparison)))
    .map(|(place, comparison)| Ok((comparison, place.duration_s()?)))
    .collect()
}
