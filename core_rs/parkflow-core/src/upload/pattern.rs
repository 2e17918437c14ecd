//! The kinds of values in an upload: each says in words what it wants, and takes nothing else.

use core::fmt;
use core::marker::PhantomData;
use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

use super::instant::instant_ms;
use super::journal::Medium;
use crate::stay::Direction;

/// A QR code holds at most 4,296 characters; what is longer was never shown to a camera.
const SHOWN_CHARS_MAX: usize = 4_296;

/// What a text must be like.
pub(super) trait Pattern {
    const WANTED: &'static str;

    fn fits(text: &str) -> bool;
}

/// What a gate calls a lane, or its operator's staff.
pub(super) struct IsName;

impl Pattern for IsName {
    const WANTED: &'static str = "1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`";

    fn fits(text: &str) -> bool {
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=64).contains(&text.len()) && text.bytes().all(is_named)
    }
}

/// A verdict or a flag of the gate.
pub(super) struct IsWord;

impl Pattern for IsWord {
    const WANTED: &'static str = "a word of 1 to 40 characters, a-z, 0-9 and `_`, beginning with a letter";

    fn fits(text: &str) -> bool {
        let is_spelled = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=40).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(is_spelled)
    }
}

/// SHA-256 in hexadecimal.
pub(super) struct IsHash;

impl Pattern for IsHash {
    const WANTED: &'static str = "64 hexadecimal digits in lower case";

    fn fits(text: &str) -> bool {
        text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

/// Whatever a camera or a clerk could read.
pub(super) struct IsShown;

impl Pattern for IsShown {
    const WANTED: &'static str = "a text of at most 4296 characters";

    fn fits(text: &str) -> bool {
        text.len() <= SHOWN_CHARS_MAX || text.chars().count() <= SHOWN_CHARS_MAX
    }
}

/// A text of this kind, not copied unless it is written with escapes.
pub(super) struct Text<'a, P> {
    pub(super) text: Cow<'a, str>,
    pattern: PhantomData<P>,
}

impl<'de: 'a, 'a, P: Pattern> Deserialize<'de> for Text<'a, P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

struct TextVisitor<P>(PhantomData<P>);

impl<P: Pattern> TextVisitor<P> {
    fn checked<'a, E: Error>(&self, text: Cow<'a, str>) -> Result<Text<'a, P>, E> {
        if P::fits(&text) {
            return Ok(Text { text, pattern: self.0 });
        }
        Err(E::custom(format_args!("must be {}", P::WANTED)))
    }
}

impl<'de, P: Pattern> Visitor<'de> for TextVisitor<P> {
    type Value = Text<'de, P>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(P::WANTED)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.checked(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.checked(Cow::Owned(text.to_owned()))
    }
}

/// A value that is written as a text.
pub(super) trait Spelled: Sized {
    const WANTED: &'static str;

    fn read(text: &str) -> Option<Self>;
}

impl Spelled for Direction {
    const WANTED: &'static str = "`entry` or `exit`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "entry" => Some(Self::Entry),
            "exit" => Some(Self::Exit),
            _ => None,
        }
    }
}

impl Spelled for Medium {
    const WANTED: &'static str = "`code`, `plate`, `ticket` or `lift`";

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|medium| medium.name() == text)
    }
}

/// Unix milliseconds.
pub(super) struct InstantMs(pub(super) i64);

impl Spelled for InstantMs {
    const WANTED: &'static str = "an instant with its offset such as `2026-10-20T12:00:00Z`";

    fn read(text: &str) -> Option<Self> {
        instant_ms(text).map(Self)
    }
}

/// A spelled value.
pub(super) struct Word<T>(pub(super) T);

impl<'de, T: Spelled> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor(PhantomData)).map(Self)
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: Spelled> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(T::WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::read(text).ok_or_else(|| E::custom(format_args!("must be {}", T::WANTED)))
    }
}

/// A whole number within bounds, written without a fraction or an exponent.
pub(super) struct Whole<const MIN: i64, const MAX: i64>(pub(super) i64);

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(WholeVisitor::<MIN, MAX>).map(Self)
    }
}

struct WholeVisitor<const MIN: i64, const MAX: i64>;

impl<const MIN: i64, const MAX: i64> Visitor<'_> for WholeVisitor<MIN, MAX> {
    type Value = i64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        if (MIN..=MAX).contains(&number) {
            return Ok(number);
        }
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }
}

/// What is written as an object; what serde derives would take a list of the same values as well.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// A member that may be left out; `null` is no value.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
