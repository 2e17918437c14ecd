//! Warnings about valid tariffs: which they are, and that none is a false alarm.

use std::collections::BTreeSet;

use parkflow_core::tariff::{Lint, Stay, Tariff};

const PAID: &str = "ladder: [{unit: 60, price: 100}]";
const ALWAYS: &str = "bands: [{id: all, ladder: [{unit: 60, price: 100}]}]";

fn tariff(fields: &str, plans: &[String]) -> Tariff {
    let text = format!(
        "{{ptl: 1, id: t, currency: EUR, minor_exponent: 2, timezone: Europe/Berlin, {fields}\nplans: [\n{}]}}",
        plans.join(",\n")
    );
    Tariff::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn plan(id: &str, fields: &str) -> String {
    format!("{{id: {id}, cycle: stay, edge: split, {fields}}}")
}

/// A band for each window; they are parted by ` / `.
fn bands(windows: &str) -> String {
    let band = |(number, window): (usize, &str)| format!("{{id: b{number}, when: {window}, {PAID}}}");
    let bands: Vec<String> = windows.split(" / ").enumerate().map(band).collect();
    format!("bands: [{}]", bands.join(","))
}

/// The warnings of a tariff of one plan.
fn of_plan(fields: &str, plan_fields: &str) -> Vec<Lint> {
    tariff(fields, &[plan("p", plan_fields)]).warnings().to_vec()
}

/// The warnings of one rule: (path, message).
fn of_rule(code: &str, lints: &[Lint]) -> Vec<(String, String)> {
    let found = lints.iter().filter(|lint| lint.code == code);
    found.map(|lint| (lint.path.clone(), lint.message.clone())).collect()
}

fn paths(code: &str, lints: &[Lint]) -> Vec<String> {
    of_rule(code, lints).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn a_plain_tariff_has_no_warnings() {
    assert_eq!(of_plan("", ALWAYS), []);
    let night = format!("bands: [{{id: day, when: {{from: 08:00, to: 20:00}}, {PAID}}}, {{id: night, ladder: []}}]");
    assert_eq!(of_plan("", &night), []);
}

#[test]
fn hours_without_a_band_are_named_unless_the_tariff_says_that_they_are_free() {
    let dates = "dates: {PH: [2026-10-01]},";
    for (fields, windows, expected) in [
        (
            "",
            "{from: 08:00, to: 20:00, days: [mon-fri]}",
            "mon-fri 00:00-08:00 and 20:00-24:00, sat-sun 00:00-24:00 is free",
        ),
        (
            "",
            "{from: 08:00, to: 20:00} / {from: 22:00, to: 06:00}",
            "every day 06:00-08:00 and 20:00-22:00 is free",
        ),
        // A night belongs to the day on which it begins.
        (
            "",
            "{days: [mon-sun], from: 06:00, to: 22:00} / {from: 22:00, to: 06:00, days: [mon-sat]}",
            "mon 00:00-06:00, sun 22:00-24:00 is free",
        ),
        ("", "{days: [mon-fri]} / {days: [sat]}", "sun 00:00-24:00 is free"),
        ("", "{days: [mon-fri]} / {days: [sat-sun]}", ""),
        (
            dates,
            "{days: [mon-fri, \"!PH\"]} / {days: [sat-sun]}",
            "2026-10-01, as maybe other dates that are named, 00:00-24:00 is",
        ),
        // A holiday that is charged like a Sunday is no surprise.
        (
            dates,
            "{days: [mon-sat, \"!PH\"]} / {from: 10:00, to: 18:00, days: [sun, PH]}",
            "sun 00:00-10:00 and 18:00-24:00 is free",
        ),
        (
            "",
            "{season: [[04-01, 10-31]]}",
            "in a part of the year (as a mon that is 03-01) 00:00-24:00 is free",
        ),
        ("", "{season: [[04-01, 10-31]]} / {season: [[11-01, 03-31]]}", ""),
        (
            "",
            "{season: [[03-01, 12-31]]} / {season: [[01-01, 02-28]]}",
            "in a part of the year (as a mon that is 02-29) ",
        ),
        ("", "{on: [2026-05-01, 2026-05-31]} / {days: [mon-sun]}", ""),
    ] {
        let lints = of_plan(fields, &bands(windows));
        let found = of_rule("free_gap", &lints);
        // At most one warning, which begins so.
        let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
        match messages.as_slice() {
            [] => assert_eq!(expected, "", "{windows}"),
            [message] => assert!(
                !expected.is_empty() && message.starts_with(expected),
                "{windows}: {message}"
            ),
            several => panic!("{windows}: {several:?}"),
        }
        assert!(found.iter().all(|(path, _)| path == "plans[0].bands"));
    }
    let silenced = bands("{days: [mon]}").replace("}]}]", "}]}, {id: rest, ladder: []}]");
    assert_eq!(of_plan("", &silenced), []);
    let unpaid = bands("{days: [mon]}").replace("price: 100", "price: 0");
    assert_eq!(of_plan("", &unpaid), [], "where nothing is charged no hour is a gap");
}

#[test]
fn a_band_behind_bands_that_always_hold_is_named() {
    let dates = "dates: {PH: [2026-10-01, 2026-10-02]},";
    for (fields, windows, unreachable) in [
        ("", "{from: 00:00, to: 24:00} / {days: [sat]}", "1"),
        (
            "",
            "{days: [mon-fri]} / {days: [sat-sun]} / {from: 08:00, to: 09:00}",
            "2",
        ),
        ("", "{days: [mon-fri]} / {days: [sat]} / {from: 08:00, to: 09:00}", ""),
        (
            "",
            "{from: 22:00, to: 06:00} / {from: 05:00, to: 06:00} / {from: 05:00, to: 06:01}",
            "1",
        ),
        (
            "",
            "{from: 22:00, to: 06:00, days: [mon-fri]} / {from: 05:00, to: 06:00, days: [mon-fri]}",
            "",
        ),
        (
            "",
            "{from: 22:00, to: 06:00, days: [mon-fri]} / {from: 05:00, to: 06:00, days: [tue-sat]}",
            "1",
        ),
        (dates, "{days: [\"!PH\"]} / {days: [PH]} / {days: [mon-sun]}", "2"),
        (dates, "{days: [mon-fri]} / {days: [PH]}", "1"),
        (dates, "{days: [thu]} / {days: [PH]}", ""),
        (
            "",
            "{season: [[01-01, 06-30]]} / {season: [[07-01, 12-31]]} / {days: [mon]}",
            "2",
        ),
        (
            "",
            "{season: [[01-01, 02-28]]} / {season: [[03-01, 12-31]]} / {days: [mon]}",
            "",
        ),
        (
            "",
            "{on: [2026-05-01, 2026-05-31]} / {on: [2026-05-01, 2026-06-01]}",
            "",
        ),
        (
            "",
            "{on: [2026-05-01, 2026-05-31]} / {on: [2026-05-02, 2026-05-31], from: 08:00, to: 12:00}",
            "1",
        ),
        // A set of dates that is empty so far is meant to be filled.
        ("dates: {PH: []},", "{days: [mon-sun]} / {days: [PH]}", ""),
    ] {
        let lints = of_plan(fields, &bands(windows));
        let found = paths("unreachable_band", &lints);
        let expected = if unreachable.is_empty() {
            vec![]
        } else {
            vec![format!("plans[0].bands[{unreachable}]")]
        };
        assert_eq!(found, expected, "{windows}");
    }
}

#[test]
fn no_band_that_is_charged_is_called_unreachable() {
    const WINDOWS: [&str; 10] = [
        "{}",
        "{days: [mon-fri]}",
        "{days: [sat-sun, PH]}",
        "{days: [\"!PH\"], from: 08:00, to: 20:00}",
        "{from: 20:00, to: 08:00}",
        "{from: 20:00, to: 08:00, days: [fri, PH]}",
        "{season: [[11-15, 03-01]]}",
        "{season: [[03-02, 11-14]], to: 12:00}",
        "{on: [2026-05-01, 2026-08-10]}",
        "[{to: 12:00}, {from: 12:00, days: [mon-thu]}, {from: 12:00, days: [fri-sun]}]",
    ];
    let mut named = 0;
    for first in WINDOWS {
        for second in WINDOWS {
            for third in WINDOWS {
                let dates = "dates: {PH: [2026-10-01, 2026-12-25, 2026-12-27]},";
                let tariff = tariff(dates, &[plan("p", &bands(&format!("{first} / {second} / {third}")))]);
                let stay = Stay {
                    entry_s: tariff.instant_s("2026-01-01T00:00").unwrap(),
                    exit_s: tariff.instant_s("2027-03-20T00:00").unwrap(),
                    class: None,
                    tags: &[],
                };
                let charged: BTreeSet<String> = tariff
                    .price(&stay)
                    .unwrap()
                    .lines
                    .into_iter()
                    .map(|line| line.band)
                    .collect();
                for path in paths("unreachable_band", tariff.warnings()) {
                    let band = format!("b{}", &path["plans[0].bands[".len()..path.len() - 1]);
                    assert!(!charged.contains(&band), "{band} of {first} {second} {third}");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 300, "only {named} were found");
}

#[test]
fn a_plan_behind_one_that_wins_always_is_named_under_choose_first() {
    let conditions = [
        ("if: {class: [car]},", "if: {class: [car]},", true),
        ("if: {class: [car, van]},", "if: {class: [car], tag: [lost]},", true),
        ("if: {class: [car]},", "if: {class: [car, van]},", false),
        ("if: {class: [car]},", "", false),
        ("", "if: {tag: [lost]},", true),
        (
            "if: {minutes: {le: 60}},",
            "if: {class: [car], minutes: {le: 60, gt: 5}},",
            true,
        ),
        ("if: {minutes: {le: 60}},", "if: {minutes: {le: 30}},", false),
        ("if: {entry: {days: [mon]}},", "if: {entry: {days: [mon]}},", true),
        ("if: {entry: {days: [mon]}},", "if: {exit: {days: [mon]}},", false),
    ];
    for (first, second, is_named) in conditions {
        let plans = [
            plan("a", &format!("{first} {ALWAYS}")),
            plan("b", &format!("{second} {ALWAYS}")),
        ];
        let expected: &[String] = if is_named { &["plans[1]".to_owned()] } else { &[] };
        assert_eq!(
            paths("unreachable_plan", tariff("", &plans).warnings()),
            expected,
            "{first} {second}"
        );
        assert_eq!(
            paths("unreachable_plan", tariff("choose: lowest,", &plans).warnings()),
            [""; 0]
        );
    }
}

#[test]
fn a_ladder_that_ends_is_named_when_a_stay_can_outlast_it() {
    let ladder = |fields: &str, band: &str| {
        let band = format!("{{id: b, {band} ladder: [{{unit: 60, price: 1, for: 1h30m}}]}}");
        of_rule("ladder_end", &of_plan("", &format!("{fields} bands: [{band}]")))
    };
    let found = ladder("", "");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "plans[0].bands[0].ladder");
    assert!(found[0].1.starts_with("after 1 h 30 min the ladder ends"), "{found:?}");
    assert_eq!(ladder("", "loop: 0,"), []);
    assert_eq!(ladder("if: {minutes: {le: 90}},", ""), []);
    assert_eq!(ladder("if: {minutes: {le: 91}},", "").len(), 1);
    assert_eq!(ladder("", "when: {from: 08:00, to: 08:30},"), []);
    assert_eq!(ladder("", "when: {from: 08:00, to: 12:00},").len(), 1);
}

#[test]
fn caps_in_the_wrong_order_without_effect_or_of_nothing_are_named() {
    let caps = |caps: &str| of_plan("", &format!("{ALWAYS}, caps: [{caps}]"));
    let (day, week) = (
        "{max: 900, over: {daily: \"00:00\"}}",
        "{max: 3000, over: {weekly: \"mon 00:00\"}}",
    );
    assert_eq!(caps(&format!("{day}, {week}")), []);
    assert_eq!(
        paths("cap_order", &caps(&format!("{week}, {day}"))),
        ["plans[0].caps[1]"]
    );
    assert_eq!(
        paths("cap_order", &caps("{max: 9, over: stay}, {max: 5, over: {every: 24h}}")),
        ["plans[0].caps[1]"]
    );
    assert_eq!(
        paths(
            "cap_order",
            &caps("{max: 9, over: {every: 48h}}, {max: 5, over: {every: 24h}, if: {class: [car]}}")
        )
        .len(),
        1
    );
    let sides = "{max: 9, over: {every: 48h}, if: {class: [van]}}, {max: 5, over: {every: 24h}, if: {class: [car]}}";
    assert_eq!(caps(sides), []);
    let night = format!("bands: [{{id: night, when: {{from: 22:00, to: 06:00}}, {PAID}}}, {{id: day, {PAID}}}]");
    let inner = "{max: 5, over: occurrence, bands: [night]}";
    assert_eq!(
        paths("cap_order", &of_plan("", &format!("{night}, caps: [{day}, {inner}]"))),
        ["plans[0].caps[1]"]
    );
    assert_eq!(of_plan("", &format!("{night}, caps: [{inner}, {day}]")), []);
    assert_eq!(
        paths(
            "cap_never_reached",
            &caps(&format!("{day}, {}", day.replace("900", "1000")))
        ),
        ["plans[0].caps[1]"]
    );
    assert_eq!(caps(&format!("{}, {day}", day.replace("900", "1000"))), []);
    assert_eq!(
        paths("zero_cap", &caps("{max: 0, over: {every: 24h}}")),
        ["plans[0].caps[0]"]
    );
    assert_eq!(caps("{max: [900, 0], over: {every: 24h}}"), []);
}

#[test]
fn classes_without_a_plan_and_dates_without_use_are_named() {
    let of_class = |conditions: &[&str]| {
        let plans: Vec<String> = conditions
            .iter()
            .enumerate()
            .map(|(n, condition)| plan(&format!("p{n}"), &format!("{condition} {ALWAYS}")))
            .collect();
        of_rule("class_without_plan", tariff("", &plans).warnings())
    };
    assert_eq!(of_class(&["if: {class: [car]},", ""]), []);
    assert_eq!(of_class(&["if: {tag: [lost]},"]), []);
    let found = of_class(&["if: {class: [van, car]},", "if: {class: [bus], tag: [lost]},"]);
    assert!(
        found[0].1.starts_with("class bus has plans with a `tag` only"),
        "{found:?}"
    );
    assert!(
        found[1].1.starts_with("there are plans for class car, van;"),
        "{found:?}"
    );

    let dates = "dates: {PH: [2026-10-01],\nFAIR: [2026-06-01], EVE: []},";
    let plans = [plan(
        "p",
        &format!("if: {{entry: {{days: [mon, \"!EVE\"]}}}}, {}", bands("{days: PH} / {}")),
    )];
    let lints = tariff(dates, &plans).warnings().to_vec();
    assert_eq!(paths("unused_dates", &lints), ["dates.FAIR"]);
    assert_eq!(lints[0].line, 2);
}

#[test]
fn a_warning_stands_on_the_line_of_its_author() {
    let text = "ptl: 1\nid: t\ncurrency: EUR\nminor_exponent: 2\ntimezone: UTC\nplans:\n  - id: a\n    cycle: stay\n    edge: split\n\
                \x20   bands: [{id: all, table: [[60, 100]]}]\n    per_day_max: 0\n  - id: b\n    like: a\n";
    let lints = Tariff::parse(text).unwrap().warnings().to_vec();
    let found: Vec<(&str, usize, &str)> = lints
        .iter()
        .map(|lint| (lint.code, lint.line, lint.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("ladder_end", 10, "plans[0].bands[0].ladder"),
            ("zero_cap", 11, "plans[0].caps[0]"),
            ("unreachable_plan", 12, "plans[1]"),
            ("ladder_end", 10, "plans[1].bands[0].ladder"),
            ("zero_cap", 11, "plans[1].caps[0]"),
        ]
    );
}
