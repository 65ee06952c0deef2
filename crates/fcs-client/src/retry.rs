//! When to try again: which errors, after how long, and for how long altogether.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode, Violation};
use fcs_proto::scoring::v1::ScoreError;
use fcs_service::grpc::{interned, status_code};
use tonic::Code;

/// Whether the same request may succeed later.
pub const fn may_pass(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unavailable
            | ErrorCode::Aborted
            | ErrorCode::ResourceExhausted
            | ErrorCode::DeadlineExceeded
    )
}

/// Exponential backoff with full jitter: before attempt n + 1, a random time up to `first * 2^(n - 1)`, at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Longest wait after the first attempt.
    pub first: Duration,
    /// Longest wait after any attempt.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(50),
            max: Duration::from_secs(2),
        }
    }
}

impl Backoff {
    /// The wait after an attempt, counted from 1; `random` is spread evenly over all values.
    pub fn wait(self, attempt: u32, random: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let longest = self.first.saturating_mul(1 << doublings).min(self.max);
        longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// Thousandths of a token that a full budget holds.
const FULL: i64 = 10_000;
/// Below this, nothing is tried again.
const RETRIES_ABOVE: i64 = FULL / 2;
/// What a failure takes.
const FAILURE: i64 = 1_000;
/// What a success gives back: with one failure in ten calls the budget stays as it is.
const SUCCESS: i64 = 100;

/// How many attempts failed lately, over all calls of a client, after the retry throttling of gRPC (proposal A6): a
/// failure takes a token, a success gives a tenth of one, and with half of the tokens gone nothing is tried again.
#[derive(Debug)]
pub struct Budget(AtomicI64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicI64::new(FULL))
    }
}

impl Budget {
    /// Counts a success.
    pub fn succeeded(&self) {
        self.add(SUCCESS);
    }

    /// Counts a failure, and says whether it may be tried again.
    pub fn failed(&self) -> bool {
        self.add(-FAILURE) > RETRIES_ABOVE
    }

    /// The tokens after the change.
    fn add(&self, tokens: i64) -> i64 {
        let changed = |left: i64| Some((left + tokens).clamp(0, FULL));
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        let before = before.unwrap_or_else(|left| left);
        (before + tokens).clamp(0, FULL)
    }
}

/// The error of one request of a batch.
pub(crate) fn refusal(error: ScoreError) -> ApiError {
    let code = Code::from_i32(error.code);
    let known = ErrorCode::ALL
        .into_iter()
        .find(|known| status_code(*known) == code);
    let violations = error.violations.into_iter().map(|violation| Violation {
        pointer: violation.pointer,
        reason: interned(&violation.reason),
        description: violation.description,
    });
    ApiError {
        code: known.unwrap_or(ErrorCode::Internal),
        reason: interned(&error.reason),
        message: error.message,
        violations: violations.collect(),
        retry_after_s: Some(error.retry_after_seconds).filter(|seconds| *seconds > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            max: Duration::from_secs(1),
        };
        let longest: Vec<_> = (1..=6)
            .map(|attempt| backoff.wait(attempt, u32::MAX).as_millis())
            .collect();
        assert_eq!(longest, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff.wait(3, 0), Duration::ZERO);
        let middle = backoff.wait(3, u32::MAX / 2);
        assert!((199..=200).contains(&middle.as_millis()), "{middle:?}");
        assert_eq!(backoff.wait(u32::MAX, u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn a_budget_ends_retries_in_trouble_and_recovers() {
        let budget = Budget::default();
        let allowed = (0..20).filter(|_| budget.failed()).count();
        assert_eq!(
            allowed, 4,
            "half of ten tokens, less the one that crosses it"
        );
        for _ in 0..69 {
            budget.succeeded();
        }
        assert!(budget.failed(), "6.9 tokens less one are above five");
        assert!(!budget.failed());
    }

    #[test]
    fn one_failure_in_ten_calls_is_always_tried_again() {
        let budget = Budget::default();
        for _ in 0..1_000 {
            assert!(budget.failed());
            (0..10).for_each(|_| budget.succeeded());
        }
    }

    #[test]
    fn mistakes_and_defects_are_not_tried_again() {
        for code in [
            ErrorCode::InvalidArgument,
            ErrorCode::IdempotencyMismatch,
            ErrorCode::NotFound,
            ErrorCode::Internal,
        ] {
            assert!(!may_pass(code), "{code:?}");
        }
        assert!(may_pass(ErrorCode::Unavailable) && may_pass(ErrorCode::Aborted));
    }
}
