//! A stay under one plan, exact and before rounding; and which plan's fee counts.

// Instants lie in 1970 to 2100 (checked first), so their differences stay far inside 64 bits; money is added with checks.
#![allow(clippy::arithmetic_side_effects)]

use std::ops::RangeInclusive;

use super::calendar::LocalClock;
use super::caps::CapWalk;
use super::error::PriceError;
use super::fee::Stay;
use super::history::{History, Met, Spent};
use super::meter::{Chargeable, Path, Run};
use super::model::{Choose, Comparison, Condition, Free, Grace, Plan, Tariff, When};

/// What the plans of a tariff are applied to.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a, 's> {
    /// Instants already rounded to the clock's step.
    pub stay: Stay<'s>,
    /// Disjoint stretches within the stay, in order.
    pub covered: &'a [(i64, i64)],
    /// Free seconds from vouchers.
    pub voucher_s: i64,
    /// True: neither grace nor free minutes of the plan.
    pub plain: bool,
    pub history: &'a History,
    pub clock: &'a LocalClock<'a>,
}

/// A stay under one plan before rounding.
pub(super) struct Candidate<'a> {
    pub plan: &'a Plan,
    /// What the amounts below are multiplied by: the plan's scale, or a multiple that the account's history needs to be exact.
    pub scale: i128,
    pub runs: Vec<Run<i128>>,
    /// Sum before caps, then after each cap.
    pub totals_scaled: Vec<i128>,
    /// After the minimum.
    pub fee_scaled: i128,
    pub within_grace: bool,
    /// Chargeable seconds at the head that cost nothing.
    pub free_s: i64,
    pub spent: Spent<'a>,
}

impl Tariff {
    /// The plan that counts, applied.
    pub(super) fn candidate(&self, inputs: &Inputs<'_, '_>) -> Result<Candidate<'_>, PriceError> {
        let clock = inputs.clock;
        let mut plans = (0..self.plans.len()).filter(|index| {
            let condition = &self.plans[*index].condition;
            condition.holds_for(&inputs.stay) && condition.holds_at(clock, inputs.stay.entry_s, inputs.stay.exit_s)
        });
        let mut best = self.apply(plans.next().ok_or(PriceError::NoPlan)?, clock, inputs)?;
        match self.choose {
            Choose::First => {}
            Choose::Lowest => {
                for plan in plans {
                    let other = self.apply(plan, clock, inputs)?;
                    if other.is_below(&best) {
                        best = other;
                    }
                }
            }
        }
        Ok(best)
    }

    fn apply(
        &self,
        index: usize,
        clock: &LocalClock<'_>,
        inputs: &Inputs<'_, '_>,
    ) -> Result<Candidate<'_>, PriceError> {
        let plan = &self.plans[index];
        let Stay { entry_s, exit_s, .. } = inputs.stay;
        let covered_s: i64 = inputs.covered.iter().map(|(from_s, to_s)| to_s - from_s).sum();
        let length_s = exit_s - entry_s - covered_s;
        let grace = plan.grace.filter(|_| !inputs.plain);
        let within_grace = grace.is_some_and(|grace| grace.forgives(length_s));
        let mut candidate = Candidate {
            plan,
            scale: plan.scale,
            runs: Vec::new(),
            totals_scaled: vec![0],
            fee_scaled: 0,
            within_grace,
            free_s: 0,
            spent: Spent::default(),
        };
        if within_grace || length_s == 0 {
            return Ok(candidate);
        }
        candidate.take_free(inputs, length_s, clock.local(entry_s).0);
        let time = Chargeable {
            entry_s,
            exit_s,
            covered: inputs.covered,
            free_s: candidate.free_s,
        };
        Path::new(plan, &self.compiled[index], false).meter(clock, time, &mut candidate.runs)?;
        self.cap(&mut candidate, index, clock, inputs)?;
        let min_scaled = plan.min_scaled.saturating_mul(candidate.factor());
        if 0 < candidate.fee_scaled && candidate.fee_scaled < min_scaled {
            candidate.fee_scaled = min_scaled;
        }
        Ok(candidate)
    }

    /// Applies the caps one after the other to all items, so that a breakdown can say what each took off.
    fn cap(
        &self,
        candidate: &mut Candidate<'_>,
        index: usize,
        clock: &LocalClock<'_>,
        inputs: &Inputs<'_, '_>,
    ) -> Result<(), PriceError> {
        let plan = candidate.plan;
        let Stay { entry_s, exit_s, .. } = inputs.stay;
        candidate.refine(inputs.history)?;
        candidate.fee_scaled = sum(&candidate.runs)?;
        candidate.totals_scaled = vec![candidate.fee_scaled];
        if plan.caps.is_empty() {
            return Ok(());
        }
        let mut left: Option<Vec<Run<i128>>> = None;
        for (cap, compiled) in plan.caps.iter().zip(&self.compiled[index].caps) {
            if cap.condition.holds_for(&inputs.stay) && cap.condition.holds_at(clock, entry_s, exit_s) {
                let walk = CapWalk::new(cap, compiled, clock, entry_s).finer_by(candidate.factor());
                if let Some(key) = cap.account_key.as_deref() {
                    let numbers = walk.windows_met(exit_s);
                    let mut used = candidate.account_use(key, inputs.history, numbers);
                    left = Some(passed(
                        walk.over_account(&mut used.windows),
                        left.as_ref().unwrap_or(&candidate.runs),
                    )?);
                    candidate.spent.uses.push((key, used));
                } else {
                    left = Some(passed(walk, left.as_ref().unwrap_or(&candidate.runs))?);
                }
                candidate.fee_scaled = sum(left.as_ref().unwrap_or(&candidate.runs))?;
            }
            candidate.totals_scaled.push(candidate.fee_scaled);
        }
        Ok(())
    }
}

impl Condition {
    /// Whether what it asks of the vehicle holds.
    pub fn holds_for(&self, stay: &Stay<'_>) -> bool {
        (self.classes.is_empty() || self.classes.iter().any(|class| Some(class.as_str()) == stay.class))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| stay.tags.contains(&tag.as_str())))
    }

    /// Whether what it asks of time holds. S3: an entry condition looks at the entry; an exit condition holds at the exit or one
    /// second before it.
    pub fn holds_at(&self, clock: &LocalClock<'_>, entry_s: i64, exit_s: i64) -> bool {
        let holds = |whens: &[When], at_s: i64| {
            let (day, second) = clock.local(at_s);
            whens.iter().any(|when| when.holds(day, second))
        };
        let length_s = exit_s - entry_s;
        self.lengths
            .iter()
            .all(|(comparison, bound_s)| comparison.holds(length_s, *bound_s))
            && (self.entry.is_empty() || holds(&self.entry, entry_s))
            && (self.exit.is_empty() || holds(&self.exit, exit_s) || holds(&self.exit, exit_s - 1))
    }
}

impl Grace {
    /// Whether a stay of so many chargeable seconds costs nothing.
    pub fn forgives(self, length_s: i64) -> bool {
        if self.strict {
            length_s < self.seconds
        } else {
            length_s <= self.seconds
        }
    }
}

impl Candidate<'_> {
    /// The plan's free minutes and those of vouchers; what the stay uses of a daily allowance is noted.
    fn take_free(&mut self, inputs: &Inputs<'_, '_>, length_s: i64, day: i64) {
        let Free { seconds, per_day } = if inputs.plain { Free::default() } else { self.plan.free };
        let own_s = if per_day {
            (seconds - inputs.history.free_used_s(day)).max(0)
        } else {
            seconds
        };
        if per_day {
            self.spent.free = Some((day, own_s.min(length_s)));
        }
        self.free_s = own_s.saturating_add(inputs.voucher_s).min(length_s);
    }

    /// How much finer the amounts are than the plan's.
    fn factor(&self) -> i128 {
        if self.scale == self.plan.scale {
            return 1;
        }
        self.scale / self.plan.scale
    }

    /// Takes a scale in which what the account has used is a whole number too: plans that share a pool may have other scales.
    fn refine(&mut self, history: &History) -> Result<(), PriceError> {
        if history.is_empty() {
            return Ok(());
        }
        let keys = self.plan.caps.iter().filter_map(|cap| cap.account_key.as_deref());
        let scale = keys.fold(self.scale, |scale, key| history.common_scale(key, scale));
        let factor = scale / self.scale;
        if factor > 1 {
            self.scale = scale;
            for run in &mut self.runs {
                run.amount = run.amount.checked_mul(factor).ok_or(PriceError::FeeTooLarge)?;
            }
        }
        Ok(())
    }

    /// What is used of a cap over the account in the windows of some numbers. A pool may stand twice in a plan: the second cap goes
    /// on where the first stopped.
    fn account_use(&self, key: &str, history: &History, numbers: RangeInclusive<i64>) -> Met {
        let mut met = history.met(key, self.scale, numbers);
        for (_, spent) in self.spent.uses.iter().filter(|(pool, _)| *pool == key) {
            for (window, used) in &spent.windows {
                match met.windows.binary_search_by_key(window, |(other, _)| *other) {
                    Ok(place) => met.windows[place].1 = *used,
                    Err(place) => met.windows.insert(place, (*window, *used)),
                }
            }
        }
        met
    }

    fn is_below(&self, other: &Self) -> bool {
        is_below((self.fee_scaled, self.scale), (other.fee_scaled, other.scale))
    }
}

/// Compares two exact fees, each with its scale.
pub(super) fn is_below((left, left_scale): (i128, i128), (right, right_scale): (i128, i128)) -> bool {
    let whole = (left / left_scale).cmp(&(right / right_scale));
    // The remainders are below the scales, which are at most 10^18.
    let part = || ((left % left_scale) * right_scale).cmp(&((right % right_scale) * left_scale));
    whole.then_with(part).is_lt()
}

impl Comparison {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// The runs that come through a cap.
fn passed(mut walk: CapWalk<'_, i128>, runs: &[Run<i128>]) -> Result<Vec<Run<i128>>, PriceError> {
    let mut through = Vec::with_capacity(runs.len());
    for run in runs {
        walk.pass(*run, &mut |piece| {
            through.push(piece);
            Ok(())
        })?;
    }
    Ok(through)
}

fn sum(runs: &[Run<i128>]) -> Result<i128, PriceError> {
    let mut total = 0_i128;
    for run in runs {
        total = total.checked_add(run.total()?).ok_or(PriceError::FeeTooLarge)?;
    }
    Ok(total)
}
