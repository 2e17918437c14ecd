//! The language of tariffs: when a tariff is valid, short forms that are written out, templates, and refusals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use parkflow_core::tariff::{PriceError, Stay, Tariff, TariffError};

const LADDER: &str = "ladder: [{unit: 60, price: 200}]";

/// A tariff with these fields beside the usual ones.
fn tariff_text(fields: &str) -> String {
    format!("{{ptl: 1, id: t, currency: EUR, minor_exponent: 2, timezone: Europe/Berlin, {fields}}}")
}

/// A tariff with these plans.
fn plans_text(plans: &str) -> String {
    tariff_text(&format!("plans: [{plans}]"))
}

/// A plan with these fields and one band.
fn plan_text(fields: &str, band: &str) -> String {
    format!("{{id: p, cycle: stay, edge: split, {fields} bands: [{{id: b, {band}}}]}}")
}

fn parsed(text: &str) -> Tariff {
    Tariff::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refusal(text: &str) -> TariffError {
    Tariff::parse(text).expect_err("a refusal")
}

/// The fee of a stay between two local times.
fn fee_minor(tariff: &Tariff, entry: &str, exit: &str) -> Result<i64, PriceError> {
    tariff.price_minor(&Stay {
        entry_s: tariff.instant_s(entry).unwrap(),
        exit_s: tariff.instant_s(exit).unwrap(),
        class: Some("car"),
        tags: &[],
    })
}

#[test]
fn a_stay_is_priced_only_by_the_version_that_is_valid_at_its_entry() {
    let valid = "valid: {from: 2026-03-01, to: 2026-10-01T04:00}, clock: {step: 60}, ";
    let plan = format!("plans: [{}]", plan_text("", LADDER));
    let tariff = parsed(&tariff_text(&format!("{valid}{plan}")));
    let bound = |text: &str| tariff.instant_s(text);
    assert_eq!(tariff.valid(), (bound("2026-03-01T00:00"), bound("2026-10-01T04:00")));
    assert!(!tariff.version_at_exit());
    let outside = Err(PriceError::OutsideValidity);
    for (entry, exit, fee) in [
        ("2026-02-28T23:59:59", "2026-03-01T01:00", outside),
        ("2026-03-01T00:00", "2026-03-01T01:00", Ok(200)),
        // The rounded entry decides, and the exit may lie behind the end.
        ("2026-10-01T03:59:59", "2026-10-01T04:59", Ok(200)),
        ("2026-10-01T04:00", "2026-10-01T05:00", outside),
    ] {
        assert_eq!(fee_minor(&tariff, entry, exit), fee, "{entry}");
    }
    let at_exit = parsed(&tariff_text(&format!("{valid}version_at: exit, {plan}")));
    assert!(at_exit.version_at_exit());
    assert_eq!(fee_minor(&at_exit, "2026-02-28T23:30", "2026-03-01T00:30"), Ok(200));
    assert_eq!(fee_minor(&at_exit, "2026-10-01T03:00", "2026-10-01T04:00"), outside);
    assert_eq!(PriceError::OutsideValidity.code(), "tariff_not_valid");
}

#[test]
fn a_bound_of_validity_may_be_missing_or_fall_into_a_skipped_hour() {
    let plan = format!("plans: [{}]", plan_text("", LADDER));
    let from = |text: &str| parsed(&tariff_text(&format!("valid: {{from: {text}}}, {plan}"))).valid();
    // 02:30 does not exist on that night: clocks go from 02:00 to 03:00, which is 01:00 UTC.
    let (skipped, open) = from("2026-03-29T02:30");
    assert_eq!((skipped, open), (Some(1_774_746_000), None));
    assert_eq!(from("\"2026-03-29 03:00:00\"").0, skipped);
    for bad in [
        "{from: 2026-3-1}",
        "{from: 5}",
        "{from: 2026-03-01, to: 2026-03-01}",
        "{until: 2026-03-01}",
    ] {
        assert!(
            refusal(&tariff_text(&format!("valid: {bad}, {plan}")))
                .path
                .starts_with("valid"),
            "{bad}"
        );
    }
}
