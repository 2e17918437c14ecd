//! The integers that scaled amounts are summed in: 64 bits where they are known to suffice, else 128.

use super::error::PriceError;

/// An amount in minor units times the scale of a plan; never negative.
pub(super) trait Amount: Copy + Ord + Default {
    /// From the model's integers; what does not fit is a limit that no sum reaches.
    fn of(scaled: i128) -> Self;
    fn wide(self) -> i128;
    fn plus(self, other: Self) -> Result<Self, PriceError>;
    /// `self - other`, and not below 0.
    fn less(self, other: Self) -> Self;
    fn times(self, count: i64) -> Result<Self, PriceError>;
    /// How often `other` fits, and the rest; `other` is above 0.
    fn parts(self, other: Self) -> (i64, Self);
}

impl Amount for i64 {
    #[inline]
    fn of(scaled: i128) -> Self {
        Self::try_from(scaled).unwrap_or(Self::MAX)
    }

    #[inline]
    fn wide(self) -> i128 {
        i128::from(self)
    }

    #[inline]
    fn plus(self, other: Self) -> Result<Self, PriceError> {
        self.checked_add(other).ok_or(PriceError::FeeTooLarge)
    }

    #[inline]
    fn less(self, other: Self) -> Self {
        self.saturating_sub(other).max(0)
    }

    #[inline]
    fn times(self, count: i64) -> Result<Self, PriceError> {
        self.checked_mul(count).ok_or(PriceError::FeeTooLarge)
    }

    #[inline]
    fn parts(self, other: Self) -> (i64, Self) {
        let count = self.checked_div(other).unwrap_or(0);
        (count, self.checked_rem(other).unwrap_or(0))
    }
}

impl Amount for i128 {
    fn of(scaled: i128) -> Self {
        scaled
    }

    fn wide(self) -> i128 {
        self
    }

    fn plus(self, other: Self) -> Result<Self, PriceError> {
        self.checked_add(other).ok_or(PriceError::FeeTooLarge)
    }

    fn less(self, other: Self) -> Self {
        self.saturating_sub(other).max(0)
    }

    fn times(self, count: i64) -> Result<Self, PriceError> {
        self.checked_mul(Self::from(count)).ok_or(PriceError::FeeTooLarge)
    }

    fn parts(self, other: Self) -> (i64, Self) {
        let count = self.checked_div(other).unwrap_or(0);
        // A limit that a run of at most 2^31 units exceeds holds fewer of them.
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        (count, self.checked_rem(other).unwrap_or(0))
    }
}
