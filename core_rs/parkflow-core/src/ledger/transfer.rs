//! Transfers and their constructors: each names what happened, so that no other pair of accounts can be written.
//!
//! (code, reference) is unique in the ledger. The reference is the thing that happens at most once: a charge is raised once, an
//! order is paid once, a refund number is paid out once. Posting again is then a repetition, not a second transfer.

use std::fmt;

use super::account::Account;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A stay was priced: the driver owes, the operator is owed. Reference: charge.
    ChargeRaised,
    /// A charge was collected. Reference: order number.
    ChargePaid,
    /// A charge was taken back before it was paid. Reference: charge.
    ChargeWaived,
    /// A deposit came in. Reference: order number.
    DepositPaid,
    /// A deposit went back. Reference: refund number.
    DepositRefunded,
    /// A second payment came in for what was already paid. Reference: order number.
    OverpaymentReceived,
    /// The second payment went back. Reference: refund number.
    OverpaymentRefunded,
    /// A paid charge went back, wholly or in part. Reference: refund number.
    ChargeRefunded,
    /// An unpaid charge was given up. Reference: charge.
    WrittenOff,
}

impl Code {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChargeRaised => "charge_raised",
            Self::ChargePaid => "charge_paid",
            Self::ChargeWaived => "charge_waived",
            Self::DepositPaid => "deposit_paid",
            Self::DepositRefunded => "deposit_refunded",
            Self::OverpaymentReceived => "overpayment_received",
            Self::OverpaymentRefunded => "overpayment_refunded",
            Self::ChargeRefunded => "charge_refunded",
            Self::WrittenOff => "written_off",
        }
    }
}

/// An amount that moves from one account to another; it balances by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    debit: Account,
    credit: Account,
    amount_minor: i64,
    code: Code,
    reference: String,
}

/// Why a transfer cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferError {
    /// The amount is zero or negative.
    AmountNotPositive,
    /// The reference is empty, so that a repetition could not be recognised.
    ReferenceMissing,
    /// The channel account has no name.
    ChannelAccountMissing,
}

impl TransferError {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AmountNotPositive => "amount_not_positive",
            Self::ReferenceMissing => "reference_missing",
            Self::ChannelAccountMissing => "channel_account_missing",
        }
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::AmountNotPositive => "a transfer moves an amount above zero; leave it out when nothing moves",
            Self::ReferenceMissing => {
                "a transfer names what happened once: a charge, an order number or a refund number"
            }
            Self::ChannelAccountMissing => "a payment names the channel account that took it",
        })
    }
}

impl std::error::Error for TransferError {}

impl Transfer {
    fn new(
        code: Code,
        debit: Account,
        credit: Account,
        reference: impl Into<String>,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let reference = reference.into();
        if amount_minor <= 0 {
            return Err(TransferError::AmountNotPositive);
        }
        if reference.is_empty() {
            return Err(TransferError::ReferenceMissing);
        }
        for account in [&debit, &credit] {
            if matches!(account, Account::ChannelClearing { channel_account } if channel_account.is_empty()) {
                return Err(TransferError::ChannelAccountMissing);
            }
        }
        Ok(Self {
            debit,
            credit,
            amount_minor,
            code,
            reference,
        })
    }

    /// A stay was priced.
    pub fn charge_raised(
        card_id: i64,
        operator_id: i64,
        charge_id: i64,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let (debit, credit) = (
            Account::DriverReceivable { card_id },
            Account::OperatorPayable { operator_id },
        );
        Self::new(Code::ChargeRaised, debit, credit, charge_id.to_string(), amount_minor)
    }

    /// A charge was collected.
    pub fn charge_paid(
        card_id: i64,
        channel_account: &str,
        order_number: &str,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let credit = Account::DriverReceivable { card_id };
        Self::new(
            Code::ChargePaid,
            clearing(channel_account),
            credit,
            order_number,
            amount_minor,
        )
    }

    /// A charge was taken back before it was paid.
    pub fn charge_waived(
        card_id: i64,
        operator_id: i64,
        charge_id: i64,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let (debit, credit) = (
            Account::OperatorPayable { operator_id },
            Account::DriverReceivable { card_id },
        );
        Self::new(Code::ChargeWaived, debit, credit, charge_id.to_string(), amount_minor)
    }

    /// A deposit came in.
    pub fn deposit_paid(
        card_id: i64,
        channel_account: &str,
        order_number: &str,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let credit = Account::DepositHeld { card_id };
        Self::new(
            Code::DepositPaid,
            clearing(channel_account),
            credit,
            order_number,
            amount_minor,
        )
    }

    /// A deposit went back.
    pub fn deposit_refunded(
        card_id: i64,
        channel_account: &str,
        refund_number: &str,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let debit = Account::DepositHeld { card_id };
        Self::new(
            Code::DepositRefunded,
            debit,
            clearing(channel_account),
            refund_number,
            amount_minor,
        )
    }

    /// A second payment came in for what was already paid.
    pub fn overpayment_received(
        card_id: i64,
        channel_account: &str,
        order_number: &str,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let credit = Account::Overpaid { card_id };
        Self::new(
            Code::OverpaymentReceived,
            clearing(channel_account),
            credit,
            order_number,
            amount_minor,
        )
    }

    /// The second payment went back.
    pub fn overpayment_refunded(
        card_id: i64,
        channel_account: &str,
        refund_number: &str,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let debit = Account::Overpaid { card_id };
        Self::new(
            Code::OverpaymentRefunded,
            debit,
            clearing(channel_account),
            refund_number,
            amount_minor,
        )
    }

    /// A paid charge went back to the driver, wholly or in part.
    pub fn charge_refunded(
        operator_id: i64,
        channel_account: &str,
        refund_number: &str,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let debit = Account::OperatorPayable { operator_id };
        Self::new(
            Code::ChargeRefunded,
            debit,
            clearing(channel_account),
            refund_number,
            amount_minor,
        )
    }

    /// An unpaid charge was given up.
    pub fn written_off(
        card_id: i64,
        operator_id: i64,
        charge_id: i64,
        amount_minor: i64,
    ) -> Result<Self, TransferError> {
        let (debit, credit) = (Account::BadDebt { operator_id }, Account::DriverReceivable { card_id });
        Self::new(Code::WrittenOff, debit, credit, charge_id.to_string(), amount_minor)
    }

    /// The account that is debited.
    #[must_use]
    pub const fn debit(&self) -> &Account {
        &self.debit
    }

    /// The account that is credited.
    #[must_use]
    pub const fn credit(&self) -> &Account {
        &self.credit
    }

    /// Minor units, above zero.
    #[must_use]
    pub const fn amount_minor(&self) -> i64 {
        self.amount_minor
    }

    /// What happened.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The thing that happened; unique together with the code.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

fn clearing(channel_account: &str) -> Account {
    Account::ChannelClearing {
        channel_account: channel_account.to_owned(),
    }
}
