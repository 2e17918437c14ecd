//! What a verifier's place allows: age of codes, difference of clocks, product, fee.

/// The settings of one gate, or of the server's re-check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Longest time that a code may be on the screen, in seconds.
    pub code_age_max_s: u32,
    /// Largest difference between the clocks of phone and gate, in seconds.
    pub skew_s: u32,
    /// The only product that is taken; `None` = any.
    pub product: Option<u8>,
    /// The fee to be let out unpaid, in whole currency units rounded up; `None` where no fee is known, as at entries.
    pub fee_due_units: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            code_age_max_s: 30,
            skew_s: 30,
            product: None,
            fee_due_units: None,
        }
    }
}

impl Policy {
    /// How many seconds a code may lie in the past: its age on the screen and the difference of the clocks.
    #[must_use]
    pub fn past_max_s(&self) -> i64 {
        i64::from(self.code_age_max_s).saturating_add(i64::from(self.skew_s))
    }
}
