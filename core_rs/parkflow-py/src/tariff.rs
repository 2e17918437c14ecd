//! Binding of `parkflow_core::tariff`: a tariff is parsed once, then prices stays without the GIL.

mod batch;
mod columns;
mod terms;

use std::collections::HashMap;
use std::sync::Arc;

use parkflow_core::tariff::{self, History, PriceError, Stay};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyMapping;

use crate::errors::{coded_error, coded_error_type};

use crate::arrow;
use batch::{FeeTable, Given};
use terms::{AccountHistory, Terms};

pyo3::create_exception!(_core, TariffError, PyValueError);

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("TariffError", coded_error_type::<TariffError>(module.py())?)?;
    module.add_class::<Tariff>()?;
    module.add_class::<Fee>()?;
    module.add_class::<FeeLine>()?;
    module.add_class::<FeeTable>()?;
    module.add_class::<TariffWarning>()?;
    module.add_class::<Terms>()?;
    module.add_class::<AccountHistory>()?;
    Ok(())
}

fn refused(py: Python<'_>, error: PriceError, index: Option<usize>) -> PyErr {
    let path = index.map_or_else(String::new, |index| format!("stays[{index}]"));
    coded_error::<TariffError>(py, error.code(), &path, error.to_string())
}

#[pyclass(module = "parkflow._core", frozen)]
pub struct Tariff(Arc<tariff::Tariff>);

#[pymethods]
impl Tariff {
    #[staticmethod]
    #[pyo3(signature = (text, templates = None))]
    fn load(py: Python<'_>, text: &str, templates: Option<&Bound<'_, PyMapping>>) -> PyResult<Self> {
        let texts: Option<HashMap<String, String>> = templates
            .map(|mapping| mapping.items()?.iter().map(|item| item.extract()).collect())
            .transpose()?;
        py.detach(|| match texts {
            None => tariff::Tariff::parse(text),
            Some(texts) => tariff::Tariff::parse_with(text, &|name| texts.get(name).cloned()),
        })
        .map(|tariff| Self(Arc::new(tariff)))
        .map_err(|error| coded_error::<TariffError>(py, error.code, &error.path, error.to_string()))
    }

    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    #[getter]
    fn currency(&self) -> &str {
        self.0.currency()
    }

    #[getter]
    fn minor_exponent(&self) -> u8 {
        self.0.minor_exponent()
    }

    #[getter]
    fn timezone(&self) -> &str {
        self.0.timezone()
    }

    #[getter]
    fn sha256(&self) -> &str {
        self.0.sha256_hex()
    }

    #[getter]
    fn canonical_json(&self) -> &str {
        self.0.canonical_json()
    }

    #[getter]
    fn tzdata_version(&self) -> &'static str {
        self.0.tzdata_version()
    }

    #[getter]
    fn needs_history(&self) -> bool {
        self.0.needs_history()
    }

    #[getter]
    fn shared_window_s(&self) -> i64 {
        self.0.shared_window_s()
    }

    #[getter]
    fn valid_from_s(&self) -> Option<i64> {
        self.0.valid().0
    }

    #[getter]
    fn valid_to_s(&self) -> Option<i64> {
        self.0.valid().1
    }

    #[getter]
    fn version_at(&self) -> &'static str {
        if self.0.version_at_exit() {
            "exit"
        } else {
            "entry"
        }
    }

    #[getter]
    fn warnings(&self) -> Vec<TariffWarning> {
        self.0.warnings().iter().cloned().map(TariffWarning).collect()
    }

    fn instant_s(&self, text: &str) -> Option<i64> {
        self.0.instant_s(text)
    }

    fn local_text(&self, instant_s: i64) -> Option<String> {
        self.0.local_text(instant_s)
    }

    #[pyo3(signature = (*, entry_s, exit_s, vehicle_class = None, tags = Vec::new()))]
    fn price(
        &self,
        py: Python<'_>,
        entry_s: i64,
        exit_s: i64,
        vehicle_class: Option<String>,
        tags: Vec<String>,
    ) -> PyResult<Fee> {
        let inputs = Inputs {
            entry_s,
            exit_s,
            vehicle_class,
            tags,
            terms: Terms::default(),
        };
        let fee = py
            .detach(|| inputs.with_stay(|stay| self.0.price(stay)))
            .map_err(|e| refused(py, e, None))?;
        Ok(Fee {
            tariff: Arc::clone(&self.0),
            inputs,
            before: History::default(),
            priced: fee,
        })
    }

    #[pyo3(signature = (entry_s, exit_s, *, vehicle_class = None, tags = Vec::new()))]
    fn price_many(
        &self,
        py: Python<'_>,
        entry_s: Vec<i64>,
        exit_s: Vec<i64>,
        vehicle_class: Option<String>,
        tags: Vec<String>,
    ) -> PyResult<Vec<i64>> {
        if entry_s.len() != exit_s.len() {
            return Err(PyValueError::new_err("entry_s and exit_s must have the same length"));
        }
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let instants = |values| tariff::Instants { values, per_second: 1 };
        let stays = tariff::Columns {
            entry: instants(&entry_s),
            exit: instants(&exit_s),
            kinds: &[tariff::Kind {
                class: vehicle_class.as_deref(),
                tags: &tags,
            }],
            kind_of: &[],
        };
        let mut fee_minor = vec![0; entry_s.len()];
        let mut refusal = vec![0; entry_s.len()];
        let fees = tariff::Fees {
            fee_minor: &mut fee_minor,
            refusal: &mut refusal,
        };
        py.detach(|| self.0.price_columns(&stays, fees, 1));
        let first = refusal.iter().position(|number| *number != 0);
        let error = first.and_then(|index| Some((PriceError::of_number(refusal[index])?, index)));
        match error {
            Some((error, index)) => Err(refused(py, error, Some(index))),
            None => Ok(fee_minor),
        }
    }

    #[pyo3(signature = (stays, *, vehicle_class = None, tags = Vec::new(), threads = None))]
    fn price_batch(
        &self,
        stays: &Bound<'_, PyAny>,
        vehicle_class: Option<String>,
        tags: Vec<String>,
        threads: Option<usize>,
    ) -> PyResult<FeeTable> {
        let py = stays.py();
        let (_, batches) = arrow::batches(stays)?;
        let given = Given {
            vehicle_class,
            tags,
            threads,
        };
        py.detach(|| batch::price(&self.0, &batches, given)).map_err(|refused| {
            let message = format!("column `{}`: {}", refused.column, refused.message);
            coded_error::<TariffError>(py, "stays_invalid", refused.column, message)
        })
    }

    /// Prices the next stay of an account and adds it to the history.
    #[pyo3(signature = (*, entry_s, exit_s, vehicle_class = None, tags = Vec::new(), terms = None, history = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords on the Python side")]
    fn settle(
        &self,
        py: Python<'_>,
        entry_s: i64,
        exit_s: i64,
        vehicle_class: Option<String>,
        tags: Vec<String>,
        terms: Option<Terms>,
        mut history: Option<PyRefMut<'_, AccountHistory>>,
    ) -> PyResult<Fee> {
        let terms = terms.unwrap_or_default();
        let inputs = Inputs {
            entry_s,
            exit_s,
            vehicle_class,
            tags,
            terms,
        };
        let mut alone = History::default();
        let history = history.as_mut().map_or(&mut alone, |history| &mut history.0);
        let before = inputs.with_stay(|stay| self.0.history_of(stay, history));
        let fee = py
            .detach(|| inputs.with_stay(|stay| self.0.settle(stay, &inputs.terms.borrowed(), history)))
            .map_err(|error| refused(py, error, None))?;
        Ok(Fee {
            tariff: Arc::clone(&self.0),
            inputs,
            before,
            priced: fee,
        })
    }

    fn __repr__(&self) -> String {
        format!("Tariff({}, {}, {})", self.0.id(), self.0.currency(), self.0.timezone())
    }
}

/// The inputs of a fee, owned.
struct Inputs {
    entry_s: i64,
    exit_s: i64,
    vehicle_class: Option<String>,
    tags: Vec<String>,
    terms: Terms,
}

impl Inputs {
    fn with_stay<T>(&self, work: impl FnOnce(&Stay<'_>) -> T) -> T {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        let class = self.vehicle_class.as_deref();
        work(&Stay {
            entry_s: self.entry_s,
            exit_s: self.exit_s,
            class,
            tags: &tags,
        })
    }
}

#[pyclass(module = "parkflow._core", frozen)]
pub struct Fee {
    tariff: Arc<tariff::Tariff>,
    inputs: Inputs,
    /// What of the account's earlier stays the fee depends on.
    before: History,
    priced: tariff::Fee,
}

#[pymethods]
impl Fee {
    #[getter]
    fn fee_minor(&self) -> i64 {
        self.priced.fee_minor
    }

    #[getter]
    fn currency(&self) -> &str {
        self.tariff.currency()
    }

    #[getter]
    fn plan(&self) -> &str {
        &self.priced.plan
    }

    #[getter]
    fn lines(&self) -> Vec<FeeLine> {
        self.priced.lines.iter().cloned().map(FeeLine).collect()
    }

    fn to_json(&self) -> String {
        self.inputs.with_stay(|stay| {
            self.tariff
                .receipt_json_after(&self.before, stay, &self.inputs.terms.borrowed(), &self.priced)
        })
    }

    fn __repr__(&self) -> String {
        format!(
            "Fee({} {}, {} lines)",
            self.priced.fee_minor,
            self.tariff.currency(),
            self.priced.lines.len()
        )
    }
}

#[pyclass(module = "parkflow._core", frozen, eq)]
#[derive(PartialEq, Eq)]
pub struct FeeLine(tariff::FeeLine);

#[pymethods]
impl FeeLine {
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.name()
    }

    #[getter]
    fn band(&self) -> &str {
        &self.0.band
    }

    #[getter(from_s)]
    fn start_s(&self) -> i64 {
        self.0.from_s
    }

    #[getter(to_s)]
    fn end_s(&self) -> i64 {
        self.0.to_s
    }

    #[getter]
    fn units(&self) -> i64 {
        self.0.units
    }

    #[getter]
    fn amount_minor(&self) -> i64 {
        self.0.amount_minor
    }

    fn __repr__(&self) -> String {
        let line = &self.0;
        format!(
            "FeeLine({} {}, {} units, {})",
            self.kind(),
            line.band,
            line.units,
            line.amount_minor
        )
    }
}

#[pyclass(module = "parkflow._core", frozen, eq)]
#[derive(PartialEq, Eq)]
pub struct TariffWarning(tariff::Lint);

#[pymethods]
impl TariffWarning {
    #[getter]
    fn code(&self) -> &'static str {
        self.0.code
    }

    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    #[getter]
    fn line(&self) -> usize {
        self.0.line
    }

    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    fn __repr__(&self) -> String {
        format!("TariffWarning({}, line {}, {})", self.0.code, self.0.line, self.0.path)
    }
}
