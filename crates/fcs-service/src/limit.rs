//! How much a caller may ask for: a rate and a daily quota, shared through Redis, local without it.
//!
//! Each process also counts for itself. Its own count never allows more than the shared one, which counts at least
//! as much; so it refuses floods without asking, and it is what is left when Redis is away or has forgotten.

mod gcra;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use fcs_core::{ApiError, Clock, ErrorCode, Violation};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::auth::Principal;
use crate::cache::Cache;

use gcra::{Allowance, Verdict};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const SCRIPT: &str = include_str!("limit/gcra.lua");
const DAY_MICROS: i64 = 86_400_000_000;
/// How long Redis is left alone after it did not answer.
const PAUSE_MICROS: i64 = 500_000;
/// Callers that are counted at most; beyond it the counts that say least are dropped.
const CALLERS_MAX: usize = 10_000;

/// The section `[limits]`: of each API key's client and each person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests in a window; 0 means without limit.
    pub requests: u32,
    /// Length of the window.
    pub window_s: u32,
    /// Requests of one day, UTC, beside the window's limit; 0 means without limit.
    pub daily_requests: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            requests: 0,
            window_s: 60,
            daily_requests: 0,
        }
    }
}

/// The limits of a service. Cloning shares them.
#[derive(Clone)]
pub(crate) struct RateLimits(Arc<Inner>);

struct Inner {
    allowance: Allowance,
    daily: u32,
    cache: Cache,
    clock: Arc<dyn Clock>,
    own: Mutex<HashMap<String, Count>>,
    /// Redis did not answer and is left alone until then.
    away_until: AtomicI64,
}

/// What this process has let through for a caller.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    arrival_micros: i64,
    day: i64,
    of_day: u32,
}

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    allowance: Allowance,
    remaining: u32,
    reset_s: u32,
}

impl Standing {
    /// Says it in the head of an answer (draft-ietf-httpapi-ratelimit-headers-11).
    pub(crate) fn tell(self, response: &mut Response) {
        let Allowance { requests, window_s } = self.allowance;
        let policy = format!("\"default\";q={requests};w={window_s}");
        let limit = format!("\"default\";r={};t={}", self.remaining, self.reset_s);
        let headers = response.headers_mut();
        for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
            let value = HeaderValue::try_from(value).expect("numbers are visible ASCII");
            headers.insert(name, value);
        }
    }
}

impl RateLimits {
    /// The limits that the settings name; `None` when they name none.
    pub(crate) fn new(
        settings: &LimitSettings,
        cache: Cache,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        if settings.requests == 0 {
            return None;
        }
        Some(Self(Arc::new(Inner {
            allowance: Allowance {
                requests: settings.requests,
                window_s: settings.window_s,
            },
            daily: settings.daily_requests,
            cache,
            clock,
            own: Mutex::default(),
            away_until: AtomicI64::new(0),
        })))
    }

    /// Counts a request, or refuses it.
    pub(crate) async fn take(&self, caller: &Principal) -> Result<Standing, Refused> {
        let inner = &*self.0;
        let caller = caller.to_string();
        let own = inner.count(&caller)?;
        match inner.shared(&caller).await {
            Some(shared) => inner.read(shared).inspect_err(|_| inner.give_back(&caller)),
            None => Ok(inner.standing(own)),
        }
    }
}

/// A refusal, and what the caller has left.
pub(crate) struct Refused {
    pub(crate) error: ApiError,
    pub(crate) standing: Standing,
}

impl Inner {
    /// What this process alone says. It judges and counts under one lock: of requests at the same moment, no two find
    /// the same count.
    fn count(&self, caller: &str) -> Result<Verdict, Refused> {
        let now = self.clock.now().0;
        let day = now.div_euclid(DAY_MICROS);
        let mut counts = self.counts();
        let mut count = counts.get(caller).copied().unwrap_or_default();
        if count.day != day {
            (count.day, count.of_day) = (day, 0);
        }
        if self.daily > 0 && count.of_day >= self.daily {
            return Err(self.over_quota(DAY_MICROS - now.rem_euclid(DAY_MICROS)));
        }
        let verdict = self.allowance.judge(count.arrival_micros, now);
        if !verdict.conforms {
            return Err(self.over_rate(verdict));
        }
        count.arrival_micros = verdict.arrival_micros;
        count.of_day += 1;
        if counts.len() >= CALLERS_MAX && !counts.contains_key(caller) {
            counts.retain(|_, count| count.arrival_micros > now);
            if counts.len() >= CALLERS_MAX {
                counts.clear();
            }
        }
        counts.insert(caller.to_owned(), count);
        Ok(verdict)
    }

    /// Takes a request back that Redis refused.
    fn give_back(&self, caller: &str) {
        if let Some(count) = self.counts().get_mut(caller) {
            count.arrival_micros -= self.allowance.interval_micros();
            count.of_day = count.of_day.saturating_sub(1);
        }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Count>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of the script; `None` without Redis.
    async fn shared(&self, caller: &str) -> Option<[i64; 3]> {
        let day = self.clock.now().0.div_euclid(DAY_MICROS);
        let keys = [format!("rate:{caller}"), format!("day:{day}:{caller}")];
        let arguments = [
            self.allowance.interval_micros(),
            self.allowance.window_micros(),
            self.daily.into(),
        ];
        let now = self.clock.now().0;
        if self.away_until.load(Ordering::Relaxed) > now {
            return None;
        }
        let answer = self.cache.eval(SCRIPT, &keys, &arguments).await;
        if answer.is_none() {
            self.away_until.store(now + PAUSE_MICROS, Ordering::Relaxed);
        }
        answer
    }

    fn read(&self, answer: [i64; 3]) -> Result<Standing, Refused> {
        let [conforms, reset_micros, wait_micros] = answer;
        if conforms == -1 {
            return Err(self.over_quota(wait_micros));
        }
        let unused = self.allowance.window_micros() - reset_micros;
        let verdict = Verdict {
            conforms: conforms == 1,
            arrival_micros: 0,
            remaining: u32::try_from(unused / self.allowance.interval_micros()).unwrap_or(0),
            reset_micros,
            wait_micros,
        };
        if verdict.conforms {
            Ok(self.standing(verdict))
        } else {
            Err(self.over_rate(verdict))
        }
    }

    fn standing(&self, verdict: Verdict) -> Standing {
        Standing {
            allowance: self.allowance,
            remaining: verdict.remaining,
            reset_s: seconds(verdict.reset_micros),
        }
    }

    fn over_rate(&self, verdict: Verdict) -> Refused {
        let Allowance { requests, window_s } = self.allowance;
        let limit = format!("{requests} requests in {window_s} seconds");
        Refused {
            error: exhausted("RATE_LIMITED", &limit, verdict.wait_micros),
            standing: self.standing(verdict),
        }
    }

    fn over_quota(&self, wait_micros: i64) -> Refused {
        let limit = format!("{} requests in a day", self.daily);
        Refused {
            error: exhausted("DAILY_QUOTA_EXHAUSTED", &limit, wait_micros),
            standing: Standing {
                allowance: self.allowance,
                remaining: 0,
                reset_s: seconds(wait_micros),
            },
        }
    }
}

fn exhausted(reason: &'static str, limit: &str, wait_micros: i64) -> ApiError {
    let wait_s = seconds(wait_micros).max(1);
    let message = format!("the limit of {limit} is reached; try again in {wait_s} s");
    let violation = Violation {
        pointer: String::new(),
        reason,
        description: limit.to_owned(),
    };
    ApiError {
        violations: vec![violation],
        ..ApiError::new(ErrorCode::ResourceExhausted, reason, message)
    }
    .retry_after(wait_s)
}

/// Whole seconds, rounded up.
fn seconds(micros: i64) -> u32 {
    let micros = u64::try_from(micros).unwrap_or(0);
    u32::try_from(micros.div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use fcs_core::Secret;
    use futures::future::join_all;

    use super::*;
    use crate::SystemClock;
    use crate::auth::{PrincipalKind, Role};
    use crate::settings::RedisSettings;

    #[tokio::test]
    async fn requests_at_the_same_moment_are_all_counted_while_redis_hangs() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let redis = RedisSettings {
            url: Some(Secret::new(format!(
                "redis://{}",
                silent.local_addr().unwrap()
            ))),
            ..RedisSettings::default()
        };
        let settings = LimitSettings {
            requests: 10,
            window_s: 3_600,
            daily_requests: 0,
        };
        let cache = Cache::connect(&redis, "test");
        let limits = RateLimits::new(&settings, cache, Arc::new(SystemClock)).unwrap();
        let tenant = Principal::default_tenant();
        let caller = Principal::new(
            PrincipalKind::Key,
            tenant,
            "c".to_owned(),
            vec![Role::Originator],
        );
        let answers = join_all((0..100).map(|_| limits.take(&caller))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    }

    #[test]
    fn what_redis_refused_is_given_back() {
        let settings = LimitSettings {
            requests: 1,
            window_s: 3_600,
            daily_requests: 1,
        };
        let cache = Cache::connect(&RedisSettings::default(), "test");
        let limits = RateLimits::new(&settings, cache, Arc::new(SystemClock)).unwrap();
        for _ in 0..3 {
            assert!(limits.0.count("c").is_ok());
            limits.0.give_back("c");
        }
        assert!(limits.0.count("c").is_ok());
        assert!(limits.0.count("c").is_err());
    }
}
