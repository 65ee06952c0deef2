//! How fast places become free.

use std::time::{Duration, Instant};

/// Waits that are looked back on. A writer that answers many at a time frees places in bursts.
const WAITS: u32 = 8;

/// The places that became free in the last two spans of time.
#[derive(Debug)]
pub(super) struct Pace {
    span: Duration,
    since: Option<Instant>,
    now: usize,
    before: usize,
}

impl Pace {
    /// The pace of requests that wait so long at most.
    pub(super) fn new(wait: Duration) -> Self {
        Self {
            span: wait * WAITS,
            since: None,
            now: 0,
            before: 0,
        }
    }

    /// A place became free.
    pub(super) fn freed(&mut self, at: Instant) {
        self.turn(at);
        self.now += 1;
    }

    /// Places that become free while a request waits, as things went in the better one of the two spans.
    pub(super) fn of_a_wait(&mut self, at: Instant) -> usize {
        self.turn(at);
        self.now.max(self.before).div_ceil(WAITS as usize)
    }

    fn turn(&mut self, at: Instant) {
        let past = at.duration_since(*self.since.get_or_insert(at));
        if past < self.span {
            return;
        }
        self.before = if past < 2 * self.span { self.now } else { 0 };
        self.now = 0;
        self.since = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_better_span() {
        let mut pace = Pace::new(Duration::from_millis(10));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.of_a_wait(at(0)), 0);
        for turn in 0..40 {
            pace.freed(at(turn));
        }
        assert_eq!(pace.of_a_wait(at(79)), 5, "40 in 80 ms are 5 in 10 ms");
        pace.freed(at(81));
        assert_eq!(pace.of_a_wait(at(81)), 5);
        assert_eq!(pace.of_a_wait(at(161)), 1);
        assert_eq!(pace.of_a_wait(at(400)), 0, "long ago");
    }
}
