//! Whatever the bytes of a bundle's content or of a filter are: no panic, and one spelling for each content.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod operator;
mod scene;

use operator::{content, filter_over, key, rule, Card, LANE_ID, NOW_S, ROOT_SECRET};
use parkflow_core::bundle::{BundleContent, DenyFilter, ExitDenied, RiskOutcome, FILTER_HEADER_BYTES};
use parkflow_core::ed25519::Purpose;
use parkflow_gate::Direction;
use proptest::prelude::*;
use scene::{ask, empty_gate};

/// A content with something in every list.
fn full_content() -> BundleContent {
    let mut content = content(3);
    content.keys.push(key(9, &[8; 32]));
    content.lots[0].risk = vec![rule(0, 0, 60, RiskOutcome::Flag), rule(5, 0, 60, RiskOutcome::Refuse)];
    let mut second = content.lots[0].clone();
    (second.lot_id, second.exit_denied) = (41, ExitDenied::Pay);
    content.lots.push(second);
    content.filter = Some(filter_over(9, 20).name());
    content.denied = vec![[1; 16], [2; 16]];
    content.cleared = vec![[3; 16]];
    content
}

fn read_and_write_again(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(content) = BundleContent::decode(bytes) {
        prop_assert_eq!(content.encode().expect("what was read is in order"), bytes);
    }
    Ok(())
}

#[test]
fn a_content_is_read_back_as_it_was_written() {
    let content = full_content();
    assert_eq!(BundleContent::decode(&content.encode().unwrap()), Ok(content));
}

#[test]
fn a_content_with_any_bit_turned_is_another_content_or_none() {
    let good = full_content().encode().unwrap();
    let mut readable = 0;
    for place in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[place / 8] ^= 1 << (place % 8);
        if let Ok(content) = BundleContent::decode(&bytes) {
            assert_eq!(content.encode().unwrap(), bytes);
            readable += 1;
        }
    }
    assert!(readable > 100, "most fields take any value");
}

#[test]
fn lists_that_claim_more_than_there_is_are_refused_at_once() {
    let good = full_content().encode().unwrap();
    for place in 0..good.len() {
        for claim in [0xff_u8, 0x7f] {
            let mut bytes = good.clone();
            for byte in bytes.iter_mut().skip(place).take(4) {
                *byte = claim;
            }
            if let Ok(content) = BundleContent::decode(&bytes) {
                assert_eq!(content.encode().unwrap(), bytes);
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_content_is_read_is_written_the_same_way(bytes: Vec<u8>, format in 0_u8..3) {
        read_and_write_again(&bytes)?;
        read_and_write_again(&[&[format], &bytes[..]].concat())?;
    }

    #[test]
    fn a_content_with_bytes_changed_put_in_or_cut_is_read_in_one_way(
        place in any::<prop::sample::Index>(), cut in 0_usize..9, put: Vec<u8>,
    ) {
        let mut bytes = full_content().encode().unwrap();
        let from = place.index(bytes.len());
        let to = (from + cut).min(bytes.len());
        bytes.splice(from..to, put.into_iter().take(9));
        read_and_write_again(&bytes)?;
    }

    /// The root key's holder is trusted with keys and lists, and still cannot crash a gate.
    #[test]
    fn no_signed_bytes_make_a_gate_panic(
        place in any::<prop::sample::Index>(), put in prop::collection::vec(any::<u8>(), 1..9), filter: Vec<u8>, now_s: i64,
    ) {
        let mut bytes = full_content().encode().unwrap();
        let from = place.index(bytes.len());
        for (byte, new) in bytes.iter_mut().skip(from).zip(put) {
            *byte = new;
        }
        bytes.extend(Purpose::Bundle.sign(&ROOT_SECRET, &bytes));
        let mut gate = empty_gate(LANE_ID);
        let _ = gate.take_bundle(&bytes, Some(&filter), now_s);
        let _ = gate.take_bundle(&bytes, Some(filter_over(9, 20).bytes()), now_s);
        let _ = gate.take_bundle(&bytes, Some(filter_over(9, 20).bytes()), NOW_S);
        for direction in [Direction::Entry, Direction::Exit] {
            ask(&mut gate, &Card::new([1; 16]).text(NOW_S, 0), direction, now_s);
            ask(&mut gate, &Card::new([5; 16]).text(NOW_S, 0), direction, NOW_S);
        }
    }

    #[test]
    fn no_text_makes_a_gate_panic(mut text: Vec<u8>, prefixed: bool, now_s: i64) {
        if prefixed {
            text.splice(0..0, *b"PF1:");
        }
        let mut plain = content(1);
        plain.expires_at_s = u64::MAX;
        let mut gate = scene::gate_with(plain);
        prop_assert!(!ask(&mut gate, &text, Direction::Exit, now_s).opens());
    }

    #[test]
    fn whatever_filter_is_read_is_written_the_same_way_and_answers(
        seed: u64, segment_log in 0_u32..12, segments in 1_u32..6, lie in -1_i32..2, subject: [u8; 16], fill: u8,
    ) {
        let segment = 1_u32 << segment_log;
        let mut bytes = vec![1];
        bytes.extend(seed.to_be_bytes());
        bytes.extend(segment.to_be_bytes());
        bytes.extend((segment * segments).to_be_bytes());
        let length = i64::from(segment * (segments + 2)) + i64::from(lie);
        bytes.resize(FILTER_HEADER_BYTES + usize::try_from(length).unwrap(), fill);
        match DenyFilter::decode(bytes.clone()) {
            Err(_) => prop_assert_ne!(lie, 0),
            Ok(filter) => {
                prop_assert_eq!(lie, 0);
                prop_assert_eq!(filter.bytes(), &bytes[..]);
                let _ = filter.hits(&subject);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_filter_panic(mut bytes: Vec<u8>, subject: [u8; 16]) {
        bytes.splice(0..0, [1]);
        if let Ok(filter) = DenyFilter::decode(bytes) {
            let _ = filter.hits(&subject);
        }
    }

    #[test]
    fn a_filter_hits_every_subject_that_it_was_built_over(subjects in prop::collection::vec(any::<[u8; 16]>(), 1..200)) {
        let filter = DenyFilter::build(&subjects).unwrap();
        for subject in &subjects {
            prop_assert!(filter.hits(subject));
        }
    }
}
