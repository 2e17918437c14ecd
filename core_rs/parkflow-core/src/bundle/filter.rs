//! The deny filter: a binary fuse filter (Graf and Lemire, <https://arxiv.org/abs/2201.01174>) over denied subjects.
//!
//! Nine bits a subject; it never misses a denied one, and hits one in 256 others. A subject's key is its first eight
//! bytes, big-endian: subjects are AES blocks, so these are as good as random.

use core::fmt;

use sha2::{Digest, Sha256};
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter, FilterRef};

use super::content::FilterName;
use crate::code::SUBJECT_BYTES;

/// The only filter format there is.
const FORMAT: u8 = 1;

/// Format, seed, segment length and length of all segments but the last two.
pub const FILTER_HEADER_BYTES: usize = 17;

/// No filter is larger: 50 million subjects fit.
pub const FILTER_BYTES_MAX: usize = 64 << 20;

/// The crate's own header: seed, segment length, its mask, segment count length; little-endian.
const XORF_HEADER_BYTES: usize = BinaryFuse8::DESCRIPTOR_LEN;

/// The bytes are not a filter, or no filter could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterError {
    /// Not the bytes of a filter.
    Malformed,
    /// There are more subjects than a filter takes, or none.
    BadCount,
    /// Construction did not succeed; it tries a thousand seeds, so this is not met in practice.
    NotBuilt,
}

impl fmt::Display for FilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "the bytes are not a deny filter",
            Self::BadCount => "a deny filter takes 1 to 50,000,000 subjects",
            Self::NotBuilt => "the deny filter could not be built",
        })
    }
}

impl core::error::Error for FilterError {}

/// A filter, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyFilter {
    /// As the crate reads it.
    header: [u8; XORF_HEADER_BYTES],
    /// The whole file: our header and the fingerprints.
    bytes: Box<[u8]>,
}

impl DenyFilter {
    /// Builds a filter over the subjects, in any order; the same set gives the same bytes.
    pub fn build(subjects: &[[u8; SUBJECT_BYTES]]) -> Result<Self, FilterError> {
        const SUBJECTS_MAX: usize = 50_000_000;
        if subjects.is_empty() || subjects.len() > SUBJECTS_MAX {
            return Err(FilterError::BadCount);
        }
        let mut keys: Vec<u64> = subjects.iter().map(key_of).collect();
        // Construction wants distinct keys, and two subjects may share theirs.
        keys.sort_unstable();
        keys.dedup();
        let built = BinaryFuse8::try_from(&keys).map_err(|_| FilterError::NotBuilt)?;
        let mut header = [0; XORF_HEADER_BYTES];
        built.dma_copy_descriptor_to(&mut header);
        let fields = Header::of_xorf(&header);
        let mut bytes = fields.encode().to_vec();
        bytes.extend(built.dma_fingerprints());
        Self::decode(bytes)
    }

    /// Reads a filter; everything that its use relies on is checked here.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, FilterError> {
        let fields = Header::decode(&bytes).ok_or(FilterError::Malformed)?;
        Ok(Self {
            header: fields.xorf(),
            bytes: bytes.into_boxed_slice(),
        })
    }

    /// The bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How a bundle calls it.
    #[must_use]
    pub fn name(&self) -> FilterName {
        FilterName {
            sha256: Sha256::digest(&self.bytes).into(),
            bytes: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether the subject may be one of those that it was built over; certain only if it is not.
    #[must_use]
    pub fn hits(&self, subject: &[u8; SUBJECT_BYTES]) -> bool {
        let fingerprints = &self.bytes[FILTER_HEADER_BYTES..];
        BinaryFuse8Ref::from_dma(&self.header, fingerprints).contains(&key_of(subject))
    }
}

fn key_of(subject: &[u8; SUBJECT_BYTES]) -> u64 {
    let [head @ .., _, _, _, _, _, _, _, _] = *subject;
    u64::from_be_bytes(head)
}

/// Where a key's three fingerprints lie.
struct Header {
    seed: u64,
    segment_length: u32,
    segment_count_length: u32,
}

impl Header {
    fn encode(&self) -> [u8; FILTER_HEADER_BYTES] {
        let mut bytes = [FORMAT; FILTER_HEADER_BYTES];
        bytes[1..9].copy_from_slice(&self.seed.to_be_bytes());
        bytes[9..13].copy_from_slice(&self.segment_length.to_be_bytes());
        bytes[13..].copy_from_slice(&self.segment_count_length.to_be_bytes());
        bytes
    }

    /// `None` unless every place that a key can be sent to lies within the fingerprints.
    fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > FILTER_BYTES_MAX {
            return None;
        }
        let (header, fingerprints) = bytes.split_first_chunk::<FILTER_HEADER_BYTES>()?;
        let (format, rest) = header.split_first()?;
        let (seed, rest) = rest.split_first_chunk()?;
        let (segment_length, segment_count_length) = rest.split_first_chunk()?;
        let fields = Self {
            seed: u64::from_be_bytes(*seed),
            segment_length: u32::from_be_bytes(*segment_length),
            segment_count_length: u32::from_be_bytes(segment_count_length.try_into().ok()?),
        };
        let length = fields
            .segment_length
            .checked_mul(2)?
            .checked_add(fields.segment_count_length)?;
        let fits = *format == FORMAT
            && fields.segment_length.is_power_of_two()
            && fields.segment_count_length > 0
            && fields.segment_count_length.is_multiple_of(fields.segment_length)
            && usize::try_from(length).ok()? == fingerprints.len();
        fits.then_some(fields)
    }

    fn of_xorf(header: &[u8; XORF_HEADER_BYTES]) -> Self {
        let (words, _) = header.as_chunks();
        let word = |place: usize| u32::from_le_bytes(words[place]);
        Self {
            seed: u64::from(word(1)) << 32 | u64::from(word(0)),
            segment_length: word(2),
            segment_count_length: word(4),
        }
    }

    fn xorf(&self) -> [u8; XORF_HEADER_BYTES] {
        let mut header = [0; XORF_HEADER_BYTES];
        header[..8].copy_from_slice(&self.seed.to_le_bytes());
        header[8..12].copy_from_slice(&self.segment_length.to_le_bytes());
        header[12..16].copy_from_slice(&self.segment_length.wrapping_sub(1).to_le_bytes());
        header[16..].copy_from_slice(&self.segment_count_length.to_le_bytes());
        header
    }
}
