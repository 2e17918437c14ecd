//! Both meters on one case.

use parkflow_core::tariff::{Fee, History, PriceError, Stay, Tariff, Terms};

use super::Case;
use crate::tick_meter::misreading::Misreading;
use crate::tick_meter::{Account, Oracle, Refused};

/// A stay that the meters price differently, or whose lines do not add up.
#[derive(Debug)]
pub struct Difference {
    pub stay: usize,
    pub expected: Result<i64, Refused>,
    pub got: Result<Fee, PriceError>,
    pub why: &'static str,
}

fn agree(expected: Result<i64, Refused>, got: Result<i64, PriceError>) -> bool {
    match (expected, got) {
        (Ok(expected), Ok(got)) => expected == got,
        (Err(Refused::NoPlan), Err(PriceError::NoPlan))
        | (Err(Refused::ExitBeforeEntry), Err(PriceError::ExitBeforeEntry)) => true,
        _ => false,
    }
}

/// The first difference, if there is one; none too for a text that is refused, which the caller has ruled out.
pub fn difference(case: &Case, tariff: &Tariff, oracle: &Oracle) -> Option<Difference> {
    let (mut history, mut account) = (History::default(), Account::default());
    for (place, one) in case.stays.iter().enumerate() {
        let stay = Stay {
            entry_s: one.entry_s,
            exit_s: one.exit_s,
            class: one.class,
            tags: &one.tags,
        };
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
        } else if alone && (tariff.price_minor(&stay) != due || tariff.price(&stay) != got) {
            "price, price_minor and settle differ"
        } else {
            continue;
        };
        return Some(Difference {
            stay: place,
            expected,
            got,
            why,
        });
    }
    None
}

/// The difference of a case by itself; none when its text is refused.
pub fn difference_of(case: &Case, misreading: Option<Misreading>) -> Option<Difference> {
    let tariff = Tariff::parse(&case.tariff.to_string()).ok()?;
    difference(case, &tariff, &Oracle::new(&case.tariff, misreading))
}
