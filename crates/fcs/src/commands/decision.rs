//! `fcs decision`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context;
use fcs_decision::record::DecisionRecord;
use fcs_proto::scoring::v1::feature_value::Kind;
use fcs_proto::scoring::v1::{
    Amount, Decision, FeatureValue, GetDecisionRequest, ListDecisionsRequest,
    ReplayDecisionRequest, ScoreRequest, SummariseShadowRequest,
};
use fcs_service::OsRandom;
use serde::Serialize;

use crate::cli::{DecisionCommand, Format, Global, ScoreArguments};
use crate::client::Clients;
use crate::commands::{explain, shadow};
use crate::exit::CliError;
use crate::output::{print, table};
use crate::progress;
use crate::records;
use crate::sample::sample;

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &DecisionCommand) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    match command {
        DecisionCommand::Score(arguments) => score(&mut clients, global.output, arguments).await,
        DecisionCommand::Get { id } => {
            let decision = find(&mut clients, id).await?;
            print(global.output, &document(&decision)?, |_| {
                summary_line(&decision)
            })
        }
        DecisionCommand::Explain { id } => {
            let decision = find(&mut clients, id).await?;
            let record = DecisionRecord::from_bytes(&decision.record)?;
            print(global.output, &document(&decision)?, |_| {
                explain::text(&decision, &record)
            })
        }
        DecisionCommand::Replay { ids, sample } => {
            replay(&mut clients, global.output, ids, *sample).await
        }
        DecisionCommand::Export { to, after } => export(&mut clients, to, *after).await,
        DecisionCommand::Shadow { arm, after, up_to } => {
            let request = SummariseShadowRequest {
                arm: arm.clone(),
                after_index: *after,
                up_to_index: *up_to,
            };
            shadow::summarise(&mut clients, global.output, request).await
        }
        DecisionCommand::List { after, limit } => {
            list(&mut clients, global.output, *after, *limit).await
        }
    }
}

/// A decision by its id, or the latest of an application.
pub(crate) async fn find(clients: &mut Clients, id: &str) -> anyhow::Result<Decision> {
    let request = if id.starts_with("dec_") {
        GetDecisionRequest {
            decision_id: id.to_owned(),
            application_id: String::new(),
        }
    } else {
        GetDecisionRequest {
            decision_id: String::new(),
            application_id: id.to_owned(),
        }
    };
    let response = clients
        .scoring
        .get_decision(request)
        .await
        .map_err(CliError::from)?;
    response
        .into_inner()
        .decision
        .context("the gateway sent no decision")
}

/// The record as JSON, with its position in the log.
pub(crate) fn document(decision: &Decision) -> anyhow::Result<serde_json::Value> {
    let mut document: serde_json::Value = serde_json::from_slice(&decision.record)?;
    document["log_index"] = decision.log_index.into();
    document["record_digest"] = hex::encode(&decision.record_digest).into();
    Ok(document)
}

async fn score(
    clients: &mut Clients,
    format: Format,
    arguments: &ScoreArguments,
) -> anyhow::Result<()> {
    let key = arguments.idempotency_key.clone();
    let request = ScoreRequest {
        idempotency_key: key.unwrap_or_else(|| format!("cli-{}", arguments.application_id)),
        application_id: arguments.application_id.clone(),
        features: read_features(arguments)?,
        product: arguments.product.clone().unwrap_or_default(),
        amount: arguments.amount(),
        language: arguments.language.clone().unwrap_or_default(),
        ..ScoreRequest::default()
    };
    let response = clients
        .scoring
        .score(request)
        .await
        .map_err(CliError::from)?
        .into_inner();
    let decision = response.decision.context("the gateway sent no decision")?;
    let record = DecisionRecord::from_bytes(&decision.record)?;
    print(format, &document(&decision)?, |_| {
        explain::text(&decision, &record)
    })
}

impl ScoreArguments {
    fn amount(&self) -> Option<Amount> {
        let [value, currency] = self.amount.as_slice() else {
            return None;
        };
        Some(Amount {
            value: value.clone(),
            currency: currency.clone(),
        })
    }
}

fn read_features(arguments: &ScoreArguments) -> anyhow::Result<HashMap<String, FeatureValue>> {
    let mut features = HashMap::new();
    if let Some(path) = &arguments.features {
        let mut text = String::new();
        if path.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text)?;
        } else {
            text = std::fs::read_to_string(path)
                .with_context(|| format!("read {}", path.display()))?;
        }
        let values: HashMap<String, serde_json::Value> =
            serde_json::from_str(&text).context("features must be one JSON object")?;
        for (name, value) in values {
            features.insert(name.clone(), from_json(&name, &value)?);
        }
    }
    for pair in &arguments.feature {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| CliError::Usage(format!("--feature {pair}: write NAME=VALUE")))?;
        let number = text.parse().map(Kind::Number);
        let kind = number.unwrap_or_else(|_| Kind::Category(text.to_owned()));
        features.insert(name.to_owned(), feature_value(Some(kind)));
    }
    Ok(features)
}

fn feature_value(kind: Option<Kind>) -> FeatureValue {
    FeatureValue {
        kind,
        ..FeatureValue::default()
    }
}

fn from_json(name: &str, value: &serde_json::Value) -> anyhow::Result<FeatureValue> {
    let kind = match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(Kind::Category(text.clone())),
        serde_json::Value::Number(number) => Some(Kind::Number(
            number.as_f64().context("a number that fits 64 bits")?,
        )),
        _ => {
            let message = format!("feature {name} must be a number, a text or null");
            return Err(CliError::Usage(message).into());
        }
    };
    Ok(feature_value(kind))
}

#[derive(Serialize)]
struct Replayed {
    replayed: usize,
    mismatches: Vec<String>,
}

async fn replay(
    clients: &mut Clients,
    format: Format,
    ids: &[String],
    sample_size: usize,
) -> anyhow::Result<()> {
    let ids = if ids.is_empty() {
        sample(clients, sample_size, &OsRandom).await?
    } else {
        ids.to_vec()
    };
    let mismatches = replay_all(clients, &ids).await?;
    let result = Replayed {
        replayed: ids.len(),
        mismatches,
    };
    print(format, &result, |result| {
        format!(
            "{} decisions computed again, {} with other bytes",
            result.replayed,
            result.mismatches.len()
        )
    })?;
    if result.mismatches.is_empty() {
        return Ok(());
    }
    let message = format!("other bytes: {}", result.mismatches.join(", "));
    Err(CliError::Verification(message).into())
}

/// Replays decisions and returns the ids of those that came out differently.
pub(crate) async fn replay_all(
    clients: &mut Clients,
    ids: &[String],
) -> anyhow::Result<Vec<String>> {
    let bar = progress::bar("replay", ids.len() as u64);
    let mut mismatches = Vec::new();
    for id in ids {
        let request = ReplayDecisionRequest {
            decision_id: id.clone(),
        };
        let response = clients
            .scoring
            .replay_decision(request)
            .await
            .map_err(CliError::from)?;
        let replay = response.into_inner();
        // The flag is the gateway's word; the bytes speak for themselves.
        if !replay.identical || replay.stored_record != replay.recomputed_record {
            mismatches.push(id.clone());
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(mismatches)
}

/// Writes records as lines, and shows progress.
async fn export(clients: &mut Clients, to: &Path, after: u64) -> anyhow::Result<()> {
    let file = File::create(to).with_context(|| format!("create {}", to.display()))?;
    let mut file = BufWriter::new(file);
    let written = records::each(clients, after, |record| {
        file.write_all(record)?;
        Ok(file.write_all(b"\n")?)
    });
    let written = written.await?;
    file.flush()?;
    eprintln!("{written} records written to {}", to.display());
    Ok(())
}

#[derive(Serialize)]
struct Listed {
    highest_index: u64,
    decisions: Vec<serde_json::Value>,
}

async fn list(clients: &mut Clients, format: Format, after: u64, limit: u32) -> anyhow::Result<()> {
    let request = ListDecisionsRequest {
        after_index: after,
        page_size: limit,
        ..ListDecisionsRequest::default()
    };
    let response = clients
        .scoring
        .list_decisions(request)
        .await
        .map_err(CliError::from)?
        .into_inner();
    let listed = Listed {
        highest_index: response.highest_index,
        decisions: response
            .decisions
            .iter()
            .map(document)
            .collect::<anyhow::Result<_>>()?,
    };
    print(format, &listed, |listed| {
        let rows = response.decisions.iter().map(row);
        let header = [
            "#index",
            "decision",
            "application",
            "decided",
            "outcome",
            "#score",
            "model",
        ];
        format!(
            "{}\nhighest index {}",
            table(&header, rows),
            listed.highest_index
        )
    })
}

fn row(decision: &Decision) -> Vec<String> {
    vec![
        decision.log_index.to_string(),
        decision.decision_id.clone(),
        decision.application_id.clone(),
        decision.decided_at.clone(),
        outcome(decision).to_owned(),
        decision.score.to_string(),
        decision.model.clone(),
    ]
}

fn summary_line(decision: &Decision) -> String {
    let reasons = decision
        .principal_reasons
        .iter()
        .map(|reason| format!("\n  {}", reason.text));
    format!(
        "{} {} with score {} by {} (index {}){}",
        decision.decision_id,
        outcome(decision),
        decision.score,
        decision.model,
        decision.log_index,
        reasons.collect::<String>(),
    )
}

/// The outcome in lower case.
pub(crate) fn outcome(decision: &Decision) -> &'static str {
    use fcs_proto::scoring::v1::Outcome;
    match decision.outcome() {
        Outcome::Approve => "approve",
        Outcome::Refer => "refer",
        Outcome::Deny => "deny",
        Outcome::Counteroffer => "counteroffer",
        Outcome::Incomplete => "incomplete",
        Outcome::Unspecified => "unspecified",
    }
}
