//! Driving a fresh system from the first deployment to the last proof.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fcs_decision::manifest::Manifest;
use fcs_decision::record::DecisionRecord;
use fcs_proto::deployment::v1::{
    Change, DeploymentState, GetCheckpointRequest, ListDeploymentsRequest,
    RegisterDeploymentRequest,
};
use fcs_proto::monitoring::v1::{
    GetGroupReportRequest, GetGroupReportResponse, GetStatusRequest, RecordDemographicsRequest,
    RecordOutcomesRequest,
};
use fcs_proto::scoring::v1::{DecidedBy, Decision, ListDecisionsRequest, Outcome, PrincipalReason};
use fcs_service::OsRandom;
use tokio::time::sleep;

use crate::client::Clients;
use crate::commands::decision::{document, replay_all};
use crate::commands::deployment::{activate, approve, register};
use crate::demo::data;
use crate::demo::load::{Answer, Measured, score_all};
use crate::demo::summary::{Audit, Examples, Latency, Outcomes, Summary, calibration, fairness};
use crate::exit::CliError;
use crate::progress;
use crate::sample::sample_decisions;
use crate::trust::of_key;
use crate::verify::{prove_decision, verify_log, verify_proof};

/// Decisions computed again, and decisions whose proofs are checked.
const SAMPLE_SIZE: usize = 50;
/// Items of one demographics or outcomes request.
const CHUNK: usize = 500;
const PAGE: u32 = 1_000;
const CATCH_UP_LIMIT: Duration = Duration::from_mins(1);

/// What the demo needs.
pub(crate) struct Drive {
    /// Clients of the system.
    pub(crate) clients: Clients,
    /// Folder of applications, demographics and outcomes.
    pub(crate) data: PathBuf,
    /// Applications in flight at the same time.
    pub(crate) concurrency: u16,
    /// Manifest of the model.
    pub(crate) manifest: Manifest,
    /// When the command started.
    pub(crate) start: Instant,
}

/// The summary with an example of each kind.
pub(crate) struct Report {
    /// Numbers.
    pub(crate) summary: Summary,
    /// A denied decision.
    pub(crate) denied: Option<(Decision, DecisionRecord)>,
    /// An approved decision.
    pub(crate) approved: Option<(Decision, DecisionRecord)>,
}

impl Report {
    /// An error when anything is not as the system promises.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        let faults = self.summary.faults();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(CliError::Verification(faults.join("; ")).into())
        }
    }
}

impl Drive {
    /// Does everything in order.
    pub(crate) async fn run(mut self) -> anyhow::Result<Report> {
        self.deploy().await?;
        let measured = self.score().await?;
        self.send_demographics().await?;
        let decisions = self.read_log().await?;
        self.send_outcomes(&decisions).await?;
        let highest_index = decisions.last().map_or(0, |decision| decision.log_index);
        let report = self.wait_for_monitor(highest_index).await?;
        self.wait_for_audit(highest_index).await?;
        let sampled = sample_decisions(&mut self.clients, SAMPLE_SIZE, &OsRandom).await?;
        let ids: Vec<String> = sampled.iter().map(|it| it.decision_id.clone()).collect();
        let mismatches = replay_all(&mut self.clients, &ids).await?;
        let audit = self.verify(&sampled).await?;
        let [approved, denied] =
            [Outcome::Approve, Outcome::Deny].map(|it| example(&decisions, it));
        let (approved, denied) = (approved?, denied?);
        let counts = Counts::of(&decisions, &self.manifest);
        let summary = Summary {
            model: self.manifest.model_version().to_string(),
            decisions: decisions.len() as u64,
            highest_index,
            answers: measured.answers.len() as u64,
            lost_answers: lost_answers(&measured.answers, &decisions),
            denials_with_reasons: counts.denials_with_reasons,
            approvals_without_reasons: counts.approvals_without_reasons,
            outcomes: counts.outcomes,
            reasons: counts.reasons,
            replayed: ids.len() as u64,
            replay_mismatches: mismatches.len() as u64,
            fairness: fairness(&report),
            calibration: calibration(&report),
            audit,
            throughput_per_second: measured.throughput_per_second(),
            concurrency: self.concurrency,
            first_explained_decision_s: measured.first_decision_s,
            latency_ms: Latency::of(measured.latencies_ms),
            examples: Examples {
                approved: approved.as_ref().map(|(it, _)| document(it)).transpose()?,
                denied: denied.as_ref().map(|(it, _)| document(it)).transpose()?,
            },
        };
        Ok(Report {
            summary,
            denied,
            approved,
        })
    }

    /// Registers, approves and activates the model, each step by another person.
    async fn deploy(&mut self) -> anyhow::Result<()> {
        let model = self.manifest.model_version().to_string();
        if self.is_active(&model).await? {
            return Ok(());
        }
        let change = Change {
            model: model.clone(),
            manifest_digest: self.manifest.digest().to_string(),
            git_commit: git_commit().await,
            author: "ana.author".into(),
            description: format!("Put {model} into traffic for the demonstration"),
        };
        let request = RegisterDeploymentRequest {
            actor: "rita.requester".into(),
            environment: "development".into(),
            change: Some(change),
        };
        let deployment = register(&mut self.clients, request)
            .await?
            .context("a registered deployment")?;
        let id = &deployment.deployment_id;
        approve(
            &mut self.clients,
            id,
            "paul.approver",
            "golden rows and model card read",
        )
        .await?;
        activate(&mut self.clients, id, "olga.operator").await?;
        eprintln!("{model} registered, approved and activated ({id})");
        Ok(())
    }

    /// A second run in the same folder finds the model in traffic and its decisions made.
    async fn is_active(&mut self, model: &str) -> anyhow::Result<bool> {
        let request = ListDeploymentsRequest { page_size: PAGE };
        let response = self
            .clients
            .deployment
            .list_deployments(request)
            .await
            .map_err(CliError::from)?;
        Ok(response.into_inner().deployments.iter().any(|deployment| {
            deployment.state() == DeploymentState::Active
                && deployment
                    .change
                    .as_ref()
                    .is_some_and(|change| change.model == model)
        }))
    }

    async fn score(&mut self) -> anyhow::Result<Measured> {
        let applications = data::applications(&self.data, &self.manifest)?;
        let name = self.manifest.model_version().name().to_owned();
        score_all(
            &self.clients.scoring,
            applications,
            &name,
            self.concurrency,
            self.start,
        )
        .await
    }

    async fn send_demographics(&mut self) -> anyhow::Result<()> {
        let items = data::demographics(&self.data)?;
        let bar = progress::bar("demographics", items.len() as u64);
        for chunk in items.chunks(CHUNK) {
            let request = RecordDemographicsRequest {
                items: chunk.to_vec(),
            };
            self.clients
                .monitoring
                .record_demographics(request)
                .await
                .map_err(CliError::from)?;
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Only approved credit has an outcome.
    async fn send_outcomes(&mut self, decisions: &[Decision]) -> anyhow::Result<()> {
        let approved: HashSet<&str> = decisions
            .iter()
            .filter(|decision| decision.outcome() == Outcome::Approve)
            .map(|decision| decision.application_id.as_str())
            .collect();
        let mut items = data::outcomes(&self.data)?;
        items.retain(|event| approved.contains(event.application_id.as_str()));
        let bar = progress::bar("outcomes", items.len() as u64);
        for chunk in items.chunks(CHUNK) {
            let request = RecordOutcomesRequest {
                items: chunk.to_vec(),
            };
            self.clients
                .monitoring
                .record_outcomes(request)
                .await
                .map_err(CliError::from)?;
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The whole log, which must have no gap.
    async fn read_log(&mut self) -> anyhow::Result<Vec<Decision>> {
        let mut decisions: Vec<Decision> = Vec::new();
        loop {
            let after_index = decisions.len() as u64;
            let request = ListDecisionsRequest {
                after_index,
                page_size: PAGE,
                ..ListDecisionsRequest::default()
            };
            let response = self.clients.scoring.list_decisions(request).await;
            let page = response.map_err(CliError::from)?.into_inner();
            if page.decisions.is_empty() {
                ensure!(after_index == page.highest_index, "the log has a gap");
                return Ok(decisions);
            }
            for decision in page.decisions {
                ensure!(
                    decision.log_index == decisions.len() as u64 + 1,
                    CliError::Verification(format!(
                        "the log has a gap before {}",
                        decision.log_index
                    ))
                );
                decisions.push(decision);
            }
        }
    }

    async fn wait_for_monitor(&mut self, index: u64) -> anyhow::Result<GetGroupReportResponse> {
        let start = Instant::now();
        loop {
            let status = self
                .clients
                .monitoring
                .get_status(GetStatusRequest {})
                .await;
            let last_index = status.map_err(CliError::from)?.into_inner().last_index;
            if last_index >= index {
                break;
            }
            catching_up("bias-monitor", start, last_index, index).await?;
        }
        let request = GetGroupReportRequest::default();
        let report = self.clients.monitoring.get_group_report(request).await;
        Ok(report.map_err(CliError::from)?.into_inner())
    }

    async fn wait_for_audit(&mut self, index: u64) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let checkpoint = self
                .clients
                .audit
                .get_checkpoint(GetCheckpointRequest {})
                .await;
            let last_index = checkpoint
                .map_err(CliError::from)?
                .into_inner()
                .last_decision_index;
            if last_index >= index {
                return Ok(());
            }
            catching_up("deployment-audit", start, last_index, index).await?;
        }
    }

    async fn verify(&mut self, sampled: &[Decision]) -> anyhow::Result<Audit> {
        let log = verify_log(&mut self.clients, None).await?;
        let policy = of_key(&log.verifier_key)?;
        for decision in sampled {
            verify_proof(
                &prove_decision(&mut self.clients, decision).await?,
                None,
                &policy,
            )?;
        }
        Ok(Audit {
            size: log.size,
            last_decision_index: log.last_decision_index,
            checkpoint_verified: true,
            decisions_proved: sampled.len() as u64,
            checkpoint: log.checkpoint,
        })
    }
}

async fn catching_up(who: &str, start: Instant, last: u64, index: u64) -> Result<(), CliError> {
    if start.elapsed() > CATCH_UP_LIMIT {
        let message = format!(
            "{who} read {last} of {index} decisions within {CATCH_UP_LIMIT:?}; look at its log"
        );
        return Err(CliError::Timeout(message));
    }
    sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// The commit of the working tree, or zeros outside of one.
async fn git_commit() -> String {
    let output = tokio::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .await;
    output
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "0".repeat(40), |commit| commit.trim().to_owned())
}

fn example(
    decisions: &[Decision],
    outcome: Outcome,
) -> anyhow::Result<Option<(Decision, DecisionRecord)>> {
    // A denial by score shows more than one by a knock-out rule.
    let reasons = |decision: &&Decision| decision.principal_reasons.len();
    let chosen = decisions
        .iter()
        .filter(|it| it.outcome() == outcome)
        .max_by_key(reasons);
    let with_record = |decision: &Decision| {
        Ok((
            decision.clone(),
            DecisionRecord::from_bytes(&decision.record)?,
        ))
    };
    chosen.map(with_record).transpose()
}

#[derive(Default)]
struct Counts {
    outcomes: Outcomes,
    reasons: std::collections::BTreeMap<String, u64>,
    denials_with_reasons: u64,
    approvals_without_reasons: u64,
}

impl Counts {
    fn of(decisions: &[Decision], manifest: &Manifest) -> Self {
        let mut counts = Self::default();
        for decision in decisions {
            let reasons = &decision.principal_reasons;
            match decision.outcome() {
                Outcome::Approve => {
                    counts.outcomes.approve += 1;
                    counts.approvals_without_reasons += u64::from(reasons.is_empty());
                }
                Outcome::Deny => {
                    counts.outcomes.deny += 1;
                    counts.denials_with_reasons += u64::from(has_reasons(decision, manifest));
                    for reason in reasons {
                        *counts.reasons.entry(reason.code.clone()).or_default() += 1;
                    }
                }
                Outcome::Refer => counts.outcomes.refer += 1,
                // The packages of the demo have no rules that lead to these.
                Outcome::Counteroffer | Outcome::Incomplete | Outcome::Unspecified => {}
            }
        }
        counts
    }
}

/// One to four reasons, each from the package's map, about scored features, and adverse: a knock-out rule,
/// or a contribution towards the adverse outcome.
fn has_reasons(decision: &Decision, manifest: &Manifest) -> bool {
    let knocked_out = decision.decided_by() == DecidedBy::KnockOut;
    let is_scored = |name: &String| {
        manifest
            .features
            .iter()
            .any(|feature| feature.name == *name)
    };
    let is_good = |reason: &PrincipalReason| {
        manifest
            .reason(&reason.code)
            .is_some_and(|entry| entry.text == reason.text)
            && !reason.features.is_empty()
            && reason.features.iter().all(is_scored)
            && (knocked_out || reason.contribution > 0.0)
    };
    let reasons = &decision.principal_reasons;
    (1..=4).contains(&reasons.len()) && reasons.iter().all(is_good)
}

/// Answers that the log does not hold as they were given.
fn lost_answers(answers: &[Answer], decisions: &[Decision]) -> u64 {
    let held = |answer: &&Answer| {
        let position = usize::try_from(answer.log_index).unwrap_or(usize::MAX);
        let entry = position
            .checked_sub(1)
            .and_then(|position| decisions.get(position));
        entry.is_some_and(|decision| decision.record_digest == answer.record_digest)
    };
    let different: HashSet<u64> = answers.iter().map(|answer| answer.log_index).collect();
    let doubled = answers.len() - different.len();
    (answers.iter().filter(|answer| !held(answer)).count() + doubled) as u64
}
