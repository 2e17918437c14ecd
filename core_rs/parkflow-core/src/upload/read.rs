//! Reading an upload's body: everything that is wrong with it is refused by a code and a message that names the place.

use core::fmt;

use serde::de::DeserializeSeed;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment, Track};

use super::journal::{chain_sha256, Hash, Upload};
use super::wire::{ReadUpload, ScanWriter, WireHead};

/// A message is for a person and a log: this much of its beginning and of its end says enough of any stranger's text.
const MESSAGE_CHARS_MAX: usize = 200;

/// Why a body is no upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadRefusal {
    /// It is not what an upload is.
    Malformed,
    /// It has no scan.
    Empty,
    /// It has more scans than are taken at once.
    TooLarge,
}

impl UploadRefusal {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "batch_malformed",
            Self::Empty => "batch_empty",
            Self::TooLarge => "batch_too_large",
        }
    }
}

/// A refusal in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadError {
    /// Why.
    pub refusal: UploadRefusal,
    /// Where in the body, such as `scans.3.seq`.
    pub place: String,
    /// Place and reason in one line.
    pub message: String,
}

impl fmt::Display for UploadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for UploadError {}

impl UploadError {
    fn malformed(place: &str, reason: &str) -> Self {
        let place = shortened(if place.is_empty() { "the body" } else { place });
        Self {
            refusal: UploadRefusal::Malformed,
            message: format!("{place}: {}", shortened(reason)),
            place,
        }
    }

    fn empty() -> Self {
        Self {
            refusal: UploadRefusal::Empty,
            place: "scans".to_owned(),
            message: "a batch has at least one scan; a gate with nothing to say sends a heartbeat".to_owned(),
        }
    }

    fn too_large(scans_max: usize) -> Self {
        Self {
            refusal: UploadRefusal::TooLarge,
            place: "scans".to_owned(),
            message: format!("a batch has at most {scans_max} scans; send the rest in a further batch"),
        }
    }
}

/// What a body says, with the hashes of all its scans; refuses one with more than `scans_max`.
pub fn read_upload(body: &[u8], scans_max: usize) -> Result<Upload, UploadError> {
    let text = core::str::from_utf8(body)
        .map_err(|error| UploadError::malformed("", &format!("is not UTF-8 from byte {} on", error.valid_up_to())))?;
    let mut writer = ScanWriter::new(scans_max, body.len());
    let mut json = serde_json::Deserializer::from_str(text);
    let head = ReadUpload(&mut writer).deserialize(&mut json);
    let head = match head.and_then(|head| json.end().map(|()| head)) {
        Ok(head) => head,
        Err(_) if writer.is_overfull => return Err(UploadError::too_large(scans_max)),
        Err(_) => return Err(placed_error(text, scans_max)),
    };
    finished(&head, writer)
}

fn finished(head: &WireHead<'_>, mut writer: ScanWriter) -> Result<Upload, UploadError> {
    let first_seq = writer.scans.first().ok_or_else(UploadError::empty)?.seq;
    if head.first_seq.0 != first_seq {
        let reason = format!("is the seq of the first scan, {first_seq}, not {}", head.first_seq.0);
        return Err(UploadError::malformed("first_seq", &reason));
    }
    let prev_hash = hash_of(&head.prev_hash.text);
    let (mut seq, mut chain) = (first_seq, prev_hash);
    for (place, scan) in writer.scans.iter_mut().enumerate() {
        if scan.seq != seq {
            let reason = format!("scans are consecutive, so this is {seq}, not {}", scan.seq);
            return Err(UploadError::malformed(&format!("scans.{place}.seq"), &reason));
        }
        chain = chain_sha256(&chain, &scan.content_sha256);
        scan.chain_sha256 = chain;
        seq = seq.saturating_add(1);
    }
    let ScanWriter { scans, text, .. } = writer;
    Ok(Upload {
        epoch: head.epoch.0,
        first_seq,
        bundle_version: head.bundle_version.0,
        gate_at_ms: head.clock.gate_at.0 .0,
        last_sync_ms: head.clock.last_sync_at.as_ref().map(|instant| instant.0 .0),
        offset_ms: head.clock.offset_ms.0,
        prev_hash,
        scans,
        text,
    })
}

/// The bytes of 64 hexadecimal digits.
fn hash_of(digits: &str) -> Hash {
    let value = |digit: u8| {
        if digit < b'a' {
            digit & 15
        } else {
            (digit & 15).wrapping_add(9)
        }
    };
    let mut hash = Hash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().as_chunks().0) {
        let [high, low] = pair.map(value);
        *byte = high << 4 | low;
    }
    hash
}

/// Reads a body that is wrong once more, to find out where.
fn placed_error(text: &str, scans_max: usize) -> UploadError {
    let mut writer = ScanWriter::new(scans_max, 0);
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let read = ReadUpload(&mut writer).deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    match read.and_then(|_| json.end()) {
        Err(error) => UploadError::malformed(&place_of(&track.path()), &reason_of(&error)),
        Ok(()) => UploadError::malformed("", "cannot be read"),
    }
}

fn place_of(path: &Path) -> String {
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// What is wrong; line and column only where nothing else tells the place.
fn reason_of(error: &serde_json::Error) -> String {
    let reason = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => reason.strip_suffix(&position).unwrap_or(&reason).to_owned(),
        Category::Syntax | Category::Eof | Category::Io => reason,
    }
}

/// Without control characters, and of a long text only its beginning and its end.
fn shortened(text: &str) -> String {
    let chars: Vec<char> = text
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    if chars.len() <= MESSAGE_CHARS_MAX {
        return chars.into_iter().collect();
    }
    let half = MESSAGE_CHARS_MAX / 2;
    let (begin, rest) = chars.split_at(half);
    let end = &rest[rest.len().saturating_sub(half)..];
    begin.iter().chain(&[' ', '…', ' ']).chain(end).collect()
}
