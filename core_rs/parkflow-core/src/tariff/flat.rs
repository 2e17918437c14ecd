//! The closed form of the most common tariff: one price a unit at all times, at most one cap.
//!
//! All units of a stay cost the same, so a window of the cap needs its number of units only, and whole windows between the first
//! and the last one are all alike. What does not fit here goes through the meter; both give the same fee.

// Instants lie in 1970 to 2100, lengths below twenty years, and a narrow plan's amounts fit 64 bits.
#![allow(clippy::arithmetic_side_effects)]

use super::calendar::{LocalClock, DAY_S, OFFSET_MAX_S};
use super::day_table::Layout;
use super::model::{Cap, Condition, Cycle, Edge, Length, Over, Plan};
use super::reciprocal::Divisor;

/// A plan whose units all cost the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flat {
    unit: Divisor,
    amount: i64,
    limit: i64,
    windows: Windows,
}

/// The windows of the cap.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Windows {
    /// One for the whole stay.
    Stay,
    /// From the entry on, each with a whole number of units.
    FromEntry(Period),
    /// Local days that turn at a time.
    Daily { turn_s: i64, day: Period },
    /// Cycles from the entry on, each of which ends its last unit.
    Cycles { length: Divisor, whole_amount: i64 },
}

/// A window's length, and what a whole one costs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Period {
    length: Divisor,
    whole_amount: i64,
}

/// Cycles are not shorter: the meter counts each of them, and has a bound.
const CYCLE_MIN_S: i64 = 4 * 3_600;

impl Flat {
    /// `is_narrow`: no amount of the plan leaves 64 bits.
    pub fn of(plan: &Plan, layout: &Layout, is_narrow: bool) -> Option<Self> {
        let Layout::Always(band) = layout else { return None };
        let [step] = plan.bands.get(usize::from(*band))?.ladder.as_slice() else {
            return None;
        };
        let Length::Seconds(unit_s) = step.length else {
            return None;
        };
        if !is_narrow || step.to_s != i64::MAX || plan.edge == Edge::Total || plan.entry_fee_scaled != 0 {
            return None;
        }
        let amount = i64::try_from(step.amount_scaled).ok()?;
        let (limit, over) = match plan.caps.as_slice() {
            [] => (i64::MAX, None),
            [cap] => (limit(cap, usize::from(*band))?, Some(cap.over)),
            _ => return None,
        };
        let whole = |length_s: i64| {
            amount
                .checked_mul((length_s + unit_s - 1) / unit_s)
                .map(|sum| sum.min(limit))
        };
        let period = |length_s: i64| {
            (length_s % unit_s == 0).then_some(Period {
                length: Divisor::new(length_s),
                whole_amount: whole(length_s)?,
            })
        };
        let windows = match (plan.cycle, over) {
            (Cycle::Stay, None | Some(Over::Stay | Over::Cycle)) => Windows::Stay,
            (Cycle::Stay, Some(Over::EveryFromEntry(length_s))) => Windows::FromEntry(period(length_s)?),
            (Cycle::Stay, Some(Over::Daily(turn_s))) => Windows::Daily {
                turn_s,
                day: period(DAY_S)?,
            },
            (Cycle::Every(length_s), None | Some(Over::Cycle)) if length_s >= CYCLE_MIN_S && plan.free.seconds == 0 => {
                Windows::Cycles {
                    length: Divisor::new(length_s),
                    whole_amount: whole(length_s)?,
                }
            }
            _ => return None,
        };
        Some(Self {
            unit: Divisor::new(unit_s),
            amount,
            limit,
            windows,
        })
    }

    /// The sum after the cap, scaled; `None`: the clock changes near the stay, or more than once in it.
    ///
    /// `start_s` is the entry or, later, where free time ends.
    #[inline]
    pub fn sum(&self, clock: &LocalClock<'_>, entry_s: i64, start_s: i64, exit_s: i64) -> Option<i64> {
        let length_s = exit_s - start_s;
        match &self.windows {
            Windows::Stay => Some((self.unit.ceil(length_s) * self.amount).min(self.limit)),
            Windows::FromEntry(period) => Some(self.over_windows(period, start_s - entry_s, length_s)),
            Windows::Daily { turn_s, day } => {
                let stretch = clock.stretch(start_s);
                // Near a change of the clock a day may turn earlier or later than it shows.
                if exit_s >= stretch.to_s || start_s - stretch.from_s.max(0) < 2 * OFFSET_MAX_S {
                    return None;
                }
                let since_turn_s = (start_s + stretch.offset_s - turn_s).rem_euclid(DAY_S);
                Some(self.over_windows(day, since_turn_s, length_s))
            }
            Windows::Cycles { length, whole_amount } => {
                let whole = length.floor(length_s);
                let rest_s = length_s - whole * length.seconds();
                Some(whole * whole_amount + (self.unit.ceil(rest_s) * self.amount).min(self.limit))
            }
        }
    }

    /// `since_s`: how long the first window, or one before it, has been open.
    #[inline]
    fn over_windows(&self, period: &Period, since_s: i64, length_s: i64) -> i64 {
        let window_s = period.length.seconds();
        let units = self.unit.ceil(length_s);
        let open_s = since_s - period.length.floor(since_s) * window_s;
        let first = self.unit.ceil(window_s - open_s).min(units);
        let first_amount = (first * self.amount).min(self.limit);
        if first == units {
            return first_amount;
        }
        // Where the last unit begins, as seen from the end of the first window.
        let last_s = open_s + (units - 1) * self.unit.seconds() - window_s;
        let whole = period.length.floor(last_s);
        let last = self.unit.floor(last_s - whole * window_s) + 1;
        first_amount + whole * period.whole_amount + (last * self.amount).min(self.limit)
    }
}

/// The one limit of a cap that always counts every item.
fn limit(cap: &Cap, band: usize) -> Option<i64> {
    let counts_all = cap.bands.is_empty() || cap.bands.contains(&band);
    match cap.max_scaled.as_slice() {
        [Some(limit)] if counts_all && cap.condition == Condition::default() && cap.account_key.is_none() => {
            i64::try_from(*limit).ok()
        }
        _ => None,
    }
}
