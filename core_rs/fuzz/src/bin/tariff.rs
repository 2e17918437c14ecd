//! Any text as a tariff: it is read or refused, its canonical form means the same, and its fees are never a surprise.
#![cfg_attr(fuzzing, no_main)]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a finding is a panic"
)]

use std::fs;
use std::path::Path;

use parkflow_core::tariff::{History, Payment, Stay, Tariff, Terms, Voucher, VoucherKind};
use parkflow_fuzz::Choices;

parkflow_fuzz::target!(check, seeds);

/// What stands before the text: the stay that is priced, and what the driver has beside it.
const STAY_BYTES: usize = 10;
const TEN_YEARS_S: i64 = 3_652 * 86_400;

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let entry_s = i64::from(u32::from_be_bytes(choices.array()));
    let [high, low] = choices.array();
    // Up to three weeks in steps of 29 seconds, or thirty years.
    let length_s = i64::from(u16::from_be_bytes([high, low])) * if high == 0xff { 14_400 } else { 29 };
    let class = *choices.one_of(&[None, Some("car"), Some("large")]);
    let tags = *choices.one_of::<&[&str]>(&[&[], &["lost"]]);
    let voucher = Voucher {
        kind: *choices.one_of(&VoucherKind::ALL),
        value: i64::from(choices.byte()) * 10,
    };
    let text = String::from_utf8_lossy(choices.0);
    let Ok(tariff) = Tariff::parse_with(&text, &template) else {
        return;
    };
    // Without templates the text means the same or is refused.
    assert!(Tariff::parse(&text).is_ok_and(|plain| plain == tariff) || text.contains("template"));
    let again = Tariff::parse(tariff.canonical_json()).expect("the canonical form is a tariff");
    assert_eq!(again.canonical_json(), tariff.canonical_json());
    assert_eq!(again.sha256_hex(), tariff.sha256_hex());
    let stay = Stay {
        entry_s,
        exit_s: entry_s + length_s,
        class,
        tags,
    };
    check_stay(&tariff, &again, &stay, voucher);
    let years = Stay {
        exit_s: entry_s + TEN_YEARS_S,
        ..stay
    };
    assert_eq!(again.price(&years), tariff.price(&years));
    for warning in tariff.warnings() {
        assert!(!warning.message.contains(char::is_control));
    }
}

/// A whole tariff, and a text that names itself.
fn template(name: &str) -> Option<String> {
    match name {
        "rich" => Some(RICH.to_owned()),
        "loop" => Some("{template: loop}".to_owned()),
        _ => None,
    }
}

fn check_stay(tariff: &Tariff, again: &Tariff, stay: &Stay<'_>, voucher: Voucher) {
    let priced = tariff.price(stay);
    assert_eq!(again.price(stay), priced);
    let fee_minor = priced.as_ref().map(|fee| fee.fee_minor).map_err(|error| *error);
    assert_eq!(tariff.price_minor(stay), fee_minor);
    assert!(fee_minor.unwrap_or(0) >= 0);
    if let Ok(fee) = &priced {
        let receipt = tariff.receipt_json(stay, &Terms::default(), fee);
        assert_eq!(again.receipt_json(stay, &Terms::default(), fee), receipt);
    }
    // The same stay with a voucher, after a payment half-way, and once more right behind itself.
    let terms = Terms {
        covered: &[(stay.entry_s, stay.entry_s + 600)],
        vouchers: &[voucher],
        vouchers_as_given: voucher.value % 20 == 0,
        paid: &[Payment {
            at_s: stay.entry_s + (stay.exit_s - stay.entry_s) / 2,
            amount_minor: voucher.value,
        }],
    };
    let mut history = History::default();
    for _ in 0..2 {
        let settled = tariff.settle(stay, &terms, &mut history);
        assert!(settled.is_err() || settled.is_ok_and(|fee| fee.fee_minor >= 0));
    }
}

/// The tariffs of the library, and a small one with the parts that those do not have.
fn seeds() -> Vec<Vec<u8>> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parkflow/tariff/library");
    let mut paths: Vec<_> = fs::read_dir(library)
        .expect("the library is there")
        .map(|entry| entry.expect("its files can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    paths.sort();
    let library = paths.iter().map(|path| fs::read_to_string(path).expect("text"));
    let texts = library
        .flat_map(|text| [without_comments(&text), text])
        .chain([RICH.to_owned(), SHORT.to_owned()]);
    let texts = texts.inspect(|text| assert_eq!(Tariff::parse_with(text, &template).err(), None, "a seed is a tariff"));
    let stays = [
        [89, 234, 32, 0, 1, 0, 1, 0, 0, 0],
        [106, 220, 16, 200, 40, 7, 0, 1, 1, 3],
    ];
    let with_stays = |text: String| stays.map(|stay: [u8; STAY_BYTES]| [&stay, text.as_bytes()].concat());
    texts.flat_map(with_stays).collect()
}

fn without_comments(text: &str) -> String {
    let kept = |line: &&str| !["#", "words", "source"].iter().any(|begin| line.starts_with(begin));
    text.lines().filter(kept).flat_map(|line| [line, "\n"]).collect()
}

const RICH: &str = r#"{ptl: 1, id: rich, currency: USD, minor_exponent: 2, timezone: America/New_York,
clock: {step: 60, entry: floor, exit: ceil}, round: {to: 5, mode: half_even}, choose: lowest,
discount_order: [minutes, points, amount, percent], leave: {minutes: 15, then: topup},
reentry: {within: 30m, mode: continue}, tax: {rate_bp: 825, mode: added}, dates: {PH: ["2026-12-25"]},
plans: [{id: day, if: {class: [car], entry: {from: "06:00", to: "22:00"}, minutes: {ge: 1}}, free: {minutes: 20, per: day},
entry_fee: 50, min: 10, cycle: {daily: "05:00"}, edge: carry,
bands: [{id: a, when: [{from: "06:00", to: "18:00", days: [mon-fri]}], loop: 0, restart: cycle,
ladder: [{unit: 1h, price: 200, for: 2h, bill: 30}, {unit: 20s, price: 3, for: 1h}]}, {id: b, ladder: []}],
caps: [{max: 900, over: {every: 24h}}, {max: [400, 500], over: {daily: "05:00"}, bands: [a], scope: account, pool: city}]},
{id: lost, if: {tag: [lost]}, cycle: {every: 24h}, edge: split, bands: [{id: all, ladder: [{unit: all, price: 5000}]}]},
{id: sum, cycle: stay, edge: total, grace: {minutes: 5, strict: true}, bands: [{id: all, ladder: [{unit: 7, price: 5}]}]}]}
"#;

const SHORT: &str = r"{template: rich, id: short, valid: {from: 1970-01-02, to: 2099-12-31T23:00}, version_at: entry,
plans: [{id: van, like: car, factor_bp: 15000, if: {class: [large]}}, {id: car, cycle: stay, edge: split, per_day_max: 2400,
bands: [{id: day, when: {from: 08:00, to: 20:00}, table: [[60, 140], [2h, 280]], ladder: [{unit: 30, price: 60}]}]}]}
";
