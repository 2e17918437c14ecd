//! The fee of a stay: chooses the plan, meters, caps, applies the minimum, rounds once, and itemises.

// Instants lie in 1970 to 2100 (checked first), so their differences stay far inside 64 bits; money is added with checks.
#![allow(clippy::arithmetic_side_effects)]

use super::calendar::tzdata_version;
use super::caps::{capped, Anchor};
use super::error::PriceError;
use super::meter::{meter, Run};
use super::model::{Choose, Clock, Comparison, Condition, Direction, Plan, Rounding, RoundingMode, Tariff, When};

/// The last instant that may be priced: 2100-01-01.
const INSTANT_MAX_S: i64 = 4_102_444_800;
/// The longest stay that is priced.
const STAY_SECONDS_MAX: i64 = 20 * 366 * 86_400;

/// What a fee depends on, besides the tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay<'a> {
    /// Entry in seconds since 1970, UTC.
    pub entry_s: i64,
    /// Exit in seconds since 1970, UTC.
    pub exit_s: i64,
    /// Vehicle class, such as `car` or `large`.
    pub class: Option<&'a str>,
    /// Facts about the stay that plans may ask for, such as `lost`.
    pub tags: &'a [&'a str],
}

/// What a line of the breakdown is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Time that costs nothing: grace or free minutes.
    Free,
    /// Units of a band.
    Units,
    /// The fee for entering at all.
    EntryFee,
    /// What a cap took off.
    Cap,
    /// What the minimum added.
    Minimum,
    /// What rounding added or took off.
    Rounding,
}

impl LineKind {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Units => "units",
            Self::EntryFee => "entry_fee",
            Self::Cap => "cap",
            Self::Minimum => "minimum",
            Self::Rounding => "rounding",
        }
    }
}

/// One line of the breakdown; the amounts of all lines add up to the fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeLine {
    /// What the line is for.
    pub kind: LineKind,
    /// The band, or `caps[n]`, or `grace`, `free`, `min`, `round`.
    pub band: String,
    /// From, in seconds since 1970, UTC.
    pub from_s: i64,
    /// To; never past the exit.
    pub to_s: i64,
    /// How many units were started; 0 when the line has none.
    pub units: i64,
    /// Minor units; negative when it lowers the fee.
    pub amount_minor: i64,
}

/// A priced stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fee {
    /// The fee in minor units of the tariff's currency.
    pub fee_minor: i64,
    /// The plan that was applied.
    pub plan: String,
    /// The normalised entry.
    pub entry_s: i64,
    /// The normalised exit.
    pub exit_s: i64,
    /// How the fee came about.
    pub lines: Vec<FeeLine>,
}

/// A stay under one plan before rounding.
struct Metered<'a> {
    plan: &'a Plan,
    runs: Vec<Run>,
    /// Sum before caps, then after each cap.
    totals_scaled: Vec<i128>,
    /// After the minimum.
    fee_scaled: i128,
    within_grace: bool,
}

impl Tariff {
    /// Prices one stay.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn price(&self, stay: &Stay<'_>) -> Result<Fee, PriceError> {
        let stay = self.normalised(stay)?;
        let metered = self.metered(&stay)?;
        let fee_minor = self.rounding.round(metered.fee_scaled, metered.plan.scale)?;
        Ok(Fee {
            fee_minor,
            plan: metered.plan.id.clone(),
            entry_s: stay.entry_s,
            exit_s: stay.exit_s,
            lines: lines(&metered, &stay, fee_minor)?,
        })
    }

    /// The fee alone, without its breakdown.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn price_minor(&self, stay: &Stay<'_>) -> Result<i64, PriceError> {
        let stay = self.normalised(stay)?;
        let metered = self.metered(&stay)?;
        self.rounding.round(metered.fee_scaled, metered.plan.scale)
    }

    /// Prices many stays; each has its own result.
    #[must_use]
    pub fn price_batch(&self, stays: &[Stay<'_>]) -> Vec<Result<i64, PriceError>> {
        stays.iter().map(|stay| self.price_minor(stay)).collect()
    }

    /// The version of the tz database that fees depend on.
    #[must_use]
    pub fn tzdata_version(&self) -> &'static str {
        tzdata_version()
    }

    fn normalised<'a>(&self, stay: &Stay<'a>) -> Result<Stay<'a>, PriceError> {
        if stay.entry_s < 0 || stay.entry_s > INSTANT_MAX_S || stay.exit_s < 0 || stay.exit_s > INSTANT_MAX_S {
            return Err(PriceError::InstantOutOfRange);
        }
        let Clock { step_s, entry, exit } = self.clock;
        let entry_s = entry.round(stay.entry_s, step_s);
        let exit_s = exit.round(stay.exit_s, step_s);
        if entry_s > exit_s {
            return Err(PriceError::ExitBeforeEntry);
        }
        if exit_s - entry_s > STAY_SECONDS_MAX {
            return Err(PriceError::StayTooLong);
        }
        Ok(Stay {
            entry_s,
            exit_s,
            ..*stay
        })
    }

    fn metered(&self, stay: &Stay<'_>) -> Result<Metered<'_>, PriceError> {
        let mut candidates = self.plans.iter().filter(|plan| self.applies(&plan.condition, stay));
        let first = candidates.next().ok_or(PriceError::NoPlan)?;
        let mut best = self.meter_plan(first, stay)?;
        match self.choose {
            Choose::First => {}
            Choose::Lowest => {
                for plan in candidates {
                    let other = self.meter_plan(plan, stay)?;
                    if other.is_below(&best) {
                        best = other;
                    }
                }
            }
        }
        Ok(best)
    }

    fn meter_plan<'a>(&'a self, plan: &'a Plan, stay: &Stay<'_>) -> Result<Metered<'a>, PriceError> {
        let length_s = stay.exit_s - stay.entry_s;
        let within_grace = plan.grace.is_some_and(|grace| {
            if grace.strict {
                length_s < grace.seconds
            } else {
                length_s <= grace.seconds
            }
        });
        if within_grace || length_s == 0 {
            return Ok(Metered {
                plan,
                runs: Vec::new(),
                totals_scaled: vec![0],
                fee_scaled: 0,
                within_grace,
            });
        }
        let runs = meter(plan, &self.zone, stay.entry_s, stay.exit_s)?;
        let anchor = Anchor {
            zone: &self.zone,
            entry_s: stay.entry_s,
        };
        let mut totals_scaled = vec![sum(&runs)?];
        let mut fee_scaled = totals_scaled[0];
        if !plan.caps.is_empty() {
            let mut left = runs.clone();
            for cap in &plan.caps {
                if self.applies(&cap.condition, stay) {
                    left = capped(cap, &anchor, &left)?;
                    fee_scaled = sum(&left)?;
                }
                totals_scaled.push(fee_scaled);
            }
        }
        if 0 < fee_scaled && fee_scaled < plan.min_scaled {
            fee_scaled = plan.min_scaled;
        }
        Ok(Metered {
            plan,
            runs,
            totals_scaled,
            fee_scaled,
            within_grace,
        })
    }

    /// S3: an entry condition looks at the entry; an exit condition holds at the exit or one second before it.
    fn applies(&self, condition: &Condition, stay: &Stay<'_>) -> bool {
        let holds = |whens: &[When], at_s: i64| {
            let (day, second) = self.zone.local(at_s);
            whens.iter().any(|when| when.holds(day, second))
        };
        let length_s = stay.exit_s - stay.entry_s;
        (condition.classes.is_empty() || condition.classes.iter().any(|class| Some(class.as_str()) == stay.class))
            && (condition.tags.is_empty() || condition.tags.iter().any(|tag| stay.tags.contains(&tag.as_str())))
            && condition
                .lengths
                .iter()
                .all(|(comparison, bound_s)| comparison.holds(length_s, *bound_s))
            && (condition.entry.is_empty() || holds(&condition.entry, stay.entry_s))
            && (condition.exit.is_empty()
                || holds(&condition.exit, stay.exit_s)
                || holds(&condition.exit, stay.exit_s - 1))
    }
}

impl Metered<'_> {
    /// Compares two exact fees of different scales.
    fn is_below(&self, other: &Self) -> bool {
        let (left, right) = (self.plan.scale, other.plan.scale);
        let whole = (self.fee_scaled / left).cmp(&(other.fee_scaled / right));
        // The remainders are below the scales, which are at most 10^9.
        let part = || ((self.fee_scaled % left) * right).cmp(&((other.fee_scaled % right) * left));
        whole.then_with(part).is_lt()
    }
}

impl Direction {
    fn round(self, at_s: i64, step_s: i64) -> i64 {
        match self {
            Self::Floor => at_s.div_euclid(step_s) * step_s,
            Self::Ceil => (at_s + step_s - 1).div_euclid(step_s) * step_s,
        }
    }
}

impl Comparison {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Rounding {
    /// Rounds an amount that is at least 0 to a multiple of `to_minor`.
    fn round(self, amount_scaled: i128, scale: i128) -> Result<i64, PriceError> {
        let step = scale
            .checked_mul(i128::from(self.to_minor))
            .ok_or(PriceError::FeeTooLarge)?;
        let (whole, rest) = (amount_scaled / step, amount_scaled % step);
        let up = match self.mode {
            RoundingMode::HalfUp => rest * 2 >= step,
            RoundingMode::HalfEven => rest * 2 > step || (rest * 2 == step && whole % 2 == 1),
            RoundingMode::Up => rest > 0,
            RoundingMode::Down => false,
        };
        let steps = whole + i128::from(up);
        let minor = steps
            .checked_mul(i128::from(self.to_minor))
            .ok_or(PriceError::FeeTooLarge)?;
        i64::try_from(minor).map_err(|_| PriceError::FeeTooLarge)
    }
}

fn sum(runs: &[Run]) -> Result<i128, PriceError> {
    let mut total = 0_i128;
    for run in runs {
        total = total.checked_add(run.total_scaled()?).ok_or(PriceError::FeeTooLarge)?;
    }
    Ok(total)
}

/// Turns exact amounts into minor units by differences of whole running sums, so that the lines add up to the fee.
struct Lines<'a> {
    stay: &'a Stay<'a>,
    scale: i128,
    exact: i128,
    written_minor: i64,
    written: Vec<FeeLine>,
}

impl Lines<'_> {
    fn add(&mut self, mut line: FeeLine, amount_scaled: i128) -> Result<(), PriceError> {
        self.exact = self.exact.checked_add(amount_scaled).ok_or(PriceError::FeeTooLarge)?;
        let whole = i64::try_from(self.exact.div_euclid(self.scale)).map_err(|_| PriceError::FeeTooLarge)?;
        line.amount_minor = whole - self.written_minor;
        self.written_minor = whole;
        self.written.push(line);
        Ok(())
    }

    /// A line about the whole stay.
    fn overall(&self, kind: LineKind, band: String) -> FeeLine {
        FeeLine {
            kind,
            band,
            from_s: self.stay.entry_s,
            to_s: self.stay.exit_s,
            units: 0,
            amount_minor: 0,
        }
    }
}

fn lines(metered: &Metered<'_>, stay: &Stay<'_>, fee_minor: i64) -> Result<Vec<FeeLine>, PriceError> {
    let plan = metered.plan;
    let mut out = Lines {
        stay,
        scale: plan.scale,
        exact: 0,
        written_minor: 0,
        written: Vec::new(),
    };
    if metered.within_grace {
        out.add(out.overall(LineKind::Free, "grace".to_owned()), 0)?;
    } else if plan.free_s > 0 {
        let to_s = stay.exit_s.min(stay.entry_s + plan.free_s);
        out.add(
            FeeLine {
                to_s,
                ..out.overall(LineKind::Free, "free".to_owned())
            },
            0,
        )?;
    }
    for run in &metered.runs {
        let (kind, band) = match run.band {
            Some(index) => (LineKind::Units, plan.bands[index].id.clone()),
            None => (LineKind::EntryFee, "entry_fee".to_owned()),
        };
        let (from_s, to_s) = (run.from_s.min(stay.exit_s), run.to_s.min(stay.exit_s));
        out.add(
            FeeLine {
                kind,
                band,
                from_s,
                to_s,
                units: run.units,
                amount_minor: 0,
            },
            run.total_scaled()?,
        )?;
    }
    for (number, pair) in metered.totals_scaled.windows(2).enumerate() {
        if let [before, after] = pair {
            if before != after {
                out.add(out.overall(LineKind::Cap, format!("caps[{number}]")), after - before)?;
            }
        }
    }
    let raised = metered.fee_scaled - metered.totals_scaled.last().copied().unwrap_or(0);
    if raised != 0 {
        out.add(out.overall(LineKind::Minimum, "min".to_owned()), raised)?;
    }
    if fee_minor != out.written_minor {
        let rest_minor = fee_minor - out.written_minor;
        let line = FeeLine {
            amount_minor: rest_minor,
            ..out.overall(LineKind::Rounding, "round".to_owned())
        };
        out.written.push(line);
    }
    Ok(out.written)
}
