//! Tariffs: the shared cases, texts that are refused, and what must hold for every tariff and stay.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod golden;

use golden::{json, number, rows, string};
use parkflow_core::tariff::{PriceError, Stay, Tariff, TariffError, TEXT_BYTES_MAX};
use proptest::prelude::*;

const NOON_S: i64 = 1_792_497_600;
const LIBRARY: [&str; 4] = [
    "us-charlottesville-2017",
    "cn-hangzhou-core",
    "cn-beijing-1",
    "cn-shenzhen-1",
];

fn library(name: &str) -> String {
    let path = format!(
        "{}/../../parkflow/tariff/library/{name}.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

fn stay(entry_s: i64, exit_s: i64) -> Stay<'static> {
    Stay {
        entry_s,
        exit_s,
        class: Some("car"),
        tags: &[],
    }
}

/// A tariff of one plan with the given fields of plan and band.
fn simple(plan: &str, band: &str) -> String {
    format!(
        "{{ptl: 1, id: t, currency: CNY, minor_exponent: 2, timezone: Asia/Shanghai, plans: [{{id: p, cycle: stay, edge: split,\
         {plan} bands: [{{id: b, {band}}}]}}]}}"
    )
}

fn refusal(text: &str) -> TariffError {
    Tariff::parse(text).expect_err("a refusal")
}

#[test]
fn every_shared_case_is_priced_as_published() {
    let cases = json("tariffs.json");
    let mut checked = 0;
    for case in rows(&cases["cases"]).iter().filter(|case| case["kind"] == "stay") {
        if ["vouchers", "paid", "covered"]
            .iter()
            .any(|input| case.get(input).is_some())
        {
            continue;
        }
        let tariff = Tariff::parse(&case["tariff"]["ptl"].to_string()).unwrap();
        let tags: Vec<&str> = case["tags"].as_array().into_iter().flatten().map(string).collect();
        let stay = Stay {
            entry_s: tariff.instant_s(string(&case["entry"])).unwrap(),
            exit_s: tariff.instant_s(string(&case["exit"])).unwrap(),
            class: case["vehicle_class"].as_str(),
            tags: &tags,
        };
        let expected: i64 = number(&case["expected_fee_minor_units"]);
        let fee = tariff.price(&stay).unwrap();
        assert_eq!(fee.fee_minor, expected, "{}: {}", case["id"], case["why"]);
        assert_eq!(tariff.price_minor(&stay), Ok(expected));
        checked += 1;
    }
    assert!(checked > 200, "only {checked} cases");
}

#[test]
fn a_refused_text_names_line_and_field_and_what_would_be_right() {
    let ladder = "ladder: [{unit: 30, price: 100}]";
    for (text, code, path, word) in [
        (String::new(), "tariff_syntax", "", "empty"),
        ("ptl: [".to_owned(), "tariff_syntax", "", "YAML"),
        ("ptl: 2".to_owned(), "tariff_invalid", "ptl", "from 1 to 1"),
        ("ptl: 1\nptl: 1".to_owned(), "tariff_syntax", "", "twice"),
        ("ptl: 1\nx: &a 1".to_owned(), "tariff_syntax", "", "anchors"),
        ("ptl: 1\n---\nptl: 1".to_owned(), "tariff_syntax", "", "second document"),
        (
            simple("", ladder).replace("Shanghai", "Atlantis"),
            "tariff_invalid",
            "timezone",
            "Asia/Shanghai",
        ),
        (
            simple("", ladder).replace("id: t,", ""),
            "tariff_invalid",
            "",
            "`id` is missing",
        ),
        (
            simple("colour: red,", ladder),
            "tariff_invalid",
            "plans[0].colour",
            "unknown field",
        ),
        (
            simple("like: car,", ladder),
            "tariff_unsupported",
            "plans[0].like",
            "not priced",
        ),
        (
            simple("", "ladder: [{unit: 0, price: 1}]"),
            "tariff_invalid",
            "plans[0].bands[0].ladder[0].unit",
            "longer",
        ),
        (
            simple("", "ladder: [{unit: 1.5, price: 1}]"),
            "tariff_invalid",
            "plans[0].bands[0].ladder[0].unit",
            "1h30m",
        ),
        (
            simple("", "ladder: [{unit: 30, price: -1}]"),
            "tariff_invalid",
            "plans[0].bands[0].ladder[0].price",
            "from 0",
        ),
        (
            simple("", "ladder: [{unit: 30, price: 2.5}]"),
            "tariff_invalid",
            "plans[0].bands[0].ladder[0].price",
            "whole",
        ),
        (
            simple("", "ladder: [{unit: 30, price: 99999999999999999999}]"),
            "tariff_syntax",
            "",
            "too large",
        ),
        (
            simple("", "ladder: [{unit: 30, price: 1}, {unit: 30, price: 1}]"),
            "tariff_invalid",
            "plans[0].bands[0].ladder[1]",
            "`for`",
        ),
        (
            simple("", &format!("when: {{from: 8:00}}, {ladder}")),
            "tariff_invalid",
            "plans[0].bands[0].when.from",
            "08:00",
        ),
        (
            simple("", &format!("when: {{days: [XMAS]}}, {ladder}")),
            "tariff_invalid",
            "plans[0].bands[0].when.days[0]",
            "XMAS",
        ),
        (
            simple("caps: [{max: 1, over: cycle, bands: [zzz]}],", ladder),
            "tariff_invalid",
            "plans[0].caps[0].bands[0]",
            "not a band",
        ),
    ] {
        let error = refusal(&text);
        assert_eq!((error.code, error.path.as_str()), (code, path), "{text}: {error}");
        assert!(error.message.contains(word), "{text}: {error}");
        assert!(error.line >= 1 && !error.to_string().contains('\n'));
    }
    assert_eq!(
        refusal("ptl: 1\nid: x\ncurrency: cny\n").line,
        1,
        "a missing field is told at the start of its map"
    );
}

#[test]
fn hostile_texts_are_refused_in_bounded_work() {
    assert_eq!(refusal(&"[".repeat(100_000)).code, "tariff_syntax");
    assert_eq!(refusal(&"- ".repeat(50_000)).code, "tariff_syntax");
    assert_eq!(refusal(&" ".repeat(TEXT_BYTES_MAX + 1)).code, "tariff_syntax");
    let many = "{unit: 1, price: 1, for: 1},".repeat(65);
    assert_eq!(
        refusal(&simple("", &format!("ladder: [{many}]"))).code,
        "tariff_invalid"
    );
    let primes = "ladder: [{unit: 86399s, price: 1, bill: 1s, for: 1}, {unit: 86371s, price: 1, bill: 1s}]";
    assert_eq!(refusal(&simple("", primes)).path, "plans[0]");
}

#[test]
fn a_ten_year_stay_is_priced_exactly_or_refused() {
    let years_s = 3_652 * 86_400;
    let hour = Tariff::parse(&simple("", "ladder: [{unit: 1h, price: 100}]")).unwrap();
    assert_eq!(hour.price_minor(&stay(NOON_S, NOON_S + years_s)), Ok(3_652 * 24 * 100));
    let second = Tariff::parse(&simple("", "loop: 0, ladder: [{unit: 1s, price: 1, for: 1s}]")).unwrap();
    assert_eq!(
        second.price_minor(&stay(NOON_S, NOON_S + years_s)),
        Err(PriceError::TooManyItems)
    );
    let dear = Tariff::parse(&simple("", "ladder: [{unit: 1s, price: 1000000000000}]")).unwrap();
    assert_eq!(
        dear.price_minor(&stay(NOON_S, NOON_S + years_s)),
        Err(PriceError::FeeTooLarge)
    );
}

#[test]
fn impossible_stays_are_refused() {
    let tariff = Tariff::parse(&library("cn-hangzhou-core")).unwrap();
    for (stay, error) in [
        (stay(NOON_S, NOON_S - 60), PriceError::ExitBeforeEntry),
        (stay(-1, NOON_S), PriceError::InstantOutOfRange),
        (stay(NOON_S, i64::MAX), PriceError::InstantOutOfRange),
        (stay(0, 1_000_000_000), PriceError::StayTooLong),
        (
            Stay {
                class: Some("tank"),
                ..stay(NOON_S, NOON_S + 60)
            },
            PriceError::NoPlan,
        ),
    ] {
        assert_eq!(tariff.price(&stay), Err(error));
    }
    assert_eq!(tariff.price_minor(&stay(NOON_S, NOON_S)), Ok(0));
}

#[test]
fn the_hash_follows_the_content_and_not_the_spelling() {
    let yaml = Tariff::parse(&library("us-charlottesville-2017")).unwrap();
    let json = Tariff::parse(yaml.canonical_json()).unwrap();
    assert_eq!(json, yaml);
    let dearer = Tariff::parse(&yaml.canonical_json().replace("\"min\":90", "\"min\":91")).unwrap();
    assert_ne!(dearer.sha256_hex(), yaml.sha256_hex());
    assert_eq!(yaml.sha256_hex().len(), 64);
}

#[test]
fn a_receipt_is_the_same_bytes_every_time() {
    let tariff = Tariff::parse(&library("us-charlottesville-2017")).unwrap();
    let stay = stay(1_508_500_800, 1_508_504_400);
    let fee = tariff.price(&stay).unwrap();
    let receipt = tariff.receipt_json(&stay, &fee);
    let value: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(value.to_string(), receipt, "compact, names sorted");
    assert_eq!(value["fee_minor"], 180);
    assert_eq!(value["tariff_sha256"], tariff.sha256_hex());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = Tariff::parse(&text);
    }

    #[test]
    fn no_cut_or_changed_tariff_makes_the_parser_panic(at in 0_usize..1_200, with in any::<char>(), cut in any::<bool>()) {
        for name in LIBRARY {
            let text = library(name);
            let mut characters: Vec<char> = text.chars().collect();
            let at = at % characters.len();
            if cut { characters.truncate(at) } else { characters[at] = with }
            if let Ok(tariff) = Tariff::parse(&characters.into_iter().collect::<String>()) {
                let _ = tariff.price(&stay(NOON_S, NOON_S + 100_000));
            }
        }
    }

    #[test]
    fn a_longer_stay_never_costs_less(which in 0_usize..4, entry_s in 1_400_000_000_i64..1_900_000_000,
                                      length_s in 0_i64..400_000, more_s in 0_i64..100_000) {
        let tariff = Tariff::parse(&library(LIBRARY[which])).unwrap();
        let shorter = tariff.price_minor(&stay(entry_s, entry_s + length_s)).unwrap();
        let longer = tariff.price_minor(&stay(entry_s, entry_s + length_s + more_s)).unwrap();
        prop_assert!(shorter <= longer);
    }

    #[test]
    fn the_lines_add_up_to_the_fee(case in 0_usize..200, entry_s in 1_400_000_000_i64..1_900_000_000, length_s in 0_i64..900_000) {
        let cases = json("tariffs.json");
        let case = &rows(&cases["cases"])[case];
        let tariff = Tariff::parse(&case["tariff"]["ptl"].to_string()).unwrap();
        if let Ok(fee) = tariff.price(&stay(entry_s, entry_s + length_s)) {
            prop_assert_eq!(fee.lines.iter().map(|line| line.amount_minor).sum::<i64>(), fee.fee_minor);
            for line in &fee.lines {
                prop_assert!(fee.entry_s <= line.from_s && line.from_s <= line.to_s && line.to_s <= fee.exit_s);
            }
        }
    }
}
