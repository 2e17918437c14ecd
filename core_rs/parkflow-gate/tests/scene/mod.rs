//! One visit at one gate, with all that a test may want to be otherwise.
#![allow(dead_code, reason = "each test file uses a part of it")]

use parkflow_core::bundle::BundleContent;
use parkflow_core::code::{encode_base45, PREFIX};
use parkflow_core::ed25519::public_key;
use parkflow_gate::{BundleStore, Capacities, Decision, Direction, Gate, Post, Visit};

use crate::operator::{content, sealed, Card, LANE_ID, LOT_ID, NOW_S, ROOT_SECRET};

pub fn post(lane_id: u64) -> Post {
    Post {
        root_key: public_key(&ROOT_SECRET),
        lot_id: LOT_ID,
        lane_id,
    }
}

/// A gate before its first bundle, without a disk.
pub fn empty_gate(lane_id: u64) -> Gate {
    Gate::new(post(lane_id), Capacities::default(), None).expect("a good root key")
}

/// A gate before its first bundle, with a disk.
pub fn gate_on(store: BundleStore) -> Gate {
    Gate::new(post(LANE_ID), Capacities::default(), Some(store)).expect("a good root key")
}

/// A gate with this bundle, whose content names no filter.
pub fn gate_with(content: BundleContent) -> Gate {
    let mut gate = empty_gate(LANE_ID);
    gate.take_bundle(&sealed(content), None, NOW_S - 60)
        .expect("a good bundle");
    gate
}

pub fn ask(gate: &mut Gate, text: &[u8], direction: Direction, now_s: i64) -> Decision {
    gate.decide(&Visit {
        text,
        direction,
        fee_due_units: None,
        now_s,
    })
}

/// A good code of a good card at an entry, to be spoiled.
#[derive(Clone)]
pub struct Scene {
    pub content: BundleContent,
    pub card: Card,
    pub lane_id: u64,
    pub direction: Direction,
    pub issued_at_s: i64,
    pub fee_due_units: Option<u32>,
    /// The code was let through before.
    pub replayed: bool,
    /// The card went the same way a moment ago.
    pub passed: bool,
    /// The phone's signature is not its own.
    pub forged: bool,
}

impl Scene {
    pub fn new(subject: [u8; 16]) -> Self {
        Self {
            content: content(1),
            card: Card::new(subject),
            lane_id: LANE_ID,
            direction: Direction::Entry,
            issued_at_s: NOW_S,
            fee_due_units: None,
            replayed: false,
            passed: false,
            forged: false,
        }
    }

    /// The decision.
    pub fn play(self) -> Decision {
        let mut gate = empty_gate(self.lane_id);
        gate.take_bundle(&sealed(self.content), None, NOW_S - 60)
            .expect("a good bundle");
        let code = self.card.code(self.issued_at_s, 0);
        if self.replayed {
            let other_way = match self.direction {
                Direction::Entry => Direction::Exit,
                Direction::Exit => Direction::Entry,
            };
            gate.note_passage(&code, other_way, NOW_S - 20);
        }
        if self.passed {
            gate.note_passage(&self.card.code(NOW_S, 1), self.direction, NOW_S - 10);
        }
        let mut bytes = *code.encode();
        bytes[195] ^= u8::from(self.forged);
        gate.decide(&Visit {
            text: format!("{PREFIX}{}", encode_base45(&bytes)).as_bytes(),
            direction: self.direction,
            fee_due_units: self.fee_due_units,
            now_s: NOW_S,
        })
    }
}
