//! Pairs the scans of one card in one lot into stays: a pure function of the scans, whatever their order.

mod pairing;

pub use pairing::{pair_groups, pair_scans, Direction, Duplicate, EventId, Pairing, Scan, DEBOUNCE_MS};
