//! Why a tariff text or a stay is refused: a stable code, the place, and what would be right.

use std::fmt;

/// A tariff text that is refused, or that of an account's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffError {
    /// `tariff_syntax`, `tariff_invalid` or `history_invalid`.
    pub code: &'static str,
    /// The field, such as `plans[0].bands[1].ladder[0].unit`; empty for the whole text.
    pub path: String,
    /// The line of the text, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for TariffError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(out, "line {}: {}", self.line, self.message)
        } else {
            write!(out, "line {}, {}: {}", self.line, self.path, self.message)
        }
    }
}

impl std::error::Error for TariffError {}

/// Longest piece of a tariff text that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A piece of the text as an error may repeat it: short, on one line.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut piece: String = characters
        .by_ref()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if characters.next().is_some() {
        piece.push('…');
    }
    piece
}

/// The path of a field below another one.
pub(super) fn join(path: &str, name: &str) -> String {
    let name = shown(name);
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

/// `, did you mean …?` when one of the known names is spelled almost like this one.
pub(super) fn near(name: &str, known: &[&str]) -> String {
    if name.len() > SHOWN_CHARS_MAX {
        return String::new();
    }
    let letters_differ_max = if name.len() < 4 { 1 } else { 2 };
    let nearest = known
        .iter()
        .map(|other| (letters_that_differ(name, other), other))
        .min();
    match nearest {
        Some((differ, other)) if differ <= letters_differ_max => format!(", did you mean `{}`?", shown(other)),
        _ => String::new(),
    }
}

/// The edit distance of Levenshtein.
fn letters_that_differ(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut before = index;
        if let Some(first) = row.first_mut() {
            *first = index.saturating_add(1);
        }
        let mut beside = index.saturating_add(1);
        for (to, cell) in right.chars().zip(row.iter_mut().skip(1)) {
            let replaced = before.saturating_add(usize::from(from != to));
            before = *cell;
            *cell = replaced.min(before.saturating_add(1)).min(beside.saturating_add(1));
            beside = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A stay that a valid tariff does not price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceError {
    /// The entry is later than the exit.
    ExitBeforeEntry,
    /// An instant outside 1970 to 2100.
    InstantOutOfRange,
    /// The stay is longer than the tariff engine prices (20 years).
    StayTooLong,
    /// No plan's condition holds for this stay.
    NoPlan,
    /// The stay falls into more items than the bound allows.
    TooManyItems,
    /// The fee does not fit the money type.
    FeeTooLarge,
    /// The tariff counts over the stays of an account, and a stay was to be priced by itself.
    HistoryNeeded,
    /// The stay belongs to another version of the tariff.
    OutsideValidity,
}

impl PriceError {
    /// All refusals; the place of one is its number, counted from 1.
    pub const ALL: [Self; 8] = [
        Self::ExitBeforeEntry,
        Self::InstantOutOfRange,
        Self::StayTooLong,
        Self::NoPlan,
        Self::TooManyItems,
        Self::FeeTooLarge,
        Self::HistoryNeeded,
        Self::OutsideValidity,
    ];

    /// The number that stands for it in a column; 0 stands for none.
    #[must_use]
    pub fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|other| *other == self).unwrap_or(0);
        u8::try_from(place).map_or(u8::MAX, |place| place.saturating_add(1))
    }

    /// The refusal of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ExitBeforeEntry => "exit_before_entry",
            Self::InstantOutOfRange => "instant_out_of_range",
            Self::StayTooLong => "stay_too_long",
            Self::NoPlan => "no_plan",
            Self::TooManyItems => "too_many_items",
            Self::FeeTooLarge => "fee_too_large",
            Self::HistoryNeeded => "history_needed",
            Self::OutsideValidity => "tariff_not_valid",
        }
    }
}

impl fmt::Display for PriceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ExitBeforeEntry => "the exit is before the entry; give the entry first",
            Self::InstantOutOfRange => "an instant lies outside 1970 to 2100; give seconds since 1970 in UTC",
            Self::StayTooLong => "the stay is longer than 20 years; check its entry and exit",
            Self::NoPlan => {
                "no plan of the tariff applies to this stay; check the vehicle class, the tags and each plan's `if`"
            }
            Self::TooManyItems => "the stay falls into too many priced items; use longer units, windows or cycles",
            Self::FeeTooLarge => "the fee is larger than a money amount can be; check the prices",
            Self::HistoryNeeded => {
                "the tariff counts over the stays of an account; settle them in order, with the account's history"
            }
            Self::OutsideValidity => {
                "the tariff is not valid when the stay enters (or leaves, by its `version_at`); use the version of that time"
            }
        })
    }
}

impl std::error::Error for PriceError {}
