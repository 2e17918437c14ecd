//! Caps: no more than so much in a window of time; each works on what the one before has left (S13 of the language).

// Instants lie in 1970 to 2100 and window lengths below ten years (checked on entry), so sums stay far inside 64 bits.
#![allow(clippy::arithmetic_side_effects)]

use std::ops::RangeInclusive;

use super::amount::Amount;
use super::calendar::LocalClock;
use super::compiled::CompiledCap;
use super::error::PriceError;
use super::meter::{Run, Sink, RUNS_MAX};
use super::model::{Cap, Over};

/// This day of the epoch was a Monday.
const MONDAY: i64 = 4;

/// What the windows have used that one stay may meet, in order of the windows: few, so that a list is the fastest map.
pub(super) type Used = Vec<((i64, i64), i128)>;

/// A window of a cap: which one it is and the instant at which it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Window {
    key: (i64, i64),
    end_s: i64,
}

/// No item starts in it.
const NO_WINDOW: Window = Window {
    key: (i64::MIN, i64::MIN),
    end_s: i64::MIN,
};

/// One cap while the items of a stay pass through it in time order.
pub(super) struct CapWalk<'a, A> {
    cap: &'a Cap,
    compiled: &'a CompiledCap,
    clock: &'a LocalClock<'a>,
    entry_s: i64,
    /// How much finer the amounts of the runs are than the cap's.
    factor: i128,
    window: Window,
    /// What the window still lets through; `None`: everything.
    left: Option<A>,
    /// How many windows were entered before the current one.
    entered_before: usize,
    /// Runs that have passed.
    passed: usize,
    /// What earlier stays of the account have used, where the cap counts over them.
    used: Option<&'a mut Used>,
}

impl<'a, A: Amount> CapWalk<'a, A> {
    pub fn new(cap: &'a Cap, compiled: &'a CompiledCap, clock: &'a LocalClock<'a>, entry_s: i64) -> Self {
        Self {
            cap,
            compiled,
            clock,
            entry_s,
            factor: 1,
            window: NO_WINDOW,
            left: None,
            entered_before: 0,
            passed: 0,
            used: None,
        }
    }

    /// The same cap for runs whose amounts are multiplied by `factor` once more.
    pub fn finer_by(self, factor: i128) -> Self {
        Self { factor, ..self }
    }

    /// The same cap over the stays of an account; `used` learns what this stay uses.
    pub fn over_account(self, used: &'a mut Used) -> Self {
        Self {
            used: Some(used),
            ..self
        }
    }

    /// The numbers of the account's windows that items of a stay up to `exit_s` may meet.
    pub fn windows_met(&self, exit_s: i64) -> RangeInclusive<i64> {
        let week = |at_s, weekday: u8, turn_s| {
            let day = self.clock.service_day(at_s, turn_s);
            (day - MONDAY - i64::from(weekday)).div_euclid(7)
        };
        match self.cap.over {
            Over::Daily(turn_s) => {
                self.clock.service_day(self.entry_s, turn_s)..=self.clock.service_day(exit_s, turn_s)
            }
            Over::Weekly { weekday, turn_s } => week(self.entry_s, weekday, turn_s)..=week(exit_s, weekday, turn_s),
            Over::EveryFromFirst(length_s) => self.entry_s - length_s..=exit_s,
            // No account shares these.
            Over::Stay | Over::Cycle | Over::Occurrence | Over::EveryFromEntry(_) => 0..=0,
        }
    }

    /// Lets a run through, cut to what its windows have left.
    #[inline]
    pub fn pass(
        &mut self,
        run: Run<A>,
        onward: &mut impl FnMut(Run<A>) -> Result<(), PriceError>,
    ) -> Result<(), PriceError> {
        if !self.counts(&run) {
            self.count_passed(1)?;
            return onward(run);
        }
        let mut rest = run;
        loop {
            self.enter(&rest);
            let (inside, after) = split_at(&rest, self.window.end_s);
            self.limit(&inside, onward)?;
            match after {
                Some(run) => rest = run,
                None => return Ok(()),
            }
        }
    }

    /// The total that comes through of a run: like `pass`, for the last cap of a plan.
    #[inline]
    pub fn pass_total(&mut self, run: Run<A>) -> Result<A, PriceError> {
        if !self.counts(&run) {
            self.count_passed(1)?;
            return run.total();
        }
        let mut sum = A::default();
        let mut rest = run;
        loop {
            self.enter(&rest);
            let (inside, after) = split_at(&rest, self.window.end_s);
            let total = inside.total()?;
            let taken = self.left.map_or(total, |left| left.min(total));
            self.count_passed(if taken < total { 3 } else { 1 })?;
            self.take(taken)?;
            sum = sum.plus(taken)?;
            match after {
                Some(run) => rest = run,
                None => return Ok(sum),
            }
        }
    }

    #[inline]
    fn counts(&self, run: &Run<A>) -> bool {
        self.compiled.counts_all || (run.band < 64 && self.compiled.bands >> run.band & 1 == 1)
    }

    /// A run that is cut counts as three, however many of its parts are empty.
    #[inline]
    fn count_passed(&mut self, runs: usize) -> Result<(), PriceError> {
        self.passed += runs;
        if self.passed > RUNS_MAX {
            return Err(PriceError::TooManyItems);
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, taken: A) -> Result<(), PriceError> {
        if let Some(left) = &mut self.left {
            *left = left.less(taken);
        }
        if let Some(used) = &mut self.used {
            let key = self.window.key;
            let place = used.partition_point(|(window, _)| *window < key);
            match used.get_mut(place) {
                Some((window, used_scaled)) if *window == key => {
                    *used_scaled = used_scaled.checked_add(taken.wide()).ok_or(PriceError::FeeTooLarge)?;
                }
                _ => used.insert(place, (key, taken.wide())),
            }
        }
        Ok(())
    }

    /// Enters the window that contains the start of the run's first unit, unless it is the current one.
    #[inline]
    fn enter(&mut self, run: &Run<A>) {
        let is_same = match self.cap.over {
            Over::Cycle => self.window.key == (run.cycle, 0),
            Over::Occurrence => self.window.key == (run.cycle, run.occurrence),
            _ => run.from_s < self.window.end_s,
        };
        if !is_same {
            self.open(run);
        }
    }

    fn open(&mut self, run: &Run<A>) {
        let window = self.window_of(run);
        if self.window != NO_WINDOW && self.window.key != window.key {
            self.entered_before += 1;
        }
        self.window = window;
        let limits = &self.cap.max_scaled;
        let limit = match limits.as_slice() {
            [only] => *only,
            _ => limits.get(self.place()).or(limits.last()).copied().flatten(),
        };
        let used = self.used.as_ref().and_then(|used| {
            let found = used.iter().find(|(other, _)| *other == window.key);
            found.map(|(_, used_scaled)| *used_scaled)
        });
        self.left = limit.map(|limit| {
            let limit = if self.factor == 1 {
                limit
            } else {
                limit.saturating_mul(self.factor)
            };
            A::of(limit.saturating_sub(used.unwrap_or(0)).max(0))
        });
    }

    #[inline]
    fn window_of(&self, run: &Run<A>) -> Window {
        let at_s = run.from_s;
        match self.cap.over {
            Over::Stay => Window {
                key: (0, 0),
                end_s: i64::MAX,
            },
            Over::Cycle => Window {
                key: (run.cycle, 0),
                end_s: i64::MAX,
            },
            Over::Occurrence => Window {
                key: (run.cycle, run.occurrence),
                end_s: i64::MAX,
            },
            Over::EveryFromEntry(length_s) => {
                let since_s = at_s - self.entry_s;
                let number = self.compiled.every.map_or(0, |every| every.floor(since_s));
                Window {
                    key: (number, 0),
                    end_s: self.entry_s + (number + 1) * length_s,
                }
            }
            Over::EveryFromFirst(length_s) => {
                let start_s = self.open_since(at_s, length_s).unwrap_or(at_s);
                Window {
                    key: (start_s, 0),
                    end_s: start_s + length_s,
                }
            }
            Over::Daily(turn_s) => {
                let day = self.clock.service_day(at_s, turn_s);
                Window {
                    key: (day, 0),
                    end_s: self.clock.first_instant(day + 1, turn_s),
                }
            }
            Over::Weekly { weekday, turn_s } => {
                let day = self.clock.service_day(at_s, turn_s);
                let week = (day - MONDAY - i64::from(weekday)).div_euclid(7);
                let next_start = (week + 1) * 7 + MONDAY + i64::from(weekday);
                Window {
                    key: (week, 0),
                    end_s: self.clock.first_instant(next_start, turn_s),
                }
            }
        }
    }

    /// The start of the earliest window of the account that is open at an instant.
    fn open_since(&self, at_s: i64, length_s: i64) -> Option<i64> {
        let used = self.used.as_ref()?;
        used.iter()
            .rev()
            .map(|((start_s, _), _)| *start_s)
            .skip_while(|start_s| *start_s > at_s)
            .take_while(|start_s| at_s < start_s + length_s)
            .last()
    }

    /// The place of the current window among the windows of the stay.
    fn place(&self) -> usize {
        let elapsed = match self.cap.over {
            Over::EveryFromEntry(_) => self.window.key.0,
            Over::Daily(turn_s) => self.window.key.0 - self.clock.service_day(self.entry_s, turn_s),
            Over::Stay | Over::Cycle | Over::Occurrence | Over::EveryFromFirst(_) | Over::Weekly { .. } => {
                return self.entered_before;
            }
        };
        usize::try_from(elapsed).unwrap_or(0)
    }

    /// Sends on the run with its units cut to what the window has left: some in full, one in part, the rest at nothing.
    #[inline]
    fn limit(
        &mut self,
        run: &Run<A>,
        onward: &mut impl FnMut(Run<A>) -> Result<(), PriceError>,
    ) -> Result<(), PriceError> {
        let total = run.total()?;
        let Some(left) = self.left.filter(|left| *left < total) else {
            self.count_passed(1)?;
            self.take(total)?;
            return onward(*run);
        };
        self.count_passed(3)?;
        self.take(left)?;
        // The total exceeds what is left, so a unit costs something and fewer than all fit.
        let (full_units, part) = left.parts(run.amount);
        let mut at = *run;
        for (units, amount) in [
            (full_units, run.amount),
            (1, part),
            (run.units - full_units - 1, A::default()),
        ] {
            if units > 0 {
                let is_last = at.units == units;
                let to_s = if is_last {
                    run.to_s
                } else {
                    at.from_s + run.unit_s * units
                };
                onward(Run {
                    to_s,
                    units,
                    amount,
                    ..at
                })?;
                at = Run {
                    from_s: to_s,
                    units: at.units - units,
                    ..at
                };
            }
        }
        Ok(())
    }
}

/// Cuts a run before the first unit that starts at or after `end_s`.
#[inline]
fn split_at<A: Amount>(run: &Run<A>, end_s: i64) -> (Run<A>, Option<Run<A>>) {
    if run.units <= 1 || run.unit_s <= 0 || end_s - run.from_s > run.unit_s * (run.units - 1) {
        return (*run, None);
    }
    let units = ((end_s - run.from_s + run.unit_s - 1) / run.unit_s).max(1);
    let cut_s = run.from_s + run.unit_s * units;
    let inside = Run {
        to_s: cut_s,
        units,
        ..*run
    };
    let after = Run {
        from_s: cut_s,
        units: run.units - units,
        ..*run
    };
    (inside, Some(after))
}

/// The caps of a plan in a row: what comes through the last one is summed.
pub(super) struct CapChain<'w, 'a, A> {
    pub caps: &'w mut [CapWalk<'a, A>],
    pub total: A,
    /// Runs that came.
    pub runs: usize,
}

impl<A: Amount> Sink<A> for CapChain<'_, '_, A> {
    #[inline]
    fn take(&mut self, run: Run<A>) -> Result<(), PriceError> {
        if self.runs >= RUNS_MAX {
            return Err(PriceError::TooManyItems);
        }
        self.runs += 1;
        let total = through(self.caps, run)?;
        self.total = self.total.plus(total)?;
        Ok(())
    }
}

fn through<A: Amount>(caps: &mut [CapWalk<'_, A>], run: Run<A>) -> Result<A, PriceError> {
    match caps {
        [] => run.total(),
        [last] => last.pass_total(run),
        [first, rest @ ..] => {
            let mut sum = A::default();
            first.pass(run, &mut |piece| {
                sum = sum.plus(through(rest, piece)?)?;
                Ok(())
            })?;
            Ok(sum)
        }
    }
}
