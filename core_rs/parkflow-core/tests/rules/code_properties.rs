//! What must hold for every code, and for all bytes that are none.

use core::num::NonZeroUsize;

use crate::golden::coefficients;
use parkflow_core::code::{
    decode_base45, decode_code, encode_base45, encode_code, issue_credential, make_code, open_subject, seal_subject,
    verify_code, verify_codes, Code, CredentialCache, CredentialFields, IssuerKey, KeySet, NothingDenied, NothingSeen,
    Policy, Reason, ReplayCache, ReplayMemory, Trust, Verdict, CODE_BYTES, CODE_CHARS, PREFIX,
};
use parkflow_core::ed25519::public_key;
use proptest::prelude::*;

const ISSUER_SECRET: [u8; 32] = [1; 32];
const PHONE_SECRET: [u8; 32] = [2; 32];
const KID: u32 = 3;
const ONE: NonZeroUsize = NonZeroUsize::MIN;
const NOON_S: u32 = 1_792_497_600;
const EVER: Policy = Policy {
    code_age_max_s: u32::MAX,
    skew_s: u32::MAX,
    product: None,
    fee_due_units: None,
};

fn keys() -> KeySet {
    KeySet::new(IssuerKey::new(KID, &public_key(&ISSUER_SECRET), 1, None, 0..i64::MAX)).expect("one kid")
}

fn good_code(fields: CredentialFields, issued_at_s: u32, nonce: u16) -> Code {
    let credential = issue_credential(&ISSUER_SECRET, &fields).expect("good fields").encode();
    make_code(&credential, &PHONE_SECRET, issued_at_s, nonce).expect("its secret")
}

fn some_fields() -> CredentialFields {
    CredentialFields {
        kid: KID,
        subject: [4; 16],
        code_key: public_key(&PHONE_SECRET),
        not_before_s: NOON_S,
        lifetime_minutes: 1_440,
        product: 1,
        ceiling: 0,
    }
}

fn check(text: &[u8]) -> Verdict {
    verify_code(
        text,
        i64::from(NOON_S),
        &keys(),
        &EVER,
        &NothingDenied,
        &mut NothingSeen,
    )
}

prop_compose! {
    fn any_fields()(
        kid: u32, subject: [u8; 16], not_before_s: u32, lifetime_minutes in 1_u16..=4_320, product: u8, ceiling: u16,
    ) -> CredentialFields {
        let code_key = public_key(&PHONE_SECRET);
        CredentialFields { kid, subject, code_key, not_before_s, lifetime_minutes, product, ceiling }
    }
}

proptest! {
    #[test]
    fn base45_decode_undoes_encode(bytes: Vec<u8>) {
        prop_assert_eq!(decode_base45(encode_base45(&bytes).as_bytes()), Ok(bytes));
    }

    #[test]
    fn base45_that_is_read_has_no_other_spelling(text in "[0-9A-Z $%*+./:-]{0,12}") {
        if let Ok(bytes) = decode_base45(text.as_bytes()) {
            prop_assert_eq!(encode_base45(&bytes), text);
        }
    }

    #[test]
    fn a_subject_opens_to_what_was_sealed(key: [u8; 16], card_id: u64, serial: u64) {
        prop_assert_eq!(open_subject(&key, &seal_subject(&key, card_id, serial)), (card_id, serial));
    }

    #[test]
    fn a_code_is_read_back_as_it_was_made(fields in any_fields(), issued_at_s: u32, nonce: u16) {
        let code = good_code(fields, issued_at_s, nonce);
        let text = encode_code(&code);
        prop_assert_eq!(text.len(), CODE_CHARS);
        prop_assert_eq!(decode_code(text.as_bytes()), Ok(code));
        prop_assert_eq!(code.credential.fields, fields);
    }

    #[test]
    fn whatever_is_read_is_written_the_same_way(bytes in prop::collection::vec(any::<u8>(), CODE_BYTES)) {
        if let Ok(code) = Code::decode(&bytes) {
            prop_assert_eq!(code.encode().to_vec(), bytes);
        }
    }

    #[test]
    fn a_code_with_any_byte_changed_is_refused(place in 0..CODE_BYTES, turned in 1_u8..) {
        let mut bytes = *good_code(some_fields(), NOON_S, 0).encode();
        bytes[place] ^= turned;
        let text = format!("{PREFIX}{}", encode_base45(&bytes));
        prop_assert_ne!(check(text.as_bytes()).reason, Reason::Accepted);
    }

    #[test]
    fn no_bytes_make_a_check_panic(mut text: Vec<u8>, prefixed: bool, now_s: i64) {
        if prefixed {
            text.splice(0..0, PREFIX.bytes());
        }
        let one = verify_code(&text, now_s, &keys(), &EVER, &NothingDenied, &mut NothingSeen);
        prop_assert_ne!(one.reason, Reason::Accepted);
        prop_assert_eq!(verify_codes(&[(&text[..], now_s)], &keys(), &EVER, ONE, &mut coefficients(0)), [one]);
    }

    #[test]
    fn no_code_of_random_fields_makes_a_check_panic(bytes in prop::collection::vec(any::<u8>(), CODE_BYTES), now_s: i64) {
        let mut bytes = bytes;
        bytes[0] = 1;
        bytes[1..5].copy_from_slice(&KID.to_be_bytes());
        let text = format!("{PREFIX}{}", encode_base45(&bytes));
        let verdict = verify_code(text.as_bytes(), now_s, &keys(), &EVER, &NothingDenied, &mut NothingSeen);
        prop_assert_ne!(verdict.reason, Reason::Accepted);
        prop_assert_eq!(verify_codes(&[(text.as_bytes(), now_s)], &keys(), &EVER, ONE, &mut coefficients(0)), [verdict]);
    }

    #[test]
    fn a_replay_cache_never_holds_more_than_it_may(capacity in 1_usize..8, codes: Vec<(u8, i64)>) {
        let mut replay = ReplayCache::new(capacity);
        for (code, useless_after_s) in codes {
            replay.remember([code; 16], useless_after_s);
            prop_assert!(replay.len() <= capacity);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_batch_names_exactly_the_bad_codes(broken in prop::collection::vec(prop::option::weighted(0.2, 62..CODE_BYTES), 0..200)) {
        let good = *good_code(some_fields(), NOON_S, 0).encode();
        let text_of = |broken: &Option<usize>| {
            let mut bytes = good;
            if let Some(place) = broken {
                bytes[*place] ^= 1;
            }
            format!("{PREFIX}{}", encode_base45(&bytes))
        };
        let texts: Vec<String> = broken.iter().map(text_of).collect();
        let one_by_one: Vec<Verdict> = texts.iter().map(|text| check(text.as_bytes())).collect();
        let scans: Vec<_> = texts.iter().map(|text| (text.as_bytes(), i64::from(NOON_S))).collect();
        let (keys, cache) = (keys(), CredentialCache::new(4));
        let cached = Trust { keys: &keys, verified: Some(&cache) };
        for threads in [ONE, NonZeroUsize::new(3).expect("three")] {
            for trust in [Trust::from(&keys), cached, cached] {
                prop_assert_eq!(verify_codes(&scans, trust, &EVER, threads, &mut coefficients(7)), one_by_one.clone());
            }
        }
        for (verdict, broken) in one_by_one.iter().zip(&broken) {
            prop_assert_eq!(verdict.is_accepted(), broken.is_none());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever was verified before, a verdict is the same; and a foreign key under the same kid finds nothing.
    #[test]
    fn a_cache_changes_no_verdict(broken in prop::collection::vec(prop::option::weighted(0.5, 0..CODE_BYTES), 1..12)) {
        let (keys, cache) = (keys(), CredentialCache::new(4));
        let foreign = IssuerKey::new(KID, &public_key(&[7; 32]), 1, None, 0..i64::MAX);
        let foreign = KeySet::new(foreign).expect("one kid");
        let good = *good_code(some_fields(), NOON_S, 0).encode();
        for place in broken {
            let mut bytes = good;
            if let Some(place) = place {
                bytes[place] ^= 4;
            }
            let text = format!("{PREFIX}{}", encode_base45(&bytes));
            for keys in [&keys, &foreign] {
                let now_s = i64::from(NOON_S);
                let cached = Trust { keys, verified: Some(&cache) };
                let bare = verify_code(text.as_bytes(), now_s, keys, &EVER, &NothingDenied, &mut NothingSeen);
                let warm = verify_code(text.as_bytes(), now_s, cached, &EVER, &NothingDenied, &mut NothingSeen);
                prop_assert_eq!(bare, warm);
                prop_assert!(cache.len() <= 4);
            }
        }
    }
}
