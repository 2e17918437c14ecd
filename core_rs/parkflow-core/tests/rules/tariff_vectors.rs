//! Tariffs: the shared cases, texts that are refused, and what must hold for every tariff and stay.

use crate::golden::{json, number, rows, string};
use parkflow_core::tariff::{
    History, Payment, PriceError, Stay, Tariff, TariffError, Terms, Voucher, VoucherKind, TEXT_BYTES_MAX,
};
use proptest::prelude::*;
use serde_json::Value;

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

/// A field of a stay, or of the case that it belongs to.
fn given<'a>(case: &'a Value, stay: &'a Value, name: &str) -> &'a Value {
    stay.get(name).or_else(|| case.get(name)).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn voucher(value: &Value) -> Voucher {
    let kind = VoucherKind::ALL
        .into_iter()
        .find(|kind| value["kind"] == kind.name())
        .unwrap();
    Voucher {
        kind,
        value: number(&value["value"]),
    }
}

/// What is due for one stay of a case.
fn due_minor(tariff: &Tariff, case: &Value, stay: &Value, history: &mut History) -> i64 {
    let instant_s = |value: &Value| tariff.instant_s(string(value)).unwrap();
    let tags: Vec<&str> = list(given(case, stay, "tags")).iter().map(string).collect();
    let covered: Vec<_> = list(given(case, stay, "covered"))
        .iter()
        .map(|c| (instant_s(&c[0]), instant_s(&c[1])))
        .collect();
    let vouchers: Vec<_> = list(given(case, stay, "vouchers")).iter().map(voucher).collect();
    let payment = |value: &Value| Payment {
        at_s: instant_s(&value["at"]),
        amount_minor: number(&value["amount"]),
    };
    let paid: Vec<_> = list(given(case, stay, "paid")).iter().map(payment).collect();
    let terms = Terms {
        covered: &covered,
        vouchers: &vouchers,
        vouchers_as_given: given(case, stay, "order") == "given",
        paid: &paid,
    };
    let stay = Stay {
        entry_s: instant_s(given(case, stay, "entry")),
        exit_s: instant_s(given(case, stay, "exit")),
        class: given(case, stay, "vehicle_class").as_str(),
        tags: &tags,
    };
    let fee = tariff.settle(&stay, &terms, history).unwrap();
    assert_eq!(
        fee.lines.iter().map(|line| line.amount_minor).sum::<i64>(),
        fee.fee_minor
    );
    if tariff.needs_history() {
        assert_eq!(tariff.price(&stay), Err(PriceError::HistoryNeeded));
    } else if terms == Terms::default() {
        assert_eq!(tariff.price_minor(&stay), Ok(fee.fee_minor));
    }
    fee.fee_minor
}

#[test]
fn every_shared_case_is_priced_as_published() {
    let cases = json("tariffs.json");
    for case in rows(&cases["cases"]) {
        let tariff = Tariff::parse(&case["tariff"]["ptl"].to_string()).unwrap();
        let mut history = History::default();
        let stays = if case["kind"] == "stay" {
            std::slice::from_ref(case)
        } else {
            rows(&case["stays"])
        };
        for stay in stays {
            let expected: i64 = number(&stay["expected_fee_minor_units"]);
            assert_eq!(
                due_minor(&tariff, case, stay, &mut history),
                expected,
                "{}: {}",
                case["id"],
                case["why"]
            );
        }
    }
    assert_eq!(rows(&cases["cases"]).len(), 258);
}

#[test]
fn a_refused_text_names_line_and_field_and_what_would_be_right() {
    let ladder = "ladder: [{unit: 30, price: 100}]";
    for (text, code, path, word) in [
        (String::new(), "tariff_syntax", "", "empty"),
        ("ptl: [".to_owned(), "tariff_syntax", "", "YAML"),
        ("ptl: 2".to_owned(), "tariff_invalid", "ptl", "needs 1"),
        ("ptl: 1\nptl: 1".to_owned(), "tariff_syntax", "", "twice"),
        ("ptl: 1\nx: &a 1".to_owned(), "tariff_syntax", "x", "anchors"),
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
            "tariff_invalid",
            "plans[0].like",
            "no plan `car`",
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
            "plans[0].bands[0].ladder[0].price",
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
    let fields: Vec<String> = (0..300).map(|number| format!("k{number}: 1")).collect();
    assert!(refusal(&fields.join("\n")).message.contains("more than 256"));
    let many = "{unit: 1, price: 1, for: 1},".repeat(65);
    assert_eq!(
        refusal(&simple("", &format!("ladder: [{many}]"))).code,
        "tariff_invalid"
    );
    let primes = "ladder: [{unit: 86399s, price: 1, bill: 1s, for: 1}, {unit: 86371s, price: 1, bill: 1s}]";
    assert_eq!(refusal(&simple("", primes)).path, "plans[0]");
}

#[test]
fn a_refusal_is_one_short_line_whatever_the_text_says() {
    let nasty = "\\n\\x07".repeat(5_000);
    let ladder = "ladder: [{unit: 30, price: 100}]";
    for text in [
        format!("ptl: 1\n\"{nasty}\": 1"),
        format!("\"{nasty}\": 1\n\"{nasty}\": 1"),
        simple("", &format!("when: {{days: [\"{nasty}\"]}}, {ladder}")),
        simple(
            &format!("caps: [{{max: 1, over: cycle, bands: [\"{nasty}\"]}}],"),
            ladder,
        ),
        simple("", &format!("when: {{from: \"{nasty}\"}}, {ladder}")),
        simple("", ladder).replace("id: t,", "id: \"a\\0b\","),
        simple("", ladder).replace("id: b,", &format!("id: {},", "b".repeat(101))),
        simple("", ladder).replace("Asia/Shanghai", &format!("\"{nasty}\"")),
    ] {
        let shown = refusal(&text).to_string();
        assert!(
            shown.chars().count() < 500 && !shown.contains(char::is_control),
            "{shown}"
        );
    }
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
    let receipt = tariff.receipt_json(&stay, &Terms::default(), &fee);
    let value: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(value.to_string(), receipt, "compact, names sorted");
    assert_eq!(value["fee_minor"], 180);
    assert_eq!(value["tariff_sha256"], tariff.sha256_hex());
}

#[test]
fn a_refused_stay_leaves_the_history_as_it_was() {
    let text = simple(
        "caps: [{max: 500, over: {daily: \"00:00\"}, scope: account}],",
        "ladder: [{unit: 60, price: 300}]",
    );
    let tariff = Tariff::parse(&text).unwrap();
    let mut history = History::default();
    let mut due = |entry_s, exit_s| {
        tariff
            .settle(&stay(entry_s, exit_s), &Terms::default(), &mut history)
            .map(|fee| fee.fee_minor)
    };
    assert_eq!(due(NOON_S, NOON_S + 3_600), Ok(300));
    assert_eq!(due(NOON_S, NOON_S - 1), Err(PriceError::ExitBeforeEntry));
    assert_eq!(
        due(NOON_S + 4_000, NOON_S + 5_000),
        Ok(200),
        "the rest of the day's cap"
    );
    assert_eq!(due(NOON_S + 86_400, NOON_S + 86_401), Ok(300), "another day");
}

#[test]
fn what_was_paid_counts_as_the_tariff_says() {
    let ladder = "ladder: [{unit: 60, price: 300}], restart: cycle";
    let price = |rule: &str, exit_s: i64| {
        let text = simple("", ladder).replace("plans:", &format!("leave: {rule}, plans:"));
        let paid = [Payment {
            at_s: NOON_S + 3_600,
            amount_minor: 300,
        }];
        let terms = Terms {
            paid: &paid,
            ..Terms::default()
        };
        let tariff = Tariff::parse(&text).unwrap();
        tariff
            .settle(&stay(NOON_S, exit_s), &terms, &mut History::default())
            .unwrap()
            .fee_minor
    };
    for rule in ["{minutes: 15, then: topup}", "{minutes: 15, then: restart}"] {
        assert_eq!(price(rule, NOON_S + 3_600 + 900), 0, "left in time");
        assert_eq!(price(rule, NOON_S + 3_600 + 901), 300, "left too late");
    }
    assert_eq!(price("{minutes: 0, then: topup}", NOON_S + 2 * 3_600 + 1), 600);
    assert_eq!(price("{minutes: 0, then: restart}", NOON_S + 2 * 3_600 + 1), 600);
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
    fn the_lines_add_up_to_what_is_due(case in 0_usize..258, paid_minor in 0_i64..3_000, percent_bp in 0_i64..20_000,
                                          pass_s in 0_i64..100_000, entry_s in 1_400_000_000_i64..1_900_000_000, length_s in 0_i64..900_000) {
        let cases = json("tariffs.json");
        let case = &rows(&cases["cases"])[case];
        let tariff = Tariff::parse(&case["tariff"]["ptl"].to_string()).unwrap();
        let terms = Terms {
            covered: &[(entry_s + 1_000, entry_s + 1_000 + pass_s)],
            vouchers: &[Voucher { kind: VoucherKind::Percent, value: percent_bp }],
            vouchers_as_given: false,
            paid: &[Payment { at_s: entry_s + pass_s, amount_minor: paid_minor }],
        };
        if let Ok(fee) = tariff.settle(&stay(entry_s, entry_s + length_s), &terms, &mut History::default()) {
            prop_assert!(fee.fee_minor >= 0);
            prop_assert_eq!(fee.lines.iter().map(|line| line.amount_minor).sum::<i64>(), fee.fee_minor);
            for line in &fee.lines {
                prop_assert!(fee.entry_s <= line.from_s && line.from_s <= line.to_s && line.to_s <= fee.exit_s);
            }
        }
    }
}
