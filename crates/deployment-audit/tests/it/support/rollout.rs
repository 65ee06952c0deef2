//! Rollouts over a store, a traffic table in memory, counts that a test decides, a clock that it moves, and faults.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use deployment_audit::app::controller::Controller;
use deployment_audit::app::ports::{
    BiasMonitor, GatewayError, MetricError, MetricSource, MonitorError, Span, Traffic,
};
use deployment_audit::app::recorder::{Recorder, RolloutHistory};
use deployment_audit::app::rollouts::{NewRollout, Rollouts};
use deployment_audit::store::StoreError;
use deployment_audit::store::rollouts::{
    Lease, LeaseClaim, NewRolloutEvent, RolloutRow, RolloutStore, StoredRollout,
};
use fcs_core::{Clock, Digest, ModelVersion, UnixMicros};
use fcs_rollout::rollout::{Analysis, BiasAlarm, Limits, Metric, Phase, Share, Strategy, laws};
use fcs_rollout::statistics::{Criteria, RateCriterion, RatioCriterion};
use fcs_rollout::{Environment, TrafficArm, TrafficTable};
use fcs_service::OsRandom;

use super::Backend;
use super::app::FakeTraffic;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const BASELINE: &str = "taiwan-default/1";
pub(crate) const CANDIDATE: &str = "taiwan-default/2";

/// A clock that only a test moves.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0.load(Ordering::SeqCst))
    }
}

/// What the metrics show.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Health {
    /// 50 requests per second of each arm, all of them good.
    Good,
    /// All requests of the candidate are bad.
    Bad,
    /// Nothing.
    Missing,
    /// The metric store does not answer.
    Silent,
    /// The requests are good, and the bias monitor has an alarm about the candidate.
    Biased,
    /// The requests are good, and the bias monitor does not answer.
    Unwatched,
}

pub(crate) struct FakeSource(Mutex<Health>);

impl FakeSource {
    /// Queries are those of [`analysis`].
    fn answer(&self, query: &str) -> Result<Option<f64>, MetricError> {
        let window = query.split_once('[').and_then(|(_, it)| it.split_once('s'));
        let seconds: f64 = window.map_or(1.0, |(seconds, _)| seconds.parse().unwrap());
        let requests = Some(50.0 * seconds);
        let is_all = query.starts_with("requests");
        Ok(match *self.0.lock().unwrap() {
            Health::Missing => None,
            Health::Silent => return Err(MetricError("nobody there".to_owned())),
            Health::Bad if query.contains(CANDIDATE) => requests,
            _ if is_all => requests,
            _ => Some(0.0),
        })
    }
}

#[async_trait]
impl MetricSource for FakeSource {
    async fn value(&self, query: &str, _: UnixMicros) -> Result<Option<f64>, MetricError> {
        self.answer(query)
    }

    async fn buckets(&self, _: &str, _: UnixMicros) -> Result<Vec<(f64, f64)>, MetricError> {
        Ok(Vec::new())
    }

    async fn range(&self, _: &str, _: Span) -> Result<Vec<(UnixMicros, f64)>, MetricError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl BiasMonitor for FakeSource {
    async fn firing(&self, model: &ModelVersion) -> Result<Vec<BiasAlarm>, MonitorError> {
        let alarm = BiasAlarm {
            attribute: "race".to_owned(),
            group: "black".to_owned(),
            baseline: None,
        };
        match *self.0.lock().unwrap() {
            Health::Unwatched => Err(MonitorError("nobody there".to_owned())),
            Health::Biased if model.as_str() == CANDIDATE => Ok(vec![alarm]),
            _ => Ok(Vec::new()),
        }
    }
}

/// What happens at the fault.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// The call is not made.
    Before,
    /// The call is made, and its answer is lost.
    After,
}

/// Lets so many calls through; with the next one the process is gone.
pub(crate) struct Faults {
    left: AtomicU64,
    fault: Fault,
}

enum Fate {
    Live,
    Unheard,
    Dead,
}

impl Faults {
    pub(crate) fn after(calls: u64, fault: Fault) -> Arc<Self> {
        let left = AtomicU64::new(calls);
        Arc::new(Self { left, fault })
    }

    /// Whether all calls were let through.
    pub(crate) fn are_spared(&self) -> bool {
        self.left.load(Ordering::SeqCst) < u64::MAX / 2 && self.left.load(Ordering::SeqCst) > 0
    }

    fn fate(&self) -> Fate {
        // Below 0 it wraps: far beyond any number of calls.
        let left = self.left.fetch_sub(1, Ordering::SeqCst).cast_signed();
        match left {
            1.. => Fate::Live,
            0 if self.fault == Fault::After => Fate::Unheard,
            _ => Fate::Dead,
        }
    }
}

/// A port with faults in it.
pub(crate) struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    faults: Arc<Faults>,
}

macro_rules! through {
    ($self:ident, $call:expr, $error:expr) => {
        match $self.faults.fate() {
            Fate::Live => $call.await,
            Fate::Unheard => {
                drop($call.await);
                Err($error)
            }
            Fate::Dead => Err($error),
        }
    };
}

fn gone() -> StoreError {
    StoreError::Failed("the process is gone".into())
}

#[async_trait]
impl RolloutStore for Faulty<dyn RolloutStore> {
    async fn append_rollout(
        &self,
        events: &[NewRolloutEvent],
        lease: Option<&Lease>,
    ) -> Result<(), StoreError> {
        through!(self, self.inner.append_rollout(events, lease), gone())
    }

    async fn rollout(&self, id: &str) -> Result<Option<StoredRollout>, StoreError> {
        through!(self, self.inner.rollout(id), gone())
    }

    async fn rollouts(&self, limit: u32) -> Result<Vec<RolloutRow>, StoreError> {
        through!(self, self.inner.rollouts(limit), gone())
    }

    async fn open_rollouts(&self, environment: &str) -> Result<Vec<String>, StoreError> {
        through!(self, self.inner.open_rollouts(environment), gone())
    }

    async fn claim(&self, claim: LeaseClaim<'_>) -> Result<Option<Lease>, StoreError> {
        through!(self, self.inner.claim(claim), gone())
    }

    async fn epoch(&self, name: &str) -> Result<u64, StoreError> {
        through!(self, self.inner.epoch(name), gone())
    }
}

#[async_trait]
impl Traffic for Faulty<FakeTraffic> {
    async fn table(&self) -> Result<TrafficTable, GatewayError> {
        let gone = GatewayError::Unavailable("the process is gone".to_owned());
        through!(self, self.inner.table(), gone)
    }

    async fn apply(
        &self,
        expected_generation: u64,
        table: &TrafficTable,
    ) -> Result<TrafficTable, GatewayError> {
        let gone = GatewayError::Unavailable("the process is gone".to_owned());
        through!(self, self.inner.apply(expected_generation, table), gone)
    }

    async fn is_everywhere(&self, generation: u64) -> Result<bool, GatewayError> {
        let gone = GatewayError::Unavailable("the process is gone".to_owned());
        through!(self, self.inner.is_everywhere(generation), gone)
    }
}

#[async_trait]
impl MetricSource for Faulty<FakeSource> {
    async fn value(&self, query: &str, at: UnixMicros) -> Result<Option<f64>, MetricError> {
        let gone = MetricError("the process is gone".to_owned());
        through!(self, self.inner.value(query, at), gone)
    }

    async fn buckets(&self, query: &str, at: UnixMicros) -> Result<Vec<(f64, f64)>, MetricError> {
        let gone = MetricError("the process is gone".to_owned());
        through!(self, self.inner.buckets(query, at), gone)
    }

    async fn range(&self, query: &str, span: Span) -> Result<Vec<(UnixMicros, f64)>, MetricError> {
        let gone = MetricError("the process is gone".to_owned());
        through!(self, self.inner.range(query, span), gone)
    }
}

#[async_trait]
impl BiasMonitor for Faulty<FakeSource> {
    async fn firing(&self, model: &ModelVersion) -> Result<Vec<BiasAlarm>, MonitorError> {
        let gone = MonitorError("the process is gone".to_owned());
        through!(self, self.inner.firing(model), gone)
    }
}

/// One gateway whose traffic is rolled out.
pub(crate) struct World {
    pub(crate) store: Arc<dyn RolloutStore>,
    pub(crate) traffic: Arc<FakeTraffic>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) rollouts: Arc<Rollouts>,
    source: Arc<FakeSource>,
    environment: Environment,
}

impl World {
    pub(crate) fn new(backend: &Backend) -> Self {
        Self::of(backend, Environment::Development, 0)
    }

    /// The baseline has everything; the clock stands at a second.
    pub(crate) fn of(backend: &Backend, environment: Environment, second: i64) -> Self {
        let traffic = Arc::new(FakeTraffic::default());
        traffic.force(whole(4, "stable", BASELINE, 1));
        let clock = Arc::new(HandClock(AtomicI64::new(second * SECOND)));
        let rollouts = Arc::new(Rollouts {
            recorder: Recorder {
                store: Arc::clone(&backend.rollouts),
                clock: Arc::clone(&clock) as _,
            },
            traffic: Arc::clone(&traffic) as _,
            nudge: Arc::default(),
            random: Arc::new(OsRandom),
            environment,
        });
        Self {
            store: Arc::clone(&backend.rollouts),
            traffic,
            clock,
            rollouts,
            source: Arc::new(FakeSource(Mutex::new(Health::Good))),
            environment,
        }
    }

    pub(crate) fn set_health(&self, health: Health) {
        *self.source.0.lock().unwrap() = health;
    }

    pub(crate) fn controller(&self, holder: &str) -> Controller {
        self.faulty(holder, &Faults::after(u64::MAX / 4, Fault::Before))
    }

    pub(crate) fn faulty(&self, holder: &str, faults: &Arc<Faults>) -> Controller {
        let faults = || Arc::clone(faults);
        Controller {
            recorder: Recorder {
                store: Arc::new(Faulty {
                    inner: Arc::clone(&self.store),
                    faults: faults(),
                }),
                clock: Arc::clone(&self.clock) as _,
            },
            traffic: Arc::new(Faulty {
                inner: Arc::clone(&self.traffic),
                faults: faults(),
            }),
            source: Arc::new(Faulty {
                inner: Arc::clone(&self.source),
                faults: faults(),
            }),
            monitor: Arc::new(Faulty {
                inner: Arc::clone(&self.source),
                faults: faults(),
            }),
            environment: self.environment,
            follow: Duration::from_millis(10),
            holder: holder.to_owned(),
        }
    }

    /// Proposed by rita, written by ada and cleo.
    pub(crate) async fn propose(&self) -> String {
        let history = self.rollouts.propose(proposal(self.environment)).await;
        history.unwrap().rollout_id.to_string()
    }

    pub(crate) async fn started(&self) -> String {
        let id = self.propose().await;
        self.rollouts.start(&id, "rita").await.unwrap();
        id
    }

    pub(crate) async fn history(&self, id: &str) -> RolloutHistory {
        let history = self.rollouts.find(id).await.unwrap();
        laws::check(&history.recorded()).unwrap();
        history
    }

    pub(crate) async fn phase(&self, id: &str) -> Phase {
        self.history(id).await.rollout.phase()
    }

    /// Rounds, a quarter of a minute apart, until the rollout stands somewhere.
    pub(crate) async fn drive(&self, id: &str, controller: &Controller, to: Phase) {
        for _ in 0..60 {
            controller.round().await.unwrap();
            if self.phase(id).await == to {
                return;
            }
            self.clock.advance(15 * SECOND);
        }
        panic!("{id} stands at {}", self.phase(id).await);
    }

    /// The candidate's weights, table by table, and nothing but the two models in any of them.
    pub(crate) fn weights(&self) -> Vec<u32> {
        let weight = |table: TrafficTable| {
            let arms = table.arms();
            let of = |model: &str| {
                let arm = arms.iter().find(|arm| arm.model.as_str() == model);
                arm.map_or(0, |arm| arm.weight_basis_points)
            };
            assert_eq!(of(BASELINE) + of(CANDIDATE), 10_000);
            of(CANDIDATE)
        };
        self.traffic.taken().into_iter().map(weight).collect()
    }

    pub(crate) fn kinds(history: &RolloutHistory) -> Vec<&'static str> {
        let events = history.events.iter();
        events.map(|it| it.recorded.event.kind()).collect()
    }
}

/// A table in which one model has everything.
pub(crate) fn whole(generation: u64, name: &str, model: &str, digest: u8) -> TrafficTable {
    let arm = TrafficArm {
        name: name.to_owned(),
        model: model.parse().unwrap(),
        manifest_digest: Digest::from_bytes([digest; 32]),
        weight_basis_points: 10_000,
    };
    TrafficTable::new(generation, "salt".to_owned(), vec![arm]).unwrap()
}

pub(crate) fn analysis() -> Analysis {
    let alpha = 0.01.try_into().unwrap();
    let criteria = Criteria {
        ratio: RatioCriterion {
            alpha,
            tolerated: 1.25.try_into().unwrap(),
            certified: 2.0.try_into().unwrap(),
            bad_requests_min: 5,
        },
        rate: Some(RateCriterion {
            alpha,
            tolerated: 0.05.try_into().unwrap(),
            certified: 0.05.try_into().unwrap(),
        }),
        assignment_alpha: 0.0001.try_into().unwrap(),
    };
    Analysis {
        requests: "requests{model=\"{model}\"}[{window}]".parse().unwrap(),
        metrics: vec![Metric {
            name: "errors".parse().unwrap(),
            bad: "bad{model=\"{model}\"}[{window}]".parse().unwrap(),
            criteria,
        }],
        slower_anywhere: None,
        guards: Vec::new(),
        ..Analysis::default()
    }
}

/// Half, then everything; each watched for half a minute.
pub(crate) fn proposal(environment: Environment) -> NewRollout {
    let share = |basis_points: u32| Share {
        weight: basis_points.try_into().unwrap(),
        bake_micros: 30 * SECOND.cast_unsigned(),
        gate: false,
    };
    NewRollout {
        actor: "rita".to_owned(),
        environment: environment.to_string(),
        model: CANDIDATE.to_owned(),
        manifest_digest: "02".repeat(32),
        git_commit: "0123abc".to_owned(),
        author: "ada".to_owned(),
        committers: vec!["Cleo".to_owned()],
        description: "a better model".to_owned(),
        strategy: Strategy::Canary {
            shadow: None,
            shares: [5_000, 10_000].map(share).to_vec(),
        },
        analysis: analysis(),
        limits: Limits {
            final_bake_micros: 30 * SECOND.cast_unsigned(),
            ..Limits::default()
        },
        point_of_no_return: None,
    }
}
