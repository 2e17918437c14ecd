//! What a refused tariff text is told, and that no text takes long to refuse.

use std::time::Instant;

use parkflow_core::tariff::{Tariff, TariffError, TEXT_BYTES_MAX};

const LADDER: &str = "ladder: [{unit: 60, price: 200}]";

/// A tariff with these fields of tariff, plan and band.
fn text(fields: &str, plan: &str, band: &str) -> String {
    format!(
        "{{ptl: 1, id: t, currency: EUR, minor_exponent: 2, timezone: Europe/Berlin, {fields}\n\
         plans: [{{id: p, cycle: stay, edge: split, {plan}\n bands: [{{id: b, {band}}}]}}]}}"
    )
}

fn when(window: &str) -> String {
    text("dates: {PH: [2026-10-01]},", "", &format!("when: {window}, {LADDER}"))
}

fn refusal(text: &str) -> TariffError {
    Tariff::parse(text).expect_err("a refusal")
}

#[test]
fn times_dates_and_names_need_no_quotes() {
    for window in [
        "{from: 08:00, to: 24:00}",
        "{on: [2026-10-01, 2026-10-02]}",
        "{season: [[03-15, 11-15]]}",
    ] {
        Tariff::parse(&when(window)).unwrap();
    }
}

/// Each text is refused at a place ("line path"), with these words among others; `B` is the band of [`text`].
fn assert_told<const N: usize>(texts: [(String, &str, &str); N]) {
    for (text, place, words) in texts {
        let error = refusal(&text);
        let told = format!("{} {}", error.line, error.path);
        assert_eq!(told, place.replace('B', "plans[0].bands[0]"), "{text}: {error}");
        assert!(error.message.contains(words), "{text}: {error}");
    }
}

#[test]
fn an_unknown_word_is_told_with_the_nearest_known_one() {
    let plain = text("", "", LADDER);
    assert_told([
        (text("", "", "laddr: []"), "3 B.laddr", "did you mean `ladder`?"),
        (text("", "", "tabel: []"), "3 B.tabel", "did you mean `table`?"),
        (text("", "per_day: 3,", LADDER), "2 plans[0].per_day", "known here"),
        (
            text("currancy: 5,", "", LADDER),
            "1 currancy",
            "did you mean `currency`?",
        ),
        (text("choose: lowst,", "", LADDER), "1 choose", "did you mean `lowest`?"),
        (when("{days: [fry]}"), "3 B.when.days[0]", "did you mean `fri`?"),
        (when("{days: [PHS]}"), "3 B.when.days[0]", "did you mean `PH`?"),
        (
            plain.replace("Europe", "europe"),
            "1 timezone",
            "did you mean `Europe/Berlin`?",
        ),
        (
            plain.replace("Berlin", "Berlim"),
            "1 timezone",
            "did you mean `Europe/Berlin`?",
        ),
        (plain.replace("ptl: 1", "ptl: 2"), "1 ptl", "needs 1"),
    ]);
}

#[test]
fn a_time_a_date_or_a_word_of_another_shape_is_told_how_it_is_written() {
    let strict = text("", "grace: {minutes: 5, strict: yes},", LADDER);
    assert_told([
        (when("{from: 8:00}"), "3 B.when.from", "two and two digits"),
        (when("{from: 480}"), "3 B.when.from", "\"08:00\""),
        (when("{from: 24:00}"), "3 B.when", "cannot start at 24:00"),
        (when("{days: [mon-fri, !PH]}"), "3 B.when.days[1]", "\"!PH\""),
        (
            when("{season: [03-15, 11-15]}"),
            "3 B.when.season[0]",
            "[[03-15, 11-15]]",
        ),
        (
            text("dates: {PH: [20261001]},", "", LADDER),
            "1 dates.PH[0]",
            "2026-10-01",
        ),
        (strict, "2 plans[0].grace.strict", "true or false"),
    ]);
}

#[test]
fn a_number_of_another_shape_is_told_how_it_is_written() {
    let ladder = |step: &str| text("", "", &format!("ladder: [{{{step}}}]"));
    assert_told([
        (ladder("unit: 60, price: 2.50"), "3 B.ladder[0].price", "250 for 2.50"),
        (
            ladder("unit: 60, price: 2,50"),
            "3 B.ladder[0].50",
            "a comma parts fields",
        ),
        (ladder("unit: 1 h, price: 200"), "3 B.ladder[0].unit", "1h30m"),
        (
            ladder("unit: 60, price: 1000000000001"),
            "3 B.ladder[0].price",
            "to 1000000000000",
        ),
        (
            ladder("unit: 99999999999999999999, price: 2"),
            "3 B.ladder[0].unit",
            "too large",
        ),
        (ladder("unit: 60, price: 2, price: 3"), "3 B.ladder[0]", "given twice"),
    ]);
}

#[test]
fn a_text_that_is_no_yaml_is_told_what_it_most_often_means() {
    assert_told([
        ("ptl: 1\nid:x\ncurrency: EUR".to_owned(), "3 ", "space after the colon"),
        (
            "ptl: 1\nid: x\n  currency: EUR".to_owned(),
            "3 ",
            "indented differently",
        ),
        ("ptl: 1\nid:\n\t- x".to_owned(), "3 ", "indent with spaces"),
    ]);
}

/// A list of so many of the same.
fn list(item: &str, count: usize) -> String {
    format!("[{}]", vec![item; count].join(","))
}

/// Plans with so many windows of 4,000 named dates.
fn plans_with_whens(count: usize) -> String {
    let plans: Vec<String> = (0..count.div_ceil(1_600))
        .map(|plan| {
            let bands: Vec<String> = (0..50)
                .map(|band| {
                    format!(
                        "{{id: b{band}, when: {}, ladder: []}}",
                        list("{days: [A, A, \"!A\"]}", count.min(1_600) / 50)
                    )
                })
                .collect();
            format!(
                "{{id: p{plan}, cycle: stay, edge: split, bands: [{}]}}",
                bands.join(",")
            )
        })
        .collect();
    let fields = format!(
        "dates: {{A: {}}}, plans: [{}]",
        list("2026-10-01", 4_000),
        plans.join(",")
    );
    format!("{{ptl: 1, id: t, currency: EUR, minor_exponent: 2, timezone: Europe/Berlin, {fields}}}")
}

#[test]
fn no_text_takes_long_to_read() {
    let fill = |unit: &str| unit.repeat(TEXT_BYTES_MAX / unit.len());
    let inside = |head: &str, unit: &str, tail: &str| {
        format!("{head}{}{tail}", unit.repeat((TEXT_BYTES_MAX - 400) / unit.len()))
    };
    let copies: Vec<String> = (0..63).map(|n| format!("{{id: q{n}, like: p}}")).collect();
    let text_with_copies = |rows: usize| {
        let plan = format!("{{id: p, bands: [{}]}}", list("[]", rows));
        format!("{{ptl: 1, plans: [{plan}, {}]}}", copies.join(","))
    };
    let chain: Vec<String> = (0..63).map(|n| format!("{{id: q{n}, like: q{}}}", n + 1)).collect();
    for (name, text) in [
        (
            "a million bands",
            text("", "", LADDER).replace("bands: [", &format!("bands: [{}", "{},".repeat(1_000_000))),
        ),
        (
            "many bands",
            text("", "", LADDER).replace("bands: [", &format!("bands: [{}", "{},".repeat(80_000))),
        ),
        ("deep lists", fill("[")),
        ("deep maps", fill("{a: ")),
        ("questions", fill("? ")),
        ("one field twice", fill("a: 1\n")),
        ("pairs in a list", inside("[", "a: b,", "]")),
        ("maps in a list", inside("[", "{a: 1},", "]")),
        ("long text", inside("words: \"", "\\n", "\"")),
        ("lines of text", fill("a\n")),
        ("huge numbers", inside("[", "99999999999999999999,", "]")),
        (
            "too many dates",
            text(
                &format!(
                    "dates: {{A: {}, B: {}}},",
                    list("2026-10-01", 4_000),
                    list("2026-10-02", 1)
                ),
                "",
                LADDER,
            ),
        ),
        ("too many windows", plans_with_whens(1_600)),
        ("copies of a large plan", text_with_copies(60_000)),
        ("copies of a middling plan", text_with_copies(2_500)),
        ("a chain of copies", format!("{{ptl: 1, plans: [{}]}}", chain.join(","))),
    ] {
        let start = Instant::now();
        let error = refusal(&text);
        let took = start.elapsed();
        assert!(took.as_millis() < 1_000, "{name} took {took:?}: {error}");
        assert!(error.to_string().len() < 500, "{name}: {error}");
    }
}

#[test]
fn the_largest_number_of_windows_and_dates_is_read_in_time() {
    let start = Instant::now();
    Tariff::parse(&plans_with_whens(1_000)).unwrap();
    assert!(start.elapsed().as_millis() < 1_000, "{:?}", start.elapsed());
    assert!(refusal(&plans_with_whens(1_050)).message.contains("1000"));
}
