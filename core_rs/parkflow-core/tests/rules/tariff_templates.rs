//! Templates of tariffs: what a text takes from another one, and which templates are refused.

use parkflow_core::tariff::{Tariff, TariffError};

const CITY: &str = r#"
ptl: 1
id: city
currency: EUR
minor_exponent: 2
timezone: Europe/Berlin
dates: {PH: [2026-05-01], FAIR: [2026-06-01]}
plans:
  - {id: large, like: car, if: {class: [large]}, factor_bp: 20000}
  - id: car
    cycle: stay
    edge: split
    bands: [{id: day, when: {days: [mon-sat, "!PH"]}, ladder: [{unit: 60, price: 200}]}]
"#;

/// The templates of these tests.
fn template(name: &str) -> Option<String> {
    let text = match name {
        "city" => CITY,
        "quarter" => "template: city\nid: quarter\nround: {to: 10}",
        "broken" => "ptl: 1\nplans: [",
        "list" => "[1]",
        "wrong" => "ptl: 1\nid: wrong\ncolour: red",
        "a" => "{template: b}",
        "b" => "{template: a}",
        "deep1" => "{template: deep2}",
        "deep2" => "{template: deep3}",
        "deep3" => "{template: deep4}",
        "deep4" => "{template: city}",
        _ => return None,
    };
    Some(text.to_owned())
}

fn parsed(text: &str) -> Tariff {
    Tariff::parse_with(text, &template).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refusal(text: &str) -> TariffError {
    Tariff::parse_with(text, &template).expect_err("a refusal")
}

#[test]
fn a_text_replaces_what_it_says_and_takes_the_rest_from_its_template() {
    let own = r"
template: quarter
id: lot-7
currency: CHF
dates: {PH: [2026-08-01]}
plans:
  - {id: lost, if: {tag: [lost]}, cycle: stay, edge: split, bands: [{id: all, ladder: [{unit: all, price: 3000}]}]}
  - {id: car, per_day_max: 900}
  - {id: sunday, if: {entry: {days: [sun]}}, cycle: stay, edge: split, bands: [{id: all, ladder: []}]}
";
    let plain = r#"
ptl: 1
id: lot-7
currency: CHF
minor_exponent: 2
timezone: Europe/Berlin
round: {to: 10}
dates: {PH: [2026-08-01], FAIR: [2026-06-01]}
plans:
  - {id: lost, if: {tag: [lost]}, cycle: stay, edge: split, bands: [{id: all, ladder: [{unit: all, price: 3000}]}]}
  - {id: sunday, if: {entry: {days: [sun]}}, cycle: stay, edge: split, bands: [{id: all, ladder: []}]}
  - {id: large, if: {class: [large]}, cycle: stay, edge: split, per_day_max: 1800,
     bands: [{id: day, when: {days: [mon-sat, "!PH"]}, ladder: [{unit: 60, price: 400}]}]}
  - {id: car, cycle: stay, edge: split, per_day_max: 900,
     bands: [{id: day, when: {days: [mon-sat, "!PH"]}, ladder: [{unit: 60, price: 200}]}]}
"#;
    assert_eq!(parsed(own).canonical_json(), parsed(plain).canonical_json());
    // The canonical form needs no template any more.
    assert_eq!(Tariff::parse(parsed(own).canonical_json()).unwrap(), parsed(own));
}

#[test]
fn a_template_that_cannot_be_used_is_refused_on_the_line_that_names_it() {
    for (text, line, path, word) in [
        (
            "ptl: 1\ntemplate: atlantis\nid: t",
            2,
            "template",
            "no template `atlantis`",
        ),
        ("ptl: 1\ntemplate: [city]\nid: t", 2, "template", "needs text"),
        (
            "id: t\ntemplate: broken",
            2,
            "template",
            "in the template `broken`, line 3",
        ),
        ("id: t\ntemplate: list", 2, "template", "has no fields"),
        ("id: t\ntemplate: a", 2, "template", "a → b → a"),
        ("id: t\n\ntemplate: wrong", 3, "colour", "unknown field"),
        ("ptl: 1\ntemplate: city", 1, "", "`id` is missing"),
        (
            "template: city\nid: t\nplans: [{id: car, edge: round}]",
            3,
            "plans[0].edge",
            "split",
        ),
        (
            "template: city\nid: t\nplans: [{id: car}, {id: car}]",
            3,
            "plans[0]",
            "`edge` is missing",
        ),
    ] {
        let error = refusal(text);
        assert_eq!((error.line, error.path.as_str()), (line, path), "{text}: {error}");
        assert!(error.message.contains(word), "{text}: {error}");
    }
    let unknown = Tariff::parse("template: city\nid: t").expect_err("no templates");
    assert!(unknown.message.contains("templates are not known here"), "{unknown}");
}

#[test]
fn four_templates_may_follow_each_other_and_not_five() {
    assert_eq!(parsed("{template: deep2, id: t}").id(), "t");
    assert!(refusal("{template: deep1, id: t}")
        .message
        .contains("more than 4 templates"));
}
