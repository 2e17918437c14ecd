//! What the earlier stays of one account have used up: shared caps, daily free minutes, a chain of re-entries.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::calendar::DAY_S;
use super::caps::Used;
use super::fee::Stay;
use super::model::{Over, Tariff};
use super::parse_plan::greatest_divisor;

/// Windows are named by the number of a local week, by that of a local day or by the instant at which they began. Until 2100 a
/// week's number is below this, a day's after 1989 is not; an older day taken for a week is only kept longer.
const WEEK_NUMBER_MAX: i64 = 7_000;
/// A number from this on is an instant: no day until 2100 has it.
const DAY_NUMBER_MAX: i64 = 100_000;
/// Finer than this no amount becomes; the scale of one plan is at most 10^9.
pub(super) const SCALE_MAX: i128 = 1_000_000_000_000_000_000;
/// The coarsest step of a tariff's clock.
const CLOCK_STEP_MAX_S: i64 = 60;

/// The used amounts of one cap, by window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CapUse {
    /// What the amounts are multiplied by.
    pub(super) scale: i128,
    pub windows: BTreeMap<(i64, i64), i128>,
}

/// The used amounts of one cap in the few windows that one stay may meet.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    /// What the amounts are multiplied by.
    scale: i128,
    pub windows: Used,
}

impl CapUse {
    /// Turns to amounts of another scale.
    fn rescale(&mut self, scale: i128) {
        if self.scale != scale {
            for used in self.windows.values_mut() {
                *used = rescaled(*used, self.scale, scale);
            }
            self.scale = scale;
        }
    }
}

/// An amount in another scale; what does not divide counts as used, in the driver's favour. That happens only where scales have no
/// common multiple below `SCALE_MAX`.
fn rescaled(used: i128, from: i128, to: i128) -> i128 {
    if from == to {
        return used;
    }
    let up = used.saturating_mul(to).saturating_add(from.saturating_sub(1));
    up.checked_div(from).unwrap_or(0)
}

/// Stays that follow each other so closely that they count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub entry_s: i64,
    pub exit_s: i64,
    pub charged_minor: i64,
}

/// The history of one account. Stays are settled in order of their exits; a settled stay is never settled anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    pub(super) uses: BTreeMap<String, CapUse>,
    pub(super) free_used_s: BTreeMap<i64, i64>,
    pub(super) chain: Option<Chain>,
}

/// What one stay adds to the history once it is settled.
#[derive(Debug, Clone, Default)]
pub(super) struct Spent<'t> {
    /// Per cap the windows that the stay may have met, with all that is used of them now.
    pub uses: Vec<(&'t str, Met)>,
    /// Local day and seconds of its free allowance.
    pub free: Option<(i64, i64)>,
}

impl History {
    /// Whether nothing has been used yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Drops windows and days that ended before an instant (seconds since 1970, UTC), in which no later stay can lie.
    ///
    /// `window_s` is the longest window that begins with an item ([`Tariff::shared_window_s`]) of all tariffs that counted in this
    /// history: such a window does not say its length. The chain of re-entries stays: it is one, whatever its age.
    pub fn forget_before(&mut self, instant_s: i64, window_s: i64) {
        for used in self.uses.values_mut() {
            used.windows
                .retain(|(number, _), _| window_end_s(*number, window_s) > instant_s);
        }
        self.uses.retain(|_, used| !used.windows.is_empty());
        self.free_used_s.retain(|day, _| day_end_s(*day) > instant_s);
    }

    /// The smallest multiple of a scale in which the use of a cap so far is a whole number; the scale itself if that is too large.
    pub(super) fn common_scale(&self, key: &str, scale: i128) -> i128 {
        let other = self.uses.get(key).map_or(1, |before| before.scale);
        if other == scale || other == 1 {
            return scale;
        }
        let shared = greatest_divisor(scale, other).max(1);
        let multiple = scale.saturating_mul(other.checked_div(shared).unwrap_or(1));
        if (1..=SCALE_MAX).contains(&multiple) {
            multiple
        } else {
            scale
        }
    }

    /// The use of a cap so far in the windows of some numbers, in amounts of the given scale.
    pub(super) fn met(&self, key: &str, scale: i128, numbers: RangeInclusive<i64>) -> Met {
        let (first, last) = numbers.into_inner();
        let windows = self.uses.get(key).map_or_else(Used::new, |before| {
            let met = before.windows.range((first, i64::MIN)..=(last, i64::MAX));
            met.map(|(window, used)| (*window, rescaled(*used, before.scale, scale)))
                .collect()
        });
        Met { scale, windows }
    }

    /// How much of a day's free allowance is used.
    pub(super) fn free_used_s(&self, day: i64) -> i64 {
        self.free_used_s.get(&day).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, spent: Spent<'_>) {
        for (key, met) in spent.uses {
            if !self.uses.contains_key(key) {
                self.uses.insert(key.to_owned(), CapUse::default());
            }
            let Some(before) = self.uses.get_mut(key) else { continue };
            if before.windows.is_empty() {
                before.scale = met.scale;
            }
            before.rescale(met.scale);
            before.windows.extend(met.windows);
        }
        if let Some((day, seconds)) = spent.free {
            let used_s = self.free_used_s.entry(day).or_insert(0);
            *used_s = used_s.saturating_add(seconds);
        }
    }
}

impl Tariff {
    /// The longest window, in seconds, of caps over an account's stays that begins with an item; 0 when there is none.
    #[must_use]
    pub fn shared_window_s(&self) -> i64 {
        let shared = self
            .plans
            .iter()
            .flat_map(|plan| &plan.caps)
            .filter(|cap| cap.account_key.is_some());
        let lengths = shared.map(|cap| match cap.over {
            Over::EveryFromFirst(length_s) => length_s,
            Over::Stay
            | Over::Cycle
            | Over::Occurrence
            | Over::EveryFromEntry(_)
            | Over::Daily(_)
            | Over::Weekly { .. } => 0,
        });
        lengths.max().unwrap_or(0)
    }

    /// The part of an account's history that the fee of one stay may depend on: with it alone the fee is the same.
    #[must_use]
    pub fn history_of(&self, stay: &Stay<'_>, history: &History) -> History {
        let mut part = History::default();
        if !self.needs_history() {
            return part;
        }
        let within = |chain: &Chain| {
            let within_s = self.reentry_within_s.unwrap_or(-1);
            stay.entry_s.saturating_sub(chain.exit_s) <= within_s.saturating_add(CLOCK_STEP_MAX_S)
        };
        part.chain = history
            .chain
            .filter(|chain| self.reentry_within_s.is_some() && within(chain));
        let counts = |key: &String| {
            let mut caps = self.plans.iter().flat_map(|plan| &plan.caps);
            caps.any(|cap| cap.account_key.as_ref() == Some(key))
        };
        let uses = history.uses.iter().filter(|(key, _)| counts(key));
        part.uses = uses.map(|(key, used)| (key.clone(), used.clone())).collect();
        if self.plans.iter().any(|plan| plan.free.per_day) {
            part.free_used_s.clone_from(&history.free_used_s);
        }
        let begin_s = part.chain.map_or(stay.entry_s, |chain| chain.entry_s.min(stay.entry_s));
        // Whoever opened a window, this tariff enters it for no longer than its own length.
        part.forget_before(begin_s.saturating_sub(CLOCK_STEP_MAX_S), self.shared_window_s());
        part
    }
}

/// An instant at which the window of this number is over in every zone.
fn window_end_s(number: i64, window_s: i64) -> i64 {
    if number < WEEK_NUMBER_MAX {
        // Week 0 begins on day 4 at the earliest and 7 days and a turn later at the latest.
        return number
            .saturating_add(1)
            .saturating_mul(7)
            .saturating_add(13)
            .saturating_mul(DAY_S);
    }
    if number < DAY_NUMBER_MAX {
        return day_end_s(number.saturating_add(1));
    }
    number.saturating_add(window_s)
}

/// An instant at which the local day of this number is over in every zone.
fn day_end_s(day: i64) -> i64 {
    day.saturating_add(2).saturating_mul(DAY_S)
}
