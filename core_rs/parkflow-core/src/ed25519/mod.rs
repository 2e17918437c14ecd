//! Ed25519 signatures under rule PF-1: one predicate for a gate, a single check and a batch.
//!
//! RFC 8032 leaves open whether encodings must be canonical, what to do with points of small order and whether the
//! cofactor is multiplied in, so verifiers disagree on crafted signatures, and a batch may disagree with itself. PF-1
//! closes every one of these doors, and because both of its forms multiply by the cofactor, a batch gives for each
//! signature the verdict that the single check gives.
//!
//! The rule: signature 64 bytes and S < L; A and R canonical; R not of small order; A torsion-free and not the
//! identity; `[8][S]B = [8]R + [8][k]A` with `k = SHA-512(R ‖ A ‖ M)` over the bytes as received.

mod batch;
mod equation;
mod key;
mod purpose;
mod sign;

pub use batch::verify_equations;
pub(crate) use batch::{verify_weighted, COEFFICIENT_BYTES};
pub use equation::{verify, Equation, SIGNATURE_BYTES};
pub use key::{KeyRefusal, VerifyingKey, KEY_BYTES};
pub use purpose::Purpose;
pub use sign::{public_key, sign, SECRET_BYTES};
