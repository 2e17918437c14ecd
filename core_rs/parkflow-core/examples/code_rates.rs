//! How long a code takes on one core, singly and in batches of 256, with the curve back end that this was built for.
//!
//! Prints microseconds a code as one JSON object: the best of many rounds, as others on the machine only add to one.
//! `bench/code_backends.py` builds it once for each back end.
#![allow(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement"
)]

use core::num::NonZeroUsize;
use std::hint::black_box;
use std::time::Instant;

use parkflow_core::code::{
    encode_code, issue_credential, make_code, verify_code, verify_codes, CredentialCache, CredentialFields, IssuerKey,
    KeySet, NothingDenied, NothingSeen, Policy, Trust, Verdict,
};
use parkflow_core::ed25519::public_key;

const CODES: u16 = 256;
const ROUNDS: usize = 40;
const AT_S: u32 = 1_700_000_000;
const ISSUER_SECRET: [u8; 32] = [9; 32];

fn main() {
    let texts: Vec<String> = (0..CODES).map(code_of_device).collect();
    let scans: Vec<(&[u8], i64)> = texts.iter().map(|text| (text.as_bytes(), AT_S.into())).collect();
    let keys = KeySet::new(IssuerKey::new(1, &public_key(&ISSUER_SECRET), 1, None, 0..i64::MAX)).unwrap();
    let (policy, cache) = (Policy::default(), CredentialCache::new(4 * usize::from(CODES)));
    let warm = Trust {
        keys: &keys,
        verified: Some(&cache),
    };
    let single = best_us(|| {
        for (text, at_s) in &scans {
            let verdict = verify_code(text, *at_s, &keys, &policy, &NothingDenied, &mut NothingSeen);
            assert!(verdict.is_accepted());
        }
    });
    let batch = |trust: Trust<'_>| {
        best_us(|| {
            let verdicts = verify_codes(&scans, trust, &policy, NonZeroUsize::MIN, &mut |buffer| buffer.fill(7));
            assert!(black_box(verdicts).iter().all(Verdict::is_accepted));
        })
    };
    let (cold, warm) = (batch(Trust::from(&keys)), batch(warm));
    println!("{{\"single_us\": {single:.2}, \"batch_cold_us\": {cold:.2}, \"batch_warm_us\": {warm:.2}}}");
}

fn code_of_device(number: u16) -> String {
    let mut code_secret = [3; 32];
    code_secret[..2].copy_from_slice(&number.to_be_bytes());
    let fields = CredentialFields {
        kid: 1,
        subject: [0; 16],
        code_key: public_key(&code_secret),
        not_before_s: AT_S - 3_600,
        lifetime_minutes: 1_440,
        product: 1,
        ceiling: 0,
    };
    let credential = issue_credential(&ISSUER_SECRET, &fields).unwrap().encode();
    encode_code(&make_code(&credential, &code_secret, AT_S - 5, number).unwrap())
}

fn best_us(mut work: impl FnMut()) -> f64 {
    work();
    let rounds = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    });
    rounds.fold(f64::INFINITY, f64::min) * 1e6 / f64::from(CODES)
}
