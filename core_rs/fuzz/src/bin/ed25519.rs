//! Keys, messages and signatures, honest, crafted and changed: a batch says what the single check says.
#![cfg_attr(fuzzing, no_main)]
#![allow(clippy::arithmetic_side_effects, reason = "a finding is a panic")]

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use parkflow_core::ed25519::{public_key, sign, verify, verify_equations, Equation, VerifyingKey};
use parkflow_fuzz::{coefficients, Choices};
use sha2::{Digest, Sha512};

parkflow_fuzz::target!(check, seeds);

const ITEMS_MAX: usize = 4;
const CHANGES_MAX: u8 = 3;

/// A signed message, and what is known of it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let (mut equations, mut singles) = (Vec::new(), Vec::new());
    for _ in 0..ITEMS_MAX {
        if choices.is_empty() {
            break;
        }
        let (made, is_good) = item(&mut choices);
        let changed = changed(&made, &mut choices);
        // Whoever made it signed this message alone; of bytes that nobody made, nothing is known.
        let expected = is_good.map(|is_good| is_good && changed == made);
        if let Some((equation, holds)) = check_item(&changed, expected) {
            equations.push(equation);
            singles.push(holds);
        }
    }
    assert_eq!(verify_equations(&equations, &mut coefficients(1)), singles);
}

/// The equation of the item and whether it holds, if the encodings are good; `expected` where the verdict is known.
fn check_item(item: &Item, expected: Option<bool>) -> Option<(Equation, bool)> {
    let enrolled = VerifyingKey::enrol(&item.key);
    let certified = VerifyingKey::certified(item.key[..].try_into().ok()?);
    assert!(enrolled.is_err() || certified.is_ok());
    let key = certified.ok()?;
    assert_eq!(key.bytes()[..], item.key);
    // However a message is cut into parts, it is the same message.
    let (front, back) = item.message.split_at(item.message.len() / 2);
    let equation = Equation::new(&key, &[front, back], &item.signature);
    let holds = verify(&key, &[&item.message], &item.signature);
    assert!(equation.is_some() || !holds);
    if let Some(expected) = expected {
        assert_eq!(holds, expected);
    }
    if enrolled.is_ok() && is_strict(item) {
        assert!(holds, "what the strictest verifier takes, everybody takes");
    }
    Some((equation?, holds))
}

/// The verdict of another implementation of the equation, without the cofactor.
fn is_strict(item: &Item) -> bool {
    let Ok(key) = ed25519_dalek::VerifyingKey::try_from(&item.key[..]) else {
        return false;
    };
    ed25519_dalek::Signature::from_slice(&item.signature)
        .is_ok_and(|signature| key.verify_strict(&item.message, &signature).is_ok())
}

/// An item, and whether it is a good one if that is known.
fn item(choices: &mut Choices<'_>) -> (Item, Option<bool>) {
    let kind = choices.byte() % 4;
    let secret = choices.byte();
    let length = usize::from(choices.byte() % 64);
    match kind {
        0 => {
            let item = Item {
                key: choices.bytes(32).to_vec(),
                signature: choices.bytes(64).to_vec(),
                message: choices.bytes(length).to_vec(),
            };
            (item, None)
        }
        1 => {
            let [r_torsion, key_torsion] = choices.array().map(|byte| usize::from(byte % 8));
            let message = choices.bytes(length);
            (crafted(secret, message, r_torsion, key_torsion), Some(true))
        }
        _ => {
            let message = choices.bytes(length);
            let item = Item {
                key: public_key(&[secret; 32]).to_vec(),
                message: message.to_vec(),
                signature: sign(&[secret; 32], message).to_vec(),
            };
            (item, Some(true))
        }
    }
}

/// A signature whose R and A carry the given torsion: the cofactor takes it away, so that it holds.
fn crafted(secret: u8, message: &[u8], r_torsion: usize, key_torsion: usize) -> Item {
    let (a, r) = (
        Scalar::from(u64::from(secret) + 1),
        Scalar::from(u64::from(secret) + 1_000),
    );
    let encoded = |scalar, torsion: usize| {
        (EdwardsPoint::mul_base(scalar) + EIGHT_TORSION[torsion])
            .compress()
            .to_bytes()
    };
    let (key, r_bytes) = (encoded(&a, key_torsion), encoded(&r, r_torsion));
    let hash = Sha512::new_with_prefix(r_bytes)
        .chain_update(key)
        .chain_update(message)
        .finalize();
    let s = r + Scalar::from_bytes_mod_order_wide(&hash.into()) * a;
    Item {
        key: key.to_vec(),
        message: message.to_vec(),
        signature: [r_bytes, s.to_bytes()].concat(),
    }
}

fn changed(item: &Item, choices: &mut Choices<'_>) -> Item {
    let mut changed = item.clone();
    for _ in 0..choices.byte() % (CHANGES_MAX + 1) {
        let [part, kind, place, byte] = choices.array();
        let bytes = match part % 4 {
            0 => &mut changed.key,
            1 => &mut changed.message,
            _ => &mut changed.signature,
        };
        let place = usize::from(place);
        match kind % 8 {
            0 => bytes.truncate(place),
            1 => bytes.insert(place.min(bytes.len()), byte),
            _ => {
                if let Some(old) = bytes.get_mut(place) {
                    *old ^= byte;
                }
            }
        }
    }
    changed
}

/// Honest ones, with each kind of change; crafted ones of every torsion; bytes of small order and of none.
fn seeds() -> Vec<Vec<u8>> {
    let honest = [2, 7, 3, b'a', b'b', b'c'];
    let mut seeds = vec![
        [&honest[..], &[0]].concat(),
        [&honest[..], &[0], &honest, &[0], &honest, &[0], &honest, &[0]].concat(),
    ];
    for part in 0..3 {
        for (kind, place) in [(0, 2), (1, 2), (2, 0), (2, 2), (2, 31), (2, 32), (2, 63)] {
            seeds.push([&honest[..], &[1, part, kind, place, 1], &honest, &[0]].concat());
        }
    }
    for torsion in 0..8 {
        let craft = [1, 9, 1, torsion, 7 - torsion, b'x', 0];
        seeds.push([&craft[..], &honest, &[0], &craft].concat());
        let small = EIGHT_TORSION[usize::from(torsion)].compress().to_bytes();
        seeds.push([&[0, 0, 0][..], &small, &small, &[0; 32], &[0], &honest, &[0]].concat());
    }
    seeds
}
