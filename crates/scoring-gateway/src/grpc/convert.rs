//! Between the wire and the application.

use std::ops::Range;

use fcs_core::{ApiError, Digest, ModelVersion, Probability, Violation};
use fcs_decision::policy::Offer;
use fcs_decision::profile::{Variable, VariableBins};
use fcs_decision::record::{self, DecisionRecord};
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1 as wire;
use fcs_service::problem::internal;

use super::application;
use crate::app::control::FleetState;
use crate::app::traffic::{Arm, ProposedArm, ProposedTable, ShadowArm, TrafficTable};
use crate::store::{FeedEntry, Found, Instance, StoredDecision};

/// A decision, or what is left of it.
pub(super) fn found(found: &Found) -> Result<wire::Decision, ApiError> {
    match found {
        Found::Kept(stored) => decision(stored),
        Found::Erased(tombstone) => Ok(wire::Decision {
            decision_id: tombstone.decision_id.to_string(),
            log_index: tombstone.log_index,
            record_digest: tombstone.record_digest.as_bytes().to_vec(),
            erased_at: tombstone.erased_at.to_string(),
            ..wire::Decision::default()
        }),
    }
}

pub(super) fn decision(stored: &StoredDecision) -> Result<wire::Decision, ApiError> {
    let record = DecisionRecord::from_bytes(&stored.record)
        .map_err(|error| internal("RECORD_UNREADABLE", error))?;
    let (language, catalogue_version) = record
        .reason_texts
        .map(|source| (source.language, source.version))
        .unwrap_or_default();
    let bureau_score = record
        .application
        .and_then(|application| application.bureau_score);
    Ok(wire::Decision {
        policy: record.policy.applied.map(applied_policy),
        component_failed: record
            .component_failed
            .map_or(wire::Component::Unspecified, component)
            .into(),
        counteroffer: record.counteroffer.map(counteroffer),
        notice: record.notice.map(notice),
        retain_until: record
            .retain_until
            .map(|day| day.to_string())
            .unwrap_or_default(),
        outside_sources: record.outside_sources.map(|sources| wire::OutsideSources {
            fcra_615a: sources.fcra_615a,
            fcra_615b: sources.fcra_615b,
        }),
        credit_score_disclosure: bureau_score.map(application::disclosure),
        language,
        catalogue_version,
        decision_id: record.decision_id.to_string(),
        log_index: stored.log_index,
        decided_at: record.decided_at.to_string(),
        application_id: record.application_id.as_str().to_owned(),
        outcome: outcome(record.outcome).into(),
        decided_by: decided_by(record.decided_by).into(),
        score: record.score.unwrap_or_default(),
        probability: record.probability.map_or(0.0, Probability::get),
        margin: record.margin.unwrap_or_default(),
        principal_reasons: record.principal_reasons.into_iter().map(reason).collect(),
        model: format!("{}/{}", record.model.name, record.model.version),
        manifest_digest: record.model.manifest_digest.to_string(),
        arm: record.arm,
        record_digest: stored.record_digest.as_bytes().to_vec(),
        record: stored.record.to_vec(),
        erased_at: String::new(),
    })
}

fn reason(reason: record::PrincipalReason) -> wire::PrincipalReason {
    wire::PrincipalReason {
        code: reason.code,
        text: reason.text,
        regb_ref: reason.regb_ref,
        features: reason.features,
        contribution: reason.contribution,
        hmda_code: reason.hmda_code.into(),
    }
}

fn applied_policy(policy: record::AppliedPolicy) -> wire::AppliedPolicy {
    wire::AppliedPolicy {
        name: policy.name,
        version: policy.version,
        digest: policy.digest.to_string(),
        rules_hit: policy.rules_hit,
    }
}

const fn component(component: record::Component) -> wire::Component {
    match component {
        record::Component::Score => wire::Component::Score,
        record::Component::PolicyRule => wire::Component::PolicyRule,
    }
}

fn counteroffer(offer: Offer) -> wire::Counteroffer {
    wire::Counteroffer {
        amount: offer.amount.map(|amount| wire::Amount {
            value: amount.value,
            currency: amount.currency,
        }),
        terms: offer.terms.unwrap_or_default(),
    }
}

fn notice(notice: record::Notice) -> wire::NoticeDuty {
    wire::NoticeDuty {
        required: notice.required,
        due_by: notice.due_by.map(|day| day.to_string()).unwrap_or_default(),
        form_hint: notice
            .form_hint
            .map(|form| form.as_str().to_owned())
            .unwrap_or_default(),
    }
}

pub(super) const fn outcome(outcome: record::Outcome) -> wire::Outcome {
    match outcome {
        record::Outcome::Approve => wire::Outcome::Approve,
        record::Outcome::Refer => wire::Outcome::Refer,
        record::Outcome::Deny => wire::Outcome::Deny,
        record::Outcome::Counteroffer => wire::Outcome::Counteroffer,
        record::Outcome::Incomplete => wire::Outcome::Incomplete,
    }
}

const fn decided_by(decided_by: record::DecidedBy) -> wire::DecidedBy {
    match decided_by {
        record::DecidedBy::Score => wire::DecidedBy::Score,
        record::DecidedBy::KnockOut => wire::DecidedBy::KnockOut,
        record::DecidedBy::PolicyRule => wire::DecidedBy::PolicyRule,
    }
}

pub(super) fn feed_entry(entry: FeedEntry) -> wire::FeedEntry {
    let summary = entry.summary;
    wire::FeedEntry {
        log_index: entry.log_index,
        tenant: entry.tenant.to_string(),
        decision_id: summary.decision_id.to_string(),
        application_id: summary.application_id.as_str().to_owned(),
        decided_at_micros: summary.decided_at.0,
        outcome: outcome(summary.outcome).into(),
        score: summary.score,
        probability: summary.probability,
        model: summary.model.to_string(),
        arm: summary.arm,
        record_digest: summary.record_digest.as_bytes().to_vec(),
        bins: summary.bins.into_iter().map(u32::from).collect(),
    }
}

pub(super) fn variable(variable: Variable) -> wire::Variable {
    let (edges, categories) = match variable.bins {
        VariableBins::Edges(edges) => (edges, Vec::new()),
        VariableBins::Categories(names) => (Vec::new(), names),
    };
    wire::Variable {
        name: variable.name,
        edges,
        categories,
        reference: variable.reference,
        reference_missing: variable.reference_missing,
    }
}

pub(super) fn table(table: &TrafficTable) -> wire::TrafficTable {
    wire::TrafficTable {
        generation: table.generation,
        salt: table.salt.clone(),
        arms: table.arms.iter().map(arm).collect(),
        shadows: Some(wire::ShadowArms {
            arms: table.shadows.iter().map(shadow_arm).collect(),
        }),
    }
}

fn shadow_arm(arm: &ShadowArm) -> wire::ShadowArm {
    wire::ShadowArm {
        name: arm.name.clone(),
        model: Some(model_ref(
            &arm.model.version,
            Some(arm.model.manifest_digest),
        )),
        sample_basis_points: arm.sample_basis_points,
        since_generation: arm.since_generation,
    }
}

fn arm(arm: &Arm) -> wire::TrafficArm {
    wire::TrafficArm {
        name: arm.name.clone(),
        model: Some(model_ref(
            &arm.model.version,
            Some(arm.model.manifest_digest),
        )),
        weight_basis_points: arm.weight_basis_points,
        cohort: arm.cohort.ranges().iter().map(range).collect(),
    }
}

fn range(range: &Range<u16>) -> wire::BasisPointRange {
    wire::BasisPointRange {
        from: range.start.into(),
        to: range.end.into(),
    }
}

pub(super) fn fleet(state: FleetState) -> wire::ListGatewayInstancesResponse {
    let confirmed = state.is_confirmed();
    let instance = |instance: Instance| wire::GatewayInstance {
        stale: instance.is_stale(),
        generation: instance.generation,
        seen_at_micros: instance.seen_at.0,
        instance_id: instance.id,
    };
    wire::ListGatewayInstancesResponse {
        instances: state.instances.into_iter().map(instance).collect(),
        generation: state.generation,
        confirmed,
    }
}

pub(super) fn model_ref(version: &ModelVersion, digest: Option<Digest>) -> ModelRef {
    ModelRef {
        name: version.name().to_owned(),
        version: version.version().to_owned(),
        manifest_digest: digest.map(|digest| digest.to_string()).unwrap_or_default(),
    }
}

pub(super) fn proposed_table(table: Option<wire::TrafficTable>) -> Result<ProposedTable, ApiError> {
    let table = table.ok_or_else(|| {
        ApiError::invalid(
            "TRAFFIC_TABLE_MISSING",
            "the request holds no traffic table",
            vec![],
        )
    })?;
    let arms = table
        .arms
        .into_iter()
        .enumerate()
        .map(|(index, arm)| proposed_arm(&format!("/table/arms/{index}"), arm));
    let shadows = table.shadows.map(proposed_shadows).transpose()?;
    Ok(ProposedTable {
        generation: table.generation,
        salt: table.salt,
        arms: arms.collect::<Result<_, _>>()?,
        shadows,
    })
}

fn proposed_shadows(shadows: wire::ShadowArms) -> Result<Vec<ProposedArm>, ApiError> {
    let proposed = |(index, arm): (usize, wire::ShadowArm)| {
        let arm = wire::TrafficArm {
            name: arm.name,
            model: arm.model,
            weight_basis_points: arm.sample_basis_points,
            cohort: Vec::new(),
        };
        proposed_arm(&format!("/table/shadows/arms/{index}"), arm)
    };
    shadows.arms.into_iter().enumerate().map(proposed).collect()
}

fn proposed_arm(place: &str, arm: wire::TrafficArm) -> Result<ProposedArm, ApiError> {
    let invalid = |field: &str, description: String| {
        let pointer = format!("{place}/model{field}");
        let violation = Violation {
            pointer,
            reason: "MODEL_INVALID",
            description,
        };
        ApiError::invalid(
            "TRAFFIC_TABLE_INVALID",
            "the traffic table is not valid",
            vec![violation],
        )
    };
    let model = arm
        .model
        .ok_or_else(|| invalid("", "each arm needs a model".to_owned()))?;
    let version = ModelVersion::new(&model.name, &model.version)
        .map_err(|error| invalid("", error.to_string()))?;
    let manifest_digest = match model.manifest_digest.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|error: fcs_core::ParseDigestError| {
            invalid("/manifest_digest", error.to_string())
        })?),
    };
    Ok(ProposedArm {
        name: arm.name,
        version,
        manifest_digest,
        weight_basis_points: arm.weight_basis_points,
    })
}
