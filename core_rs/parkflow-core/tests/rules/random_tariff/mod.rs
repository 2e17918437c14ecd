//! Random valid tariffs and stays for them, all from one seed, and the comparison of the engine with the tick meter.

pub mod columns;
pub mod compare;
pub mod coverage;
pub mod shrink;
pub mod stays;
pub mod tariff;
pub mod windows;

use parkflow_core::tariff::{Payment, Tariff, Voucher};
use serde_json::Value;

/// Steps of splitmix64: the same case for the same seed on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound` - 1.
    pub fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    pub fn percent(&mut self, chance: i64) -> bool {
        self.below(100) < chance
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(i64::try_from(choices.len()).unwrap())).unwrap()]
    }
}

/// A stay and what comes with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OneStay {
    pub entry_s: i64,
    pub exit_s: i64,
    pub class: Option<&'static str>,
    pub tags: Vec<&'static str>,
    pub covered: Vec<(i64, i64)>,
    pub vouchers: Vec<Voucher>,
    pub as_given: bool,
    pub paid: Vec<Payment>,
}

/// Stays of one account under one tariff, settled one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub tariff: Value,
    pub stays: Vec<OneStay>,
}

const SEQUENCES_PER_TARIFF: usize = 6;

/// A random tariff with stays for it; none when its units have no small common scale, which the parser refuses.
pub fn cases(dice: &mut Dice) -> Option<(Tariff, Vec<Case>)> {
    let (text, focus) = tariff::tariff(dice);
    let parsed = match Tariff::parse(&text.to_string()) {
        Ok(parsed) => parsed,
        Err(error) if error.message.contains("no small common divisor") => return None,
        Err(error) => panic!("{error}\n{text}"),
    };
    let cases = (0..SEQUENCES_PER_TARIFF)
        .map(|_| Case {
            stays: stays::stays(dice, &text, focus, parsed.needs_history()),
            tariff: text.clone(),
        })
        .collect();
    Some((parsed, cases))
}
