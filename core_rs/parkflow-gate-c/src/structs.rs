//! The structs that cross the border: caller-owned, of plain integers, each with its size first so that it can grow.

use parkflow_gate::{Capacities, Decision, Outcome, Post};

use crate::numbers::{PF_ACCEPT, PF_ACCEPT_AND_FLAG, PF_ID_BYTES, PF_REASON_NO_DECISION, PF_REFUSE};

/// Where a gate stands.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct pf_post {
    /// `sizeof(pf_post)`.
    pub struct_size: u32,
    /// The operator's root public key (Ed25519), which signs its bundles. Set when the gate is installed.
    pub root_key: [u8; 32],
    /// The gate's lot.
    pub lot_id: u64,
    /// The gate's lane.
    pub lane_id: u64,
}

/// How much a gate remembers; each entry takes about 100 bytes, a credential about 300, once it is used.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct pf_capacities {
    /// `sizeof(pf_capacities)`.
    pub struct_size: u32,
    /// Codes that were let through; 4096 where no capacities are given.
    pub replays: u32,
    /// Cards and their last passage; 8192 where no capacities are given.
    pub passages: u32,
    /// Credentials that were verified, which halves the work for their next code; 1024 where no capacities are given.
    pub credentials: u32,
}

/// A decision about a code.
///
/// Set `struct_size`, give it to `pf_gate_decide`, and read the rest. Fields behind `has_code` are what the code says
/// of itself: take them for true only if the barrier opens.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct pf_decision {
    /// `sizeof(pf_decision)`; the library never writes more.
    pub struct_size: u32,
    /// `PF_REFUSE`, `PF_ACCEPT` or `PF_ACCEPT_AND_FLAG`.
    pub outcome: u8,
    /// `PF_REASON_...`: why the barrier stays shut, or what was flagged.
    pub reason: u8,
    /// 0 if the denial rests on the filter alone, which hits one in 256 others. A gate with a line asks the service
    /// before it turns the car away; see `pf_gate_clear`. Else 1.
    pub certain: u8,
    /// 1 if the text could be read as a code, so that the fields below mean something; else 0, and they are zero.
    pub has_code: u8,
    /// The replay key: one value per code, whatever its signature looks like.
    pub code_id: [u8; PF_ID_BYTES],
    /// The sealed card; only the service can open it, and `pf_gate_clear` takes it.
    pub subject: [u8; PF_ID_BYTES],
    /// The issuer key that the code names.
    pub kid: u32,
    /// When the phone made the code, unix seconds.
    pub issued_at_s: u32,
    /// Largest fee that may be left unpaid, whole currency units; 0 = no limit.
    pub ceiling: u16,
    /// What the code is for.
    pub product: u8,
    /// Zero.
    pub reserved: u8,
}

impl From<pf_post> for Post {
    fn from(post: pf_post) -> Self {
        Self {
            root_key: post.root_key,
            lot_id: post.lot_id,
            lane_id: post.lane_id,
        }
    }
}

impl From<pf_capacities> for Capacities {
    fn from(capacities: pf_capacities) -> Self {
        let size = |entries: u32| usize::try_from(entries).unwrap_or(usize::MAX);
        Self {
            replays: size(capacities.replays),
            passages: size(capacities.passages),
            credentials: size(capacities.credentials),
        }
    }
}

impl pf_decision {
    /// What is answered where nothing was decided: the barrier stays shut.
    pub(crate) const NONE: Self = Self {
        struct_size: 0,
        outcome: PF_REFUSE,
        reason: PF_REASON_NO_DECISION,
        certain: 1,
        has_code: 0,
        code_id: [0; PF_ID_BYTES],
        subject: [0; PF_ID_BYTES],
        kid: 0,
        issued_at_s: 0,
        ceiling: 0,
        product: 0,
        reserved: 0,
    };
}

impl From<Decision> for pf_decision {
    fn from(decision: Decision) -> Self {
        let plain = Self {
            outcome: match decision.outcome {
                Outcome::Refuse => PF_REFUSE,
                Outcome::Accept => PF_ACCEPT,
                Outcome::AcceptAndFlag => PF_ACCEPT_AND_FLAG,
            },
            reason: decision.reason.number(),
            certain: u8::from(decision.certain),
            ..Self::NONE
        };
        let Some(code) = decision.code else {
            return plain;
        };
        let fields = &code.credential.fields;
        Self {
            has_code: 1,
            code_id: code.code_id(),
            subject: fields.subject,
            kid: fields.kid,
            issued_at_s: code.issued_at_s,
            ceiling: fields.ceiling,
            product: fields.product,
            ..plain
        }
    }
}
