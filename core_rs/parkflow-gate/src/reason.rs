//! Why a gate decided as it did: the reasons of the code's own check, and those that only a gate has.

use parkflow_core::code::Reason;

/// The number of the first reason that only gates have; those below are [`Reason`]'s own.
const FIRST_OWN: u8 = 32;

/// A reason with a stable number and name, and a line for the display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GateReason {
    /// What the check of the code itself said.
    Code(Reason),
    /// The gate has no bundle yet.
    NoBundle,
    /// The bundle has expired.
    BundleExpired,
    /// The gate's clock is before the moment at which its bundle was signed.
    ClockBehind,
    /// The lane does not lead that way.
    WrongDirection,
    /// The card passed this way already and did not come back.
    Passback,
    /// The risk budget of the lot.
    Risk,
}

impl GateReason {
    /// The reasons that only gates have, in order of their numbers.
    pub const OWN: [Self; 6] = [
        Self::NoBundle,
        Self::BundleExpired,
        Self::ClockBehind,
        Self::WrongDirection,
        Self::Passback,
        Self::Risk,
    ];

    /// Every reason, in order of its number.
    pub fn all() -> impl Iterator<Item = Self> {
        Reason::ALL.into_iter().map(Self::Code).chain(Self::OWN)
    }

    /// The stable number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Code(reason) => reason.number(),
            Self::NoBundle => FIRST_OWN,
            Self::BundleExpired => FIRST_OWN + 1,
            Self::ClockBehind => FIRST_OWN + 2,
            Self::WrongDirection => FIRST_OWN + 3,
            Self::Passback => FIRST_OWN + 4,
            Self::Risk => FIRST_OWN + 5,
        }
    }

    /// The reason of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::all().find(|reason| reason.number() == number)
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Code(reason) => reason.name(),
            Self::NoBundle => "no_bundle",
            Self::BundleExpired => "bundle_expired",
            Self::ClockBehind => "clock_behind",
            Self::WrongDirection => "wrong_direction",
            Self::Passback => "passback",
            Self::Risk => "risk",
        }
    }

    /// What the display says to the driver when the barrier stays shut; gate makers translate by number.
    #[must_use]
    pub fn display(self) -> &'static str {
        match self {
            Self::Code(reason) => display_of(reason),
            Self::NoBundle | Self::BundleExpired | Self::ClockBehind => {
                "Gate out of service: please use the help button"
            }
            Self::WrongDirection => "This lane does not lead that way",
            Self::Passback => "This card has already passed here",
            Self::Risk => "Please use the help button",
        }
    }
}

fn display_of(reason: Reason) -> &'static str {
    match reason {
        Reason::Accepted => "Welcome",
        Reason::TooLong | Reason::BadPrefix | Reason::BadBase45 | Reason::BadLength => "This is not a parking code",
        Reason::BadVersion => "This code needs a newer gate: please use the help button",
        Reason::UnknownKid | Reason::KidExpired | Reason::WrongProduct => "This code is not for this car park",
        Reason::NotYetValid | Reason::CodeFromFuture => "Please check the clock of your phone",
        Reason::CredentialExpired => "Please open the app with a network, then try again",
        Reason::CodeStale => "This code is too old: show the live code, not a picture",
        Reason::Denied => "This card cannot be used: please open the app",
        Reason::Replayed => "This code was used: wait for the next one",
        Reason::OverCeiling => "Please pay at the machine first",
        Reason::BadIssuerSignature | Reason::BadCodeSignature => "This code is not genuine",
    }
}

#[cfg(test)]
mod tests {
    use super::GateReason;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_names_are_unique_and_lead_back() {
        let names: HashSet<_> = GateReason::all().map(GateReason::name).collect();
        assert_eq!(names.len(), 24);
        for reason in GateReason::all() {
            assert_eq!(GateReason::from_number(reason.number()), Some(reason));
            assert!(!reason.display().is_empty());
        }
        assert_eq!(GateReason::from_number(31), None);
    }
}
