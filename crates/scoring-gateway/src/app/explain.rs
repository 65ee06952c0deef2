//! Why a decision came out as it did, in full.

use fcs_core::{ApiError, DecisionId, Digest, ErrorCode, TenantId, redacted_debug};
use fcs_decision::features::FeatureInput;
use fcs_decision::manifest::Manifest;
use fcs_decision::record::DecisionRecord;
use fcs_service::grpc::Deadline;

use super::App;

redacted_debug!(Explanation, FeaturePart, FamilyPart, ReasonPart);

/// A decision with everything that moved its margin. `margin = base_margin + sum of the contributions`.
#[derive(Clone, PartialEq)]
pub struct Explanation {
    /// The decision.
    pub record: DecisionRecord,
    /// Every feature, largest magnitude first.
    pub features: Vec<FeaturePart>,
    /// The same summed by family, largest magnitude first; a feature without a family stands for itself.
    pub families: Vec<FamilyPart>,
    /// The same summed by reason code, most adverse first.
    pub reasons: Vec<ReasonPart>,
    /// Who the contributions are measured against.
    pub population: Population,
}

/// What one feature adds to the margin; positive is adverse.
#[derive(Clone, PartialEq)]
pub struct FeaturePart {
    /// Name in the schema.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Unit of a number; empty for a category.
    pub unit: String,
    /// The applicant's value.
    pub value: FeatureInput,
    /// Shapley value in margin space.
    pub contribution: f64,
    /// Code of the reason that it counts towards.
    pub reason_code: String,
}

/// What a family of features adds to the margin.
#[derive(Clone, PartialEq)]
pub struct FamilyPart {
    /// Name of the family, or of a feature that has none.
    pub family: String,
    /// Sum of its features' contributions.
    pub contribution: f64,
}

/// What the features behind one reason add to the margin.
#[derive(Clone, PartialEq)]
pub struct ReasonPart {
    /// Code in the reason map.
    pub code: String,
    /// Text for the applicant.
    pub text: String,
    /// Its features, in the order of the schema.
    pub features: Vec<String>,
    /// Sum of their contributions.
    pub contribution: f64,
}

/// Applicants near the cut-off, whose mean margin is the base of the contributions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    /// Identifier in the manifest.
    pub id: String,
    /// Who they are.
    pub description: String,
    /// How many.
    pub rows: u32,
    /// Lowest score among them.
    pub score_from: i32,
    /// Highest score among them.
    pub score_to: i32,
    /// SHA-256 of the file.
    pub digest: Digest,
}

impl App {
    /// Explains a decision from its record and the manifest of its model. One that was not scored is refused.
    pub async fn explain(
        &self,
        tenant: &TenantId,
        id: DecisionId,
        deadline: Deadline,
    ) -> Result<Explanation, ApiError> {
        let record = self.record(tenant, id).await?;
        if record.margin.is_none() {
            let message =
                "the application was incomplete: it was not scored, so there is nothing to explain";
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "NOT_SCORED",
                message,
            ));
        }
        let manifest = deadline.run(self.manifest_of(&record)).await??;
        Ok(explain(record, &manifest))
    }
}

fn explain(record: DecisionRecord, manifest: &Manifest) -> Explanation {
    let contribution = |name: &str| record.contributions.get(name).copied().unwrap_or_default();
    let mut features: Vec<FeaturePart> = manifest
        .features
        .iter()
        .map(|feature| FeaturePart {
            name: feature.name.clone(),
            description: feature.description.clone(),
            unit: feature.unit.clone(),
            value: record
                .features
                .get(&feature.name)
                .cloned()
                .unwrap_or(FeatureInput::Missing),
            contribution: contribution(&feature.name),
            reason_code: feature.reason.clone(),
        })
        .collect();
    let reasons = by_reason(&features, manifest);
    let in_order: Vec<f64> = features.iter().map(|part| part.contribution).collect();
    let mut families = by_family(&features, manifest, &in_order);
    features.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    families.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let population = Population {
        id: record.reference_population.id.clone(),
        description: manifest.reference_population.description.clone(),
        rows: manifest.reference_population.rows,
        score_from: manifest.reference_population.score_from,
        score_to: manifest.reference_population.score_to,
        digest: record.reference_population.digest,
    };
    Explanation {
        record,
        features,
        families,
        reasons,
        population,
    }
}

fn by_family(
    features: &[FeaturePart],
    manifest: &Manifest,
    contributions: &[f64],
) -> Vec<FamilyPart> {
    let sums = manifest.by_family(contributions);
    if sums.is_empty() {
        let alone = |part: &FeaturePart| FamilyPart {
            family: part.name.clone(),
            contribution: part.contribution,
        };
        return features.iter().map(alone).collect();
    }
    let part = |(family, contribution): (&str, f64)| FamilyPart {
        family: family.to_owned(),
        contribution,
    };
    sums.into_iter().map(part).collect()
}

/// Codes behind no feature (those of knock-out rules alone) add nothing and are left out.
fn by_reason(features: &[FeaturePart], manifest: &Manifest) -> Vec<ReasonPart> {
    let mut parts: Vec<ReasonPart> = manifest
        .reasons
        .iter()
        .map(|reason| {
            let behind = || {
                features
                    .iter()
                    .filter(|part| part.reason_code == reason.code)
            };
            ReasonPart {
                code: reason.code.clone(),
                text: reason.text.clone(),
                features: behind().map(|part| part.name.clone()).collect(),
                contribution: behind().map(|part| part.contribution).sum(),
            }
        })
        .filter(|part| !part.features.is_empty())
        .collect();
    parts.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    parts
}
