//! Drives rollouts: fold the events, derive what should be true, make it true, look, record what was seen.
//!
//! The intent is an event before anything is done. What is done is absolute and follows from the events alone, so a
//! controller that stops at any point is continued by the next one. Two at once do no harm: the lease's epoch guards
//! the events, and the generation of the table guards the traffic.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, Digest, RolloutId, UnixMicros};
use fcs_rollout::rollout::{Command, Phase, Rollout, Seen, assess, watched};
use fcs_rollout::{Environment, Principal, TrafficTable, WHOLE_BASIS_POINTS};
use tracing::{info, warn};

use super::error::of_store;
use super::looking::Looking;
use super::ports::{BiasMonitor, GatewayError, MetricSource, Traffic};
use super::recorder::{Ask, Recorder, RolloutHistory};
use crate::store::StoreError;
use crate::store::rollouts::{Lease, LeaseClaim};

/// Who records what is observed.
const ACTOR: &str = "deployment-audit";
/// How long a lease holds without a round, in microseconds.
const LEASE_MICROS: i64 = 30_000_000;
/// Between the first and the second failed attempt of a rollback, in microseconds; it doubles.
const RETRY_MICROS: i64 = 5_000_000;
/// Doublings of it at most.
const RETRY_DOUBLINGS_MAX: u32 = 6;

/// Between two questions whether the gateways follow.
const FOLLOW_PAUSE: Duration = Duration::from_millis(150);

/// Name of the lease under which an environment's rollouts are driven.
pub fn lease_name(environment: Environment) -> String {
    format!("rollouts/{environment}")
}

/// Drives the rollouts of one environment.
pub struct Controller {
    /// Where the intentions are.
    pub recorder: Recorder,
    /// The gateway.
    pub traffic: Arc<dyn Traffic>,
    /// Numbers of both arms.
    pub source: Arc<dyn MetricSource>,
    /// Alarms about both versions.
    pub monitor: Arc<dyn BiasMonitor>,
    /// The environment.
    pub environment: Environment,
    /// How long a round waits for every gateway to take a table over; they look at it once a second.
    pub follow: Duration,
    /// Name of this controller, another one for each process.
    pub holder: String,
}

/// What the gateway showed.
struct Sight {
    /// Whether it is what should be true, and at every gateway where that is waited for.
    in_force: bool,
    /// What serves everything.
    serving: Option<Digest>,
    /// Why the gateway will not do what was asked.
    refusal: Option<String>,
}

impl Controller {
    /// One round over everything that time or the gateway may change. Nothing happens while another one holds the
    /// lease. A rollout that fails does not hold up the others. Returns the number of recorded events: after some
    /// there may be more to do at once.
    pub async fn round(&self) -> Result<usize, ApiError> {
        let now = self.recorder.clock.now();
        let name = lease_name(self.environment);
        let claim = LeaseClaim {
            name: &name,
            holder: &self.holder,
            now,
            until: UnixMicros(now.0.saturating_add(LEASE_MICROS)),
        };
        let store = &self.recorder.store;
        let Some(lease) = store.claim(claim).await.map_err(of_store)? else {
            return Ok(0);
        };
        let mut events = 0;
        let environment = self.environment.as_str();
        for id in store.open_rollouts(environment).await.map_err(of_store)? {
            let id: RolloutId = id
                .parse()
                .map_err(|error| of_store(StoreError::Damaged(format!("{error}"))))?;
            match self.drive(&id, &lease).await {
                Ok(recorded) => events += recorded,
                Err(error) => {
                    warn!(rollout_id = %id, reason = error.reason, %error, "a rollout did not move");
                }
            }
        }
        Ok(events)
    }

    async fn drive(&self, id: &RolloutId, lease: &Lease) -> Result<usize, ApiError> {
        let Some(history) = self.recorder.read(id).await? else {
            return Ok(0);
        };
        let commands = self.observe(&history).await?;
        if commands.is_empty() {
            return Ok(0);
        }
        let actor: Principal = ACTOR.parse().expect("the service's name is a principal");
        let ask = Ask {
            rollout_id: id,
            actor: &actor,
            lease: Some(lease),
        };
        self.recorder.record(&ask, |_| commands.clone()).await
    }

    /// Makes true what should be, and says what was seen.
    async fn observe(&self, history: &RolloutHistory) -> Result<Vec<Command>, ApiError> {
        let rollout = &history.rollout;
        if rollout.phase().is_early() {
            return Ok(vec![Command::Tick { has_data: false }]);
        }
        let sight = match self.make_true(rollout).await {
            Ok(sight) => sight,
            Err(error) => {
                warn!(rollout_id = %history.rollout_id, %error, "the traffic is not as it should be");
                let refusal = matches!(error, GatewayError::Refused(_)).then(|| error.to_string());
                Sight {
                    in_force: false,
                    serving: None,
                    refusal,
                }
            }
        };
        if rollout.phase().is_reverse() {
            return Ok(self.backward(rollout, &sight));
        }
        self.forward(history, &sight).await
    }

    async fn make_true(&self, rollout: &Rollout) -> Result<Sight, GatewayError> {
        let desired = rollout.desired();
        let mut table = rollout
            .plan()
            .table(&desired)
            .map_err(|error| GatewayError::Malformed(error.to_string()))?;
        let mut observed = self.traffic.table().await?;
        let generation = observed.generation();
        if desired.is_reverse && generation >= table.generation() && !is_same(&observed, &table) {
            // Somebody else moved the traffic. The way back goes over that as well.
            let arms = table.arms().to_vec();
            table = TrafficTable::new(generation + 1, table.salt().to_owned(), arms)
                .map_err(|error| GatewayError::Malformed(error.to_string()))?;
        }
        if generation < table.generation() {
            self.traffic.apply(generation, &table).await?;
            observed = self.traffic.table().await?;
            info!(generation = observed.generation(), "the traffic was moved");
        }
        let in_force = if desired.is_reverse {
            observed.generation() >= table.generation() && is_same(&observed, &table)
        } else {
            observed == table
        };
        let awaits = matches!(
            rollout.phase(),
            Phase::Preparing | Phase::Shifting | Phase::RollingBack
        );
        let in_force = in_force && (!awaits || self.is_followed(observed.generation()).await);
        let serving = observed
            .arms()
            .iter()
            .find(|arm| arm.weight_basis_points == WHOLE_BASIS_POINTS)
            .map(|arm| arm.manifest_digest);
        Ok(Sight {
            in_force,
            serving,
            refusal: None,
        })
    }

    /// Whether every live gateway serves a generation, now or soon.
    async fn is_followed(&self, generation: u64) -> bool {
        let all_follow = async {
            loop {
                match self.traffic.is_everywhere(generation).await {
                    Ok(true) => return true,
                    Ok(false) => tokio::time::sleep(FOLLOW_PAUSE).await,
                    Err(error) => {
                        warn!(%error, "it is not known which table the gateways serve");
                        return false;
                    }
                }
            }
        };
        let in_time = tokio::time::timeout(self.follow, all_follow).await;
        in_time.unwrap_or(false)
    }

    async fn forward(
        &self,
        history: &RolloutHistory,
        sight: &Sight,
    ) -> Result<Vec<Command>, ApiError> {
        let rollout = &history.rollout;
        let idle = Command::Tick { has_data: false };
        // A gate may stay shut for long, and the candidate has traffic meanwhile.
        let is_watched = matches!(
            rollout.phase(),
            Phase::Baking | Phase::Judging | Phase::Finalizing | Phase::Gated
        );
        if is_watched || rollout.pause().is_some() {
            return Ok(self.watch(history, sight.in_force).await);
        }
        let seen = match rollout.phase() {
            Phase::Preparing if sight.refusal.is_some() => {
                let refusal = sight.refusal.as_deref().unwrap_or_default();
                let reason = refusal.parse().ok();
                reason.map(|reason| Command::TripGuard { reason })
            }
            _ if !sight.in_force => None,
            Phase::Preparing => Some(Command::ReportReady),
            // Before the gateway took the table it had the model server load the candidate, which refuses one whose golden
            // rows do not come out, and checked signature, digest and inputs itself.
            Phase::Verifying => Some(Command::ReportSmoke { passed: true }),
            Phase::Shifting => Some(Command::ConfirmShift {
                generation: rollout.desired().generation,
            }),
            _ => None,
        };
        Ok(vec![seen.unwrap_or(idle)])
    }

    /// A breach, a guard or an alarm leads back at any time; time and the end of a step wait for the next look.
    async fn watch(&self, history: &RolloutHistory, in_force: bool) -> Vec<Command> {
        let rollout = &history.rollout;
        let now = self.recorder.clock.now();
        let look_micros = rollout.plan().analysis.look_micros;
        let waited = u64::try_from(now.0.saturating_sub(rollout.updated_at().0)).unwrap_or(0);
        if waited < look_micros && rollout.pause().is_none() {
            return Vec::new();
        }
        let times = watched(&history.recorded(), now);
        let Some(present) = times.last() else {
            return vec![Command::Tick { has_data: false }];
        };
        let seen = if in_force {
            let looking = Looking {
                source: self.source.as_ref(),
                monitor: self.monitor.as_ref(),
                plan: rollout.plan(),
                now,
            };
            looking.seen(&times).await
        } else {
            Seen::default()
        };
        assess(rollout, &seen, present.weight, now)
    }

    fn backward(&self, rollout: &Rollout, sight: &Sight) -> Vec<Command> {
        let seen = match rollout.phase() {
            Phase::RollbackStuck => return Vec::new(),
            _ if !sight.in_force => return self.failed(rollout),
            Phase::RollingBack => Command::ConfirmShift {
                generation: rollout.desired().generation,
            },
            Phase::Settling => Command::ReportBaselineReady,
            _ => match sight.serving {
                Some(digest) => Command::ReportBaseline { digest },
                None => return self.failed(rollout),
            },
        };
        vec![seen]
    }

    /// Attempts go on all the time; what is counted as failed has twice the distance each time.
    fn failed(&self, rollout: &Rollout) -> Vec<Command> {
        let doublings = rollout.rollback_failures().min(RETRY_DOUBLINGS_MAX);
        let waited = self.recorder.clock.now().0 - rollout.updated_at().0;
        if waited < RETRY_MICROS << doublings {
            return Vec::new();
        }
        vec![Command::ReportRollbackFailed]
    }
}

/// Whether both send every application to the same model.
fn is_same(one: &TrafficTable, other: &TrafficTable) -> bool {
    one.arms() == other.arms() && one.salt() == other.salt()
}
