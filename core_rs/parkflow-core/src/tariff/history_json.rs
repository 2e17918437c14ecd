//! The history of an account as text: canonical JSON out, a strict and bounded reader in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::canonical::write_text;
use super::error::{shown, TariffError};
use super::fee::INSTANT_MAX_S;
use super::history::{CapUse, Chain, History, SCALE_MAX};

/// Longest text of a history in bytes; one of a year of daily stays under five caps has 60 kB.
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024;
/// Longest key of a cap: a pool's name, or tariff, plan and number.
const KEY_CHARS_MAX: usize = 300;
/// Largest number of a window or day; instants end in 2100.
const WINDOW_MAX: i64 = INSTANT_MAX_S;

impl History {
    /// Compact JSON with sorted names; what is empty is left out, so a new history is `{}`.
    ///
    /// `chain` has the start and end of the chain of re-entries and what it was charged; `free` pairs of local day (days since
    /// 1970) and used seconds; `uses` per cap the scale of its amounts and its windows as `[number, number, used]`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut fields: Vec<String> = Vec::with_capacity(3);
        if let Some(Chain {
            entry_s,
            exit_s,
            charged_minor,
        }) = self.chain
        {
            fields.push(format!(
                "\"chain\":{{\"charged_minor\":{charged_minor},\"entry_s\":{entry_s},\"exit_s\":{exit_s}}}"
            ));
        }
        if !self.free_used_s.is_empty() {
            let days = self.free_used_s.iter().map(|(day, used_s)| format!("[{day},{used_s}]"));
            fields.push(format!("\"free\":[{}]", days.collect::<Vec<_>>().join(",")));
        }
        if !self.uses.is_empty() {
            let uses = self.uses.iter().map(|(key, used)| cap_use_json(key, used));
            fields.push(format!("\"uses\":{{{}}}", uses.collect::<Vec<_>>().join(",")));
        }
        format!("{{{}}}", fields.join(","))
    }

    /// Reads what [`History::to_json`] wrote; names may stand in any order and white space between them.
    ///
    /// # Errors
    /// `history_invalid` for every other text, with the place in it.
    pub fn from_json(text: &str) -> Result<Self, TariffError> {
        let mut reader = Reader { text, at: 0 };
        if text.len() > HISTORY_BYTES_MAX {
            return Err(reader.invalid(&format!("a history has at most {HISTORY_BYTES_MAX} bytes")));
        }
        let mut history = Self::default();
        let mut seen: Vec<String> = Vec::new();
        reader.map(|reader, name| {
            if seen.contains(&name) {
                return Err(reader.invalid(&format!("`{}` is given twice", shown(&name))));
            }
            match name.as_str() {
                "chain" => history.chain = Some(reader.chain()?),
                "free" => history.free_used_s = reader.free()?,
                "uses" => history.uses = reader.uses()?,
                _ => return Err(reader.invalid(&format!("`{}` is unknown; known: chain, free, uses", shown(&name)))),
            }
            seen.push(name);
            Ok(())
        })?;
        reader.skip_space();
        if reader.at < text.len() {
            return Err(reader.invalid("nothing may follow the history"));
        }
        Ok(history)
    }
}

fn cap_use_json(key: &str, used: &CapUse) -> String {
    let mut out = String::new();
    write_text(&mut out, key);
    let windows = used
        .windows
        .iter()
        .map(|((first, second), used)| format!("[{first},{second},{used}]"));
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        ":{{\"scale\":{},\"windows\":[{}]}}",
        used.scale,
        windows.collect::<Vec<_>>().join(",")
    );
    out
}

/// A place in the text. Nothing nests deeper than the grammar of a history, so nothing recurses.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn invalid(&self, message: &str) -> TariffError {
        TariffError {
            code: "history_invalid",
            path: format!("byte {}", self.at),
            line: 1,
            message: message.to_owned(),
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        let space = rest
            .len()
            .saturating_sub(rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
        self.at = self.at.saturating_add(space);
    }

    /// Takes a mark, with white space before it; false when something else stands there.
    fn took(&mut self, mark: char) -> bool {
        self.skip_space();
        let is_there = self.rest().starts_with(mark);
        if is_there {
            self.at = self.at.saturating_add(mark.len_utf8());
        }
        is_there
    }

    fn take(&mut self, mark: char) -> Result<(), TariffError> {
        if self.took(mark) {
            return Ok(());
        }
        Err(self.invalid(&format!("needs `{mark}`")))
    }

    /// `{name: value, …}`; `field` reads the value.
    fn map(&mut self, mut field: impl FnMut(&mut Self, String) -> Result<(), TariffError>) -> Result<(), TariffError> {
        self.take('{')?;
        if self.took('}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.take(':')?;
            field(self, name)?;
            if !self.took(',') {
                return self.take('}');
            }
        }
    }

    /// `[item, …]`; `item` reads one.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), TariffError>) -> Result<(), TariffError> {
        self.take('[')?;
        if self.took(']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.took(',') {
                return self.take(']');
            }
        }
    }

    /// A whole number from `low` to `high`, without sign `+`, exponent or leading zeros.
    fn number(&mut self, low: i128, high: i128) -> Result<i128, TariffError> {
        self.skip_space();
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let after = digits.trim_start_matches(|character: char| character.is_ascii_digit());
        let length = rest.len().saturating_sub(after.len());
        let written = rest.get(..length).unwrap_or("");
        // What a number is written like again is how it must have been written.
        let value = written
            .parse::<i128>()
            .ok()
            .filter(|value| value.to_string() == written);
        let Some(value) = value.filter(|value| (low..=high).contains(value)) else {
            return Err(self.invalid(&format!("needs a whole number from {low} to {high}")));
        };
        self.at = self.at.saturating_add(length);
        Ok(value)
    }

    fn number_64(&mut self, low: i64, high: i64) -> Result<i64, TariffError> {
        let value = self.number(i128::from(low), i128::from(high))?;
        i64::try_from(value).map_err(|_| self.invalid("is too large"))
    }

    fn string(&mut self) -> Result<String, TariffError> {
        self.take('"')?;
        let mut out = String::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err(self.invalid("text without an end"));
            };
            self.at = self.at.saturating_add(next.len_utf8());
            match next {
                '"' if out.chars().count() <= KEY_CHARS_MAX => return Ok(out),
                '"' => return Err(self.invalid(&format!("a name has at most {KEY_CHARS_MAX} characters"))),
                '\\' => out.push(self.escaped()?),
                control if u32::from(control) < 0x20 => return Err(self.invalid("a control character within text")),
                other => out.push(other),
            }
        }
    }

    /// What follows a backslash (RFC 8259, section 7).
    fn escaped(&mut self) -> Result<char, TariffError> {
        let next = self.rest().chars().next();
        self.at = self.at.saturating_add(next.map_or(0, char::len_utf8));
        let plain = match next {
            Some(same @ ('"' | '\\' | '/')) => Some(same),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('u') => {
                let mut units = vec![self.unit()?];
                if (0xd800..0xdc00).contains(units.first().unwrap_or(&0)) && self.rest().starts_with("\\u") {
                    self.at = self.at.saturating_add(2);
                    units.push(self.unit()?);
                }
                char::decode_utf16(units).next().and_then(Result::ok)
            }
            _ => None,
        };
        plain.ok_or_else(|| self.invalid("an escape that JSON does not have"))
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, TariffError> {
        let digits = self.rest().get(..4).unwrap_or("");
        if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.invalid("needs four hexadecimal digits"));
        }
        let unit = u16::from_str_radix(digits, 16).map_err(|_| self.invalid("needs four hexadecimal digits"))?;
        self.at = self.at.saturating_add(4);
        Ok(unit)
    }

    fn chain(&mut self) -> Result<Chain, TariffError> {
        let (mut charged_minor, mut entry_s, mut exit_s) = (None, None, None);
        self.map(|reader, name| {
            let (field, high) = match name.as_str() {
                "charged_minor" => (&mut charged_minor, i64::MAX),
                "entry_s" => (&mut entry_s, INSTANT_MAX_S),
                "exit_s" => (&mut exit_s, INSTANT_MAX_S),
                _ => return Err(reader.invalid(&format!("`{}` is unknown in a chain", shown(&name)))),
            };
            if field.is_some() {
                return Err(reader.invalid(&format!("`{name}` is given twice")));
            }
            *field = Some(reader.number_64(0, high)?);
            Ok(())
        })?;
        match (charged_minor, entry_s, exit_s) {
            (Some(charged_minor), Some(entry_s), Some(exit_s)) if entry_s <= exit_s => Ok(Chain {
                entry_s,
                exit_s,
                charged_minor,
            }),
            _ => Err(self.invalid("a chain needs charged_minor, entry_s and an exit_s that is not before it")),
        }
    }

    fn free(&mut self) -> Result<BTreeMap<i64, i64>, TariffError> {
        let mut days = BTreeMap::new();
        self.list(|reader| {
            reader.take('[')?;
            let day = reader.number_64(-WINDOW_MAX, WINDOW_MAX)?;
            reader.take(',')?;
            let used_s = reader.number_64(0, i64::MAX)?;
            reader.take(']')?;
            if days.last_key_value().is_some_and(|(last, _)| *last >= day) {
                return Err(reader.invalid("days rise from one to the next"));
            }
            days.insert(day, used_s);
            Ok(())
        })?;
        Ok(days)
    }

    fn uses(&mut self) -> Result<BTreeMap<String, CapUse>, TariffError> {
        let mut uses = BTreeMap::new();
        self.map(|reader, key| {
            let cap = reader.cap_use()?;
            if key.is_empty() || uses.insert(key, cap).is_some() {
                return Err(reader.invalid("a cap has a name, and each name once"));
            }
            Ok(())
        })?;
        Ok(uses)
    }

    fn cap_use(&mut self) -> Result<CapUse, TariffError> {
        let (mut scale, mut windows) = (None, None);
        self.map(|reader, name| {
            match name.as_str() {
                "scale" if scale.is_none() => scale = Some(reader.number(1, SCALE_MAX)?),
                "windows" if windows.is_none() => windows = Some(reader.windows()?),
                _ => return Err(reader.invalid("a cap has `scale` and `windows`, each once")),
            }
            Ok(())
        })?;
        let (Some(scale), Some(windows)) = (scale, windows) else {
            return Err(self.invalid("a cap has `scale` and `windows`"));
        };
        Ok(CapUse { scale, windows })
    }

    fn windows(&mut self) -> Result<BTreeMap<(i64, i64), i128>, TariffError> {
        let mut windows = BTreeMap::new();
        self.list(|reader| {
            reader.take('[')?;
            let first = reader.number_64(-WINDOW_MAX, WINDOW_MAX)?;
            reader.take(',')?;
            let second = reader.number_64(-WINDOW_MAX, WINDOW_MAX)?;
            reader.take(',')?;
            let used = reader.number(0, i128::MAX)?;
            reader.take(']')?;
            if windows
                .last_key_value()
                .is_some_and(|(last, _)| *last >= (first, second))
            {
                return Err(reader.invalid("windows rise from one to the next"));
            }
            windows.insert((first, second), used);
            Ok(())
        })?;
        Ok(windows)
    }
}
