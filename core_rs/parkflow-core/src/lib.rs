//! The facts of parkflow as pure functions: bytes, integers and `now` in; verdicts, amounts and matches out.
//!
//! No clock, no I/O, no state names, no Python: everything here can be replayed, fuzzed and shared with a gate.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod code;
pub mod ed25519;
pub mod ledger;
pub mod lotqr;
pub mod recent;
pub mod stay;
pub mod tariff;
pub mod upload;
