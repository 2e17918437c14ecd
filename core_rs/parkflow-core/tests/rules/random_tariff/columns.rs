//! The engine's columns of stays against the tick meter: the same stays without passes, vouchers and payments.

use parkflow_core::tariff::{Columns, Fees, Instants, Kind, PriceError, Stay, Tariff, Terms};

use super::{Case, OneStay};
use crate::tick_meter::{Account, Oracle, Refused};

impl OneStay {
    pub fn bare(&self) -> Stay<'_> {
        Stay {
            entry_s: self.entry_s,
            exit_s: self.exit_s,
            class: self.class,
            tags: &self.tags,
        }
    }
}

/// What the columns say of all stays of some accounts, row by row.
pub fn priced(tariff: &Tariff, cases: &[Case], per_second: i64) -> Vec<Result<i64, PriceError>> {
    let stays: Vec<&OneStay> = cases.iter().flat_map(|case| &case.stays).collect();
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    let mut kind_of = Vec::new();
    for stay in &stays {
        let kind = Kind {
            class: stay.class,
            tags: &stay.tags,
        };
        let place = kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
            kinds.push(kind);
            kinds.len() - 1
        });
        kind_of.push(u32::try_from(place).unwrap());
    }
    // Parts of a second count from its start.
    let column = |part: i64, second: fn(&OneStay) -> i64| -> Vec<i64> {
        stays
            .iter()
            .map(|stay| second(stay) * per_second + part % per_second)
            .collect()
    };
    let (entries, exits) = (column(0, |stay| stay.entry_s), column(7, |stay| stay.exit_s));
    let columns = Columns {
        entry: Instants {
            values: &entries,
            per_second,
        },
        exit: Instants {
            values: &exits,
            per_second,
        },
        kinds: &kinds,
        kind_of: &kind_of,
    };
    let (mut fee_minor, mut refusal) = (vec![-1; stays.len()], vec![0; stays.len()]);
    let fees = Fees {
        fee_minor: &mut fee_minor,
        refusal: &mut refusal,
    };
    if tariff.needs_history() {
        let accounts = cases.iter().zip(0_u32..);
        let account_of: Vec<u32> = accounts
            .flat_map(|(case, account)| vec![account; case.stays.len()])
            .collect();
        tariff.price_accounts(&columns, &account_of, fees, 1);
    } else {
        tariff.price_columns(&columns, fees, 1);
    }
    let outcome = |(fee_minor, refusal): (i64, u8)| match usize::from(refusal).checked_sub(1) {
        None => Ok(fee_minor),
        Some(place) => Err(PriceError::ALL[place]),
    };
    fee_minor.into_iter().zip(refusal).map(outcome).collect()
}

/// What the tick meter says of them.
fn metered(tariff: &Tariff, case: &Case, oracle: &Oracle) -> Vec<Result<i64, Refused>> {
    let mut account = Account::default();
    let due = |stay: &OneStay| {
        if !tariff.needs_history() {
            account = Account::default();
        }
        oracle.settle(&stay.bare(), &Terms::default(), &mut account)
    };
    case.stays.iter().map(due).collect()
}

/// Both row by row, when they differ in any.
pub fn difference(tariff: &Tariff, cases: &[Case], oracle: &Oracle, per_second: i64) -> Option<String> {
    let expected: Vec<_> = cases.iter().flat_map(|case| metered(tariff, case, oracle)).collect();
    let got = priced(tariff, cases, per_second);
    let agree = expected
        .iter()
        .zip(&got)
        .all(|(expected, got)| super::compare::agree(*expected, *got));
    (!agree).then(|| format!("in columns: expected {expected:?}, got {got:?}"))
}
