//! How long a model takes for a row, learned from what it took so far.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest computation that may hold a thread which also answers other requests: about what the runtime's own work
/// for a request takes. Handing a row to a thread of its own costs tens of microseconds, more than most models need.
const HELD_MAX: Duration = Duration::from_micros(100);

/// A new measurement has this share of the average, so that one slow moment is soon forgotten.
const WEIGHT: u64 = 8;

/// Moving averages of the time per row; nothing is known before the first row.
#[derive(Default)]
pub struct Pace {
    scores: Average,
    explained: Average,
}

#[derive(Default)]
struct Average(AtomicU64);

impl Pace {
    /// Whether so many rows are expected to take so little that they need no thread of their own.
    pub fn is_short(&self, rows: usize, explain: bool) -> bool {
        let Some(per_row) = self.average(explain).get() else {
            return false;
        };
        let expected = per_row.saturating_mul(rows as u64);
        u128::from(expected) <= HELD_MAX.as_nanos()
    }

    /// Learns from rows that were computed.
    pub fn learn(&self, rows: usize, explain: bool, taken: Duration) {
        if rows > 0 {
            let nanoseconds = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
            self.average(explain).add(nanoseconds / rows as u64);
        }
    }

    fn average(&self, explain: bool) -> &Average {
        if explain {
            &self.explained
        } else {
            &self.scores
        }
    }
}

impl Average {
    /// Nanoseconds, at least one.
    fn get(&self) -> Option<u64> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(nanoseconds),
        }
    }

    /// Of two threads that add at once one may be lost: an average does not mind.
    fn add(&self, nanoseconds: u64) {
        let next = match self.get() {
            None => nanoseconds,
            Some(average) => average - average / WEIGHT + nanoseconds / WEIGHT,
        };
        self.0.store(next.max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_short_is_short() {
        let pace = Pace::default();
        assert!(!pace.is_short(1, false), "nothing is known yet");
        pace.learn(10, false, Duration::from_micros(50));
        assert!(pace.is_short(1, false));
        assert!(pace.is_short(20, false));
        assert!(!pace.is_short(21, false), "105 us");
        assert!(
            !pace.is_short(1, true),
            "contributions have their own average"
        );
        assert!(!pace.is_short(usize::MAX, false));
    }

    #[test]
    fn a_slow_moment_is_soon_forgotten() {
        let pace = Pace::default();
        pace.learn(1, true, Duration::from_micros(20));
        pace.learn(1, true, Duration::from_millis(4));
        assert!(!pace.is_short(1, true));
        for _ in 0..20 {
            pace.learn(1, true, Duration::from_micros(20));
        }
        assert!(pace.is_short(1, true));
    }

    #[test]
    fn no_rows_teach_nothing() {
        let pace = Pace::default();
        pace.learn(0, false, Duration::from_micros(1));
        assert!(!pace.is_short(1, false));
    }
}
