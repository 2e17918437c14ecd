//! Binding of what a fee may depend on besides the stay: passes, vouchers, payments, the account's history.

use parkflow_core::tariff::{self, History, Payment, Voucher, VoucherKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::TariffError;
use crate::errors::coded_error;

/// Passes, vouchers and payments of one stay.
#[pyclass(module = "parkflow._core", frozen, from_py_object)]
#[derive(Clone, Default)]
pub struct Terms {
    covered: Vec<(i64, i64)>,
    vouchers: Vec<Voucher>,
    vouchers_as_given: bool,
    paid: Vec<Payment>,
}

#[pymethods]
impl Terms {
    #[new]
    #[pyo3(signature = (*, covered = Vec::new(), vouchers = Vec::new(), vouchers_as_given = false, paid = Vec::new()))]
    fn new(
        covered: Vec<(i64, i64)>,
        vouchers: Vec<(String, i64)>,
        vouchers_as_given: bool,
        paid: Vec<(i64, i64)>,
    ) -> PyResult<Self> {
        let vouchers = vouchers
            .into_iter()
            .map(|(kind, value)| voucher(&kind, value))
            .collect::<PyResult<_>>()?;
        if paid.iter().any(|(_, amount_minor)| *amount_minor < 0) {
            return Err(PyValueError::new_err("a payment is not negative"));
        }
        let paid = paid
            .into_iter()
            .map(|(at_s, amount_minor)| Payment { at_s, amount_minor })
            .collect();
        Ok(Self {
            covered,
            vouchers,
            vouchers_as_given,
            paid,
        })
    }
}

impl Terms {
    pub fn borrowed(&self) -> tariff::Terms<'_> {
        tariff::Terms {
            covered: &self.covered,
            vouchers: &self.vouchers,
            vouchers_as_given: self.vouchers_as_given,
            paid: &self.paid,
        }
    }
}

fn voucher(kind: &str, value: i64) -> PyResult<Voucher> {
    let known = VoucherKind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = known.ok_or_else(|| PyValueError::new_err("a voucher is minutes, percent, amount or points"))?;
    if value < 0 {
        return Err(PyValueError::new_err("the value of a voucher is not negative"));
    }
    Ok(Voucher { kind, value })
}

/// What the earlier stays of one account have used up.
#[pyclass(module = "parkflow._core")]
pub struct AccountHistory(pub History);

#[pymethods]
impl AccountHistory {
    #[new]
    fn new() -> Self {
        Self(History::default())
    }

    fn to_json(&self) -> String {
        self.0.to_json()
    }

    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> PyResult<Self> {
        History::from_json(text)
            .map(Self)
            .map_err(|error| coded_error::<TariffError>(py, error.code, &error.path, error.to_string()))
    }

    fn forget_before(&mut self, instant_s: i64, window_s: i64) {
        self.0.forget_before(instant_s, window_s);
    }
}
