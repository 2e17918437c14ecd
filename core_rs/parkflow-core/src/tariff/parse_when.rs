//! Reads windows of local time and conditions on a stay.

use std::collections::BTreeMap;

use super::calendar::{parse_day, DAY_S};
use super::error::{shown, TariffError};
use super::model::{Comparison, Condition, Days, When};
use super::place::Place;

/// Named dates of the tariff: name to sorted day numbers.
pub(super) type DateSets = BTreeMap<String, Vec<i64>>;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WHENS_MAX: usize = 32;
const NAMES_MAX: usize = 64;
const DATES_MAX: usize = 4_000;

/// The map of named dates.
pub(super) fn date_sets(place: &Place<'_>) -> Result<DateSets, TariffError> {
    let mut sets = DateSets::new();
    for (name, dates) in place.named()? {
        let spelled_well = name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if name.is_empty() || !spelled_well {
            return Err(dates.invalid("the name of a set of dates is written in capitals, such as PH"));
        }
        let mut days = dates
            .list(DATES_MAX)?
            .iter()
            .map(date)
            .collect::<Result<Vec<i64>, _>>()?;
        days.sort_unstable();
        days.dedup();
        sets.insert(name.to_owned(), days);
    }
    Ok(sets)
}

fn date(place: &Place<'_>) -> Result<i64, TariffError> {
    parse_day(place.text()?).ok_or_else(|| place.invalid("needs a date such as 2026-10-01"))
}

/// One window or a list of windows.
pub(super) fn whens(place: &Place<'_>, dates: &DateSets) -> Result<Vec<When>, TariffError> {
    let parts = place.one_or_list(WHENS_MAX)?;
    if parts.is_empty() {
        return Err(place.invalid("is an empty list; remove it to mean always"));
    }
    parts.iter().map(|part| when(part, dates)).collect()
}

fn when(place: &Place<'_>, dates: &DateSets) -> Result<When, TariffError> {
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
    place
        .text()
        .ok()
        .and_then(parse_time_of_day_s)
        .ok_or_else(|| place.invalid("needs a time in quotes such as \"08:00\" (\"00:00\" to \"24:00\")"))
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

fn day_tokens(place: &Place<'_>, dates: &DateSets) -> Result<Days, TariffError> {
    let mut days = Days::default();
    for token in place.one_or_list(NAMES_MAX)? {
        let text = token.text()?;
        let (name, negative) = text.strip_prefix('!').map_or((text, false), |name| (name, true));
        days.positive |= !negative;
        if let Some(bits) = weekday_bits(name) {
            *(if negative {
                &mut days.weekdays_not
            } else {
                &mut days.weekdays
            }) |= bits;
        } else if let Some(named) = dates.get(name) {
            (if negative { &mut days.dates_not } else { &mut days.dates }).extend(named);
        } else {
            return Err(token.invalid(format!(
                "`{}` is neither a weekday (mon … sun, mon-fri) nor a name under `dates`",
                shown(name)
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
            let [first, last] = pair(season)?;
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
pub(super) fn condition(place: &Place<'_>, dates: &DateSets) -> Result<Condition, TariffError> {
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
