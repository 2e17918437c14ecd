//! Texts of local time, read and written in the zone of a tariff; for people and files, never for a fee.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::Timestamp;

use super::model::Tariff;

impl Tariff {
    /// The instant of an ISO 8601 text such as `2017-10-20T08:00` (in the tariff's zone) or `2017-10-20T08:00-04:00`.
    ///
    /// A repeated local time is the first one; a skipped one is as far behind the skip as it was meant to be past its start.
    #[must_use]
    pub fn instant_s(&self, text: &str) -> Option<i64> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(instant.as_second());
        }
        let local: DateTime = text.parse().ok()?;
        let zoned = local.to_zoned(self.wall_zone()?).ok()?;
        Some(zoned.timestamp().as_second())
    }

    /// An instant as `2017-10-20T08:00:00-04:00` on the clocks of the tariff's zone.
    #[must_use]
    pub fn local_text(&self, instant_s: i64) -> Option<String> {
        let zoned = Timestamp::from_second(instant_s).ok()?.to_zoned(self.wall_zone()?);
        Some(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }

    fn wall_zone(&self) -> Option<TimeZone> {
        TimeZoneDatabase::bundled().get(self.timezone()).ok()
    }
}
