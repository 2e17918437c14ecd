//! What a check of one code answers.

use super::layout::Code;
use super::reason::Reason;

/// The answer; never an error, whatever the bytes were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted, or the first reason to refuse.
    pub reason: Reason,
    /// What the code says, where it could be read. Only an accepted code's word may be taken for true.
    pub code: Option<Code>,
}

impl Verdict {
    /// Whether the bearer may pass.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.reason == Reason::Accepted
    }
}
