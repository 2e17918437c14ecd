//! The fast meter against a slow one that looks at every tick, on random stays around changes of clocks, weeks and seasons.

use crate::golden::{json, rows, string};
use crate::random_tariff::Dice;
use crate::tick_meter::{Account, Oracle, Refused};
use parkflow_core::tariff::{History, PriceError, Stay, Tariff, Terms};
use serde_json::Value;
use std::collections::BTreeMap;

const DAY_S: i64 = 86_400;

/// The tariffs of the shared vectors, each once.
fn tariffs() -> BTreeMap<String, Value> {
    let cases = json("tariffs.json");
    rows(&cases["cases"])
        .iter()
        .map(|case| (string(&case["tariff_id"]).to_owned(), case["tariff"]["ptl"].clone()))
        .collect()
}

/// Starts of days around which clocks change, seasons turn, and an ordinary week.
fn anchor_s(dice: &mut Dice) -> i64 {
    let dates = [
        "2026-03-08",
        "2026-03-29",
        "2026-10-25",
        "2026-11-01",
        "2026-04-05",
        "2026-10-01",
        "2026-06-01",
    ];
    let date: jiff::civil::Date = dice.one_of(&dates).parse().unwrap();
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    start - DAY_S + dice.below(2 * DAY_S)
}

fn compare(tariff: &Value, zone: &str, dice: &mut Dice, (tick_s, length_max_s): (i64, i64)) {
    let mut tariff = tariff.clone();
    tariff["timezone"] = zone.into();
    let parsed = Tariff::parse(&tariff.to_string()).unwrap();
    let entry_s = anchor_s(dice).div_euclid(tick_s) * tick_s;
    let exit_s = entry_s + (1 + dice.below(length_max_s / tick_s)) * tick_s;
    // Every fourth stay is paid by a pass for some of its time.
    let pass_s = entry_s + dice.below(exit_s - entry_s).div_euclid(tick_s) * tick_s;
    let pass_end_s = pass_s + (1 + dice.below(length_max_s / tick_s / 2)) * tick_s;
    let covered: &[(i64, i64)] = if dice.below(4) == 0 {
        &[(pass_s, pass_end_s)]
    } else {
        &[]
    };
    let class = dice.one_of(&["car", "large", "motorcycle", "nev"]);
    let stay = Stay {
        entry_s,
        exit_s,
        class: Some(class),
        tags: if dice.below(8) == 0 { &["lost"] } else { &[] },
    };
    let terms = Terms {
        covered,
        ..Terms::default()
    };
    let expected = Oracle::new(&tariff, None).settle(&stay, &terms, &mut Account::default());
    match parsed.settle(&stay, &terms, &mut History::default()) {
        Ok(fee) => {
            assert_eq!(
                Ok(fee.fee_minor),
                expected,
                "{} {zone} {stay:?} {covered:?}\n{:#?}",
                parsed.id(),
                fee.lines
            );
            assert_eq!(
                fee.lines.iter().map(|line| line.amount_minor).sum::<i64>(),
                fee.fee_minor
            );
        }
        Err(error) => assert_eq!((error, expected), (PriceError::NoPlan, Err(Refused::NoPlan))),
    }
}

const ZONES: [&str; 5] = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
];

#[test]
fn the_fast_meter_agrees_with_the_tick_meter_minute_by_minute() {
    let mut dice = Dice::new(20_171_020);
    for tariff in tariffs().values() {
        for zone in ZONES {
            for _ in 0..6 {
                compare(tariff, zone, &mut dice, (60, 4 * DAY_S));
            }
        }
    }
}

#[test]
fn the_fast_meter_agrees_with_the_tick_meter_second_by_second() {
    let mut dice = Dice::new(7);
    for tariff in tariffs().values() {
        for zone in ["America/New_York", "Asia/Shanghai"] {
            compare(tariff, zone, &mut dice, (1, 6 * 3_600));
        }
    }
    let text = std::fs::read_to_string("../../parkflow/tariff/library/us-charlottesville-2017.yaml").unwrap();
    let parsed = Tariff::parse(&text).unwrap();
    let meter: Value = serde_json::from_str(parsed.canonical_json()).unwrap();
    for _ in 0..60 {
        compare(&meter, "America/New_York", &mut dice, (1, 8 * 3_600));
    }
}
