//! The C library of the gate: calls in any order, with good, changed and senseless arguments, clocks that jump.
//!
//! No call ends in a panic, the barrier opens only for codes that a phone really made, and versions never fall.
#![cfg_attr(fuzzing, no_main)]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a finding is a panic"
)]

use core::mem::size_of;
use core::ptr;
use std::collections::HashSet;
use std::sync::LazyLock;

use parkflow_core::bundle::{
    seal_bundle, BundleContent, DenyFilter, ExitDenied, KeyRecord, Lane, LaneDirection, Lot, RiskOutcome, RiskRule,
};
use parkflow_core::code::{encode_code, issue_credential, make_code, CredentialFields};
use parkflow_core::ed25519::public_key;
use parkflow_fuzz::Choices;
use parkflow_gate_c as c;

parkflow_fuzz::target!(check, seeds);

const ROOT_SECRET: [u8; 32] = [5; 32];
const ISSUER_SECRET: [u8; 32] = [6; 32];
const PHONES: u8 = 4;
const AT_S: u32 = 1_700_000_000;
const CALLS_MAX: usize = 24;

static FILTER: LazyLock<DenyFilter> = LazyLock::new(|| DenyFilter::build(&[[3; 16]]).expect("one subject"));
/// Four phones, three codes each, half a minute apart; phone 2 is denied for certain and phone 3 by the filter.
static CODES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let made = |phone: u8, number: u8| {
        let code_secret = [100 + phone; 32];
        let fields = CredentialFields {
            kid: 7,
            subject: [phone; 16],
            code_key: public_key(&code_secret),
            not_before_s: AT_S,
            lifetime_minutes: 60,
            product: 1,
            ceiling: u16::from(phone) * 10,
        };
        let credential = issue_credential(&ISSUER_SECRET, &fields).expect("good fields").encode();
        let moment_s = AT_S + 30 * u32::from(number);
        let code = make_code(&credential, &code_secret, moment_s, number.into()).expect("its secret");
        encode_code(&code).into_bytes()
    };
    (0..PHONES)
        .flat_map(|phone| (0..3).map(move |number| made(phone, number)))
        .collect()
});
static GOOD: LazyLock<HashSet<Vec<u8>>> = LazyLock::new(|| CODES.iter().cloned().collect());
/// Three versions, the last one with a filter.
static BUNDLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (1..=3).map(bundle).collect());

fn bundle(version: u64) -> Vec<u8> {
    let content = BundleContent {
        operator_id: 1,
        version,
        issued_at_s: u64::from(AT_S),
        expires_at_s: u64::from(AT_S) + 1_800,
        keys: vec![KeyRecord {
            kid: 7,
            operator_id: 1,
            product: 1,
            algorithm: 1,
            not_before_s: u64::from(AT_S),
            not_after_s: u64::from(AT_S) + 86_400,
            public_key: public_key(&ISSUER_SECRET).to_vec(),
        }],
        lots: vec![Lot {
            lot_id: 1,
            product: 1,
            code_age_max_s: 30,
            skew_s: 30,
            exit_denied: if version == 2 {
                ExitDenied::Pay
            } else {
                ExitDenied::Accept
            },
            passback_s: 20,
            risk: vec![RiskRule {
                ceiling_from: 20,
                code_age_from_s: 10,
                bundle_age_from_s: 60,
                outcome: RiskOutcome::Refuse,
            }],
            lanes: vec![Lane {
                lane_id: 1,
                direction: LaneDirection::Both,
            }],
        }],
        filter: (version == 3).then(|| FILTER.name()),
        denied: vec![[2; 16]],
        cleared: vec![],
    };
    seal_bundle(&ROOT_SECRET, &content).expect("in order")
}

/// A handle, given back at the end.
struct Handle(*mut c::pf_gate);

impl Handle {
    fn new() -> Self {
        let post = c::pf_post {
            struct_size: u32::try_from(size_of::<c::pf_post>()).expect("a small struct"),
            root_key: public_key(&ROOT_SECRET),
            lot_id: 1,
            lane_id: 1,
        };
        let mut gate = ptr::null_mut();
        // SAFETY: a struct and room for a pointer, both our own; NULL stands for defaults and for no disk.
        let status = unsafe { c::pf_gate_new(&raw const post, ptr::null(), ptr::null(), ptr::null(), &raw mut gate) };
        assert_eq!(status, c::PF_DONE);
        Self(gate)
    }

    fn version(&self) -> u64 {
        let mut version = 0;
        // SAFETY: our handle, and room for a number.
        let status = unsafe { c::pf_gate_bundle_version(self.0, &raw mut version) };
        assert_eq!(status, c::PF_DONE);
        version
    }

    fn decide(&self, text: &[u8], direction: i32, fee_due_units: i64, now_s: i64) {
        let mut decision = c::pf_decision {
            struct_size: u32::try_from(size_of::<c::pf_decision>()).expect("a small struct"),
            outcome: 9,
            reason: 9,
            certain: 9,
            has_code: 9,
            code_id: [9; 16],
            subject: [9; 16],
            kid: 9,
            issued_at_s: 9,
            ceiling: 9,
            product: 9,
            reserved: 9,
        };
        let out = &raw mut decision;
        // SAFETY: our handle, our bytes with their length, our struct with its size.
        let status =
            unsafe { c::pf_gate_decide(self.0, text.as_ptr(), text.len(), direction, fee_due_units, now_s, out) };
        assert_ne!(status, c::PF_ERROR_PANICKED);
        assert!(decision.outcome <= c::PF_ACCEPT_AND_FLAG);
        if decision.outcome != c::PF_REFUSE {
            assert_eq!(status, c::PF_DONE);
            assert!(GOOD.contains(text), "no phone made this code");
            assert_eq!(decision.has_code, 1);
        }
        // SAFETY: a static text that ends with NUL.
        let name = unsafe { core::ffi::CStr::from_ptr(c::pf_reason_name(decision.reason.into())) };
        assert!(!name.is_empty());
    }

    fn take(&self, bundle: &[u8], filter: Option<&[u8]>, now_s: i64) {
        let before = self.version();
        let mut version = 0;
        let (bytes, length) = filter.map_or((ptr::null(), 0), |filter| (filter.as_ptr(), filter.len()));
        let out = &raw mut version;
        // SAFETY: our handle, our bytes with their lengths, room for a number.
        let status =
            unsafe { c::pf_gate_take_bundle(self.0, bundle.as_ptr(), bundle.len(), bytes, length, now_s, out) };
        assert_ne!(status, c::PF_ERROR_PANICKED);
        if status == c::PF_DONE {
            assert!(version > before);
            assert!(
                BUNDLES.iter().any(|good| good == bundle),
                "the root key did not sign this"
            );
        }
        assert_eq!(self.version(), if status == c::PF_DONE { version } else { before });
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it came out of `pf_gate_new` and is given back once.
        unsafe { c::pf_gate_free(self.0) };
    }
}

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let gate = Handle::new();
    for _ in 0..CALLS_MAX {
        if choices.is_empty() {
            break;
        }
        call(&gate, &mut choices);
    }
}

fn call(gate: &Handle, choices: &mut Choices<'_>) {
    let now_s = moment(choices);
    match choices.byte() % 6 {
        0 => {
            let bundle = changed(choices.one_of(&BUNDLES).clone(), choices);
            let filter = choices
                .byte()
                .is_multiple_of(2)
                .then(|| changed(FILTER.bytes().to_vec(), choices));
            gate.take(&bundle, filter.as_deref(), now_s);
        }
        1 => {
            let subject = [choices.byte(); 16];
            // SAFETY: our handle and 16 bytes.
            let status = unsafe { c::pf_gate_clear(gate.0, subject.as_ptr()) };
            assert_eq!(status, c::PF_DONE);
        }
        2 => {
            // SAFETY: our handle.
            let status = unsafe { c::pf_gate_confirm_bundle(gate.0, now_s) };
            assert_eq!(status, c::PF_DONE);
        }
        3 => {
            let text = changed(choices.one_of(&CODES).clone(), choices);
            let direction = i32::from(choices.byte() % 4);
            // SAFETY: our handle, our bytes with their length.
            let status = unsafe { c::pf_gate_note_passage(gate.0, text.as_ptr(), text.len(), direction, now_s) };
            assert_ne!(status, c::PF_ERROR_PANICKED);
        }
        4 => gate.decide(choices.bytes(500), 1, -1, now_s),
        _ => {
            let text = changed(choices.one_of(&CODES).clone(), choices);
            let direction = i32::from(choices.byte() % 4);
            let fee_due_units = i64::from(choices.byte()) - 2;
            gate.decide(&text, direction, fee_due_units, now_s);
        }
    }
}

/// Mostly within the life of the codes; now and then the clock is far away.
fn moment(choices: &mut Choices<'_>) -> i64 {
    match choices.byte() {
        byte @ 0..=239 => i64::from(AT_S) + i64::from(byte) - 60,
        _ => i64::from_be_bytes(choices.array()),
    }
}

/// Three times in four as it was.
fn changed(mut bytes: Vec<u8>, choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.byte().is_multiple_of(4) {
        let place = usize::from(u16::from_be_bytes(choices.array())) % bytes.len().max(1);
        match choices.byte() % 3 {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, choices.byte()),
            _ => {
                let turned = choices.byte();
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= turned;
                }
            }
        }
    }
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let take_first = [60, 0, 0, 1, 1];
    let show = |phone: u8| [70, 5, phone * 3, 1, 1, 2];
    vec![
        [&take_first[..], &show(0)].concat(),
        [&take_first[..], &show(0), &show(0), &show(2), &show(3)].concat(),
        [&[60, 0, 2, 1, 0, 1][..], &show(3), &[60, 1, 3], &show(3)].concat(),
        [&take_first[..], &[60, 4, 80, 70, 49, 58]].concat(),
    ]
}
