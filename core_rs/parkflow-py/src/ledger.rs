//! Binding of `parkflow_core::ledger`: constructors of transfers and the check of a batch.

use parkflow_core::ledger::{self, Account, TransferError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::{coded_error, coded_error_type};

pyo3::create_exception!(_core, LedgerError, PyValueError);

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("LedgerError", coded_error_type::<LedgerError>(module.py())?)?;
    module.add_class::<Transfer>()?;
    module.add_function(wrap_pyfunction!(charge_raised, module)?)?;
    module.add_function(wrap_pyfunction!(charge_paid, module)?)?;
    module.add_function(wrap_pyfunction!(charge_waived, module)?)?;
    module.add_function(wrap_pyfunction!(charge_refunded, module)?)?;
    module.add_function(wrap_pyfunction!(deposit_paid, module)?)?;
    module.add_function(wrap_pyfunction!(deposit_refunded, module)?)?;
    module.add_function(wrap_pyfunction!(overpayment_received, module)?)?;
    module.add_function(wrap_pyfunction!(overpayment_refunded, module)?)?;
    module.add_function(wrap_pyfunction!(written_off, module)?)?;
    module.add_function(wrap_pyfunction!(check_transfers, module)?)?;
    Ok(())
}

/// An id, or the name of a channel account.
#[derive(IntoPyObject)]
enum Owner {
    Id(i64),
    Name(String),
}

impl From<&Account> for Owner {
    fn from(account: &Account) -> Self {
        account.owner_id().map_or_else(|| Self::Name(account.owner()), Self::Id)
    }
}

#[pyclass(module = "parkflow._core", frozen, eq)]
#[derive(Clone, PartialEq, Eq)]
pub struct Transfer(ledger::Transfer);

#[pymethods]
impl Transfer {
    #[getter]
    fn debit_kind(&self) -> &'static str {
        self.0.debit().kind()
    }

    #[getter]
    fn debit_owner(&self) -> Owner {
        self.0.debit().into()
    }

    #[getter]
    fn credit_kind(&self) -> &'static str {
        self.0.credit().kind()
    }

    #[getter]
    fn credit_owner(&self) -> Owner {
        self.0.credit().into()
    }

    #[getter]
    fn amount_minor(&self) -> i64 {
        self.0.amount_minor()
    }

    #[getter]
    fn code(&self) -> &'static str {
        self.0.code().name()
    }

    #[getter]
    fn reference(&self) -> &str {
        self.0.reference()
    }

    fn __repr__(&self) -> String {
        let (debit, credit) = (self.0.debit(), self.0.credit());
        format!(
            "Transfer({} {}: {} {} -> {} {}, {})",
            self.code(),
            self.reference(),
            debit.kind(),
            debit.owner(),
            credit.kind(),
            credit.owner(),
            self.amount_minor()
        )
    }
}

fn made(py: Python<'_>, result: Result<ledger::Transfer, TransferError>) -> PyResult<Transfer> {
    result
        .map(Transfer)
        .map_err(|error| coded_error::<LedgerError>(py, error.code(), "", error.to_string()))
}

#[pyfunction]
#[pyo3(signature = (*, card_id, operator_id, charge_id, amount_minor))]
fn charge_raised(
    py: Python<'_>,
    card_id: i64,
    operator_id: i64,
    charge_id: i64,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::charge_raised(card_id, operator_id, charge_id, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, channel_account, order_number, amount_minor))]
fn charge_paid(
    py: Python<'_>,
    card_id: i64,
    channel_account: &str,
    order_number: &str,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::charge_paid(card_id, channel_account, order_number, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, operator_id, charge_id, amount_minor))]
fn charge_waived(
    py: Python<'_>,
    card_id: i64,
    operator_id: i64,
    charge_id: i64,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::charge_waived(card_id, operator_id, charge_id, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, operator_id, channel_account, refund_number, amount_minor))]
fn charge_refunded(
    py: Python<'_>,
    operator_id: i64,
    channel_account: &str,
    refund_number: &str,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::charge_refunded(operator_id, channel_account, refund_number, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, channel_account, order_number, amount_minor))]
fn deposit_paid(
    py: Python<'_>,
    card_id: i64,
    channel_account: &str,
    order_number: &str,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::deposit_paid(card_id, channel_account, order_number, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, channel_account, refund_number, amount_minor))]
fn deposit_refunded(
    py: Python<'_>,
    card_id: i64,
    channel_account: &str,
    refund_number: &str,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::deposit_refunded(card_id, channel_account, refund_number, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, channel_account, order_number, amount_minor))]
fn overpayment_received(
    py: Python<'_>,
    card_id: i64,
    channel_account: &str,
    order_number: &str,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::overpayment_received(card_id, channel_account, order_number, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, channel_account, refund_number, amount_minor))]
fn overpayment_refunded(
    py: Python<'_>,
    card_id: i64,
    channel_account: &str,
    refund_number: &str,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::overpayment_refunded(card_id, channel_account, refund_number, amount_minor),
    )
}

#[pyfunction]
#[pyo3(signature = (*, card_id, operator_id, charge_id, amount_minor))]
fn written_off(
    py: Python<'_>,
    card_id: i64,
    operator_id: i64,
    charge_id: i64,
    amount_minor: i64,
) -> PyResult<Transfer> {
    made(
        py,
        ledger::Transfer::written_off(card_id, operator_id, charge_id, amount_minor),
    )
}

#[pyfunction]
fn check_transfers(py: Python<'_>, transfers: Vec<PyRef<'_, Transfer>>) -> PyResult<Vec<(&'static str, Owner, i64)>> {
    let transfers: Vec<ledger::Transfer> = transfers.iter().map(|transfer| transfer.0.clone()).collect();
    let balances = py
        .detach(|| ledger::check_batch(&transfers))
        .map_err(|error| coded_error::<LedgerError>(py, error.code(), "", error.to_string()))?;
    Ok(balances
        .iter()
        .map(|(account, balance)| (account.kind(), account.into(), *balance))
        .collect())
}
