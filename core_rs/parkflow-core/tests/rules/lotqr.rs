//! Signed lot QRs: the vectors that Rust and Python share, and what must hold for every text.

use crate::golden::{hex, hex_exact, json, number, rows, string};
use parkflow_core::ed25519::{public_key, Purpose, VerifyingKey};
use parkflow_core::lotqr::{
    read_lot_qr, sign_lot_qr, verify_lot_qr, LotQr, LotQrFields, LotQrPurpose, LotQrRefusal, LOT_QR_BYTES,
    LOT_QR_CHARS, TEXT_BYTES_MAX,
};
use proptest::prelude::*;
use serde_json::Value;

const ROOT_SECRET: [u8; 32] = [1; 32];
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn root_key() -> VerifyingKey {
    VerifyingKey::enrol(&public_key(&ROOT_SECRET)).expect("an honest key")
}

fn fields_of(value: &Value) -> LotQrFields {
    LotQrFields {
        operator_id: number(&value["operator_id"]),
        lot_id: number(&value["lot_id"]),
        lane_id: number(&value["lane_id"]),
        purpose: LotQrPurpose::from_name(string(&value["purpose"])).expect("a purpose"),
        issued_at_s: number(&value["issued_at_s"]),
    }
}

fn some_fields() -> LotQrFields {
    LotQrFields {
        operator_id: 1,
        lot_id: 2,
        lane_id: 3,
        purpose: LotQrPurpose::Entry,
        issued_at_s: 1_792_497_600,
    }
}

/// The text of bytes by the definition of RFC 4648: five bits a character, zeros behind the last.
fn base32(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1))
        .collect();
    let digit = |group: &[u8]| (0..5).fold(0, |value, place| value << 1 | group.get(place).copied().unwrap_or(0));
    bits.chunks(5)
        .map(|group| char::from(ALPHABET[usize::from(digit(group))]))
        .collect()
}

#[test]
fn the_golden_lot_qrs_are_made_byte_for_byte() {
    let file = json("lotqr_v1.json");
    let secret = hex_exact(&file["root_secret"]);
    assert_eq!(public_key(&secret).to_vec(), hex(&file["root_public_key"]));
    for good in rows(&file["good"]) {
        let fields = fields_of(&good["fields"]);
        let text = sign_lot_qr(&secret, &fields);
        assert_eq!(text, string(&good["text"]));
        let read = read_lot_qr(text.as_bytes()).expect("a lot QR");
        assert_eq!((read.fields, read.encode()), (fields, hex(&good["bytes"])));
    }
}

#[test]
fn each_golden_text_gets_its_answer() {
    let file = json("lotqr_v1.json");
    let key = VerifyingKey::enrol(&hex(&file["root_public_key"])).expect("an honest key");
    for case in rows(&file["cases"]) {
        let answer = verify_lot_qr(string(&case["text"]).as_bytes(), &key).map_or_else(LotQrRefusal::name, |_| "good");
        assert_eq!(answer, string(&case["answer"]), "{}", case["name"]);
    }
}

#[test]
fn every_refusal_has_a_golden_text() {
    let file = json("lotqr_v1.json");
    for refusal in LotQrRefusal::ALL {
        let named = |case: &Value| string(&case["answer"]) == refusal.name();
        assert!(rows(&file["cases"]).iter().any(named), "{}", refusal.name());
    }
}

#[test]
fn bytes_signed_for_anything_else_are_no_lot_qr() {
    let fields = some_fields();
    for purpose in Purpose::ALL {
        let signature = purpose.sign(&ROOT_SECRET, &fields.signed_bytes());
        let answer = verify_lot_qr(LotQr { fields, signature }.text().as_bytes(), &root_key());
        let due = if purpose == Purpose::LotQr {
            Ok(fields)
        } else {
            Err(LotQrRefusal::BadSignature)
        };
        assert_eq!(answer, due, "{}", purpose.name());
    }
}

#[test]
fn the_unused_bits_of_the_last_character_are_zero() {
    let text = sign_lot_qr(&ROOT_SECRET, &some_fields());
    let (last, others) = text.as_bytes().split_last().expect("characters");
    let readable = ALPHABET
        .iter()
        .filter(|digit| read_lot_qr(&[others, &[**digit]].concat()).is_ok());
    // 94 bytes are 752 bits: two of the last five are used.
    assert_eq!(readable.count(), 4);
    assert!(ALPHABET.iter().step_by(8).any(|digit| digit == last));
}

#[test]
fn a_text_is_too_long_from_201_bytes_on() {
    assert_eq!(read_lot_qr(&[b'A'; TEXT_BYTES_MAX + 1]), Err(LotQrRefusal::TooLong));
    assert_eq!(read_lot_qr(&[b'A'; TEXT_BYTES_MAX]), Err(LotQrRefusal::BadLength));
}

prop_compose! {
    fn any_fields()(
        operator_id: i64, lot_id: i64, lane_id: i64, purpose in prop::sample::select(&LotQrPurpose::ALL[..]),
        issued_at_s: u32,
    ) -> LotQrFields {
        LotQrFields { operator_id, lot_id, lane_id, purpose, issued_at_s }
    }
}

proptest! {
    #[test]
    fn a_lot_qr_is_verified_to_what_was_signed(fields in any_fields(), secret: [u8; 32]) {
        let key = VerifyingKey::enrol(&public_key(&secret)).unwrap();
        let text = sign_lot_qr(&secret, &fields);
        prop_assert_eq!(text.len(), LOT_QR_CHARS);
        prop_assert_eq!(verify_lot_qr(text.as_bytes(), &key), Ok(fields));
    }

    #[test]
    fn the_text_is_base32_of_the_bytes(fields in any_fields(), signature in any::<[u8; 32]>()) {
        let lot_qr = LotQr { fields, signature: [signature, signature].concat().try_into().unwrap() };
        prop_assert_eq!(lot_qr.text(), base32(&lot_qr.encode()));
        prop_assert_eq!(LotQr::decode(&lot_qr.encode()), Ok(lot_qr));
        prop_assert_eq!(read_lot_qr(lot_qr.text().as_bytes()), Ok(lot_qr));
    }

    #[test]
    fn whatever_is_read_is_written_the_same_way(
        bytes in prop::collection::vec(any::<u8>(), LOT_QR_BYTES), purpose in 1_u8..=3,
    ) {
        let mut bytes = bytes;
        (bytes[0], bytes[25]) = (1, purpose);
        prop_assert_eq!(LotQr::decode(&bytes).map(|lot_qr| lot_qr.encode()), Ok(bytes));
    }

    #[test]
    fn a_text_that_is_read_has_no_other_spelling(text in "[A-Z2-7a-z=]{145,160}|[A-Z2-7]{151}") {
        if let Ok(lot_qr) = read_lot_qr(text.as_bytes()) {
            prop_assert_eq!(lot_qr.text(), text);
        }
    }

    #[test]
    fn a_lot_qr_with_any_byte_changed_is_refused(place in 0..LOT_QR_BYTES, turned in 1_u8..) {
        let mut bytes = read_lot_qr(sign_lot_qr(&ROOT_SECRET, &some_fields()).as_bytes()).unwrap().encode();
        bytes[place] ^= turned;
        prop_assert!(verify_lot_qr(base32(&bytes).as_bytes(), &root_key()).is_err());
    }

    #[test]
    fn a_lot_qr_with_any_character_changed_is_refused(place in 0..LOT_QR_CHARS, other: u8) {
        let mut text = sign_lot_qr(&ROOT_SECRET, &some_fields()).into_bytes();
        prop_assume!(text[place] != other);
        text[place] = other;
        prop_assert!(verify_lot_qr(&text, &root_key()).is_err());
    }

    #[test]
    fn another_operators_key_refuses_it(secret in any::<[u8; 32]>().prop_filter("another", |other| *other != ROOT_SECRET)) {
        let text = sign_lot_qr(&secret, &some_fields());
        prop_assert_eq!(verify_lot_qr(text.as_bytes(), &root_key()), Err(LotQrRefusal::BadSignature));
    }

    #[test]
    fn no_bytes_make_a_check_panic(text in prop::collection::vec(any::<u8>(), 0..220)) {
        prop_assert!(verify_lot_qr(&text, &root_key()).is_err());
    }

    #[test]
    fn no_readable_bytes_make_a_check_panic(bytes in prop::collection::vec(any::<u8>(), 0..110), version: bool) {
        let mut bytes = bytes;
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = 1;
        }
        prop_assert!(verify_lot_qr(base32(&bytes).as_bytes(), &root_key()).is_err());
    }
}
