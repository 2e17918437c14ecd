//! What the earlier stays of one account have used up: shared caps, daily free minutes, a chain of re-entries.

use std::collections::BTreeMap;

/// The used amounts of one cap, by window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CapUse {
    /// What the amounts are multiplied by.
    scale: i128,
    pub windows: BTreeMap<(i64, i64), i128>,
}

impl CapUse {
    pub fn unused(scale: i128) -> Self {
        Self {
            scale,
            windows: BTreeMap::new(),
        }
    }

    /// The same use with amounts of another scale; what does not divide counts as used, in the driver's favour.
    fn rescaled(&self, scale: i128) -> Self {
        if self.scale == scale {
            return self.clone();
        }
        let rescale = |used: i128| {
            let up = used.saturating_mul(scale).saturating_add(self.scale.saturating_sub(1));
            up.checked_div(self.scale).unwrap_or(0)
        };
        Self {
            scale,
            windows: self
                .windows
                .iter()
                .map(|(window, used)| (*window, rescale(*used)))
                .collect(),
        }
    }
}

/// Stays that follow each other so closely that they count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub entry_s: i64,
    pub exit_s: i64,
    pub charged_minor: i64,
}

/// The history of one account. Stays are settled in order of their exits; a settled stay is never settled anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    uses: BTreeMap<String, CapUse>,
    free_used_s: BTreeMap<i64, i64>,
    pub(super) chain: Option<Chain>,
}

/// What one stay adds to the history once it is settled.
#[derive(Debug, Clone, Default)]
pub(super) struct Spent {
    pub uses: Vec<(String, CapUse)>,
    /// Local day and seconds of its free allowance.
    pub free: Option<(i64, i64)>,
}

impl History {
    /// The use of a cap so far, in amounts of the given scale.
    pub(super) fn cap_use(&self, key: &str, scale: i128) -> CapUse {
        match self.uses.get(key) {
            Some(before) => before.rescaled(scale),
            None => CapUse::unused(scale),
        }
    }

    /// How much of a day's free allowance is used.
    pub(super) fn free_used_s(&self, day: i64) -> i64 {
        self.free_used_s.get(&day).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, spent: Spent) {
        self.uses.extend(spent.uses);
        if let Some((day, seconds)) = spent.free {
            let used_s = self.free_used_s.entry(day).or_insert(0);
            *used_s = used_s.saturating_add(seconds);
        }
    }
}
