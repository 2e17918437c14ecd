//! The vectors that Rust and Python share: codes, Ed25519 under PF-1, Base45.

use core::num::NonZeroUsize;
use std::collections::HashSet;

use crate::golden::signatures::{sign_input, speccheck, wycheproof};
use crate::golden::{coefficients, hex, hex_exact, json, number, rows, string};
use parkflow_core::code::{
    decode_base45, decode_code, encode_base45, encode_code, issue_credential, make_code, open_subject, seal_subject,
    verify_code, verify_codes, CredentialFields, IssuerKey, KeySet, Policy, Reason, ReplayCache, ReplayMemory,
};
use parkflow_core::ed25519::{public_key, sign, verify, verify_equations, Purpose, VerifyingKey};
use serde_json::Value;

#[test]
fn published_signatures_get_the_bits_of_pf1_singly_and_in_a_batch() {
    let mut triples = wycheproof();
    triples.extend(speccheck("rule_p"));
    triples.extend(sign_input().into_iter().map(|(_, triple)| triple));
    assert_eq!(triples.len(), 151 + 12 + 128);
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    for triple in &triples {
        let single =
            VerifyingKey::enrol(&triple.key).is_ok_and(|key| verify(&key, &[&triple.message], &triple.signature));
        assert_eq!(single, triple.valid, "{}", triple.name);
        batch.extend(triple.equation());
        expected.extend(triple.equation().map(|_| triple.valid));
    }
    assert!(expected.contains(&false), "some bad ones must reach the batch");
    for seed in 0..8 {
        assert_eq!(verify_equations(&batch, &mut coefficients(seed)), expected);
    }
}

#[test]
fn signing_is_rfc_8032_byte_for_byte() {
    for row in rows(&json("vectors/rfc8032_section7_1.json")) {
        let secret = hex_exact(&row["sk"]);
        assert_eq!(public_key(&secret).to_vec(), hex(&row["pk"]));
        assert_eq!(sign(&secret, &hex(&row["msg"])).to_vec(), hex(&row["sig"]));
    }
    for (secret, triple) in sign_input() {
        let secret = secret.try_into().expect("32 bytes");
        assert_eq!(public_key(&secret).to_vec(), triple.key);
        assert_eq!(sign(&secret, &triple.message).to_vec(), triple.signature);
    }
}

#[test]
fn base45_is_strict() {
    let file = json("vectors/base45_rfc9285.json");
    for row in rows(&file["rfc_examples"]) {
        assert_eq!(encode_base45(string(&row["utf8"]).as_bytes()), string(&row["base45"]));
    }
    for row in rows(&file["roundtrip"]).iter().chain(rows(&file["boundary_valid"])) {
        assert_eq!(encode_base45(&hex(&row["hex"])), string(&row["base45"]));
        assert_eq!(decode_base45(string(&row["base45"]).as_bytes()), Ok(hex(&row["hex"])));
    }
    for row in rows(&file["must_reject"]) {
        assert!(decode_base45(string(&row["base45"]).as_bytes()).is_err(), "{row}");
    }
}

fn golden_fields(file: &Value) -> CredentialFields {
    let fields = &file["fields"];
    CredentialFields {
        kid: number(&fields["kid"]),
        subject: hex_exact(&fields["subject"]),
        code_key: hex_exact(&fields["code_key"]),
        not_before_s: number(&fields["not_before_s"]),
        lifetime_minutes: number(&fields["lifetime_minutes"]),
        product: number(&fields["product"]),
        ceiling: number(&fields["ceiling"]),
    }
}

fn golden_keys(file: &Value) -> KeySet {
    let window_s = number(&file["issuer_window_s"][0])..number(&file["issuer_window_s"][1]);
    let (kid, product) = (number(&file["fields"]["kid"]), number(&file["issuer_product"]));
    let key = IssuerKey::new(kid, &hex(&file["issuer_public_key"]), 1, Some(product), window_s);
    KeySet::new(key).expect("one kid")
}

fn golden_policy(case: &Value) -> Policy {
    let product = case["product"]
        .as_i64()
        .map(|product| u8::try_from(product).expect("a product"));
    let fee_due_units = case["fee_due_units"]
        .as_i64()
        .map(|fee| u32::try_from(fee).expect("a fee"));
    Policy {
        product,
        fee_due_units,
        ..Policy::default()
    }
}

#[test]
fn a_code_is_made_byte_for_byte_and_read_back() {
    let file = json("code_v1.json");
    let fields = golden_fields(&file);
    let (card_id, serial) = (number(&file["card_id"]), number(&file["serial"]));
    let subject_key = hex_exact(&file["subject_key"]);
    assert_eq!(seal_subject(&subject_key, card_id, serial), fields.subject);
    assert_eq!(open_subject(&subject_key, &fields.subject), (card_id, serial));

    let credential = issue_credential(&hex_exact(&file["issuer_secret"]), &fields)
        .expect("good fields")
        .encode();
    assert_eq!(credential, hex(&file["credential"]));
    let (issued_at_s, nonce) = (number(&file["issued_at_s"]), number(&file["nonce"]));
    let code = make_code(&credential, &hex_exact(&file["code_secret"]), issued_at_s, nonce).expect("its secret");
    assert_eq!(code.encode().to_vec(), hex(&file["code"]));
    assert_eq!(encode_code(&code), string(&file["text"]));
    assert_eq!(code.code_id().to_vec(), hex(&file["code_id"]));
    assert_eq!(decode_code(string(&file["text"]).as_bytes()), Ok(code));
}

#[test]
fn each_case_gets_its_reason_singly_and_in_a_batch() {
    let file = json("code_v1.json");
    let keys = golden_keys(&file);
    for case in rows(&file["cases"]) {
        let (shown, now_s) = (string(&case["text"]).as_bytes(), number(&case["now_s"]));
        let policy = golden_policy(case);
        let mut deny = HashSet::new();
        if case["denied"] == true {
            deny.insert(hex_exact(&file["fields"]["subject"]));
        }
        let mut replay = ReplayCache::new(4);
        if case["seen"] == true {
            replay.remember(hex_exact(&file["code_id"]), now_s);
        }
        let verdict = verify_code(shown, now_s, &keys, &policy, &deny, &mut replay);
        assert_eq!(verdict.reason.name(), string(&case["reason"]), "{}", case["name"]);
        if !matches!(verdict.reason, Reason::Denied | Reason::Replayed) {
            let batch = verify_codes(
                &[(shown, now_s)],
                &keys,
                &policy,
                NonZeroUsize::MIN,
                &mut coefficients(1),
            );
            assert_eq!(batch, [verdict]);
        }
    }
}

#[test]
fn messages_are_signed_behind_the_prefix_of_their_purpose() {
    let file = json("code_v1.json");
    let secret = hex_exact(&file["issuer_secret"]);
    let key = VerifyingKey::enrol(&public_key(&secret)).expect("an honest key");
    for purpose in Purpose::ALL {
        let signature = purpose.sign(&secret, b"message");
        assert_eq!(signature.to_vec(), hex(&file["message_signatures"][purpose.name()]));
        for other in Purpose::ALL {
            assert_eq!(other.verify(&key, b"message", &signature), other == purpose);
        }
    }
}
