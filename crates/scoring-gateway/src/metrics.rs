//! The metric catalogue of the gateway. No label holds an applicant, a key or a decision.

mod arms;

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use fcs_core::ErrorCode;
use fcs_decision::record::Outcome;
use fcs_decision::shadow::DropReason;
use fcs_service::MetricsHandle;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use self::arms::ArmRequest;
use self::arms::Arms;
use crate::app::traffic::Arm;

/// Seconds; a commit takes a few milliseconds on a healthy disk, a score less.
const SECONDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];
/// Decisions of one batch.
const BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// What a decision is counted by. Models and arms come from the traffic table, so they are few.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DecisionLabels {
    /// `name/version`.
    pub model: String,
    /// Name of the traffic arm.
    pub arm: String,
    /// `approve`, `refer` or `deny`.
    pub outcome: &'static str,
}

/// What a refused request is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ErrorLabels {
    /// The error code.
    pub code: &'static str,
}

/// Why a model server was asked as well as, or after, another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum ExtraCall {
    /// The answer was late.
    Hedge,
    /// There was no answer.
    Retry,
}

/// What a further call to a model server is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ExtraCallLabels {
    /// Why it was made.
    pub kind: ExtraCall,
}

/// Every metric of the gateway. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Decisions written to the log by this process.
    pub decisions: Family<DecisionLabels, Counter>,
    /// Requests for a decision that got an error.
    pub score_errors: Family<ErrorLabels, Counter>,
    /// Answers given again to a known idempotency key.
    pub replayed_answers: Counter,
    /// From the parsed request to the durable answer.
    pub score_seconds: Histogram,
    /// The model server's part of it.
    pub model_seconds: Histogram,
    /// Requests by arm, with their time.
    arms: Arms,
    /// Further calls to model servers.
    pub extra_calls: Family<ExtraCallLabels, Counter>,
    /// Decisions of one commit.
    pub batch_decisions: Histogram,
    /// One commit, from acquiring the connection to the confirmation.
    pub commit_seconds: Histogram,
    /// Commits that failed before they were sent.
    pub commits_failed: Counter,
    /// Commits whose outcome had to be looked up.
    pub commits_unknown: Counter,
    /// Decisions that wait for the writer.
    pub queue_depth: Gauge,
    /// Highest index that this process has committed or found at its start.
    pub log_highest_index: Gauge<u64, AtomicU64>,
    /// Generation of the traffic table in force.
    pub traffic_generation: Gauge<u64, AtomicU64>,
    /// Arms of the traffic table whose model cannot be used now.
    pub arms_unusable: Gauge,
    /// Streams of the feed that are open.
    pub feed_streams: Gauge,
    /// Entries sent on the feed.
    pub feed_entries: Counter,
    /// Idempotency keys forgotten after their time.
    pub keys_purged: Counter,
    /// Decisions and reviews from before encryption that were encrypted.
    pub rows_sealed: Counter,
    /// Data keys that were wrapped anew after the key-encryption key had changed.
    pub keys_rewrapped: Counter,
    /// Applications whose keys were destroyed after their hold had ended.
    pub applications_erased: Counter,
    /// Decisions replayed, by whether the bytes were identical.
    pub replays: Family<ReplayLabels, Counter>,
    /// Decisions that shadow arms looked at in this process, by what came of it.
    pub shadow_decisions: Family<ShadowLabels, Counter>,
    /// From the record to the shadow decision or the reason why there is none.
    pub shadow_seconds: Histogram,
    /// Decisions that a shadow arm has not looked at yet.
    pub shadow_backlog: Family<ShadowArmLabels, Gauge>,
}

/// What a decision of a shadow arm is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ShadowLabels {
    /// Name of the shadow arm.
    pub arm: String,
    /// `scored`, or the reason why it was dropped.
    pub result: &'static str,
}

/// The shadow arm of a gauge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ShadowArmLabels {
    /// Its name.
    pub arm: String,
}

/// What a replay is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReplayLabels {
    /// `true` or `false`.
    pub identical: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            decisions: Family::default(),
            score_errors: Family::default(),
            replayed_answers: Counter::default(),
            score_seconds: Histogram::new(SECONDS),
            model_seconds: Histogram::new(SECONDS),
            arms: Arms::default(),
            extra_calls: Family::default(),
            batch_decisions: Histogram::new(BATCH),
            commit_seconds: Histogram::new(SECONDS),
            commits_failed: Counter::default(),
            commits_unknown: Counter::default(),
            queue_depth: Gauge::default(),
            log_highest_index: Gauge::default(),
            traffic_generation: Gauge::default(),
            arms_unusable: Gauge::default(),
            feed_streams: Gauge::default(),
            feed_entries: Counter::default(),
            keys_purged: Counter::default(),
            rows_sealed: Counter::default(),
            keys_rewrapped: Counter::default(),
            applications_erased: Counter::default(),
            replays: Family::default(),
            shadow_decisions: Family::default(),
            shadow_seconds: Histogram::new(SECONDS),
            shadow_backlog: Family::default(),
        };
        for code in ErrorCode::ALL {
            drop(metrics.score_errors.get_or_create(&ErrorLabels {
                code: code.as_str(),
            }));
        }
        for kind in [ExtraCall::Hedge, ExtraCall::Retry] {
            drop(metrics.extra_calls.get_or_create(&ExtraCallLabels { kind }));
        }
        for identical in [true, false] {
            drop(metrics.replays.get_or_create(&ReplayLabels::of(identical)));
        }
        metrics
    }
}

impl ReplayLabels {
    /// The labels of a replay.
    pub const fn of(identical: bool) -> Self {
        Self {
            identical: if identical { "true" } else { "false" },
        }
    }
}

impl Metrics {
    /// Registers every metric.
    pub fn register(&self, handle: &MetricsHandle) {
        handle.register(|registry| {
            let registry = registry.sub_registry_with_prefix("fcs_gateway");
            self.register_decisions(registry);
            self.register_writer(registry);
            self.register_state(registry);
            self.register_shadows(registry);
        });
    }

    fn register_decisions(&self, registry: &mut Registry) {
        registry.register(
            "decisions",
            "Decisions written to the log",
            self.decisions.clone(),
        );
        let help = "Requests for a decision that got an error, by code";
        registry.register("score_errors", help, self.score_errors.clone());
        let help = "Answers given again to a known idempotency key";
        registry.register("replayed_answers", help, self.replayed_answers.clone());
        let help = "From the parsed request to the durable answer";
        registry.register_with_unit("score", help, Unit::Seconds, self.score_seconds.clone());
        let help = "The model server's part of a decision";
        registry.register_with_unit(
            "model_score",
            help,
            Unit::Seconds,
            self.model_seconds.clone(),
        );
        self.arms.register(registry);
        let help = "Calls to a model server beside or after one to another server";
        registry.register("model_extra_calls", help, self.extra_calls.clone());
        let help = "Decisions computed again from their records";
        registry.register("replays", help, self.replays.clone());
    }

    fn register_writer(&self, registry: &mut Registry) {
        registry.register(
            "batch_decisions",
            "Decisions of one commit",
            self.batch_decisions.clone(),
        );
        let help = "One commit of the writer";
        registry.register_with_unit("commit", help, Unit::Seconds, self.commit_seconds.clone());
        let help = "Commits that failed before they were sent";
        registry.register("commits_failed", help, self.commits_failed.clone());
        let help = "Commits whose outcome had to be looked up";
        registry.register("commits_unknown", help, self.commits_unknown.clone());
        registry.register(
            "queue_depth",
            "Decisions that wait for the writer",
            self.queue_depth.clone(),
        );
    }

    fn register_state(&self, registry: &mut Registry) {
        let help = "Highest index that this process has committed or found at its start";
        registry.register("log_highest_index", help, self.log_highest_index.clone());
        let help = "Generation of the traffic table in force";
        registry.register("traffic_generation", help, self.traffic_generation.clone());
        let help = "Arms of the traffic table whose model cannot be used now";
        registry.register("arms_unusable", help, self.arms_unusable.clone());
        registry.register(
            "feed_streams",
            "Open streams of the feed",
            self.feed_streams.clone(),
        );
        registry.register(
            "feed_entries",
            "Entries sent on the feed",
            self.feed_entries.clone(),
        );
        let help = "Idempotency keys forgotten after their time";
        registry.register("idempotency_keys_purged", help, self.keys_purged.clone());
        self.register_privacy(registry);
    }

    fn register_privacy(&self, registry: &mut Registry) {
        let help = "Decisions and reviews from before encryption that were encrypted";
        registry.register("rows_sealed", help, self.rows_sealed.clone());
        let help = "Data keys wrapped anew after the key-encryption key had changed";
        registry.register("data_keys_rewrapped", help, self.keys_rewrapped.clone());
        let help = "Applications whose keys were destroyed after their hold had ended";
        registry.register(
            "applications_erased",
            help,
            self.applications_erased.clone(),
        );
    }

    fn register_shadows(&self, registry: &mut Registry) {
        let help = "Decisions that shadow arms looked at, by what came of it";
        registry.register("shadow_decisions", help, self.shadow_decisions.clone());
        let help = "From a record to a shadow decision or the reason why there is none";
        let unit = Unit::Seconds;
        registry.register_with_unit("shadow", help, unit, self.shadow_seconds.clone());
        let help = "Decisions that a shadow arm has not looked at yet";
        registry.register("shadow_backlog", help, self.shadow_backlog.clone());
    }

    /// Says how far a shadow arm is behind the log.
    pub fn set_shadow_backlog(&self, arm: &str, decisions: u64) {
        let labels = ShadowArmLabels {
            arm: arm.to_owned(),
        };
        let decisions = i64::try_from(decisions).unwrap_or(i64::MAX);
        self.shadow_backlog.get_or_create(&labels).set(decisions);
    }

    /// Starts the counters of a shadow arm at zero.
    pub fn start_shadow(&self, arm: &str) {
        let reasons = DropReason::ALL.map(DropReason::as_str);
        for result in reasons.into_iter().chain(["scored"]) {
            let arm = arm.to_owned();
            drop(
                self.shadow_decisions
                    .get_or_create(&ShadowLabels { arm, result }),
            );
        }
    }

    /// Starts the counters of an arm at zero, so that a rate over them is right from the first decision.
    pub fn start_arm(&self, arm: &Arm) {
        self.arms.start(arm);
        for outcome in Outcome::ALL {
            drop(self.decisions.get_or_create(&DecisionLabels {
                model: arm.model.version.to_string(),
                arm: arm.name.clone(),
                outcome: outcome.as_str(),
            }));
        }
    }

    /// A request that was given to an arm; it is counted when it ends.
    pub(crate) fn arm_request(&self, arm: &Arm, started: Instant) -> ArmRequest {
        self.arms.begin(arm, started)
    }

    /// Counts a further call to a model server.
    pub fn extra_call(&self, kind: ExtraCall) {
        self.extra_calls
            .get_or_create(&ExtraCallLabels { kind })
            .inc();
    }

    /// Counts an error of a request for a decision.
    pub fn score_error(&self, code: ErrorCode) {
        self.score_errors
            .get_or_create(&ErrorLabels {
                code: code.as_str(),
            })
            .inc();
    }
}
