//! The sealed subject: a card reference that only the server can open and nobody can link from day to day.

use std::collections::HashMap;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::Aes128;

/// Length of a sealed subject: one AES block.
pub const SUBJECT_BYTES: usize = 16;

/// Length of the server's sealing key, one for each issuer key.
pub const SUBJECT_KEY_BYTES: usize = 16;

/// AES-128 of card id and credential serial, 8 bytes each, big-endian.
///
/// One block under a permutation: as no (card, serial) is sealed twice, no two subjects are alike, and the server
/// needs no look-up to open one. It does not authenticate; the issuer's signature over it does.
#[must_use]
pub fn seal_subject(key: &[u8; SUBJECT_KEY_BYTES], card_id: u64, serial: u64) -> [u8; SUBJECT_BYTES] {
    let mut block = ((u128::from(card_id) << 64) | u128::from(serial)).to_be_bytes().into();
    Aes128::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

/// Card id and credential serial of a sealed subject.
///
/// Any 16 bytes open to something: open only subjects of codes that were accepted.
#[must_use]
pub fn open_subject(key: &[u8; SUBJECT_KEY_BYTES], subject: &[u8; SUBJECT_BYTES]) -> (u64, u64) {
    opened(&Aes128::new(&(*key).into()), subject)
}

/// The server's sealing keys, each by the number of its issuer key.
#[derive(Debug, Clone, Default)]
pub struct SubjectKeys(HashMap<u32, Aes128>);

impl SubjectKeys {
    /// Makes ready to open many subjects.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (u32, [u8; SUBJECT_KEY_BYTES])>) -> Self {
        let ready = |(kid, key): (u32, [u8; SUBJECT_KEY_BYTES])| (kid, Aes128::new(&key.into()));
        Self(keys.into_iter().map(ready).collect())
    }

    /// [`open_subject`] with the key of this number; `None` if there is none.
    #[must_use]
    pub fn open(&self, kid: u32, subject: &[u8; SUBJECT_BYTES]) -> Option<(u64, u64)> {
        self.0.get(&kid).map(|cipher| opened(cipher, subject))
    }
}

fn opened(cipher: &Aes128, subject: &[u8; SUBJECT_BYTES]) -> (u64, u64) {
    let mut block = (*subject).into();
    cipher.decrypt_block(&mut block);
    let both = u128::from_be_bytes(block.into());
    #[expect(clippy::cast_possible_truncation, reason = "each half has 64 bits")]
    let halves = ((both >> 64) as u64, both as u64);
    halves
}
