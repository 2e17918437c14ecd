//! The members of an upload's JSON, and the reader that writes each scan down as it comes.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::Deserialize;

use super::canonical::write_scan;
use super::journal::{Medium, Scan};
use super::pattern::{given, InstantMs, IsHash, IsName, IsShown, IsWord, Object, Text, Whole, Word};
use crate::stay::Direction;

/// The largest number that JSON carries exactly everywhere (RFC 7493): 2^53 - 1.
const EXACT_MAX: i64 = 9_007_199_254_740_991;

/// The end of year 9999, where Python's datetime ends.
const MILLISECONDS_MAX: i64 = 253_402_300_799_999;

/// One scan as it is sent; a member without a value is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireScan<'a> {
    pub(super) seq: Whole<1, EXACT_MAX>,
    pub(super) at_ms: Whole<0, MILLISECONDS_MAX>,
    #[serde(borrow)]
    pub(super) lane: Text<'a, IsName>,
    pub(super) direction: Word<Direction>,
    pub(super) medium: Word<Medium>,
    #[serde(borrow, default, deserialize_with = "given")]
    code: Option<Text<'a, IsShown>>,
    #[serde(borrow, default, deserialize_with = "given")]
    plate: Option<Text<'a, IsShown>>,
    #[serde(borrow, default, deserialize_with = "given")]
    ticket: Option<Text<'a, IsShown>>,
    #[serde(borrow)]
    pub(super) verdict: Text<'a, IsWord>,
    #[serde(default, deserialize_with = "given")]
    pub(super) manual: Option<bool>,
    /// Who raised the barrier, as the gate's operator calls its staff.
    #[serde(borrow, default, deserialize_with = "given")]
    pub(super) lifted_by: Option<Text<'a, IsName>>,
    /// What the gate flagged although it opened: `risk`, `passback`, `bundle_expired`.
    #[serde(borrow, default, deserialize_with = "given")]
    pub(super) flag: Option<Text<'a, IsWord>>,
}

impl WireScan<'_> {
    /// What was shown, and as which medium.
    pub(super) fn shown(&self) -> Option<(Medium, &str)> {
        let given = [
            (Medium::Code, &self.code),
            (Medium::Plate, &self.plate),
            (Medium::Ticket, &self.ticket),
        ];
        given
            .into_iter()
            .find_map(|(medium, shown)| shown.as_ref().map(|shown| (medium, &*shown.text)))
    }

    /// What does not go together, in words.
    fn contradiction(&self) -> Option<&'static str> {
        let medium = self.medium.0;
        let given = [&self.code, &self.plate, &self.ticket];
        let is_lifted = self.manual == Some(true);
        if given.into_iter().flatten().count() > usize::from(medium != Medium::Lift) {
            return Some("exactly one of code, plate and ticket is given, and none of them with medium lift");
        }
        if self.shown().map_or(Medium::Lift, |(shown, _)| shown) != medium {
            return Some("medium names the one of code, plate and ticket that is given");
        }
        if medium == Medium::Lift && !(is_lifted && self.lifted_by.is_some()) {
            return Some("medium lift needs manual true and lifted_by");
        }
        if self.lifted_by.is_some() && !is_lifted {
            return Some("lifted_by goes with manual true only");
        }
        None
    }
}

/// What the gate knows of its own clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireClock {
    pub(super) gate_at: Word<InstantMs>,
    #[serde(default)]
    pub(super) last_sync_at: Option<Word<InstantMs>>,
    pub(super) offset_ms: Whole<{ -i64::MAX }, { i64::MAX }>,
}

/// All of an upload but its scans.
pub(super) struct WireHead<'a> {
    pub(super) epoch: Whole<0, EXACT_MAX>,
    pub(super) first_seq: Whole<0, EXACT_MAX>,
    pub(super) prev_hash: Text<'a, IsHash>,
    pub(super) bundle_version: Whole<0, { i64::MAX }>,
    pub(super) clock: WireClock,
}

/// Takes the scans as they are read, so that a body is gone through once and never held as a tree.
#[derive(Debug)]
pub(super) struct ScanWriter {
    scans_max: usize,
    pub(super) scans: Vec<Scan>,
    pub(super) text: String,
    /// Whether reading ended because there were more scans than are taken.
    pub(super) is_overfull: bool,
}

impl ScanWriter {
    pub(super) fn new(scans_max: usize, body_bytes: usize) -> Self {
        Self {
            scans_max,
            scans: Vec::new(),
            text: String::with_capacity(body_bytes),
            is_overfull: false,
        }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Epoch,
    FirstSeq,
    PrevHash,
    BundleVersion,
    Clock,
    Scans,
}

/// Reads an upload: its scans into the writer, the rest as the answer.
pub(super) struct ReadUpload<'w>(pub(super) &'w mut ScanWriter);

impl<'de> DeserializeSeed<'de> for ReadUpload<'_> {
    type Value = WireHead<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadUpload<'_> {
    type Value = WireHead<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut epoch, mut first_seq, mut prev_hash) = (None, None, None);
        let (mut bundle_version, mut clock, mut scans) = (None, None, None);
        while let Some(member) = members.next_key()? {
            match member {
                Member::Epoch => fill(&mut epoch, "epoch", || members.next_value())?,
                Member::FirstSeq => fill(&mut first_seq, "first_seq", || members.next_value())?,
                Member::PrevHash => fill(&mut prev_hash, "prev_hash", || members.next_value())?,
                Member::BundleVersion => fill(&mut bundle_version, "bundle_version", || members.next_value())?,
                Member::Clock => fill(&mut clock, "clock", || members.next_value::<Object<_>>())?,
                Member::Scans => fill(&mut scans, "scans", || members.next_value_seed(ReadScans(self.0)))?,
            }
        }
        scans.ok_or_else(|| A::Error::missing_field("scans"))?;
        Ok(WireHead {
            epoch: epoch.ok_or_else(|| A::Error::missing_field("epoch"))?,
            first_seq: first_seq.ok_or_else(|| A::Error::missing_field("first_seq"))?,
            prev_hash: prev_hash.ok_or_else(|| A::Error::missing_field("prev_hash"))?,
            bundle_version: bundle_version.ok_or_else(|| A::Error::missing_field("bundle_version"))?,
            clock: clock.ok_or_else(|| A::Error::missing_field("clock"))?.0,
        })
    }
}

/// Each member once.
fn fill<T, E: Error>(slot: &mut Option<T>, name: &'static str, read: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
    if slot.is_some() {
        return Err(E::duplicate_field(name));
    }
    *slot = Some(read()?);
    Ok(())
}

struct ReadScans<'w>(&'w mut ScanWriter);

impl<'de> DeserializeSeed<'de> for ReadScans<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ReadScans<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of scans")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut scans: A) -> Result<(), A::Error> {
        while scans.next_element_seed(ReadScan(self.0))?.is_some() {}
        Ok(())
    }
}

struct ReadScan<'w>(&'w mut ScanWriter);

impl<'de> DeserializeSeed<'de> for ReadScan<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let writer = self.0;
        if writer.scans.len() >= writer.scans_max {
            writer.is_overfull = true;
            return Err(D::Error::custom("more scans than a batch may have"));
        }
        let Object(scan) = Object::<WireScan<'de>>::deserialize(deserializer)?;
        if let Some(contradiction) = scan.contradiction() {
            return Err(D::Error::custom(contradiction));
        }
        let written = write_scan(&mut writer.text, &scan);
        writer.scans.push(written);
        Ok(())
    }
}
