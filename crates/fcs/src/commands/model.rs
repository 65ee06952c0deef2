//! `fcs model`.

use std::time::Instant;

use fcs_core::{Clock as _, ModelVersion};
use fcs_decision::manifest::{Condition, Feature, FeatureKind, Manifest, MissingRule};
use fcs_decision::trust::{DetachedSignature, TrustPolicy};
use fcs_service::SystemClock;
use model_server::app::models::describe;
use model_server::app::package;
use model_server::registry::{Registry, S3Settings};
use serde::Serialize;

use crate::cli::{Format, Global, ModelCommand};
use crate::commands::deployment::read_manifest;
use crate::exit::CliError;
use crate::output::{print, table};

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &ModelCommand) -> anyhow::Result<()> {
    match command {
        ModelCommand::Verify { model } => verify(global, model.as_deref()).await,
        ModelCommand::Inspect { model } => inspect(global, &parse(model)?),
    }
}

#[derive(Serialize)]
struct Verified {
    model: ModelVersion,
    verified: bool,
    manifest_digest: Option<String>,
    signed_by: Option<String>,
    trees: usize,
    seconds: f64,
    problem: Option<String>,
}

async fn verify(global: &Global, model: Option<&str>) -> anyhow::Result<()> {
    let trust = read_trust(global)?;
    let registry = open_registry(global, None)?;
    let models = match model {
        Some(model) => vec![parse(model)?],
        None => registry.list().await?,
    };
    let mut verified = Vec::with_capacity(models.len());
    for model in &models {
        verified.push(verify_one(&registry, model, &trust).await);
    }
    print(global.output, &verified, |verified| {
        let rows = verified.iter().map(|model| {
            vec![
                model.model.to_string(),
                model.problem.clone().unwrap_or_else(|| "verified".into()),
                model.signed_by.clone().unwrap_or_default(),
                model.trees.to_string(),
                format!("{:.2}", model.seconds),
            ]
        });
        table(
            &["model", "result", "signed by", "#trees", "#seconds"],
            rows,
        )
    })?;
    let refused = verified.iter().filter(|model| !model.verified).count();
    if refused == 0 {
        return Ok(());
    }
    Err(CliError::Verification(format!("{refused} of {} packages refused", verified.len())).into())
}

/// The keys that may sign packages of the models folder.
pub(crate) fn read_trust(global: &Global) -> anyhow::Result<TrustPolicy> {
    let path = global.models_dir.join("trust.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        CliError::NotFound(format!(
            "read {}: {error}; name the folder of the packages with --models-dir",
            path.display()
        ))
    })?;
    Ok(TrustPolicy::parse(&text)?)
}

/// The registry that a command names; the default is the models folder.
pub(crate) fn open_registry(global: &Global, location: Option<&str>) -> anyhow::Result<Registry> {
    let default = global.models_dir.to_string_lossy();
    let location = location.unwrap_or(&default);
    let opened = Registry::open(location, &S3Settings::default());
    opened.map_err(|error| CliError::NotFound(error.to_string()).into())
}

async fn verify_one(registry: &Registry, model: &ModelVersion, trust: &TrustPolicy) -> Verified {
    let start = Instant::now();
    let loaded = package::load(registry, model, trust, SystemClock.now()).await;
    let seconds = start.elapsed().as_secs_f64();
    let model = model.clone();
    match loaded {
        Ok(loaded) => Verified {
            model,
            verified: true,
            manifest_digest: Some(loaded.manifest.digest().to_string()),
            signed_by: Some(signers(&loaded.signatures)),
            trees: loaded.forest.tree_count(),
            seconds,
            problem: None,
        },
        Err(error) => Verified {
            model,
            verified: false,
            manifest_digest: None,
            signed_by: None,
            trees: 0,
            seconds,
            problem: Some(describe(&error)),
        },
    }
}

/// The keys that a signature file names.
fn signers(signatures: &[DetachedSignature]) -> String {
    let names: Vec<&str> = signatures.iter().map(|it| it.key_id.as_str()).collect();
    names.join(", ")
}

fn inspect(global: &Global, model: &ModelVersion) -> anyhow::Result<()> {
    let manifest = read_manifest(global, model)?;
    if global.output == Format::Json {
        let path = global
            .models_dir
            .join(model.name())
            .join(model.version())
            .join("model.toml");
        let document: serde_json::Value = toml_to_json(&std::fs::read_to_string(path)?)?;
        return print(Format::Json, &document, |_| String::new());
    }
    print(Format::Table, &(), |()| text(&manifest))
}

fn toml_to_json(text: &str) -> anyhow::Result<serde_json::Value> {
    Ok(toml::from_str(text)?)
}

fn text(manifest: &Manifest) -> String {
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
        vec![rule.id.clone(), condition, rule.reason.clone()]
    });
    let population = &manifest.reference_population;
    format!(
        "{}: {}\nmanifest digest {}\nprobability of: {}\nheld-out rows {}, AUC {:.4}, Brier score {:.4}\n\n\
         Features\n{}\n\nReasons\n{}\n\nPolicy: approve from {}, refer from {}; knock-out rules in order\n{}\n\n\
         Reference population {}: {} applicants with scores from {} to below {}",
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
        policy.approve_at_least,
        policy.refer_at_least,
        table(&["rule", "denies when", "reason"], rules),
        population.id,
        population.rows,
        population.score_from,
        population.score_to,
    )
}

fn feature_row(feature: &Feature) -> Vec<String> {
    let kind = match &feature.kind {
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
    };
    let missing = match feature.missing {
        MissingRule::Refuse => "refused",
        MissingRule::Allow => "allowed",
    };
    vec![
        feature.name.clone(),
        kind,
        missing.into(),
        feature.reason.clone(),
        feature.description.clone(),
    ]
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::AtLeast(value) => format!("≥ {value}"),
        Condition::AtMost(value) => format!("≤ {value}"),
        Condition::EqualsNumber(value) => format!("= {value}"),
        Condition::EqualsCategory(name) => format!("is {name}"),
    }
}

fn parse(model: &str) -> Result<ModelVersion, CliError> {
    model
        .parse()
        .map_err(|error| CliError::Usage(format!("{error}")))
}
