//! The metric catalogue of the monitor. No label holds an applicant; groups appear only as whole groups.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use fcs_core::ModelVersion;
use fcs_service::MetricsHandle;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::app::change::{Change, Receipt};
use crate::app::drift::DriftSheet;
use crate::app::evidence::WatchedGroup;
use crate::app::gaps::ShadowArm;
use crate::app::ratios::{GroupId, RatioSeries};

/// What a part of a batch is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    /// `recorded` or `unchanged`.
    pub result: &'static str,
}

const RECORDED: ResultLabels = ResultLabels { result: "recorded" };
const UNCHANGED: ResultLabels = ResultLabels {
    result: "unchanged",
};

/// A group of an attribute; bounded by [`crate::app::ratios::SERIES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GroupLabels {
    /// The attribute.
    pub attribute: String,
    /// The group.
    pub group: String,
}

impl From<&GroupId> for GroupLabels {
    fn from((attribute, group): &GroupId) -> Self {
        Self {
            attribute: attribute.clone(),
            group: group.clone(),
        }
    }
}

/// A model and an attribute; which group it is about, verdicts tell to those who may read them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AlertLabels {
    /// The model that decided.
    pub model: String,
    /// The attribute.
    pub attribute: String,
}

impl AlertLabels {
    /// The labels of a group.
    pub fn of(id: &WatchedGroup) -> Self {
        Self {
            model: id.model.to_string(),
            attribute: id.attribute.as_str().to_owned(),
        }
    }
}

/// A shadow arm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ShadowLabels {
    /// Its name in the traffic table.
    pub arm: String,
}

/// An arm of a model version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct DriftLabels {
    /// Name of the model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The traffic arm.
    pub arm: String,
}

impl DriftLabels {
    /// The drift scores of a model's arms, where there were decisions enough.
    pub fn of(model: &ModelVersion, sheet: &DriftSheet) -> Vec<(Self, f64)> {
        let labels = |arm: &str| Self {
            model: model.name().to_owned(),
            version: model.version().to_owned(),
            arm: arm.to_owned(),
        };
        let arms = sheet.arms().into_iter();
        arms.filter_map(|arm| Some((labels(arm), sheet.score(arm)?)))
            .collect()
    }
}

/// Every metric of the monitor. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Highest log index that is counted.
    pub last_index: Gauge<u64, AtomicU64>,
    /// Highest index seen in the feed minus the highest that is counted.
    pub lag: Gauge<u64, AtomicU64>,
    /// 1 while the feed is followed.
    pub feed_connected: Gauge,
    /// Entries of the feed: counted, or skipped because they were counted before.
    pub decisions: Family<ResultLabels, Counter>,
    /// Attribute values taken in.
    pub demographics: Family<ResultLabels, Counter>,
    /// Applicants' probabilities taken in.
    pub group_probabilities: Family<ResultLabels, Counter>,
    /// Outcome events taken in.
    pub outcomes: Family<ResultLabels, Counter>,
    /// Overrides taken in.
    pub overrides: Family<ResultLabels, Counter>,
    /// Gaps met in the feed.
    pub gaps: Counter,
    /// Entries of the feed that make no sense.
    pub invalid_entries: Counter,
    /// Adverse impact ratio by group.
    pub adverse_impact_ratio: Family<GroupLabels, Gauge<f64, AtomicU64>>,
    /// Groups beyond the limit of the ratio's series.
    pub ratios_left_out: Gauge,
    /// Alarms that were raised.
    pub alerts: Family<AlertLabels, Counter>,
    /// Drift by arm.
    pub drift_score: Family<DriftLabels, Gauge<f64, AtomicU64>>,
    /// Highest log index that is in the evidence.
    pub evidence_index: Gauge<u64, AtomicU64>,
    /// Highest log index whose outcome is in the evidence on gaps, by shadow arm.
    pub shadow_index: Family<ShadowLabels, Gauge<u64, AtomicU64>>,
}

impl Metrics {
    /// Registers every metric. Counters start at zero.
    pub fn register(&self, handle: &MetricsHandle) {
        for family in [
            &self.decisions,
            &self.demographics,
            &self.group_probabilities,
            &self.outcomes,
            &self.overrides,
        ] {
            drop(family.get_or_create(&RECORDED));
            drop(family.get_or_create(&UNCHANGED));
        }
        handle.register(|registry| {
            let help = "Groups whose adverse impact ratio was shown to be in breach, or whose gap a model in the shadow was \
                        shown to widen, by tests that stay valid while watched";
            registry.register("bias_detection_alerts", help, self.alerts.clone());
            let help = "Largest population stability index of a variable of an arm's decisions in the last 24 h against \
                        what the model was built on, among those with decisions enough";
            registry.register("model_drift_score", help, self.drift_score.clone());
            let registry = registry.sub_registry_with_prefix("fcs_monitor");
            registry.register("last_index", "Highest log index that is counted", self.last_index.clone());
            let help = "Highest log index that is in the evidence on groups";
            registry.register("evidence_index", help, self.evidence_index.clone());
            let help = "Highest log index whose outcome is in the evidence on gaps, by shadow arm";
            registry.register("shadow_index", help, self.shadow_index.clone());
            let help = "Highest index seen in the feed minus the highest that is counted";
            registry.register("lag", help, self.lag.clone());
            let help = "1 while the feed of the gateway is followed";
            registry.register("feed_connected", help, self.feed_connected.clone());
            let help = "Entries of the feed: counted, or skipped because they were counted before";
            registry.register("decisions", help, self.decisions.clone());
            let help = "Attribute values taken in: new or changed, or known already";
            registry.register("demographics", help, self.demographics.clone());
            let help = "Applicants' probabilities of groups taken in: new or changed, or known already";
            registry.register("group_probabilities", help, self.group_probabilities.clone());
            let help = "Outcome events taken in: new, or known already";
            registry.register("outcomes", help, self.outcomes.clone());
            let help = "Overrides taken in: new, or known already";
            registry.register("overrides", help, self.overrides.clone());
            registry.register("gaps", "Gaps met in the feed", self.gaps.clone());
            let help = "Entries of the feed that make no sense";
            registry.register("invalid_entries", help, self.invalid_entries.clone());
            let help = "Approval rate over the largest group's, of groups with enough decisions, at most 200 series";
            registry.register("adverse_impact_ratio", help, self.adverse_impact_ratio.clone());
            let help = "Groups beyond the 200 series of the adverse impact ratio";
            registry.register("ratios_left_out", help, self.ratios_left_out.clone());
        });
    }

    /// Counts what became of overrides.
    pub fn recorded_overrides(&self, receipt: &Receipt) {
        let family = &self.overrides;
        family.get_or_create(&RECORDED).inc_by(receipt.recorded);
        family.get_or_create(&UNCHANGED).inc_by(receipt.unchanged);
    }

    /// Says how far a shadow arm's outcomes are in the evidence.
    pub fn set_shadow_index(&self, arm: &ShadowArm, index: u64) {
        let labels = ShadowLabels {
            arm: arm.name.clone(),
        };
        self.shadow_index.get_or_create(&labels).set(index);
    }

    /// Counts what became of a batch.
    pub fn recorded(&self, change: &Change, receipt: &Receipt) {
        let family = match change {
            Change::Decisions(_) => &self.decisions,
            Change::Demographics(_) => &self.demographics,
            Change::GroupProbabilities(_) => &self.group_probabilities,
            Change::Outcomes(_) => &self.outcomes,
        };
        family.get_or_create(&RECORDED).inc_by(receipt.recorded);
        family.get_or_create(&UNCHANGED).inc_by(receipt.unchanged);
    }

    /// Replaces the drift scores by those of a new look; `published` holds the labels of the last one.
    pub fn publish_drift(
        &self,
        scores: &[(DriftLabels, f64)],
        published: &mut BTreeSet<DriftLabels>,
    ) {
        let now: BTreeSet<_> = scores.iter().map(|(labels, _)| labels.clone()).collect();
        for gone in published.difference(&now) {
            self.drift_score.remove(gone);
        }
        for (labels, score) in scores {
            self.drift_score.get_or_create(labels).set(*score);
        }
        *published = now;
    }

    /// Replaces the ratios by those of a new report; `published` holds the labels of the last one.
    pub fn publish(&self, series: &RatioSeries, published: &mut BTreeSet<GroupId>) {
        let now: BTreeSet<GroupId> = series
            .ratios
            .iter()
            .map(|(group, _)| group.clone())
            .collect();
        for gone in published.difference(&now) {
            self.adverse_impact_ratio.remove(&gone.into());
        }
        for (group, ratio) in &series.ratios {
            self.adverse_impact_ratio
                .get_or_create(&group.into())
                .set(*ratio);
        }
        self.ratios_left_out
            .set(i64::try_from(series.left_out).unwrap_or(i64::MAX));
        *published = now;
    }
}
