//! What holds for every tariff and stay, on random ones: lines add up, one by one is as in a batch, twice is the same bytes,
//! and a longer stay never costs less, for the class of tariffs for which that can hold.
//!
//! That class: no condition of a plan or a cap looks at the exit or at the length of the stay (`if: {exit}`, `if: {minutes}`), a
//! plan with `edge: total` has one paid band, and no plan names a pool in two caps. Why it suffices: where nothing looks at the
//! exit, the items of the shorter stay are the first ones of the longer stay; a cap lowers an item by what came before it alone,
//! never below nothing (so lists of falling limits belong to the class); and minimum, rounding, vouchers, tax, the lowest of some
//! plans, payments and chains keep the order of fees. Why it is needed: the tariffs named below, where a longer stay costs less.

use crate::random_tariff::columns::priced;
use crate::random_tariff::{cases, Case, Dice, OneStay};
use crate::tick_meter::read::items;
use parkflow_core::tariff::{Fee, History, LineKind, PriceError, Stay, Tariff, Terms};
use serde_json::{json, Value};

const TARIFFS: usize = 500;
const NOON_S: i64 = 1_792_497_600;

fn terms(stay: &OneStay) -> Terms<'_> {
    Terms {
        covered: &stay.covered,
        vouchers: &stay.vouchers,
        vouchers_as_given: stay.as_given,
        paid: &stay.paid,
    }
}

fn settle(tariff: &Tariff, stay: &OneStay, history: &mut History) -> Result<Fee, PriceError> {
    tariff.settle(&stay.bare(), &terms(stay), history)
}

fn for_random_cases(seed: u64, mut check: impl FnMut(&Tariff, &Case, &mut Dice)) {
    let mut dice = Dice::new(seed);
    let mut left = TARIFFS;
    while left > 0 {
        let Some((tariff, cases)) = cases(&mut dice) else {
            continue;
        };
        for case in &cases {
            check(&tariff, case, &mut dice);
        }
        left -= 1;
    }
}

#[test]
fn lines_add_up_lie_within_the_stay_and_only_some_kinds_are_negative() {
    for_random_cases(1, |tariff, case, _| {
        let mut history = History::default();
        for stay in &case.stays {
            let Ok(fee) = settle(tariff, stay, &mut history) else {
                continue;
            };
            assert!(fee.fee_minor >= 0);
            assert_eq!(
                fee.lines.iter().map(|line| line.amount_minor).sum::<i64>(),
                fee.fee_minor,
                "{case:?}"
            );
            for line in &fee.lines {
                assert!(fee.entry_s <= line.from_s && line.from_s <= line.to_s && line.to_s <= fee.exit_s);
                let may_lower = match line.kind {
                    LineKind::Cap | LineKind::Rounding | LineKind::Discount | LineKind::Before => true,
                    LineKind::Free | LineKind::Units | LineKind::EntryFee | LineKind::Minimum | LineKind::Tax => false,
                };
                assert!(may_lower || line.amount_minor >= 0, "{line:?}\n{case:?}");
            }
        }
    });
}

#[test]
fn a_batch_prices_each_stay_as_it_is_priced_by_itself() {
    for_random_cases(2, |tariff, case, _| {
        let stays: Vec<Stay<'_>> = case.stays.iter().map(OneStay::bare).collect();
        let one_by_one: Vec<_> = stays.iter().map(|stay| tariff.price_minor(stay)).collect();
        if !tariff.needs_history() {
            assert_eq!(priced(tariff, std::slice::from_ref(case), 1), one_by_one);
        }
        let whole: Vec<_> = stays
            .iter()
            .map(|stay| tariff.price(stay).map(|fee| fee.fee_minor))
            .collect();
        assert_eq!(whole, one_by_one);
    });
}

#[test]
fn a_stay_priced_twice_has_the_same_receipt_byte_by_byte() {
    for_random_cases(3, |tariff, case, _| {
        let receipts = |tariff: &Tariff| -> Vec<Option<String>> {
            let mut history = History::default();
            let receipt = |stay: &OneStay| {
                let fee = settle(tariff, stay, &mut history).ok()?;
                Some(tariff.receipt_json(&stay.bare(), &terms(stay), &fee))
            };
            case.stays.iter().map(receipt).collect()
        };
        let first = receipts(tariff);
        assert_eq!(receipts(tariff), first);
        let again = Tariff::parse(tariff.canonical_json()).unwrap();
        assert_eq!(
            receipts(&again),
            first,
            "and after the tariff went through its canonical text"
        );
    });
}

/// A tariff of the class for which a longer stay never costs less, made from any tariff.
fn without_exits_and_lengths(tariff: &Value) -> Value {
    let mut tariff = tariff.clone();
    for plan in tariff["plans"].as_array_mut().unwrap() {
        if let Some(condition) = plan["if"].as_object_mut() {
            condition.retain(|name, _| name != "exit" && name != "minutes");
        }
        if let Some(caps) = plan.get_mut("caps") {
            let caps = caps.as_array_mut().unwrap();
            let mut pools = 0;
            caps.retain(|cap| {
                pools += i32::from(cap.get("pool").is_some());
                cap.get("pool").is_none() || pools == 1
            });
            for condition in caps.iter_mut().filter_map(|cap| cap.get_mut("if")) {
                let fields = condition.as_object_mut().unwrap();
                fields.retain(|name, _| name != "exit" && name != "minutes");
            }
        }
        if plan["edge"] == "total" {
            let bands = plan["bands"].as_array_mut().unwrap();
            let paid = bands.iter_mut().filter(|band| !items(&band["ladder"]).is_empty());
            paid.skip(1).for_each(|band| band["ladder"] = json!([]));
        }
        let fields = plan.as_object_mut().unwrap();
        fields.retain(|name, value| name != "if" || *value != Value::Null);
    }
    tariff
}

#[test]
fn a_longer_stay_never_costs_less_where_nothing_looks_at_the_exit() {
    let (mut compared, mut dearer) = (0, 0);
    for_random_cases(4, |_, case, dice| {
        let text = without_exits_and_lengths(&case.tariff);
        let tariff = Tariff::parse(&text.to_string()).unwrap();
        let mut history = History::default();
        for stay in &case.stays {
            let due = |exit_s: i64| {
                let stay = OneStay { exit_s, ..stay.clone() };
                settle(&tariff, &stay, &mut history.clone()).map(|fee| fee.fee_minor)
            };
            let mut longer_s = stay.entry_s;
            let mut before: Option<i64> = None;
            for _ in 0..6 {
                longer_s += dice.below(60 + (stay.exit_s - stay.entry_s) / 2);
                let Ok(now) = due(longer_s) else { continue };
                assert!(
                    before.is_none_or(|before| before <= now),
                    "{before:?} {now} until {longer_s}\n{text}\n{stay:?}"
                );
                compared += 1;
                dearer += i32::from(before.is_some_and(|before| before < now));
                before = Some(now);
            }
            // A refused stay changes nothing.
            let _ = settle(&tariff, stay, &mut history);
        }
    });
    println!("{compared} compared, {dearer} dearer");
    assert!(compared > 10_000 && dearer > 2_000, "{compared} {dearer}");
}

/// What a car pays at two times after noon of 2026-10-20 in Shanghai, in minutes.
fn at_two_times(plans: &Value, caps_of_first: &Value, minutes: [i64; 2]) -> [i64; 2] {
    let mut text = json!({"ptl": 1, "id": "t", "currency": "CNY", "minor_exponent": 2, "timezone": "Asia/Shanghai", "plans": plans});
    if !caps_of_first.is_null() {
        text["plans"][0]["caps"] = caps_of_first.clone();
    }
    let tariff = Tariff::parse(&text.to_string()).unwrap();
    minutes.map(|minutes| {
        let stay = Stay {
            entry_s: NOON_S,
            exit_s: NOON_S + minutes * 60,
            class: None,
            tags: &[],
        };
        tariff
            .settle_minor(&stay, &Terms::default(), &mut History::default())
            .unwrap()
    })
}

fn plan(id: &str, condition: &Value, edge: &str, bands: &Value) -> Value {
    json!({"id": id, "if": condition, "cycle": "stay", "edge": edge, "bands": bands})
}

#[test]
fn outside_that_class_a_longer_stay_can_cost_less() {
    let hourly = json!([{"id": "b", "ladder": [{"unit": 60, "price": 100}]}]);
    let flat = json!([{"id": "b", "ladder": [{"unit": "all", "price": 150}]}]);
    let always = json!({});
    // Early bird: a flat price for those who leave late enough. Noon is 20:00 in Shanghai.
    let late = json!({"exit": {"from": "22:30", "to": "24:00"}});
    let plans = json!([
        plan("late", &late, "split", &flat),
        plan("usual", &always, "split", &hourly)
    ]);
    assert_eq!(
        at_two_times(&plans, &Value::Null, [149, 151]),
        [300, 150],
        "a plan's exit"
    );
    let long = json!({"minutes": {"gt": 120}});
    let plans = json!([
        plan("long", &long, "split", &flat),
        plan("usual", &always, "split", &hourly)
    ]);
    assert_eq!(
        at_two_times(&plans, &Value::Null, [120, 121]),
        [200, 150],
        "a plan's length"
    );
    // The maximum of the day of the exit.
    let plans = json!([plan("usual", &always, "split", &hourly)]);
    let caps = json!([{"max": 250, "over": "stay", "if": {"exit": {"days": "wed"}}}]);
    assert_eq!(at_two_times(&plans, &caps, [239, 242]), [400, 250], "a cap's exit");
    // The hour begun in the dear band is made whole at the cheap band's price.
    let bands = json!([
        {"id": "dear", "when": {"to": "20:30"}, "ladder": [{"unit": 60, "price": 600}]},
        {"id": "cheap", "ladder": [{"unit": 15, "price": 15}]},
    ]);
    let plans = json!([plan("total", &always, "total", &bands)]);
    assert_eq!(
        at_two_times(&plans, &Value::Null, [1, 31]),
        [600, 315],
        "total over two paid bands"
    );
    // The second cap finds used what the first one has let through, of all items.
    let plans = json!([plan("usual", &always, "split", &hourly)]);
    let pool = |max: i64| json!({"max": max, "over": {"daily": "00:00"}, "scope": "account", "pool": "x"});
    let caps = json!([pool(150), pool(200)]);
    assert_eq!(at_two_times(&plans, &caps, [60, 120]), [100, 50], "a pool named twice");
    // A list of falling limits is no exception: later items are lowered, earlier ones stay.
    let plans = json!([plan("usual", &always, "split", &hourly)]);
    let caps = json!([{"max": [300, 100, 0], "over": {"every": 240}}]);
    assert_eq!(at_two_times(&plans, &caps, [240, 700]), [300, 400]);
}
