//! A tariff as it is priced: everything validated, every duration in seconds, every price an integer.

use super::calendar::{civil, weekday, Zone};
use super::compiled::CompiledPlan;
use super::lint::Lint;
use super::terms::VoucherKind;
use super::validity::Validity;

/// A tariff in the language PTL/1, parsed and validated.
///
/// Two tariffs are equal when their canonical forms are.
#[derive(Debug, Clone)]
pub struct Tariff {
    pub(super) id: String,
    pub(super) currency: String,
    pub(super) minor_exponent: u8,
    pub(super) timezone: String,
    pub(super) zone: Zone,
    pub(super) clock: Clock,
    pub(super) plans: Vec<Plan>,
    /// The plans again, as they are walked.
    pub(super) compiled: Vec<CompiledPlan>,
    pub(super) choose: Choose,
    pub(super) rounding: Rounding,
    pub(super) discount_order: [VoucherKind; 4],
    pub(super) leave: Leave,
    pub(super) reentry_within_s: Option<i64>,
    pub(super) tax: Option<Tax>,
    pub(super) validity: Validity,
    pub(super) warnings: Vec<Lint>,
    pub(super) canonical_json: String,
    pub(super) sha256_hex: String,
}

impl PartialEq for Tariff {
    fn eq(&self, other: &Self) -> bool {
        self.canonical_json == other.canonical_json
    }
}

impl Eq for Tariff {}

/// To which step, and which way, the two instants of a stay are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub step_s: i64,
    pub entry: Direction,
    pub exit: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Floor,
    Ceil,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choose {
    First,
    Lowest,
}

/// The one rounding at the end, to a multiple of `to_minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rounding {
    pub to_minor: i64,
    pub mode: RoundingMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoundingMode {
    HalfUp,
    HalfEven,
    Up,
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub id: String,
    pub condition: Condition,
    pub grace: Option<Grace>,
    pub free: Free,
    pub cycle: Cycle,
    pub edge: Edge,
    pub bands: Vec<Band>,
    pub caps: Vec<Cap>,
    /// Amounts below are in minor units times this number, so that every `bill` is an integer.
    pub scale: i128,
    pub entry_fee_scaled: i128,
    pub min_scaled: i128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grace {
    pub seconds: i64,
    /// True: exactly `seconds` is charged.
    pub strict: bool,
}

/// Time at the head of a stay that is never charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Free {
    pub seconds: i64,
    /// True: an allowance of the account for the day of the entry.
    pub per_day: bool,
}

/// What happens when a car leaves after it was paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Leave {
    pub within_s: i64,
    /// True: a new stay starts at the payment; false: the difference to the whole fee is due.
    pub restart: bool,
    /// True: the new stay has neither grace nor free minutes.
    pub plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tax {
    pub rate_bp: i64,
    /// False: contained in the prices.
    pub added: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cycle {
    Stay,
    Every(i64),
    Daily(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Split,
    Carry,
    Total,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Band {
    pub id: String,
    /// Empty: always.
    pub when: Vec<When>,
    /// Empty: free.
    pub ladder: Vec<Step>,
    /// The step to go back to past the last one.
    pub loop_from: Option<usize>,
    pub restart: Restart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Occurrence,
    Cycle,
}

/// One step of a ladder: units of one length and price, over an extent of the band's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub length: Length,
    pub amount_scaled: i128,
    /// Where the step starts on the ladder.
    pub from_s: i64,
    /// Where it ends; `i64::MAX` when it is open.
    pub to_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Seconds(i64),
    /// To the end of the occurrence.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cap {
    /// The limit of the k-th window; the last entry also stands for all later ones. `None`: no limit.
    pub max_scaled: Vec<Option<i128>>,
    pub over: Over,
    /// Indices of the bands that count; empty: all.
    pub bands: Vec<usize>,
    pub condition: Condition,
    /// The name under which the account's use is kept; `None`: each stay has its own.
    pub account_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Stay,
    Cycle,
    Occurrence,
    /// Windows of this length from the entry on.
    EveryFromEntry(i64),
    /// A window of this length opens at the first item that is not inside an open one.
    EveryFromFirst(i64),
    Daily(i64),
    Weekly {
        weekday: u8,
        turn_s: i64,
    },
}

/// A condition on the whole stay; every part that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub classes: Vec<String>,
    pub tags: Vec<String>,
    pub entry: Vec<When>,
    pub exit: Vec<When>,
    /// The length of the stay in seconds: (comparison, bound).
    pub lengths: Vec<(Comparison, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A predicate over local time: a window of the day on some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub from_s: i64,
    pub to_s: i64,
    pub days: Days,
    /// Inclusive ranges of (month, day); one may run over the turn of the year.
    pub seasons: Vec<[(i64, i64); 2]>,
    /// Inclusive range of day numbers.
    pub on: Option<(i64, i64)>,
}

/// Which days: at least one positive part, if there is any, and no negative one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// Bit n is weekday n, Monday 0.
    pub weekdays: u8,
    pub weekdays_not: u8,
    /// Sorted day numbers of the named dates.
    pub dates: Vec<i64>,
    pub dates_not: Vec<i64>,
    /// True when a positive part is given, even one that names no date.
    pub positive: bool,
}

impl Days {
    fn hold(&self, day: i64) -> bool {
        let bit = 1_u8 << weekday(day);
        let named = |dates: &[i64]| dates.binary_search(&day).is_ok();
        if self.weekdays_not & bit != 0 || named(&self.dates_not) {
            return false;
        }
        !self.positive || self.weekdays & bit != 0 || named(&self.dates)
    }
}

impl When {
    /// Whether it asks for more of a day than its weekday.
    pub fn asks_for_dates(&self) -> bool {
        let Days { dates, dates_not, .. } = &self.days;
        !(dates.is_empty() && dates_not.is_empty() && self.seasons.is_empty() && self.on.is_none())
    }

    /// Whether the window holds at a second of a local day.
    pub fn holds(&self, day: i64, second: i64) -> bool {
        if self.from_s < self.to_s {
            return (self.from_s..self.to_s).contains(&second) && self.day_holds(day);
        }
        // The window wraps midnight and belongs to the day on which it starts.
        if second >= self.from_s {
            self.day_holds(day)
        } else {
            second < self.to_s && self.day_holds(day.saturating_sub(1))
        }
    }

    /// Whether it may start on a local day.
    pub fn day_holds(&self, day: i64) -> bool {
        if let Some((first, last)) = self.on {
            if !(first..=last).contains(&day) {
                return false;
            }
        }
        if !self.seasons.is_empty() {
            let (_, month, date) = civil(day);
            let at = (month, date);
            let inside = |[first, last]: &[(i64, i64); 2]| {
                if first <= last {
                    (first..=last).contains(&&at)
                } else {
                    at >= *first || at <= *last
                }
            };
            if !self.seasons.iter().any(inside) {
                return false;
            }
        }
        self.days.hold(day)
    }
}

impl Band {
    /// Whether the band is active at a second of a local day: what its tables are compared with.
    #[cfg(test)]
    pub fn holds(&self, day: i64, second: i64) -> bool {
        self.when.is_empty() || self.when.iter().any(|when| when.holds(day, second))
    }
}

impl Tariff {
    /// The tariff's own name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// ISO 4217 code.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Decimal digits of the minor unit.
    #[must_use]
    pub fn minor_exponent(&self) -> u8 {
        self.minor_exponent
    }

    /// IANA zone.
    #[must_use]
    pub fn timezone(&self) -> &str {
        &self.timezone
    }

    /// SHA-256 of the canonical form, in hexadecimal.
    #[must_use]
    pub fn sha256_hex(&self) -> &str {
        &self.sha256_hex
    }

    /// Compact JSON with sorted names; parsing it gives the same tariff.
    #[must_use]
    pub fn canonical_json(&self) -> &str {
        &self.canonical_json
    }
}
