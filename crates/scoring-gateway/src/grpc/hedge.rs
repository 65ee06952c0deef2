//! When a second server is asked the same: after an answer was late, and after there was none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tower::retry::budget::{Budget, TpsBudget};

/// What calls of the last seconds allow.
const BUDGET_TIME: Duration = Duration::from_secs(10);
/// Calls of a second that may always be repeated, so that a quiet gateway has a budget as well.
const BUDGET_MIN: u32 = 1;
/// Share of calls that are asked twice because the answer is late.
const HEDGED: f32 = 0.05;
/// Share of calls that are asked again because there was no answer. More would be a second load on what fails.
const RETRIED: f32 = 0.2;
/// An estimate moves by this part of itself at most.
const STEP: f64 = 0.05;
/// The share of answers that come before the estimate.
const QUANTILE: f64 = 0.95;
/// Before the first answers.
const FIRST_ESTIMATE: Duration = Duration::from_millis(50);
const ESTIMATE_MIN: Duration = Duration::from_micros(200);

/// Budgets of further calls, and how long an answer usually takes.
#[derive(Debug)]
pub(super) struct Hedge {
    hedges: TpsBudget,
    retries: TpsBudget,
    usual_nanos: AtomicU64,
}

impl Default for Hedge {
    fn default() -> Self {
        Self {
            hedges: TpsBudget::new(BUDGET_TIME, BUDGET_MIN, HEDGED),
            retries: TpsBudget::new(BUDGET_TIME, BUDGET_MIN, RETRIED),
            usual_nanos: AtomicU64::new(nanos(FIRST_ESTIMATE)),
        }
    }
}

impl Hedge {
    /// A call begins.
    pub(super) fn begin(&self) {
        self.hedges.deposit();
        self.retries.deposit();
    }

    /// After this time an answer is late: 95 of 100 have come before it.
    pub(super) fn usual(&self) -> Duration {
        Duration::from_nanos(self.usual_nanos.load(Ordering::Relaxed))
    }

    /// An answer took this long. The estimate is moved up or down so that it comes to rest where one answer of twenty
    /// is above it (frugal streaming: Ma, Muthukrishnan and Sandler, 2013).
    pub(super) fn observe(&self, taken: Duration) {
        let usual = self.usual();
        let change = if taken > usual {
            1.0 + STEP * QUANTILE
        } else {
            1.0 - STEP * (1.0 - QUANTILE)
        };
        let moved = usual.mul_f64(change).max(ESTIMATE_MIN);
        // Two answers at a time may count as one.
        self.usual_nanos.store(nanos(moved), Ordering::Relaxed);
    }

    /// Whether one more late call may be asked twice.
    pub(super) fn may_hedge(&self) -> bool {
        self.hedges.withdraw()
    }

    /// Whether one more failed call may be asked again.
    pub(super) fn may_retry(&self) -> bool {
        self.retries.withdraw()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_comes_to_rest_where_one_of_twenty_is_above() {
        let hedge = Hedge::default();
        // A fixed order of 1 to 100 milliseconds that visits each equally often.
        let taken = |turn: u64| Duration::from_millis(turn * 37 % 100 + 1);
        for turn in 0..20_000 {
            hedge.observe(taken(turn));
        }
        let usual = hedge.usual().as_secs_f64() * 1_000.0;
        assert!((85.0..=105.0).contains(&usual), "{usual}");
        for _ in 0..20_000 {
            hedge.observe(Duration::ZERO);
        }
        assert_eq!(hedge.usual(), ESTIMATE_MIN);
    }

    #[tokio::test]
    async fn further_calls_have_a_budget() {
        let hedge = Hedge::default();
        for _ in 0..1_000 {
            hedge.begin();
        }
        let always = 10;
        let hedged = (0..1_000).filter(|_| hedge.may_hedge()).count();
        assert!((50..=50 + always).contains(&hedged), "{hedged}");
        let retried = (0..1_000).filter(|_| hedge.may_retry()).count();
        assert!((200..=200 + always).contains(&retried), "{retried}");
    }
}
