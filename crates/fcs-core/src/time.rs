//! Time as a value. Only `fcs_service` reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const DATE_LENGTH: usize = "YYYY-MM-DD".len();

/// Microseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// Minutes since the Unix epoch, rounded down.
    pub const fn minute(self) -> i64 {
        self.0.div_euclid(60_000_000)
    }

    /// The same time of day some calendar days later, in UTC.
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(i64::from(days) * MICROS_PER_DAY))
    }

    /// The calendar date in UTC, `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.to_string().chars().take(DATE_LENGTH).collect()
    }

    /// Reads RFC 3339 text with any offset.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTime> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTime)?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000))
            .map(Self)
            .map_err(|_| InvalidTime)
    }
}

impl fmt::Display for UnixMicros {
    /// RFC 3339 in UTC with exactly six decimals, for example `2026-11-22T21:59:25.000001Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1_000_000);
        let micros = self.0.rem_euclid(1_000_000);
        let moment = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        let (date, time) = (moment.date(), moment.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
        )
    }
}

/// The text is not an RFC 3339 time in the range of microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time, for example 2026-11-22T21:59:25Z")]
pub struct InvalidTime;

/// Where the time comes from. Domain code takes [`UnixMicros`] as an argument instead.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> UnixMicros;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc3339() {
        let moment = UnixMicros(1_795_385_965_000_001);
        assert_eq!(UnixMicros::parse_rfc3339(&moment.to_string()), Ok(moment));
        assert_eq!(UnixMicros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(UnixMicros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn reads_offsets() {
        assert_eq!(
            UnixMicros::parse_rfc3339("1970-01-01T01:00:00+01:00"),
            UnixMicros::parse_rfc3339("1970-01-01T00:00:00Z"),
        );
        assert_eq!(UnixMicros::parse_rfc3339("yesterday"), Err(InvalidTime));
    }

    #[test]
    fn dates_count_calendar_days_across_the_end_of_february() {
        let moment = UnixMicros::parse_rfc3339("2028-02-28T23:59:59Z").unwrap();
        assert_eq!(moment.date(), "2028-02-28");
        assert_eq!(moment.plus_days(2).date(), "2028-03-01");
    }

    #[test]
    fn minutes_round_down() {
        assert_eq!(UnixMicros(59_999_999).minute(), 0);
        assert_eq!(UnixMicros(-1).minute(), -1);
    }
}
