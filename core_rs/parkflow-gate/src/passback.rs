//! Anti-passback: one card, one car. A card that went in does not go in again before it came out.

use parkflow_core::code::SUBJECT_BYTES;
use parkflow_core::recent::Recent;

/// Which way a car goes.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the lot.
    Entry = 1,
    /// Out of the lot.
    Exit = 2,
}

/// The last passage of each card, as far as this gate knows; bounded.
///
/// A gate that sees one lane cannot know of an exit elsewhere, so a passage counts only for a while, which the lot sets.
#[derive(Debug, Clone)]
pub(crate) struct Passages {
    last: Recent<[u8; SUBJECT_BYTES], (Direction, i64)>,
}

impl Passages {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            last: Recent::new(capacity),
        }
    }

    /// Whether the card passed in this direction less than `within_s` ago and not the other way since.
    ///
    /// A passage in the future by the gate's clock counts too: a clock that was set back must not open a door.
    pub(crate) fn repeats(
        &self,
        subject: &[u8; SUBJECT_BYTES],
        direction: Direction,
        now_s: i64,
        within_s: u32,
    ) -> bool {
        self.last.peek(subject).is_some_and(|(last, at_s)| {
            within_s > 0 && last == direction && now_s.saturating_sub(at_s) < i64::from(within_s)
        })
    }

    /// Notes a passage of this moment: it is the last one, whatever the clock said before.
    pub(crate) fn note(&mut self, subject: [u8; SUBJECT_BYTES], direction: Direction, now_s: i64) {
        self.last.put(subject, (direction, now_s));
    }

    /// Notes a passage that is told later; one that is older than what is known changes nothing.
    pub(crate) fn note_told(&mut self, subject: [u8; SUBJECT_BYTES], direction: Direction, at_s: i64) {
        if self.last.peek(&subject).is_none_or(|(_, last_s)| last_s <= at_s) {
            self.note(subject, direction, at_s);
        }
    }
}
