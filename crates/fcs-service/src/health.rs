//! Liveness, readiness and start-up, answered from memory: a probe never touches a dependency.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{info, warn};

/// A main runtime that has not beaten for this long counts as stuck.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(10);
/// How often the main runtime beats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The state of a service as probes see it. Cloning shares it.
#[derive(Clone)]
pub struct Health(Arc<State>);

struct State {
    started: AtomicBool,
    draining: AtomicBool,
    dependencies: Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>,
    created: Instant,
    last_beat_ms: AtomicU64,
    /// Marked at every change that readiness may depend on.
    changes: Arc<watch::Sender<()>>,
}

/// What readiness says, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Readiness {
    /// Whether traffic is welcome.
    pub ready: bool,
    /// Whether the service has started.
    pub started: bool,
    /// Whether the service is about to stop.
    pub draining: bool,
    /// The dependencies, true when good.
    pub dependencies: BTreeMap<&'static str, bool>,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(State {
            started: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            dependencies: Mutex::default(),
            created: Instant::now(),
            last_beat_ms: AtomicU64::new(0),
            changes: Arc::default(),
        }))
    }
}

impl Health {
    /// The latch of a dependency. It starts as not good; the service is ready once all are good.
    pub fn dependency(&self, name: &'static str) -> Dependency {
        let mut dependencies = self.dependencies();
        let good = Arc::clone(dependencies.entry(name).or_default());
        Dependency {
            name,
            good,
            changes: Arc::clone(&self.0.changes),
        }
    }

    /// What a readiness probe is told.
    pub fn readiness(&self) -> Readiness {
        let dependencies: BTreeMap<_, _> = self
            .dependencies()
            .iter()
            .map(|(name, good)| (*name, good.load(Ordering::Relaxed)))
            .collect();
        let started = self.is_started();
        let draining = self.0.draining.load(Ordering::Relaxed);
        let ready = started && !draining && dependencies.values().all(|good| *good);
        Readiness {
            ready,
            started,
            draining,
            dependencies,
        }
    }

    /// Wakes up whenever readiness may have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Whether the start is over.
    pub fn is_started(&self) -> bool {
        self.0.started.load(Ordering::Relaxed)
    }

    /// Whether the main runtime still makes progress.
    pub fn is_live(&self) -> bool {
        let now_ms = millis(self.0.created.elapsed());
        let silence_ms = now_ms.saturating_sub(self.0.last_beat_ms.load(Ordering::Relaxed));
        silence_ms < millis(HEARTBEAT_LIMIT)
    }

    pub(crate) fn set_started(&self) {
        self.0.started.store(true, Ordering::Relaxed);
        self.0.changes.send_replace(());
    }

    pub(crate) fn set_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.changes.send_replace(());
    }

    /// Beats for as long as the runtime lets it; the caller drops it when the service ends.
    pub(crate) async fn beat(self) {
        let mut interval = tokio::time::interval(HEARTBEAT_INTERVAL);
        loop {
            interval.tick().await;
            self.0
                .last_beat_ms
                .store(millis(self.0.created.elapsed()), Ordering::Relaxed);
        }
    }

    fn dependencies(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Arc<AtomicBool>>> {
        self.0
            .dependencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The latch of one dependency. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Dependency {
    name: &'static str,
    good: Arc<AtomicBool>,
    changes: Arc<watch::Sender<()>>,
}

impl Dependency {
    /// The dependency answers.
    pub fn good(&self) {
        if !self.good.swap(true, Ordering::Relaxed) {
            self.changes.send_replace(());
            info!(dependency = self.name, "a dependency is good");
        }
    }

    /// The dependency does not answer. The reason goes to the log, never to a probe.
    pub fn bad(&self, reason: impl std::fmt::Display) {
        if self.good.swap(false, Ordering::Relaxed) {
            self.changes.send_replace(());
            warn!(dependency = self.name, %reason, "a dependency went bad; not ready");
        }
    }

    /// Whether it is good.
    pub fn is_good(&self) -> bool {
        self.good.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_a_start_good_dependencies_and_no_drain() {
        let health = Health::default();
        let database = health.dependency("database");
        assert!(!health.readiness().ready, "not started");
        health.set_started();
        assert!(
            !health.readiness().ready,
            "the dependency was never seen good"
        );
        database.good();
        assert!(health.readiness().ready);
        health.dependency("database").bad("connection refused");
        assert!(
            !health.readiness().ready,
            "handles of one name share the latch"
        );
        database.good();
        health.set_draining();
        assert!(!health.readiness().ready, "draining");
        assert!(health.is_live(), "liveness does not depend on readiness");
    }
}
