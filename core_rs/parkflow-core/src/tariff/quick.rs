//! The fee of a stay by itself, without its breakdown: the same meter and caps, with nothing kept in between.

// Instants lie in 1970 to 2100 (checked first), so their differences stay far inside 64 bits; money is checked.
#![allow(clippy::arithmetic_side_effects)]

use super::amount::Amount;
use super::calendar::LocalClock;
use super::candidate::is_below;
use super::caps::{CapChain, CapWalk};
use super::error::PriceError;
use super::fee::{Stay, STAY_SECONDS_MAX};
use super::meter::{Chargeable, Path};
use super::model::{Choose, Tariff};

/// What a vehicle class and the tags decide before any time is known: which plans are candidates, and which of their caps.
pub(super) struct Profile {
    plans: Vec<ProfilePlan>,
}

struct ProfilePlan {
    index: usize,
    /// Indices of the caps that may apply.
    caps: Vec<usize>,
}

/// Prices stays one after the other, and remembers what it has looked up about days and zones.
pub(super) struct Pricer<'a> {
    tariff: &'a Tariff,
    clock: LocalClock<'a>,
    paths: Vec<Path<'a>>,
}

impl Tariff {
    pub(super) fn profile(&self, class: Option<&str>, tags: &[&str]) -> Profile {
        let stay = Stay {
            entry_s: 0,
            exit_s: 0,
            class,
            tags,
        };
        let candidates = self.plans.iter().enumerate();
        let plans = candidates
            .filter(|(_, plan)| plan.condition.holds_for(&stay))
            .map(|(index, plan)| ProfilePlan {
                index,
                caps: (0..plan.caps.len())
                    .filter(|cap| plan.caps[*cap].condition.holds_for(&stay))
                    .collect(),
            });
        Profile { plans: plans.collect() }
    }
}

impl<'a> Pricer<'a> {
    /// `many`: whether it is worth while to keep tables of days.
    pub fn new(tariff: &'a Tariff, many: bool) -> Self {
        Self {
            tariff,
            clock: LocalClock::new(&tariff.zone),
            paths: tariff
                .plans
                .iter()
                .zip(&tariff.compiled)
                .map(|(plan, compiled)| Path::new(plan, compiled, many))
                .collect(),
        }
    }

    /// The fee in minor units of a stay without passes, vouchers, payments or history.
    #[inline]
    pub fn fee_minor(&mut self, profile: &Profile, entry_s: i64, exit_s: i64) -> Result<i64, PriceError> {
        let (entry_s, exit_s) = self.tariff.normalised_instants(entry_s, exit_s)?;
        let mut best: Option<(i128, i128)> = None;
        for candidate in &profile.plans {
            let Some(fee) = self.plan_fee(candidate, entry_s, exit_s)? else {
                continue;
            };
            if best.is_none_or(|best| is_below(fee, best)) {
                best = Some(fee);
            }
            if self.tariff.choose == Choose::First {
                break;
            }
        }
        let (fee_scaled, scale) = best.ok_or(PriceError::NoPlan)?;
        let fee_minor = self.tariff.rounding.round(fee_scaled, scale)?;
        self.tariff.with_tax(fee_minor)
    }

    /// The exact fee under a plan and its scale; `None`: its condition does not hold.
    #[inline]
    fn plan_fee(
        &mut self,
        candidate: &ProfilePlan,
        entry_s: i64,
        exit_s: i64,
    ) -> Result<Option<(i128, i128)>, PriceError> {
        let path = &mut self.paths[candidate.index];
        let (plan, compiled) = (path.plan, path.compiled);
        if compiled.asks_for_time && !plan.condition.holds_at(&self.clock, entry_s, exit_s) {
            return Ok(None);
        }
        let length_s = exit_s - entry_s;
        debug_assert!(length_s <= STAY_SECONDS_MAX);
        if length_s == 0 || plan.grace.is_some_and(|grace| grace.forgives(length_s)) {
            return Ok(Some((0, plan.scale)));
        }
        let free_s = plan.free.seconds.min(length_s);
        let flat = compiled.flat.as_ref();
        let closed = flat.and_then(|flat| flat.sum(&self.clock, entry_s, entry_s + free_s, exit_s));
        let time = Chargeable {
            entry_s,
            exit_s,
            covered: &[],
            free_s,
        };
        let fee_scaled = if let Some(fee_scaled) = closed {
            fee_scaled.wide()
        } else if compiled.is_narrow {
            capped_sum::<i64>(path, &self.clock, time, &candidate.caps)?.wide()
        } else {
            capped_sum::<i128>(path, &self.clock, time, &candidate.caps)?
        };
        let raised = if fee_scaled > 0 {
            fee_scaled.max(plan.min_scaled)
        } else {
            fee_scaled
        };
        Ok(Some((raised, plan.scale)))
    }
}

/// The sum of what the caps let through.
#[inline]
fn capped_sum<A: Amount>(
    path: &mut Path<'_>,
    clock: &LocalClock<'_>,
    time: Chargeable<'_>,
    caps: &[usize],
) -> Result<A, PriceError> {
    let (plan, compiled) = (path.plan, path.compiled);
    let walk = |index: &usize| CapWalk::new(&plan.caps[*index], &compiled.caps[*index], clock, time.entry_s);
    let asks = |index: &usize| compiled.caps[*index].asks_for_time;
    let mut sum = |caps: &mut [CapWalk<'_, A>]| {
        let mut chain = CapChain {
            caps,
            total: A::default(),
            runs: 0,
        };
        path.meter(clock, time, &mut chain)?;
        Ok(chain.total)
    };
    match caps {
        [] => sum(&mut []),
        [only] if !asks(only) => sum(&mut [walk(only)]),
        [first, second] if !asks(first) && !asks(second) => sum(&mut [walk(first), walk(second)]),
        _ => {
            let holds = |index: &&usize| {
                let condition = &plan.caps[**index].condition;
                !asks(index) || condition.holds_at(clock, time.entry_s, time.exit_s)
            };
            let mut walks: Vec<CapWalk<'_, A>> = caps.iter().filter(holds).map(walk).collect();
            sum(&mut walks)
        }
    }
}
