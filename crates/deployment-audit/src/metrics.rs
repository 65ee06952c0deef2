//! The metric catalogue of the service.

use std::sync::atomic::AtomicU64;

use fcs_rollout::DeploymentState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What became of an entry of the gateway's feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedOutcome {
    /// Stored.
    New,
    /// Known already, with the same digest.
    Repeated,
    /// The feed left decisions out.
    Gap,
    /// The feed told a stored decision differently.
    Altered,
}

impl FeedOutcome {
    const ALL: [Self; 4] = [Self::New, Self::Repeated, Self::Gap, Self::Altered];

    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Repeated => "repeated",
            Self::Gap => "gap",
            Self::Altered => "altered",
        }
    }
}

/// How a step of the traffic reconciler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficOutcome {
    /// The desired table is in force.
    Confirmed,
    /// The gateway did not answer; the step is tried again.
    Retried,
    /// The gateway refused the table.
    Refused,
}

impl TrafficOutcome {
    const ALL: [Self; 3] = [Self::Confirmed, Self::Retried, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Retried => "retried",
            Self::Refused => "refused",
        }
    }
}

/// Every state of a deployment.
const STATES: [DeploymentState; 6] = [
    DeploymentState::Registered,
    DeploymentState::Approved,
    DeploymentState::Activating,
    DeploymentState::Active,
    DeploymentState::RollingBack,
    DeploymentState::RolledBack,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// Every metric of the service. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Leaves under the latest checkpoint.
    pub log_size: Gauge,
    /// Highest decision index under the latest checkpoint.
    pub last_decision_index: Gauge,
    /// When the latest checkpoint was signed, in seconds since the Unix epoch.
    pub checkpoint_timestamp_seconds: Gauge<f64, AtomicU64>,
    /// Checkpoints signed.
    pub checkpoints: Counter,
    /// Whether signing is refused because the stored log is not the signed one: 0 or 1.
    pub log_refused: Gauge,
    cosignatures: Gauge,
    quorum: Gauge,
    /// Times that the feed ended or failed and was taken up again.
    pub feed_reconnects: Counter,
    feed_entries: Family<OutcomeLabel, Counter>,
    deployments: Family<StateLabel, Counter>,
    traffic: Family<OutcomeLabel, Counter>,
}

impl Metrics {
    /// Registers the catalogue; every label value starts at zero.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for outcome in FeedOutcome::ALL {
            metrics.feed_entries(outcome, 0);
        }
        for state in STATES {
            metrics.deployments(state, 0);
        }
        for outcome in TrafficOutcome::ALL {
            metrics.traffic_steps(outcome, 0);
        }
        metrics.register_log(registry);
        registry.register(
            "fcs_audit_feed_entries",
            "Entries of the decision feed by what became of them",
            metrics.feed_entries.clone(),
        );
        registry.register(
            "fcs_audit_feed_reconnects",
            "Times that the decision feed ended or failed and was taken up again",
            metrics.feed_reconnects.clone(),
        );
        registry.register(
            "fcs_deployments",
            "Deployments that reached a state",
            metrics.deployments.clone(),
        );
        registry.register(
            "fcs_audit_traffic_steps",
            "Steps of the traffic reconciler by how they ended",
            metrics.traffic.clone(),
        );
        metrics
    }

    /// Shows how many witnesses cosigned the latest checkpoint and whether they are enough.
    pub fn cosigned(&self, cosignatures: usize, is_quorum: bool) {
        self.cosignatures
            .set(i64::try_from(cosignatures).unwrap_or(i64::MAX));
        self.quorum.set(is_quorum.into());
    }

    fn register_log(&self, registry: &mut Registry) {
        registry.register(
            "fcs_audit_cosignatures",
            "Witnesses that cosigned the latest checkpoint",
            self.cosignatures.clone(),
        );
        registry.register(
            "fcs_audit_quorum",
            "Whether the cosignatures of the latest checkpoint make the quorum of the witness policy",
            self.quorum.clone(),
        );
        registry.register(
            "fcs_audit_log_size",
            "Leaves under the latest checkpoint",
            self.log_size.clone(),
        );
        registry.register(
            "fcs_audit_last_decision_index",
            "Highest decision index under the latest checkpoint",
            self.last_decision_index.clone(),
        );
        registry.register_with_unit(
            "fcs_audit_checkpoint_timestamp",
            "When the latest checkpoint was signed, since the Unix epoch",
            Unit::Seconds,
            self.checkpoint_timestamp_seconds.clone(),
        );
        registry.register(
            "fcs_audit_checkpoints",
            "Checkpoints signed",
            self.checkpoints.clone(),
        );
        registry.register(
            "fcs_audit_log_refused",
            "Whether signing is refused because the stored log is not the signed one",
            self.log_refused.clone(),
        );
    }

    /// Counts entries of the feed.
    pub fn feed_entries(&self, outcome: FeedOutcome, entries: u64) {
        self.feed_entries
            .get_or_create(&OutcomeLabel {
                outcome: outcome.as_str(),
            })
            .inc_by(entries);
    }

    /// Counts deployments that reached a state.
    pub fn deployments(&self, state: DeploymentState, deployments: u64) {
        self.deployments
            .get_or_create(&StateLabel {
                state: state.as_str(),
            })
            .inc_by(deployments);
    }

    /// Counts steps of the reconciler.
    pub fn traffic_steps(&self, outcome: TrafficOutcome, steps: u64) {
        self.traffic
            .get_or_create(&OutcomeLabel {
                outcome: outcome.as_str(),
            })
            .inc_by(steps);
    }
}
