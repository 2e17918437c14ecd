//! Tables of stays for `Tariff.price_batch`: their columns checked and read where they lie.

use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Int16Type, Int32Type, Int64Type, Int8Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt16Type, UInt32Type, UInt64Type,
    UInt8Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::{DataType, TimeUnit};
use parkflow_core::tariff::{Instants, NO_ACCOUNT};

/// Why a table is refused: the column and what would be right.
pub struct Refused {
    pub column: &'static str,
    pub message: String,
}

fn refused<T>(column: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused {
        column,
        message: message.into(),
    })
}

/// A column of instants: the array and how many of its units make a second.
pub struct InstantColumn {
    array: ArrayRef,
    per_second: i64,
}

impl InstantColumn {
    pub fn of(batch: &RecordBatch, name: &'static str) -> Result<Self, Refused> {
        let Some(array) = batch.column_by_name(name) else {
            return refused(name, format!("the table has no column `{name}`"));
        };
        let per_second = match array.data_type() {
            DataType::Int64 | DataType::Timestamp(TimeUnit::Second, Some(_)) => 1,
            DataType::Timestamp(_, None) => {
                return refused(
                    name,
                    "has no time zone, so its instants are unknown; give it one (UTC), or seconds since 1970 as int64",
                );
            }
            DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => 1_000,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => 1_000_000,
            DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => 1_000_000_000,
            other => {
                let message = format!("is {other}; needs int64 (seconds since 1970, UTC) or a timestamp with a zone");
                return refused(name, message);
            }
        };
        Ok(Self {
            array: array.clone(),
            per_second,
        })
    }

    pub fn instants(&self) -> Instants<'_> {
        let array = &self.array;
        let values: &[i64] = match array.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => array.as_primitive::<TimestampSecondType>().values(),
            DataType::Timestamp(TimeUnit::Millisecond, _) => array.as_primitive::<TimestampMillisecondType>().values(),
            DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values(),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => array.as_primitive::<TimestampNanosecondType>().values(),
            _ => array.as_primitive::<Int64Type>().values(),
        };
        Instants {
            values,
            per_second: self.per_second,
        }
    }

    pub fn nulls(&self) -> Option<&NullBuffer> {
        self.array.nulls()
    }
}

/// Numbers things in the order in which they are first seen.
pub struct Numbering<K> {
    numbers: HashMap<K, u32, RandomState>,
    pub seen: Vec<K>,
}

impl<K: Hash + Eq + Clone> Numbering<K> {
    pub fn new() -> Self {
        Self {
            numbers: HashMap::default(),
            seen: Vec::new(),
        }
    }

    /// The number of a thing; the last one stays below `NO_ACCOUNT`, as there are fewer rows.
    pub fn of<Q>(&mut self, thing: &Q) -> u32
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(number) = self.numbers.get(thing) {
            return *number;
        }
        let number = u32::try_from(self.seen.len()).unwrap_or(NO_ACCOUNT);
        self.numbers.insert(thing.to_owned(), number);
        self.seen.push(thing.to_owned());
        number
    }
}

/// Stands for null in a column of numbers.
pub const NULL: u32 = u32::MAX;

/// The numbers of a column of texts.
pub fn text_numbers(
    array: &dyn Array,
    column: &'static str,
    numbering: &mut Numbering<String>,
) -> Result<Vec<u32>, Refused> {
    let mut number = |text: Option<&str>| text.map_or(NULL, |text| numbering.of(text));
    Ok(match array.data_type() {
        DataType::Null => vec![NULL; array.len()],
        DataType::Utf8 => array.as_string::<i32>().iter().map(number).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(number).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(&mut number).collect(),
        DataType::Dictionary(key, _) => {
            let (values, keys) = dictionary(array, key, column)?;
            let of_values = text_numbers(values, column, numbering)?;
            keys.into_iter()
                .map(|key| key.and_then(|key| of_values.get(key).copied()).unwrap_or(NULL))
                .collect()
        }
        other => return refused(column, format!("is {other}; needs text")),
    })
}

type Dictionary<'a> = (&'a dyn Array, Vec<Option<usize>>);

fn dictionary<'a>(array: &'a dyn Array, key: &DataType, column: &'static str) -> Result<Dictionary<'a>, Refused> {
    fn of<K: ArrowDictionaryKeyType>(array: &dyn Array) -> Dictionary<'_> {
        let array = array.as_dictionary::<K>();
        let keys = array.keys().iter().map(|key| key.map(ArrowNativeType::as_usize));
        (array.values().as_ref(), keys.collect())
    }
    Ok(match key {
        DataType::Int8 => of::<Int8Type>(array),
        DataType::Int16 => of::<Int16Type>(array),
        DataType::Int32 => of::<Int32Type>(array),
        DataType::Int64 => of::<Int64Type>(array),
        DataType::UInt8 => of::<UInt8Type>(array),
        DataType::UInt16 => of::<UInt16Type>(array),
        DataType::UInt32 => of::<UInt32Type>(array),
        DataType::UInt64 => of::<UInt64Type>(array),
        other => return refused(column, format!("has a dictionary with keys of {other}")),
    })
}

/// The numbers of a column of lists of texts; null is the same as an empty list.
pub fn list_numbers(array: &dyn Array, numbering: &mut Numbering<Vec<String>>) -> Result<Vec<u32>, Refused> {
    const COLUMN: &str = "tags";
    let mut texts = Numbering::new();
    let mut numbers = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let items = match array.data_type() {
            DataType::List(_) if array.is_valid(row) => Some(array.as_list::<i32>().value(row)),
            DataType::LargeList(_) if array.is_valid(row) => Some(array.as_list::<i64>().value(row)),
            DataType::List(_) | DataType::LargeList(_) | DataType::Null => None,
            other => return refused(COLUMN, format!("is {other}; needs lists of texts")),
        };
        let mut tags: Vec<String> = Vec::new();
        if let Some(items) = items {
            let known = text_numbers(items.as_ref(), COLUMN, &mut texts)?;
            tags.extend(
                known
                    .into_iter()
                    .filter_map(|number| texts.seen.get(number as usize).cloned()),
            );
        }
        numbers.push(numbering.of(&tags));
    }
    Ok(numbers)
}

/// Accounts by what the table calls them.
pub enum Accounts {
    Integers(Numbering<i64>),
    Texts(Numbering<String>),
    Bytes(Numbering<Vec<u8>>),
}

impl Accounts {
    pub fn of(array: &dyn Array) -> Result<Self, Refused> {
        Ok(match array.data_type() {
            DataType::Int64 | DataType::UInt64 | DataType::Int32 | DataType::UInt32 => Self::Integers(Numbering::new()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) | DataType::Null => {
                Self::Texts(Numbering::new())
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Bytes(Numbering::new())
            }
            other => return refused("account", format!("is {other}; needs whole numbers, text or bytes")),
        })
    }

    /// The numbers of the accounts in one part of the column; null: none.
    pub fn numbers(&mut self, array: &dyn Array) -> Result<Vec<u32>, Refused> {
        match self {
            Self::Texts(numbering) => text_numbers(array, "account", numbering),
            Self::Integers(numbering) => {
                let mut number = |value: Option<i64>| value.map_or(NULL, |value| numbering.of(&value));
                Ok(match array.data_type() {
                    DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(number).collect(),
                    // Only whether two are equal counts, so the bits may be read as they are.
                    DataType::UInt64 => {
                        let values = array.as_primitive::<UInt64Type>().iter();
                        values.map(|value| number(value.map(u64::cast_signed))).collect()
                    }
                    DataType::Int32 => {
                        let values = array.as_primitive::<Int32Type>().iter();
                        values.map(|value| number(value.map(i64::from))).collect()
                    }
                    _ => {
                        let values = array.as_primitive::<UInt32Type>().iter();
                        values.map(|value| number(value.map(i64::from))).collect()
                    }
                })
            }
            Self::Bytes(numbering) => {
                let number = |value: Option<&[u8]>| value.map_or(NULL, |value| numbering.of(value));
                Ok(match array.data_type() {
                    DataType::Binary => array.as_binary::<i32>().iter().map(number).collect(),
                    DataType::LargeBinary => array.as_binary::<i64>().iter().map(number).collect(),
                    DataType::BinaryView => array.as_binary_view().iter().map(number).collect(),
                    _ => array.as_fixed_size_binary().iter().map(number).collect(),
                })
            }
        }
    }
}
