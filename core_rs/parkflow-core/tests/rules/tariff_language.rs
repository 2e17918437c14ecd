//! The language of tariffs: when a tariff is valid, short forms that are written out, templates, and refusals.

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

/// Whether a text means what another one says without short forms, byte for byte.
fn assert_same(short: &str, plain: &str) {
    let (short, plain) = (parsed(short), parsed(plain));
    assert_eq!(short.canonical_json(), plain.canonical_json());
    assert_eq!(short.sha256_hex(), plain.sha256_hex());
}

const PLAIN: &str = r#"{ptl: 1, id: plain, words: "2 € \"an hour\"", currency: USD, minor_exponent: 2, timezone: America/New_York,
clock: {step: 60, entry: floor, exit: ceil}, round: {to: 5, mode: half_even}, choose: lowest, dates: {PH: [2026-12-25]},
plans: [{id: day, if: {class: [car], entry: {from: "06:00", to: "22:00"}, minutes: {ge: 1}}, free: {minutes: 20, per: day},
entry_fee: 50, min: 10, cycle: {daily: "05:00"}, edge: carry,
bands: [{id: a, when: [{from: "06:00", to: "18:00", days: [mon-fri, "!PH"]}], loop: 0, restart: cycle,
ladder: [{unit: 1h, price: 200, for: 2h, bill: 30}, {unit: 20s, price: 3, for: 1h}]}, {id: b, ladder: []}],
caps: [{max: [400, null], over: {daily: "05:00"}, bands: [a], scope: account, pool: city}]},
{id: lost, if: {tag: [lost]}, grace: {minutes: 5, strict: true}, cycle: stay, edge: split,
bands: [{id: all, ladder: [{unit: all, price: 5000}]}]}]}"#;

#[test]
fn a_tariff_without_short_forms_keeps_its_hash() {
    // SHA-256 of the same fields as JSON with sorted names and without spaces, made by another program.
    let sha256_hex = "4a959d2031f3560a80790e8641d2a3221ee0fc0653e47a126694906258ac2459";
    assert_eq!(parsed(PLAIN).sha256_hex(), sha256_hex);
}

#[test]
fn a_table_is_a_ladder_of_differences() {
    let table = "table: [[60, 140], [2h, 280], [7230s, 280]]";
    let ladder = "{unit: 60, price: 140, for: 60}, {unit: 60, price: 140, for: 60}, {unit: 30s, price: 0, for: 30s}";
    let rest = "{unit: 60, price: 90}";
    assert_same(
        &plans_text(&plan_text("", table)),
        &plans_text(&plan_text("", &format!("ladder: [{ladder}]"))),
    );
    assert_same(
        &plans_text(&plan_text("", &format!("{table}, ladder: [{rest}]"))),
        &plans_text(&plan_text("", &format!("ladder: [{ladder}, {rest}]"))),
    );
    let tariff = parsed(&plans_text(&plan_text("", &format!("{table}, ladder: [{rest}]"))));
    for (exit, fee) in [
        ("01:00", 140),
        ("01:00:01", 280),
        ("02:00:30", 280),
        ("02:00:31", 370),
        ("03:00:31", 460),
    ] {
        let exit = format!("2026-05-04T{exit}");
        assert_eq!(fee_minor(&tariff, "2026-05-04T00:00", &exit), Ok(fee), "{exit}");
    }
}

#[test]
fn a_plan_like_another_is_its_copy_times_a_factor_under_its_own_fields() {
    let car = "{id: car, if: {class: [car]}, entry_fee: 50, min: 150, cycle: stay, edge: split, \
               bands: [{id: day, ladder: [{unit: 60, price: 200, for: 60}, {unit: 60, price: 300}]}], \
               caps: [{max: [900, null, 1000], over: {daily: \"00:00\"}}]}";
    // The copy of a copy, before and behind what it is like; a table is multiplied too.
    let truck = "{id: truck, like: large, if: {class: [truck]}, factor_bp: 10000, min: 0}";
    let large = "{id: large, like: car, if: {class: [large]}, factor_bp: 15000}";
    let plain = |id: &str, min: &str| {
        format!(
            "{{id: {id}, if: {{class: [{id}]}}, entry_fee: 75, {min}, cycle: stay, edge: split, \
             bands: [{{id: day, ladder: [{{unit: 60, price: 300, for: 60}}, {{unit: 60, price: 450}}]}}], \
             caps: [{{max: [1350, null, 1500], over: {{daily: \"00:00\"}}}}]}}"
        )
    };
    assert_same(
        &plans_text(&format!("{truck}, {car}, {large}")),
        &plans_text(&format!(
            "{}, {car}, {}",
            plain("truck", "min: 0"),
            plain("large", "min: 225")
        )),
    );
    assert_same(
        &plans_text(&format!(
            "{}, {{id: q, like: p, factor_bp: 5000}}",
            plan_text("", "table: [[60, 140], [90, 160]]")
        )),
        &plans_text(&format!(
            "{}, {}",
            plan_text("", "table: [[60, 140], [90, 160]]"),
            plan_text("", "table: [[60, 70], [90, 80]]").replace("id: p", "id: q")
        )),
    );
}

#[test]
fn per_day_max_is_the_last_cap_and_a_copy_has_its_own() {
    let cap = |max: i64| format!("{{max: {max}, over: {{daily: \"00:00\"}}}}");
    let inner = "{max: 500, over: occurrence}";
    let base = plan_text(&format!("caps: [{inner}], per_day_max: 2400,"), LADDER);
    let written = |caps: &str, id: &str| plan_text(&format!("caps: [{caps}],"), LADDER).replace("id: p", id);
    assert_same(
        &plans_text(&format!(
            "{base}, {{id: q, like: p, per_day_max: 1000}}, {{id: r, like: p, factor_bp: 20000}}"
        )),
        &plans_text(&format!(
            "{}, {}, {}",
            written(&format!("{inner}, {}", cap(2_400)), "id: p"),
            written(&format!("{inner}, {}", cap(1_000)), "id: q"),
            written(&format!("{{max: 1000, over: occurrence}}, {}", cap(4_800)), "id: r")
                .replace("price: 200", "price: 400"),
        )),
    );
    assert_same(
        &plans_text(&plan_text("per_day_max: 2400,", LADDER)),
        &plans_text(&plan_text(&format!("caps: [{}],", cap(2_400)), LADDER)),
    );
}

#[test]
fn a_short_form_that_cannot_be_written_out_is_refused_where_it_stands() {
    let plan = plan_text("entry_fee: 145,", LADDER);
    let with = |copy: &str| tariff_text(&format!("plans: [\n{plan},\n{copy}]"));
    let table = |rows: &str| plans_text(&plan_text("", &format!("table: {rows}")));
    let circle = "{id: q, like: r},\n{id: r, like: s},\n{id: s, like: q}";
    for (text, line, path, word) in [
        (with("{id: q, like: P}"), 3, "plans[1].like", "did you mean `p`?"),
        (with("{id: q, like: q}"), 3, "plans[1].like", "circle"),
        (with(circle), 5, "plans[3].like", "circle"),
        (with("{id: q, factor_bp: 1}"), 3, "plans[1].factor_bp", "needs `like`"),
        (
            with("{id: q, like: p, factor_bp: 5000}"),
            3,
            "plans[1].factor_bp",
            "`entry_fee` of plan `p` is 145",
        ),
        (
            with("{id: q, like: p, factor_bp: -1}"),
            3,
            "plans[1].factor_bp",
            "from 0",
        ),
        (with("{like: p}"), 3, "plans[1]", "`id` is missing"),
        (
            with("{id: q, like: p, per_day_max: much}"),
            3,
            "plans[1].per_day_max",
            "whole number",
        ),
        (table("[]"), 1, "plans[0].bands[0].table", "is empty"),
        (
            table("[[60, 140, 1]]"),
            1,
            "plans[0].bands[0].table[0]",
            "such as [60, 140]",
        ),
        (
            table("[[60, 140],\n[60, 150]]"),
            2,
            "plans[0].bands[0].table[1][0]",
            "not longer",
        ),
        (
            table("[[60, 140],\n[90, 100]]"),
            2,
            "plans[0].bands[0].table[1][1]",
            "falls from 140 to 100",
        ),
        (
            plans_text(&plan_text("per_day_max: 5, caps: 7,", LADDER)),
            1,
            "plans[0].caps",
            "needs a list",
        ),
    ] {
        let error = refusal(&text);
        assert_eq!((error.line, error.path.as_str()), (line, path), "{text}: {error}");
        assert!(error.message.contains(word), "{text}: {error}");
    }
    // What a copy brings along is refused on the line of its author.
    let inherited = with("{id: q, like: p, bands: [\n{id: b, ladder: 3}]}");
    assert_eq!(
        (refusal(&inherited).line, refusal(&inherited).path.as_str()),
        (4, "plans[1].bands[0].ladder")
    );
}
