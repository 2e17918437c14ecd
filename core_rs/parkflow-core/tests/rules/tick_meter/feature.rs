//! The parts of the language that a priced stay used, and those that had an effect on its fee.

use std::cell::Cell;

macro_rules! features {
    ($($name:ident),* $(,)?) => {
        /// A part of the language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Feature { $($name),* }

        impl Feature {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

features! {
    ClockMinute, ClockCeil, ChooseLowest, IfClass, IfTag, IfEntry, IfExit, IfMinutes, Grace, GraceStrict, FreeStay, FreeDay,
    EntryFee, CycleEvery, CycleDaily, EdgeSplit, EdgeCarry, EdgeTotal, WhenWrapped, WhenWeekdays, WhenNot, WhenNamed, WhenSeason,
    WhenSeasonOverNewYear, WhenOn, WhenSeveral, LadderSteps, LadderAll, LadderBill, LadderLoop, LadderEnds, RestartCycle, CapStay,
    CapCycle, CapOccurrence, CapEvery, CapFirst, CapDaily, CapWeekly, CapList, CapNull, CapBands, CapIf, CapAccount, CapPool,
    Minimum, RoundTo, RoundHalfUp, RoundHalfEven, RoundUp, RoundDown, VoucherMinutes, VoucherPercent, VoucherAmount, VoucherPoints,
    VouchersAsGiven, DiscountOrder, TaxAdded, TaxIncluded, PaidTopup, PaidRestart, PaidPlain, LeftInTime, Reentry, Covered,
    CoveredTwice, ClockChange,
    OutsideValidity, Seconds, Weeks,
}

/// Sets of features; a cell, because reading a window may add to them.
#[derive(Debug, Default)]
pub struct Seen {
    used: Cell<u128>,
    effective: Cell<u128>,
}

fn bit(feature: Feature) -> u128 {
    1 << (feature as u32)
}

impl Seen {
    /// The tariff or the stay has it.
    pub fn used(&self, feature: Feature) {
        self.used.set(self.used.get() | bit(feature));
    }

    /// It decided something.
    pub fn effect(&self, feature: Feature) {
        let bit = bit(feature);
        self.used.set(self.used.get() | bit);
        self.effective.set(self.effective.get() | bit);
    }

    pub fn effect_if(&self, holds: bool, feature: Feature) {
        if holds {
            self.effect(feature);
        }
    }

    pub fn has_used(&self, feature: Feature) -> bool {
        self.used.get() & bit(feature) != 0
    }

    pub fn had_effect(&self, feature: Feature) -> bool {
        self.effective.get() & bit(feature) != 0
    }
}
