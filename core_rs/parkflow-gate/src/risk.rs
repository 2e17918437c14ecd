//! The offline risk budget: what is let through on how little knowledge, as the operator's bundle has it.

use parkflow_core::bundle::{RiskOutcome, RiskRule};

/// How old the two things are that a decision rests on, in whole seconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// Since the phone made the code.
    pub code_s: u64,
    /// Since the service last said that the bundle is the newest.
    pub bundle_s: u64,
}

/// The strictest outcome of the rules that match; `None` if none does.
///
/// `ceiling` is the credential's: whole currency units, 0 = no limit, which is above every ceiling.
#[must_use]
pub fn risk_of(rules: &[RiskRule], ceiling: u16, ages: Ages) -> Option<RiskOutcome> {
    let ceiling = if ceiling == 0 { u32::MAX } else { u32::from(ceiling) };
    let matching = rules.iter().filter(|rule| {
        ceiling >= u32::from(rule.ceiling_from)
            && ages.code_s >= u64::from(rule.code_age_from_s)
            && ages.bundle_s >= u64::from(rule.bundle_age_from_s)
    });
    matching.map(|rule| rule.outcome).max()
}

/// Seconds since the bundle was signed, or since it was last confirmed where that is later.
///
/// A confirmation in the future is none: the clock was ahead then, or is behind now.
#[must_use]
pub fn bundle_age_s(now_s: i64, issued_at_s: u64, confirmed_at_s: Option<i64>) -> u64 {
    let issued_at_s = i64::try_from(issued_at_s).unwrap_or(i64::MAX);
    let confirmed_at_s = confirmed_at_s.filter(|confirmed_at_s| *confirmed_at_s <= now_s);
    let known_at_s = confirmed_at_s.map_or(issued_at_s, |confirmed| confirmed.max(issued_at_s));
    u64::try_from(now_s.saturating_sub(known_at_s)).unwrap_or(0)
}
