//! Judging of uploads: codes by the keys and rules of their own gate, all in one batch, and what counts as a passage.

use core::num::NonZeroUsize;

use crate::golden::{coefficients, json, rows, string};
use parkflow_core::bundle::{ExitDenied, LaneDirection};
use parkflow_core::code::{
    encode_code, issue_credential, make_code, seal_subject, verify_codes, verify_shown_codes, CredentialCache,
    CredentialFields, IssuerKey, KeySet, Policy, Reason, ShownCode, SubjectKeys,
};
use parkflow_core::ed25519::public_key;
use parkflow_core::upload::{judge_uploads, read_upload, Judgement, Post, ScanResult, Upload};
use serde_json::{json, Value};

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const KID: u32 = 9;
const NOON_S: u32 = 1_792_497_600;
const NOON_MS: i64 = 1_792_497_600_000;
const SUBJECT_KEY: [u8; 16] = [7; 16];

/// An operator with one issuer key; two of them have given it the same number.
struct Operator {
    secret: [u8; 32],
    keys: KeySet,
    policy: Policy,
    subject_keys: SubjectKeys,
}

impl Operator {
    fn new(secret: [u8; 32]) -> Self {
        let key = IssuerKey::new(KID, &public_key(&secret), 1, None, 0..i64::MAX);
        Self {
            secret,
            keys: KeySet::new(key).expect("one kid"),
            policy: Policy::default(),
            subject_keys: SubjectKeys::new([(KID, SUBJECT_KEY)]),
        }
    }

    fn code(&self, card_id: u64, serial: u64) -> String {
        let code_secret = [u8::try_from(card_id % 251).unwrap(); 32];
        let fields = CredentialFields {
            kid: KID,
            subject: seal_subject(&SUBJECT_KEY, card_id, serial),
            code_key: public_key(&code_secret),
            not_before_s: NOON_S - 60,
            lifetime_minutes: 60,
            product: 1,
            ceiling: 0,
        };
        let credential = issue_credential(&self.secret, &fields).expect("good fields").encode();
        encode_code(&make_code(&credential, &code_secret, NOON_S, 1).expect("its secret"))
    }

    fn post(&self, lane_direction: LaneDirection, exit_denied: ExitDenied) -> Post<'_> {
        Post {
            keys: &self.keys,
            policy: &self.policy,
            subject_keys: &self.subject_keys,
            lane_direction,
            exit_denied,
        }
    }

    fn usual_post(&self) -> Post<'_> {
        self.post(LaneDirection::Both, ExitDenied::Accept)
    }
}

/// An upload of these scans; what they do not say is usual.
fn upload(scans: &[Value]) -> Upload {
    let numbered: Vec<Value> = (1..)
        .zip(scans)
        .map(|(seq, scan)| {
            let mut whole = json!({
                "seq": seq, "at_ms": NOON_MS, "lane": "a", "direction": "entry", "medium": "code", "verdict": "accepted",
            });
            for (name, value) in scan.as_object().expect("members") {
                whole[name] = value.clone();
            }
            whole
        })
        .collect();
    let body = json!({
        "epoch": 1, "first_seq": 1, "prev_hash": "0".repeat(64), "bundle_version": 1, "scans": numbered,
        "clock": {"gate_at": "2026-10-20T12:00:00Z", "offset_ms": 0},
    });
    read_upload(&serde_json::to_vec(&body).unwrap(), 2_000).unwrap()
}

fn judge<'a>(uploads: &[(&'a Upload, Post<'a>)]) -> Judgement<'a> {
    judge_uploads(uploads, NOON_MS, None, ONE, &mut coefficients(1))
}

fn results<'a>(judgement: &Judgement<'a>) -> Vec<ScanResult<'a>> {
    judgement.scans.iter().map(|scan| scan.result).collect()
}

#[test]
fn a_code_counts_only_where_it_went_through() {
    use ScanResult::{Accepted, Rejected, Replayed};
    let operator = Operator::new([1; 32]);
    let code = operator.code(5, 6);
    let ahead = |ms: i64| json!({"code": "x", "at_ms": NOON_MS + ms});
    let table = [
        (json!({"code": code}), Accepted),
        (json!({"code": code, "verdict": "denied"}), Rejected("denied")),
        (
            json!({"code": code, "verdict": "denied", "direction": "exit"}),
            Accepted,
        ),
        (json!({"code": code, "verdict": "no_bundle"}), Rejected("no_bundle")),
        (
            json!({"code": code, "verdict": "no_bundle", "manual": false}),
            Rejected("no_bundle"),
        ),
        (json!({"code": code, "verdict": "no_bundle", "manual": true}), Accepted),
        (json!({"code": code, "verdict": "replayed"}), Replayed),
        (json!({"code": code, "verdict": "replayed", "manual": true}), Accepted),
        (
            json!({"code": code, "at_ms": NOON_MS + 60_999}),
            Rejected("scan_from_future"),
        ),
        (
            json!({"code": code, "at_ms": NOON_MS - 31_000}),
            Rejected("code_from_future"),
        ),
        (
            json!({"code": format!("{code}0"), "manual": true}),
            Rejected("bad_base45"),
        ),
        (
            json!({"code": format!("{code}0"), "verdict": "replayed"}),
            Rejected("bad_base45"),
        ),
        (ahead(60_000), Rejected("bad_prefix")),
        (ahead(60_001), Rejected("scan_from_future")),
        (json!({"medium": "plate", "plate": "A 1"}), Accepted),
        (
            json!({"medium": "plate", "plate": "A 1", "verdict": "no_code"}),
            Rejected("no_code"),
        ),
        (
            json!({"medium": "plate", "plate": "A 1", "verdict": "replayed"}),
            Rejected("replayed"),
        ),
        (
            json!({"medium": "ticket", "ticket": "7", "verdict": "no_code", "manual": true}),
            Accepted,
        ),
        (
            json!({"medium": "ticket", "ticket": "7", "verdict": "denied", "direction": "exit"}),
            Rejected("denied"),
        ),
        (
            json!({"medium": "ticket", "ticket": "7", "at_ms": NOON_MS + 60_001}),
            Rejected("scan_from_future"),
        ),
        (
            json!({"medium": "lift", "verdict": "no_code", "manual": true, "lifted_by": "desk"}),
            Accepted,
        ),
    ];
    for (scan, expected) in table {
        let upload = upload(core::slice::from_ref(&scan));
        let judgement = judge(&[(&upload, operator.usual_post())]);
        assert_eq!(results(&judgement), [expected], "{scan}");
        let is_code = scan.get("code").is_some();
        let is_through = expected == Accepted;
        assert_eq!(judgement.sightings.len(), usize::from(is_through && !is_code), "{scan}");
        assert_eq!(
            judgement.passages.len(),
            usize::from((is_through || expected == Replayed) && is_code),
            "{scan}"
        );
    }
}

#[test]
fn a_lane_lets_through_only_what_it_leads_to_and_a_lot_may_keep_denied_cards_in() {
    let operator = Operator::new([1; 32]);
    let scans = upload(&[
        json!({"code": operator.code(5, 6), "verdict": "denied", "direction": "exit"}),
        json!({"medium": "plate", "plate": "A 1"}),
    ]);
    let of = |lane, denied| results(&judge(&[(&scans, operator.post(lane, denied))]));
    let wrong = ScanResult::Rejected("wrong_direction");
    let denied = ScanResult::Rejected("denied");
    assert_eq!(
        of(LaneDirection::Exit, ExitDenied::Accept),
        [ScanResult::Accepted, wrong]
    );
    assert_eq!(of(LaneDirection::Exit, ExitDenied::Pay), [denied, wrong]);
    assert_eq!(
        of(LaneDirection::Entry, ExitDenied::Accept),
        [wrong, ScanResult::Accepted]
    );
}

#[test]
fn passages_say_whose_they_are_and_seals_of_nobody_are_named() {
    let operator = Operator::new([1; 32]);
    let card_id = (1_023 << 53) + 77;
    let scans = upload(&[
        json!({"medium": "plate", "plate": "A\u{0}1"}),
        json!({"code": operator.code(card_id, 6)}),
        json!({"code": operator.code(1 << 63, 6)}),
        json!({"code": operator.code(5, 1 << 63), "verdict": "no_bundle"}),
        json!({"medium": "lift", "verdict": "no_code", "manual": true, "lifted_by": "desk"}),
    ]);
    let judgement = judge(&[(&scans, operator.usual_post())]);
    let [passage] = judgement.passages[..] else {
        panic!("one passage")
    };
    assert_eq!(
        (passage.row, passage.bucket, passage.card_id, passage.serial),
        (1, 1_023, card_id, 6)
    );
    assert_eq!(judgement.unopened, [2, 3]);
    let seen: Vec<_> = judgement
        .sightings
        .iter()
        .map(|seen| (seen.row, seen.text.as_deref(), seen.lifted_by))
        .collect();
    assert_eq!(seen, [(0, Some("A\u{fffd}1"), None), (4, None, Some("desk"))]);
    let stranger = Post {
        subject_keys: &SubjectKeys::default(),
        ..operator.usual_post()
    };
    assert_eq!(judge(&[(&scans, stranger)]).unopened, [1, 2, 3]);
}

#[test]
fn evidence_is_short_without_nul_and_keeps_no_plate() {
    let file = json("upload_v1.json");
    let operator = Operator::new([1; 32]);
    for good in rows(&file["good"]) {
        let upload = read_upload(string(&good["body"]).as_bytes(), 8).unwrap();
        let judgement = judge(&[(&upload, operator.usual_post())]);
        for (judged, expected) in judgement.scans.iter().zip(rows(&good["scans"])) {
            assert_eq!(judged.content, string(&expected["evidence"]));
        }
    }
}

/// Uploads of two operators whose keys bear the same number, each showing codes of both, good ones and bad ones.
fn mixed_uploads(operators: &[Operator; 2]) -> Vec<Upload> {
    (0..6)
        .map(|number| {
            let scans: Vec<Value> = (0..12)
                .map(|place| match place % 4 {
                    0 => json!({"code": operators[0].code(number * 100 + place, 1)}),
                    1 => json!({"code": operators[1].code(number * 100 + place, 1), "verdict": "replayed"}),
                    2 => json!({"medium": "ticket", "ticket": "7"}),
                    _ => {
                        let code = operators[0].code(number * 100 + place, 1);
                        json!({"code": code.replacen(&code[270..271], if &code[270..271] == "A" { "B" } else { "A" }, 1)})
                    }
                })
                .collect();
            upload(&scans)
        })
        .collect()
}

#[test]
fn many_uploads_in_one_call_are_judged_like_each_alone() {
    let operators = [Operator::new([1; 32]), Operator::new([2; 32])];
    let uploads = mixed_uploads(&operators);
    let posted: Vec<_> = uploads
        .iter()
        .enumerate()
        .map(|(number, upload)| (upload, operators[number % 2].usual_post()))
        .collect();
    let alone: Vec<_> = posted.iter().map(|one| judge(core::slice::from_ref(one))).collect();
    let cache = CredentialCache::new(1_000);
    for (threads, verified) in [(1, None), (2, None), (1, Some(&cache)), (2, Some(&cache))] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let together = judge_uploads(&posted, NOON_MS, verified, threads, &mut coefficients(3));
        assert_eq!(results(&together), alone.iter().flat_map(results).collect::<Vec<_>>());
        let numbers: Vec<_> = together.scans.iter().map(|scan| scan.upload).collect();
        assert_eq!(numbers, (0..6).flat_map(|number| [number; 12]).collect::<Vec<_>>());
        let begun = (0..).step_by(12);
        let moved: Vec<_> = begun
            .zip(&alone)
            .flat_map(|(begin, one)| {
                one.passages
                    .iter()
                    .map(move |passage| (passage.row + begin, passage.code_id))
            })
            .collect();
        let passages: Vec<_> = together
            .passages
            .iter()
            .map(|passage| (passage.row, passage.code_id))
            .collect();
        assert_eq!(passages, moved);
        assert!(!passages.is_empty());
    }
}

#[test]
fn codes_of_several_places_are_each_checked_by_their_own_keys() {
    let operators = [Operator::new([1; 32]), Operator::new([2; 32])];
    let texts: Vec<String> = (0..40)
        .map(|number| operators[usize::from(number % 3 == 0)].code(number, 1))
        .collect();
    let at_s = i64::from(NOON_S);
    let shown: Vec<_> = (0..)
        .zip(&texts)
        .map(|(number, text)| ShownCode {
            text: text.as_bytes(),
            at_s,
            keys: &operators[number % 2].keys,
            policy: &operators[number % 2].policy,
        })
        .collect();
    let mixed = verify_shown_codes(&shown, None, ONE, &mut coefficients(4));
    let scans: Vec<_> = texts.iter().map(|text| (text.as_bytes(), at_s)).collect();
    let [here, there] = [0, 1].map(|place: usize| {
        verify_codes(
            &scans,
            &operators[place].keys,
            &operators[place].policy,
            ONE,
            &mut coefficients(5),
        )
    });
    for (number, verdict) in mixed.iter().enumerate() {
        assert_eq!(verdict, if number % 2 == 0 { &here[number] } else { &there[number] });
    }
    let accepted = mixed
        .iter()
        .filter(|verdict| verdict.reason == Reason::Accepted)
        .count();
    assert_eq!((accepted, mixed.len()), (20, 40));
}
