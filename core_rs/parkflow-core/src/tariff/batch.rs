//! Many stays at once, over threads: each row gets a fee or the number of its refusal, whatever the number of threads.

// Row numbers of arrays that exist.
#![allow(clippy::arithmetic_side_effects)]
// `Fees` is a bundle of two mutable slices, which is handed over.
#![allow(clippy::needless_pass_by_value)]

use std::sync::Mutex;
use std::thread;

use super::calendar::LocalClock;
use super::error::PriceError;
use super::fee::Stay;
use super::history::History;
use super::model::Tariff;
use super::quick::{Pricer, Profile};
use super::terms::Terms;

/// Rows that one thread takes at a time.
const ROWS_AT_ONCE: usize = 16_384;
/// Most threads; more than any machine that prices needs.
const THREADS_MAX: usize = 256;

/// Instants of a column.
#[derive(Debug, Clone, Copy)]
pub struct Instants<'a> {
    /// Units since 1970, UTC.
    pub values: &'a [i64],
    /// How many of them make a second: 1, 1 000, 1 000 000 or 1 000 000 000. A begun second counts from its start.
    pub per_second: i64,
}

/// What stays have in common besides their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind<'a> {
    /// Vehicle class.
    pub class: Option<&'a str>,
    /// Facts about the stay that plans may ask for.
    pub tags: &'a [&'a str],
}

/// Stays in columns of the same length.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// Entries.
    pub entry: Instants<'a>,
    /// Exits.
    pub exit: Instants<'a>,
    /// The kinds that occur.
    pub kinds: &'a [Kind<'a>],
    /// For each stay its kind; empty: all are of the first kind.
    pub kind_of: &'a [u32],
}

/// Where the fees of a batch go; as long as the columns.
#[derive(Debug)]
pub struct Fees<'a> {
    /// Minor units; 0 where the stay is refused.
    pub fee_minor: &'a mut [i64],
    /// 0, or the number of the refusal ([`PriceError::number`]).
    pub refusal: &'a mut [u8],
}

impl Columns<'_> {
    fn len(&self) -> usize {
        self.entry.values.len()
    }

    fn slice(&self, from: usize, to: usize) -> Self {
        Self {
            entry: self.entry.slice(from, to),
            exit: self.exit.slice(from, to),
            kinds: self.kinds,
            kind_of: if self.kind_of.is_empty() {
                &[]
            } else {
                &self.kind_of[from..to]
            },
        }
    }
}

impl Tariff {
    /// Prices every stay by itself. A row of a tariff that counts over an account's stays is refused: see
    /// [`Tariff::price_accounts`].
    ///
    /// `threads`: how many work at once, at least 1. All slices have the length of the columns.
    ///
    /// # Panics
    /// When a slice has another length, or a kind's number is outside `kinds`.
    pub fn price_columns(&self, stays: &Columns<'_>, fees: Fees<'_>, threads: usize) {
        let rows = stays.len();
        assert!(stays.exit.values.len() == rows && fees.fee_minor.len() == rows && fees.refusal.len() == rows);
        assert!(stays.kind_of.is_empty() || stays.kind_of.len() == rows);
        if self.needs_history() {
            fees.fee_minor.fill(0);
            fees.refusal.fill(PriceError::HistoryNeeded.number());
            return;
        }
        let profiles: Vec<Profile> = stays
            .kinds
            .iter()
            .map(|kind| self.profile(kind.class, kind.tags))
            .collect();
        let parts = fees
            .fee_minor
            .chunks_mut(ROWS_AT_ONCE)
            .zip(fees.refusal.chunks_mut(ROWS_AT_ONCE));
        let work = parts.enumerate().map(|(place, (fee_minor, refusal))| {
            let from = place * ROWS_AT_ONCE;
            (stays.slice(from, from + fee_minor.len()), Fees { fee_minor, refusal })
        });
        share_out(work, threads.min(rows.div_ceil(ROWS_AT_ONCE)), || {
            let mut pricer = Pricer::new(self, true);
            let profiles = &profiles;
            move |(stays, fees)| price_part(&mut pricer, profiles, &stays, fees)
        });
    }

    /// Prices the stays of accounts: those of one account in the order of their exits, and of their rows where exits are equal
    /// (S20), each with what the ones before it have used.
    ///
    /// `account_of`: a number for each stay; [`NO_ACCOUNT`] for a stay that stands alone. Otherwise as
    /// [`Tariff::price_columns`].
    ///
    /// # Panics
    /// When a slice has another length, or a kind's number is outside `kinds`.
    pub fn price_accounts(&self, stays: &Columns<'_>, account_of: &[u32], fees: Fees<'_>, threads: usize) {
        assert_eq!(account_of.len(), stays.len());
        if !self.needs_history() {
            return self.price_columns(stays, fees, threads);
        }
        let order = order_of_settlement(stays, account_of);
        let mut settled = Settled::of(order.len());
        let work = account_parts(&order, settled.fees());
        share_out(work, threads, || {
            let clock = LocalClock::new(&self.zone);
            move |(order, settled): (&[Turn], Fees<'_>)| {
                let mut history = History::default();
                let mut account = NO_ACCOUNT;
                for (place, turn) in order.iter().enumerate() {
                    if turn.account != account || account == NO_ACCOUNT {
                        account = turn.account;
                        history = History::default();
                    }
                    let fee = self.settle_minor_by(&clock, &turn.stay(stays), &Terms::default(), &mut history);
                    (settled.fee_minor[place], settled.refusal[place]) = outcome(fee);
                }
            }
        });
        for (place, turn) in order.iter().enumerate() {
            fees.fee_minor[turn.row as usize] = settled.fee_minor[place];
            fees.refusal[turn.row as usize] = settled.refusal[place];
        }
    }
}

/// Stands for a stay that belongs to no account.
pub const NO_ACCOUNT: u32 = u32::MAX;

/// When a stay is settled: by account, then by exit, then by its row. The stay is in it, as rows lie far apart in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    account: u32,
    exit_s: u32,
    row: u32,
    entry_s: u32,
    kind: u32,
}

impl Turn {
    fn stay<'a>(&self, stays: &Columns<'a>) -> Stay<'a> {
        let Kind { class, tags } = stays.kinds[self.kind as usize];
        Stay {
            entry_s: i64::from(self.entry_s),
            exit_s: i64::from(self.exit_s),
            class,
            tags,
        }
    }
}

fn order_of_settlement(stays: &Columns<'_>, account_of: &[u32]) -> Vec<Turn> {
    // An instant that does not fit lies outside the years that are priced, and so does the one that stands for it.
    let second = |instants: &Instants<'_>, place| u32::try_from(instants.second(place)).unwrap_or(u32::MAX);
    let mut order: Vec<Turn> = account_of
        .iter()
        .zip(0_u32..)
        .enumerate()
        .map(|(place, (account, row))| Turn {
            account: *account,
            exit_s: second(&stays.exit, place),
            row,
            entry_s: second(&stays.entry, place),
            kind: stays.kind_of.get(place).copied().unwrap_or(0),
        })
        .collect();
    order.sort_unstable();
    order
}

/// Fees and refusals in order of settlement.
struct Settled {
    fee_minor: Vec<i64>,
    refusal: Vec<u8>,
}

impl Settled {
    fn of(stays: usize) -> Self {
        Self {
            fee_minor: vec![0; stays],
            refusal: vec![0; stays],
        }
    }

    fn fees(&mut self) -> Fees<'_> {
        Fees {
            fee_minor: &mut self.fee_minor,
            refusal: &mut self.refusal,
        }
    }
}

/// Cuts the order into parts that end where an account ends.
fn account_parts<'a>(order: &'a [Turn], settled: Fees<'a>) -> impl Iterator<Item = (&'a [Turn], Fees<'a>)> {
    let mut rest = (order, settled.fee_minor, settled.refusal);
    std::iter::from_fn(move || {
        let (order, fee_minor, refusal) = std::mem::take(&mut rest);
        if order.is_empty() {
            return None;
        }
        let mut end = order.len().min(ROWS_AT_ONCE);
        while end < order.len() && order[end].account != NO_ACCOUNT && order[end].account == order[end - 1].account {
            end += 1;
        }
        let (part, order) = order.split_at(end);
        let (fee_minor, later_fees) = fee_minor.split_at_mut(end);
        let (refusal, later_refusals) = refusal.split_at_mut(end);
        rest = (order, later_fees, later_refusals);
        Some((part, Fees { fee_minor, refusal }))
    })
}

/// Hands the pieces of work to threads, each of which begins with a worker of its own.
fn share_out<T: Send, W: FnMut(T)>(
    work: impl Iterator<Item = T> + Send,
    threads: usize,
    worker: impl Fn() -> W + Sync,
) {
    let threads = threads.clamp(1, THREADS_MAX);
    if threads == 1 {
        return work.for_each(worker());
    }
    let work = Mutex::new(work);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut work_on = worker();
                loop {
                    let Some(piece) = work.lock().ok().and_then(|mut work| work.next()) else {
                        return;
                    };
                    work_on(piece);
                }
            });
        }
    });
}

fn price_part(pricer: &mut Pricer<'_>, profiles: &[Profile], stays: &Columns<'_>, fees: Fees<'_>) {
    // With the unit known to the compiler a division by it is a multiplication.
    match (stays.entry.per_second, stays.exit.per_second) {
        (1, 1) => price_rows(pricer, profiles, stays, fees, |value| value, |value| value),
        (1_000, 1_000) => {
            let second = |value: i64| value.div_euclid(1_000);
            price_rows(pricer, profiles, stays, fees, second, second);
        }
        (1_000_000, 1_000_000) => {
            let second = |value: i64| value.div_euclid(1_000_000);
            price_rows(pricer, profiles, stays, fees, second, second);
        }
        (entry, exit) => {
            let second = |per_second: i64| move |value: i64| value.div_euclid(per_second.max(1));
            price_rows(pricer, profiles, stays, fees, second(entry), second(exit));
        }
    }
}

#[inline]
fn price_rows(
    pricer: &mut Pricer<'_>,
    profiles: &[Profile],
    stays: &Columns<'_>,
    fees: Fees<'_>,
    entry_second: impl Fn(i64) -> i64,
    exit_second: impl Fn(i64) -> i64,
) {
    let first = profiles.first();
    for (place, (fee_minor, refusal)) in fees.fee_minor.iter_mut().zip(fees.refusal).enumerate() {
        let profile = match stays.kind_of.get(place) {
            Some(kind) => Some(&profiles[*kind as usize]),
            None => first,
        };
        let (entry, exit) = (stays.entry.values[place], stays.exit.values[place]);
        let fee = profile.map_or(Err(PriceError::NoPlan), |profile| {
            pricer.fee_minor(profile, entry_second(entry), exit_second(exit))
        });
        (*fee_minor, *refusal) = outcome(fee);
    }
}

fn outcome(fee: Result<i64, PriceError>) -> (i64, u8) {
    match fee {
        Ok(fee_minor) => (fee_minor, 0),
        Err(error) => (0, error.number()),
    }
}

impl Instants<'_> {
    fn slice(&self, from: usize, to: usize) -> Self {
        Self {
            values: &self.values[from..to],
            ..*self
        }
    }

    fn second(&self, place: usize) -> i64 {
        self.values[place].div_euclid(self.per_second.max(1))
    }
}
