//! From content to bytes, in the one order there is.

use core::fmt;

use super::content::{BundleContent, KeyRecord, Lot, FORMAT};

/// A list of the content is not in strictly rising order, or too long to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentError(pub &'static str);

impl fmt::Display for ContentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} must be in strictly rising order and not too long",
            self.0
        )
    }
}

impl core::error::Error for ContentError {}

impl BundleContent {
    /// Sorts every list, so that equal contents have equal bytes.
    pub fn sort(&mut self) {
        self.keys.sort_by_key(|key| key.kid);
        self.lots.sort_by_key(|lot| lot.lot_id);
        for lot in &mut self.lots {
            lot.risk.sort();
            lot.lanes.sort_by_key(|lane| lane.lane_id);
        }
        self.denied.sort_unstable();
        self.cleared.sort_unstable();
    }

    /// The bytes that are signed. The content must be sorted and without doubles.
    pub fn encode(&self) -> Result<Vec<u8>, ContentError> {
        let mut bytes = vec![FORMAT];
        for number in [self.operator_id, self.version, self.issued_at_s, self.expires_at_s] {
            bytes.extend(number.to_be_bytes());
        }
        list16(&mut bytes, &self.keys, "keys", |key| key.kid, write_key)?;
        list16(&mut bytes, &self.lots, "lots", |lot| lot.lot_id, write_lot)?;
        let (sha256, length) = self.filter.map_or(([0; 32], 0), |filter| (filter.sha256, filter.bytes));
        bytes.extend(sha256);
        bytes.extend(length.to_be_bytes());
        subjects(&mut bytes, &self.denied, "denied")?;
        subjects(&mut bytes, &self.cleared, "cleared")?;
        Ok(bytes)
    }
}

fn write_key(bytes: &mut Vec<u8>, key: &KeyRecord) -> Result<(), ContentError> {
    bytes.extend(key.kid.to_be_bytes());
    bytes.extend(key.operator_id.to_be_bytes());
    bytes.extend([key.product, key.algorithm]);
    bytes.extend(key.not_before_s.to_be_bytes());
    bytes.extend(key.not_after_s.to_be_bytes());
    let length = u8::try_from(key.public_key.len()).map_err(|_| ContentError("public_key"))?;
    bytes.push(length);
    bytes.extend(&key.public_key);
    Ok(())
}

fn write_lot(bytes: &mut Vec<u8>, lot: &Lot) -> Result<(), ContentError> {
    bytes.extend(lot.lot_id.to_be_bytes());
    bytes.push(lot.product);
    bytes.extend(lot.code_age_max_s.to_be_bytes());
    bytes.extend(lot.skew_s.to_be_bytes());
    bytes.push(lot.exit_denied as u8);
    bytes.extend(lot.passback_s.to_be_bytes());
    list16(
        bytes,
        &lot.risk,
        "risk",
        |rule| *rule,
        |bytes, rule| {
            bytes.extend(rule.ceiling_from.to_be_bytes());
            bytes.extend(rule.code_age_from_s.to_be_bytes());
            bytes.extend(rule.bundle_age_from_s.to_be_bytes());
            bytes.push(rule.outcome as u8);
            Ok(())
        },
    )?;
    list16(
        bytes,
        &lot.lanes,
        "lanes",
        |lane| lane.lane_id,
        |bytes, lane| {
            bytes.extend(lane.lane_id.to_be_bytes());
            bytes.push(lane.direction as u8);
            Ok(())
        },
    )
}

fn list16<T, K: Ord>(
    bytes: &mut Vec<u8>,
    items: &[T],
    name: &'static str,
    key: impl Fn(&T) -> K,
    write: impl Fn(&mut Vec<u8>, &T) -> Result<(), ContentError>,
) -> Result<(), ContentError> {
    let count = u16::try_from(items.len()).map_err(|_| ContentError(name))?;
    if !items.is_sorted_by(|earlier, later| key(earlier) < key(later)) {
        return Err(ContentError(name));
    }
    bytes.extend(count.to_be_bytes());
    items.iter().try_for_each(|item| write(bytes, item))
}

fn subjects<const LENGTH: usize>(
    bytes: &mut Vec<u8>,
    items: &[[u8; LENGTH]],
    name: &'static str,
) -> Result<(), ContentError> {
    let count = u32::try_from(items.len()).map_err(|_| ContentError(name))?;
    if !items.is_sorted_by(|earlier, later| earlier < later) {
        return Err(ContentError(name));
    }
    bytes.extend(count.to_be_bytes());
    bytes.extend(items.as_flattened());
    Ok(())
}
