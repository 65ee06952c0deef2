//! Requests by model and arm: what a rollout compares a candidate with the stable version by.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use fcs_core::{ApiError, ErrorCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::app::traffic::Arm;

/// Upper bounds in seconds. A limit of a plan, such as 2 s, must be one of them.
const SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];
/// Pairs of model and arm that have series. The one that was begun longest ago makes room: each has 18 series.
const ARMS_MAX: usize = 32;

/// An arm and its model. Both come from the traffic table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ArmLabels {
    /// `name/version`.
    model: String,
    /// Name of the traffic arm.
    arm: String,
}

/// What a request of an arm is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    model: String,
    arm: String,
    result: &'static str,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With a decision.
    Decided,
    /// With an error that is the caller's.
    Refused,
    /// With an error that is ours.
    Failed,
    /// The caller went away before.
    Abandoned,
}

impl Ending {
    const ALL: [Self; 4] = [Self::Decided, Self::Refused, Self::Failed, Self::Abandoned];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    const fn of(error: &ApiError) -> Self {
        match error.code {
            ErrorCode::InvalidArgument
            | ErrorCode::IdempotencyMismatch
            | ErrorCode::AlreadyExists
            | ErrorCode::Gone
            | ErrorCode::Aborted => Self::Refused,
            // Also what the model server knows nothing of: the table sent the request there.
            _ => Self::Failed,
        }
    }
}

/// The two families, and which arms have series in them. Cloning shares them.
#[derive(Debug, Clone)]
pub(super) struct Arms {
    requests: Family<ResultLabels, Counter>,
    seconds: Family<ArmLabels, Histogram, fn() -> Histogram>,
    begun: Arc<Mutex<VecDeque<ArmLabels>>>,
}

impl Default for Arms {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            begun: Arc::default(),
        }
    }
}

impl Arms {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help =
            "Requests given to an arm, by how they ended; answers to known keys are not counted";
        registry.register("arm_requests", help, self.requests.clone());
        let help = "From the parsed request to the end of a request that was given to an arm";
        registry.register_with_unit("arm_request", help, Unit::Seconds, self.seconds.clone());
    }

    /// Starts the series of an arm at zero, so that an increase over them is right from the first request.
    pub(super) fn start(&self, arm: &Arm) {
        let labels = ArmLabels::of(arm);
        for ending in Ending::ALL {
            drop(self.requests.get_or_create(&labels.ending(ending)));
        }
        drop(self.seconds.get_or_create(&labels));
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|it| *it != labels);
        begun.push_back(labels);
        while begun.len() > ARMS_MAX
            && let Some(oldest) = begun.pop_front()
        {
            for ending in Ending::ALL {
                self.requests.remove(&oldest.ending(ending));
            }
            self.seconds.remove(&oldest);
        }
    }

    pub(super) fn begin(&self, arm: &Arm, started: Instant) -> ArmRequest {
        ArmRequest {
            arms: self.clone(),
            labels: ArmLabels::of(arm),
            started,
            ending: Some(Ending::Abandoned),
        }
    }
}

impl ArmLabels {
    fn of(arm: &Arm) -> Self {
        Self {
            model: arm.model.version.to_string(),
            arm: arm.name.clone(),
        }
    }

    fn ending(&self, ending: Ending) -> ResultLabels {
        ResultLabels {
            model: self.model.clone(),
            arm: self.arm.clone(),
            result: ending.as_str(),
        }
    }
}

/// A request of an arm. Dropped without an end it was abandoned by its caller.
#[derive(Debug)]
pub(crate) struct ArmRequest {
    arms: Arms,
    labels: ArmLabels,
    started: Instant,
    ending: Option<Ending>,
}

impl ArmRequest {
    /// It ended with a decision.
    pub(crate) fn decided(mut self) {
        self.ending = Some(Ending::Decided);
    }

    /// It ended with an error.
    pub(crate) fn failed(mut self, error: &ApiError) {
        self.ending = Some(Ending::of(error));
    }

    /// It is an answer to a known key, which was counted before.
    pub(crate) fn repeated(mut self) {
        self.ending = None;
    }
}

impl Drop for ArmRequest {
    fn drop(&mut self) {
        let Some(ending) = self.ending else {
            return;
        };
        let labels = self.labels.ending(ending);
        self.arms.requests.get_or_create(&labels).inc();
        let seconds = self.started.elapsed().as_secs_f64();
        self.arms
            .seconds
            .get_or_create(&self.labels)
            .observe(seconds);
    }
}

#[cfg(test)]
mod tests {
    use fcs_core::Digest;
    use fcs_decision::cohort::Cohort;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::app::traffic::PinnedModel;

    fn arm(version: usize) -> Arm {
        Arm {
            name: "stable".to_owned(),
            model: PinnedModel {
                version: format!("m/{version}").parse().unwrap(),
                manifest_digest: Digest::from_bytes([1; 32]),
            },
            weight_basis_points: 10_000,
            cohort: Cohort::default(),
        }
    }

    fn text(arms: &Arms) -> String {
        let mut registry = Registry::default();
        arms.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn every_end_is_counted_once_and_known_keys_are_not() {
        let arms = Arms::default();
        arms.start(&arm(1));
        let begin = || arms.begin(&arm(1), Instant::now());
        begin().decided();
        begin().failed(&ApiError::new(ErrorCode::Internal, "X", "x"));
        begin().failed(&ApiError::invalid("X", "x", vec![]));
        drop(begin());
        begin().repeated();
        let text = text(&arms);
        for result in ["decided", "refused", "failed", "abandoned"] {
            let line =
                format!("arm_requests_total{{model=\"m/1\",arm=\"stable\",result=\"{result}\"}} 1");
            assert!(text.contains(&line), "{line}: {text}");
        }
        let bound = "arm_request_seconds_bucket{le=\"2.0\",model=\"m/1\",arm=\"stable\"} 4";
        assert!(text.contains(bound), "{text}");
    }

    #[test]
    fn arms_that_were_begun_long_ago_make_room() {
        let arms = Arms::default();
        for version in 0..ARMS_MAX {
            arms.start(&arm(version));
        }
        arms.start(&arm(0));
        arms.start(&arm(ARMS_MAX));
        let text = text(&arms);
        assert!(text.contains("m/0\""), "it was begun again");
        assert!(!text.contains("m/1\""), "{text}");
        let counts = text.lines().filter(|it| it.contains("_seconds_count"));
        assert_eq!(counts.count(), ARMS_MAX);
    }
}
