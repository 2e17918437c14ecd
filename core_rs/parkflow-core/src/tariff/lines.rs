//! The breakdown of a fee: lines in minor units that add up to it.

// Instants lie in 1970 to 2100 and amounts are differences of running sums that fit, so nothing here leaves 64 bits.
#![allow(clippy::arithmetic_side_effects)]

use super::candidate::Candidate;
use super::error::PriceError;
use super::fee::Stay;

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
    /// What a voucher took off.
    Discount,
    /// Tax on top.
    Tax,
    /// What was paid or charged before.
    Before,
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
            Self::Discount => "discount",
            Self::Tax => "tax",
            Self::Before => "before",
        }
    }
}

/// One line of the breakdown; the amounts of all lines add up to the fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeLine {
    /// What the line is for.
    pub kind: LineKind,
    /// The band, or what else the line is about: `grace`, `free`, `caps[n]`, `min`, `round`, a kind of voucher, …
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

/// Turns exact amounts into minor units by differences of whole running sums, so that the lines add up to the fee.
pub(super) struct Breakdown<'a> {
    stay: &'a Stay<'a>,
    scale: i128,
    exact: i128,
    written_minor: i64,
    lines: Vec<FeeLine>,
}

impl<'a> Breakdown<'a> {
    /// The lines of a plan's fee up to its rounding.
    pub fn of(candidate: &Candidate<'_>, stay: &'a Stay<'a>, fee_minor: i64) -> Result<Self, PriceError> {
        let plan = candidate.plan;
        let mut out = Self {
            stay,
            scale: candidate.scale,
            exact: 0,
            written_minor: 0,
            lines: Vec::new(),
        };
        if candidate.within_grace {
            out.add(out.overall(LineKind::Free, "grace"), 0)?;
        } else if candidate.free_s > 0 {
            let to_s = stay.exit_s.min(stay.entry_s + candidate.free_s);
            out.add(
                FeeLine {
                    to_s,
                    ..out.overall(LineKind::Free, "free")
                },
                0,
            )?;
        }
        for run in &candidate.runs {
            let (kind, band) = match plan.bands.get(usize::from(run.band)) {
                Some(band) => (LineKind::Units, band.id.as_str()),
                None => (LineKind::EntryFee, "entry_fee"),
            };
            let (from_s, to_s) = (run.from_s.min(stay.exit_s), run.to_s.min(stay.exit_s));
            let line = FeeLine {
                from_s,
                to_s,
                units: run.units,
                ..out.overall(kind, band)
            };
            out.add(line, run.total()?)?;
        }
        for (number, pair) in candidate.totals_scaled.windows(2).enumerate() {
            if let [before, after] = pair {
                if before != after {
                    out.add(out.overall(LineKind::Cap, &format!("caps[{number}]")), after - before)?;
                }
            }
        }
        let raised = candidate.fee_scaled - candidate.totals_scaled.last().copied().unwrap_or(0);
        if raised != 0 {
            out.add(out.overall(LineKind::Minimum, "min"), raised)?;
        }
        out.settle_at(LineKind::Rounding, "round", fee_minor);
        Ok(out)
    }

    /// A line that brings the sum to an amount, unless it is there already.
    pub fn settle_at(&mut self, kind: LineKind, about: &str, total_minor: i64) {
        if total_minor != self.written_minor {
            let amount_minor = total_minor - self.written_minor;
            self.lines.push(FeeLine {
                amount_minor,
                ..self.overall(kind, about)
            });
            self.written_minor = total_minor;
        }
    }

    pub fn into_lines(self) -> Vec<FeeLine> {
        self.lines
    }

    fn add(&mut self, mut line: FeeLine, amount_scaled: i128) -> Result<(), PriceError> {
        self.exact = self.exact.checked_add(amount_scaled).ok_or(PriceError::FeeTooLarge)?;
        let whole = i64::try_from(self.exact.div_euclid(self.scale)).map_err(|_| PriceError::FeeTooLarge)?;
        line.amount_minor = whole - self.written_minor;
        self.written_minor = whole;
        self.lines.push(line);
        Ok(())
    }

    /// A line about the whole stay.
    fn overall(&self, kind: LineKind, band: &str) -> FeeLine {
        let Stay { entry_s, exit_s, .. } = *self.stay;
        FeeLine {
            kind,
            band: band.to_owned(),
            from_s: entry_s,
            to_s: exit_s,
            units: 0,
            amount_minor: 0,
        }
    }
}
