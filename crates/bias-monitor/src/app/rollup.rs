//! Old counters, rolled up: those of a minute or an hour become those of their day.
//!
//! Nothing is lost that is asked for: sheets are of whole days, reports of all time, and drift looks back less far than
//! counters stay fine.

use std::ops::Range;
use std::sync::Arc;

use fcs_core::{Clock, UnixMicros};

use super::counts::Sign;
use super::profiles::{MINUTES_OF_HOUR, ProfileIncrements};
use super::proxies::ProxyIncrements;
use super::rebuild::Sums;

const MINUTES_OF_DAY: i64 = 1_440;
const HOURS_OF_DAY: i64 = 24;

/// A day in UTC, counted from the Unix epoch. Everything before it is kept by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FineFrom(i64);

impl FineFrom {
    /// Before every decision: nothing is rolled up.
    pub const ALWAYS: Self = Self(i64::MIN / MINUTES_OF_DAY);

    /// The day so many days before a time; 0 days means [`Self::ALWAYS`].
    pub fn days_before(now: UnixMicros, days: u32) -> Self {
        match days {
            0 => Self::ALWAYS,
            days => Self(now.minute().div_euclid(MINUTES_OF_DAY) - i64::from(days)),
        }
    }

    /// The first minute that stays fine.
    pub const fn minute(self) -> i64 {
        self.0 * MINUTES_OF_DAY
    }

    /// The first hour that stays fine.
    pub const fn hour(self) -> i64 {
        self.0 * HOURS_OF_DAY
    }

    /// The minute that counts a minute.
    fn of_minute(self, minute: i64) -> i64 {
        if minute >= self.minute() {
            return minute;
        }
        minute.div_euclid(MINUTES_OF_DAY) * MINUTES_OF_DAY
    }

    fn of_hour(self, hour: i64) -> i64 {
        self.of_minute(hour * MINUTES_OF_HOUR) / MINUTES_OF_HOUR
    }
}

/// How long counters stay fine, seen from now.
#[derive(Clone)]
pub struct Fineness {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Days; 0 for ever.
    pub days: u32,
}

impl Fineness {
    /// The first day that stays fine now.
    pub fn fine_from(&self) -> FineFrom {
        FineFrom::days_before(self.clock.now(), self.days)
    }
}

/// The minutes of a day since the Unix epoch.
pub const fn minutes_of(day: i64) -> Range<i64> {
    day * MINUTES_OF_DAY..(day + 1) * MINUTES_OF_DAY
}

/// The hours of a day since the Unix epoch.
pub const fn hours_of(day: i64) -> Range<i64> {
    day * HOURS_OF_DAY..(day + 1) * HOURS_OF_DAY
}

impl Sums {
    /// The same decisions, those before a day counted by day.
    #[must_use]
    pub fn rolled_up(self, fine_from: FineFrom) -> Self {
        let mut rolled = Self {
            decisions: self.decisions,
            ..Self::default()
        };
        rolled.increments.bins = self.increments.bins;
        for (mut key, counts) in self.increments.counters {
            key.minute = fine_from.of_minute(key.minute);
            let counters = rolled.increments.counters.entry(key).or_default();
            counters.add(&counts, Sign::Plus);
        }
        rolled.profiles = rolled_profiles(self.profiles, fine_from);
        rolled.proxies = rolled_proxies(self.proxies, fine_from);
        rolled.settle();
        rolled
    }
}

fn rolled_profiles(profiles: ProfileIncrements, fine_from: FineFrom) -> ProfileIncrements {
    let mut rolled = ProfileIncrements::default();
    for (mut key, counts) in profiles.0 {
        key.hour = fine_from.of_hour(key.hour);
        rolled.0.entry(key).or_default().merge(&counts);
    }
    rolled
}

fn rolled_proxies(proxies: ProxyIncrements, fine_from: FineFrom) -> ProxyIncrements {
    let mut rolled = ProxyIncrements::default();
    for (mut key, counts) in proxies.0 {
        key.hour = fine_from.of_hour(key.hour);
        match rolled.0.entry(key) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(counts);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => entry
                .get_mut()
                .merge(&counts)
                .expect("sums of one key are about its groups"),
        }
    }
    rolled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes_to_the_first_minute_of_its_day() {
        let fine_from = FineFrom::days_before(UnixMicros(1_440 * 60_000_000 * 100 + 5), 30);
        assert_eq!(
            (fine_from.minute(), fine_from.hour()),
            (1_440 * 70, 24 * 70)
        );
        let minute = |minute| fine_from.of_minute(minute);
        assert_eq!(minute(1_440 * 70), 1_440 * 70);
        assert_eq!(minute(1_440 * 70 + 17), 1_440 * 70 + 17);
        assert_eq!(minute(1_440 * 70 - 1), 1_440 * 69);
        assert_eq!(minute(-1), -1_440);
        assert_eq!(fine_from.of_hour(24 * 69 + 23), 24 * 69);
        assert_eq!(fine_from.of_hour(24 * 70 + 1), 24 * 70 + 1);
        assert_eq!(FineFrom::ALWAYS.of_minute(17), 17);
        assert_eq!(FineFrom::days_before(UnixMicros(0), 0), FineFrom::ALWAYS);
    }
}
