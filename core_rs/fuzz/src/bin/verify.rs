//! Forged codes: good codes, cut and changed as the input says, at any moment, under any policy and key set.
//!
//! A code is accepted exactly if it is a good one and the moment, the policy and the keys fit, by a second reckoning;
//! and a batch says of each code what the single check says.
#![cfg_attr(fuzzing, no_main)]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a finding is a panic"
)]

use core::num::NonZeroUsize;
use std::collections::HashSet;
use std::sync::LazyLock;

use parkflow_core::code::{
    encode_base45, encode_code, issue_credential, make_code, verify_code, verify_codes, Code, CredentialCache,
    CredentialFields, IssuerKey, KeySet, NothingDenied, NothingSeen, Policy, Reason, ReplayCache, Trust, Verdict,
    PREFIX,
};
use parkflow_core::ed25519::public_key;
use parkflow_fuzz::{coefficients, Choices};

parkflow_fuzz::target!(check, seeds);

const AT_S: u32 = 1_700_000_000;
const SUBJECT_BEGIN: usize = 5;
const SCANS_MAX: usize = 4;
const CHANGES_MAX: u8 = 4;

/// Codes that are good at their moment, made once: of two issuers, two phones, several windows, products, ceilings.
static GOOD: LazyLock<Vec<Code>> = LazyLock::new(|| {
    let made = |kid: u8, phone: u8, lifetime_minutes: u16, ceiling: u16, issued_at_s: u32| {
        let fields = CredentialFields {
            kid: kid.into(),
            subject: [phone; 16],
            code_key: public_key(&[100 + phone; 32]),
            not_before_s: AT_S,
            lifetime_minutes,
            product: phone,
            ceiling,
        };
        let credential = issue_credential(&[kid; 32], &fields).expect("good fields").encode();
        make_code(&credential, &[100 + phone; 32], issued_at_s, phone.into()).expect("its secret")
    };
    vec![
        made(1, 1, 1_440, 0, AT_S + 60),
        made(1, 2, 4_320, 20, AT_S + 86_400),
        made(2, 1, 1, 20, AT_S + 59),
        made(2, 2, 1, 0, AT_S + 60),
        made(1, 1, 1_440, 0, AT_S - 1),
    ]
});

/// An issuer key as [`IssuerKey`] has it, for the second reckoning.
struct Issuer {
    kid: u32,
    is_genuine: bool,
    product: Option<u8>,
    window_s: core::ops::Range<i64>,
}

static KEY_SETS: LazyLock<Vec<(Vec<Issuer>, KeySet)>> = LazyLock::new(|| {
    let at_s = i64::from(AT_S);
    let issuer = |kid, is_genuine, product, window_s| Issuer {
        kid,
        is_genuine,
        product,
        window_s,
    };
    let sets = vec![
        vec![
            issuer(1, true, None, i64::MIN..i64::MAX),
            issuer(2, true, None, 0..i64::MAX),
        ],
        vec![issuer(1, true, Some(1), at_s + 60..at_s + 61)],
        vec![
            issuer(1, false, None, 0..i64::MAX),
            issuer(2, true, Some(2), 0..at_s + 60),
        ],
        vec![],
    ];
    let with_keys = |issuers: Vec<Issuer>| {
        let keys = issuers.iter().map(|issuer| {
            let secret = u8::try_from(issuer.kid).expect("small") + if issuer.is_genuine { 0 } else { 50 };
            let key = public_key(&[secret; 32]);
            IssuerKey::new(issuer.kid, &key, 1, issuer.product, issuer.window_s.clone()).expect("a good key")
        });
        let keys = KeySet::new(keys).expect("each kid once");
        (issuers, keys)
    };
    sets.into_iter().map(with_keys).collect()
});

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let (issuers, keys) = choices.one_of(&KEY_SETS);
    let policy = policy(&mut choices);
    let mut scans = Vec::new();
    while scans.len() < SCANS_MAX && !choices.is_empty() {
        let text = text(&mut choices);
        scans.push((text, moment_s(&mut choices)));
    }
    let mut singles = Vec::new();
    for (text, at_s) in &scans {
        let verdict = verify_code(text, *at_s, keys, &policy, &NothingDenied, &mut NothingSeen);
        let good = GOOD.iter().find(|good| encode_code(good).as_bytes() == text);
        let expected = good.is_some_and(|good| is_acceptable(good, *at_s, issuers, &policy));
        assert_eq!(verdict.is_accepted(), expected, "{verdict:?} at {at_s}");
        if verdict.is_accepted() {
            check_memory(text, *at_s, keys, &policy);
        }
        singles.push(verdict);
    }
    assert_eq!(batch(&scans, keys, &policy), singles);
}

fn batch(scans: &[(Vec<u8>, i64)], keys: &KeySet, policy: &Policy) -> Vec<Verdict> {
    let scans: Vec<_> = scans.iter().map(|(text, at_s)| (&text[..], *at_s)).collect();
    let cache = CredentialCache::new(4);
    let trust = Trust {
        keys,
        verified: Some(&cache),
    };
    let cold = verify_codes(&scans, trust, policy, NonZeroUsize::MIN, &mut coefficients(1));
    let warm = verify_codes(&scans, trust, policy, NonZeroUsize::MIN, &mut coefficients(2));
    assert_eq!(cold, warm);
    cold
}

/// The rules once more, in wide numbers and in one sentence.
fn is_acceptable(code: &Code, now_s: i64, issuers: &[Issuer], policy: &Policy) -> bool {
    let fields = &code.credential.fields;
    let Some(issuer) = issuers.iter().find(|issuer| issuer.kid == fields.kid) else {
        return false;
    };
    let issued_at_s = i64::from(code.issued_at_s);
    let age_s = i128::from(now_s) - i128::from(issued_at_s);
    let life_s =
        i64::from(fields.not_before_s)..i64::from(fields.not_before_s) + 60 * i64::from(fields.lifetime_minutes);
    let product = Some(fields.product);
    issuer.is_genuine
        && issuer.window_s.contains(&issued_at_s)
        && life_s.contains(&issued_at_s)
        && age_s <= i128::from(policy.code_age_max_s) + i128::from(policy.skew_s)
        && -age_s <= i128::from(policy.skew_s)
        && (issuer.product.is_none() || issuer.product == product)
        && (policy.product.is_none() || policy.product == product)
        && (fields.ceiling == 0 || policy.fee_due_units.unwrap_or(0) <= u32::from(fields.ceiling))
}

/// An accepted code is refused when it is shown again, and when its subject is denied.
fn check_memory(text: &[u8], at_s: i64, keys: &KeySet, policy: &Policy) {
    let mut replay = ReplayCache::new(1);
    let mut show = |deny: &HashSet<[u8; 16]>| verify_code(text, at_s, keys, policy, deny, &mut replay);
    let first = show(&HashSet::new());
    assert!(first.is_accepted());
    assert_eq!(show(&HashSet::new()).reason, Reason::Replayed);
    let subject = first.code.expect("it was read").credential.fields.subject;
    assert_eq!(show(&HashSet::from([subject])).reason, Reason::Denied);
}

fn policy(choices: &mut Choices<'_>) -> Policy {
    let seconds = [30, 0, 1, 60, 86_400, u32::MAX];
    Policy {
        code_age_max_s: *choices.one_of(&seconds),
        skew_s: *choices.one_of(&seconds),
        product: *choices.one_of(&[None, Some(1), Some(2)]),
        fee_due_units: *choices.one_of(&[None, Some(0), Some(20), Some(21), Some(u32::MAX)]),
    }
}

/// Near the codes' moments, or anywhere.
fn moment_s(choices: &mut Choices<'_>) -> i64 {
    if choices.byte() < 224 {
        let base_s = i64::from(choices.one_of(&GOOD).issued_at_s);
        base_s + i64::from(i8::from_be_bytes(choices.array()))
    } else {
        i64::from_be_bytes(choices.array())
    }
}

/// A good code's text after some changes of its bytes and then of its characters.
fn text(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut code = choices.one_of(&GOOD).encode().to_vec();
    let mut text = None;
    for _ in 0..choices.byte() % (CHANGES_MAX + 1) {
        let kind = choices.byte() % 8;
        let place = usize::from(choices.byte());
        if kind < 5 {
            change(&mut code, kind, place, choices);
            continue;
        }
        let text = text.get_or_insert_with(|| written(&code));
        match kind {
            5 => text.truncate(place),
            6 => text.insert(place.min(text.len()), choices.byte()),
            _ => {
                if let Some(character) = text.get_mut(place) {
                    *character = choices.byte();
                }
            }
        }
    }
    text.unwrap_or_else(|| written(&code))
}

fn written(code: &[u8]) -> Vec<u8> {
    [PREFIX, &encode_base45(code)].concat().into_bytes()
}

fn change(code: &mut Vec<u8>, kind: u8, place: usize, choices: &mut Choices<'_>) {
    let place = place.min(code.len());
    match kind {
        // A part of another good code: its credential under this proof, its signature under this moment, …
        0 => {
            let other = choices.one_of(&GOOD).encode();
            let end = (place + usize::from(choices.byte())).min(code.len()).min(other.len());
            if place < end {
                code[place..end].copy_from_slice(&other[place..end]);
            }
        }
        1 => code.truncate(place),
        2 => code.insert(place, choices.byte()),
        3 => {
            let begin = SUBJECT_BEGIN.min(code.len());
            let other = choices.bytes(32);
            for (old, new) in code[begin..].iter_mut().zip(other) {
                *old = *new;
            }
        }
        _ => {
            if let Some(byte) = code.get_mut(place) {
                *byte ^= choices.byte();
            }
        }
    }
}

/// Each good code untouched, under the widest policy; each part of one in another; one changed byte in each part.
fn seeds() -> Vec<Vec<u8>> {
    let wide = [0, 4, 4, 0, 0];
    let mut seeds = Vec::new();
    for code in 0..5 {
        let untouched = [code, 0, 0, code, 0];
        seeds.push([&wide[..], &untouched].concat());
        seeds.push([&[1, 0, 0, 1, 2][..], &untouched, &[0, 0, 0, code, 31]].concat());
        seeds.push([&[2, 3, 0, 2, 3][..], &untouched, &untouched, &untouched].concat());
        for (begin, length) in [(0, 62), (62, 64), (0, 126), (126, 6), (132, 64)] {
            let spliced = [code, 1, 0, begin, (code + 1) % 5, length, 0, code, 0];
            seeds.push([&wide[..], &spliced, &untouched].concat());
        }
        for place in [0, 1, 5, 21, 53, 57, 59, 60, 62, 94, 125, 126, 130, 132, 195] {
            seeds.push([&wide[..], &[code, 1, 4, place, 1, 0, code, 0], &untouched].concat());
        }
    }
    seeds
}
