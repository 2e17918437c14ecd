//! From when to when a tariff is valid, and whether a stay is chosen for it by its entry or by its exit (S19).

use super::calendar::{parse_day, LocalClock, Zone};
use super::error::{PriceError, TariffError};
use super::model::Tariff;
use super::parse_when::parse_time_of_day_s;
use super::place::{Fields, Place};

/// A half-open stretch of time, open at a side that is not given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Validity {
    from_s: Option<i64>,
    to_s: Option<i64>,
    /// True: the exit of a stay decides, and not its entry.
    at_exit: bool,
}

impl Tariff {
    /// The first instant at which the tariff is valid and the first at which it is no longer, in seconds since 1970, UTC.
    #[must_use]
    pub fn valid(&self) -> (Option<i64>, Option<i64>) {
        (self.validity.from_s, self.validity.to_s)
    }

    /// True when the exit of a stay decides which version of a tariff prices it, false when its entry does.
    #[must_use]
    pub fn version_at_exit(&self) -> bool {
        self.validity.at_exit
    }

    /// Refuses a stay of another version; its instants are rounded to the clock's step.
    #[inline]
    pub(super) fn refuse_outside_validity(&self, entry_s: i64, exit_s: i64) -> Result<(), PriceError> {
        let Validity { from_s, to_s, at_exit } = self.validity;
        let at_s = if at_exit { exit_s } else { entry_s };
        if from_s.is_some_and(|from_s| at_s < from_s) || to_s.is_some_and(|to_s| at_s >= to_s) {
            return Err(PriceError::OutsideValidity);
        }
        Ok(())
    }
}

/// `valid` and `version_at` of a tariff.
pub(super) fn validity(fields: &Fields<'_>, zone: &Zone) -> Result<Validity, TariffError> {
    let mut validity = Validity::default();
    if let Some(place) = fields.optional("version_at") {
        validity.at_exit = place.word(&[("entry", false), ("exit", true)])?;
    }
    let Some(place) = fields.optional("valid") else {
        return Ok(validity);
    };
    let parts = place.fields(&["from", "to"])?;
    let instant = |name: &str| parts.optional(name).map(|at| local_instant_s(&at, zone)).transpose();
    validity.from_s = instant("from")?;
    validity.to_s = instant("to")?;
    if let (Some(from_s), Some(to_s)) = (validity.from_s, validity.to_s) {
        if from_s >= to_s {
            return Err(place.invalid("`to` is not after `from`; `to` is the first day that is no longer valid"));
        }
    }
    Ok(validity)
}

/// The first instant at which a local clock shows a date (its midnight) or a date with a time.
fn local_instant_s(place: &Place<'_>, zone: &Zone) -> Result<i64, TariffError> {
    let refuse = || place.invalid("needs a local date such as 2026-10-01, or with a time such as 2026-10-01T08:00");
    let text = place.text().map_err(|_| refuse())?;
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let day = parse_day(date).ok_or_else(refuse)?;
    let second = parse_time_of_day_s(time).ok_or_else(refuse)?;
    Ok(LocalClock::new(zone).first_instant(day, second))
}
