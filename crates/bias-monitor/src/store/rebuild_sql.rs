//! The statements of a recount.

use std::time::Duration;

/// A recount that takes longer is given up, and nothing is changed.
pub(super) const TIMEOUT: Duration = Duration::from_mins(30);
/// Decisions that are read at a time.
pub(super) const PAGE: i64 = 2_000;

pub(super) const COUNTERS: &str = "SELECT model, arm, attribute, group_name, minute, approved, referred, denied, score_sum, \
     score_square_sum, approved_repaid, approved_defaulted FROM counters WHERE minute >= $1 AND minute < $2";
pub(super) const CALIBRATION: &str =
    "SELECT model, bin, labelled, defaulted, predicted_sum_ppm FROM calibration";
pub(super) const PROFILES: &str = "SELECT model, arm, attribute, group_name, hour, counts FROM profiles WHERE hour >= $1 AND hour < $2";
pub(super) const PROXIES: &str = "SELECT model, arm, attribute, source, proxy_version, group_names, hour, counts FROM proxies WHERE hour >= $1 AND hour < $2";
pub(super) const EMPTY: [&str; 4] = [
    "DELETE FROM counters",
    "DELETE FROM calibration",
    "DELETE FROM profiles",
    "DELETE FROM proxies",
];

/// A day that takes longer stays as it is until the next try.
pub(super) const ROLL_UP_TIMEOUT: Duration = Duration::from_mins(1);
/// The first day with something finer than a day, before a minute and an hour.
pub(super) const EARLIEST_FINE_DAY: &str = "SELECT MIN(day) FROM ( \
     SELECT MIN(minute) / 1440 AS day FROM counters WHERE minute < $1 AND minute >= 0 AND minute % 1440 <> 0 \
     UNION ALL SELECT MIN(hour) / 24 FROM profiles WHERE hour < $2 AND hour >= 0 AND hour % 24 <> 0 \
     UNION ALL SELECT MIN(hour) / 24 FROM proxies WHERE hour < $2 AND hour >= 0 AND hour % 24 <> 0) fine";
pub(super) const DELETE_COUNTERS: &str = "DELETE FROM counters WHERE minute >= $1 AND minute < $2";
pub(super) const DELETE_PROFILES: &str = "DELETE FROM profiles WHERE hour >= $1 AND hour < $2";
pub(super) const DELETE_PROXIES: &str = "DELETE FROM proxies WHERE hour >= $1 AND hour < $2";
