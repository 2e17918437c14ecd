//! Lot QR codes: any text, and good ones cut and changed; only what the root key signed is taken, in one spelling.
#![cfg_attr(fuzzing, no_main)]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a finding is a panic"
)]

use std::sync::LazyLock;

use parkflow_core::ed25519::{public_key, VerifyingKey};
use parkflow_core::lotqr::{read_lot_qr, sign_lot_qr, verify_lot_qr, LotQrFields, LotQrPurpose};
use parkflow_fuzz::Choices;

parkflow_fuzz::target!(check, seeds);

const ROOT_SECRET: [u8; 32] = [5; 32];

static ROOT: LazyLock<VerifyingKey> =
    LazyLock::new(|| VerifyingKey::enrol(&public_key(&ROOT_SECRET)).expect("an honest key"));
static GOOD: LazyLock<String> = LazyLock::new(|| {
    let fields = LotQrFields {
        operator_id: 1,
        lot_id: 2,
        lane_id: 3,
        purpose: LotQrPurpose::Prepay,
        issued_at_s: 1_700_000_000,
    };
    sign_lot_qr(&ROOT_SECRET, &fields)
});

fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    if choices.byte() % 2 == 0 {
        check_text(choices.0);
        return;
    }
    let mut text = GOOD.clone().into_bytes();
    while !choices.is_empty() {
        let place = usize::from(choices.byte()) % text.len().max(1);
        match choices.byte() % 3 {
            0 => text.truncate(place),
            1 => text.insert(place, choices.byte()),
            _ => {
                let turned = choices.byte();
                if let Some(byte) = text.get_mut(place) {
                    *byte ^= turned;
                }
            }
        }
    }
    check_text(&text);
}

fn check_text(text: &[u8]) {
    let read = read_lot_qr(text);
    let verified = verify_lot_qr(text, &ROOT);
    assert_eq!(verified.is_ok(), text == GOOD.as_bytes());
    match (read, verified) {
        (Ok(_), Ok(fields)) => assert_eq!(sign_lot_qr(&ROOT_SECRET, &fields).as_bytes(), text),
        (Ok(_), Err(_)) => {}
        (Err(why), refused) => assert_eq!(refused, Err(why), "what cannot be read cannot be good"),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        [&[0], GOOD.as_bytes()].concat(),
        vec![1],
        vec![1, 5, 2, 1],
        vec![1, 150, 2, 1, 9, 0],
    ]
}
