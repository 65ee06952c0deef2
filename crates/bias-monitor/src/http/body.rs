//! JSON bodies; the shapes and names are those of `faircredit.monitoring.v1`.

use std::collections::BTreeMap;

use fcs_fairness::calibration::{CalibrationDecile, CalibrationReport};
use fcs_fairness::report::GroupReport;
use fcs_fairness::{Interval, Verdict};
use serde::{Deserialize, Serialize};

use crate::app::change::Receipt;
use crate::app::facts::{CreditOutcome, Source};
use crate::app::intake::{DemographicsInput, OutcomeInput, ProbabilitiesInput};
use crate::app::panels::ProxySheet;
use crate::app::report::{AttributeSheet, MonitorStatus, Sheet};

/// Body of `POST /v1/demographics`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DemographicsBody {
    items: Vec<DemographicsItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DemographicsItem {
    application_id: String,
    attributes: BTreeMap<String, String>,
    source: String,
}

impl DemographicsBody {
    pub(super) fn inputs(self) -> Vec<DemographicsInput> {
        let input = |item: DemographicsItem| DemographicsInput {
            application_id: item.application_id,
            attributes: item.attributes.into_iter().collect(),
            source: Source::parse(&item.source),
        };
        self.items.into_iter().map(input).collect()
    }
}

/// Body of `POST /v1/group-probabilities`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbabilitiesBody {
    items: Vec<ProbabilitiesItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbabilitiesItem {
    application_id: String,
    attribute: String,
    probabilities: BTreeMap<String, f64>,
    source: String,
    proxy_version: String,
}

impl ProbabilitiesBody {
    pub(super) fn inputs(self) -> Vec<ProbabilitiesInput> {
        let input = |item: ProbabilitiesItem| ProbabilitiesInput {
            application_id: item.application_id,
            attribute: item.attribute,
            probabilities: item.probabilities.into_iter().collect(),
            source: item.source,
            proxy_version: item.proxy_version,
        };
        self.items.into_iter().map(input).collect()
    }
}

/// Body of `POST /v1/outcomes`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutcomesBody {
    items: Vec<OutcomeItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeItem {
    event_id: String,
    application_id: String,
    outcome: String,
    occurred_at: String,
}

impl OutcomesBody {
    pub(super) fn inputs(self) -> Vec<OutcomeInput> {
        let input = |item: OutcomeItem| OutcomeInput {
            event_id: item.event_id,
            application_id: item.application_id,
            outcome: CreditOutcome::parse(&item.outcome),
            occurred_at: item.occurred_at,
        };
        self.items.into_iter().map(input).collect()
    }
}

/// What became of a batch.
#[derive(Serialize)]
pub(super) struct ReceiptBody {
    recorded: u64,
    unchanged: u64,
}

impl From<Receipt> for ReceiptBody {
    fn from(receipt: Receipt) -> Self {
        Self {
            recorded: receipt.recorded,
            unchanged: receipt.unchanged,
        }
    }
}

/// Answer of `GET /v1/status`.
#[derive(Serialize)]
pub(super) struct StatusBody {
    last_index: u64,
    decisions: u64,
    demographics: u64,
    outcomes: u64,
}

impl From<MonitorStatus> for StatusBody {
    fn from(status: MonitorStatus) -> Self {
        let MonitorStatus {
            last_index,
            decisions,
            demographics,
            outcomes,
        } = status;
        Self {
            last_index,
            decisions,
            demographics,
            outcomes,
        }
    }
}

/// Answer of `GET /v1/reports/groups`.
#[derive(Serialize)]
pub(super) struct SheetBody {
    last_index: u64,
    decisions: u64,
    attributes: Vec<AttributeBody>,
    calibration: CalibrationBody,
    proxies: Vec<ProxySheet>,
}

#[derive(Serialize)]
struct AttributeBody {
    attribute: String,
    reference_group: String,
    unknown: u64,
    groups: Vec<GroupBody>,
}

#[derive(Serialize)]
struct GroupBody {
    group: String,
    decisions: u64,
    approved: u64,
    referred: u64,
    denied: u64,
    approval_rate: EstimateBody,
    adverse_impact_ratio: EstimateBody,
    approval_rate_difference: EstimateBody,
    standardised_mean_difference: EstimateBody,
    /// `breach`, `clear`, `insufficient_evidence`; `unspecified` for the reference group.
    verdict: &'static str,
    approved_with_outcome: u64,
    approved_defaulted: u64,
    default_rate_among_approved: EstimateBody,
}

#[derive(Default, Serialize)]
struct EstimateBody {
    defined: bool,
    value: f64,
    lower: f64,
    upper: f64,
}

#[derive(Serialize)]
struct CalibrationBody {
    labelled: u64,
    mean_predicted: f64,
    mean_realised: f64,
    expected_calibration_error: f64,
    bins: Vec<BinBody>,
}

#[derive(Serialize)]
struct BinBody {
    lower: f64,
    upper: f64,
    labelled: u64,
    mean_predicted: f64,
    realised: EstimateBody,
}

impl From<Sheet> for SheetBody {
    fn from(sheet: Sheet) -> Self {
        Self {
            last_index: sheet.last_index,
            decisions: sheet.decisions,
            attributes: sheet
                .attributes
                .into_iter()
                .map(AttributeBody::from)
                .collect(),
            calibration: CalibrationBody::from(&sheet.calibration),
            proxies: sheet.proxies,
        }
    }
}

impl From<AttributeSheet> for AttributeBody {
    fn from(sheet: AttributeSheet) -> Self {
        Self {
            groups: sheet.report.groups.iter().map(GroupBody::from).collect(),
            attribute: sheet.report.attribute,
            reference_group: sheet.report.reference_group,
            unknown: sheet.unknown,
        }
    }
}

impl From<&GroupReport> for GroupBody {
    fn from(group: &GroupReport) -> Self {
        let comparison = group.comparison;
        Self {
            group: group.group.clone(),
            decisions: group.decisions,
            approved: group.counters.approved,
            referred: group.counters.referred,
            denied: group.counters.denied,
            approval_rate: group.approval_rate.into(),
            adverse_impact_ratio: comparison.and_then(|it| it.adverse_impact_ratio).into(),
            approval_rate_difference: comparison.and_then(|it| it.approval_rate_difference).into(),
            standardised_mean_difference: comparison
                .and_then(|it| it.standardised_mean_difference)
                .into(),
            verdict: verdict(comparison.map(|it| it.verdict)),
            approved_with_outcome: group.counters.approved_with_outcome(),
            approved_defaulted: group.counters.approved_defaulted,
            default_rate_among_approved: group.default_rate_among_approved.into(),
        }
    }
}

const fn verdict(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        None => "unspecified",
        Some(Verdict::Breach) => "breach",
        Some(Verdict::Clear) => "clear",
        Some(Verdict::InsufficientEvidence) => "insufficient_evidence",
    }
}

impl From<Option<Interval>> for EstimateBody {
    fn from(interval: Option<Interval>) -> Self {
        interval.map_or_else(
            Self::default,
            |Interval {
                 value,
                 lower,
                 upper,
             }| Self {
                defined: true,
                value,
                lower,
                upper,
            },
        )
    }
}

impl From<&CalibrationReport> for CalibrationBody {
    fn from(report: &CalibrationReport) -> Self {
        Self {
            labelled: report.labelled,
            mean_predicted: report.mean_predicted.unwrap_or_default(),
            mean_realised: report
                .mean_realised
                .map(|realised| realised.value)
                .unwrap_or_default(),
            expected_calibration_error: report.expected_calibration_error.unwrap_or_default(),
            bins: report.bins.iter().map(BinBody::from).collect(),
        }
    }
}

impl From<&CalibrationDecile> for BinBody {
    fn from(bin: &CalibrationDecile) -> Self {
        Self {
            lower: bin.from,
            upper: bin.to,
            labelled: bin.labelled,
            mean_predicted: bin.mean_predicted.unwrap_or_default(),
            realised: bin.realised.into(),
        }
    }
}
