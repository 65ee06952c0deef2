//! Pauses between attempts: doubling, with jitter, so that many readers do not return in step.

use std::sync::Arc;
use std::time::Duration;

use fcs_service::Random;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// The next pause and how it grows.
pub(super) struct Backoff {
    random: Arc<dyn Random>,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(random: Arc<dyn Random>) -> Self {
        Self {
            random,
            next: FIRST,
        }
    }

    /// After a success the next failure waits the shortest pause again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Between half of the pause and all of it; the one after it is twice as long.
    pub(super) fn pause(&mut self) -> Duration {
        let mut byte = [0];
        self.random.fill(&mut byte);
        let pause =
            self.next / 2 + (self.next / 2).mul_f64(f64::from(byte[0]) / f64::from(u8::MAX));
        self.next = (self.next * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_to_a_limit_and_start_again() {
        let mut longest = Backoff::new(Arc::new(Fixed(255)));
        let pauses: Vec<_> = (0..9).map(|_| longest.pause()).collect();
        assert_eq!(pauses[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert_eq!(pauses[8], LONGEST);
        longest.reset();
        assert_eq!(longest.pause(), FIRST);
        assert_eq!(Backoff::new(Arc::new(Fixed(0))).pause(), FIRST / 2);
    }
}
