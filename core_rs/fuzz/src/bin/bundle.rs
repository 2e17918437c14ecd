//! Bundles and deny filters: any bytes, and good ones cut and changed, before and behind the root key's signature.
//!
//! What is read is written the same way; nothing but the root key's own bytes is opened; a filter that is read can be
//! asked; and a gate never goes back to an older bundle, whatever it is given.
#![cfg_attr(fuzzing, no_main)]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a finding is a panic"
)]

use std::sync::LazyLock;

use parkflow_core::bundle::{
    open_bundle, seal_bundle, BundleContent, DenyFilter, ExitDenied, KeyRecord, Lane, LaneDirection, Lot, RiskOutcome,
    RiskRule,
};
use parkflow_core::ed25519::{public_key, Purpose, VerifyingKey};
use parkflow_fuzz::Choices;
use parkflow_gate::{Capacities, Gate, Post};

parkflow_fuzz::target!(check, seeds);

const ROOT_SECRET: [u8; 32] = [5; 32];
const AT_S: u64 = 1_700_000_000;
const CHANGES_MAX: u8 = 4;

static ROOT: LazyLock<VerifyingKey> =
    LazyLock::new(|| VerifyingKey::enrol(&public_key(&ROOT_SECRET)).expect("an honest key"));
static FILTER: LazyLock<DenyFilter> =
    LazyLock::new(|| DenyFilter::build(&[[1; 16], [2; 16], [3; 16]]).expect("three subjects"));

fn content(version: u64, with_filter: bool) -> BundleContent {
    BundleContent {
        operator_id: 1,
        version,
        issued_at_s: AT_S,
        expires_at_s: AT_S + 259_200,
        keys: vec![KeyRecord {
            kid: 7,
            operator_id: 1,
            product: 1,
            algorithm: 1,
            not_before_s: AT_S,
            not_after_s: AT_S + 86_400,
            public_key: public_key(&[6; 32]).to_vec(),
        }],
        lots: vec![Lot {
            lot_id: 1,
            product: 1,
            code_age_max_s: 30,
            skew_s: 30,
            exit_denied: ExitDenied::Accept,
            passback_s: 60,
            risk: vec![RiskRule {
                ceiling_from: 0,
                code_age_from_s: 0,
                bundle_age_from_s: 86_400,
                outcome: RiskOutcome::Flag,
            }],
            lanes: vec![Lane {
                lane_id: 1,
                direction: LaneDirection::Both,
            }],
        }],
        filter: with_filter.then(|| FILTER.name()),
        denied: vec![[8; 16]],
        cleared: vec![[1; 16], [9; 16]],
    }
}

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    match choices.byte() % 4 {
        0 => check_content(choices.0),
        1 => check_filter(choices.0),
        _ => check_gate(&mut choices),
    }
}

fn check_content(bytes: &[u8]) {
    assert!(open_bundle(&ROOT, bytes).is_err(), "nobody has signed this");
    let Ok(read) = BundleContent::decode(bytes) else {
        return;
    };
    assert_eq!(read.encode().as_deref(), Ok(bytes));
    let sealed = seal_bundle(&ROOT_SECRET, &read).expect("what was read can be written");
    assert_eq!(open_bundle(&ROOT, &sealed), Ok(read));
}

fn check_filter(bytes: &[u8]) {
    let Ok(filter) = DenyFilter::decode(bytes.to_vec()) else {
        return;
    };
    assert_eq!(filter.bytes(), bytes);
    for first in 0..=u8::MAX {
        let _ = filter.hits(&[first; 16]);
    }
}

/// A gate is given changed bundles, some signed again after the change, as a careless issuer would.
fn check_gate(choices: &mut Choices<'_>) {
    let post = Post {
        root_key: public_key(&ROOT_SECRET),
        lot_id: 1,
        lane_id: 1,
    };
    let mut gate = Gate::new(post, Capacities::default(), None).expect("an honest key");
    while !choices.is_empty() {
        let good = content(u64::from(choices.byte() % 4), choices.byte() % 2 == 1);
        let mut payload = good.encode().expect("in order");
        let signs_last = choices.byte() % 2 == 1;
        let mut signature = Purpose::Bundle.sign(&ROOT_SECRET, &payload);
        let is_changed = change(&mut payload, choices);
        if signs_last {
            signature = Purpose::Bundle.sign(&ROOT_SECRET, &payload);
        }
        let filter = (choices.byte() % 2 == 1).then(|| FILTER.bytes());
        let before = gate.bundle_version();
        let now_s = i64::try_from(AT_S).expect("this century") + i64::from(choices.byte());
        let taken = gate.take_bundle(&[&payload[..], &signature].concat(), filter, now_s);
        if let Ok(version) = taken {
            assert!(version > before, "versions only go up");
            assert!(signs_last || !is_changed, "a changed bundle under the old signature");
        } else {
            assert_eq!(gate.bundle_version(), before, "what is refused changes nothing");
        }
    }
}

fn change(payload: &mut Vec<u8>, choices: &mut Choices<'_>) -> bool {
    let before = payload.clone();
    for _ in 0..choices.byte() % (CHANGES_MAX + 1) {
        let place = usize::from(u16::from_be_bytes(choices.array())) % payload.len().max(1);
        match choices.byte() % 3 {
            0 => payload.truncate(place),
            1 => payload.push(choices.byte()),
            _ => {
                let turned = choices.byte();
                if let Some(byte) = payload.get_mut(place) {
                    *byte ^= turned;
                }
            }
        }
    }
    *payload != before
}

fn seeds() -> Vec<Vec<u8>> {
    let contents = [content(1, false), content(2, true)];
    let written = contents
        .iter()
        .map(|content| [&[0], &content.encode().expect("in order")[..]].concat());
    let mut seeds: Vec<Vec<u8>> = written.collect();
    seeds.push([&[1], FILTER.bytes()].concat());
    seeds.push(vec![2, 1, 0, 0, 0, 0, 1, 2, 1, 1, 0, 1, 9]);
    seeds
}
