//! Random stays of one account around the dates of a tariff, with passes, vouchers and payments.

use jiff::tz::TimeZone;
use parkflow_core::tariff::{Payment, Voucher, VoucherKind};
use serde_json::Value;

use super::tariff::{CLASSES, TAGS};
use super::windows::Focus;
use super::{Dice, OneStay};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// A slow meter's patience with one stay.
const TICKS_MAX: i64 = 6_000;

/// One to four stays in the order of their exits.
pub fn stays(dice: &mut Dice, tariff: &Value, focus: Focus, needs_history: bool) -> Vec<OneStay> {
    let count = if needs_history || dice.percent(10) {
        dice.between(1, 4)
    } else {
        1
    };
    let mut found: Vec<OneStay> = Vec::new();
    for _ in 0..count {
        let mut stay = stay(dice, tariff, focus, found.last().map(|last| last.exit_s));
        terms(dice, &mut stay, tariff, focus);
        found.push(stay);
    }
    found
}

/// A stay that ends no earlier than the one before.
fn stay(dice: &mut Dice, tariff: &Value, focus: Focus, last_exit_s: Option<i64>) -> OneStay {
    let grain_s = if tariff["clock"]["step"] == 60 {
        1
    } else {
        focus.grain_s
    };
    let start_s = focus.date.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
    let entry_s = match last_exit_s {
        // Sometimes a second car of the account, which came before the first one left.
        Some(exit_s) if dice.percent(12) => exit_s - dice.below(4 * HOUR_S),
        Some(exit_s) if dice.percent(30) => exit_s + dice.below(HOUR_S),
        Some(exit_s) => exit_s + dice.below(8 * HOUR_S),
        None => start_s + dice.between(-36 * HOUR_S, 36 * HOUR_S),
    };
    let entry_s = match dice.below(10) {
        0..=2 => entry_s.div_euclid(900) * 900,
        3 => at_named_time(dice, tariff, focus, entry_s),
        _ => entry_s.div_euclid(grain_s) * grain_s,
    };
    let exit_s = entry_s + length_s(dice, tariff, focus).div_euclid(grain_s) * grain_s;
    let exit_s = if dice.percent(12) {
        at_named_time(dice, tariff, focus, exit_s)
    } else {
        exit_s
    };
    let mut stay = OneStay {
        entry_s,
        exit_s: exit_s.max(entry_s).max(last_exit_s.unwrap_or(entry_s)),
        class: dice.percent(85).then(|| dice.one_of(&CLASSES)),
        ..OneStay::default()
    };
    if dice.percent(20) {
        stay.tags.push(dice.one_of(&TAGS));
    }
    stay
}

/// The instant at which the clock shows a time that the tariff names, on the date of an instant.
fn at_named_time(dice: &mut Dice, tariff: &Value, focus: Focus, at_s: i64) -> i64 {
    let mut times = Vec::new();
    named_times(tariff, &mut times);
    if times.is_empty() {
        return at_s.div_euclid(60) * 60;
    }
    let place = usize::try_from(dice.below(i64::try_from(times.len()).unwrap())).unwrap();
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(focus.zone).unwrap();
    let date = jiff::Timestamp::from_second(at_s)
        .unwrap()
        .to_zoned(zone.clone())
        .date();
    date.to_datetime(times[place])
        .to_zoned(zone)
        .unwrap()
        .timestamp()
        .as_second()
}

fn named_times(value: &Value, found: &mut Vec<jiff::civil::Time>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("from" | "to" | "daily", Some(Ok(time))) = (name.as_str(), value.as_str().map(str::parse)) {
                    found.push(time);
                }
                named_times(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| named_times(value, found)),
        _ => {}
    }
}

/// Lengths that the tariff names, in seconds.
fn named_lengths(value: &Value, found: &mut Vec<i64>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("minutes" | "unit" | "for" | "every" | "le" | "lt" | "ge" | "gt", Some(minutes)) =
                    (name.as_str(), value.as_i64())
                {
                    found.push(minutes * 60);
                }
                named_lengths(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| named_lengths(value, found)),
        _ => {}
    }
}

fn length_s(dice: &mut Dice, tariff: &Value, focus: Focus) -> i64 {
    let most_s = TICKS_MAX * focus.grain_s;
    let length_s = match dice.below(100) {
        0 | 1 => 0,
        2 if focus.grain_s == 60 => return dice.between(5 * DAY_S, 30 * DAY_S),
        3 | 4 => match tariff["plans"][0]["grace"]["minutes"].as_i64() {
            Some(minutes) => minutes * 60,
            None => dice.below(HOUR_S),
        },
        5..=25 => {
            let mut lengths = vec![HOUR_S];
            named_lengths(tariff, &mut lengths);
            (dice.one_of(&lengths) + dice.between(-1, 1) * focus.grain_s).max(0)
        }
        26..=45 => dice.below(2 * HOUR_S),
        46..=75 => dice.below(14 * HOUR_S),
        _ => dice.below(4 * DAY_S),
    };
    if length_s > most_s {
        dice.below(most_s)
    } else {
        length_s
    }
}

fn terms(dice: &mut Dice, stay: &mut OneStay, tariff: &Value, focus: Focus) {
    let length_s = stay.exit_s - stay.entry_s;
    // Whole minutes also where the clock drops seconds: otherwise a slow meter would look at each second.
    let grain_s = focus.grain_s;
    let instant_s = |dice: &mut Dice| {
        let at_s = stay.entry_s + dice.between(-HOUR_S, length_s + HOUR_S);
        at_s.div_euclid(grain_s) * grain_s
    };
    if dice.percent(25) {
        for _ in 0..dice.one_of(&[1, 1, 2, 2, 3]) {
            let from_s = instant_s(dice);
            let to_s = if dice.percent(50) {
                instant_s(dice)
            } else {
                from_s + dice.below(90) * 60
            };
            stay.covered.push((from_s, to_s));
        }
    }
    if dice.percent(25) {
        for _ in 0..dice.one_of(&[1, 1, 2, 3]) {
            let kind = dice.one_of(&VoucherKind::ALL);
            let value = match kind {
                VoucherKind::Minutes => dice.one_of(&[5, 7, 30, 60, 200]),
                VoucherKind::Percent => dice.one_of(&[333, 1_000, 2_500, 5_000, 9_999, 10_000]),
                VoucherKind::Amount | VoucherKind::Points => dice.one_of(&[1, 3, 7, 20, 90, 500]),
            };
            stay.vouchers.push(Voucher { kind, value });
        }
        stay.as_given = dice.percent(35);
    }
    if dice.percent(if tariff.get("leave").is_some() { 50 } else { 8 }) {
        for _ in 0..dice.one_of(&[1, 1, 2]) {
            let at_s = match dice.below(4) {
                0 => stay.exit_s - dice.one_of(&[0, 5, 15, 20, 90]) * 60 - dice.between(-1, 1) * grain_s,
                _ => instant_s(dice),
            };
            let amount_minor = dice.one_of(&[0, 3, 11, 40, 200]);
            stay.paid.push(Payment { at_s, amount_minor });
        }
    }
}
