//! The parity sheet of one attribute: every group beside its reference group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::min_max::{demographic_parity_difference, demographic_parity_ratio};
use crate::{
    GroupCounters, Interval, Thresholds, Verdict, adverse_impact_ratio, approval_rate,
    approval_rate_difference, default_rate_among_approved, standardised_mean_difference, verdict,
};

/// All groups of one protected attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeReport {
    /// The attribute, for example `sex`.
    pub attribute: String,
    /// The group that the others are compared with.
    pub reference_group: String,
    /// The thresholds behind the verdicts and intervals.
    pub thresholds: Thresholds,
    /// Lowest approval rate of all groups divided by the highest.
    pub demographic_parity_ratio: Option<f64>,
    /// Highest approval rate of all groups minus the lowest.
    pub demographic_parity_difference: Option<f64>,
    /// The groups, ordered by name; the reference group is among them.
    pub groups: Vec<GroupReport>,
}

/// One group's own numbers and its comparison with the reference group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The value of the attribute, for example `female`.
    pub group: String,
    /// The counters that every number below follows from.
    pub counters: GroupCounters,
    /// All decisions of the group.
    pub decisions: u64,
    /// Share approved.
    pub approval_rate: Option<Interval>,
    /// Mean score in points.
    pub mean_score: Option<f64>,
    /// Share of defaults among the approved whose outcome is known.
    pub default_rate_among_approved: Option<Interval>,
    /// The comparison; `None` for the reference group itself.
    pub comparison: Option<Comparison>,
}

/// A group compared with the reference group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Approval rate divided by the reference group's.
    pub adverse_impact_ratio: Option<Interval>,
    /// Approval rate minus the reference group's.
    pub approval_rate_difference: Option<Interval>,
    /// Mean score minus the reference group's, in standard deviations of both groups together.
    pub standardised_mean_difference: Option<Interval>,
    /// The adverse impact ratio against the floor, for one look at a sample of fixed size.
    pub verdict: Verdict,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no group to report on.
    #[error("no group of attribute {attribute:?} has been counted yet")]
    NoGroups {
        /// The attribute asked for.
        attribute: String,
    },
    /// The reference group asked for has no counters.
    #[error("attribute {attribute:?} has no group {reference:?}; its groups are {}", groups.join(", "))]
    UnknownReferenceGroup {
        /// The attribute asked for.
        attribute: String,
        /// The reference group asked for.
        reference: String,
        /// The groups that exist, ordered by name.
        groups: Vec<String>,
    },
}

/// Reports every group of `attribute`, ordered by name, against `reference`.
///
/// Without a `reference` the group with the most decisions is taken, the first by name among equals.
/// Fails if there are no groups or `reference` is not one of them.
pub fn attribute_report(
    attribute: &str,
    groups: &BTreeMap<String, GroupCounters>,
    reference: Option<&str>,
    thresholds: &Thresholds,
) -> Result<AttributeReport, ReportError> {
    let largest = largest_group(groups).ok_or_else(|| ReportError::NoGroups {
        attribute: attribute.to_owned(),
    })?;
    let reference_group = reference.unwrap_or(largest);
    let Some(reference_counters) = groups.get(reference_group) else {
        return Err(ReportError::UnknownReferenceGroup {
            attribute: attribute.to_owned(),
            reference: reference_group.to_owned(),
            groups: groups.keys().cloned().collect(),
        });
    };
    let mut reports = Vec::with_capacity(groups.len());
    for (name, counters) in groups {
        let is_reference = name == reference_group;
        let comparison = (!is_reference).then(|| compare(counters, reference_counters, thresholds));
        reports.push(group_report(name, counters, comparison, thresholds));
    }
    Ok(AttributeReport {
        attribute: attribute.to_owned(),
        reference_group: reference_group.to_owned(),
        thresholds: *thresholds,
        demographic_parity_ratio: demographic_parity_ratio(groups),
        demographic_parity_difference: demographic_parity_difference(groups),
        groups: reports,
    })
}

fn largest_group(groups: &BTreeMap<String, GroupCounters>) -> Option<&str> {
    let mut largest: Option<(&str, u64)> = None;
    for (name, counters) in groups {
        let decisions = counters.decisions();
        if largest.is_none_or(|(_, most)| decisions > most) {
            largest = Some((name, decisions));
        }
    }
    largest.map(|(name, _)| name)
}

fn compare(
    group: &GroupCounters,
    reference: &GroupCounters,
    thresholds: &Thresholds,
) -> Comparison {
    let confidence = thresholds.confidence;
    Comparison {
        adverse_impact_ratio: adverse_impact_ratio(group, reference, confidence),
        approval_rate_difference: approval_rate_difference(group, reference, confidence),
        standardised_mean_difference: standardised_mean_difference(group, reference, confidence),
        verdict: verdict(group, reference, thresholds),
    }
}

fn group_report(
    name: &str,
    counters: &GroupCounters,
    comparison: Option<Comparison>,
    thresholds: &Thresholds,
) -> GroupReport {
    GroupReport {
        group: name.to_owned(),
        counters: *counters,
        decisions: counters.decisions(),
        approval_rate: approval_rate(counters, thresholds.confidence),
        mean_score: counters.mean_score(),
        default_rate_among_approved: default_rate_among_approved(counters, thresholds.confidence),
        comparison,
    }
}
