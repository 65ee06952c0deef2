//! A circuit breaker for one server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row after which a server is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone at first; each failed probe doubles the time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// And at most.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// Leaves a server alone that failed several times in a row: further calls would only wait for it. After a pause one
/// call is let through to see whether it is back.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Clone, Copy)]
enum State {
    /// Calls go through.
    Closed { failures: u32 },
    /// No call goes through until then, and one after it.
    Open { until: Instant, pause: Duration },
    /// One call is on its way.
    Probing { pause: Duration },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether calls go through.
    pub fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed { .. })
    }

    /// Takes the one call that sees whether the server is back. It must end with one of the other methods.
    pub fn take_probe(&self, now: Instant) -> bool {
        let mut state = self.state();
        match *state {
            State::Open { until, pause } if until <= now => {
                *state = State::Probing { pause };
                true
            }
            _ => false,
        }
    }

    /// The server answered.
    pub fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// The server did not answer. Returns whether it is left alone from now on.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.state();
        let pause = match *state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                *state = State::Closed {
                    failures: failures + 1,
                };
                return false;
            }
            State::Closed { .. } => PAUSE_MIN,
            State::Probing { pause } => (pause * 2).min(PAUSE_MAX),
            // A call that began before.
            State::Open { .. } => return false,
        };
        *state = State::Open {
            until: now + pause,
            pause,
        };
        true
    }

    /// A call was given up by its caller, which says nothing about the server.
    pub fn given_up(&self, now: Instant) {
        let mut state = self.state();
        if let State::Probing { pause } = *state {
            *state = State::Open { until: now, pause };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_failures_opens_it_and_a_probe_closes_it() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 1..FAILURES {
            assert!(!breaker.failed(now));
        }
        assert!(breaker.is_closed());
        assert!(breaker.failed(now), "now it opens");
        assert!(!breaker.is_closed() && !breaker.take_probe(now));
        let later = now + PAUSE_MIN;
        assert!(breaker.take_probe(later));
        assert!(!breaker.take_probe(later), "one probe at a time");
        breaker.succeeded();
        assert!(breaker.is_closed());
    }

    #[test]
    fn answers_between_failures_keep_it_closed() {
        let breaker = Breaker::default();
        for _ in 0..10 * FAILURES {
            breaker.failed(Instant::now());
            breaker.succeeded();
        }
        assert!(breaker.is_closed());
    }

    #[test]
    fn failed_probes_make_the_pause_longer_up_to_a_limit() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 0..FAILURES {
            breaker.failed(now);
        }
        let mut pause = PAUSE_MIN;
        for _ in 0..8 {
            assert!(!breaker.take_probe(now + pause / 2));
            now += pause;
            assert!(breaker.take_probe(now));
            assert!(breaker.failed(now));
            pause = (pause * 2).min(PAUSE_MAX);
        }
        assert_eq!(pause, PAUSE_MAX);
    }

    #[test]
    fn a_probe_that_its_caller_gave_up_is_free_again() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..FAILURES {
            breaker.failed(now);
        }
        let later = now + PAUSE_MIN;
        assert!(breaker.take_probe(later));
        breaker.given_up(later);
        assert!(breaker.take_probe(later));
        breaker.failed(later);
        breaker.failed(later);
        breaker.given_up(later);
        assert!(!breaker.take_probe(later), "calls of before change nothing");
    }
}
