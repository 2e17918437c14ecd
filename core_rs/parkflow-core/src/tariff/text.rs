//! Tariff text (YAML 1.2, hence JSON too) to a small tree with line numbers, with bounds on size and depth.
//!
//! Only what a tariff needs is read: maps, lists, text, whole numbers, true and false. Anchors, aliases, tags and second
//! documents are refused, so that a text cannot grow while it is read.

use std::fmt::Write as _;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::error::{join, shown, TariffError};

/// Longest tariff text in bytes; the largest known tariff has 12 kB.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting; the language itself needs 9.
const DEPTH_MAX: usize = 24;
/// Most fields of one map; the language has 16, a tariff names a few dozen sets of dates.
const FIELDS_MAX: usize = 256;

/// One value of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Value {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Integer(i64),
    Boolean(bool),
    #[default]
    Null,
}

/// A value and the line it stands on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub line: usize,
    pub value: Value,
}

impl Node {
    /// A field of a map.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(entry, _)| entry == name).map(|(_, node)| node),
            _ => None,
        }
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries
                .iter_mut()
                .find(|(entry, _)| entry == name)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// A field of a map if it is text.
    pub fn text_at(&self, name: &str) -> Option<String> {
        match self.get(name).map(|node| &node.value) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// The items of a list that is a field of a map; none of anything else.
    pub fn items_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Node> {
        match self.get_mut(name).map(|node| &mut node.value) {
            Some(Value::List(items)) => items.iter_mut(),
            _ => [].iter_mut(),
        }
    }

    /// Removes a field of a map.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        match &mut self.value {
            Value::Map(entries) => {
                let index = entries.iter().position(|(entry, _)| entry == name)?;
                Some(entries.remove(index).1)
            }
            _ => None,
        }
    }

    /// Adds a field that the map does not have.
    pub fn put(&mut self, name: &str, node: Node) {
        if let Value::Map(entries) = &mut self.value {
            entries.push((name.to_owned(), node));
        }
    }

    /// Says that everything below stands on one line.
    pub fn move_to_line(&mut self, line: usize) {
        self.line = line;
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| node.move_to_line(line)),
            Value::List(items) => items.iter_mut().for_each(|node| node.move_to_line(line)),
            _ => {}
        }
    }

    /// A lower bound of the bytes of the canonical form, in which a value takes two with its comma.
    pub fn bytes_min(&self) -> usize {
        let below: usize = match &self.value {
            Value::Map(entries) => entries
                .iter()
                .map(|(name, node)| name.len().saturating_add(node.bytes_min()))
                .sum(),
            Value::List(items) => items.iter().map(Node::bytes_min).sum(),
            Value::Text(text) => text.len(),
            _ => 0,
        };
        below.saturating_add(2)
    }
}

/// A list or map whose end has not come yet.
struct Open {
    line: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<(String, Node)>,
        key: Option<String>,
    },
}

fn syntax(line: usize, message: impl Into<String>) -> TariffError {
    TariffError {
        code: "tariff_syntax",
        path: String::new(),
        line,
        message: message.into(),
    }
}

/// What the reader of YAML says, and what it most often means.
fn not_yaml(line: usize, reason: &str) -> TariffError {
    let meant = match reason {
        _ if reason.contains("tab") => "; indent with spaces",
        "mapping values are not allowed in this context" => {
            "; this line is indented differently from its neighbours, or a text with a colon needs quotes"
        }
        "simple key expect ':'" | "simple key expected" => {
            "; a field is written `name: value`, with a space after the colon"
        }
        _ if reason.contains("recursion") => "; it is nested too deeply",
        _ => "",
    };
    syntax(line, format!("not valid YAML: {reason}{meant}"))
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Node, TariffError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(syntax(
            1,
            format!("the text has {} bytes; at most {TEXT_BYTES_MAX} are read", text.len()),
        ));
    }
    let mut builder = Builder {
        open: Vec::new(),
        root: None,
    };
    for item in Parser::new_from_str(text) {
        let (event, span) = item.map_err(|e| not_yaml(e.marker().line(), e.info()))?;
        builder.take(event, span.start.line())?;
    }
    builder
        .root
        .ok_or_else(|| syntax(1, "the text is empty; a tariff starts with `ptl: 1`"))
}

struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), TariffError> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_none() => Ok(()),
            Event::DocumentStart(_) => Err(syntax(line, "a second document; keep one tariff in a file")),
            Event::Alias(_) => Err(syntax(line, "aliases (`*name`) are not read; write the value out")),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_anchor(anchor, tag.as_deref(), line)?;
                self.scalar(&text, style, line)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_anchor(anchor, tag.as_deref(), line)?;
                self.push(Open {
                    line,
                    kind: OpenKind::List(Vec::new()),
                })
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_anchor(anchor, tag.as_deref(), line)?;
                self.push(Open {
                    line,
                    kind: OpenKind::Map {
                        entries: Vec::new(),
                        key: None,
                    },
                })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open {
                    line,
                    kind: OpenKind::List(items),
                }) => self.place(Node {
                    line,
                    value: Value::List(items),
                }),
                Some(Open {
                    line,
                    kind: OpenKind::Map { entries, .. },
                }) => self.place(Node {
                    line,
                    value: Value::Map(entries),
                }),
                None => Err(syntax(line, "an end without a start")),
            },
        }
    }

    fn push(&mut self, open: Open) -> Result<(), TariffError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(syntax(open.line, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        if let Some(Open {
            kind: OpenKind::Map { key: None, .. },
            ..
        }) = self.open.last()
        {
            return Err(syntax(open.line, "a field name must be text"));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize) -> Result<(), TariffError> {
        if let Some(Open {
            kind: OpenKind::Map {
                entries,
                key: key @ None,
            },
            ..
        }) = self.open.last_mut()
        {
            if entries.len() >= FIELDS_MAX {
                return Err(syntax(line, format!("a map with more than {FIELDS_MAX} fields")));
            }
            if entries.iter().any(|(name, _)| name == text) {
                let twice = format!("`{}` is given twice; keep one of them", shown(text));
                return Err(self.refused(line, twice));
            }
            *key = Some(text.to_owned());
            return Ok(());
        }
        let value = if style == ScalarStyle::Plain {
            plain(text).ok_or_else(|| self.refused(line, "this whole number is too large"))?
        } else {
            Value::Text(text.to_owned())
        };
        self.place(Node { line, value })
    }

    fn place(&mut self, node: Node) -> Result<(), TariffError> {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map { entries, key }) => match key.take() {
                Some(name) => entries.push((name, node)),
                None => return Err(syntax(node.line, "a field name must be text")),
            },
        }
        Ok(())
    }

    fn refuse_anchor(&self, anchor: usize, tag: Option<&Tag>, line: usize) -> Result<(), TariffError> {
        match tag {
            Some(tag) if tag.handle == "!" => {
                let word = shown(&tag.suffix);
                Err(self.refused(line, format!("a word that begins with `!` needs quotes: \"!{word}\"")))
            }
            None if anchor == 0 => Ok(()),
            _ => Err(self.refused(
                line,
                "anchors (`&name`) and tags (`!!name`) are not read; write plain values",
            )),
        }
    }

    /// A refusal at the value that is being read.
    fn refused(&self, line: usize, message: impl Into<String>) -> TariffError {
        let mut path = String::new();
        for open in &self.open {
            match &open.kind {
                OpenKind::List(items) => {
                    // Writing to a String cannot fail.
                    let _ = write!(path, "[{}]", items.len());
                }
                OpenKind::Map { key: Some(key), .. } => path = join(&path, key),
                OpenKind::Map { key: None, .. } => {}
            }
        }
        TariffError {
            path,
            ..syntax(line, message)
        }
    }
}

/// The core schema of YAML 1.2 (section 10.3.2) without floats: money and time are never floats here.
fn plain(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                Value::Integer(text.parse().ok()?)
            } else {
                Value::Text(text.to_owned())
            }
        }
    })
}
