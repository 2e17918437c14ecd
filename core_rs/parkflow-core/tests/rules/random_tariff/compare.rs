//! Both meters on one case.

use parkflow_core::tariff::{History, PriceError, Tariff, Terms};

use super::{columns, Case};
use crate::tick_meter::misreading::Misreading;
use crate::tick_meter::{Account, Oracle, Refused};

pub fn agree(expected: Result<i64, Refused>, got: Result<i64, PriceError>) -> bool {
    match (expected, got) {
        (Ok(expected), Ok(got)) => expected == got,
        (Err(Refused::NoPlan), Err(PriceError::NoPlan))
        | (Err(Refused::OutsideValidity), Err(PriceError::OutsideValidity))
        | (Err(Refused::ExitBeforeEntry), Err(PriceError::ExitBeforeEntry)) => true,
        _ => false,
    }
}

/// The first stay that the meters price differently, or whose lines do not add up, if there is one.
pub fn difference(case: &Case, tariff: &Tariff, oracle: &Oracle) -> Option<String> {
    let (mut history, mut bare_history, mut account) = (History::default(), History::default(), Account::default());
    for (place, one) in case.stays.iter().enumerate() {
        let stay = one.bare();
        let terms = Terms {
            covered: &one.covered,
            vouchers: &one.vouchers,
            vouchers_as_given: one.as_given,
            paid: &one.paid,
        };
        let expected = oracle.settle(&stay, &terms, &mut account);
        let got = tariff.settle(&stay, &terms, &mut history);
        let due = got.as_ref().map(|fee| fee.fee_minor).map_err(|error| *error);
        let lines = got
            .as_ref()
            .map_or(0, |fee| fee.lines.iter().map(|line| line.amount_minor).sum::<i64>());
        let alone = terms == Terms::default() && !tariff.needs_history();
        let why = if !agree(expected, due) {
            "the fees differ"
        } else if got.as_ref().is_ok_and(|fee| fee.fee_minor != lines) {
            "the lines do not add up"
        } else if tariff.settle_minor(&stay, &terms, &mut bare_history) != due {
            "settle and settle_minor differ"
        } else if alone && (tariff.price_minor(&stay) != due || tariff.price(&stay) != got) {
            "price, price_minor and settle differ"
        } else {
            continue;
        };
        return Some(format!("stay {place}: {why}: expected {expected:?}, got {got:?}"));
    }
    None
}

/// The difference of a case by itself; none when its text is refused.
pub fn difference_of(case: &Case, misreading: Option<Misreading>) -> Option<String> {
    let tariff = Tariff::parse(&case.tariff.to_string()).ok()?;
    let oracle = Oracle::new(&case.tariff, misreading);
    let in_columns = || columns::difference(&tariff, std::slice::from_ref(case), &oracle, 1_000);
    difference(case, &tariff, &oracle).or_else(in_columns)
}
