//! Division by a divisor that is known long before: one multiplication instead of a division.

// Both operands are below 2^31 (checked on entry), so the product of reciprocal and dividend stays inside 128 bits.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation
)]

/// A length of time in seconds that other lengths are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Divisor {
    seconds: i64,
    /// ceil(2^63 / seconds).
    reciprocal: u64,
}

/// Lengths and dividends stay below this.
const BOUND: i64 = 1 << 31;

impl Divisor {
    /// `seconds` from 1 to 2^31 - 1.
    pub fn new(seconds: i64) -> Self {
        debug_assert!((1..BOUND).contains(&seconds));
        let divisor = seconds.clamp(1, BOUND - 1) as u64;
        Self {
            seconds,
            reciprocal: (1_u64 << 63).div_ceil(divisor),
        }
    }

    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// floor(dividend / seconds) for a dividend from 0 to 2^31 - 1.
    ///
    /// Exact, as the reciprocal exceeds 2^63 / seconds by less than 1 and dividend * seconds is below 2^63 (Granlund and
    /// Montgomery, "Division by invariant integers using multiplication", 1994, theorem 4.2).
    pub fn floor(self, dividend: i64) -> i64 {
        debug_assert!((0..BOUND).contains(&dividend));
        ((u128::from(dividend as u64) * u128::from(self.reciprocal)) >> 63) as i64
    }

    /// ceil(dividend / seconds) for a dividend from 0 to 2^31 - 1 minus `seconds`.
    pub fn ceil(self, dividend: i64) -> i64 {
        self.floor(dividend + self.seconds - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_division(dividend in 0..BOUND, seconds in 1..BOUND) {
            prop_assert_eq!(Divisor::new(seconds).floor(dividend), dividend / seconds);
        }

        #[test]
        fn equals_division_around_multiples(seconds in 1_i64..100_000, count in 0_i64..20_000, off in -1_i64..=1) {
            let dividend = (seconds * count + off).clamp(0, BOUND - 1);
            prop_assert_eq!(Divisor::new(seconds).floor(dividend), dividend / seconds);
        }
    }

    #[test]
    fn equals_division_at_the_ends() {
        for seconds in [1, 2, 3, 60, BOUND - 1] {
            for dividend in [0, 1, seconds - 1, seconds, BOUND - 1] {
                assert_eq!(Divisor::new(seconds).floor(dividend), dividend / seconds);
            }
        }
    }
}
