//! Which bundles a gate takes, what is on its disk when, and what it loads after a restart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod operator;
mod scene;

use std::fs;
use std::path::Path;

use operator::{at, content, filter_over, key, sealed, Card, KID, LANE_ID, NOW_S, ROOT_SECRET};
use parkflow_core::bundle::{seal_bundle, BundleContent, BundleRefusal, DenyFilter, BUNDLE_BYTES_MAX};
use parkflow_core::code::Reason;
use parkflow_core::ed25519::Purpose;
use parkflow_gate::{BundleStore, Capacities, Direction, Gate, GateReason};
use scene::{ask, empty_gate, gate_on, post};
use tempfile::TempDir;

const CARD: [u8; 16] = [4; 16];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn gate_in(folder: &Path) -> Gate {
    gate_on(BundleStore::new(folder, "gate"))
}

/// The names of the files there, in order, without the 64 digits of a filter's hash.
fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().unwrap())
        .map(|name| {
            if name.len() > 64 {
                "gate.HASH.filter".into()
            } else {
                name
            }
        })
        .collect();
    names.sort();
    names
}

fn with_filter(version: u64, filter: &DenyFilter) -> BundleContent {
    let mut content = content(version);
    content.filter = Some(filter.name());
    content
}

fn reason(gate: &mut Gate, nonce: u16) -> GateReason {
    ask(gate, &Card::new(CARD).text(NOW_S, nonce), Direction::Entry, NOW_S).reason
}

#[test]
fn a_bundle_is_taken_only_if_its_version_is_higher() {
    let mut gate = empty_gate(LANE_ID);
    assert_eq!((gate.bundle_version(), gate.bundle_expires_at_s()), (0, 0));
    let rows = [
        (0, Err(BundleRefusal::NotNewer)),
        (5, Ok(5)),
        (5, Err(BundleRefusal::NotNewer)),
        (4, Err(BundleRefusal::NotNewer)),
        (6, Ok(6)),
        (u64::MAX, Ok(u64::MAX)),
        (u64::MAX, Err(BundleRefusal::NotNewer)),
        (7, Err(BundleRefusal::NotNewer)),
    ];
    for (version, taken) in rows {
        assert_eq!(gate.take_bundle(&sealed(content(version)), None, NOW_S), taken);
    }
    assert_eq!(gate.bundle_expires_at_s(), content(1).expires_at_s);
}

/// Bytes that are no bundle for this gate, or not yet, each with what is wrong.
fn spoiled_bundles(filter: &DenyFilter) -> Vec<(Vec<u8>, BundleRefusal)> {
    let good = with_filter(6, filter);
    let plain = good.encode().unwrap();
    let signed = |purpose: Purpose, mut bytes: Vec<u8>| {
        bytes.extend(purpose.sign(&ROOT_SECRET, &bytes));
        bytes
    };
    let with = |spoil: fn(&mut BundleContent)| {
        let mut content = good.clone();
        spoil(&mut content);
        sealed(content)
    };
    let other_format = [&[2], &plain[1..]].concat();
    let with_more = [&plain[..], &[0]].concat();
    let foreign = seal_bundle(&[99; 32], &good).unwrap();
    vec![
        (vec![0; BUNDLE_BYTES_MAX + 1], BundleRefusal::TooLong),
        (vec![], BundleRefusal::Malformed),
        (vec![1; 63], BundleRefusal::Malformed),
        (vec![1; 64], BundleRefusal::BadSignature),
        (foreign, BundleRefusal::BadSignature),
        (signed(Purpose::Batch, plain), BundleRefusal::BadSignature),
        (signed(Purpose::Bundle, other_format), BundleRefusal::BadFormat),
        (signed(Purpose::Bundle, with_more), BundleRefusal::Malformed),
        (
            with(|bundle| bundle.keys[0].public_key = vec![0; 32]),
            BundleRefusal::BadKey,
        ),
        (with(|bundle| bundle.keys[0].not_after_s = 0), BundleRefusal::BadKey),
        (
            with(|bundle| bundle.keys[0].operator_id = u64::MAX),
            BundleRefusal::BadKey,
        ),
        (with(|bundle| bundle.version = 5), BundleRefusal::NotNewer),
        (with(|bundle| bundle.expires_at_s = at(NOW_S)), BundleRefusal::Expired),
        (with(|bundle| bundle.lots[0].lot_id = 1), BundleRefusal::UnknownLane),
        (with(|bundle| bundle.lots[0].lanes.clear()), BundleRefusal::UnknownLane),
    ]
}

#[test]
fn a_bundle_that_is_refused_changes_nothing() {
    let folder = folder();
    let mut gate = gate_in(folder.path());
    let filter = filter_over(9, 50);
    let old = sealed(with_filter(5, &filter));
    gate.take_bundle(&old, Some(filter.bytes()), NOW_S).unwrap();
    let mut refused = |bytes: &[u8], filter: Option<&[u8]>, refusal| {
        assert_eq!(gate.take_bundle(bytes, filter, NOW_S), Err(refusal));
        assert_eq!(gate.bundle_version(), 5, "{refusal}");
        assert_eq!(fs::read(folder.path().join("gate.bundle")).unwrap(), old, "{refusal}");
        assert_eq!(
            names_in(folder.path()),
            ["gate.HASH.filter", "gate.bundle"],
            "{refusal}"
        );
    };
    for (bytes, refusal) in spoiled_bundles(&filter) {
        refused(&bytes, None, refusal);
    }
    let other = sealed(with_filter(6, &filter_over(9, 51)));
    refused(&other, None, BundleRefusal::FilterMissing);
    refused(&other, Some(filter.bytes()), BundleRefusal::BadFilter);
    refused(&other, Some(b"filter"), BundleRefusal::BadFilter);
    assert_eq!(reason(&mut gate, 0), GateReason::Code(Reason::Accepted));
}

#[test]
fn no_bit_of_a_bundle_can_be_turned() {
    let mut gate = empty_gate(LANE_ID);
    gate.take_bundle(&sealed(content(1)), None, NOW_S).unwrap();
    let good = sealed(content(2));
    for place in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[place / 8] ^= 1 << (place % 8);
        let taken = gate.take_bundle(&bytes, None, NOW_S);
        assert_eq!(taken, Err(BundleRefusal::BadSignature), "bit {place}");
    }
    assert_eq!(gate.bundle_version(), 1);
    assert_eq!(gate.take_bundle(&good, None, NOW_S), Ok(2));
}

#[test]
fn no_part_of_a_bundle_is_a_bundle() {
    let good = sealed(content(1));
    let mut gate = empty_gate(LANE_ID);
    for length in 0..good.len() {
        let refusal = gate.take_bundle(&good[..length], None, NOW_S).unwrap_err();
        assert!(
            matches!(refusal, BundleRefusal::BadSignature | BundleRefusal::Malformed),
            "{length}"
        );
        gate.take_bundle(&good[length + 1..], None, NOW_S).unwrap_err();
    }
    assert_eq!(gate.bundle_version(), 0);
}

#[test]
fn no_bit_of_a_filter_can_be_turned() {
    let filter = filter_over(9, 3);
    let mut gate = empty_gate(LANE_ID);
    let bundle = sealed(with_filter(1, &filter));
    for place in 0..filter.bytes().len() * 8 {
        let mut bytes = filter.bytes().to_vec();
        bytes[place / 8] ^= 1 << (place % 8);
        let taken = gate.take_bundle(&bundle, Some(&bytes), NOW_S);
        assert_eq!(taken, Err(BundleRefusal::BadFilter), "bit {place}");
    }
}

#[test]
fn a_gate_says_which_filter_a_bundle_goes_with() {
    let filter = filter_over(9, 50);
    let gate = empty_gate(LANE_ID);
    assert_eq!(gate.filter_of(&sealed(content(1))), Ok(None));
    assert_eq!(
        gate.filter_of(&sealed(with_filter(1, &filter))),
        Ok(Some(filter.name().sha256))
    );
    assert_eq!(gate.filter_of(b"no bundle"), Err(BundleRefusal::Malformed));
}

#[test]
fn what_is_not_on_the_disk_is_not_used() {
    let here = folder();
    let a_file = here.path().join("file");
    fs::write(&a_file, "").unwrap();
    let a_folder_in_the_way = folder();
    fs::create_dir(a_folder_in_the_way.path().join("gate.bundle")).unwrap();
    for place in [&here.path().join("missing"), &a_file, a_folder_in_the_way.path()] {
        let mut gate = gate_in(place);
        assert_eq!(
            gate.take_bundle(&sealed(content(1)), None, NOW_S),
            Err(BundleRefusal::NotStored)
        );
        assert_eq!(gate.bundle_version(), 0);
        assert_eq!(reason(&mut gate, 0), GateReason::NoBundle);
    }
}

#[test]
fn a_disk_that_is_lost_keeps_the_bundle_in_use() {
    let folder = folder();
    let place = folder.path().join("flash");
    fs::create_dir(&place).unwrap();
    let mut gate = gate_in(&place);
    gate.take_bundle(&sealed(content(1)), None, NOW_S).unwrap();
    fs::remove_dir_all(&place).unwrap();
    let mut denied = content(2);
    denied.denied = vec![CARD];
    assert_eq!(
        gate.take_bundle(&sealed(denied.clone()), None, NOW_S),
        Err(BundleRefusal::NotStored)
    );
    assert_eq!(reason(&mut gate, 0), GateReason::Code(Reason::Accepted));
    fs::create_dir(&place).unwrap();
    assert_eq!(gate.take_bundle(&sealed(denied), None, NOW_S), Ok(2));
    assert_eq!(reason(&mut gate, 1), GateReason::Code(Reason::Denied));
}

#[test]
fn after_a_restart_the_bundle_is_the_same_and_no_older_one_is_taken() {
    let folder = folder();
    let filter = filter_over(4, 50);
    let mut gate = gate_in(folder.path());
    assert!(!gate.load().unwrap());
    gate.take_bundle(&sealed(content(4)), None, NOW_S).unwrap();
    gate.take_bundle(&sealed(with_filter(5, &filter)), Some(filter.bytes()), NOW_S)
        .unwrap();
    drop(gate);
    let mut gate = gate_in(folder.path());
    assert!(gate.load().unwrap());
    assert_eq!(gate.bundle_version(), 5);
    assert_eq!(reason(&mut gate, 0), GateReason::Code(Reason::Denied));
    for version in [4, 5] {
        assert_eq!(
            gate.take_bundle(&sealed(content(version)), None, NOW_S),
            Err(BundleRefusal::NotNewer)
        );
    }
    assert_eq!(
        gate.take_bundle(&sealed(with_filter(6, &filter)), None, NOW_S),
        Ok(6),
        "it has the filter"
    );
}

#[test]
fn a_lost_filter_makes_no_way_for_an_older_bundle() {
    let folder = folder();
    let filter = filter_over(4, 50);
    let newest = sealed(with_filter(5, &filter));
    gate_in(folder.path())
        .take_bundle(&newest, Some(filter.bytes()), NOW_S)
        .unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "filter") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut gate = gate_in(folder.path());
    assert!(gate.load().is_err());
    assert_eq!(
        gate.take_bundle(&sealed(content(4)), None, NOW_S),
        Err(BundleRefusal::NotNewer)
    );
    assert_eq!(gate.take_bundle(&newest, Some(filter.bytes()), NOW_S), Ok(5));
}

#[test]
fn a_gate_that_never_loads_takes_no_older_bundle_either() {
    let folder = folder();
    gate_in(folder.path())
        .take_bundle(&sealed(content(5)), None, NOW_S)
        .unwrap();
    let older = gate_in(folder.path()).take_bundle(&sealed(content(4)), None, NOW_S);
    assert_eq!(older, Err(BundleRefusal::NotNewer));
    let newer = gate_in(folder.path()).take_bundle(&sealed(content(6)), None, NOW_S);
    assert_eq!(newer, Ok(6));
}

#[test]
fn an_expired_bundle_is_loaded_for_those_who_are_inside() {
    let folder = folder();
    let mut short = content(1);
    short.expires_at_s = at(NOW_S + 1);
    gate_in(folder.path()).take_bundle(&sealed(short), None, NOW_S).unwrap();
    let mut gate = gate_in(folder.path());
    assert!(gate.load().unwrap());
    let text = Card::new(CARD).text(NOW_S, 0);
    let later_s = NOW_S + 2;
    assert_eq!(
        ask(&mut gate, &text, Direction::Entry, later_s).reason,
        GateReason::BundleExpired
    );
    assert!(ask(&mut gate, &text, Direction::Exit, later_s).opens());
}

#[test]
fn a_disk_of_another_operator_or_of_no_sense_is_an_error_and_no_bundle() {
    let folder = folder();
    let place = folder.path().join("gate.bundle");
    let good = sealed(content(1));
    let rows = [
        vec![],
        b"rubbish".to_vec(),
        good[..good.len() - 1].to_vec(),
        seal_bundle(&[99; 32], &content(1)).unwrap(),
        vec![0; BUNDLE_BYTES_MAX + 5],
    ];
    for bytes in rows {
        fs::write(&place, bytes).unwrap();
        let mut gate = gate_in(folder.path());
        assert_eq!(gate.load().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(gate.bundle_version(), 0);
        assert_eq!(reason(&mut gate, 0), GateReason::NoBundle);
    }
}

/// The states of the disk between the steps of taking a bundle with a new filter.
#[test]
fn a_power_cut_at_any_byte_leaves_the_old_bundle_or_the_new_one() {
    let (old_filter, new_filter) = (filter_over(9, 3), filter_over(4, 3));
    let (old, new) = (sealed(with_filter(1, &old_filter)), sealed(with_filter(2, &new_filter)));
    let before = folder();
    gate_in(before.path())
        .take_bundle(&old, Some(old_filter.bytes()), NOW_S)
        .unwrap();
    let after = folder();
    gate_in(after.path())
        .take_bundle(&new, Some(new_filter.bytes()), NOW_S)
        .unwrap();
    let draft = before.path().join("gate.draft");
    let cut_anywhere = |bytes: &[u8]| {
        for length in 0..=bytes.len() {
            fs::write(&draft, &bytes[..length]).unwrap();
            let mut gate = gate_in(before.path());
            assert!(gate.load().unwrap());
            assert_eq!(gate.bundle_version(), 1, "cut at {length}");
            assert_eq!(reason(&mut gate, 0), GateReason::Code(Reason::Accepted));
        }
    };
    let rename_draft_to_file_of = |suffix: &str| {
        let is_it = |entry: &fs::DirEntry| entry.file_name().to_str().unwrap().ends_with(suffix);
        let file = fs::read_dir(after.path())
            .unwrap()
            .map(Result::unwrap)
            .find(is_it)
            .unwrap();
        fs::rename(&draft, before.path().join(file.file_name())).unwrap();
    };
    cut_anywhere(new_filter.bytes());
    rename_draft_to_file_of(".filter");
    cut_anywhere(&new);
    rename_draft_to_file_of(".bundle");
    let mut gate = gate_in(before.path());
    assert!(gate.load().unwrap());
    assert_eq!(gate.bundle_version(), 2);
    assert_eq!(reason(&mut gate, 0), GateReason::Code(Reason::Denied));
    assert_eq!(names_in(before.path()).len(), 3, "the filter before is still there");
    gate.take_bundle(&sealed(with_filter(3, &new_filter)), None, NOW_S)
        .unwrap();
    assert_eq!(names_in(before.path()), ["gate.HASH.filter", "gate.bundle"]);
}

#[test]
fn a_draft_that_a_power_cut_left_is_written_over() {
    let folder = folder();
    fs::write(folder.path().join("gate.draft"), vec![7; 10_000]).unwrap();
    let mut gate = gate_in(folder.path());
    gate.take_bundle(&sealed(content(1)), None, NOW_S).unwrap();
    assert_eq!(names_in(folder.path()), ["gate.bundle"]);
    assert_eq!(fs::read(folder.path().join("gate.bundle")).unwrap(), sealed(content(1)));
}

#[test]
fn filters_of_earlier_bundles_are_removed_and_nothing_else() {
    let folder = folder();
    let foreign = [
        format!("other.{}.filter", "0".repeat(64)),
        "gate.notes.filter".into(),
        "journal".into(),
    ];
    for name in &foreign {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let mut gate = gate_in(folder.path());
    for version in 1..4 {
        let filter = filter_over(9, 50 + version);
        gate.take_bundle(&sealed(with_filter(version, &filter)), Some(filter.bytes()), NOW_S)
            .unwrap();
        let filters = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(filters.count(), foreign.len() + 2, "bundle and one filter");
    }
    gate.take_bundle(&sealed(content(4)), None, NOW_S).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), foreign.len() + 1);
    for name in &foreign {
        assert!(folder.path().join(name).exists());
    }
}

#[test]
fn two_gates_of_one_folder_keep_to_their_stems() {
    let folder = folder();
    let gate_of = |stem: &str| gate_on(BundleStore::new(folder.path(), stem));
    let filter = filter_over(9, 50);
    gate_of("in")
        .take_bundle(&sealed(with_filter(3, &filter)), Some(filter.bytes()), NOW_S)
        .unwrap();
    gate_of("out").take_bundle(&sealed(content(8)), None, NOW_S).unwrap();
    for (stem, version) in [("in", 3), ("out", 8)] {
        let mut gate = gate_of(stem);
        assert!(gate.load().unwrap());
        assert_eq!(gate.bundle_version(), version);
    }
}

#[test]
fn a_key_of_an_unknown_algorithm_is_passed_over() {
    let mut content = content(1);
    let mut strange = key(KID + 1, &[1; 32]);
    (strange.algorithm, strange.public_key) = (200, vec![5; 255]);
    content.keys.push(strange);
    let mut gate = scene::gate_with(content);
    assert_eq!(reason(&mut gate, 0), GateReason::Code(Reason::Accepted));
    let mut card = Card::new(CARD);
    card.fields.kid = KID + 1;
    let decision = ask(&mut gate, &card.text(NOW_S, 1), Direction::Entry, NOW_S);
    assert_eq!(decision.reason, GateReason::Code(Reason::UnknownKid));
}

#[test]
fn every_issuer_key_of_a_bundle_is_live_be_it_32_or_300() {
    for count in [32, 300] {
        let secret = |kid: u32| -> [u8; 32] { [&kid.to_be_bytes()[..], &[7; 28]].concat().try_into().unwrap() };
        let mut content = content(1);
        content.keys = (0..count).map(|kid| key(kid, &secret(kid))).collect();
        let mut gate = scene::gate_with(content);
        for kid in 0..=count {
            let mut card = Card::new(operator::spread(u64::from(kid)));
            (card.fields.kid, card.issuer_secret) = (kid, secret(kid));
            let decision = ask(
                &mut gate,
                &card.text(NOW_S, u16::try_from(kid).unwrap()),
                Direction::Entry,
                NOW_S,
            );
            assert_eq!(decision.opens(), kid < count, "kid {kid} of {count}");
        }
    }
}

#[test]
fn a_root_key_of_small_order_makes_no_gate() {
    let mut bad = post(LANE_ID);
    bad.root_key = [0; 32];
    assert!(Gate::new(bad, Capacities::default(), None).is_err());
}
