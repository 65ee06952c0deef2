//! Messages on what proxies say.

use fcs_fairness::Measured;
use fcs_fairness::proxy::{Bracket, Estimates, GroupEstimates, Limits};
use fcs_proto::monitoring::v1 as wire;

use crate::app::intake::ProbabilitiesInput;
use crate::app::panels::ProxySheet;

pub(super) fn probabilities(item: wire::GroupProbabilities) -> ProbabilitiesInput {
    ProbabilitiesInput {
        application_id: item.application_id,
        attribute: item.attribute,
        probabilities: item.probabilities.into_iter().collect(),
        source: item.source,
        proxy_version: item.proxy_version,
    }
}

pub(super) fn panel(sheet: &ProxySheet) -> wire::ProxyPanel {
    wire::ProxyPanel {
        attribute: sheet.attribute.clone(),
        source: sheet.source.clone(),
        proxy_version: sheet.proxy_version.clone(),
        reference_group: sheet.report.reference.clone(),
        decisions: u64::try_from(sheet.report.decisions).unwrap_or_default(),
        unknown: sheet.unknown,
        groups: sheet.report.groups.iter().map(group).collect(),
    }
}

fn group(own: &GroupEstimates) -> wire::ProxyGroup {
    let group = own.group.clone();
    match &own.estimates {
        Estimates::Suppressed => wire::ProxyGroup {
            group,
            suppressed: true,
            ..wire::ProxyGroup::default()
        },
        Estimates::Shown {
            expected_members,
            effective_members,
            selection_rate,
            adverse_impact_ratio,
        } => wire::ProxyGroup {
            group,
            suppressed: false,
            expected_members: *expected_members,
            effective_members: *effective_members,
            approval_rate: Some(bracket(selection_rate)),
            adverse_impact_ratio: adverse_impact_ratio.as_ref().map(bracket),
        },
    }
}

fn bracket(bracket: &Bracket) -> wire::ProxyBracket {
    wire::ProxyBracket {
        weighted: Some(estimate(bracket.weighted)),
        linear: Some(estimate(bracket.linear)),
        frechet: Some(limits(bracket.frechet)),
    }
}

fn estimate(measured: Measured) -> wire::ProxyEstimate {
    match measured {
        Measured::Interval(interval) => wire::ProxyEstimate {
            value: Some(interval.value),
            lower: Some(interval.lower),
            upper: Some(interval.upper),
            undefined: String::new(),
        },
        Measured::Point { value } => wire::ProxyEstimate {
            value: Some(value),
            ..wire::ProxyEstimate::default()
        },
        // No estimator of a proxy gives the result of a test.
        Measured::Test(_) => wire::ProxyEstimate::default(),
        Measured::Undefined { reason } => wire::ProxyEstimate {
            undefined: reason.to_string(),
            ..wire::ProxyEstimate::default()
        },
    }
}

fn limits(limits: Limits) -> wire::ProxyEstimate {
    match limits {
        Limits::Bounds(bounds) => wire::ProxyEstimate {
            lower: Some(bounds.lower),
            upper: bounds.upper,
            ..wire::ProxyEstimate::default()
        },
        Limits::Undefined { reason } => wire::ProxyEstimate {
            undefined: reason.to_string(),
            ..wire::ProxyEstimate::default()
        },
    }
}
