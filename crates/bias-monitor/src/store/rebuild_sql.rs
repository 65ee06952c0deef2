//! The statements of a recount.

use std::time::Duration;

/// A recount that takes longer is given up, and nothing is changed.
pub(super) const TIMEOUT: Duration = Duration::from_mins(30);
/// Decisions that are read at a time.
pub(super) const PAGE: i64 = 2_000;

pub(super) const COUNTERS: &str = "SELECT model, arm, attribute, group_name, minute, approved, referred, denied, score_sum, \
     score_square_sum, approved_repaid, approved_defaulted FROM counters";
pub(super) const CALIBRATION: &str =
    "SELECT model, bin, labelled, defaulted, predicted_sum_ppm FROM calibration";
pub(super) const PROFILES: &str =
    "SELECT model, arm, attribute, group_name, hour, counts FROM profiles";
pub(super) const PROXIES: &str =
    "SELECT model, arm, attribute, source, proxy_version, group_names, hour, counts FROM proxies";
pub(super) const EMPTY: [&str; 4] = [
    "DELETE FROM counters",
    "DELETE FROM calibration",
    "DELETE FROM profiles",
    "DELETE FROM proxies",
];
