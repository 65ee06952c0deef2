//! Admission: how many requests are worked on at a time, and who waits.
//!
//! A service that takes everything gives every answer late. Past its limit a few requests wait, and the newest of them
//! goes first: its caller is the most likely to be still there. The line is as long as what lately got a place within
//! the time that a request waits at most. Who is pushed out by newer ones, or has waited for too long, is told to come
//! back; who finds a full line is told so before anything is read of its body. Requests that matter less stop earlier,
//! so that decisions are made when reading them has to wait. The probes need no place.

mod line;
mod pace;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fcs_core::{ApiError, ErrorCode};
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::line::Lines;
use self::pace::Pace;
use crate::MetricsHandle;
use crate::metrics::admission::{AdmissionMetrics, Shed};
use crate::problem::reason;
use crate::settings::AdmissionSettings;

/// What a request is for, the most important first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    prometheus_client::encoding::EncodeLabelValue,
)]
pub enum Class {
    /// Somebody waits for a decision. May use every place.
    Decision,
    /// Reads, explanations, reviews and notices. May use three places of four.
    Read,
    /// One of many requests that came together. May use every second place, and waits for it in its turn.
    Batch,
}

impl Class {
    /// Every class, the most important first.
    pub const ALL: [Self; 3] = [Self::Decision, Self::Read, Self::Batch];

    /// The places that requests of this class may use.
    fn share(self, places: usize) -> usize {
        let share = match self {
            Self::Decision => places,
            Self::Read => places * 3 / 4,
            Self::Batch => places / 2,
        };
        share.max(1)
    }
}

/// The places of a service. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: usize,
    /// Requests of a class that wait at most.
    waiting: usize,
    wait: Duration,
    metrics: AdmissionMetrics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    taken: usize,
    lines: Lines,
    pace: Pace,
}

/// A place; dropping it lets the next request in.
#[derive(Debug)]
#[must_use = "the request is admitted for as long as it keeps its place"]
pub struct Place(Arc<Shared>);

impl Admission {
    /// The places that the settings allow, all of them free.
    pub fn new(settings: &AdmissionSettings, metrics: &MetricsHandle) -> Self {
        Self(Arc::new(Shared {
            places: settings.places,
            waiting: settings.waiting,
            wait: Duration::from_millis(settings.wait_ms),
            metrics: AdmissionMetrics::register(metrics),
            state: Mutex::new(State {
                taken: 0,
                lines: Lines::default(),
                pace: Pace::new(Duration::from_millis(settings.wait_ms)),
            }),
        }))
    }

    /// A place for a request that somebody waits for, at once or after a short wait.
    ///
    /// # Errors
    /// `OVERLOADED` when there was none in time.
    pub async fn enter(&self, class: Class) -> Result<Place, ApiError> {
        let Some(turn) = self.take_or_wait(class) else {
            return Ok(self.place());
        };
        match timeout(self.0.wait, turn).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_pushed_out)) => Err(self.shed(class, Shed::PushedOut)),
            Err(_) => Err(self.shed(class, Shed::Waited)),
        }
    }

    /// A place for one of many requests, in its turn; the caller limits how many wait and for how long.
    ///
    /// # Errors
    /// `OVERLOADED`, never while the caller waits within its limits.
    pub async fn enter_in_turn(&self) -> Result<Place, ApiError> {
        let Some(turn) = self.take_or_wait(Class::Batch) else {
            return Ok(self.place());
        };
        turn.await
            .map_err(|_| self.shed(Class::Batch, Shed::PushedOut))
    }

    /// Refuses a request that would find a full line. The others are not admitted yet: a client that sends its body
    /// slowly holds no place.
    ///
    /// # Errors
    /// `OVERLOADED`.
    pub(crate) fn refuse_when_full(&self, class: Class) -> Result<(), ApiError> {
        let is_full = {
            let mut state = self.0.state();
            state.taken >= class.share(self.0.places)
                && state.lines.len(class) >= self.0.longest(&mut state)
        };
        if is_full {
            return Err(self.shed(class, Shed::FullLine));
        }
        Ok(())
    }

    /// Takes a free place, or joins the line of the class.
    fn take_or_wait(&self, class: Class) -> Option<oneshot::Receiver<Place>> {
        let mut state = self.0.state();
        if state.taken < class.share(self.0.places) {
            state.taken += 1;
            return None;
        }
        let longest = self.0.longest(&mut state);
        Some(state.lines.join(class, longest))
    }

    fn place(&self) -> Place {
        self.0.metrics.taken();
        Place(Arc::clone(&self.0))
    }

    fn shed(&self, class: Class, why: Shed) -> ApiError {
        self.0.metrics.shed(class, why);
        let message = "the service has more to do than it can; retry with the same key";
        ApiError::new(ErrorCode::Unavailable, reason::OVERLOADED, message).retry_after(1)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests of a class that may wait: those that get their place in time, as things went lately.
    fn longest(&self, state: &mut State) -> usize {
        state.pace.of_a_wait(Instant::now()).clamp(1, self.waiting)
    }

    /// Who goes next when a place becomes free; without anybody the place is free.
    fn next(&self) -> Option<oneshot::Sender<Place>> {
        let mut state = self.state();
        state.pace.freed(Instant::now());
        let others = state.taken - 1;
        let next = Class::ALL
            .into_iter()
            .filter(|class| others < class.share(self.places))
            .find_map(|class| state.lines.next(class));
        if next.is_none() {
            state.taken = others;
        }
        next
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.0.next() {
            // When the other side has just left, its place is dropped here and goes to the next.
            Some(turn) => drop(turn.send(Self(Arc::clone(&self.0)))),
            None => self.0.metrics.freed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::join_all;

    use super::*;

    fn places(places: usize, waiting: usize, wait_ms: u64) -> Admission {
        let settings = AdmissionSettings {
            places,
            waiting,
            wait_ms,
        };
        Admission::new(&settings, &MetricsHandle::default())
    }

    fn is_full(admission: &Admission, class: Class) -> bool {
        admission.enter(class).now_or_never().is_none()
    }

    #[tokio::test]
    async fn less_important_requests_stop_earlier() {
        let admission = places(8, 8, 60_000);
        let mut taken = Vec::new();
        for (class, share) in [(Class::Batch, 4), (Class::Read, 6), (Class::Decision, 8)] {
            while taken.len() < share {
                taken.push(admission.enter(class).await.unwrap());
            }
            assert!(is_full(&admission, class), "{class:?}");
        }
        taken.truncate(5);
        assert!(is_full(&admission, Class::Batch));
        assert!(!is_full(&admission, Class::Read));
    }

    #[tokio::test]
    async fn the_newest_goes_first_and_pushes_the_oldest_out() {
        let admission = places(1, 8, 60_000);
        // Two in the time of a wait, of the eight that are looked back on.
        for _ in 0..16 {
            drop(admission.enter(Class::Decision).await.unwrap());
        }
        let first = admission.enter(Class::Decision).await.unwrap();
        let mut waiting: Vec<_> = (0..3)
            .map(|_| Box::pin(admission.enter(Class::Decision)))
            .collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }
        let oldest = waiting.remove(0).await.unwrap_err();
        assert_eq!(
            (oldest.reason, oldest.retry_after_s),
            ("OVERLOADED", Some(1))
        );
        drop(first);
        let newest = waiting.remove(1).await.unwrap();
        assert!(waiting[0].as_mut().now_or_never().is_none());
        assert!(admission.refuse_when_full(Class::Decision).is_ok());
        drop(newest);
        drop(waiting.remove(0).await.unwrap());
    }

    #[tokio::test]
    async fn who_would_find_a_full_line_is_refused_at_once() {
        let admission = places(4, 8, 60_000);
        let taken: Vec<_> = join_all((0..3).map(|_| admission.enter(Class::Read))).await;
        assert!(
            admission.refuse_when_full(Class::Read).is_ok(),
            "one may wait"
        );
        let mut waiting = Box::pin(admission.enter(Class::Read));
        assert!(waiting.as_mut().now_or_never().is_none());
        let refused = admission.refuse_when_full(Class::Read).unwrap_err();
        assert_eq!(
            (refused.reason, refused.retry_after_s),
            ("OVERLOADED", Some(1))
        );
        assert!(
            admission.refuse_when_full(Class::Decision).is_ok(),
            "a place is free"
        );
        drop(waiting);
        assert!(admission.refuse_when_full(Class::Read).is_ok());
        drop(taken);
    }

    #[tokio::test]
    async fn a_wait_ends_with_a_refusal_and_costs_no_place() {
        let admission = places(1, 8, 5);
        let first = admission.enter(Class::Decision).await.unwrap();
        let refused = join_all((0..4).map(|_| admission.enter(Class::Read))).await;
        assert!(refused.iter().all(Result::is_err));
        drop(first);
        drop(admission.enter(Class::Decision).await.unwrap());
        assert_eq!(admission.0.state().taken, 0);
    }

    #[tokio::test]
    async fn a_place_for_somebody_who_left_goes_to_the_next() {
        let admission = places(2, 8, 60_000);
        let taken = admission.enter_in_turn().await.unwrap();
        let mut second = Box::pin(admission.enter_in_turn());
        let mut third = Box::pin(admission.enter_in_turn());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(taken);
        // The place is on its way to the second, who is gone.
        drop(second);
        drop(third.await.unwrap());
        assert_eq!(admission.0.state().taken, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_place_is_lost_or_doubled() {
        let admission = places(3, 4, 1);
        let at_work = Arc::new(Mutex::new((0, 0)));
        let work = |number: usize| {
            let (admission, at_work) = (admission.clone(), Arc::clone(&at_work));
            async move {
                let class = Class::ALL[number % 3];
                let Ok(place) = admission.enter(class).await else {
                    return;
                };
                let note = |change: i32| {
                    let mut counts = at_work.lock().unwrap();
                    counts.0 += change;
                    counts.1 = counts.1.max(counts.0);
                };
                note(1);
                tokio::task::yield_now().await;
                note(-1);
                drop(place);
            }
        };
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..2_000 {
            tasks.spawn(work(number));
        }
        tasks.join_all().await;
        assert_eq!(at_work.lock().unwrap().0, 0);
        assert!((1..=3).contains(&at_work.lock().unwrap().1));
        assert_eq!(admission.0.state().taken, 0);
    }
}
