//! What the demo found, as one document.

use std::collections::BTreeMap;

use fcs_proto::monitoring::v1::{
    Calibration, Estimate, GetGroupReportResponse, GroupReport, Verdict,
};
use serde::Serialize;

/// The whole summary.
#[derive(Serialize)]
pub(crate) struct Summary {
    /// "name/version".
    pub(crate) model: String,
    /// Decisions in the log.
    pub(crate) decisions: u64,
    /// Highest index of the log; equal to `decisions` because the log has no gaps.
    pub(crate) highest_index: u64,
    /// Decisions by outcome.
    pub(crate) outcomes: Outcomes,
    /// Answers that the client got in this run.
    pub(crate) answers: u64,
    /// Of these, how many the log does not hold as they were given.
    pub(crate) lost_answers: u64,
    /// Denials with one to four reasons, all adverse, scored and from the map; equal to the denials.
    pub(crate) denials_with_reasons: u64,
    /// Approvals without a reason; equal to the approvals.
    pub(crate) approvals_without_reasons: u64,
    /// How often each principal reason was given in a denial.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// Decisions computed again.
    pub(crate) replayed: u64,
    /// Of these, how many gave other bytes.
    pub(crate) replay_mismatches: u64,
    /// Group metrics by attribute.
    pub(crate) fairness: Vec<Attribute>,
    /// Predicted against realised default among the approved.
    pub(crate) calibration: CalibrationSummary,
    /// The transparency log.
    pub(crate) audit: Audit,
    /// Client-side latency of a decision.
    pub(crate) latency_ms: Latency,
    /// Decisions per second.
    pub(crate) throughput_per_second: f64,
    /// Applications in flight at the same time.
    pub(crate) concurrency: u16,
    /// Seconds from the start of the command to the first explained decision.
    pub(crate) first_explained_decision_s: f64,
    /// A decision of each kind, as its record.
    pub(crate) examples: Examples,
}

impl Summary {
    /// What is not as the system promises; empty when all is well.
    pub(crate) fn faults(&self) -> Vec<String> {
        let promises = [
            (self.decisions == self.highest_index, "the log has a gap"),
            (
                self.denials_with_reasons == self.outcomes.deny,
                "a denial lacks its reasons",
            ),
            (
                self.approvals_without_reasons == self.outcomes.approve,
                "an approval has a reason",
            ),
            (
                self.lost_answers == 0,
                "an answer is not in the log as it was given",
            ),
            (self.replay_mismatches == 0, "a replay gave other bytes"),
            (
                self.audit.checkpoint_verified,
                "the checkpoint does not verify",
            ),
            (
                self.audit.last_decision_index == self.highest_index,
                "the transparency log does not cover every decision",
            ),
        ];
        let broken = promises.into_iter().filter(|(kept, _)| !kept);
        broken.map(|(_, what)| what.to_owned()).collect()
    }
}

/// Decisions by outcome.
#[derive(Default, Serialize)]
pub(crate) struct Outcomes {
    /// Approved.
    pub(crate) approve: u64,
    /// Sent to a person.
    pub(crate) refer: u64,
    /// Denied.
    pub(crate) deny: u64,
}

/// Records of one approved and one denied decision.
#[derive(Serialize)]
pub(crate) struct Examples {
    /// An approved one.
    pub(crate) approved: Option<serde_json::Value>,
    /// A denied one.
    pub(crate) denied: Option<serde_json::Value>,
}

/// Percentiles in milliseconds.
#[derive(Serialize)]
pub(crate) struct Latency {
    /// Median.
    pub(crate) p50: f64,
    /// 90th percentile.
    pub(crate) p90: f64,
    /// 99th percentile.
    pub(crate) p99: f64,
    /// Greatest.
    pub(crate) max: f64,
}

impl Latency {
    /// Percentiles of measured latencies (nearest rank).
    pub(crate) fn of(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (milliseconds.len() * percent).div_ceil(100).max(1);
            milliseconds.get(rank - 1).copied().unwrap_or(0.0)
        };
        Self {
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }
}

/// State of the transparency log.
#[derive(Serialize)]
pub(crate) struct Audit {
    /// Leaves.
    pub(crate) size: u64,
    /// Decisions that the log covers.
    pub(crate) last_decision_index: u64,
    /// Whether signature, root and sampled proofs verify.
    pub(crate) checkpoint_verified: bool,
    /// Decisions whose inclusion was verified.
    pub(crate) decisions_proved: u64,
    /// The signed checkpoint.
    pub(crate) checkpoint: String,
}

/// Groups of one attribute.
#[derive(Serialize)]
pub(crate) struct Attribute {
    /// For example "sex".
    pub(crate) attribute: String,
    /// The group that the others are compared with.
    pub(crate) reference_group: String,
    /// Decisions without a value.
    pub(crate) unknown: u64,
    /// The groups.
    pub(crate) groups: Vec<Group>,
}

/// Numbers of one group.
#[derive(Serialize)]
pub(crate) struct Group {
    /// Name of the group.
    pub(crate) group: String,
    /// Decisions.
    pub(crate) decisions: u64,
    /// Approved.
    pub(crate) approved: u64,
    /// Referred.
    pub(crate) referred: u64,
    /// Denied.
    pub(crate) denied: u64,
    /// Approved / decisions.
    pub(crate) approval_rate: Option<Interval>,
    /// Ratio of approval rates to the reference group's.
    pub(crate) adverse_impact_ratio: Option<Interval>,
    /// Difference of approval rates to the reference group's.
    pub(crate) approval_rate_difference: Option<Interval>,
    /// Difference of mean scores in standard deviations.
    pub(crate) standardised_mean_difference: Option<Interval>,
    /// "breach", "clear" or "insufficient_evidence"; none for the reference group.
    pub(crate) verdict: Option<&'static str>,
    /// Approved with a known outcome.
    pub(crate) approved_with_outcome: u64,
    /// Of these, defaulted.
    pub(crate) approved_defaulted: u64,
    /// Defaults among the approved.
    pub(crate) default_rate_among_approved: Option<Interval>,
}

/// A value with its confidence interval.
#[derive(Serialize)]
pub(crate) struct Interval {
    /// Point estimate.
    pub(crate) value: f64,
    /// Lower bound.
    pub(crate) lower: f64,
    /// Upper bound.
    pub(crate) upper: f64,
}

/// Predicted against realised default.
#[derive(Default, Serialize)]
pub(crate) struct CalibrationSummary {
    /// Approved with a known outcome.
    pub(crate) labelled: u64,
    /// Mean predicted probability.
    pub(crate) mean_predicted: f64,
    /// Realised share.
    pub(crate) mean_realised: f64,
    /// Expected calibration error.
    pub(crate) expected_calibration_error: f64,
    /// Bins with at least one outcome.
    pub(crate) bins: Vec<Bin>,
}

/// One bin of predicted probability.
#[derive(Serialize)]
pub(crate) struct Bin {
    /// Lower edge.
    pub(crate) lower: f64,
    /// Upper edge.
    pub(crate) upper: f64,
    /// Outcomes in the bin.
    pub(crate) labelled: u64,
    /// Mean predicted probability.
    pub(crate) mean_predicted: f64,
    /// Realised share.
    pub(crate) realised: Option<Interval>,
}

/// Groups of a report.
pub(crate) fn fairness(report: &GetGroupReportResponse) -> Vec<Attribute> {
    let attribute = |attribute: &fcs_proto::monitoring::v1::AttributeReport| Attribute {
        attribute: attribute.attribute.clone(),
        reference_group: attribute.reference_group.clone(),
        unknown: attribute.unknown,
        groups: attribute.groups.iter().map(group).collect(),
    };
    report.attributes.iter().map(attribute).collect()
}

fn group(report: &GroupReport) -> Group {
    Group {
        group: report.group.clone(),
        decisions: report.decisions,
        approved: report.approved,
        referred: report.referred,
        denied: report.denied,
        approval_rate: interval(report.approval_rate.as_ref()),
        adverse_impact_ratio: interval(report.adverse_impact_ratio.as_ref()),
        approval_rate_difference: interval(report.approval_rate_difference.as_ref()),
        standardised_mean_difference: interval(report.standardised_mean_difference.as_ref()),
        verdict: verdict_name(report.verdict()),
        approved_with_outcome: report.approved_with_outcome,
        approved_defaulted: report.approved_defaulted,
        default_rate_among_approved: interval(report.default_rate_among_approved.as_ref()),
    }
}

/// Calibration of a report.
pub(crate) fn calibration(report: &GetGroupReportResponse) -> CalibrationSummary {
    let Some(Calibration {
        labelled,
        mean_predicted,
        mean_realised,
        expected_calibration_error,
        bins,
    }) = report.calibration.clone()
    else {
        return CalibrationSummary::default();
    };
    let bins = bins.iter().filter(|bin| bin.labelled > 0).map(|bin| Bin {
        lower: bin.lower,
        upper: bin.upper,
        labelled: bin.labelled,
        mean_predicted: bin.mean_predicted,
        realised: interval(bin.realised.as_ref()),
    });
    CalibrationSummary {
        labelled,
        mean_predicted,
        mean_realised,
        expected_calibration_error,
        bins: bins.collect(),
    }
}

fn interval(estimate: Option<&Estimate>) -> Option<Interval> {
    let estimate = estimate.filter(|estimate| estimate.defined)?;
    Some(Interval {
        value: estimate.value,
        lower: estimate.lower,
        upper: estimate.upper,
    })
}

fn verdict_name(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Breach => Some("breach"),
        Verdict::Clear => Some("clear"),
        Verdict::InsufficientEvidence => Some("insufficient_evidence"),
        Verdict::Unspecified => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_take_the_nearest_rank() {
        let latency = Latency::of((1..=200).map(f64::from).collect());
        let rounded = [latency.p50, latency.p99, latency.max].map(|it| format!("{it:.0}"));
        assert_eq!(rounded, ["100", "198", "200"]);
    }

    #[test]
    fn an_undefined_estimate_is_no_interval() {
        assert!(interval(Some(&Estimate::default())).is_none());
        assert!(interval(None).is_none());
    }
}
