//! From bytes to content: only what [`BundleContent::encode`] would write is read.

use super::content::{
    BundleContent, ExitDenied, FilterName, KeyRecord, Lane, LaneDirection, Lot, RiskOutcome, RiskRule, FORMAT,
};
use super::refusal::BundleRefusal;

/// Reads from the front of what is left. A list is never reserved beyond the bytes that are there.
struct Reader<'a>(&'a [u8]);

impl BundleContent {
    /// Reads content; refuses another format, values that mean nothing, lists out of order and bytes after the end.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleRefusal> {
        let mut reader = Reader(bytes);
        if reader.take()? != [FORMAT] {
            return Err(BundleRefusal::BadFormat);
        }
        let content = Self {
            operator_id: reader.u64()?,
            version: reader.u64()?,
            issued_at_s: reader.u64()?,
            expires_at_s: reader.u64()?,
            keys: reader.list16(|key| key.kid, Reader::key)?,
            lots: reader.list16(|lot| lot.lot_id, Reader::lot)?,
            filter: reader.filter()?,
            denied: reader.subjects()?,
            cleared: reader.subjects()?,
        };
        if reader.0.is_empty() {
            Ok(content)
        } else {
            Err(BundleRefusal::Malformed)
        }
    }
}

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], BundleRefusal> {
        let (field, rest) = self.0.split_first_chunk().ok_or(BundleRefusal::Malformed)?;
        self.0 = rest;
        Ok(*field)
    }

    fn slice(&mut self, length: usize) -> Result<&[u8], BundleRefusal> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(BundleRefusal::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    fn u8(&mut self) -> Result<u8, BundleRefusal> {
        self.take().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, BundleRefusal> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, BundleRefusal> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, BundleRefusal> {
        self.take().map(u64::from_be_bytes)
    }

    fn key(&mut self) -> Result<KeyRecord, BundleRefusal> {
        Ok(KeyRecord {
            kid: self.u32()?,
            operator_id: self.u64()?,
            product: self.u8()?,
            algorithm: self.u8()?,
            not_before_s: self.u64()?,
            not_after_s: self.u64()?,
            public_key: {
                let length = usize::from(self.u8()?);
                self.slice(length)?.to_vec()
            },
        })
    }

    fn lot(&mut self) -> Result<Lot, BundleRefusal> {
        Ok(Lot {
            lot_id: self.u64()?,
            product: self.u8()?,
            code_age_max_s: self.u16()?,
            skew_s: self.u16()?,
            exit_denied: match self.u8()? {
                0 => ExitDenied::Accept,
                1 => ExitDenied::Pay,
                _ => return Err(BundleRefusal::Malformed),
            },
            passback_s: self.u32()?,
            risk: self.list16(|rule| *rule, Reader::rule)?,
            lanes: self.list16(|lane| lane.lane_id, Reader::lane)?,
        })
    }

    fn rule(&mut self) -> Result<RiskRule, BundleRefusal> {
        Ok(RiskRule {
            ceiling_from: self.u16()?,
            code_age_from_s: self.u16()?,
            bundle_age_from_s: self.u32()?,
            outcome: match self.u8()? {
                1 => RiskOutcome::Flag,
                2 => RiskOutcome::Refuse,
                _ => return Err(BundleRefusal::Malformed),
            },
        })
    }

    fn lane(&mut self) -> Result<Lane, BundleRefusal> {
        Ok(Lane {
            lane_id: self.u64()?,
            direction: match self.u8()? {
                1 => LaneDirection::Entry,
                2 => LaneDirection::Exit,
                3 => LaneDirection::Both,
                _ => return Err(BundleRefusal::Malformed),
            },
        })
    }

    fn filter(&mut self) -> Result<Option<FilterName>, BundleRefusal> {
        let sha256: [u8; 32] = self.take()?;
        match self.u32()? {
            0 if sha256 == [0; 32] => Ok(None),
            0 => Err(BundleRefusal::Malformed),
            bytes => Ok(Some(FilterName { sha256, bytes })),
        }
    }

    fn subjects<const LENGTH: usize>(&mut self) -> Result<Vec<[u8; LENGTH]>, BundleRefusal> {
        let count = usize::try_from(self.u32()?).map_err(|_| BundleRefusal::Malformed)?;
        let length = count.checked_mul(LENGTH).ok_or(BundleRefusal::Malformed)?;
        let (items, _) = self.slice(length)?.as_chunks();
        if !items.is_sorted_by(|earlier, later| earlier < later) {
            return Err(BundleRefusal::Malformed);
        }
        Ok(items.to_vec())
    }

    fn list16<T, K: Ord>(
        &mut self,
        key: impl Fn(&T) -> K,
        read: impl Fn(&mut Self) -> Result<T, BundleRefusal>,
    ) -> Result<Vec<T>, BundleRefusal> {
        let mut items: Vec<T> = Vec::new();
        for _ in 0..self.u16()? {
            let item = read(self)?;
            if items.last().is_some_and(|last| key(last) >= key(&item)) {
                return Err(BundleRefusal::Malformed);
            }
            items.push(item);
        }
        Ok(items)
    }
}
