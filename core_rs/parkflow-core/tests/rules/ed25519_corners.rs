//! PF-1 where verifiers of the world disagree: small order, mixed order, other encodings, crafted batches.

use crate::golden::coefficients;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use parkflow_core::ed25519::{verify_equations, Equation, KeyRefusal, VerifyingKey};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

/// A signature whose R and A carry the given torsion; torsion 0 makes an honest one.
fn crafted(secret: u64, message: &[u8], r_torsion: usize, key_torsion: usize) -> ([u8; 32], [u8; 64]) {
    let (a, r) = (Scalar::from(secret | 1), Scalar::from(secret.rotate_left(17) | 1));
    let key = (EdwardsPoint::mul_base(&a) + EIGHT_TORSION[key_torsion])
        .compress()
        .to_bytes();
    let r_bytes = (EdwardsPoint::mul_base(&r) + EIGHT_TORSION[r_torsion])
        .compress()
        .to_bytes();
    let hash = Sha512::new_with_prefix(r_bytes)
        .chain_update(key)
        .chain_update(message)
        .finalize();
    let s = r + Scalar::from_bytes_mod_order_wide(&hash.into()) * a;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r_bytes);
    signature[32..].copy_from_slice(s.as_bytes());
    (key, signature)
}

fn equation(key: [u8; 32], message: &[u8], signature: &[u8]) -> Option<Equation> {
    Equation::new(&VerifyingKey::certified(key).ok()?, &[message], signature)
}

/// All encodings, canonical or not, of the points of small order: y = 1, -1, 0 and two of order 8, signs, y + p.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut encodings: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    let mut above_field_prime = [0xff; 32];
    above_field_prime[31] = 0x7f;
    for low in 0xec..=0xee {
        above_field_prime[0] = low;
        encodings.push(above_field_prime);
    }
    for mut encoding in encodings.clone() {
        encoding[31] ^= 0x80;
        encodings.push(encoding);
    }
    encodings
}

#[test]
fn no_key_of_small_order_is_enrolled_in_any_encoding() {
    for encoding in small_order_encodings() {
        assert!(VerifyingKey::enrol(&encoding).is_err(), "{encoding:02x?}");
    }
}

#[test]
fn no_key_of_mixed_order_is_enrolled() {
    for torsion in 0..8 {
        let (key, _) = crafted(7, b"", 0, torsion);
        let enrolled = VerifyingKey::enrol(&key).map(|_| ());
        assert_eq!(
            enrolled,
            if torsion == 0 {
                Ok(())
            } else {
                Err(KeyRefusal::NotTorsionFree)
            }
        );
    }
}

#[test]
fn no_encoding_from_the_field_prime_up_is_enrolled() {
    for low in 0xed..=0xff_u8 {
        for high in [0x7f, 0xff] {
            let mut encoding = [0xff; 32];
            (encoding[0], encoding[31]) = (low, high);
            assert_eq!(
                VerifyingKey::enrol(&encoding).map(|_| ()),
                Err(KeyRefusal::NotCanonical)
            );
        }
    }
}

#[test]
fn no_r_of_small_order_is_taken_even_if_its_equation_holds() {
    let (key, _) = crafted(3, b"", 0, 0);
    for r_bytes in small_order_encodings() {
        let hash = Sha512::new_with_prefix(r_bytes)
            .chain_update(key)
            .chain_update(b"crafted")
            .finalize();
        let s = Scalar::from_bytes_mod_order_wide(&hash.into()) * Scalar::from(3_u64);
        let signature = [r_bytes, *s.as_bytes()].concat();
        assert!(equation(key, b"crafted", &signature).is_none());
    }
}

#[test]
fn two_bad_signatures_that_would_cancel_out_are_both_found() {
    let (key, mut plus) = crafted(11, b"one", 0, 0);
    let (_, mut minus) = crafted(11, b"two", 0, 0);
    for (signature, offset) in [(&mut plus, Scalar::ONE), (&mut minus, -Scalar::ONE)] {
        let s = Scalar::from_bytes_mod_order(signature[32..].try_into().unwrap()) + offset;
        signature[32..].copy_from_slice(s.as_bytes());
    }
    let pair = [
        equation(key, b"one", &plus).unwrap(),
        equation(key, b"two", &minus).unwrap(),
    ];
    for seed in 0..200 {
        assert_eq!(verify_equations(&pair, &mut coefficients(seed)), [false, false]);
    }
}

#[test]
fn coefficients_of_zero_hide_nothing() {
    let (key, signature) = crafted(5, b"said", 0, 0);
    let pair = [
        equation(key, b"said", &signature).unwrap(),
        equation(key, b"not said", &signature).unwrap(),
    ];
    assert_eq!(verify_equations(&pair, &mut |buffer| buffer.fill(0)), [true, false]);
}

#[test]
fn an_empty_batch_has_no_verdicts() {
    assert!(verify_equations(&[], &mut coefficients(0)).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Torsion in R, or in a key that slipped through unchecked, good or bad: the batch says what the single check says.
    #[test]
    fn a_batch_answers_as_the_single_check(
        items in prop::collection::vec((1_u64..40, 0_usize..8, 0_usize..8, prop::bool::weighted(0.2)), 0..80),
        seed: u64,
    ) {
        let mut equations = Vec::new();
        let mut expected = Vec::new();
        for (secret, r_torsion, key_torsion, bad) in items {
            let (key, signature) = crafted(secret, b"said", r_torsion, key_torsion);
            let message: &[u8] = if bad { b"not said" } else { b"said" };
            equations.push(equation(key, message, &signature).expect("R is not of small order"));
            expected.push(!bad);
        }
        let single: Vec<bool> = equations.iter().map(Equation::holds).collect();
        prop_assert_eq!(&single, &expected);
        prop_assert_eq!(verify_equations(&equations, &mut coefficients(seed)), expected);
    }

    /// More equations than one sum holds, with one bad at any place.
    #[test]
    fn one_bad_item_is_found_at_any_place_of_a_large_batch(length in 250_usize..530, place: prop::sample::Index, seed: u64) {
        let (key, signature) = crafted(9, b"said", 0, 0);
        let bad = place.index(length);
        let good = equation(key, b"said", &signature).expect("well encoded");
        let mut equations = vec![good; length];
        equations[bad] = equation(key, b"not said", &signature).expect("well encoded");
        let verdicts = verify_equations(&equations, &mut coefficients(seed));
        prop_assert!(verdicts.iter().enumerate().all(|(at, holds)| *holds == (at != bad)));
    }
}
