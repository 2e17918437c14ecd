//! The chart of accounts and the only constructors of transfers.

mod account;
mod batch;
mod transfer;

pub use account::Account;
pub use batch::{check_batch, BatchError};
pub use transfer::{Code, Transfer, TransferError};
