//! The fee of a stay: the plan that counts, one rounding, then vouchers, tax, what was paid before, and re-entry.
//!
//! Order: S2 instants, S18 re-entry, S17 payments, S5 to S14 the plan, S15 vouchers, S16 tax of the tariff language.

// Instants lie in 1970 to 2100 (checked first), so their differences stay far inside 64 bits; money is checked.
#![allow(clippy::arithmetic_side_effects)]

use super::calendar::{tzdata_version, LocalClock};
use super::candidate::{Candidate, Inputs};
use super::error::PriceError;
use super::history::{Chain, History};
use super::lines::{Breakdown, FeeLine, LineKind};
use super::model::{Clock, Direction, Plan, Rounding, RoundingMode, Tariff, Tax};
use super::quick::Pricer;
use super::terms::{Terms, Voucher, VoucherKind};

/// The last instant that may be priced: 2100-01-01.
pub(super) const INSTANT_MAX_S: i64 = 4_102_444_800;
/// The longest stay that is priced.
pub(super) const STAY_SECONDS_MAX: i64 = 20 * 366 * 86_400;
/// Most passes, vouchers or payments of one stay.
const TERMS_MAX: usize = 1_000;
const BASIS_POINTS: i128 = 10_000;

/// What a fee depends on, besides the tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay<'a> {
    /// Entry in seconds since 1970, UTC.
    pub entry_s: i64,
    /// Exit in seconds since 1970, UTC.
    pub exit_s: i64,
    /// Vehicle class, such as `car` or `large`.
    pub class: Option<&'a str>,
    /// Facts about the stay that plans may ask for, such as `lost`.
    pub tags: &'a [&'a str],
}

/// A priced stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fee {
    /// What is due for the stay, in minor units of the tariff's currency.
    pub fee_minor: i64,
    /// The plan that was applied.
    pub plan: String,
    /// The entry that was priced: rounded, or the start of a chain or of the time since the last payment.
    pub entry_s: i64,
    /// The exit that was priced.
    pub exit_s: i64,
    /// How the fee came about.
    pub lines: Vec<FeeLine>,
}

/// A fee before what was paid before, and what it adds to the history.
struct Total<'t, 's> {
    candidate: Candidate<'t>,
    stay: Stay<'s>,
    /// After rounding.
    rounded_minor: i64,
    /// After each voucher.
    discounted: Vec<(VoucherKind, i64)>,
    with_tax_minor: i64,
}

/// What is priced of a stay, and what counts as paid for it already.
struct Prepaid<'p, 's> {
    stay: Stay<'s>,
    terms: Terms<'p>,
    /// True: neither grace nor free minutes of the plan.
    is_plain: bool,
    before_minor: i64,
    last_paid_s: Option<i64>,
}

/// A stay that is settled once its account's history has noted it.
struct Settled<'t, 's> {
    total: Total<'t, 's>,
    due_minor: i64,
    /// The chain of re-entries that the stay begins or continues, where the tariff has such.
    chain: Option<Chain>,
}

impl Tariff {
    /// Prices one stay by itself; refused when the tariff needs the account's history.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn price(&self, stay: &Stay<'_>) -> Result<Fee, PriceError> {
        self.refuse_alone()?;
        self.settle(stay, &Terms::default(), &mut History::default())
    }

    /// The fee of one stay by itself, without its breakdown.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn price_minor(&self, stay: &Stay<'_>) -> Result<i64, PriceError> {
        self.refuse_alone()?;
        let profile = self.profile(stay.class, stay.tags);
        Pricer::new(self, false).fee_minor(&profile, stay.entry_s, stay.exit_s)
    }

    /// Prices the next stay of an account: with its passes, vouchers and payments, after the stays in `history`, to which it
    /// is added unless it is refused.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn settle(&self, stay: &Stay<'_>, terms: &Terms<'_>, history: &mut History) -> Result<Fee, PriceError> {
        let settled = self.settled(&LocalClock::new(&self.zone), stay, terms, history)?;
        let Settled { total, due_minor, .. } = &settled;
        let fee = Fee {
            fee_minor: *due_minor,
            plan: total.candidate.plan.id.clone(),
            entry_s: total.stay.entry_s,
            exit_s: total.stay.exit_s,
            lines: total.lines(self.tax, *due_minor)?,
        };
        history.note(settled);
        Ok(fee)
    }

    /// The same without a breakdown: what is due, in minor units.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn settle_minor(&self, stay: &Stay<'_>, terms: &Terms<'_>, history: &mut History) -> Result<i64, PriceError> {
        self.settle_minor_by(&LocalClock::new(&self.zone), stay, terms, history)
    }

    /// The same with a clock that was asked before.
    pub(super) fn settle_minor_by(
        &self,
        clock: &LocalClock<'_>,
        stay: &Stay<'_>,
        terms: &Terms<'_>,
        history: &mut History,
    ) -> Result<i64, PriceError> {
        let settled = self.settled(clock, stay, terms, history)?;
        let due_minor = settled.due_minor;
        history.note(settled);
        Ok(due_minor)
    }

    /// Computes what `settle` does and changes nothing.
    fn settled<'t, 's>(
        &'t self,
        clock: &LocalClock<'_>,
        stay: &Stay<'s>,
        terms: &Terms<'_>,
        history: &History,
    ) -> Result<Settled<'t, 's>, PriceError> {
        if [terms.covered.len(), terms.vouchers.len(), terms.paid.len()]
            .iter()
            .any(|count| *count > TERMS_MAX)
        {
            return Err(PriceError::TooManyItems);
        }
        let whole = self.normalised(stay)?;
        let chain = self.chain(&whole, history)?;
        let Prepaid {
            stay,
            terms,
            is_plain,
            before_minor,
            last_paid_s,
        } = self.prepaid(&whole, &chain, terms)?;
        let covered = covered_within(terms.covered, &stay);
        let minutes = terms
            .vouchers
            .iter()
            .filter(|voucher| voucher.kind == VoucherKind::Minutes);
        let voucher_s = sum_minor(minutes.map(|voucher| voucher.value))?.saturating_mul(60);
        let inputs = Inputs {
            stay,
            covered: &covered,
            voucher_s,
            plain: is_plain,
            history,
            clock,
        };
        let total = self.total(&inputs, &terms)?;
        let left_in_time = last_paid_s.is_some_and(|paid_s| whole.exit_s.saturating_sub(paid_s) <= self.leave.within_s);
        let due_minor = if left_in_time {
            0
        } else {
            total.with_tax_minor.saturating_sub(before_minor).max(0)
        };
        let chain = match self.reentry_within_s {
            None => None,
            Some(_) => Some(Chain {
                charged_minor: chain
                    .charged_minor
                    .checked_add(due_minor)
                    .ok_or(PriceError::FeeTooLarge)?,
                exit_s: whole.exit_s.max(chain.exit_s),
                ..chain
            }),
        };
        Ok(Settled {
            total,
            due_minor,
            chain,
        })
    }

    /// S17: what is left to be priced of a stay for which was paid before it ended.
    fn prepaid<'p, 's>(
        &self,
        whole: &Stay<'s>,
        chain: &Chain,
        terms: &Terms<'p>,
    ) -> Result<Prepaid<'p, 's>, PriceError> {
        let paid_minor = sum_minor(terms.paid.iter().map(|payment| payment.amount_minor))?;
        let last_paid_s = terms.paid.iter().map(|payment| payment.at_s).max();
        let before_minor = chain
            .charged_minor
            .checked_add(paid_minor)
            .ok_or(PriceError::FeeTooLarge)?;
        if let Some(paid_s) = last_paid_s.filter(|_| self.leave.restart) {
            // A new stay from the payment on; the vouchers were used for what was paid.
            let from_s = paid_s.clamp(whole.entry_s, whole.exit_s);
            let entry_s = self.clock.entry.round(from_s, self.clock.step_s).min(whole.exit_s);
            return Ok(Prepaid {
                stay: Stay { entry_s, ..*whole },
                terms: Terms {
                    covered: terms.covered,
                    ..Terms::default()
                },
                is_plain: self.leave.plain,
                before_minor: 0,
                last_paid_s,
            });
        }
        Ok(Prepaid {
            stay: Stay {
                entry_s: chain.entry_s,
                ..*whole
            },
            terms: *terms,
            is_plain: false,
            before_minor,
            last_paid_s,
        })
    }

    /// The version of the tz database that fees depend on.
    #[must_use]
    pub fn tzdata_version(&self) -> &'static str {
        tzdata_version()
    }

    /// Whether fees depend on the account's earlier stays: shared caps, free minutes of a day, re-entry.
    #[must_use]
    pub fn needs_history(&self) -> bool {
        let shared = |plan: &Plan| plan.free.per_day || plan.caps.iter().any(|cap| cap.account_key.is_some());
        self.reentry_within_s.is_some() || self.plans.iter().any(shared)
    }

    fn refuse_alone(&self) -> Result<(), PriceError> {
        if self.needs_history() {
            return Err(PriceError::HistoryNeeded);
        }
        Ok(())
    }

    fn normalised<'a>(&self, stay: &Stay<'a>) -> Result<Stay<'a>, PriceError> {
        let (entry_s, exit_s) = self.normalised_instants(stay.entry_s, stay.exit_s)?;
        Ok(Stay {
            entry_s,
            exit_s,
            ..*stay
        })
    }

    /// S2: both instants rounded to the clock's step, or why the stay is not priced.
    #[inline]
    pub(super) fn normalised_instants(&self, entry_s: i64, exit_s: i64) -> Result<(i64, i64), PriceError> {
        if !(0..=INSTANT_MAX_S).contains(&entry_s) || !(0..=INSTANT_MAX_S).contains(&exit_s) {
            return Err(PriceError::InstantOutOfRange);
        }
        let Clock { step_s, entry, exit } = self.clock;
        let entry_s = entry.round(entry_s, step_s);
        let exit_s = exit.round(exit_s, step_s);
        if entry_s > exit_s {
            return Err(PriceError::ExitBeforeEntry);
        }
        if exit_s - entry_s > STAY_SECONDS_MAX {
            return Err(PriceError::StayTooLong);
        }
        self.refuse_outside_validity(entry_s, exit_s)?;
        Ok((entry_s, exit_s))
    }

    /// S16: a fee with the tax that is added to it.
    #[inline]
    pub(super) fn with_tax(&self, fee_minor: i64) -> Result<i64, PriceError> {
        let tax_minor = match self.tax {
            Some(Tax { rate_bp, added: true }) => half_up(i128::from(fee_minor) * i128::from(rate_bp), BASIS_POINTS)?,
            Some(Tax { added: false, .. }) | None => 0,
        };
        fee_minor.checked_add(tax_minor).ok_or(PriceError::FeeTooLarge)
    }

    /// The chain that the stay continues, or a new one that starts with it.
    fn chain(&self, stay: &Stay<'_>, history: &History) -> Result<Chain, PriceError> {
        let alone = Chain {
            entry_s: stay.entry_s,
            exit_s: stay.exit_s,
            charged_minor: 0,
        };
        let Some((within_s, before)) = self.reentry_within_s.zip(history.chain) else {
            return Ok(alone);
        };
        if stay.entry_s - before.exit_s > within_s {
            return Ok(alone);
        }
        let entry_s = before.entry_s.min(stay.entry_s);
        if stay.exit_s - entry_s > STAY_SECONDS_MAX {
            return Err(PriceError::StayTooLong);
        }
        Ok(Chain { entry_s, ..before })
    }

    /// The plan's fee, rounded, less vouchers, with tax.
    fn total<'t, 's>(&'t self, inputs: &Inputs<'_, 's>, terms: &Terms<'_>) -> Result<Total<'t, 's>, PriceError> {
        let candidate = self.candidate(inputs)?;
        let rounded_minor = self.rounding.round(candidate.fee_scaled, candidate.scale)?;
        let mut vouchers: Vec<Voucher> = terms.vouchers.to_vec();
        if !terms.vouchers_as_given {
            vouchers.sort_by_key(|voucher| self.discount_order.iter().position(|kind| *kind == voucher.kind));
        }
        let mut fee_minor = rounded_minor;
        let mut discounted = Vec::new();
        for Voucher { kind, value } in vouchers {
            fee_minor = match kind {
                VoucherKind::Minutes => fee_minor,
                VoucherKind::Percent => {
                    let share = (BASIS_POINTS - i128::from(value)).clamp(0, BASIS_POINTS);
                    half_up(i128::from(fee_minor) * share, BASIS_POINTS)?
                }
                VoucherKind::Amount | VoucherKind::Points => fee_minor.saturating_sub(value.max(0)).max(0),
            };
            discounted.push((kind, fee_minor));
        }
        let with_tax_minor = self.with_tax(fee_minor)?;
        Ok(Total {
            candidate,
            stay: inputs.stay,
            rounded_minor,
            discounted,
            with_tax_minor,
        })
    }
}

impl History {
    fn note(&mut self, settled: Settled<'_, '_>) {
        self.add(settled.total.candidate.spent);
        if settled.chain.is_some() {
            self.chain = settled.chain;
        }
    }
}

impl Total<'_, '_> {
    fn lines(&self, tax: Option<Tax>, due_minor: i64) -> Result<Vec<FeeLine>, PriceError> {
        let mut breakdown = Breakdown::of(&self.candidate, &self.stay, self.rounded_minor)?;
        for (kind, after_minor) in &self.discounted {
            breakdown.settle_at(LineKind::Discount, kind.name(), *after_minor);
        }
        if let Some(tax) = tax {
            breakdown.settle_at(LineKind::Tax, &format!("{} bp", tax.rate_bp), self.with_tax_minor);
        }
        breakdown.settle_at(LineKind::Before, "before", due_minor);
        Ok(breakdown.into_lines())
    }
}

/// The covered stretches inside a stay, disjoint and in order.
fn covered_within(covered: &[(i64, i64)], stay: &Stay<'_>) -> Vec<(i64, i64)> {
    let mut parts: Vec<(i64, i64)> = covered
        .iter()
        .map(|(from_s, to_s)| ((*from_s).max(stay.entry_s), (*to_s).min(stay.exit_s)))
        .filter(|(from_s, to_s)| from_s < to_s)
        .collect();
    parts.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(parts.len());
    for (from_s, to_s) in parts {
        match merged.last_mut() {
            Some(last) if from_s <= last.1 => last.1 = last.1.max(to_s),
            _ => merged.push((from_s, to_s)),
        }
    }
    merged
}

fn sum_minor(amounts: impl Iterator<Item = i64>) -> Result<i64, PriceError> {
    let mut sum = 0_i64;
    for amount in amounts {
        sum = sum.checked_add(amount.max(0)).ok_or(PriceError::FeeTooLarge)?;
    }
    Ok(sum)
}

/// numerator / denominator for a numerator that is not negative, halves upwards.
fn half_up(numerator: i128, denominator: i128) -> Result<i64, PriceError> {
    i64::try_from((numerator * 2 + denominator) / (denominator * 2)).map_err(|_| PriceError::FeeTooLarge)
}

impl Direction {
    /// Rounds an instant to whole minutes; the other step, a second, leaves it as it is.
    #[inline]
    fn round(self, at_s: i64, step_s: i64) -> i64 {
        if step_s != 60 {
            return at_s;
        }
        match self {
            Self::Floor => at_s.div_euclid(60) * 60,
            Self::Ceil => (at_s + 59).div_euclid(60) * 60,
        }
    }
}

impl Rounding {
    /// Rounds an amount that is at least 0 to a multiple of `to_minor`.
    #[inline]
    pub(super) fn round(self, amount_scaled: i128, scale: i128) -> Result<i64, PriceError> {
        if let (Ok(amount), 1, 1) = (i64::try_from(amount_scaled), scale, self.to_minor) {
            return Ok(amount);
        }
        let step = scale.checked_mul(i128::from(self.to_minor));
        match (i64::try_from(amount_scaled), step.map(i64::try_from)) {
            (Ok(amount), Some(Ok(step))) if step < i64::MAX / 2 => {
                let (whole, rest) = (amount / step, amount % step);
                let up = self.goes_up(whole % 2 == 1, rest, step - rest);
                (whole + i64::from(up))
                    .checked_mul(self.to_minor)
                    .ok_or(PriceError::FeeTooLarge)
            }
            _ => self.round_wide(amount_scaled, scale),
        }
    }

    /// Whether a rest goes to the next step, which is so far away.
    fn goes_up<T: Ord + Default + Copy>(self, is_odd: bool, rest: T, missing: T) -> bool {
        match self.mode {
            RoundingMode::HalfUp => rest >= missing,
            RoundingMode::HalfEven => rest > missing || (rest == missing && is_odd),
            RoundingMode::Up => rest > T::default(),
            RoundingMode::Down => false,
        }
    }

    fn round_wide(self, amount_scaled: i128, scale: i128) -> Result<i64, PriceError> {
        let step = scale
            .checked_mul(i128::from(self.to_minor))
            .ok_or(PriceError::FeeTooLarge)?;
        let (whole, rest) = (amount_scaled / step, amount_scaled % step);
        let up = self.goes_up(whole % 2 == 1, rest, step - rest);
        let steps = whole + i128::from(up);
        let minor = steps
            .checked_mul(i128::from(self.to_minor))
            .ok_or(PriceError::FeeTooLarge)?;
        i64::try_from(minor).map_err(|_| PriceError::FeeTooLarge)
    }
}
