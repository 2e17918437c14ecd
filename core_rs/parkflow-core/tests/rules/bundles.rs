//! Bundles and deny filters: the golden file, and what must hold for every content and for bytes that are none.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::golden::{hex, hex_exact, json, number, rows};
use parkflow_core::bundle::{
    open_bundle, seal_bundle, BundleContent, BundleRefusal, Denial, DenyFilter, DenyIndex, ExitDenied, FilterName,
    KeyRecord, Lane, LaneDirection, Lot, RiskOutcome, RiskRule, FILTER_HEADER_BYTES,
};
use parkflow_core::ed25519::{public_key, Purpose, VerifyingKey};
use proptest::prelude::*;
use serde_json::Value;

fn golden_key(row: &Value, operator_id: u64) -> KeyRecord {
    KeyRecord {
        kid: number(&row[0]),
        operator_id,
        product: number(&row[1]),
        algorithm: number(&row[2]),
        not_before_s: number(&row[3]),
        not_after_s: number(&row[4]),
        public_key: hex(&row[5]),
    }
}

fn golden_lot(row: &Value) -> Lot {
    let rule = |rule: &Value| RiskRule {
        ceiling_from: number(&rule[0]),
        code_age_from_s: number(&rule[1]),
        bundle_age_from_s: number(&rule[2]),
        outcome: [RiskOutcome::Flag, RiskOutcome::Refuse][number::<usize>(&rule[3]) - 1],
    };
    let lane = |lane: &Value| Lane {
        lane_id: number(&lane[0]),
        direction: [LaneDirection::Entry, LaneDirection::Exit, LaneDirection::Both][number::<usize>(&lane[1]) - 1],
    };
    Lot {
        lot_id: number(&row["id"]),
        product: number(&row["product"]),
        code_age_max_s: number(&row["age"]),
        skew_s: number(&row["skew"]),
        exit_denied: [ExitDenied::Accept, ExitDenied::Pay][number::<usize>(&row["exit"])],
        passback_s: number(&row["passback"]),
        risk: rows(&row["risk"]).iter().map(rule).collect(),
        lanes: rows(&row["lanes"]).iter().map(lane).collect(),
    }
}

fn golden_content(file: &Value) -> BundleContent {
    let operator_id = number(&file["operator_id"]);
    BundleContent {
        operator_id,
        version: number(&file["version"]),
        issued_at_s: number(&file["issued_at_s"]),
        expires_at_s: number(&file["expires_at_s"]),
        keys: rows(&file["keys"])
            .iter()
            .map(|row| golden_key(row, operator_id))
            .collect(),
        lots: rows(&file["lots"]).iter().map(golden_lot).collect(),
        filter: Some(FilterName {
            sha256: hex_exact(&file["filter_sha256"]),
            bytes: hex(&file["filter"]).len().try_into().unwrap(),
        }),
        denied: rows(&file["denied"]).iter().map(hex_exact).collect(),
        cleared: rows(&file["cleared"]).iter().map(hex_exact).collect(),
    }
}

#[test]
fn a_bundle_is_made_byte_for_byte_and_read_back() {
    let file = json("bundle_v1.json");
    let content = golden_content(&file);
    assert_eq!(content.encode().unwrap(), hex(&file["content"]));
    let sealed = seal_bundle(&hex_exact(&file["root_secret"]), &content).unwrap();
    assert_eq!(sealed, hex(&file["bundle"]));
    let root = VerifyingKey::enrol(&hex(&file["root_public_key"])).unwrap();
    assert_eq!(open_bundle(&root, &sealed), Ok(content));
}

#[test]
fn a_filter_of_another_maker_is_read_and_hits_what_that_maker_says() {
    let file = json("bundle_v1.json");
    let filter = DenyFilter::decode(hex(&file["filter"])).unwrap();
    assert_eq!(filter.name().sha256, hex_exact(&file["filter_sha256"]));
    for (list, hit) in [
        ("filter_members", true),
        ("filter_hits_others", true),
        ("filter_misses", false),
    ] {
        for subject in rows(&file[list]) {
            assert_eq!(filter.hits(&hex_exact(subject)), hit, "{list}");
        }
    }
    let content = golden_content(&file);
    let index = DenyIndex::new(content.denied.clone(), content.cleared.clone(), Some(Arc::new(filter)));
    assert_eq!(index.denial(&content.denied[0]), Denial::Certain);
    assert_eq!(index.denial(&content.cleared[0]), Denial::No);
    assert_eq!(index.denial(&hex_exact(&file["filter_members"][0])), Denial::Likely);
    assert_eq!(index.denial(&hex_exact(&file["filter_misses"][0])), Denial::No);
}

#[test]
fn content_out_of_order_or_with_doubles_is_not_written() {
    let content = golden_content(&json("bundle_v1.json"));
    let mut cases = vec![content.clone(); 6];
    cases[0].keys.reverse();
    cases[1].lots.reverse();
    cases[2].denied = vec![[3; 16], [3; 16]];
    cases[3].cleared = vec![[3; 16], [2; 16]];
    cases[4].lots[0].lanes.reverse();
    cases[5].lots[0].risk.reverse();
    for case in &cases {
        assert!(case.encode().is_err());
        let mut sorted = case.clone();
        sorted.sort();
        // Sorting mends the order; what is there twice stays wrong.
        assert_eq!(
            sorted.encode().is_ok(),
            sorted.denied.len() != 2 || case.denied == content.denied
        );
    }
}

#[test]
fn a_bundle_signed_for_another_purpose_or_by_another_key_is_refused() {
    let file = json("bundle_v1.json");
    let (secret, root) = (
        hex_exact(&file["root_secret"]),
        VerifyingKey::enrol(&hex(&file["root_public_key"])).unwrap(),
    );
    let payload = hex(&file["content"]);
    for purpose in Purpose::ALL {
        let bytes = [payload.clone(), purpose.sign(&secret, &payload).to_vec()].concat();
        assert_eq!(open_bundle(&root, &bytes).is_ok(), purpose == Purpose::Bundle);
    }
    let foreign = [payload.clone(), Purpose::Bundle.sign(&[9; 32], &payload).to_vec()].concat();
    assert_eq!(open_bundle(&root, &foreign), Err(BundleRefusal::BadSignature));
    assert_eq!(open_bundle(&root, &foreign[..63]), Err(BundleRefusal::Malformed));
    assert_eq!(open_bundle(&root, &vec![0; (4 << 20) + 1]), Err(BundleRefusal::TooLong));
}

#[test]
fn a_filter_over_a_million_subjects_is_small_misses_none_and_hits_few_others() {
    let subject = |number: u64| {
        // AES output in life; here splitmix64's, which is as even.
        let mut bytes = [0; 16];
        crate::golden::coefficients(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))(&mut bytes);
        bytes
    };
    let members: Vec<_> = (0..1_000_000).map(subject).collect();
    let filter = DenyFilter::build(&members).unwrap();
    assert!(filter.bytes().len() <= 1_300_000, "{} bytes", filter.bytes().len());
    assert!(members.iter().all(|member| filter.hits(member)));
    let others = (2_000_000..2_200_000).map(subject);
    let hit = others.filter(|other| filter.hits(other)).count();
    // One in 256 of 200,000 is 781.
    assert!((600..1_000).contains(&hit), "{hit} of 200,000");
    assert_eq!(DenyFilter::decode(filter.bytes().to_vec()), Ok(filter));
}

#[test]
fn a_filter_whose_places_could_lie_outside_is_no_filter() {
    let good = hex(&json("bundle_v1.json")["filter"]);
    assert!(DenyFilter::decode(good.clone()).is_ok());
    for length in 0..FILTER_HEADER_BYTES + 20 {
        assert!(DenyFilter::decode(good[..length].to_vec()).is_err());
    }
    // Format, segment length and segment count length; the seed may be any number.
    for (place, value) in [
        (0, 2),
        (12, 7),
        (12, 16),
        (12, 0),
        (9, 0x80),
        (16, 55),
        (16, 0),
        (13, 1),
    ] {
        let mut bytes = good.clone();
        bytes[place] = value;
        assert!(DenyFilter::decode(bytes).is_err(), "byte {place} = {value}");
    }
    assert!(DenyFilter::build(&[]).is_err());
}

prop_compose! {
    fn any_lot()(
        lot_id: u64, product: u8, code_age_max_s: u16, skew_s: u16, pay: bool, passback_s: u32,
        risk in prop::collection::vec((any::<u16>(), any::<u16>(), any::<u32>(), any::<bool>()), 0..4),
        lanes in prop::collection::btree_map(any::<u64>(), 0_usize..3, 0..4),
    ) -> Lot {
        let rules: BTreeSet<RiskRule> = risk.into_iter().map(|(ceiling_from, code_age_from_s, bundle_age_from_s, flag)| RiskRule {
            ceiling_from, code_age_from_s, bundle_age_from_s,
            outcome: if flag { RiskOutcome::Flag } else { RiskOutcome::Refuse },
        }).collect();
        let directions = [LaneDirection::Entry, LaneDirection::Exit, LaneDirection::Both];
        Lot {
            lot_id, product, code_age_max_s, skew_s, passback_s,
            exit_denied: if pay { ExitDenied::Pay } else { ExitDenied::Accept },
            risk: rules.into_iter().collect(),
            lanes: lanes.into_iter().map(|(lane_id, way)| Lane { lane_id, direction: directions[way] }).collect(),
        }
    }
}

prop_compose! {
    fn any_content()(
        numbers: [u64; 4],
        keys in prop::collection::btree_map(any::<u32>(), prop::collection::vec(any::<u8>(), 0..40), 0..40),
        lots in prop::collection::vec(any_lot(), 0..5),
        filter in prop::option::of((any::<[u8; 32]>(), 1_u32..)),
        denied in prop::collection::btree_set(any::<[u8; 16]>(), 0..20),
        cleared in prop::collection::btree_set(any::<[u8; 16]>(), 0..20),
    ) -> BundleContent {
        let [operator_id, version, issued_at_s, expires_at_s] = numbers;
        let key = |(kid, public_key): (u32, Vec<u8>)| KeyRecord {
            kid, operator_id, product: 1, algorithm: 1, not_before_s: issued_at_s, not_after_s: expires_at_s, public_key,
        };
        let mut lots = lots;
        lots.sort_by_key(|lot| lot.lot_id);
        lots.dedup_by_key(|lot| lot.lot_id);
        BundleContent {
            operator_id, version, issued_at_s, expires_at_s, lots,
            keys: keys.into_iter().map(key).collect(),
            filter: filter.map(|(sha256, bytes)| FilterName { sha256, bytes }),
            denied: denied.into_iter().collect(),
            cleared: cleared.into_iter().collect(),
        }
    }
}

proptest! {
    #[test]
    fn decode_undoes_encode(content in any_content()) {
        let bytes = content.encode().unwrap();
        prop_assert_eq!(BundleContent::decode(&bytes), Ok(content));
    }

    /// One content, one byte string: whatever is read is written the same way.
    #[test]
    fn a_changed_byte_is_refused_or_is_another_content(content in any_content(), place: prop::sample::Index, turned in 1_u8..) {
        let mut bytes = content.encode().unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= turned;
        if let Ok(read) = BundleContent::decode(&bytes) {
            prop_assert_ne!(&read, &content);
            prop_assert_eq!(read.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn a_cut_or_longer_bundle_is_refused(content in any_content(), place: prop::sample::Index, extra: u8) {
        let mut bytes = content.encode().unwrap();
        prop_assert!(BundleContent::decode(&bytes[..place.index(bytes.len())]).is_err());
        bytes.push(extra);
        prop_assert!(BundleContent::decode(&bytes).is_err());
    }

    #[test]
    fn no_bytes_make_reading_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), format: bool) {
        if format && !bytes.is_empty() {
            bytes[0] = 1;
        }
        let root = VerifyingKey::enrol(&public_key(&[1; 32])).unwrap();
        prop_assert!(open_bundle(&root, &bytes).is_err());
        if let Ok(read) = BundleContent::decode(&bytes) {
            prop_assert_eq!(read.encode().unwrap(), bytes.clone());
        }
        if let Ok(filter) = DenyFilter::decode(bytes.clone()) {
            let _ = filter.hits(&[7; 16]);
            prop_assert_eq!(filter.bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_filter_hits_all_that_it_was_built_over(subjects in prop::collection::btree_set(any::<[u8; 16]>(), 1..300)) {
        let mut subjects: Vec<_> = subjects.into_iter().collect();
        let filter = DenyFilter::build(&subjects).unwrap();
        prop_assert!(subjects.iter().all(|subject| filter.hits(subject)));
        subjects.reverse();
        prop_assert_eq!(DenyFilter::build(&subjects), Ok(filter));
    }
}
