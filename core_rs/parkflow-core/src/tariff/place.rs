//! A node of the tariff text with its path, and the typed ways to read it; every refusal names both.

use super::error::{join, near, TariffError};
use super::text::{Node, Value};

/// Longest duration a tariff may name: ten years.
pub(super) const DURATION_SECONDS_MAX: i64 = 3_660 * 86_400;
/// Largest price in minor units; with the other bounds no sum leaves 128 bits.
pub(super) const PRICE_MINOR_MAX: i64 = 1_000_000_000_000;
/// Longest name of a tariff, plan, band, class, tag or pool.
const NAME_CHARS_MAX: usize = 100;

/// Most plans of a tariff, and most steps of a ladder.
pub(super) const PLANS_MAX: usize = 64;
pub(super) const STEPS_MAX: usize = 64;

/// A node and the path that leads to it.
#[derive(Clone)]
pub(super) struct Place<'a> {
    node: &'a Node,
    path: String,
}

/// The fields of a map, all of them known.
pub(super) struct Fields<'a> {
    place: Place<'a>,
    entries: &'a [(String, Node)],
}

impl<'a> Place<'a> {
    pub fn root(node: &'a Node) -> Self {
        Self {
            node,
            path: String::new(),
        }
    }

    /// A node that is not reached from the root.
    pub fn at(node: &'a Node, path: String) -> Self {
        Self { node, path }
    }

    pub fn line(&self) -> usize {
        self.node.line
    }

    /// A refusal at this place.
    pub fn invalid(&self, message: impl Into<String>) -> TariffError {
        TariffError {
            code: "tariff_invalid",
            path: self.path.clone(),
            line: self.node.line,
            message: message.into(),
        }
    }

    /// The map at this place; a field outside `known` is refused, never ignored.
    pub fn fields(&self, known: &[&str]) -> Result<Fields<'a>, TariffError> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.invalid(format!("needs fields such as `{}`", known.first().unwrap_or(&""))));
        };
        for (name, node) in entries {
            if !known.contains(&name.as_str()) {
                let place = Place {
                    node,
                    path: join(&self.path, name),
                };
                if name.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(place.invalid("a comma parts fields; write an amount in minor units, 250 for 2.50"));
                }
                let stop = if near(name, known).is_empty() { ";" } else { "" };
                return Err(place.invalid(format!(
                    "unknown field{}{stop} known here: {}",
                    near(name, known),
                    known.join(", ")
                )));
            }
        }
        Ok(Fields {
            place: self.clone(),
            entries,
        })
    }

    /// The named values of a map whose names the tariff chooses.
    pub fn named(&self) -> Result<Vec<(&'a str, Place<'a>)>, TariffError> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.invalid("needs names with values"));
        };
        Ok(entries
            .iter()
            .map(|(name, node)| {
                (
                    name.as_str(),
                    Place {
                        node,
                        path: join(&self.path, name),
                    },
                )
            })
            .collect())
    }

    /// The items of a list of at most `items_max`.
    pub fn list(&self, items_max: usize) -> Result<Vec<Place<'a>>, TariffError> {
        let Value::List(items) = &self.node.value else {
            return Err(self.invalid("needs a list, such as [ … ]"));
        };
        if items.len() > items_max {
            return Err(self.invalid(format!("has {} items; at most {items_max} are allowed", items.len())));
        }
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, node)| Place {
                node,
                path: format!("{}[{index}]", self.path),
            })
            .collect())
    }

    /// The items of a list, or the one value that stands in its place.
    pub fn one_or_list(&self, items_max: usize) -> Result<Vec<Place<'a>>, TariffError> {
        if matches!(self.node.value, Value::List(_)) {
            self.list(items_max)
        } else {
            Ok(vec![self.clone()])
        }
    }

    pub fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    pub fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// Text; line breaks are its only control characters, so that it can be stored and shown.
    pub fn text(&self) -> Result<&'a str, TariffError> {
        match &self.node.value {
            Value::Text(text) if text.contains(|c: char| c.is_control() && c != '\n') => {
                Err(self.invalid("needs text without control characters"))
            }
            Value::Text(text) if !text.is_empty() => Ok(text),
            _ => Err(self.invalid("needs text")),
        }
    }

    /// The name of a thing: a short text on one line.
    pub fn name(&self) -> Result<&'a str, TariffError> {
        let text = self.text()?;
        if text.contains('\n') || text.chars().count() > NAME_CHARS_MAX {
            return Err(self.invalid(format!(
                "needs a name on one line of at most {NAME_CHARS_MAX} characters"
            )));
        }
        Ok(text)
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, TariffError> {
        let found = match &self.node.value {
            Value::Text(text) => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let near = match &self.node.value {
                Value::Text(text) => near(text, &known),
                _ => String::new(),
            };
            self.invalid(format!("needs one of: {}{near}", known.join(", ")))
        })
    }

    pub fn boolean(&self) -> Result<bool, TariffError> {
        match self.node.value {
            Value::Boolean(value) => Ok(value),
            _ => Err(self.invalid("needs true or false (yes, no, on and off are plain words)")),
        }
    }

    /// A whole number from `low` to `high`.
    pub fn integer(&self, low: i64, high: i64) -> Result<i64, TariffError> {
        match self.node.value {
            Value::Integer(value) if (low..=high).contains(&value) => Ok(value),
            _ => Err(self.invalid(format!("needs a whole number from {low} to {high}"))),
        }
    }

    /// An amount in minor units.
    pub fn price_minor(&self) -> Result<i64, TariffError> {
        self.integer(0, PRICE_MINOR_MAX).map_err(|_| {
            self.invalid(format!(
                "needs an amount in minor units (250 for 2.50), a whole number from 0 to {PRICE_MINOR_MAX}"
            ))
        })
    }

    /// A length of time in seconds: a number of minutes, or text such as `20s`, `90m`, `1h30m`.
    pub fn duration_s(&self) -> Result<i64, TariffError> {
        let seconds = match &self.node.value {
            Value::Integer(minutes) => minutes.checked_mul(60),
            Value::Text(text) => spelled_duration_s(text),
            _ => None,
        };
        match seconds {
            Some(seconds) if (0..=DURATION_SECONDS_MAX).contains(&seconds) => Ok(seconds),
            _ => Err(self.invalid("needs minutes as a number, or text such as 20s, 90m, 1h30m (at most ten years)")),
        }
    }

    /// A length of time of at least one second.
    pub fn positive_duration_s(&self) -> Result<i64, TariffError> {
        match self.duration_s()? {
            0 => Err(self.invalid("must be longer than nothing")),
            seconds => Ok(seconds),
        }
    }
}

impl<'a> Fields<'a> {
    pub fn optional(&self, name: &str) -> Option<Place<'a>> {
        let (_, node) = self.entries.iter().find(|(entry, _)| entry == name)?;
        Some(Place {
            node,
            path: join(&self.place.path, name),
        })
    }

    pub fn required(&self, name: &str) -> Result<Place<'a>, TariffError> {
        self.optional(name)
            .ok_or_else(|| self.place.invalid(format!("`{name}` is missing")))
    }
}

/// `1h30m`, `90m`, `20s`: each unit at most once, longest first.
fn spelled_duration_s(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut seconds: i64 = 0;
    for (letter, unit_s) in [('h', 3_600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(letter) {
            if number.is_empty() || number.len() > 10 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let count: i64 = number.parse().ok()?;
            seconds = seconds.checked_add(count.checked_mul(unit_s)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}
