//! Uploads: any bytes, good bodies cut and changed, and bodies put together from good and bad values.
//!
//! What is taken has the hashes that a second reading of the JSON gives, and is taken again in its canonical form; a body
//! of chosen values is taken exactly if each value is good and they go together.
#![cfg_attr(fuzzing, no_main)]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a finding is a panic"
)]

use core::num::NonZeroUsize;
use std::fmt::Write as _;

use parkflow_core::bundle::{ExitDenied, LaneDirection};
use parkflow_core::code::{KeySet, Policy, SubjectKeys};
use parkflow_core::upload::{judge_uploads, read_upload, Post, Upload, UploadError, UploadRefusal};
use parkflow_fuzz::{coefficients, Choices};
use serde_json::Value;
use sha2::{Digest, Sha256};

parkflow_fuzz::target!(check, seeds);

const SCANS_MAX: usize = 3;
const CHANGES_MAX: usize = 16;
const NOW_MS: i64 = 1_792_497_600_000;

/// Each kind of scan, with texts that have to be escaped and some that need not be.
const GOOD: &str = r#"{"epoch": 1, "first_seq": 7, "prev_hash":
"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "bundle_version": 9,
"clock": {"gate_at": "2026-10-20T12:00:00.25+08:00", "last_sync_at": null, "offset_ms": -5}, "scans": [
{"seq": 7, "at_ms": 1792497600000, "lane": "a", "direction": "entry", "medium": "code", "code": "PF1:\"\\\u0000", "verdict": "accepted"},
{"seq": 8, "at_ms": 1792497600001, "lane": "b", "direction": "exit", "medium": "plate", "plate": "沪A 1", "verdict": "no_code", "manual": true},
{"seq": 9, "at_ms": 1792497660001, "lane": "c", "direction": "exit", "medium": "lift", "verdict": "x", "manual": true, "lifted_by": "d", "flag": "risk"}]}"#;

/// Pieces that a search by letters would take long to find.
const PIECES: [&str; 16] = [
    "null",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "\\u006c",
    "1e9",
    "-0",
    "\"seq\":",
    "\"ticket\":",
    "{\"",
    "\"}",
    "[[",
    "\u{0}",
    "9007199254740992",
    "é",
];

/// The JSON of a value, and whether it is a good one.
type Choice = (&'static str, bool);

const INSTANTS: [Choice; 6] = [
    ("\"2026-10-20T12:00:00Z\"", true),
    ("\"0001-01-01T00:00:00.0000000-00:00\"", true),
    ("\"2026-10-20T12:00:00\"", false),
    ("\"2026-02-29T12:00:00Z\"", false),
    ("1792497600", false),
    ("null", false),
];
const NUMBERS: [Choice; 8] = [
    ("1", true),
    ("0", true),
    ("9007199254740991", true),
    ("9223372036854775808", false),
    ("-1", false),
    ("1.0", false),
    ("\"1\"", false),
    ("null", false),
];
const AT_MS: [Choice; 6] = [
    ("1792497600000", true),
    ("253402300799999", true),
    ("253402300800000", false),
    ("-1", false),
    ("1e3", false),
    ("[]", false),
];
const NAMES: [Choice; 7] = [
    ("\"a\"", true),
    ("\"A.z_9-\"", true),
    ("\"\\u0061\"", true),
    ("\"\"", false),
    ("\"a b\"", false),
    ("\"a\\n\"", false),
    ("null", false),
];
const WORDS: [Choice; 7] = [
    ("\"accepted\"", true),
    ("\"denied\"", true),
    ("\"replayed\"", true),
    ("\"x_\"", true),
    ("\"_x\"", false),
    ("\"X\"", false),
    ("{}", false),
];
const TEXTS: [Choice; 6] = [
    ("\"PF1:ABC\"", true),
    ("\"\"", true),
    ("\"\\u0000\\\"\\\\/\\/\\t\\u001f\\ud83d\\ude00\"", true),
    ("\"\\ud83d\"", false),
    ("7", false),
    ("null", false),
];
const BOOLEANS: [Choice; 4] = [("true", true), ("false", true), ("null", false), ("1", false)];
const DIRECTIONS: [Choice; 4] = [
    ("\"entry\"", true),
    ("\"exit\"", true),
    ("\"both\"", false),
    ("{\"entry\":null}", false),
];
const MEDIA: [&str; 4] = ["code", "plate", "ticket", "lift"];

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    match choices.byte() % 3 {
        0 => drop(check_body(choices.0)),
        1 => drop(check_body(&changed(&mut choices))),
        _ => {
            let (body, is_good) = chosen(&mut choices);
            assert_eq!(check_body(body.as_bytes()).is_ok(), is_good, "{body}");
        }
    }
}

fn check_body(body: &[u8]) -> Result<Upload, UploadError> {
    let read = read_upload(body, SCANS_MAX);
    match &read {
        Err(error) => {
            assert!(
                error.message.len() < 2_000 && !error.message.contains(char::is_control),
                "{error}"
            );
            let is_placed = error.message.starts_with(&format!("{}: ", error.place));
            assert!(is_placed || error.refusal != UploadRefusal::Malformed, "{error}");
        }
        Ok(upload) => {
            check_upload(upload, body);
            check_judgement(upload);
        }
    }
    read
}

/// Another reader finds the same, and the canonical form of what was read is the same upload.
fn check_upload(upload: &Upload, body: &[u8]) {
    let said: Value = serde_json::from_slice(body).expect("it was taken for JSON");
    assert_eq!(said["epoch"].as_i64(), Some(upload.epoch));
    assert_eq!(said["clock"]["offset_ms"].as_i64(), Some(upload.offset_ms));
    let scans = said["scans"].as_array().expect("scans");
    assert_eq!(upload.scans().len(), scans.len());
    let mut chain = upload.prev_hash;
    for ((scan, said), seq) in upload.scans().iter().zip(scans).zip(upload.first_seq..) {
        // Its maps are sorted by name, and it writes the shortest escapes.
        let canonical = said.to_string();
        assert_eq!(upload.canonical(scan), canonical);
        assert_eq!(scan.content_sha256[..], Sha256::digest(&canonical)[..]);
        chain = Sha256::new_with_prefix(chain)
            .chain_update(scan.content_sha256)
            .finalize()
            .into();
        assert_eq!((scan.chain_sha256, scan.seq), (chain, seq));
        assert_eq!(upload.shown(scan), said[scan.medium.name()].as_str());
        assert_eq!(Some(upload.verdict(scan)), said["verdict"].as_str());
        assert_eq!(upload.lifted_by(scan), said["lifted_by"].as_str());
    }
    let again = read_upload(said.to_string().as_bytes(), SCANS_MAX).expect("its canonical form");
    assert_eq!(again.last_hash(), upload.last_hash());
}

fn check_judgement(upload: &Upload) {
    let keys = KeySet::new([]).expect("no key twice");
    let post = Post {
        keys: &keys,
        policy: &Policy::default(),
        subject_keys: &SubjectKeys::default(),
        lane_direction: LaneDirection::Both,
        exit_denied: ExitDenied::Accept,
    };
    let judged = judge_uploads(&[(upload, post)], NOW_MS, None, NonZeroUsize::MIN, &mut coefficients(1));
    assert_eq!(judged.scans.len(), upload.scans().len());
    assert!(judged.passages.is_empty() && judged.unopened.is_empty());
    for judged in &judged.scans {
        let mut kept: Value = serde_json::from_str(&judged.content).expect("evidence is JSON");
        let mut said: Value = serde_json::from_str(upload.canonical(judged.scan)).expect("canonical JSON");
        for evidence in [&mut kept, &mut said] {
            let members = evidence.as_object_mut().expect("an object");
            members.retain(|name, _| !matches!(name.as_str(), "plate" | "ticket"));
        }
        if let (Value::String(kept), Value::String(said)) = (kept["code"].take(), said["code"].take()) {
            let expected: String = said
                .chars()
                .take(400)
                .map(|char| if char == '\0' { '\u{fffd}' } else { char })
                .collect();
            assert_eq!(kept, expected);
        }
        assert_eq!(kept, said);
    }
}

/// A good body after some changes of its bytes.
fn changed(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut body = GOOD.as_bytes().to_vec();
    for _ in 0..CHANGES_MAX {
        if choices.is_empty() {
            break;
        }
        let kind = choices.byte();
        let place = usize::from(u16::from_be_bytes(choices.array())) % (body.len() + 1);
        let end = (place + usize::from(choices.byte() % 64)).min(body.len());
        match kind % 4 {
            0 => body.truncate(place),
            1 => drop(body.drain(place..end)),
            2 => drop(body.splice(place..end, choices.one_of(&PIECES).bytes())),
            _ => {
                let part = body[place..end].to_vec();
                let begin = usize::from(u16::from_be_bytes(choices.array())) % (body.len() + 1);
                body.splice(begin..begin, part);
            }
        }
    }
    body
}

/// A body of chosen values, mostly good ones, and whether it is an upload.
fn chosen(choices: &mut Choices<'_>) -> (String, bool) {
    let mut is_good = true;
    let mut choose = |choices: &mut Choices<'_>, values: &[Choice]| {
        let (value, is_taken) = *choices.one_of(values);
        is_good &= is_taken;
        value
    };
    let epoch = choose(choices, &NUMBERS);
    let bundle_version = choose(choices, &NUMBERS);
    let gate_at = choose(choices, &INSTANTS);
    let offset_ms = choose(
        choices,
        &[
            ("-5", true),
            ("9223372036854775807", true),
            ("5.5", false),
            ("-0", false),
        ],
    );
    let mut scans = String::new();
    let count = usize::from(choices.byte()) % (SCANS_MAX + 2);
    for seq in 1..=count {
        let (scan, is_scan) = chosen_scan(choices, seq);
        is_good &= is_scan;
        let _ = write!(scans, "{}{scan}", if seq == 1 { "" } else { "," });
    }
    is_good &= (1..=SCANS_MAX).contains(&count);
    let prev_hash = "0".repeat(64);
    let body = format!(
        r#"{{"scans":[{scans}],"epoch":{epoch},"first_seq":1,"prev_hash":"{prev_hash}","bundle_version":{bundle_version},"clock":{{"offset_ms":{offset_ms},"gate_at":{gate_at}}}}}"#
    );
    (body, is_good)
}

fn chosen_scan(choices: &mut Choices<'_>, seq: usize) -> (String, bool) {
    let medium = *choices.one_of(&MEDIA);
    let mut is_good = true;
    let mut scan = format!("{{\"medium\":\"{medium}\"");
    let mut member = |choices: &mut Choices<'_>, name: &str, values: &[Choice]| {
        let (value, is_taken) = *choices.one_of(values);
        is_good &= is_taken;
        let _ = write!(scan, ",\"{name}\":{value}");
        value
    };
    member(choices, "at_ms", &AT_MS);
    member(choices, "lane", &NAMES);
    member(choices, "direction", &DIRECTIONS);
    member(choices, "verdict", &WORDS);
    // Mostly what belongs to a scan of this medium is there, and what does not is not.
    let given = choices.byte();
    let is_lift = medium == "lift";
    let mut shown = 0;
    for (bit, name) in [(1, "code"), (2, "plate"), (4, "ticket")] {
        if (given & bit == 0) == (name == medium) {
            member(choices, name, &TEXTS);
            shown += if name == medium { 1 } else { 2 };
        }
    }
    let manual = ((given & 8 != 0) != is_lift).then(|| member(choices, "manual", &BOOLEANS));
    let is_named = (given & 16 != 0) != is_lift;
    if is_named {
        member(choices, "lifted_by", &NAMES);
    }
    if given & 32 != 0 {
        member(choices, "flag", &WORDS);
    }
    let is_manual = manual == Some("true");
    is_good &= (!is_lift || is_named) && (!is_named || is_manual) && shown == usize::from(!is_lift);
    let wrong_seq = given & 64 != 0 && given & 128 != 0;
    is_good &= !wrong_seq;
    let _ = write!(scan, ",\"seq\":{}}}", if wrong_seq { seq + 1 } else { seq });
    (scan, is_good)
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&[0], GOOD.as_bytes()].concat(), vec![1]];
    for place in (0..GOOD.len()).step_by(97) {
        let [high, low] = u16::try_from(place).expect("small").to_be_bytes();
        for kind in 0..4 {
            seeds.push(vec![1, kind, high, low, 9, kind, high]);
        }
    }
    for medium in 0..4 {
        for given in [0, 8, 8 | 16, 32, 1, 2, 4, 192] {
            seeds.push(vec![2, 0, 0, 0, 0, 1, medium, 0, 0, 0, 0, given]);
            seeds.push(vec![
                2, 0, 0, 0, 0, 2, medium, 0, 0, 0, 1, given, 2, 0, 0, 0, medium, 1, 2, 1, 2, given,
            ]);
        }
    }
    seeds
}
