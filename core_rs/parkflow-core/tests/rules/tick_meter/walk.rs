//! The walk over the ticks of a stay: which band is active, which unit runs, where the next one starts (S8 to S12).

use super::feature::{Feature, Seen};
use super::local::{LocalClock, Reading, ServiceDays};
use super::misreading::Misreading;
use super::read::{Band, Plan, Sheet, Span, Step};

/// A price that is due from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub at_s: i64,
    /// None: the entry fee.
    pub band: Option<usize>,
    pub amount: i128,
    pub cycle: i64,
    pub occurrence: i64,
}

/// A stay as the walk sees it.
#[derive(Clone, Copy)]
pub struct Time<'a> {
    pub entry_s: i64,
    pub exit_s: i64,
    pub covered: &'a [(i64, i64)],
    pub free_s: i64,
    pub tick_s: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Active {
    Covered,
    Free,
    Band(usize),
}

struct Unit {
    band: usize,
    start_s: i64,
    end_s: i64,
    cycle: i64,
    occurrence: i64,
    /// It ends with its occurrence.
    held: bool,
}

/// Where a band's ladder stands: the (cycle, occurrence) of its last unit and the progress.
#[derive(Clone, Copy)]
struct Progress {
    cycle: i64,
    occurrence: i64,
    at_s: i64,
}

pub struct Walk<'a> {
    pub sheet: &'a Sheet,
    pub plan: &'a Plan,
    pub time: Time<'a>,
    pub reading: Reading<'a>,
}

/// The numbers of the cycles of a stay, tick by tick.
enum Cycles<'a> {
    One,
    Every(i64, i64),
    Daily(Box<ServiceDays<'a>>),
}

impl Cycles<'_> {
    fn at(&mut self, at_s: i64) -> i64 {
        match self {
            Self::One => 0,
            Self::Every(entry_s, length_s) => (at_s - *entry_s).div_euclid(*length_s),
            Self::Daily(days) => days.at(at_s),
        }
    }
}

impl<'a> Walk<'a> {
    fn misread(&self, misreading: Misreading) -> bool {
        self.reading.misreading == Some(misreading)
    }

    fn seen(&self) -> &'a Seen {
        self.reading.seen
    }

    fn covered(&self, at_s: i64) -> bool {
        self.time
            .covered
            .iter()
            .any(|(from_s, to_s)| (*from_s..*to_s).contains(&at_s))
    }

    fn active(&self, clock: &LocalClock<'_>, at_s: i64) -> Active {
        if self.covered(at_s) {
            return Active::Covered;
        }
        let mut local = clock.local(at_s);
        if self.misread(Misreading::WindowsInUtc) {
            local.day = at_s.div_euclid(86_400);
            local.second = at_s.rem_euclid(86_400);
        }
        let open = |band: &Band| band.whens.is_empty() || band.whens.iter().any(|when| when.holds(local, self.reading));
        self.plan.bands.iter().position(open).map_or(Active::Free, Active::Band)
    }

    fn cycles(&self) -> Cycles<'a> {
        let Time { entry_s, tick_s, .. } = self.time;
        let zone = &self.sheet.zone;
        let daily = |turn_s| {
            let days = ServiceDays::from(zone, entry_s, turn_s, tick_s, self.reading.misreading);
            Cycles::Daily(Box::new(days))
        };
        match self.plan.cycle {
            Span::Every(86_400) if self.misread(Misreading::EveryAsCalendarDays) => daily(0),
            Span::Daily(_) if self.misread(Misreading::DailyAsTwentyFourHours) => Cycles::Every(entry_s, 86_400),
            Span::Every(length_s) => Cycles::Every(entry_s, length_s),
            Span::Daily(turn_s) => daily(turn_s),
            _ => Cycles::One,
        }
    }

    /// The items of the stay in order of time, with the entry fee at the first.
    pub fn items(&self) -> Vec<Item> {
        let mut items = if self.plan.edge == "total" {
            self.total()
        } else {
            self.units()
        };
        let start = Item {
            at_s: self.time.entry_s,
            band: None,
            amount: 0,
            cycle: 0,
            occurrence: 0,
        };
        let always = self.misread(Misreading::EntryFeeWithoutItems);
        let first = items.first().copied().or(always.then_some(start));
        if let Some(first) = first.filter(|_| self.plan.entry_fee > 0) {
            self.seen().effect(Feature::EntryFee);
            let entry_fee = Item {
                band: None,
                amount: self.plan.entry_fee,
                ..first
            };
            items.insert(0, entry_fee);
        }
        items
    }

    fn units(&self) -> Vec<Item> {
        let Time {
            entry_s,
            exit_s,
            free_s,
            tick_s,
            ..
        } = self.time;
        let clock = LocalClock::new(&self.sheet.zone);
        let mut cycles = self.cycles();
        let mut items = Vec::new();
        let mut progress = vec![None; self.plan.bands.len()];
        let mut running: Option<Unit> = None;
        let (mut last, mut occurrence, mut skipped_s) = (None, 0, 0);
        let mut at_s = entry_s - tick_s;
        loop {
            at_s += tick_s;
            if at_s >= exit_s {
                break items;
            }
            let active = self.active(&clock, at_s);
            occurrence += i64::from(last.is_some() && last != Some(active));
            last = Some(active);
            let cycle = cycles.at(at_s);
            if let Some(unit) = running
                .as_ref()
                .filter(|unit| self.is_over(unit, at_s, active, (cycle, occurrence)))
            {
                let grown: &mut Option<Progress> = &mut progress[unit.band];
                grown.as_mut().unwrap().at_s += at_s - unit.start_s;
                running = None;
            }
            if active == Active::Covered {
                continue;
            }
            if skipped_s < free_s {
                skipped_s += tick_s;
                continue;
            }
            if let (None, Active::Band(band)) = (&running, active) {
                running = self
                    .start(band, at_s, (cycle, occurrence), &mut progress[band])
                    .map(|(unit, amount)| {
                        items.push(Item {
                            at_s,
                            band: Some(band),
                            amount,
                            cycle,
                            occurrence,
                        });
                        unit
                    });
            }
        }
    }

    /// S12: whether a running unit has ended by an instant.
    fn is_over(&self, unit: &Unit, at_s: i64, active: Active, (cycle, occurrence): (i64, i64)) -> bool {
        let cycle_ended = unit.cycle != cycle;
        let left = unit.occurrence != occurrence;
        let covered = active == Active::Covered && !self.misread(Misreading::CoveredTimeRunsOn);
        if at_s < unit.end_s {
            let cut = match self.plan.cycle {
                Span::Every(_) => Feature::CycleEvery,
                _ => Feature::CycleDaily,
            };
            self.seen().effect_if(cycle_ended, cut);
            self.seen().effect_if(left && unit.held && !covered, Feature::EdgeSplit);
            self.seen()
                .effect_if(left && !unit.held && !covered, Feature::EdgeCarry);
            self.seen().effect_if(covered, Feature::Covered);
        }
        at_s >= unit.end_s || cycle_ended || covered || (left && unit.held)
    }

    /// S11: the unit that starts now, if the ladder has one here.
    fn start(
        &self,
        index: usize,
        at_s: i64,
        (cycle, occurrence): (i64, i64),
        progress: &mut Option<Progress>,
    ) -> Option<(Unit, i128)> {
        let band = &self.plan.bands[index];
        let per_cycle = band.per_cycle != self.misread(Misreading::RestartSwapped);
        let goes_on = |old: &Progress| old.cycle == cycle && (per_cycle || old.occurrence == occurrence);
        let kept = progress.filter(goes_on);
        self.seen().effect_if(
            kept.is_some_and(|old| old.occurrence != occurrence),
            Feature::RestartCycle,
        );
        let now = Progress {
            cycle,
            occurrence,
            at_s: kept.map_or(0, |old| old.at_s),
        };
        *progress = Some(now);
        let step = self.step(band, now.at_s);
        self.seen()
            .effect_if(step.is_none() && !band.ladder.is_empty(), Feature::LadderEnds);
        let step = step?;
        self.seen().effect_if(step.length_s.is_none(), Feature::LadderAll);
        self.seen().effect_if(step.whole.is_some(), Feature::LadderBill);
        let unbilled = step.whole.filter(|_| self.misread(Misreading::BillIgnored));
        let (length_s, amount) = unbilled.map_or((step.length_s, step.amount), |(unit_s, price)| (Some(unit_s), price));
        let split = match self.plan.edge.as_str() {
            "split" => !self.misread(Misreading::SplitAsCarry),
            _ => self.misread(Misreading::CarryAsSplit),
        };
        let unit = Unit {
            band: index,
            start_s: at_s,
            end_s: length_s.map_or(i64::MAX, |length_s| at_s + length_s),
            cycle,
            occurrence,
            held: split || length_s.is_none(),
        };
        Some((unit, amount))
    }

    fn step<'b>(&self, band: &'b Band, mut at_s: i64) -> Option<&'b Step> {
        let end_s = band.ladder.last()?.to_s;
        let repeat = band.repeat.filter(|_| !self.misread(Misreading::LoopIgnored));
        if let Some(first) = repeat.filter(|_| at_s >= end_s) {
            self.seen().effect(Feature::LadderLoop);
            let round_s = end_s - band.ladder[first].from_s;
            while at_s >= end_s {
                at_s -= round_s;
            }
        }
        if self.misread(Misreading::FirstStepOnly) {
            at_s = 0;
        }
        let place = band
            .ladder
            .iter()
            .position(|step| step.from_s <= at_s && at_s < step.to_s)?;
        self.seen().effect_if(place > 0, Feature::LadderSteps);
        Some(&band.ladder[place])
    }

    /// `edge: total`: every paid tick at its exact price, and the time missing to a whole unit at the last one's.
    fn total(&self) -> Vec<Item> {
        let Time {
            entry_s,
            exit_s,
            free_s,
            tick_s,
            ..
        } = self.time;
        let clock = LocalClock::new(&self.sheet.zone);
        let (mut skipped_s, mut paid_s) = (0, 0);
        let mut last: Option<&Step> = None;
        let mut items: Vec<Item> = Vec::new();
        let mut at_s = entry_s - tick_s;
        loop {
            at_s += tick_s;
            if at_s >= exit_s {
                break;
            }
            let active = self.active(&clock, at_s);
            if active == Active::Covered {
                continue;
            }
            if skipped_s < free_s {
                skipped_s += tick_s;
                continue;
            }
            let Active::Band(band) = active else { continue };
            let Some(step) = self.plan.bands[band].ladder.first() else {
                continue;
            };
            paid_s += tick_s;
            last = Some(step);
            items.push(Item {
                at_s,
                band: Some(band),
                amount: step.a_second * i128::from(tick_s),
                cycle: 0,
                occurrence: 0,
            });
        }
        if let Some((step, item)) = last.zip(items.last_mut()) {
            let length_s = step.length_s.unwrap();
            let excess_s = (length_s - paid_s % length_s) % length_s;
            self.seen().effect_if(excess_s > 0, Feature::EdgeTotal);
            self.seen().effect_if(step.whole.is_some(), Feature::LadderBill);
            if !self.misread(Misreading::TotalWithoutItsExcess) {
                item.amount += step.a_second * i128::from(excess_s);
            }
        }
        items
    }
}
