//! A test operator: its bundles, its cards, and the codes of their phones. TEST KEYS, worth nothing anywhere else.
#![allow(dead_code, reason = "each test file uses a part of it")]

use parkflow_core::bundle::{
    seal_bundle, BundleContent, DenyFilter, ExitDenied, KeyRecord, Lane, LaneDirection, Lot, RiskOutcome, RiskRule,
};
use parkflow_core::code::{encode_code, make_code, Code, Credential, CredentialFields};
use parkflow_core::ed25519::{public_key, Purpose};

pub const ROOT_SECRET: [u8; 32] = [11; 32];
pub const ISSUER_SECRET: [u8; 32] = [12; 32];
pub const PHONE_SECRET: [u8; 32] = [13; 32];
pub const KID: u32 = 3;
pub const OPERATOR_ID: u64 = 7;
pub const LOT_ID: u64 = 40;
/// Leads both ways.
pub const LANE_ID: u64 = 401;
pub const ENTRY_LANE_ID: u64 = 402;
pub const EXIT_LANE_ID: u64 = 403;
/// When all tests play.
pub const NOW_S: i64 = 1_792_497_600;

/// A moment as unsigned seconds, as bundles have them.
pub fn at(moment_s: i64) -> u64 {
    u64::try_from(moment_s).expect("after 1970")
}

/// A bundle's content that was signed a minute ago and is good for three days.
pub fn content(version: u64) -> BundleContent {
    BundleContent {
        operator_id: OPERATOR_ID,
        version,
        issued_at_s: at(NOW_S - 60),
        expires_at_s: at(NOW_S + 3 * 86_400),
        keys: vec![key(KID, &ISSUER_SECRET)],
        lots: vec![lot()],
        filter: None,
        denied: vec![],
        cleared: vec![],
    }
}

pub fn key(kid: u32, issuer_secret: &[u8; 32]) -> KeyRecord {
    KeyRecord {
        kid,
        operator_id: OPERATOR_ID,
        product: 0,
        algorithm: 1,
        not_before_s: 0,
        not_after_s: u64::MAX,
        public_key: public_key(issuer_secret).to_vec(),
    }
}

pub fn lot() -> Lot {
    Lot {
        lot_id: LOT_ID,
        product: 0,
        code_age_max_s: 30,
        skew_s: 30,
        exit_denied: ExitDenied::Accept,
        passback_s: 0,
        risk: vec![],
        lanes: [LaneDirection::Both, LaneDirection::Entry, LaneDirection::Exit]
            .into_iter()
            .zip(LANE_ID..)
            .map(|(direction, lane_id)| Lane { lane_id, direction })
            .collect(),
    }
}

/// A rule of the risk budget: from this ceiling, age of the code and age of the bundle on.
pub fn rule(ceiling_from: u16, code_age_from_s: u16, bundle_age_from_s: u32, outcome: RiskOutcome) -> RiskRule {
    RiskRule {
        ceiling_from,
        code_age_from_s,
        bundle_age_from_s,
        outcome,
    }
}

/// The signed bytes of a content, sorted before.
pub fn sealed(mut content: BundleContent) -> Vec<u8> {
    content.sort();
    seal_bundle(&ROOT_SECRET, &content).expect("a content without doubles")
}

/// A filter over `count` subjects, the first of which is `[first; 16]`, and the others are as good as random.
pub fn filter_over(first: u8, count: u64) -> DenyFilter {
    let mut subjects = vec![[first; 16]];
    subjects.extend((1..count).map(|number| spread(number ^ u64::from(first) << 56)));
    DenyFilter::build(&subjects).expect("so many fit")
}

/// A subject that looks random, as sealed ones do; steps of splitmix64.
pub fn spread(number: u64) -> [u8; 16] {
    let mixed = |seed: u64| {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    };
    let (head, tail) = (mixed(number), mixed(!number));
    (u128::from(head) << 64 | u128::from(tail)).to_be_bytes()
}

/// A card on a phone; its credential began an hour ago and has a day.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    pub fields: CredentialFields,
    pub issuer_secret: [u8; 32],
}

impl Card {
    pub fn new(subject: [u8; 16]) -> Self {
        Self {
            fields: CredentialFields {
                kid: KID,
                subject,
                code_key: public_key(&PHONE_SECRET),
                not_before_s: u32::try_from(NOW_S - 3_600).expect("before 2106"),
                lifetime_minutes: 1_440,
                product: 1,
                ceiling: 0,
            },
            issuer_secret: ISSUER_SECRET,
        }
    }

    pub fn with_ceiling(mut self, ceiling: u16) -> Self {
        self.fields.ceiling = ceiling;
        self
    }

    /// The code of one moment. It is signed without the issuer's checks, so that fields may be wrong.
    pub fn code(&self, issued_at_s: i64, nonce: u16) -> Code {
        let credential = Credential {
            fields: self.fields,
            signature: Purpose::Credential.sign(&self.issuer_secret, &self.fields.signed_bytes()),
        };
        let issued_at_s = u32::try_from(issued_at_s).expect("before 2106");
        make_code(&credential.encode(), &PHONE_SECRET, issued_at_s, nonce).expect("its secret")
    }

    /// What the scanner reads of it.
    pub fn text(&self, issued_at_s: i64, nonce: u16) -> Vec<u8> {
        encode_code(&self.code(issued_at_s, nonce)).into_bytes()
    }
}
