//! Which parts of the language the random cases had, and which of those decided something: proof that the dice reach every rule.

use std::fmt::Write as _;

use parkflow_core::tariff::VoucherKind;
use serde_json::Value;

use super::{Case, OneStay};
use crate::tick_meter::feature::{Feature, Seen};
use crate::tick_meter::read::items;

/// Cases by feature: had it, and it had an effect in it.
#[derive(Default, Clone)]
pub struct Coverage {
    pub pairs: u64,
    pub tariffs: u64,
    used: Vec<u64>,
    effective: Vec<u64>,
}

impl Coverage {
    /// Adds what the oracle saw in a case.
    pub fn add(&mut self, case: &Case, seen: &Seen) {
        self.pairs += u64::try_from(case.stays.len()).unwrap();
        note_tariff(&case.tariff, seen);
        for stay in &case.stays {
            note_stay(stay, &case.tariff["leave"], seen);
        }
        self.used.resize(Feature::ALL.len(), 0);
        self.effective.resize(Feature::ALL.len(), 0);
        for (place, feature) in Feature::ALL.iter().enumerate() {
            self.used[place] += u64::from(seen.has_used(*feature));
            self.effective[place] += u64::from(seen.had_effect(*feature));
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.tariffs += other.tariffs;
        for (mine, theirs) in [(&mut self.used, &other.used), (&mut self.effective, &other.effective)] {
            mine.resize(Feature::ALL.len(), 0);
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
    }

    /// The features that had an effect in fewer cases than a bound.
    pub fn rare(&self, bound: u64) -> Vec<Feature> {
        let counts = Feature::ALL.iter().zip(&self.effective);
        counts
            .filter(|(_, count)| **count < bound)
            .map(|(feature, _)| *feature)
            .collect()
    }

    pub fn table(&self) -> String {
        let mut text = format!("{:24} {:>10} {:>10}\n", "feature", "cases", "effective");
        for ((feature, used), effective) in Feature::ALL.iter().zip(&self.used).zip(&self.effective) {
            let _ = writeln!(text, "{:24} {used:>10} {effective:>10}", format!("{feature:?}"));
        }
        text
    }
}

fn note(seen: &Seen, holds: bool, feature: Feature) {
    if holds {
        seen.used(feature);
    }
}

/// All values of a field, wherever it stands.
fn everywhere<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name));
            fields.values().for_each(|value| everywhere(value, name, found));
        }
        Value::Array(list) => list.iter().for_each(|value| everywhere(value, name, found)),
        _ => {}
    }
}

fn note_tariff(tariff: &Value, seen: &Seen) {
    let clock = &tariff["clock"];
    note(seen, clock["step"] == 60, Feature::ClockMinute);
    note(
        seen,
        clock["entry"] == "ceil" || clock["exit"] == "ceil",
        Feature::ClockCeil,
    );
    note(seen, tariff["choose"] == "lowest", Feature::ChooseLowest);
    note(
        seen,
        tariff["round"]["to"].as_i64().is_some_and(|to| to > 1),
        Feature::RoundTo,
    );
    note(seen, tariff["tax"]["mode"] == "added", Feature::TaxAdded);
    note(seen, tariff["tax"]["mode"] == "included", Feature::TaxIncluded);
    note(seen, tariff.get("discount_order").is_some(), Feature::DiscountOrder);
    note(seen, tariff.get("reentry").is_some(), Feature::Reentry);
    note(seen, tariff.get("valid").is_some(), Feature::OutsideValidity);
    match tariff["round"]["mode"].as_str().unwrap_or("half_up") {
        "half_up" => seen.used(Feature::RoundHalfUp),
        "half_even" => seen.used(Feature::RoundHalfEven),
        "up" => seen.used(Feature::RoundUp),
        _ => seen.used(Feature::RoundDown),
    }
    for (name, feature) in [
        ("class", Feature::IfClass),
        ("tag", Feature::IfTag),
        ("entry_fee", Feature::EntryFee),
        ("loop", Feature::LadderLoop),
        ("bill", Feature::LadderBill),
        ("strict", Feature::GraceStrict),
        ("grace", Feature::Grace),
        ("min", Feature::Minimum),
        ("season", Feature::WhenSeason),
        ("on", Feature::WhenOn),
        ("pool", Feature::CapPool),
        ("days", Feature::WhenWeekdays),
    ] {
        let mut found = Vec::new();
        everywhere(&tariff["plans"], name, &mut found);
        note(seen, !found.is_empty(), feature);
    }
    let mut days = Vec::new();
    everywhere(&tariff["plans"], "days", &mut days);
    for token in days.into_iter().flat_map(items).filter_map(Value::as_str) {
        note(seen, token.starts_with('!'), Feature::WhenNot);
        note(seen, tariff["dates"].get(token).is_some(), Feature::WhenNamed);
    }
    for plan in items(&tariff["plans"]) {
        note_plan(plan, seen);
    }
}

fn note_plan(plan: &Value, seen: &Seen) {
    note(seen, plan["if"].get("entry").is_some(), Feature::IfEntry);
    note(seen, plan["if"].get("exit").is_some(), Feature::IfExit);
    note(seen, plan["if"].get("minutes").is_some(), Feature::IfMinutes);
    note(seen, plan["free"]["per"] == "day", Feature::FreeDay);
    note(
        seen,
        plan.get("free").is_some() && plan["free"]["per"] != "day",
        Feature::FreeStay,
    );
    for band in items(&plan["bands"]) {
        let ladder = items(&band["ladder"]);
        note(seen, band["restart"] == "cycle", Feature::RestartCycle);
        note(seen, ladder.len() > 1, Feature::LadderSteps);
        note(
            seen,
            ladder.iter().any(|step| step["unit"] == "all"),
            Feature::LadderAll,
        );
        let ends = ladder.last().is_some_and(|step| step.get("for").is_some());
        note(seen, ends && band.get("loop").is_none(), Feature::LadderEnds);
        for when in items(&band["when"]) {
            let wraps = when["from"].as_str() >= when["to"].as_str() && when.get("to").is_some();
            note(seen, wraps, Feature::WhenWrapped);
        }
    }
    for cap in items(&plan["caps"]) {
        note(seen, cap["max"].is_array(), Feature::CapList);
        note(seen, items(&cap["max"]).contains(&&Value::Null), Feature::CapNull);
        note(seen, cap.get("bands").is_some(), Feature::CapBands);
        note(seen, cap.get("if").is_some(), Feature::CapIf);
        note(seen, cap["scope"] == "account", Feature::CapAccount);
        let over = &cap["over"];
        note(seen, *over == "stay", Feature::CapStay);
        note(seen, *over == "cycle", Feature::CapCycle);
        note(seen, *over == "occurrence", Feature::CapOccurrence);
        note(seen, over["anchor"] == "first", Feature::CapFirst);
        note(
            seen,
            over.get("every").is_some() && over["anchor"] != "first",
            Feature::CapEvery,
        );
        note(seen, over.get("daily").is_some(), Feature::CapDaily);
        note(seen, over.get("weekly").is_some(), Feature::CapWeekly);
    }
}

fn note_stay(stay: &OneStay, leave: &Value, seen: &Seen) {
    note(seen, !stay.covered.is_empty(), Feature::Covered);
    note(seen, stay.covered.len() > 1, Feature::CoveredTwice);
    note(seen, stay.as_given, Feature::VouchersAsGiven);
    for voucher in &stay.vouchers {
        seen.used(match voucher.kind {
            VoucherKind::Minutes => Feature::VoucherMinutes,
            VoucherKind::Percent => Feature::VoucherPercent,
            VoucherKind::Amount => Feature::VoucherAmount,
            VoucherKind::Points => Feature::VoucherPoints,
        });
    }
    let (paid, restart) = (!stay.paid.is_empty(), leave["then"] == "restart");
    note(seen, paid && !restart, Feature::PaidTopup);
    note(seen, paid && restart, Feature::PaidRestart);
    note(seen, paid && restart && leave["plain"] == true, Feature::PaidPlain);
    note(seen, paid, Feature::LeftInTime);
}
