//! The closed form of bands that follow the week: what each of them costs depends on how long the stay is in it, and on nothing
//! else.
//!
//! That holds when units stop at a band's end, ladders start anew with each occurrence, and caps count by the occurrence. The
//! occurrences of a week are a ring with the price of each; whole ones are added, the first and the last are climbed. What does not
//! fit here goes through the meter; both give the same fee.

// Instants lie in 1970 to 2100, lengths below twenty years, and a narrow plan's amounts fit 64 bits.
#![allow(clippy::arithmetic_side_effects)]

use super::calendar::{LocalClock, DAY_S};
use super::compiled::{Ladder, Rung};
use super::day_table::{Layout, Turn, NONE};
use super::meter::RUNS_MAX;
use super::model::{Condition, Cycle, Edge, Over, Plan, Restart};

const WEEK_S: i64 = 7 * DAY_S;
const WEEK_MINUTES: usize = 7 * 24 * 60;
/// More weeks than the longest stay has.
const WEEKS_MAX: usize = 1_050;

/// A plan whose bands follow the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steady {
    /// For each minute from Monday 00:00 on the spell that it lies in.
    spell_of: Box<[u16]>,
    /// In the order of the week; the last one may run over its end.
    spells: Box<[Spell]>,
    tolls: Box<[Toll]>,
    week_amount: i64,
}

/// A maximal stretch of the week with one active band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spell {
    /// Seconds from Monday 00:00 on.
    to_s: i64,
    length_s: i64,
    /// `tolls.len()`: free.
    band: usize,
    /// What the whole of it costs.
    amount: i64,
}

/// What time in a band costs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Toll {
    rungs: Box<[Rung]>,
    /// The least of the caps over an occurrence.
    limit: i64,
}

impl Toll {
    /// The price of a time in the band from its start on.
    #[inline]
    fn amount(&self, length_s: i64) -> i64 {
        let mut sum = 0;
        for rung in &self.rungs {
            let room_s = length_s.min(rung.to_s) - rung.from_s;
            let units = rung.unit.map_or(1, |unit| unit.ceil(room_s));
            sum += units * rung.amount_narrow;
            // A unit that fills the occurrence leaves nothing to the next rung.
            if length_s <= rung.to_s || rung.unit.is_none() {
                break;
            }
        }
        sum.min(self.limit)
    }
}

impl Steady {
    /// `is_narrow`: no amount of the plan leaves 64 bits.
    pub fn of(plan: &Plan, layout: &Layout, ladders: &[Ladder], is_narrow: bool) -> Option<Self> {
        let Layout::Weekly(week) = layout else { return None };
        let starts_anew = |ladder: &Ladder| {
            ladder.rungs.is_empty() || (ladder.restart == Restart::Occurrence && ladder.loop_start_s.is_none())
        };
        // Otherwise a rung's last unit reaches into the next rung.
        let fits = |rung: &Rung| {
            let extent_s = rung.to_s - rung.from_s;
            rung.to_s == i64::MAX || rung.unit.is_none_or(|unit| extent_s % unit.seconds() == 0)
        };
        let is_plain = plan.cycle == Cycle::Stay && plan.edge == Edge::Split && plan.entry_fee_scaled == 0;
        let rungs_fit = ladders.iter().all(|ladder| ladder.rungs.iter().all(fits));
        if !is_narrow || !is_plain || !rungs_fit || !ladders.iter().all(starts_anew) {
            return None;
        }
        let tolls: Box<[Toll]> = ladders
            .iter()
            .enumerate()
            .map(|(band, ladder)| {
                Some(Toll {
                    rungs: ladder.rungs.clone(),
                    limit: limit(plan, band)?,
                })
            })
            .collect::<Option<_>>()?;
        let spells = spells(week, &tolls)?;
        let rungs = tolls.iter().map(|toll| toll.rungs.len()).max().unwrap_or(0);
        // The meter counts its runs and has a bound, which no stay may meet here.
        if spells.len() * rungs.max(1) * WEEKS_MAX >= RUNS_MAX {
            return None;
        }
        Some(Self {
            spell_of: minutes(&spells),
            week_amount: spells.iter().map(|spell| spell.amount).sum(),
            spells,
            tolls,
        })
    }

    /// The sum after the caps, scaled; `None`: the clock changes within the stay.
    #[inline]
    pub fn sum(&self, clock: &LocalClock<'_>, start_s: i64, exit_s: i64) -> Option<i64> {
        if start_s >= exit_s {
            return Some(0);
        }
        let stretch = clock.stretch(start_s);
        if exit_s > stretch.to_s {
            return None;
        }
        // Day 4 of the epoch was a Monday.
        let week_s = (start_s + stretch.offset_s - 4 * DAY_S).rem_euclid(WEEK_S);
        let minute = usize::try_from(week_s / 60).ok()?;
        let mut place = usize::from(*self.spell_of.get(minute)?);
        let mut spell = self.spells.get(place)?;
        // Before the first border of the week the last spell of the week before still runs.
        let to_s = if week_s < spell.to_s - spell.length_s {
            spell.to_s - WEEK_S
        } else {
            spell.to_s
        };
        let mut left_s = exit_s - start_s;
        let mut in_spell_s = (to_s - week_s).min(left_s);
        let mut sum = self.toll(spell.band, in_spell_s);
        left_s -= in_spell_s;
        if left_s >= WEEK_S {
            sum += left_s / WEEK_S * self.week_amount;
            left_s %= WEEK_S;
        }
        while left_s > 0 {
            place += 1;
            if place == self.spells.len() {
                place = 0;
            }
            spell = &self.spells[place];
            if left_s >= spell.length_s {
                sum += spell.amount;
                left_s -= spell.length_s;
            } else {
                in_spell_s = left_s;
                return Some(sum + self.toll(spell.band, in_spell_s));
            }
        }
        Some(sum)
    }

    #[inline]
    fn toll(&self, band: usize, length_s: i64) -> i64 {
        self.tolls.get(band).map_or(0, |toll| toll.amount(length_s))
    }
}

/// The least limit of the caps that count a band; `None`: they do more than limit an occurrence.
fn limit(plan: &Plan, band: usize) -> Option<i64> {
    let mut limit = i64::MAX;
    for cap in &plan.caps {
        let is_plain =
            cap.over == Over::Occurrence && cap.condition == Condition::default() && cap.account_key.is_none();
        match cap.max_scaled.as_slice() {
            [Some(max_scaled)] if is_plain => {
                if cap.bands.is_empty() || cap.bands.contains(&band) {
                    limit = limit.min(i64::try_from(*max_scaled).ok()?);
                }
            }
            _ => return None,
        }
    }
    Some(limit)
}

/// The spells of a week, or none where a border lies within a minute.
fn spells(week: &[Box<[Turn]>; 7], tolls: &[Toll]) -> Option<Box<[Spell]>> {
    let mut turns: Vec<(i64, u8)> = Vec::new();
    for (day, table) in week.iter().enumerate() {
        for turn in table {
            turns.push((i64::try_from(day).ok()? * DAY_S + i64::from(turn.from_s), turn.band));
        }
    }
    turns.dedup_by_key(|(_, band)| *band);
    // The week is a ring: its first turn may go on with the band of the last.
    if turns.len() > 1 && turns.first()?.1 == turns.last()?.1 {
        turns.remove(0);
    }
    if turns.len() < 2 || turns.iter().any(|(from_s, _)| from_s % 60 != 0) {
        return None;
    }
    let ends = turns.iter().skip(1).map(|(from_s, _)| *from_s);
    let ends = ends.chain([turns.first()?.0 + WEEK_S]);
    let spells = turns.iter().zip(ends).map(|((from_s, band), to_s)| {
        let band = if *band == NONE { tolls.len() } else { usize::from(*band) };
        let length_s = to_s - from_s;
        Spell {
            to_s,
            length_s,
            band,
            amount: tolls.get(band).map_or(0, |toll| toll.amount(length_s)),
        }
    });
    Some(spells.collect())
}

fn minutes(spells: &[Spell]) -> Box<[u16]> {
    let mut spell_of = vec![u16::try_from(spells.len() - 1).unwrap_or(0); WEEK_MINUTES];
    for (number, spell) in (0_u16..).zip(spells) {
        let minute = |second: i64| usize::try_from(second.min(WEEK_S) / 60).unwrap_or(0);
        spell_of[minute(spell.to_s - spell.length_s)..minute(spell.to_s)].fill(number);
    }
    spell_of.into_boxed_slice()
}
