//! A plan as the meter walks it: windows as tables of days, units as divisors, conditions sorted by what they ask for.

// Sums of bounded durations and amounts, made once for each tariff.
#![allow(clippy::arithmetic_side_effects)]

use super::day_table::Layout;
use super::flat::Flat;
use super::model::{Band, Cap, Condition, Cycle, Length, Over, Plan, Restart};
use super::reciprocal::Divisor;
use super::steady::Steady;

/// What a plan is compiled into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompiledPlan {
    pub layout: Layout,
    /// Its closed form, if it has one of these.
    pub flat: Option<Flat>,
    pub steady: Option<Steady>,
    pub ladders: Vec<Ladder>,
    /// The length of a cycle that is counted from the entry.
    pub cycle: Option<Divisor>,
    pub caps: Vec<CompiledCap>,
    /// Whether its condition asks for the time or the length of a stay.
    pub asks_for_time: bool,
    /// Whether every amount and every fee of it fits 64 bits, scaled, and nothing of it is kept over the stays of an account.
    pub is_narrow: bool,
}

/// The ladder of a band.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ladder {
    /// Empty: free.
    pub rungs: Box<[Rung]>,
    /// Where the last rung ends; `i64::MAX` when it is open.
    pub end_s: i64,
    /// Where the ladder goes on past its end.
    pub loop_start_s: Option<i64>,
    pub restart: Restart,
}

/// One step of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    /// `None`: one unit to the end of the occurrence.
    pub unit: Option<Divisor>,
    pub amount_scaled: i128,
    /// The same in 64 bits, where the plan is narrow.
    pub amount_narrow: i64,
    pub from_s: i64,
    pub to_s: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompiledCap {
    /// Bit n: band n counts.
    pub bands: u64,
    /// Whether every item counts, the entry fee included.
    pub counts_all: bool,
    /// The length of windows that are counted from the entry.
    pub every: Option<Divisor>,
    pub asks_for_time: bool,
}

/// More units than the longest stay can have of the shortest length, one second.
const UNITS_MAX: i128 = 1 << 31;

impl CompiledPlan {
    pub fn of(plan: &Plan) -> Self {
        let layout = Layout::compile(&plan.bands);
        let is_narrow = is_narrow(plan);
        let ladders: Vec<Ladder> = plan.bands.iter().map(Ladder::of).collect();
        Self {
            steady: Steady::of(plan, &layout, &ladders, is_narrow),
            flat: Flat::of(plan, &layout, is_narrow),
            layout,
            ladders,
            cycle: match plan.cycle {
                Cycle::Every(length_s) => Some(Divisor::new(length_s)),
                Cycle::Stay | Cycle::Daily(_) => None,
            },
            caps: plan.caps.iter().map(CompiledCap::of).collect(),
            asks_for_time: plan.condition.asks_for_time(),
            is_narrow,
        }
    }
}

fn is_narrow(plan: &Plan) -> bool {
    let steps = plan.bands.iter().flat_map(|band| &band.ladder);
    let dearest = steps.map(|step| step.amount_scaled).max().unwrap_or(0);
    let most = dearest
        .saturating_mul(UNITS_MAX)
        .saturating_add(plan.entry_fee_scaled)
        .saturating_add(plan.min_scaled)
        .saturating_add(plan.scale);
    most < i128::from(i64::MAX / 4) && plan.caps.iter().all(|cap| cap.account_key.is_none())
}

impl Ladder {
    fn of(band: &Band) -> Self {
        let rungs: Box<[Rung]> = band
            .ladder
            .iter()
            .map(|step| Rung {
                unit: match step.length {
                    Length::Seconds(unit_s) => Some(Divisor::new(unit_s)),
                    Length::All => None,
                },
                amount_scaled: step.amount_scaled,
                amount_narrow: i64::try_from(step.amount_scaled).unwrap_or(i64::MAX),
                from_s: step.from_s,
                to_s: step.to_s,
            })
            .collect();
        Self {
            end_s: rungs.last().map_or(0, |rung| rung.to_s),
            loop_start_s: band
                .loop_from
                .and_then(|index| rungs.get(index))
                .map(|rung| rung.from_s),
            rungs,
            restart: band.restart,
        }
    }

    /// The rung at a progress, and the progress folded into the ladder; `None` past its end.
    #[inline]
    pub fn at(&self, progress_s: i64) -> Option<(&Rung, i64)> {
        let mut at_s = progress_s;
        if at_s >= self.end_s {
            let loop_start_s = self.loop_start_s?;
            at_s = (at_s - loop_start_s).checked_rem(self.end_s - loop_start_s)? + loop_start_s;
        }
        let rung = self.rungs.iter().find(|rung| at_s < rung.to_s)?;
        Some((rung, at_s))
    }
}

impl CompiledCap {
    fn of(cap: &Cap) -> Self {
        Self {
            bands: cap.bands.iter().fold(0, |bits, band| bits | 1 << band),
            counts_all: cap.bands.is_empty(),
            every: match cap.over {
                Over::EveryFromEntry(length_s) => Some(Divisor::new(length_s)),
                _ => None,
            },
            asks_for_time: cap.condition.asks_for_time(),
        }
    }
}

impl Condition {
    /// Whether it asks for more of a stay than its class and its tags.
    pub fn asks_for_time(&self) -> bool {
        !(self.entry.is_empty() && self.exit.is_empty() && self.lengths.is_empty())
    }
}
