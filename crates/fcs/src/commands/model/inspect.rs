//! `fcs model inspect`: a manifest for people.

use fcs_decision::manifest::{Feature, FeatureKind, Manifest, MissingRule};
use fcs_decision::policy::Condition;

use crate::output::table;

/// The manifest as text and tables.
pub(super) fn text(manifest: &Manifest) -> String {
    let info = &manifest.model;
    let policy = &manifest.policy;
    let features = manifest.features.iter().map(feature_row);
    let reasons = manifest.reasons.iter().map(|reason| {
        vec![
            reason.code.clone(),
            reason.regb_ref.clone(),
            reason.hmda_code.to_string(),
            reason.text.clone(),
        ]
    });
    let rules = policy.knock_outs.iter().map(|rule| {
        let condition = format!("{} {}", rule.feature, condition(&rule.condition));
        vec![
            rule.id.clone(),
            condition,
            "deny".to_owned(),
            rule.reason.clone(),
        ]
    });
    let rules = rules.chain(policy.rules.iter().map(|rule| {
        let action = rule.action.as_str().to_owned();
        vec![
            rule.id.clone(),
            rule.when.clone(),
            action,
            rule.reason.clone().unwrap_or_default(),
        ]
    }));
    let population = &manifest.reference_population;
    format!(
        "{}: {}\nmanifest digest {}\nprobability of: {}\nheld-out rows {}, AUC {:.4}, Brier score {:.4}\n\n\
         Features\n{}\n\nReasons\n{}\n\nPolicy {} {}: approve from {}, refer from {}; before that, knock-out rules and rules in order\n{}\n\n\
         Reference population {}: {} applicants with scores from {} to below {}{}",
        manifest.model_version(),
        info.title,
        manifest.digest(),
        info.adverse_outcome,
        manifest.evaluation.rows,
        manifest.evaluation.auc,
        manifest.evaluation.brier,
        table(
            &[
                "feature",
                "type and range",
                "missing",
                "reason",
                "description"
            ],
            features
        ),
        table(&["code", "form C-1", "#HMDA", "text"], reasons),
        policy.name,
        policy.version,
        policy.approve_at_least,
        policy.refer_at_least,
        table(&["rule", "when", "action", "reason"], rules),
        population.id,
        population.rows,
        population.score_from,
        population.score_to,
        lineage(manifest),
    )
}

fn feature_row(feature: &Feature) -> Vec<String> {
    let missing = match feature.missing {
        MissingRule::Refuse => "refused",
        MissingRule::Allow => "allowed",
    };
    vec![
        feature.name.clone(),
        values(feature),
        missing.into(),
        feature.reason.clone(),
        feature.description.clone(),
    ]
}

/// The values that a feature may take, in short.
pub(super) fn values(feature: &Feature) -> String {
    match &feature.kind {
        FeatureKind::Number(range) => {
            format!("{} to {} {}", range.minimum, range.maximum, feature.unit)
        }
        FeatureKind::Integer(range) => {
            format!(
                "whole, {} to {} {}",
                range.minimum, range.maximum, feature.unit
            )
        }
        FeatureKind::Category(categories) => categories
            .iter()
            .map(|category| category.name.as_str())
            .collect::<Vec<_>>()
            .join(" | "),
    }
}

/// When a rule holds, in short.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::AtLeast(value) => format!("≥ {value}"),
        Condition::AtMost(value) => format!("≤ {value}"),
        Condition::EqualsNumber(value) => format!("= {value}"),
        Condition::EqualsCategory(name) => format!("is {name}"),
    }
}

/// What format 2 says about the model's origin; empty when it says nothing.
fn lineage(manifest: &Manifest) -> String {
    let Some(lineage) = &manifest.lineage else {
        return String::new();
    };
    let rows = [
        ("parent", lineage.parent.as_ref().map(ToString::to_string)),
        ("commit", lineage.git_commit.clone()),
        ("source data", lineage.data_sha256.map(|it| it.to_string())),
        (
            "training script",
            lineage.training_script_sha256.map(|it| it.to_string()),
        ),
    ];
    let libraries = lineage
        .libraries
        .iter()
        .map(|(name, version)| vec!["library".to_owned(), format!("{name} {version}")]);
    let rows = rows
        .into_iter()
        .filter_map(|(name, value)| Some(vec![name.to_owned(), value?]))
        .chain(libraries);
    format!("\n\nLineage\n{}", table(&["what", "value"], rows))
}
