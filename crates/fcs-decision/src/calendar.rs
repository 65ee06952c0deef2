//! Calendar days, as the clocks of the notice rules count them.

use std::fmt;
use std::str::FromStr;

use fcs_core::UnixMicros;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{Date, Duration, Month, OffsetDateTime};

/// A day of the Gregorian calendar, in UTC; `YYYY-MM-DD` as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// The text is not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a day as YYYY-MM-DD")]
pub struct InvalidDay;

impl Day {
    /// The day that a moment lies in, in UTC. Moments outside of the years 0 to 9999 give the nearest day of them.
    pub fn of(moment: UnixMicros) -> Self {
        let seconds = moment.0.div_euclid(1_000_000);
        let nearest = if seconds < 0 { Date::MIN } else { Date::MAX };
        Self(OffsetDateTime::from_unix_timestamp(seconds).map_or(nearest, OffsetDateTime::date))
    }

    /// The day this many calendar days later; the last day of the calendar when there is none.
    pub fn plus_days(self, days: u16) -> Self {
        Self(self.0.saturating_add(Duration::days(i64::from(days))))
    }

    /// The day this many months later, on the same day of the month or on the last one of a shorter month.
    pub fn plus_months(self, months: u8) -> Self {
        let position = i32::from(u8::from(self.0.month())) - 1 + i32::from(months);
        let year = self.0.year() + position / 12;
        let month = Month::December.nth_next(u8::try_from(position % 12 + 1).unwrap_or(1));
        let day = self.0.day().min(month.length(year));
        Self(Date::from_calendar_date(year, month, day).unwrap_or(Date::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let midnight = format!("{text}T00:00:00Z");
        match UnixMicros::parse_rfc3339(&midnight) {
            Ok(moment) if text.len() == 10 => Ok(Self::of(moment)),
            _ => Err(InvalidDay),
        }
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn days_and_months_follow_the_calendar() {
        assert_eq!(day("2026-01-31").plus_days(30), day("2026-03-02"));
        assert_eq!(day("2028-02-01").plus_days(30), day("2028-03-02"));
        assert_eq!(day("2026-01-31").plus_months(25), day("2028-02-29"));
        assert_eq!(day("2026-12-15").plus_months(12), day("2027-12-15"));
        assert_eq!(day("2026-11-30").plus_months(1), day("2026-12-30"));
        assert_eq!(day("9999-12-31").plus_days(90), day("9999-12-31"));
        assert_eq!(day("9999-12-31").plus_months(25), day("9999-12-31"));
    }

    #[test]
    fn text_is_strict() {
        for bad in [
            "",
            "2026-1-1",
            "2026-02-30",
            "2026-01-01T",
            "20260101",
            "26-01-01",
        ] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
        assert_eq!(day("0001-02-03").to_string(), "0001-02-03");
    }
}
