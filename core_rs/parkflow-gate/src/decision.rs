//! What a gate does with a code.

use parkflow_core::code::Code;

use crate::reason::GateReason;

/// Whether the barrier opens.
///
/// Zero refuses, so that memory which nobody wrote opens nothing.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stay shut.
    Refuse = 0,
    /// Open.
    Accept = 1,
    /// Open, and tell the service that somebody should look at it.
    AcceptAndFlag = 2,
}

/// A decision; made for every text, whatever its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the barrier opens.
    pub outcome: Outcome,
    /// Why it stays shut, or what was flagged; `accepted` otherwise.
    pub reason: GateReason,
    /// False if the denial rests on the filter alone, which hits one in 256 others: a gate that is online asks the
    /// service, calls [`crate::Gate::clear`] if the subject is not denied, and decides again.
    pub certain: bool,
    /// What the code says, where it could be read. Only an accepted code's word may be taken for true.
    pub code: Option<Code>,
}

impl Decision {
    /// Whether the barrier opens, flagged or not.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.outcome != Outcome::Refuse
    }
}
