//! Deadlines that travel: what is left of a caller's budget is what the next hop gets.

use std::future::Future;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use http::HeaderMap;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::MetadataMap;

use crate::problem::reason;

/// Header of the gRPC protocol that carries the budget.
const HEADER: &str = "grpc-timeout";
/// A budget longer than this is cut to it, so that no arithmetic overflows.
const BUDGET_MAX: Duration = Duration::from_hours(24);

/// The moment by which an answer must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// From now.
    pub fn after(budget: Duration) -> Self {
        Self(Instant::now() + budget.min(BUDGET_MAX))
    }

    /// The caller's deadline, at most `default` away; without one, `default`.
    pub fn from_metadata(metadata: &MetadataMap, default: Duration) -> Self {
        let limit = Self::after(default);
        Self::asked(metadata).map_or(limit, |asked| asked.min(limit))
    }

    /// The caller's deadline, if there is one.
    pub fn asked(metadata: &MetadataMap) -> Option<Self> {
        let text = metadata.get(HEADER)?.to_str().ok()?;
        parse(text).map(Self::after)
    }

    /// The budget that HTTP headers ask for.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(HEADER)?.to_str().ok()?;
        parse(text).map(Self::after)
    }

    /// What is left; zero when it passed.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it passed.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Runs a future to the deadline; past it the future is dropped, and not even begun.
    pub async fn run<F: Future>(&self, future: F) -> Result<F::Output, ApiError> {
        if self.is_over() {
            return Err(Self::passed());
        }
        timeout_at(self.0, future).await.map_err(|_| Self::passed())
    }

    /// The error of a passed deadline.
    pub fn passed() -> ApiError {
        ApiError::new(
            ErrorCode::DeadlineExceeded,
            reason::REQUEST_TIMEOUT,
            "the request took longer than its deadline allows",
        )
    }
}

/// Reads a `TimeoutValue TimeoutUnit` pair: at most 8 digits and one of `HMSmun`.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3_600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_refuses_the_rest() {
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("2H"), Some(Duration::from_hours(2)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "m", "5", "5s", "-5m", "123456789m", "5mS", "5\u{fc}"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_caller_can_shorten_but_not_extend() {
        let mut metadata = MetadataMap::new();
        let default = Duration::from_mins(1);
        let given = |metadata: &MetadataMap| Deadline::from_metadata(metadata, default);
        assert!(given(&metadata).remaining() > Duration::from_secs(30));
        metadata.insert(HEADER, "9H".parse().unwrap());
        assert!(given(&metadata).remaining() <= default, "not nine hours");
        metadata.insert(HEADER, "50m".parse().unwrap());
        let short = given(&metadata);
        assert!(short.remaining() <= Duration::from_millis(50));
        let error = short.run(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::DeadlineExceeded);
        assert!(short.is_over());
        let never = short.run(async { panic!("work that nobody waits for") });
        assert_eq!(never.await.map(|()| 0), Err(error));
    }
}
