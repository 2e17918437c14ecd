//! The gate library: everything that a gate needs to decide about a code without a network.
//!
//! ```text
//! bundle (from the service, any line) ──► Gate::take_bundle ──► disk, then memory
//! code under the reader ──────────────► Gate::decide ──────► outcome, reason, text for the display
//! ```
//!
//! The gate's own clock is an argument of every call. Work and memory of a call are bounded: a text over 400 bytes is
//! not read, every memory has a capacity, and a bundle has a largest size. Nothing here panics on any input.
#![forbid(unsafe_code)]

mod decision;
mod gate;
mod passback;
mod reason;
mod risk;
mod store;

pub use decision::{Decision, Outcome};
pub use gate::{Capacities, Gate, Post, Visit};
pub use passback::Direction;
pub use reason::GateReason;
pub use risk::{bundle_age_s, risk_of, Ages};
pub use store::BundleStore;
