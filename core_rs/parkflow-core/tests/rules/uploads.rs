//! Reading of uploads: the vectors that Rust and Python share, bodies of strangers, and what must hold of every chain.

use std::collections::BTreeMap;

use crate::golden::{hex, json, rows, string};
use parkflow_core::upload::{chain_sha256, read_upload, Upload, UploadError, UploadRefusal, CHAIN_BEGIN};
use proptest::prelude::*;
use serde_json::{json, Value};

const SCANS_MAX: usize = 2_000;

fn refusal(body: &[u8], scans_max: usize) -> UploadError {
    read_upload(body, scans_max).expect_err("a refusal")
}

fn body_of(scans: &[Value], prev_hash: &[u8; 32]) -> Vec<u8> {
    let prev_hash = format!("{prev_hash:02x?}").replace(['[', ']', ',', ' '], "");
    let body = json!({
        "epoch": 1, "first_seq": scans[0]["seq"], "prev_hash": prev_hash, "bundle_version": 1, "scans": scans,
        "clock": {"gate_at": "2026-10-20T12:00:00Z", "last_sync_at": null, "offset_ms": 0},
    });
    serde_json::to_vec(&body).unwrap()
}

fn read(scans: &[Value]) -> Upload {
    read_upload(&body_of(scans, &CHAIN_BEGIN), SCANS_MAX).unwrap()
}

fn scan(seq: usize) -> Value {
    json!({
        "seq": seq, "at_ms": 1_792_497_600_000_i64, "lane": "a", "direction": "exit", "medium": "code", "code": "x",
        "verdict": "accepted", "manual": false, "flag": "risk",
    })
}

#[test]
fn each_golden_body_is_read_into_its_hashes() {
    let file = json("upload_v1.json");
    let scans_max = file["scans_max"].as_u64().unwrap().try_into().unwrap();
    for good in rows(&file["good"]) {
        let upload = read_upload(string(&good["body"]).as_bytes(), scans_max).expect("a golden body");
        let expected = rows(&good["scans"]);
        assert_eq!(upload.scans().len(), expected.len());
        assert_eq!(Some(upload.gate_at_ms), good["gate_at_ms"].as_i64());
        assert_eq!(upload.last_sync_ms, good["last_sync_ms"].as_i64());
        for (scan, expected) in upload.scans().iter().zip(expected) {
            assert_eq!(
                upload.canonical(scan),
                string(&expected["canonical"]),
                "{}",
                good["name"]
            );
            assert_eq!(scan.content_sha256.to_vec(), hex(&expected["content_sha256"]));
            assert_eq!(scan.chain_sha256.to_vec(), hex(&expected["chain_sha256"]));
        }
        assert_eq!(
            upload.last_hash().to_vec(),
            hex(&expected[expected.len() - 1]["chain_sha256"])
        );
    }
}

#[test]
fn each_golden_refusal_names_its_place() {
    let file = json("upload_v1.json");
    let scans_max = file["scans_max"].as_u64().unwrap().try_into().unwrap();
    for case in rows(&file["refused"]) {
        let body = case
            .get("body")
            .map_or_else(|| hex(&case["body_hex"]), |body| string(body).as_bytes().to_vec());
        let error = refusal(&body, scans_max);
        let told = (error.refusal.name(), error.place.as_str());
        assert_eq!(
            told,
            (string(&case["code"]), string(&case["place"])),
            "{}: {error}",
            case["name"]
        );
        let is_placed = error.message.starts_with(&format!("{}: ", error.place));
        assert!(is_placed || error.refusal != UploadRefusal::Malformed, "{error}");
    }
}

#[test]
fn instants_are_those_of_python() {
    for case in rows(&json("upload_v1.json")["instants"]) {
        let mut body: Value = serde_json::from_slice(&body_of(&[scan(1)], &CHAIN_BEGIN)).unwrap();
        body["clock"]["gate_at"] = case["text"].clone();
        let upload = read_upload(&serde_json::to_vec(&body).unwrap(), SCANS_MAX).unwrap();
        assert_eq!(Some(upload.gate_at_ms), case["unix_ms"].as_i64(), "{}", case["text"]);
    }
}

#[test]
fn hostile_bodies_are_refused_without_harm() {
    let mebibyte = 1 << 20;
    let good = String::from_utf8(body_of(&[scan(1)], &CHAIN_BEGIN)).unwrap();
    let many_scans = format!("[{}", "{},".repeat(mebibyte / 3));
    let bodies = [
        "[".repeat(mebibyte),
        "{\"scans\":".repeat(mebibyte / 9),
        good.replacen("\"seq\":1", &format!("\"seq\":{}", "[".repeat(mebibyte)), 1),
        good.replacen("\"seq\":1", &format!("\"seq\":{}", "1".repeat(mebibyte)), 1),
        good.replacen("\"seq\":1", &format!("\"seq\":1e{}", "9".repeat(mebibyte)), 1),
        good.replacen("\"seq\"", &format!("\"{}\"", "x".repeat(mebibyte)), 1),
        good.replacen("\"x\"", &format!("\"{}\"", "\\u0000".repeat(mebibyte / 6)), 1),
        good.replacen("\"x\"", &format!("\"{}", "\\\\".repeat(mebibyte / 2)), 1),
        good.replacen('[', &many_scans, 1),
        "\u{fffd}".repeat(mebibyte / 3),
        "\0".repeat(mebibyte),
        " ".repeat(mebibyte),
        "\"".repeat(mebibyte),
    ];
    for body in bodies {
        let error = refusal(body.as_bytes(), SCANS_MAX);
        assert_eq!(error.refusal, UploadRefusal::Malformed);
        assert!(
            error.message.len() < 1_000 && !error.message.contains(char::is_control),
            "{error}"
        );
    }
}

#[test]
fn more_scans_than_are_taken_are_not_read() {
    let mut scans: Vec<Value> = (1..=4).map(scan).collect();
    scans[3] = json!("not even a scan");
    let body = body_of(&scans, &CHAIN_BEGIN);
    assert_eq!(refusal(&body, 3).refusal, UploadRefusal::TooLarge);
    assert_eq!(refusal(&body, 4).refusal, UploadRefusal::Malformed);
    assert_eq!(
        refusal(&body_of(&[scan(1)], &CHAIN_BEGIN), 0).refusal,
        UploadRefusal::TooLarge
    );
}

#[test]
fn any_change_of_a_scan_changes_its_hash_and_the_chain_from_there_on() {
    let scans: Vec<Value> = (1..=3).map(scan).collect();
    let before = read(&scans);
    let changes: [(&str, Value); 10] = [
        ("at_ms", json!(1_792_497_600_001_i64)),
        ("lane", json!("b")),
        ("direction", json!("entry")),
        ("code", json!("y")),
        ("code", json!("x ")),
        ("verdict", json!("denied")),
        ("manual", json!(true)),
        ("manual", Value::Null),
        ("flag", json!("risks")),
        ("flag", Value::Null),
    ];
    for (name, value) in changes {
        let mut other = scans.clone();
        let members = other[1].as_object_mut().unwrap();
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.to_owned(), value),
        };
        let after = read(&other);
        for (place, (old, new)) in before.scans().iter().zip(after.scans()).enumerate() {
            assert_eq!(old.content_sha256 == new.content_sha256, place != 1, "{name}");
            assert_eq!(old.chain_sha256 == new.chain_sha256, place < 1, "{name}");
        }
    }
}

/// Any text, most of them with something that has to be escaped.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        proptest::collection::vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect()),
        proptest::collection::vec(
            prop_oneof![(0_u8..0x80).prop_map(char::from), Just('"'), Just('\\')],
            0..40
        )
        .prop_map(|chars| chars.into_iter().collect()),
    ]
}

prop_compose! {
    /// A scan with members that may be left out.
    fn scans_of_all_kinds()(
        at_ms in 0..=253_402_300_799_999_i64,
        lane in "[A-Za-z0-9._-]{1,64}",
        direction in prop_oneof![Just("entry"), Just("exit")],
        medium in prop_oneof![Just("code"), Just("plate"), Just("ticket"), Just("lift")],
        text in texts(),
        verdict in "[a-z][a-z0-9_]{0,39}",
        manual in any::<Option<bool>>(),
        lifted_by in proptest::option::of("[A-Za-z0-9._-]{1,64}"),
        flag in proptest::option::of("[a-z][a-z0-9_]{0,39}"),
    ) -> BTreeMap<&'static str, Value> {
        let mut scan = BTreeMap::from([
            ("at_ms", json!(at_ms)), ("lane", json!(lane)), ("direction", json!(direction)), ("verdict", json!(verdict)),
            ("medium", json!(medium)),
        ]);
        let is_lift = medium == "lift";
        let manual = if is_lift { Some(true) } else { manual };
        scan.extend(manual.map(|manual| ("manual", json!(manual))));
        let lifted_by = if is_lift { Some(lifted_by.unwrap_or("desk".to_owned())) } else { lifted_by };
        scan.extend(lifted_by.filter(|_| manual == Some(true)).map(|name| ("lifted_by", json!(name))));
        scan.extend(flag.map(|flag| ("flag", json!(flag))));
        if !is_lift {
            scan.insert(medium, json!(text));
        }
        scan
    }
}

/// One JSON text of a scan: members in some order, white space, and some letters written as escapes.
fn spelled(scan: &BTreeMap<&'static str, Value>, turn: usize, spaces: usize, escaped: bool) -> String {
    let mut members: Vec<String> = scan
        .iter()
        .map(|(name, value)| {
            let value = if escaped {
                value.to_string().replace('o', "\\u006f")
            } else {
                value.to_string()
            };
            let value = if matches!(scan[name], Value::String(_)) {
                value
            } else {
                scan[name].to_string()
            };
            let gap = " \n\t\r".repeat(spaces);
            format!("{gap}\"{name}\"{gap}:{gap}{value}{gap}")
        })
        .collect();
    let length = members.len();
    members.rotate_left(turn % length);
    format!("{{{}}}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_hash_is_that_of_the_content_however_it_was_spelled(
        scan in scans_of_all_kinds(), turn in 0..12_usize, spaces in 0..2_usize, escaped in any::<bool>(),
        seq in 1..=9_007_199_254_740_991_i64,
    ) {
        let mut scan = scan;
        scan.insert("seq", json!(seq));
        // RFC 8785 for what holds no fractions: sorted names, no spaces, the shortest escapes.
        let canonical = serde_json::to_string(&scan).unwrap();
        let text = spelled(&scan, turn, spaces, escaped);
        let body = String::from_utf8(body_of(&[json!({"seq": seq, "here": 1})], &CHAIN_BEGIN)).unwrap();
        let body = body.replace(&json!({"seq": seq, "here": 1}).to_string(), &text);
        let upload = read_upload(body.as_bytes(), 1).unwrap();
        let [read] = upload.scans() else { panic!("one scan") };
        prop_assert_eq!(upload.canonical(read), canonical);
        let medium = string(&scan["medium"]);
        prop_assert_eq!(upload.shown(read), scan.get(medium).map(string));
        prop_assert_eq!(upload.verdict(read), string(&scan["verdict"]));
        prop_assert_eq!(upload.lifted_by(read), scan.get("lifted_by").map(string));
        prop_assert_eq!(read.chain_sha256, chain_sha256(&CHAIN_BEGIN, &read.content_sha256));
    }

    #[test]
    fn a_batch_split_anywhere_has_the_same_hashes(
        scans in proptest::collection::vec(scans_of_all_kinds(), 2..8), first_seq in 1..1_000_000_i64, place in 1..7_usize,
    ) {
        let scans: Vec<Value> = (first_seq..).zip(scans).map(|(seq, mut scan)| {
            scan.insert("seq", json!(seq));
            json!(scan)
        }).collect();
        let whole = read(&scans);
        let (begin, end) = scans.split_at(place.min(scans.len() - 1));
        let begin = read(begin);
        let end = read_upload(&body_of(end, &begin.last_hash()), SCANS_MAX).unwrap();
        let hashes = |upload: &Upload| -> Vec<_> {
            upload.scans().iter().map(|scan| (scan.seq, scan.content_sha256, scan.chain_sha256)).collect()
        };
        prop_assert_eq!(hashes(&whole), [hashes(&begin), hashes(&end)].concat());
        prop_assert_eq!(end.prev_hash, begin.last_hash());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let error = refusal(&bytes, SCANS_MAX);
        prop_assert_eq!(error.refusal, UploadRefusal::Malformed);
        prop_assert!(error.message.len() < 1_000);
    }

    #[test]
    fn a_changed_byte_is_refused_or_is_another_content_or_no_content_at_all(
        scan in scans_of_all_kinds(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut scan = scan;
        scan.insert("seq", json!(1));
        let body = body_of(&[json!(scan)], &CHAIN_BEGIN);
        let mut changed = body.clone();
        let place = place.index(body.len());
        changed[place] = byte;
        let (before, after) = (read_upload(&body, 1).unwrap(), read_upload(&changed, 1));
        let Ok(after) = after else { return Ok(()) };
        // What JSON says is the same exactly if the hash is.
        let said = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["scans"][0].clone();
        let is_same = before.scans()[0].content_sha256 == after.scans()[0].content_sha256;
        prop_assert_eq!(is_same, said(&body) == said(&changed));
    }
}
