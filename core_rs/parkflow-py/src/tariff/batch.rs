//! `Tariff.price_batch`: a table of stays in, a table of fees out, the work done without the GIL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::available_parallelism;

use arrow_array::{ArrayRef, DictionaryArray, Int64Array, Int8Array, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parkflow_core::tariff::{self, Columns, Fees, Kind, PriceError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::columns::{list_numbers, text_numbers, Accounts, InstantColumn, Numbering, Refused, NULL};
use crate::arrow;

/// The refusal of a row without an entry or an exit: the number after the engine's own.
const INSTANT_MISSING: u8 = match PriceError::ALL {
    [_, _, _, _, _, _, _, _] => 9,
};
const INSTANT_MISSING_CODE: &str = "instant_missing";

/// What all rows have that the table does not say.
pub struct Given {
    pub vehicle_class: Option<String>,
    pub tags: Vec<String>,
    pub threads: Option<usize>,
}

/// The stays of one batch of the table.
struct Part {
    entry: InstantColumn,
    exit: InstantColumn,
    kind_of: Vec<u32>,
    accounts: Option<Vec<u32>>,
}

/// Fees and refusals of rows in order.
struct Outcome {
    fee_minor: Vec<i64>,
    refusal: Vec<u8>,
}

/// A kind of stay: numbers of its class and of its tags.
type KindNumbers = (u32, u32);

struct Reader {
    given_class: Option<String>,
    classes: Numbering<String>,
    tags: Numbering<Vec<String>>,
    kinds: Numbering<KindNumbers>,
    accounts: Option<Accounts>,
    /// Whether the tariff counts over the stays of an account; otherwise that column is not looked at.
    by_account: bool,
}

impl Reader {
    fn part(&mut self, batch: &RecordBatch) -> Result<Part, Refused> {
        let rows = batch.num_rows();
        let classes = match batch.column_by_name("vehicle_class") {
            Some(_) if self.given_class.is_some() => {
                return Err(Refused {
                    column: "vehicle_class",
                    message: "stands in the table and was given as well; give it once".to_owned(),
                });
            }
            Some(array) => Some(text_numbers(array.as_ref(), "vehicle_class", &mut self.classes)?),
            None => None,
        };
        let tags = match batch.column_by_name("tags") {
            Some(array) => Some(list_numbers(array.as_ref(), &mut self.tags)?),
            None => None,
        };
        let kind_of = if classes.is_none() && tags.is_none() {
            Vec::new()
        } else {
            let class_of_all = self.given_class.as_deref().map_or(NULL, |class| self.classes.of(class));
            let at = |numbers: &Option<Vec<u32>>, row: usize, otherwise| {
                numbers.as_ref().map_or(otherwise, |numbers| numbers[row])
            };
            (0..rows)
                .map(|row| self.kinds.of(&(at(&classes, row, class_of_all), at(&tags, row, 0))))
                .collect()
        };
        let column = batch.column_by_name("account").filter(|_| self.by_account);
        let accounts = match (column, &mut self.accounts) {
            (None, _) => None,
            (Some(array), Some(accounts)) => Some(accounts.numbers(array.as_ref())?),
            (Some(array), none) => Some(none.insert(Accounts::of(array.as_ref())?).numbers(array.as_ref())?),
        };
        Ok(Part {
            entry: InstantColumn::of(batch, "entry")?,
            exit: InstantColumn::of(batch, "exit")?,
            kind_of,
            accounts,
        })
    }
}

/// Prices the batches; one batch of fees for each, in the same order.
pub fn price(tariff: &tariff::Tariff, batches: &[RecordBatch], given: Given) -> Result<FeeTable, Refused> {
    let threads = given
        .threads
        .unwrap_or_else(|| available_parallelism().map_or(1, std::num::NonZero::get));
    let mut tags = Numbering::new();
    // Number 0: what rows have without a column of tags.
    tags.of(&given.tags);
    let mut reader = Reader {
        given_class: given.vehicle_class,
        classes: Numbering::new(),
        tags,
        kinds: Numbering::new(),
        accounts: None,
        by_account: tariff.needs_history(),
    };
    let parts = batches
        .iter()
        .map(|batch| reader.part(batch))
        .collect::<Result<Vec<_>, _>>()?;
    let tag_lists: Vec<Vec<&str>> = reader
        .tags
        .seen
        .iter()
        .map(|tags| tags.iter().map(String::as_str).collect())
        .collect();
    let mut kinds: Vec<Kind<'_>> = reader
        .kinds
        .seen
        .iter()
        .map(|(class, tags)| Kind {
            class: reader.classes.seen.get(*class as usize).map(String::as_str),
            tags: &tag_lists[*tags as usize],
        })
        .collect();
    if kinds.is_empty() {
        kinds.push(Kind {
            class: reader.given_class.as_deref(),
            tags: &tag_lists[0],
        });
    }
    let work = Work {
        tariff,
        kinds: &kinds,
        threads,
    };
    let outcomes = if reader.accounts.is_some() {
        work.by_account(&parts)
    } else {
        parts.iter().map(|part| work.alone(part)).collect()
    };
    Ok(FeeTable::of(tariff, outcomes))
}

struct Work<'a> {
    tariff: &'a tariff::Tariff,
    kinds: &'a [Kind<'a>],
    threads: usize,
}

impl Work<'_> {
    fn alone(&self, part: &Part) -> Outcome {
        let mut outcome = Outcome::of(part.rows());
        self.tariff
            .price_columns(&part.columns(self.kinds), outcome.fees(), self.threads);
        outcome.note_missing(part);
        outcome
    }

    fn by_account(&self, parts: &[Part]) -> Vec<Outcome> {
        match parts {
            [part] => {
                let mut outcome = Outcome::of(part.rows());
                let account_of = part.priced_accounts();
                self.tariff
                    .price_accounts(&part.columns(self.kinds), &account_of, outcome.fees(), self.threads);
                outcome.note_missing(part);
                vec![outcome]
            }
            parts => self.by_account_over(parts),
        }
    }

    /// Stays of one account may lie in several batches, so their columns are put together.
    fn by_account_over(&self, parts: &[Part]) -> Vec<Outcome> {
        let rows = parts.iter().map(Part::rows).sum();
        let (mut entry_s, mut exit_s) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let (mut kind_of, mut account_of) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for part in parts {
            let (entry, exit) = (part.entry.instants(), part.exit.instants());
            entry_s.extend(entry.values.iter().map(|value| value.div_euclid(entry.per_second)));
            exit_s.extend(exit.values.iter().map(|value| value.div_euclid(exit.per_second)));
            kind_of.extend((0..part.rows()).map(|row| part.kind_of.get(row).copied().unwrap_or(0)));
            account_of.extend(part.priced_accounts());
        }
        let seconds = |values| tariff::Instants { values, per_second: 1 };
        let stays = Columns {
            entry: seconds(&entry_s),
            exit: seconds(&exit_s),
            kinds: self.kinds,
            kind_of: &kind_of,
        };
        let mut whole = Outcome::of(rows);
        self.tariff
            .price_accounts(&stays, &account_of, whole.fees(), self.threads);
        let mut from = 0;
        parts
            .iter()
            .map(|part| {
                let to = from + part.rows();
                let mut outcome = Outcome {
                    fee_minor: whole.fee_minor[from..to].to_vec(),
                    refusal: whole.refusal[from..to].to_vec(),
                };
                outcome.note_missing(part);
                from = to;
                outcome
            })
            .collect()
    }
}

impl Part {
    fn rows(&self) -> usize {
        self.entry.instants().values.len()
    }

    fn columns<'a>(&'a self, kinds: &'a [Kind<'a>]) -> Columns<'a> {
        Columns {
            entry: self.entry.instants(),
            exit: self.exit.instants(),
            kinds,
            kind_of: &self.kind_of,
        }
    }

    /// The account of each row; a row that is not priced must not use up what its account has, so it stands alone.
    fn priced_accounts(&self) -> Vec<u32> {
        let missing = NullBuffer::union(self.entry.nulls(), self.exit.nulls());
        let is_missing = |row| missing.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let accounts = self.accounts.as_deref().unwrap_or_default();
        (0..self.rows())
            .map(|row| match accounts.get(row) {
                Some(account) if !is_missing(row) => *account,
                _ => NULL,
            })
            .collect()
    }
}

impl Outcome {
    fn of(rows: usize) -> Self {
        Self {
            fee_minor: vec![0; rows],
            refusal: vec![0; rows],
        }
    }

    fn fees(&mut self) -> Fees<'_> {
        Fees {
            fee_minor: &mut self.fee_minor,
            refusal: &mut self.refusal,
        }
    }

    fn note_missing(&mut self, part: &Part) {
        if let Some(nulls) = NullBuffer::union(part.entry.nulls(), part.exit.nulls()) {
            for (row, refusal) in self.refusal.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    *refusal = INSTANT_MISSING;
                }
            }
        }
    }
}

/// The codes of refusals, each at the place of its number; no row refers to the first.
fn codes() -> Vec<&'static str> {
    let own = PriceError::ALL.iter().map(|error| error.code());
    std::iter::once("").chain(own).chain([INSTANT_MISSING_CODE]).collect()
}

/// Fees of stays, row by row: `fee_minor` (int64) and `refusal` (text), one of which is null in each row.
#[pyclass(module = "parkflow._core", frozen)]
pub struct FeeTable {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    refusals: BTreeMap<&'static str, usize>,
}

impl FeeTable {
    fn of(tariff: &tariff::Tariff, outcomes: Vec<Outcome>) -> Self {
        let text = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let about = [
            ("currency", tariff.currency().to_owned()),
            ("minor_exponent", tariff.minor_exponent().to_string()),
            ("tariff_sha256", tariff.sha256_hex().to_owned()),
            ("tzdata_version", tariff.tzdata_version().to_owned()),
        ];
        let schema = Arc::new(
            Schema::new(vec![
                Field::new("fee_minor", DataType::Int64, true),
                Field::new("refusal", text, true),
            ])
            .with_metadata(about.map(|(name, value)| (name.to_owned(), value)).into()),
        );
        let codes = codes();
        let values: ArrayRef = Arc::new(StringArray::from(codes.clone()));
        let mut refusals = BTreeMap::new();
        let batches = outcomes
            .into_iter()
            .map(|outcome| {
                for number in outcome.refusal.iter().filter(|number| **number != 0) {
                    *refusals.entry(codes[usize::from(*number)]).or_default() += 1;
                }
                batch(&schema, &values, outcome)
            })
            .collect();
        Self {
            schema,
            batches,
            refusals,
        }
    }
}

/// The two columns of a batch; the numbers of refusals are the keys of their codes as they are.
fn batch(schema: &SchemaRef, values: &ArrayRef, outcome: Outcome) -> RecordBatch {
    let Outcome { fee_minor, refusal } = outcome;
    let rows = refusal.len();
    let (has_fee, is_refused) = if refusal.iter().all(|number| *number == 0) {
        (None, NullBuffer::new_null(rows))
    } else {
        let is_refused = BooleanBuffer::collect_bool(rows, |row| refusal[row] != 0);
        (Some(NullBuffer::new(!&is_refused)), NullBuffer::new(is_refused))
    };
    let keys = Int8Array::new(ScalarBuffer::new(Buffer::from_vec(refusal), 0, rows), Some(is_refused));
    let refusal = DictionaryArray::new(keys, Arc::clone(values));
    let fee_minor = Int64Array::new(ScalarBuffer::from(fee_minor), has_fee);
    let columns: Vec<ArrayRef> = vec![Arc::new(fee_minor), Arc::new(refusal)];
    RecordBatch::try_new(Arc::clone(schema), columns).expect("two columns of one length, as the schema says")
}

#[pymethods]
impl FeeTable {
    /// How many rows were refused, by the code of the refusal.
    #[getter]
    fn refusals(&self) -> BTreeMap<&'static str, usize> {
        self.refusals.clone()
    }

    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface allows to answer in the producer's own schema.
        drop(requested_schema);
        arrow::stream(py, Arc::clone(&self.schema), self.batches.clone())
    }

    fn __repr__(&self) -> String {
        format!(
            "FeeTable({} rows, {} refused)",
            self.__len__(),
            self.refusals.values().sum::<usize>()
        )
    }
}
