//! The meter: walks a stay through cycles, bands and ladders and yields what is charged, in time order.
//!
//! Units of one length and price in a row are one `Run`, counted by division, so a stay of years costs no more steps than it has
//! windows. Semantics: S8 to S13 of the tariff language.

// Instants lie in 1970 to 2100 and durations below twenty years (checked on entry), so sums stay far inside 64 bits;
// money is multiplied with checks.
#![allow(clippy::arithmetic_side_effects)]

use super::amount::Amount;
use super::calendar::{LocalClock, DAY_S};
use super::compiled::{CompiledPlan, Ladder, Rung};
use super::day_table::{BandIndex, DayTables, NONE};
use super::error::PriceError;
use super::model::{Cycle, Edge, Plan, Restart};

/// Most runs of one stay, before and after each cap: 15 years of a loop with 32 steps a day.
pub(super) const RUNS_MAX: usize = 200_000;
/// Stands for a band where the entry fee is charged.
pub(super) const ENTRY_FEE: BandIndex = NONE;

/// Some units in a row with the same length and amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run<A> {
    pub from_s: i64,
    /// The end of the last unit; it may lie past the exit.
    pub to_s: i64,
    /// Distance between the starts of two units.
    pub unit_s: i64,
    pub units: i64,
    /// Amount of each unit, scaled.
    pub amount: A,
    pub band: BandIndex,
    pub cycle: i64,
    pub occurrence: i64,
}

impl<A: Amount> Run<A> {
    /// The amount of all units together.
    #[inline]
    pub fn total(&self) -> Result<A, PriceError> {
        self.amount.times(self.units)
    }
}

/// Where the meter sends what it finds.
pub(super) trait Sink<A> {
    fn take(&mut self, run: Run<A>) -> Result<(), PriceError>;
}

impl<A> Sink<A> for Vec<Run<A>> {
    fn take(&mut self, run: Run<A>) -> Result<(), PriceError> {
        if self.len() >= RUNS_MAX {
            return Err(PriceError::TooManyItems);
        }
        self.push(run);
        Ok(())
    }
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

impl Chargeable<'_> {
    /// The instant at which the free seconds have passed.
    fn start_s(&self) -> i64 {
        let (mut at_s, mut left_s) = (self.entry_s, self.free_s);
        for (from_s, to_s) in self.covered {
            let open_s = (from_s - at_s).max(0);
            if left_s <= open_s {
                break;
            }
            left_s -= open_s;
            at_s = at_s.max(*to_s);
        }
        at_s + left_s
    }

    /// The pass that an instant lies in or before: whether it lies in it, and where that changes.
    fn pass_at(&self, at_s: i64) -> (bool, i64) {
        let index = self.covered.partition_point(|(_, to_s)| *to_s <= at_s);
        match self.covered.get(index) {
            Some((from_s, to_s)) if *from_s <= at_s => (true, *to_s),
            Some((from_s, _)) => (false, *from_s),
            None => (false, i64::MAX),
        }
    }

    /// Where a pass starts next.
    fn next_pass_s(&self, at_s: i64) -> i64 {
        let later = self.covered.partition_point(|(from_s, _)| *from_s <= at_s);
        self.covered.get(later).map_or(i64::MAX, |(from_s, _)| *from_s)
    }
}

/// A maximal stretch of the stay in which one band is active, as seen from an instant in it.
#[derive(Debug, Clone, Copy)]
struct Occurrence {
    band: BandIndex,
    to_s: i64,
    number: i64,
}

/// A cycle of the plan, with its end.
#[derive(Debug, Clone, Copy)]
struct CycleSpan {
    number: i64,
    to_s: i64,
}

/// How far a band's ladder has been walked, and in which cycle and occurrence.
#[derive(Debug, Clone, Copy)]
struct Progress {
    seconds: i64,
    cycle: i64,
    occurrence: i64,
}

const NOT_WALKED: Progress = Progress {
    seconds: 0,
    cycle: i64::MIN,
    occurrence: i64::MIN,
};

/// What a walk needs besides the stay; kept over the stays that one thread prices.
pub(super) struct Path<'a> {
    pub plan: &'a Plan,
    pub compiled: &'a CompiledPlan,
    pub days: DayTables<'a>,
    /// One for each band that restarts with the cycle only.
    progress: Vec<Progress>,
}

impl<'a> Path<'a> {
    /// `keep`: whether many stays are to be priced.
    pub fn new(plan: &'a Plan, compiled: &'a CompiledPlan, keep: bool) -> Self {
        let over_cycle = compiled.ladders.iter().any(|ladder| ladder.restart == Restart::Cycle);
        Self {
            plan,
            compiled,
            days: DayTables::new(&compiled.layout, keep),
            progress: vec![NOT_WALKED; if over_cycle { plan.bands.len() } else { 0 }],
        }
    }

    /// Sends the items of a stay to `sink`.
    #[inline]
    pub fn meter<A: Amount, S: Sink<A>>(
        &mut self,
        clock: &LocalClock<'_>,
        time: Chargeable<'_>,
        sink: &mut S,
    ) -> Result<(), PriceError> {
        self.progress.fill(NOT_WALKED);
        let mut walk = Walk {
            path: self,
            clock,
            time,
            sink,
            entered: false,
            last: NOT_WALKED,
            amount: std::marker::PhantomData,
        };
        if walk.path.plan.edge == Edge::Total {
            walk.charge_total()
        } else {
            walk.charge_units()
        }
    }
}

struct Walk<'w, 'p, A, S> {
    path: &'w mut Path<'p>,
    clock: &'w LocalClock<'w>,
    time: Chargeable<'w>,
    sink: &'w mut S,
    /// Whether there was an item, and with it the entry fee.
    entered: bool,
    last: Progress,
    amount: std::marker::PhantomData<A>,
}

impl<A: Amount, S: Sink<A>> Walk<'_, '_, A, S> {
    /// `edge: split` and `edge: carry`.
    #[inline]
    fn charge_units(&mut self) -> Result<(), PriceError> {
        let exit_s = self.time.exit_s;
        let mut at_s = self.time.start_s();
        let mut cycle = CycleSpan {
            number: 0,
            to_s: i64::MIN,
        };
        let mut occurrence = self.occurrence_at(at_s, 0);
        while at_s < exit_s {
            if at_s >= occurrence.to_s {
                occurrence = self.occurrence_at(at_s, occurrence.number + 1);
            }
            let Some(ladder) = self.path.compiled.ladders.get(usize::from(occurrence.band)) else {
                at_s = occurrence.to_s;
                continue;
            };
            if ladder.rungs.is_empty() {
                at_s = occurrence.to_s;
                continue;
            }
            if at_s >= cycle.to_s {
                cycle = self.cycle_at(at_s);
            }
            at_s = self.climb(ladder, &occurrence, &cycle, at_s)?;
        }
        Ok(())
    }

    /// Charges what one rung of a ladder gives from `at_s` on; returns where the next unit may start.
    #[inline]
    fn climb(
        &mut self,
        ladder: &Ladder,
        occurrence: &Occurrence,
        cycle: &CycleSpan,
        at_s: i64,
    ) -> Result<i64, PriceError> {
        let reach_s = occurrence.to_s.min(cycle.to_s);
        let walked_s = self.walked_s(ladder.restart, occurrence, cycle);
        let Some((rung, folded_s)) = ladder.at(walked_s) else {
            return Ok(reach_s);
        };
        let limit_s = match self.path.plan.edge {
            Edge::Split => reach_s,
            Edge::Carry | Edge::Total => cycle.to_s.min(self.time.next_pass_s(at_s)),
        };
        let (length_s, units) = match rung.unit {
            None => (occurrence.to_s - at_s, 1),
            Some(unit) => {
                let room_s = (reach_s.min(self.time.exit_s) - at_s).min(rung.to_s - folded_s);
                (unit.seconds(), unit.ceil(room_s))
            }
        };
        let to_s = (at_s + length_s * units).min(limit_s);
        self.note_walked(ladder.restart, occurrence, cycle, walked_s + (to_s - at_s));
        self.charge(Run {
            from_s: at_s,
            to_s,
            unit_s: length_s,
            units,
            amount: A::of(rung.amount_scaled),
            band: occurrence.band,
            cycle: cycle.number,
            occurrence: occurrence.number,
        })?;
        Ok(to_s)
    }

    #[inline]
    fn walked_s(&self, restart: Restart, occurrence: &Occurrence, cycle: &CycleSpan) -> i64 {
        let (last, counts) = match restart {
            // An occurrence has one band, so the last one walked is the only one that can go on.
            Restart::Occurrence => (self.last, self.last.occurrence == occurrence.number),
            Restart::Cycle => (self.path.progress[usize::from(occurrence.band)], true),
        };
        if counts && last.cycle == cycle.number {
            last.seconds
        } else {
            0
        }
    }

    #[inline]
    fn note_walked(&mut self, restart: Restart, occurrence: &Occurrence, cycle: &CycleSpan, seconds: i64) {
        let progress = Progress {
            seconds,
            cycle: cycle.number,
            occurrence: occurrence.number,
        };
        match restart {
            Restart::Occurrence => self.last = progress,
            Restart::Cycle => self.path.progress[usize::from(occurrence.band)] = progress,
        }
    }

    /// The occurrence around an instant, up to the exit.
    #[inline]
    fn occurrence_at(&mut self, at_s: i64, number: i64) -> Occurrence {
        let exit_s = self.time.exit_s;
        let mut end_s = exit_s;
        if !self.time.covered.is_empty() {
            let (inside, change_s) = self.time.pass_at(at_s);
            end_s = exit_s.min(change_s);
            if inside {
                return Occurrence {
                    band: NONE,
                    to_s: end_s,
                    number,
                };
            }
        }
        let (band, to_s) = match self.path.days.always() {
            Some(band) => (band, end_s),
            None => self.band_at(at_s, end_s),
        };
        Occurrence { band, to_s, number }
    }

    /// The active band, and until when it is active without a break, looking no further than `end_s`.
    #[inline]
    fn band_at(&mut self, at_s: i64, end_s: i64) -> (BandIndex, i64) {
        let mut found: Option<BandIndex> = None;
        let mut at_s = at_s;
        loop {
            let stretch = self.clock.stretch(at_s);
            let local_s = at_s + stretch.offset_s;
            let (mut day, second) = (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S));
            // Where the local day begins, if its clock has gone without a change since then.
            let mut midnight_s = at_s - second;
            let mut table = self.path.days.of_day(day);
            let mut index = 1;
            while table.get(index).is_some_and(|turn| i64::from(turn.from_s) <= second) {
                index += 1;
            }
            loop {
                let Some(turn) = table.get(index - 1) else {
                    return (NONE, end_s);
                };
                if *found.get_or_insert(turn.band) != turn.band {
                    return (found.unwrap_or(NONE), at_s);
                }
                at_s = midnight_s + table.get(index).map_or(DAY_S, |next| i64::from(next.from_s));
                if at_s >= stretch.to_s {
                    at_s = stretch.to_s;
                    break;
                }
                if at_s >= end_s {
                    return (turn.band, end_s);
                }
                index += 1;
                if index > table.len() {
                    day += 1;
                    midnight_s += DAY_S;
                    table = self.path.days.of_day(day);
                    index = 1;
                }
            }
            if at_s >= end_s {
                return (found.unwrap_or(NONE), end_s);
            }
        }
    }

    #[inline]
    fn cycle_at(&self, at_s: i64) -> CycleSpan {
        let entry_s = self.time.entry_s;
        match (self.path.plan.cycle, self.path.compiled.cycle) {
            (Cycle::Daily(turn_s), _) => {
                let number = self.clock.service_day(at_s, turn_s);
                CycleSpan {
                    number,
                    to_s: self.clock.first_instant(number + 1, turn_s),
                }
            }
            (Cycle::Every(_), Some(length)) => {
                let number = length.floor(at_s - entry_s);
                CycleSpan {
                    number,
                    to_s: entry_s + (number + 1) * length.seconds(),
                }
            }
            _ => CycleSpan {
                number: 0,
                to_s: i64::MAX,
            },
        }
    }

    /// `edge: total`: exact price of the paid seconds, and their sum rounded up at the last rate.
    fn charge_total(&mut self) -> Result<(), PriceError> {
        let mut paid_s = 0_i64;
        let mut last: Option<(Run<A>, &Rung, i64)> = None;
        let mut at_s = self.time.start_s();
        let mut number = 0;
        while at_s < self.time.exit_s {
            let occurrence = self.occurrence_at(at_s, number);
            let from_s = at_s;
            at_s = occurrence.to_s;
            number += 1;
            let ladder = self.path.compiled.ladders.get(usize::from(occurrence.band));
            let Some(rung) = ladder.and_then(|ladder| ladder.rungs.first()) else {
                continue;
            };
            let Some(unit) = rung.unit else { continue };
            let seconds = occurrence.to_s - from_s;
            paid_s += seconds;
            let run = Run {
                from_s,
                to_s: occurrence.to_s,
                unit_s: seconds,
                units: 1,
                amount: prorated(rung, unit.seconds(), seconds)?,
                band: occurrence.band,
                cycle: 0,
                occurrence: occurrence.number,
            };
            last = Some((run, rung, unit.seconds()));
            self.charge(run)?;
        }
        if let Some((run, rung, unit_s)) = last {
            let excess_s = (-paid_s).rem_euclid(unit_s);
            if excess_s > 0 {
                self.charge(Run {
                    from_s: run.to_s,
                    to_s: run.to_s + excess_s,
                    unit_s: excess_s,
                    amount: prorated(rung, unit_s, excess_s)?,
                    ..run
                })?;
            }
        }
        Ok(())
    }

    /// The entry fee is an item at the first one.
    #[inline]
    fn charge(&mut self, run: Run<A>) -> Result<(), PriceError> {
        if !self.entered {
            self.entered = true;
            let fee_scaled = self.path.plan.entry_fee_scaled;
            if fee_scaled != 0 {
                self.sink.take(Run {
                    to_s: run.from_s,
                    unit_s: 0,
                    units: 1,
                    amount: A::of(fee_scaled),
                    band: ENTRY_FEE,
                    ..run
                })?;
            }
        }
        self.sink.take(run)
    }
}

/// The price of some seconds of a unit, exact by the choice of the scale.
fn prorated<A: Amount>(rung: &Rung, unit_s: i64, seconds: i64) -> Result<A, PriceError> {
    A::of(rung.amount_scaled / i128::from(unit_s)).times(seconds)
}
