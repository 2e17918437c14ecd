//! Caps: no more than so much in a window of time; each works on what the one before has left (S13 of the language).

// Instants lie in 1970 to 2100 and window lengths below ten years (checked on entry), so sums stay far inside 64 bits.
#![allow(clippy::arithmetic_side_effects)]

use super::calendar::Zone;
use super::error::PriceError;
use super::history::CapUse;
use super::meter::{Run, RUNS_MAX};
use super::model::{Cap, Over};

/// Where a stay's windows are counted from.
pub(super) struct Anchor<'a> {
    pub zone: &'a Zone,
    pub entry_s: i64,
}

/// A window of a cap: which one it is and the instant at which it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Window {
    key: (i64, i64),
    end_s: i64,
}

/// The windows of one cap while its items are walked in time order.
struct Windows<'a> {
    cap: &'a Cap,
    anchor: &'a Anchor<'a>,
    current: Option<Window>,
    /// How many windows were entered before the current one.
    entered_before: usize,
    used: &'a mut CapUse,
}

/// The items with one cap applied; `used` says what earlier stays have used of it and learns what this one uses.
pub(super) fn capped(cap: &Cap, anchor: &Anchor<'_>, runs: &[Run], used: &mut CapUse) -> Result<Vec<Run>, PriceError> {
    let mut windows = Windows {
        cap,
        anchor,
        current: None,
        entered_before: 0,
        used,
    };
    let mut out = Vec::with_capacity(runs.len());
    for run in runs {
        if !cap.bands.is_empty() && !run.band.is_some_and(|band| cap.bands.contains(&band)) {
            out.push(*run);
            continue;
        }
        let mut rest = *run;
        loop {
            let window = windows.enter(&rest);
            let (inside, after) = split_at(&rest, window.end_s);
            windows.limit(&inside, &mut out)?;
            if out.len() > RUNS_MAX {
                return Err(PriceError::TooManyItems);
            }
            match after {
                Some(run) => rest = run,
                None => break,
            }
        }
    }
    Ok(out)
}

/// Cuts a run before the first unit that starts at or after `end_s`.
fn split_at(run: &Run, end_s: i64) -> (Run, Option<Run>) {
    if run.units <= 1 || run.unit_s <= 0 || end_s - run.from_s > run.unit_s.saturating_mul(run.units - 1) {
        return (*run, None);
    }
    let units = (end_s - run.from_s + run.unit_s - 1).div_euclid(run.unit_s).max(1);
    let cut_s = run.from_s + run.unit_s * units;
    let inside = Run {
        to_s: cut_s,
        units,
        ..*run
    };
    (
        inside,
        Some(Run {
            from_s: cut_s,
            units: run.units - units,
            ..*run
        }),
    )
}

impl Windows<'_> {
    /// The window that contains the start of the run's first unit.
    fn enter(&mut self, run: &Run) -> Window {
        let window = self.window_of(run);
        if self.current.is_some_and(|old| old.key != window.key) {
            self.entered_before += 1;
        }
        self.current = Some(window);
        window
    }

    fn window_of(&self, run: &Run) -> Window {
        let at_s = run.from_s;
        let Anchor { zone, entry_s } = *self.anchor;
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
                let number = (at_s - entry_s).div_euclid(length_s);
                Window {
                    key: (number, 0),
                    end_s: entry_s + (number + 1) * length_s,
                }
            }
            Over::EveryFromFirst(length_s) => {
                let candidates = self
                    .used
                    .windows
                    .range(..=(at_s, i64::MAX))
                    .map(|((start_s, _), _)| *start_s);
                let start_s = candidates
                    .rev()
                    .take_while(|start_s| at_s < start_s + length_s)
                    .last()
                    .unwrap_or(at_s);
                Window {
                    key: (start_s, 0),
                    end_s: start_s + length_s,
                }
            }
            Over::Daily(turn_s) => {
                let day = zone.service_day(at_s, turn_s);
                Window {
                    key: (day, 0),
                    end_s: zone.first_instant(day + 1, turn_s),
                }
            }
            Over::Weekly { weekday, turn_s } => {
                // Day 4 of the epoch was a Monday.
                let day = zone.service_day(at_s, turn_s);
                let week = (day - 4 - i64::from(weekday)).div_euclid(7);
                let next_start = (week + 1) * 7 + 4 + i64::from(weekday);
                Window {
                    key: (week, 0),
                    end_s: zone.first_instant(next_start, turn_s),
                }
            }
        }
    }

    /// The place of the current window among the windows of the stay.
    fn place(&self) -> usize {
        let Some(window) = self.current else { return 0 };
        let zone = self.anchor.zone;
        let elapsed = match self.cap.over {
            Over::EveryFromEntry(_) => window.key.0,
            Over::Daily(turn_s) => window.key.0 - zone.service_day(self.anchor.entry_s, turn_s),
            Over::Stay | Over::Cycle | Over::Occurrence | Over::EveryFromFirst(_) | Over::Weekly { .. } => {
                return self.entered_before;
            }
        };
        usize::try_from(elapsed).unwrap_or(0)
    }

    /// Appends the run with its units cut to what the window has left: some in full, one in part, the rest at nothing.
    fn limit(&mut self, run: &Run, out: &mut Vec<Run>) -> Result<(), PriceError> {
        let limits = &self.cap.max_scaled;
        let limit = limits.get(self.place()).or(limits.last()).copied().flatten();
        let total_scaled = run.total_scaled()?;
        let key = self.current.map_or((0, 0), |window| window.key);
        let used_scaled = self.used.windows.entry(key).or_insert(0);
        let left_scaled = limit.map(|limit| (limit - *used_scaled).max(0));
        let Some(left_scaled) = left_scaled.filter(|left| *left < total_scaled) else {
            *used_scaled = used_scaled.checked_add(total_scaled).ok_or(PriceError::FeeTooLarge)?;
            out.push(*run);
            return Ok(());
        };
        *used_scaled += left_scaled;
        // The total exceeds what is left, so a unit costs something and fewer than all fit.
        let full_units = i64::try_from(left_scaled / run.amount_scaled).unwrap_or(0);
        let mut at = *run;
        for (units, amount_scaled) in [
            (full_units, run.amount_scaled),
            (1, left_scaled % run.amount_scaled),
            (run.units - full_units - 1, 0),
        ] {
            if units > 0 {
                let is_last = at.units == units;
                let to_s = if is_last {
                    run.to_s
                } else {
                    at.from_s + run.unit_s * units
                };
                out.push(Run {
                    to_s,
                    units,
                    amount_scaled,
                    ..at
                });
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
