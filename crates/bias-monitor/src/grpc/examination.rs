//! Examinations and overrides on the wire.

use fcs_proto::monitoring::v1 as wire;

use crate::app::examination::{Basis, Examination, ExaminationInput};
use crate::app::facts::PersonsOutcome;
use crate::app::intake::OverrideInput;

pub(super) fn override_input(item: wire::OverrideEvent) -> OverrideInput {
    let outcome = match item.outcome() {
        wire::PersonsOutcome::Approve => Some(PersonsOutcome::Approve),
        wire::PersonsOutcome::Deny => Some(PersonsOutcome::Deny),
        wire::PersonsOutcome::Unspecified => None,
    };
    OverrideInput {
        event_id: item.event_id,
        decision_id: item.decision_id,
        outcome,
        reason: item.reason,
        occurred_at: item.occurred_at,
    }
}

pub(super) fn input(request: wire::ExamineRequest) -> ExaminationInput {
    ExaminationInput {
        basis: basis(request.basis).to_owned(),
        model: request.model,
        arm: request.arm,
        from: request.from,
        to: request.to,
        attributes: request.attributes,
        stratify_by: request.stratify_by,
        within: request.within,
        reference: request.reference,
        minimum_cell_size: request.minimum_cell_size,
        quantiles: request.quantiles,
    }
}

pub(super) fn answer(examined: &Examination) -> Result<wire::ExamineResponse, serde_json::Error> {
    let strata = examined.strata.iter().map(serde_json::to_string);
    Ok(wire::ExamineResponse {
        last_index: examined.last_index,
        decisions: examined.decisions,
        sheet: serde_json::to_string(&examined.sheet)?,
        strata: strata.collect::<Result<_, _>>()?,
    })
}

/// The name of a basis; one that nobody knows is refused by that name.
pub(super) fn basis(basis: i32) -> &'static str {
    use wire::ExaminationBasis as Wire;
    match Wire::try_from(basis) {
        Ok(Wire::Unspecified | Wire::Model) => Basis::Model.as_str(),
        Ok(Wire::Final) => Basis::Final.as_str(),
        Ok(Wire::LowSideOverrides) => Basis::LowSideOverrides.as_str(),
        Ok(Wire::HighSideOverrides) => Basis::HighSideOverrides.as_str(),
        Err(_) => "unknown",
    }
}
