//! The history of an account as text, in records of fees, and after forgetting: the next fees are the same.

use parkflow_core::tariff::{History, Stay, Tariff, Terms, HISTORY_BYTES_MAX};
use proptest::prelude::*;
use serde_json::Value;

const NOON_S: i64 = 1_792_238_400;
const DAY_S: i64 = 86_400;

/// A tariff with the given rules of the tariff and of its plan.
fn tariff(of_tariff: &str, of_plan: &str) -> Tariff {
    let text = format!(
        r"{{ptl: 1, id: t, currency: EUR, minor_exponent: 2, timezone: Europe/Berlin, {of_tariff} plans: [{{id: p, {of_plan}
        cycle: stay, edge: split, bands: [{{id: all, ladder: [{{unit: 60, price: 200, bill: 7}}]}}]}}]}}"
    );
    Tariff::parse(&text).unwrap()
}

/// Every kind of shared window, daily free minutes, re-entry, alone and together.
fn tariffs() -> Vec<Tariff> {
    let weekly_turn = "{max: 1500, over: {weekly: \"sat 23:30\"}, scope: account, pool: \"a \\\"b\\\" é\"}";
    let daily = "{max: 500, over: {daily: \"07:00\"}, scope: account}";
    let first = "{max: 700, over: {every: 40h, anchor: first}, scope: account, pool: w}";
    vec![
        tariff("", &format!("caps: [{daily}],")),
        tariff("", &format!("caps: [{first}],")),
        tariff("", &format!("caps: [{daily}, {weekly_turn}],")),
        tariff("", "free: {minutes: 90, per: day},"),
        tariff("reentry: {within: 60, mode: continue},", ""),
        tariff(
            "reentry: {within: 3h, mode: continue}, clock: {step: 60, entry: floor, exit: ceil},",
            &format!("free: {{minutes: 30, per: day}}, caps: [{first}, {daily}, {weekly_turn}],"),
        ),
    ]
}

/// Stays of one account in order of exit, over some days around the end of summer time.
fn stays() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let stay = (0..6 * DAY_S, prop_oneof![0..2_000_i64, 0..2 * DAY_S]);
    proptest::collection::vec(stay, 1..12).prop_map(|mut stays| {
        stays.sort_by_key(|(start_s, length_s)| start_s + length_s);
        stays
            .into_iter()
            .map(|(start_s, length_s)| (NOON_S + start_s, NOON_S + start_s + length_s))
            .collect()
    })
}

fn stay((entry_s, exit_s): (i64, i64)) -> Stay<'static> {
    Stay {
        entry_s,
        exit_s,
        class: None,
        tags: &[],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(20), ..ProptestConfig::default() })]

    #[test]
    fn a_history_reads_back_exactly_and_a_record_gives_its_fee_again(stays in stays()) {
        for tariff in tariffs() {
            let mut history = History::default();
            for times in &stays {
                let stay = stay(*times);
                let before = history.clone();
                let fee = tariff.settle(&stay, &Terms::default(), &mut history).unwrap();
                let text = history.to_json();
                prop_assert_eq!(&History::from_json(&text).unwrap(), &history);
                // Sorted names, nothing between them: what the canonical form is.
                let tree: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(serde_json::to_string(&tree).unwrap(), text);

                let record = tariff.receipt_json_after(&before, &stay, &Terms::default(), &fee);
                let tree: Value = serde_json::from_str(&record).unwrap();
                prop_assert_eq!(serde_json::to_string(&tree).unwrap(), record.clone());
                let told = tree.get("history").map_or("{}".to_owned(), Value::to_string);
                let mut told = History::from_json(&told).unwrap();
                let recorded = told.clone();
                let again = tariff.settle(&stay, &Terms::default(), &mut told).unwrap();
                prop_assert_eq!(&again, &fee);
                prop_assert_eq!(tariff.receipt_json_after(&recorded, &stay, &Terms::default(), &again), record);
            }
        }
    }

    #[test]
    fn what_is_forgotten_changes_no_later_fee(stays in stays()) {
        for tariff in tariffs() {
            let (mut whole, mut short) = (History::default(), History::default());
            for (place, times) in stays.iter().enumerate() {
                let first_entry_s = stays.iter().skip(place).map(|(entry_s, _)| *entry_s).min().unwrap();
                // A stay that continues a chain is priced from the chain's entry on.
                let reach_s = if tariff.canonical_json().contains("reentry") { 8 * DAY_S } else { 60 };
                short.forget_before(first_entry_s - reach_s, tariff.shared_window_s());
                let fee = tariff.settle(&stay(*times), &Terms::default(), &mut whole).unwrap();
                prop_assert_eq!(tariff.settle(&stay(*times), &Terms::default(), &mut short).unwrap(), fee);
            }
        }
    }

    #[test]
    fn a_damaged_history_is_refused_or_read_as_what_it_says(at in 0_usize..120, letter in "[-0-9\\[\\]{}:,\"a\\\\ ]") {
        let text = r#"{"chain":{"charged_minor":40,"entry_s":1,"exit_s":9},"free":[[2,3],[4,5]],"uses":{"a/p/0":{"scale":7,"windows":[[1,0,4]]}}}"#;
        prop_assert_eq!(History::from_json(text).unwrap().to_json(), text);
        let mut damaged = text.to_owned();
        damaged.replace_range(at..=at, &letter);
        match History::from_json(&damaged) {
            Ok(history) => prop_assert_eq!(History::from_json(&history.to_json()), Ok(history)),
            Err(error) => prop_assert_eq!(error.code, "history_invalid"),
        }
    }
}

#[test]
fn a_row_stays_small_over_years() {
    let tariff = tariffs().pop().unwrap();
    let mut history = History::default();
    for day in 0..2_000 {
        let entry_s = NOON_S + day * DAY_S;
        tariff
            .settle(&stay((entry_s, entry_s + 20_000)), &Terms::default(), &mut history)
            .unwrap();
        history.forget_before(entry_s - 35 * DAY_S, tariff.shared_window_s());
        assert!(history.to_json().len() < 3_000, "{}", history.to_json());
    }
    history.forget_before(NOON_S + 3_000 * DAY_S, tariff.shared_window_s());
    assert!(history.to_json().starts_with("{\"chain\":{") && history.to_json().len() < 90);
}

#[test]
fn a_record_of_a_first_stay_says_nothing_of_a_history() {
    for tariff in tariffs() {
        let stay = stay((NOON_S, NOON_S + 9_000));
        let fee = tariff
            .settle(&stay, &Terms::default(), &mut History::default())
            .unwrap();
        assert!(!tariff.receipt_json(&stay, &Terms::default(), &fee).contains("history"));
    }
}

#[test]
fn what_no_history_is_is_refused_with_its_code() {
    let long = " ".repeat(HISTORY_BYTES_MAX);
    let refused = [
        "",
        "null",
        "[]",
        "{",
        "{}x",
        "{\"free\":[]",
        "{\"other\":1}",
        "{\"free\":[],\"free\":[]}",
        "{\"free\":[[1,2],[1,2]]}",
        "{\"free\":[[1,-2]]}",
        "{\"free\":[[1,2.0]]}",
        "{\"free\":[[1,01]]}",
        "{\"free\":[[-0,1]]}",
        "{\"free\":[[99999999999,1]]}",
        "{\"free\":[[1,2],]}",
        "{\"chain\":{}}",
        "{\"chain\":{\"charged_minor\":1,\"entry_s\":9,\"exit_s\":8}}",
        "{\"uses\":{\"\":{\"scale\":1,\"windows\":[]}}}",
        "{\"uses\":{\"a\":{\"scale\":0,\"windows\":[]}}}",
        "{\"uses\":{\"a\":{\"scale\":1}}}",
        "{\"uses\":{\"a\":{\"scale\":1,\"windows\":[[2,0,1],[1,0,1]]}}}",
        "{\"uses\":{\"\\ud800\":{\"scale\":1,\"windows\":[]}}}",
        "{\"uses\":{\"\\x\":{\"scale\":1,\"windows\":[]}}}",
        &(long + "{}"),
    ];
    for text in refused {
        assert_eq!(
            History::from_json(text).unwrap_err().code,
            "history_invalid",
            "{text:.80}"
        );
    }
    let spaced = " { \"uses\" : { \"\\ud83d\\ude97\\u00e9\" : { \"windows\" : [ [ -1 , 0 , 170141183460469231731687303715884105727 ] ] , \"scale\" : 7 } } } ";
    let read = History::from_json(spaced).unwrap().to_json();
    assert_eq!(
        read,
        "{\"uses\":{\"🚗é\":{\"scale\":7,\"windows\":[[-1,0,170141183460469231731687303715884105727]]}}}"
    );
}

/// S13 and S14: nothing of a pool is rounded, even where two plans measure it in other fractions.
#[test]
fn a_pool_over_plans_of_other_fractions_stays_exact() {
    let plan = |class: &str, unit: u8, price: u8| {
        format!(
            "{{id: {class}, if: {{class: [{class}]}}, cycle: stay, edge: split, bands: [{{id: b, ladder: [{{unit: {unit}, price: \
             {price}, bill: 1}}]}}], caps: [{{max: 20, over: {{daily: '00:00'}}, scope: account, pool: x}}]}}"
        )
    };
    let text = format!(
        "{{ptl: 1, id: t, currency: CNY, minor_exponent: 2, timezone: Asia/Shanghai, plans: [{}, {}]}}",
        plan("car", 2, 1),
        plan("large", 7, 100)
    );
    let tariff = Tariff::parse(&text).unwrap();
    let mut history = History::default();
    let mut settle = |class, entry_s, exit_s| {
        let stay = Stay {
            entry_s,
            exit_s,
            class: Some(class),
            tags: &[],
        };
        tariff.settle_minor(&stay, &Terms::default(), &mut history).unwrap()
    };
    // Half a unit of money is used, rounded up for the driver's bill only; 19 and a half are left.
    assert_eq!(settle("car", 1_792_497_600, 1_792_497_660), 1);
    assert_eq!(settle("large", 1_792_497_660, 1_792_498_260), 20);
    assert_eq!(settle("large", 1_792_498_260, 1_792_498_320), 0);
    assert_eq!(History::from_json(&history.to_json()), Ok(history));
}
