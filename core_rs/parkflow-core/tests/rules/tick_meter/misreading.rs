//! Plausible wrong readings of the language, which the random comparison must notice.

macro_rules! misreadings {
    ($($(#[$text:meta])* $name:ident),* $(,)?) => {
        /// One deliberate mistake of the slow meter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Misreading { $($(#[$text])* $name),* }

        impl Misreading {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

misreadings! {
    CapsIgnored,
    WindowsInUtc,
    SplitAsCarry,
    CarryAsSplit,
    TotalWithoutItsExcess,
    /// `<` for `<=` and the other way round.
    GraceBoundSwapped,
    /// Within grace or not, the minutes are taken off.
    GraceDeducted,
    /// Free minutes are charged once they are exceeded.
    FreeCharged,
    FreeOfDayGivenTwice,
    /// 24 hours from the entry taken for calendar days.
    EveryAsCalendarDays,
    DailyAsTwentyFourHours,
    /// A repeated hour opens yesterday's window again.
    RepeatedHourReopensYesterday,
    FirstStepOnly,
    LoopIgnored,
    BillIgnored,
    RestartSwapped,
    NegationIgnored,
    SeasonNeverOverNewYear,
    /// The date of a wrapped window tested at each instant.
    NightBelongsToEachDay,
    FirstLimitForAllWindows,
    OccurrenceCapOverCycle,
    CapOfEveryBand,
    CapConditionIgnored,
    AccountCapPerStay,
    EntryFeeWithoutItems,
    MinimumBeforeCaps,
    ItemsRounded,
    HalfEvenAsHalfUp,
    RoundingStepIgnored,
    FirstPlanInsteadOfLowest,
    ExitConditionExclusive,
    EntryConditionInclusive,
    CoveredTimeRunsOn,
    VouchersInReverse,
    PercentRoundedDown,
    TaxForgotten,
    PlainForgotten,
    LeaveBoundStrict,
    ReentryIgnored,
    ClockNotRounded,
    VersionAlwaysAtEntry,
}
