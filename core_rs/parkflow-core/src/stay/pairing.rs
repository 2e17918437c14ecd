//! One walk over the scans of a card in a lot, in order of time: entries open stays, exits close them.
//!
//! Rules. An exit belongs to the latest entry before it. An entry that is followed by another entry instead of an exit has no
//! exit. An exit without an entry before it waits: its entry may still be in a gate's journal. A second scan of the same
//! direction within the debounce time is the same passage seen twice. Everything is sorted by (time, event id) first, so the
//! order of arrival never matters, and scans that were given before may be given again.

use std::collections::BTreeSet;

/// Two scans of the same direction that are at most this far apart are one passage: a driver who holds up the phone twice.
pub const DEBOUNCE_MS: i64 = 60_000;

/// The identity of a scan: which gate, which start of its journal, which place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The gate that saw it.
    pub gate_id: i64,
    /// The gate's journal; a new one starts when a gate loses its state.
    pub epoch: i64,
    /// The place in the journal.
    pub seq: i64,
}

/// Into the lot or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Into the lot.
    Entry,
    /// Out of the lot.
    Exit,
}

/// A scan that a gate let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scan {
    /// The time of the gate's clock, milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Its identity.
    pub id: EventId,
    /// Which way.
    pub direction: Direction,
}

/// A scan that repeats another one of the same passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// The repeated scan.
    pub scan: Scan,
    /// The scan that counts.
    pub of: EventId,
}

/// What the scans of one card in one lot mean. Every scan is in exactly one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairing {
    /// The entry of the stay that is open after all scans.
    pub open: Option<Scan>,
    /// True when `open` is not the stay that was open before.
    pub opened: bool,
    /// Entry and exit of each closed stay, in order of time.
    pub closed: Vec<(Scan, Scan)>,
    /// Exits whose entry is not known (yet); give them again with later scans.
    pub awaiting_entry: Vec<Scan>,
    /// Entries that another entry followed; give them again until a later stay of this card in this lot is closed.
    pub missing_exit: Vec<Scan>,
    /// Scans that repeat another one.
    pub duplicates: Vec<Duplicate>,
}

/// The walk's memory.
#[derive(Default)]
struct Walk {
    pairing: Pairing,
    inside: Option<Scan>,
    last_exit: Option<Scan>,
}

/// Pairs the scans of one card in one lot.
///
/// `open` is the entry scan of the stay that is open so far. Scans may come in any order, twice, and may repeat the open one.
/// A scan closed earlier may be given again with its partner, to recognise repetitions of it.
#[must_use]
pub fn pair_scans(open: Option<Scan>, scans: &[Scan], debounce_ms: i64) -> Pairing {
    let mut seen = BTreeSet::new();
    let mut timeline: Vec<Scan> = open
        .iter()
        .chain(scans)
        .filter(|scan| seen.insert(scan.id))
        .copied()
        .collect();
    timeline.sort_unstable();
    let mut walk = Walk::default();
    for scan in timeline {
        match scan.direction {
            Direction::Entry => walk.enter(scan, debounce_ms),
            Direction::Exit => walk.leave(scan, debounce_ms),
        }
    }
    let mut pairing = walk.pairing;
    pairing.open = walk.inside;
    pairing.opened = walk
        .inside
        .is_some_and(|entry| open.is_none_or(|before| before.id != entry.id));
    pairing
}

/// Pairs many groups, each the scans of one card in one lot.
#[must_use]
pub fn pair_groups(groups: &[(Option<Scan>, Vec<Scan>)], debounce_ms: i64) -> Vec<Pairing> {
    groups
        .iter()
        .map(|(open, scans)| pair_scans(*open, scans, debounce_ms))
        .collect()
}

impl Walk {
    fn enter(&mut self, scan: Scan, debounce_ms: i64) {
        match self.inside {
            Some(inside) if repeats(inside, scan, debounce_ms) => {
                self.pairing.duplicates.push(Duplicate { scan, of: inside.id });
            }
            Some(inside) => {
                self.pairing.missing_exit.push(inside);
                self.inside = Some(scan);
            }
            None => self.inside = Some(scan),
        }
    }

    fn leave(&mut self, scan: Scan, debounce_ms: i64) {
        if let Some(entry) = self.inside.take() {
            self.pairing.closed.push((entry, scan));
            self.last_exit = Some(scan);
            return;
        }
        match self.last_exit {
            Some(exit) if repeats(exit, scan, debounce_ms) => {
                self.pairing.duplicates.push(Duplicate { scan, of: exit.id });
            }
            _ => {
                self.pairing.awaiting_entry.push(scan);
                self.last_exit = Some(scan);
            }
        }
    }
}

fn repeats(first: Scan, second: Scan, debounce_ms: i64) -> bool {
    second.at_ms.saturating_sub(first.at_ms) <= debounce_ms
}
