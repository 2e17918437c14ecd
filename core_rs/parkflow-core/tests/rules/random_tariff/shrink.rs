//! Makes a failing case small: takes away one thing after the other as long as it still fails.

use std::fmt::Write as _;

use serde_json::Value;

use super::compare::difference_of;
use super::Case;
use crate::tick_meter::misreading::Misreading;

/// All values that lack one element or field of this one, the largest parts first.
fn smaller(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(fields) => {
            for name in fields.keys() {
                let mut fewer = fields.clone();
                fewer.remove(name);
                found.push(Value::Object(fewer));
            }
            for (name, part) in fields {
                for part in smaller(part) {
                    let mut other = fields.clone();
                    other.insert(name.clone(), part);
                    found.push(Value::Object(other));
                }
            }
        }
        Value::Array(list) => {
            for place in 0..list.len() {
                let mut fewer = list.clone();
                fewer.remove(place);
                found.push(Value::Array(fewer));
            }
            for (place, part) in list.iter().enumerate() {
                for part in smaller(part) {
                    let mut other = list.clone();
                    other[place] = part;
                    found.push(Value::Array(other));
                }
            }
        }
        _ => {}
    }
    found
}

fn smaller_cases(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    for place in 0..case.stays.len() {
        let mut fewer = case.clone();
        fewer.stays.remove(place);
        found.push(fewer);
    }
    found.extend(
        smaller(&case.tariff)
            .into_iter()
            .map(|tariff| Case { tariff, ..case.clone() }),
    );
    for place in 0..case.stays.len() {
        let mut with = |change: &dyn Fn(&mut super::OneStay)| {
            let mut other = case.clone();
            change(&mut other.stays[place]);
            if other != *case {
                found.push(other);
            }
        };
        with(&|stay| stay.tags.clear());
        with(&|stay| stay.covered.truncate(stay.covered.len().saturating_sub(1)));
        with(&|stay| stay.covered = stay.covered.iter().skip(1).copied().collect());
        with(&|stay| stay.vouchers.truncate(stay.vouchers.len().saturating_sub(1)));
        with(&|stay| stay.vouchers = stay.vouchers.iter().skip(1).copied().collect());
        with(&|stay| stay.paid.truncate(stay.paid.len().saturating_sub(1)));
        for part in [2, 10, 100] {
            with(&|stay| stay.exit_s -= (stay.exit_s - stay.entry_s) / part / 60 * 60);
            with(&|stay| stay.entry_s += (stay.exit_s - stay.entry_s) / part / 60 * 60);
        }
    }
    found
}

/// The smallest case found that still fails.
pub fn shrunk(case: &Case, misreading: Option<Misreading>) -> Case {
    let mut best = case.clone();
    while let Some(smaller) = smaller_cases(&best)
        .into_iter()
        .find(|other| difference_of(other, misreading).is_some())
    {
        best = smaller;
    }
    best
}

/// A failing case made small, and what the meters say about it.
pub fn report(case: &Case) -> String {
    let small = shrunk(case, None);
    let mut text = String::new();
    let _ = writeln!(text, "{}", serde_json::to_string(&small.tariff).unwrap());
    for stay in &small.stays {
        let _ = writeln!(text, "{stay:?}");
    }
    let _ = writeln!(
        text,
        "{}",
        difference_of(&small, None).unwrap_or("only beside other cases".into())
    );
    text
}
