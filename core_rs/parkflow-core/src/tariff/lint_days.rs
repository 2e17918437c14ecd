//! Warnings about the times at which the bands of a plan hold: bands that are never reached, and gaps that are free.
//!
//! Every kind of day is looked at once: each weekday in each part of the year, and every date that is named. What holds at
//! the turn from one day to the next is decided by both days.

use std::collections::{BTreeMap, BTreeSet};

use super::calendar::{civil, parse_day, weekday, DAY_S};
use super::error::shown;
use super::lint::{Findings, Step};
use super::model::{Band, Plan, When};

/// How much more may be looked at: a tariff is read in milliseconds, and one with thousands of dates and windows is not
/// looked at in full.
pub(super) struct Budget {
    looks_left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { looks_left: 500_000 }
    }
}

impl Budget {
    fn spend(&mut self, looks: usize) -> Option<()> {
        self.looks_left = self.looks_left.checked_sub(looks)?;
        Some(())
    }
}

/// A day as windows see it.
#[derive(Clone, Copy)]
struct Day {
    weekday: u8,
    /// Month and day.
    of_year: (i64, i64),
    /// The day number of a date; `None` for any day that the tariff does not name.
    number: Option<i64>,
}

impl Day {
    fn of(number: i64) -> Self {
        let (_, month, date) = civil(number);
        Self {
            weekday: weekday(number),
            of_year: (month, date),
            number: Some(number),
        }
    }
}

/// A day and the day before.
#[derive(Clone, Copy)]
struct Pair {
    today: Day,
    yesterday: Day,
}

/// What holds on one kind of day: for each stretch between two turns the first band, if any.
type Stretches = Vec<(i64, i64, Option<usize>)>;

/// Free stretches of a day.
type Gaps = Vec<(i64, i64)>;

/// A plan, its windows and its turns, looked at day by day.
struct Look<'a> {
    plan: &'a Plan,
    whens: Vec<&'a When>,
    /// The seconds at which something may change, from 0 to the end of the day.
    turns: Vec<i64>,
}

/// Days on which the same windows hold, the bands then, and which bands would hold at some time if they came first.
struct Kind {
    pairs: Vec<Pair>,
    stretches: Stretches,
    wanted: BTreeSet<usize>,
}

/// Warnings about the bands of one plan.
pub(super) fn day_lints(findings: &mut Findings<'_>, budget: &mut Budget, index: usize, plan: &Plan) {
    let whens: Vec<&When> = plan.bands.iter().flat_map(|band| &band.when).collect();
    if whens.is_empty() && plan.bands.len() == 1 {
        return;
    }
    let look = Look {
        plan,
        turns: turns(&whens),
        whens,
    };
    if let Some(kinds) = look.kinds(budget) {
        unreachable_bands(findings, index, plan, &kinds);
        free_gaps(findings, index, &look, &kinds);
    }
}

impl Look<'_> {
    /// Every kind of day; `None` when there are too many to look at.
    fn kinds(&self, budget: &mut Budget) -> Option<Vec<Kind>> {
        let pairs = pairs(&self.whens, budget)?;
        let each = self.whens.len().saturating_add(self.plan.bands.len());
        budget.spend(pairs.len().saturating_mul(each))?;
        let mut alike: BTreeMap<Vec<bool>, Vec<Pair>> = BTreeMap::new();
        for pair in pairs {
            alike.entry(self.signature(&pair)).or_default().push(pair);
        }
        budget.spend(alike.len().saturating_mul(self.turns.len()).saturating_mul(each))?;
        let kinds = alike.into_iter().map(|(holds, pairs)| {
            let (stretches, wanted) = self.stretches(&holds);
            Kind {
                pairs,
                stretches,
                wanted,
            }
        });
        Some(kinds.collect())
    }

    /// For each window whether it holds today, and whether it did yesterday.
    fn signature(&self, pair: &Pair) -> Vec<bool> {
        let each = self.whens.iter();
        each.flat_map(|when| [day_holds(when, &pair.today), day_holds(when, &pair.yesterday)])
            .collect()
    }

    /// The first band of each stretch, and all bands that would hold at some time.
    fn stretches(&self, holds: &[bool]) -> (Stretches, BTreeSet<usize>) {
        let mut found = Stretches::new();
        let mut wanted = BTreeSet::new();
        for (from_s, to_s) in self.turns.iter().zip(self.turns.iter().skip(1)) {
            let mut first = None;
            let mut signs = holds.chunks_exact(2);
            for (number, band) in self.plan.bands.iter().enumerate() {
                let mut active = band.when.is_empty();
                for when in &band.when {
                    let (today, yesterday) = match signs.next() {
                        Some([today, yesterday]) => (*today, *yesterday),
                        _ => (false, false),
                    };
                    active |= if when.from_s < when.to_s {
                        today && (when.from_s..when.to_s).contains(from_s)
                    } else {
                        (today && *from_s >= when.from_s) || (yesterday && *from_s < when.to_s)
                    };
                }
                if active {
                    wanted.insert(number);
                    first = first.or(Some(number));
                }
            }
            match found.last_mut() {
                Some(last) if last.2 == first => last.1 = *to_s,
                _ => found.push((*from_s, *to_s, first)),
            }
        }
        (found, wanted)
    }
}

/// Every kind of day on which the windows may hold differently.
fn pairs(whens: &[&When], budget: &mut Budget) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (today, yesterday) in parts_of_year(whens) {
        for weekday in 0..7_u8 {
            let before = weekday.checked_sub(1).unwrap_or(6);
            let day = |weekday, of_year| Day {
                weekday,
                of_year,
                number: None,
            };
            pairs.push(Pair {
                today: day(weekday, today),
                yesterday: day(before, yesterday),
            });
        }
    }
    let mut numbers = BTreeSet::new();
    for when in whens {
        budget.spend(when.days.dates.len().saturating_add(when.days.dates_not.len()))?;
        for number in when.days.dates.iter().chain(&when.days.dates_not) {
            numbers.extend([*number, number.saturating_add(1)]);
        }
        if let Some((first, last)) = when.on {
            let near = last.min(first.saturating_add(RANGE_DAYS_MAX));
            budget.spend(usize::try_from(near.saturating_sub(first)).unwrap_or(0))?;
            numbers.extend(first..=near);
            numbers.extend([last, last.saturating_add(1)]);
        }
    }
    pairs.extend(numbers.into_iter().map(|number| Pair {
        today: Day::of(number),
        yesterday: Day::of(number.saturating_sub(1)),
    }));
    Some(pairs)
}

/// Forty years: within them every date of the year falls on every weekday, so a longer range has no other kinds of days.
const RANGE_DAYS_MAX: i64 = 40 * 366;

/// The days of the year on which a season begins, or has just ended, or the day after: (month and day, the same of the day
/// before).
fn parts_of_year(whens: &[&When]) -> BTreeSet<((i64, i64), (i64, i64))> {
    // A leap year has every date; the other years have one pair more.
    let first_day = parse_day("2000-01-01").unwrap_or(0);
    let month_day = |number: i64| {
        let (_, month, date) = civil(number);
        (month, date)
    };
    let mut bounds = BTreeSet::new();
    for [first, last] in whens.iter().flat_map(|when| &when.seasons) {
        bounds.extend([(*first, 0), (*last, 1)]);
    }
    let any_day = ((7, 2), (7, 1));
    if bounds.is_empty() {
        return BTreeSet::from([any_day]);
    }
    let mut parts = BTreeSet::from([any_day, ((3, 1), (2, 28))]);
    for offset in 0..366_i64 {
        let number = first_day.saturating_add(offset);
        let at = |back: i64| month_day(number.saturating_sub(back));
        let is_bound = |back: i64| bounds.contains(&(at(back), 0)) || bounds.contains(&(at(back.saturating_add(1)), 1));
        if is_bound(0) || is_bound(1) {
            parts.insert((at(0), at(1)));
        }
    }
    parts
}

fn day_holds(when: &When, day: &Day) -> bool {
    let in_range = |(first, last): (i64, i64)| day.number.is_some_and(|number| (first..=last).contains(&number));
    let in_season = |[first, last]: &[(i64, i64); 2]| {
        if first <= last {
            (first..=last).contains(&&day.of_year)
        } else {
            day.of_year >= *first || day.of_year <= *last
        }
    };
    let named = |dates: &[i64]| day.number.is_some_and(|number| dates.binary_search(&number).is_ok());
    let bit = 1_u8 << day.weekday;
    let days = &when.days;
    when.on.is_none_or(in_range)
        && (when.seasons.is_empty() || when.seasons.iter().any(in_season))
        && days.weekdays_not & bit == 0
        && !named(&days.dates_not)
        && (!days.positive || days.weekdays & bit != 0 || named(&days.dates))
}

/// The seconds at which something may change, from 0 to the end of the day.
fn turns(whens: &[&When]) -> Vec<i64> {
    let mut turns = vec![0, DAY_S];
    turns.extend(whens.iter().flat_map(|when| [when.from_s, when.to_s]));
    turns.sort_unstable();
    turns.dedup();
    turns
}

fn unreachable_bands(findings: &mut Findings<'_>, index: usize, plan: &Plan, kinds: &[Kind]) {
    let wanted: BTreeSet<usize> = kinds.iter().flat_map(|kind| kind.wanted.iter().copied()).collect();
    let reached: BTreeSet<usize> = kinds
        .iter()
        .flat_map(|kind| kind.stretches.iter().filter_map(|stretch| stretch.2))
        .collect();
    for number in wanted.difference(&reached) {
        let id = plan.bands.get(*number).map_or("", |band| &band.id);
        let message = format!(
            "no instant reaches band `{}`: whenever it would hold, an earlier band does; move it up or remove it",
            shown(id)
        );
        let way = [
            Step::Field("plans"),
            Step::Item(index),
            Step::Field("bands"),
            Step::Item(*number),
        ];
        findings.add("unreachable_band", &way, message);
    }
}

/// Most named dates that are compared with what they would be without a name.
const DATES_COMPARED_MAX: usize = 60;

/// Times without any band, unless the plan says in a band of its own what is free.
fn free_gaps(findings: &mut Findings<'_>, index: usize, look: &Look<'_>, kinds: &[Kind]) {
    let charges = |band: &Band| band.ladder.iter().any(|step| step.amount_scaled > 0);
    if look.plan.bands.iter().any(|band| band.ladder.is_empty()) || !look.plan.bands.iter().any(charges) {
        return;
    }
    let way = [Step::Field("plans"), Step::Item(index), Step::Field("bands")];
    let advice = "no band holds then; add a last band with `ladder: []` if that is meant";
    let week = free_in_every_part_of_the_year(kinds);
    if week.iter().any(|gaps| !gaps.is_empty()) {
        findings.add("free_gap", &way, format!("{} is free: {advice}", week_text(&week)));
    }
    // The first unnamed day that has more free time than its weekday always has, and the first named one that has more than
    // any weekday would have then.
    for is_named in [false, true] {
        let each = kinds
            .iter()
            .flat_map(|kind| kind.pairs.iter().map(|pair| (pair, gaps(&kind.stretches))));
        let candidates = each.filter(|(pair, gaps)| pair.today.number.is_some() == is_named && !gaps.is_empty());
        let is_within = |gaps: &Gaps, usual: &Gaps| seconds(&both(usual, gaps)) == seconds(gaps);
        let more = |(pair, gaps): &(&Pair, Gaps)| {
            if is_named {
                !(0..7).any(|weekday| is_within(gaps, &look.gaps_if_unnamed(pair, weekday)))
            } else {
                !week
                    .get(usize::from(pair.today.weekday))
                    .is_some_and(|usual| is_within(gaps, usual))
            }
        };
        let mut candidates: Vec<(&Pair, Gaps)> = candidates.collect();
        candidates.sort_by_key(|(pair, _)| (pair.today.number, pair.today.of_year));
        let first = candidates.into_iter().take(DATES_COMPARED_MAX).find(more);
        if let Some((pair, gaps)) = first {
            let message = format!("{} {} is free: {advice}", day_text(&pair.today), gaps_text(&gaps));
            findings.add("free_gap", &way, message);
        }
    }
}

impl Look<'_> {
    /// What would be free on a day if the tariff did not name it and it were this weekday.
    fn gaps_if_unnamed(&self, pair: &Pair, weekday: u8) -> Gaps {
        let unnamed = |day: Day, weekday: u8| Day {
            weekday,
            number: None,
            ..day
        };
        let plain = Pair {
            today: unnamed(pair.today, weekday),
            yesterday: unnamed(pair.yesterday, weekday.checked_sub(1).unwrap_or(6)),
        };
        gaps(&self.stretches(&self.signature(&plain)).0)
    }
}

/// For each weekday the time without a band on every such day that is not named.
fn free_in_every_part_of_the_year(kinds: &[Kind]) -> [Gaps; 7] {
    let mut week: [Option<Gaps>; 7] = Default::default();
    for kind in kinds {
        let gaps = gaps(&kind.stretches);
        for day in kind
            .pairs
            .iter()
            .map(|pair| pair.today)
            .filter(|day| day.number.is_none())
        {
            if let Some(always) = week.get_mut(usize::from(day.weekday)) {
                *always = Some(
                    always
                        .take()
                        .map_or_else(|| gaps.clone(), |others| both(&others, &gaps)),
                );
            }
        }
    }
    week.map(Option::unwrap_or_default)
}

/// A date, or a day of the year.
fn day_text(day: &Day) -> String {
    let (month, date) = day.of_year;
    if let Some(number) = day.number {
        let year = civil(number).0;
        format!("{year:04}-{month:02}-{date:02}, as maybe other dates that are named,")
    } else {
        let name = WEEKDAYS.get(usize::from(day.weekday)).copied().unwrap_or_default();
        format!("in a part of the year (as a {name} that is {month:02}-{date:02})")
    }
}

fn gaps(stretches: &Stretches) -> Gaps {
    let free = stretches.iter().filter(|stretch| stretch.2.is_none());
    free.map(|(from_s, to_s, _)| (*from_s, *to_s)).collect()
}

/// What lies in both.
fn both(left: &[(i64, i64)], right: &[(i64, i64)]) -> Gaps {
    let cut = |(from_s, to_s): &(i64, i64)| {
        let (from_s, to_s) = (*from_s, *to_s);
        right
            .iter()
            .map(move |other| (other.0.max(from_s), other.1.min(to_s)))
            .filter(|(from_s, to_s)| from_s < to_s)
    };
    left.iter().flat_map(cut).collect()
}

fn seconds(gaps: &[(i64, i64)]) -> i64 {
    gaps.iter().map(|(from_s, to_s)| to_s.saturating_sub(*from_s)).sum()
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `mon-fri 20:00-24:00, sun 00:00-24:00`.
fn week_text(week: &[Gaps; 7]) -> String {
    let mut runs: Vec<(usize, usize, &Gaps)> = Vec::new();
    for (day, gaps) in week.iter().enumerate().filter(|(_, gaps)| !gaps.is_empty()) {
        match runs.last_mut() {
            Some(run) if run.2 == gaps && run.1.saturating_add(1) == day => run.1 = day,
            _ => runs.push((day, day, gaps)),
        }
    }
    let name = |day: usize| WEEKDAYS.get(day).copied().unwrap_or_default();
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(first, last, gaps)| {
            let days = match (first, last) {
                (0, 6) => "every day".to_owned(),
                _ if first == last => name(first).to_owned(),
                _ => format!("{}-{}", name(first), name(last)),
            };
            format!("{days} {}", gaps_text(gaps))
        })
        .collect();
    texts.join(", ")
}

/// Most stretches of a day that a warning names.
const GAPS_SHOWN_MAX: usize = 4;

/// `00:00-08:00 and 20:00-24:00`.
fn gaps_text(gaps: &[(i64, i64)]) -> String {
    let shown = gaps.iter().take(GAPS_SHOWN_MAX);
    let mut texts: Vec<String> = shown
        .map(|(from_s, to_s)| format!("{}-{}", time_text(*from_s), time_text(*to_s)))
        .collect();
    if gaps.len() > GAPS_SHOWN_MAX {
        texts.push("more".to_owned());
    }
    texts.join(" and ")
}

fn time_text(second: i64) -> String {
    let part = |unit_s: i64, limit: i64| {
        second
            .checked_div(unit_s)
            .and_then(|count| count.checked_rem(limit))
            .unwrap_or(0)
    };
    let (hours, minutes, seconds) = (part(3_600, 25), part(60, 60), part(1, 60));
    if seconds == 0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        format!("{hours:02}:{minutes:02}:{seconds:02}")
    }
}
