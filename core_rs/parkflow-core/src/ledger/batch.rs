//! The check of a batch of transfers before it is posted: positive, no repetition, sums that balance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::account::Account;
use super::transfer::Transfer;

/// Why a batch must not be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchError {
    /// The transfer at this place repeats the code and reference of an earlier one.
    Repeated(usize),
    /// A sum does not fit 64 bits.
    SumTooLarge,
    /// The balances do not add up to zero.
    Unbalanced,
}

impl BatchError {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Repeated(_) => "transfer_repeated",
            Self::SumTooLarge => "sum_too_large",
            Self::Unbalanced => "batch_unbalanced",
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated(place) => {
                write!(
                    out,
                    "transfer {place} repeats the code and reference of an earlier one; post it once"
                )
            }
            Self::SumTooLarge => out.write_str("the sum of an account does not fit a money amount; split the batch"),
            Self::Unbalanced => out.write_str("the balances of the batch do not add up to zero"),
        }
    }
}

impl std::error::Error for BatchError {}

/// The change of each account (debits less credits, minor units) by a batch, after checking it. The changes add up to zero.
pub fn check_batch(transfers: &[Transfer]) -> Result<BTreeMap<Account, i64>, BatchError> {
    let mut seen = BTreeSet::new();
    let mut balances: BTreeMap<Account, i64> = BTreeMap::new();
    for (place, transfer) in transfers.iter().enumerate() {
        if !seen.insert((transfer.code(), transfer.reference())) {
            return Err(BatchError::Repeated(place));
        }
        let amount_minor = transfer.amount_minor();
        for (account, change) in [
            (transfer.debit(), Some(amount_minor)),
            (transfer.credit(), amount_minor.checked_neg()),
        ] {
            let balance = balances.entry(account.clone()).or_insert(0);
            let sum = change.and_then(|change| balance.checked_add(change));
            *balance = sum.ok_or(BatchError::SumTooLarge)?;
        }
    }
    let total: i128 = balances.values().map(|balance| i128::from(*balance)).sum();
    if total == 0 {
        Ok(balances)
    } else {
        Err(BatchError::Unbalanced)
    }
}
