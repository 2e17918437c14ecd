//! A stay under one plan, exact and before rounding; and which plan's fee counts.

// Instants lie in 1970 to 2100 (checked first), so their differences stay far inside 64 bits; money is added with checks.
#![allow(clippy::arithmetic_side_effects)]

use super::caps::{capped, Anchor};
use super::error::PriceError;
use super::fee::Stay;
use super::history::{CapUse, History, Spent};
use super::meter::{meter, Chargeable, Run};
use super::model::{Choose, Comparison, Condition, Free, Plan, Tariff, When};

/// What the plans of a tariff are applied to.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    /// Instants already rounded to the clock's step.
    pub stay: Stay<'a>,
    /// Disjoint stretches within the stay, in order.
    pub covered: &'a [(i64, i64)],
    /// Free seconds from vouchers.
    pub voucher_s: i64,
    /// True: neither grace nor free minutes of the plan.
    pub plain: bool,
    pub history: &'a History,
}

/// A stay under one plan before rounding.
pub(super) struct Candidate<'a> {
    pub plan: &'a Plan,
    pub runs: Vec<Run>,
    /// Sum before caps, then after each cap.
    pub totals_scaled: Vec<i128>,
    /// After the minimum.
    pub fee_scaled: i128,
    pub within_grace: bool,
    /// Chargeable seconds at the head that cost nothing.
    pub free_s: i64,
    pub spent: Spent,
}

impl Tariff {
    /// The plan that counts, applied.
    pub(super) fn candidate(&self, inputs: &Inputs<'_>) -> Result<Candidate<'_>, PriceError> {
        let mut plans = self
            .plans
            .iter()
            .filter(|plan| self.applies(&plan.condition, &inputs.stay));
        let mut best = self.apply(plans.next().ok_or(PriceError::NoPlan)?, inputs)?;
        match self.choose {
            Choose::First => {}
            Choose::Lowest => {
                for plan in plans {
                    let other = self.apply(plan, inputs)?;
                    if other.is_below(&best) {
                        best = other;
                    }
                }
            }
        }
        Ok(best)
    }

    fn apply<'a>(&'a self, plan: &'a Plan, inputs: &Inputs<'_>) -> Result<Candidate<'a>, PriceError> {
        let Stay { entry_s, exit_s, .. } = inputs.stay;
        let covered_s: i64 = inputs.covered.iter().map(|(from_s, to_s)| to_s - from_s).sum();
        let length_s = exit_s - entry_s - covered_s;
        let grace = plan.grace.filter(|_| !inputs.plain);
        let within_grace = grace.is_some_and(|grace| {
            if grace.strict {
                length_s < grace.seconds
            } else {
                length_s <= grace.seconds
            }
        });
        let mut candidate = Candidate {
            plan,
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
        candidate.take_free(inputs, length_s, self.zone.local(entry_s).0);
        let time = Chargeable {
            entry_s,
            exit_s,
            covered: inputs.covered,
            free_s: candidate.free_s,
        };
        candidate.runs = meter(plan, &self.zone, time)?;
        self.cap(&mut candidate, inputs)?;
        if 0 < candidate.fee_scaled && candidate.fee_scaled < plan.min_scaled {
            candidate.fee_scaled = plan.min_scaled;
        }
        Ok(candidate)
    }

    fn cap(&self, candidate: &mut Candidate<'_>, inputs: &Inputs<'_>) -> Result<(), PriceError> {
        let plan = candidate.plan;
        let anchor = Anchor {
            zone: &self.zone,
            entry_s: inputs.stay.entry_s,
        };
        candidate.fee_scaled = sum(&candidate.runs)?;
        candidate.totals_scaled = vec![candidate.fee_scaled];
        if plan.caps.is_empty() {
            return Ok(());
        }
        let mut left = candidate.runs.clone();
        for cap in &plan.caps {
            if self.applies(&cap.condition, &inputs.stay) {
                let key = cap.account_key.as_deref();
                // A pool may stand twice in a plan: the second cap goes on where the first stopped.
                let spent = candidate
                    .spent
                    .uses
                    .iter()
                    .rev()
                    .find(|(pool, _)| Some(pool.as_str()) == key);
                let mut used = match (key, spent) {
                    (_, Some((_, used))) => used.clone(),
                    (Some(key), None) => inputs.history.cap_use(key, plan.scale),
                    (None, None) => CapUse::unused(plan.scale),
                };
                left = capped(cap, &anchor, &left, &mut used)?;
                candidate.fee_scaled = sum(&left)?;
                if let Some(key) = key {
                    candidate.spent.uses.push((key.to_owned(), used));
                }
            }
            candidate.totals_scaled.push(candidate.fee_scaled);
        }
        Ok(())
    }

    /// S3: an entry condition looks at the entry; an exit condition holds at the exit or one second before it.
    fn applies(&self, condition: &Condition, stay: &Stay<'_>) -> bool {
        let holds = |whens: &[When], at_s: i64| {
            let (day, second) = self.zone.local(at_s);
            whens.iter().any(|when| when.holds(day, second))
        };
        let length_s = stay.exit_s - stay.entry_s;
        (condition.classes.is_empty() || condition.classes.iter().any(|class| Some(class.as_str()) == stay.class))
            && (condition.tags.is_empty() || condition.tags.iter().any(|tag| stay.tags.contains(&tag.as_str())))
            && condition
                .lengths
                .iter()
                .all(|(comparison, bound_s)| comparison.holds(length_s, *bound_s))
            && (condition.entry.is_empty() || holds(&condition.entry, stay.entry_s))
            && (condition.exit.is_empty()
                || holds(&condition.exit, stay.exit_s)
                || holds(&condition.exit, stay.exit_s - 1))
    }
}

impl Candidate<'_> {
    /// The plan's free minutes and those of vouchers; what the stay uses of a daily allowance is noted.
    fn take_free(&mut self, inputs: &Inputs<'_>, length_s: i64, day: i64) {
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

    /// Compares two exact fees of different scales.
    fn is_below(&self, other: &Self) -> bool {
        let (left, right) = (self.plan.scale, other.plan.scale);
        let whole = (self.fee_scaled / left).cmp(&(other.fee_scaled / right));
        // The remainders are below the scales, which are at most 10^9.
        let part = || ((self.fee_scaled % left) * right).cmp(&((other.fee_scaled % right) * left));
        whole.then_with(part).is_lt()
    }
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

fn sum(runs: &[Run]) -> Result<i128, PriceError> {
    let mut total = 0_i128;
    for run in runs {
        total = total.checked_add(run.total_scaled()?).ok_or(PriceError::FeeTooLarge)?;
    }
    Ok(total)
}
