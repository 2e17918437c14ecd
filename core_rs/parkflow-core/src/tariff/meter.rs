//! The meter: walks a stay through cycles, bands and ladders and yields what is charged, in time order.
//!
//! Units of one length and price in a row are one `Run`, counted by division, so a stay of years costs no more steps than it has
//! windows. Semantics: S8 to S13 of the tariff language.

// Instants lie in 1970 to 2100 and durations below twenty years (checked on entry), so sums stay far inside 64 bits;
// money is multiplied with checks.
#![allow(clippy::arithmetic_side_effects)]

use super::calendar::{Zone, DAY_S};
use super::error::PriceError;
use super::model::{Cycle, Edge, Length, Plan, Restart, Step};

/// Most runs of one stay, before and after caps: 15 years of a loop with 32 steps a day.
pub(super) const RUNS_MAX: usize = 200_000;

/// Some units in a row with the same length and amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub from_s: i64,
    /// The end of the last unit; it may lie past the exit.
    pub to_s: i64,
    /// Distance between the starts of two units.
    pub unit_s: i64,
    pub units: i64,
    /// Amount of each unit, scaled.
    pub amount_scaled: i128,
    /// `None`: the entry fee.
    pub band: Option<usize>,
    pub cycle: i64,
    pub occurrence: i64,
}

impl Run {
    /// The amount of all units together.
    pub fn total_scaled(&self) -> Result<i128, PriceError> {
        self.amount_scaled
            .checked_mul(i128::from(self.units))
            .ok_or(PriceError::FeeTooLarge)
    }
}

/// A maximal stretch of the stay in which one band is active; `None`: free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Occurrence {
    from_s: i64,
    to_s: i64,
    band: Option<usize>,
}

/// The active bands from `from_s` to `to_s`, maximal stretches in time order.
fn occurrences(plan: &Plan, zone: &Zone, from_s: i64, to_s: i64) -> Vec<Occurrence> {
    let mut found: Vec<Occurrence> = Vec::new();
    let mut at_s = from_s;
    while at_s < to_s {
        let (stretch_end_s, offset_s) = zone.stretch(at_s);
        let local_s = at_s + offset_s;
        let (day, second) = (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S));
        let later = plan.turns_s.partition_point(|turn| *turn <= second);
        let next_turn_s = match plan.turns_s.get(later) {
            Some(turn_s) => at_s + (turn_s - second),
            // The first turn of the next day; a plan without turns never changes its band.
            None => plan
                .turns_s
                .first()
                .map_or(i64::MAX, |turn_s| at_s + (DAY_S - second) + turn_s),
        };
        let end_s = if plan.turns_s.is_empty() {
            to_s
        } else {
            next_turn_s.min(stretch_end_s).min(to_s)
        };
        let band = plan.bands.iter().position(|band| band.holds(day, second));
        match found.last_mut() {
            Some(last) if last.band == band => last.to_s = end_s,
            _ => found.push(Occurrence {
                from_s: at_s,
                to_s: end_s,
                band,
            }),
        }
        at_s = end_s;
    }
    found
}

/// The occurrences with covered time cut out; it parts the occurrence around it in two.
fn uncovered(occurrences: Vec<Occurrence>, covered: &[(i64, i64)]) -> Vec<Occurrence> {
    if covered.is_empty() {
        return occurrences;
    }
    let mut parts = Vec::with_capacity(occurrences.len());
    let mut next = 0;
    for occurrence in occurrences {
        let mut at_s = occurrence.from_s;
        while at_s < occurrence.to_s {
            while covered.get(next).is_some_and(|(_, to_s)| *to_s <= at_s) {
                next += 1;
            }
            let (band, to_s) = match covered.get(next) {
                Some((from_s, to_s)) if *from_s <= at_s => (None, *to_s),
                Some((from_s, _)) => (occurrence.band, *from_s),
                None => (occurrence.band, occurrence.to_s),
            };
            let to_s = to_s.min(occurrence.to_s);
            parts.push(Occurrence {
                from_s: at_s,
                to_s,
                band,
            });
            at_s = to_s;
        }
    }
    parts
}

/// The instant at which so many chargeable seconds of the stay have passed.
fn after_chargeable(entry_s: i64, covered: &[(i64, i64)], seconds: i64) -> i64 {
    let (mut at_s, mut left_s) = (entry_s, seconds);
    for (from_s, to_s) in covered {
        let open_s = (from_s - at_s).max(0);
        if left_s <= open_s {
            break;
        }
        left_s -= open_s;
        at_s = at_s.max(*to_s);
    }
    at_s + left_s
}

/// The cycle that contains an instant: its number and its end.
fn cycle_at(plan: &Plan, zone: &Zone, entry_s: i64, at_s: i64) -> (i64, i64) {
    match plan.cycle {
        Cycle::Stay => (0, i64::MAX),
        Cycle::Every(length_s) => {
            let number = (at_s - entry_s).div_euclid(length_s);
            (number, entry_s + (number + 1) * length_s)
        }
        Cycle::Daily(turn_s) => {
            let number = zone.service_day(at_s, turn_s);
            (number, zone.first_instant(number + 1, turn_s))
        }
    }
}

/// How far a band's ladder has been walked, and in which cycle and occurrence.
#[derive(Clone, Copy)]
struct Progress {
    seconds: i64,
    within: (i64, i64),
}

/// The time a plan may charge.
#[derive(Clone, Copy)]
pub(super) struct Chargeable<'a> {
    pub entry_s: i64,
    pub exit_s: i64,
    /// Time paid by a pass: disjoint stretches within the stay, in order.
    pub covered: &'a [(i64, i64)],
    /// Chargeable seconds at the head that cost nothing.
    pub free_s: i64,
}

struct Meter<'a> {
    plan: &'a Plan,
    time: Chargeable<'a>,
    progress: Vec<Option<Progress>>,
    runs: Vec<Run>,
}

/// The items of a stay under one plan.
pub(super) fn meter(plan: &Plan, zone: &Zone, time: Chargeable<'_>) -> Result<Vec<Run>, PriceError> {
    let Chargeable {
        entry_s,
        exit_s,
        covered,
        free_s,
    } = time;
    let start_s = after_chargeable(entry_s, covered, free_s);
    let occurrences = uncovered(occurrences(plan, zone, start_s, exit_s), covered);
    let mut meter = Meter {
        plan,
        time,
        progress: vec![None; plan.bands.len()],
        runs: Vec::new(),
    };
    if plan.edge == Edge::Total {
        meter.charge_total(&occurrences)?;
    } else {
        let mut at_s = start_s;
        let mut index = 0;
        while at_s < exit_s && index < occurrences.len() {
            let occurrence = occurrences[index];
            if occurrence.to_s <= at_s {
                index += 1;
                continue;
            }
            let (cycle, cycle_end_s) = cycle_at(plan, zone, entry_s, at_s);
            let number = i64::try_from(index).unwrap_or(i64::MAX);
            at_s = meter.charge_units(&occurrence, (cycle, number), cycle_end_s, at_s)?;
        }
    }
    meter.add_entry_fee();
    Ok(meter.runs)
}

impl Meter<'_> {
    /// Charges what one step of the active ladder gives from `at_s` on; returns where the next unit may start.
    fn charge_units(
        &mut self,
        occurrence: &Occurrence,
        within: (i64, i64),
        cycle_end_s: i64,
        at_s: i64,
    ) -> Result<i64, PriceError> {
        let reach_s = occurrence.to_s.min(cycle_end_s).min(self.time.exit_s);
        let Some(band_index) = occurrence.band else {
            return Ok(reach_s);
        };
        let band = &self.plan.bands[band_index];
        let same_walk = |old: &Progress| match band.restart {
            Restart::Occurrence => old.within == within,
            Restart::Cycle => old.within.0 == within.0,
        };
        let walked_s = self.progress[band_index].filter(same_walk).map_or(0, |old| old.seconds);
        let Some((step, folded_s)) = band.step_at(walked_s) else {
            return Ok(reach_s);
        };
        let limit_s = match self.plan.edge {
            Edge::Split => cycle_end_s.min(occurrence.to_s),
            Edge::Carry | Edge::Total => cycle_end_s.min(self.next_covered_s(at_s)),
        };
        let (length_s, units) = match step.length {
            Length::All => (occurrence.to_s - at_s, 1),
            Length::Seconds(unit_s) => {
                let room_s = (reach_s - at_s).min(step.to_s - folded_s);
                (unit_s, (room_s + unit_s - 1).div_euclid(unit_s))
            }
        };
        let to_s = (at_s + length_s * units).min(limit_s);
        self.progress[band_index] = Some(Progress {
            seconds: walked_s + (to_s - at_s),
            within,
        });
        self.push(Run {
            from_s: at_s,
            to_s,
            unit_s: length_s,
            units,
            amount_scaled: step.amount_scaled,
            band: Some(band_index),
            cycle: within.0,
            occurrence: within.1,
        })?;
        Ok(to_s)
    }

    /// Where covered time starts next.
    fn next_covered_s(&self, at_s: i64) -> i64 {
        let later = self.time.covered.partition_point(|(from_s, _)| *from_s <= at_s);
        self.time.covered.get(later).map_or(i64::MAX, |(from_s, _)| *from_s)
    }

    /// `edge: total`: exact price of the paid seconds, and their sum rounded up at the last rate.
    fn charge_total(&mut self, occurrences: &[Occurrence]) -> Result<(), PriceError> {
        let mut paid_s = 0_i64;
        let mut last: Option<(Run, Step, i64)> = None;
        for (number, occurrence) in occurrences.iter().enumerate() {
            let Some(band_index) = occurrence.band else { continue };
            let Some((step, _)) = self.plan.bands[band_index].step_at(0) else {
                continue;
            };
            let Length::Seconds(unit_s) = step.length else { continue };
            let seconds = occurrence.to_s - occurrence.from_s;
            paid_s += seconds;
            let run = Run {
                from_s: occurrence.from_s,
                to_s: occurrence.to_s,
                unit_s: seconds,
                units: 1,
                amount_scaled: prorated(&step, unit_s, seconds)?,
                band: Some(band_index),
                cycle: 0,
                occurrence: i64::try_from(number).unwrap_or(i64::MAX),
            };
            last = Some((run, step, unit_s));
            self.push(run)?;
        }
        if let Some((run, step, unit_s)) = last {
            let excess_s = (-paid_s).rem_euclid(unit_s);
            if excess_s > 0 {
                let amount_scaled = prorated(&step, unit_s, excess_s)?;
                self.push(Run {
                    from_s: run.to_s,
                    to_s: run.to_s + excess_s,
                    unit_s: excess_s,
                    amount_scaled,
                    ..run
                })?;
            }
        }
        Ok(())
    }

    /// The entry fee is an item at the first one.
    fn add_entry_fee(&mut self) {
        if self.plan.entry_fee_scaled == 0 {
            return;
        }
        if let Some(first) = self.runs.first().copied() {
            let fee = Run {
                to_s: first.from_s,
                unit_s: 0,
                units: 1,
                amount_scaled: self.plan.entry_fee_scaled,
                band: None,
                ..first
            };
            self.runs.insert(0, fee);
        }
    }

    fn push(&mut self, run: Run) -> Result<(), PriceError> {
        if self.runs.len() >= RUNS_MAX {
            return Err(PriceError::TooManyItems);
        }
        self.runs.push(run);
        Ok(())
    }
}

/// The price of some seconds of a unit, exact by the choice of the scale.
fn prorated(step: &Step, unit_s: i64, seconds: i64) -> Result<i128, PriceError> {
    let per_second = step.amount_scaled / i128::from(unit_s);
    per_second
        .checked_mul(i128::from(seconds))
        .ok_or(PriceError::FeeTooLarge)
}
