//! What a fee may depend on besides the stay: passes, vouchers, payments made before.

/// The kinds of vouchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoucherKind {
    /// Free minutes at the head of the stay.
    Minutes,
    /// A share of the fee, in basis points.
    Percent,
    /// An amount in minor units.
    Amount,
    /// Points, already worth an amount in minor units.
    Points,
}

impl VoucherKind {
    /// All kinds, in the usual order of their use.
    pub const ALL: [Self; 4] = [Self::Minutes, Self::Percent, Self::Amount, Self::Points];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Percent => "percent",
            Self::Amount => "amount",
            Self::Points => "points",
        }
    }
}

/// A voucher that is used for a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voucher {
    /// What it is worth something of.
    pub kind: VoucherKind,
    /// Minutes, basis points or minor units; not negative.
    pub value: i64,
}

/// A payment for the stay, made before the car leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// Seconds since 1970, UTC.
    pub at_s: i64,
    /// Minor units; not negative.
    pub amount_minor: i64,
}

/// Everything besides the stay itself; empty for most stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms<'a> {
    /// Time paid by a pass, [from, to) in seconds since 1970, UTC; in any order.
    pub covered: &'a [(i64, i64)],
    /// Vouchers, used in the tariff's order of kinds.
    pub vouchers: &'a [Voucher],
    /// True: use the vouchers in the order in which they are given (minutes still come first).
    pub vouchers_as_given: bool,
    /// Payments made before.
    pub paid: &'a [Payment],
}
