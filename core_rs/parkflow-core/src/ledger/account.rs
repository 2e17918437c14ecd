//! The chart of accounts. An account is a kind and its owner; debit raises what drivers owe and what the channel holds for us.

/// An account of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What the driver of a card owes.
    DriverReceivable {
        /// The card.
        card_id: i64,
    },
    /// What is owed to an operator for its charges.
    OperatorPayable {
        /// The operator.
        operator_id: i64,
    },
    /// What a channel account has taken and not settled.
    ChannelClearing {
        /// The name of the channel account.
        channel_account: String,
    },
    /// The deposit held for a card.
    DepositHeld {
        /// The card.
        card_id: i64,
    },
    /// What a driver has paid beyond what was owed.
    Overpaid {
        /// The card.
        card_id: i64,
    },
    /// Charges of an operator that are given up.
    BadDebt {
        /// The operator.
        operator_id: i64,
    },
    /// What channels keep as their fee for an operator's charges.
    ChannelFees {
        /// The operator.
        operator_id: i64,
    },
}

impl Account {
    /// The stable name of the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DriverReceivable { .. } => "driver_receivable",
            Self::OperatorPayable { .. } => "operator_payable",
            Self::ChannelClearing { .. } => "channel_clearing",
            Self::DepositHeld { .. } => "deposit_held",
            Self::Overpaid { .. } => "overpaid",
            Self::BadDebt { .. } => "bad_debt",
            Self::ChannelFees { .. } => "channel_fees",
        }
    }

    /// The owner as text: the id in decimal, or the channel account's name.
    #[must_use]
    pub fn owner(&self) -> String {
        match self {
            Self::DriverReceivable { card_id } | Self::DepositHeld { card_id } | Self::Overpaid { card_id } => {
                card_id.to_string()
            }
            Self::OperatorPayable { operator_id }
            | Self::BadDebt { operator_id }
            | Self::ChannelFees { operator_id } => operator_id.to_string(),
            Self::ChannelClearing { channel_account } => channel_account.clone(),
        }
    }

    /// The owner as a number, for all kinds but channel clearing.
    #[must_use]
    pub const fn owner_id(&self) -> Option<i64> {
        match self {
            Self::DriverReceivable { card_id } | Self::DepositHeld { card_id } | Self::Overpaid { card_id } => {
                Some(*card_id)
            }
            Self::OperatorPayable { operator_id }
            | Self::BadDebt { operator_id }
            | Self::ChannelFees { operator_id } => Some(*operator_id),
            Self::ChannelClearing { .. } => None,
        }
    }
}
