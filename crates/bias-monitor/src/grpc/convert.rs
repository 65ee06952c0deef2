//! Wire messages to inputs, reports to wire messages.

use fcs_core::ApiError;
use fcs_fairness::calibration::{CalibrationDecile, CalibrationReport};
use fcs_fairness::report::GroupReport;
use fcs_fairness::{Interval, Verdict};
use fcs_proto::monitoring::v1 as wire;

use super::proxies;
use crate::app::facts::{CreditOutcome, Source};
use crate::app::intake::{DemographicsInput, OutcomeInput};
use crate::app::report::{AttributeSheet, Sheet};
use crate::app::sheets::SheetFormat;

pub(super) fn demographics(item: wire::Demographics) -> DemographicsInput {
    let source = match item.source() {
        wire::DemographicsSource::SelfReported => Some(Source::SelfReported),
        wire::DemographicsSource::Observed => Some(Source::Observed),
        wire::DemographicsSource::Unspecified => None,
    };
    DemographicsInput {
        application_id: item.application_id,
        attributes: item.attributes.into_iter().collect(),
        source,
    }
}

pub(super) fn outcome(item: wire::OutcomeEvent) -> OutcomeInput {
    let outcome = match item.outcome() {
        wire::CreditOutcome::Repaid => Some(CreditOutcome::Repaid),
        wire::CreditOutcome::Defaulted => Some(CreditOutcome::Defaulted),
        wire::CreditOutcome::Unspecified => None,
    };
    OutcomeInput {
        event_id: item.event_id,
        application_id: item.application_id,
        outcome,
        occurred_at: item.occurred_at,
    }
}

pub(super) fn sheet_format(format: wire::SheetFormat) -> Result<SheetFormat, ApiError> {
    match format {
        wire::SheetFormat::Json => Ok(SheetFormat::Json),
        wire::SheetFormat::Csv => Ok(SheetFormat::Csv),
        wire::SheetFormat::Html => Ok(SheetFormat::Html),
        wire::SheetFormat::Unspecified => Err(SheetFormat::unknown()),
    }
}

pub(super) fn sheet(sheet: &Sheet) -> wire::GetGroupReportResponse {
    wire::GetGroupReportResponse {
        last_index: sheet.last_index,
        decisions: sheet.decisions,
        attributes: sheet.attributes.iter().map(attribute).collect(),
        calibration: Some(calibration(&sheet.calibration)),
        proxies: sheet.proxies.iter().map(proxies::panel).collect(),
    }
}

fn attribute(sheet: &AttributeSheet) -> wire::AttributeReport {
    wire::AttributeReport {
        attribute: sheet.report.attribute.clone(),
        reference_group: sheet.report.reference_group.clone(),
        unknown: sheet.unknown,
        groups: sheet.report.groups.iter().map(group).collect(),
    }
}

/// The reference group is not compared with itself: its comparisons are undefined, its verdict unspecified.
fn group(group: &GroupReport) -> wire::GroupReport {
    let comparison = group.comparison;
    wire::GroupReport {
        group: group.group.clone(),
        decisions: group.decisions,
        approved: group.counters.approved,
        referred: group.counters.referred,
        denied: group.counters.denied,
        approval_rate: estimate(group.approval_rate),
        adverse_impact_ratio: estimate(comparison.and_then(|it| it.adverse_impact_ratio)),
        approval_rate_difference: estimate(comparison.and_then(|it| it.approval_rate_difference)),
        standardised_mean_difference: estimate(
            comparison.and_then(|it| it.standardised_mean_difference),
        ),
        verdict: verdict(comparison.map(|it| it.verdict)).into(),
        approved_with_outcome: group.counters.approved_with_outcome(),
        approved_defaulted: group.counters.approved_defaulted,
        default_rate_among_approved: estimate(group.default_rate_among_approved),
    }
}

const fn verdict(verdict: Option<Verdict>) -> wire::Verdict {
    match verdict {
        None => wire::Verdict::Unspecified,
        Some(Verdict::Breach) => wire::Verdict::Breach,
        Some(Verdict::Clear) => wire::Verdict::Clear,
        Some(Verdict::InsufficientEvidence) => wire::Verdict::InsufficientEvidence,
    }
}

fn calibration(report: &CalibrationReport) -> wire::Calibration {
    wire::Calibration {
        labelled: report.labelled,
        mean_predicted: report.mean_predicted.unwrap_or_default(),
        mean_realised: report
            .mean_realised
            .map(|realised| realised.value)
            .unwrap_or_default(),
        expected_calibration_error: report.expected_calibration_error.unwrap_or_default(),
        bins: report.bins.iter().map(bin).collect(),
    }
}

fn bin(bin: &CalibrationDecile) -> wire::CalibrationBin {
    wire::CalibrationBin {
        lower: bin.from,
        upper: bin.to,
        labelled: bin.labelled,
        mean_predicted: bin.mean_predicted.unwrap_or_default(),
        realised: estimate(bin.realised),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "messages are optional on the wire; this one is always there"
)]
fn estimate(interval: Option<Interval>) -> Option<wire::Estimate> {
    Some(
        interval.map_or_else(wire::Estimate::default, |interval| wire::Estimate {
            defined: true,
            value: interval.value,
            lower: interval.lower,
            upper: interval.upper,
        }),
    )
}
