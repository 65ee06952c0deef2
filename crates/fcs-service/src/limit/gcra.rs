//! The generic cell rate algorithm (ITU-T I.371, virtual scheduling), one number per caller.
//!
//! The number is the theoretical arrival time: the moment at which the allowance would be whole again. A request
//! moves it by one emission interval, and conforms while it stays within the window from now.

/// An allowance of some requests in a window, all at once or spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) requests: u32,
    pub(crate) window_s: u32,
}

/// What a request finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) conforms: bool,
    /// The arrival time to keep.
    pub(crate) arrival_micros: i64,
    /// Requests that would conform now.
    pub(crate) remaining: u32,
    /// Until the allowance is whole again.
    pub(crate) reset_micros: i64,
    /// Until a request would conform; 0 when this one does.
    pub(crate) wait_micros: i64,
}

impl Allowance {
    pub(crate) fn window_micros(self) -> i64 {
        i64::from(self.window_s) * 1_000_000
    }

    /// Between two requests at the steady rate.
    pub(crate) fn interval_micros(self) -> i64 {
        (self.window_micros() / i64::from(self.requests.max(1))).max(1)
    }

    /// Judges a request. The script of the shared limit computes the same.
    pub(crate) fn judge(self, arrival_micros: i64, now_micros: i64) -> Verdict {
        let (window, interval) = (self.window_micros(), self.interval_micros());
        // A clock that was set back must not lock anybody out for longer than a window.
        let arrival = arrival_micros.clamp(now_micros, now_micros + window);
        let next = arrival + interval;
        let wait = (next - now_micros - window).max(0);
        let conforms = wait == 0;
        let kept = if conforms { next } else { arrival };
        Verdict {
            conforms,
            arrival_micros: kept,
            remaining: u32::try_from((window - (kept - now_micros)) / interval).unwrap_or(0),
            reset_micros: kept - now_micros,
            wait_micros: wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN_A_SECOND: Allowance = Allowance {
        requests: 10,
        window_s: 1,
    };

    #[test]
    fn a_burst_of_the_whole_allowance_conforms_and_no_more() {
        let mut arrival = 0;
        for left in (0..10).rev() {
            let verdict = TEN_A_SECOND.judge(arrival, 1_000_000_000);
            assert!(verdict.conforms);
            assert_eq!(verdict.remaining, left);
            arrival = verdict.arrival_micros;
        }
        let refused = TEN_A_SECOND.judge(arrival, 1_000_000_000);
        assert!(!refused.conforms);
        assert_eq!(refused.wait_micros, 100_000, "one interval");
        assert_eq!(refused.reset_micros, 1_000_000);
        assert!(TEN_A_SECOND.judge(arrival, 1_000_100_000).conforms);
        assert!(!TEN_A_SECOND.judge(arrival, 1_000_099_999).conforms);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_longer_than_a_window() {
        let verdict = TEN_A_SECOND.judge(i64::MAX / 2, 0);
        assert!(verdict.wait_micros <= 1_000_000, "{verdict:?}");
    }

    proptest! {
        /// However requests arrive, no stretch of time sees more than its share and one allowance.
        #[test]
        fn the_rate_is_kept(gaps in prop::collection::vec(0_i64..300_000, 1..300)) {
            let (mut now, mut arrival, mut conforming) = (5_000_000_000, 0, Vec::new());
            for gap in gaps {
                now += gap;
                let verdict = TEN_A_SECOND.judge(arrival, now);
                arrival = verdict.arrival_micros;
                if verdict.conforms {
                    conforming.push(now);
                }
            }
            for (first, from) in conforming.iter().enumerate() {
                for (count, to) in conforming[first..].iter().enumerate() {
                    let share = (to - from) / TEN_A_SECOND.interval_micros();
                    prop_assert!(i64::try_from(count).unwrap() < share + 11);
                }
            }
        }
    }
}
