//! The gate library for C: what `parkflow-gate` does, behind plain functions, structs and numbers.
//!
//! `include/parkflow_gate.h` is written from the comments of this crate and is all that a gate maker reads. No panic
//! and no memory crosses the border: every body is guarded, what goes out is copied into the caller's own memory, and
//! the handle is the only thing that is made here and given back.
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![expect(non_camel_case_types, reason = "types bear the names that they have in C")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the header says once, for all functions, what must hold of a caller's pointers"
)]

#[cfg(not(panic = "unwind"))]
compile_error!("a panic must be caught at the border: build with panic = \"unwind\"");

mod border;
mod calls;
mod handle;
mod names;
mod numbers;
mod structs;

pub use calls::*;
pub use handle::{pf_gate, pf_gate_free, pf_gate_new};
pub use names::{pf_abi_version, pf_bundle_refusal_name, pf_reason_display, pf_reason_name};
pub use numbers::*;
pub use structs::{pf_capacities, pf_decision, pf_post};
