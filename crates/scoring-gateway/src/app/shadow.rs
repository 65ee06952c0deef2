//! Shadow arms: what another model would have decided, computed from the log, never on the way of a decision.
//!
//! A shadow arm is one more reader of the log. It sees a decision only after the decision is durable, so nothing that
//! happens to it (slow, dead, broken) can reach the live answer; and since the log has no gaps, it knows up to which
//! index it has looked at every sampled decision.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fcs_core::{ApiError, ErrorCode, TenantId};
use fcs_decision::cohort;
use fcs_decision::decision::{DecideError, decide, decide_incomplete};
use fcs_decision::features::Reading;
use fcs_decision::record::DecisionRecord;
use fcs_decision::shadow::{Comparison, DropReason, Side, context, sample_salt};
use fcs_service::grpc::Deadline;
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use super::decisions::{INDEX_MAX, page_limit};
use super::store_unavailable;
use super::traffic::ShadowArm;
use crate::metrics::{Metrics, ShadowLabels};
use crate::settings::ShadowSettings;
use crate::store::{
    DecisionStore, FeedEntry, Found, ShadowDecision, ShadowOutcome, ShadowProgress, ShadowStep,
    ShadowStore, StoreError, StoredDecision, Summary,
};

/// Entries of the log that one step looks at.
const STEP_ENTRIES: u32 = 500;
/// Decisions that one step scores at most, so that a step is short.
const STEP_SCORES: usize = 64;
/// How long an arm stays with its gateway after the last step; longer than the longest step.
const HOLD_TIME: Duration = Duration::from_mins(1);
/// Rows that a summary reads at a time.
const SUMMARY_ROWS: u32 = 5_000;

/// Scores for shadow arms and answers for what came of it.
pub struct Shadows {
    /// The decision log, to read.
    pub log: Arc<dyn DecisionStore>,
    /// Where results go.
    pub store: Arc<dyn ShadowStore>,
    /// Verified manifests, and a model server that is asked over connections of its own.
    pub catalog: Arc<Catalog>,
    /// Its limits.
    pub settings: ShadowSettings,
    /// Name of this process, made at its start.
    pub instance_id: String,
    /// The metrics.
    pub metrics: Metrics,
}

/// A page of results.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowPage {
    /// Ascending by log index.
    pub decisions: Vec<ShadowDecision>,
    /// Every sampled decision up to this index has its row.
    pub complete_up_to: u64,
}

/// An arm compared with the live decisions that it shadowed.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowSummary {
    /// The arm and its model.
    pub progress: ShadowProgress,
    /// Decisions after this index were looked at.
    pub after_index: u64,
    /// And up to this one.
    pub up_to_index: u64,
    /// What came of it.
    pub comparison: Comparison,
}

impl Shadows {
    /// Looks at what the log holds after the arm's position, until nothing is left, the arm is another gateway's, or
    /// the service stops.
    pub async fn turn(
        &self,
        salt: &str,
        arm: &ShadowArm,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        self.store.begin(arm).await?;
        while let Some(position) = self.store.hold(arm, &self.instance_id, HOLD_TIME).await? {
            let highest = self.log.highest_index().await?;
            let behind = highest.saturating_sub(position);
            self.metrics.set_shadow_backlog(&arm.name, behind);
            let entries = self.log.feed(position, STEP_ENTRIES).await?;
            if entries.is_empty() {
                break;
            }
            let late = behind > self.settings.backlog_max;
            let step = self.step(salt, arm, &entries, late);
            // What was not written is looked at again by whoever has the arm next.
            let Some(step) = stop.run_until_cancelled(step).await else {
                break;
            };
            let (to, rows) = step?;
            let written = ShadowStep {
                arm,
                from: position,
                to,
                rows: &rows,
            };
            if !self.store.advance(written).await? {
                break;
            }
            self.count(&rows);
        }
        Ok(())
    }

    /// The rows of the sampled entries, and the index of the last entry that they cover.
    async fn step(
        &self,
        salt: &str,
        arm: &ShadowArm,
        entries: &[FeedEntry],
        late: bool,
    ) -> Result<(u64, Vec<ShadowDecision>), StoreError> {
        let salt = sample_salt(salt, &arm.name);
        let is_sampled = |entry: &&FeedEntry| {
            let place = cohort::basis_point(&salt, &entry.summary.application_id);
            u32::from(place) < arm.sample_basis_points
        };
        let last = entries.last().map_or(0, |entry| entry.log_index);
        let mut sampled: Vec<&FeedEntry> = entries.iter().filter(is_sampled).collect();
        if late {
            let rows = sampled
                .into_iter()
                .map(|entry| dropped(arm, entry, DropReason::Backlog));
            return Ok((last, rows.collect()));
        }
        let to = sampled
            .get(STEP_SCORES)
            .map_or(last, |next| next.log_index - 1);
        sampled.truncate(STEP_SCORES);
        let calls: Vec<_> = sampled
            .into_iter()
            .map(|entry| self.row(arm, entry))
            .collect();
        let rows = futures::stream::iter(calls)
            .buffered(self.settings.concurrency)
            .collect::<Vec<_>>()
            .await;
        let rows = rows.into_iter().filter_map(Result::transpose);
        Ok((to, rows.collect::<Result<_, _>>()?))
    }

    /// `None` where the application was erased: it is in no sample any more.
    async fn row(
        &self,
        arm: &ShadowArm,
        entry: &FeedEntry,
    ) -> Result<Option<ShadowDecision>, StoreError> {
        let found = self.log.decision(&entry.tenant, entry.summary.decision_id);
        match found.await? {
            Some(Found::Kept(stored)) => Ok(Some(self.compared(arm, entry, &stored).await)),
            Some(Found::Erased(_)) => Ok(None),
            None => Ok(Some(dropped(arm, entry, DropReason::Failed))),
        }
    }

    async fn compared(
        &self,
        arm: &ShadowArm,
        entry: &FeedEntry,
        stored: &StoredDecision,
    ) -> ShadowDecision {
        let Ok(live) = DecisionRecord::from_bytes(&stored.record) else {
            tracing::error!(
                log.index = entry.log_index,
                "a record that a shadow arm reads is unreadable"
            );
            return dropped(arm, entry, DropReason::Failed);
        };
        let started = Instant::now();
        let result = self.decide(arm, &live).await;
        self.metrics
            .shadow_seconds
            .observe(started.elapsed().as_secs_f64());
        match result {
            Err(reason) => dropped(arm, entry, reason),
            Ok(side) => ShadowDecision {
                live: Side::of(&live),
                result: Ok(side),
                ..dropped(arm, entry, DropReason::Failed)
            },
        }
    }

    async fn decide(&self, arm: &ShadowArm, live: &DecisionRecord) -> Result<Side, DropReason> {
        let deadline = Deadline::after(self.settings.timeout());
        let drop_of = |error: &ApiError| drop_reason(error.code);
        let manifest = deadline.run(self.catalog.manifest(&arm.model)).await;
        let manifest = manifest.flatten().map_err(|error| drop_of(&error))?;
        let context = context(live, &arm.name);
        // The live record holds every feature of the live schema, missing ones too; the arm's model may know fewer.
        let mut inputs = live.inputs();
        inputs.retain(|name, _| {
            manifest
                .features
                .iter()
                .any(|feature| feature.name == *name)
        });
        let reading = manifest.read(&inputs, &context.application);
        let record = match reading.map_err(|_| DropReason::Inputs)? {
            Reading::Incomplete(row) => decide_incomplete(&manifest, &row, &context),
            Reading::Complete(row) => {
                let output = deadline
                    .run(self.catalog.score(&arm.model, row.values(), deadline))
                    .await;
                let output = output.flatten().map_err(|error| drop_of(&error))?;
                decide(&manifest, &row, &output, &context)
            }
        };
        record
            .map(|record| Side::of(&record))
            .map_err(|error| match error {
                DecideError::NoTexts(_) => DropReason::Inputs,
                _ => DropReason::Failed,
            })
    }

    fn count(&self, rows: &[ShadowDecision]) {
        for row in rows {
            let result = row
                .result
                .as_ref()
                .err()
                .map_or("scored", |reason| reason.as_str());
            let labels = ShadowLabels {
                arm: row.arm.clone(),
                result,
            };
            self.metrics.shadow_decisions.get_or_create(&labels).inc();
        }
    }

    /// One page of a tenant's results.
    pub async fn list(
        &self,
        tenant: &TenantId,
        arm: &str,
        after_index: u64,
        page_size: u32,
    ) -> Result<ShadowPage, ApiError> {
        let limit = page_limit(page_size)?;
        check_index(after_index)?;
        // Read before the rows, so that nothing is missing up to it.
        let complete_up_to = self.progress(arm).await?.position;
        let decisions = self
            .store
            .shadow_page(tenant, arm, after_index, limit)
            .await;
        Ok(ShadowPage {
            decisions: decisions.map_err(store_unavailable)?,
            complete_up_to,
        })
    }

    /// How far each of these arms is; without those that have not begun with their present model.
    pub async fn all_progress(
        &self,
        arms: &[ShadowArm],
    ) -> Result<Vec<(String, ShadowProgress)>, ApiError> {
        let mut begun = Vec::with_capacity(arms.len());
        for arm in arms {
            let progress = self.store.progress(&arm.name).await;
            let progress = progress.map_err(store_unavailable)?;
            let present = progress.filter(|it| it.since_generation == arm.since_generation);
            begun.extend(present.map(|progress| (arm.name.clone(), progress)));
        }
        Ok(begun)
    }

    /// One page of the outcomes of an arm's present model, and up to which index none is missing.
    pub async fn outcomes(
        &self,
        arm: &str,
        since_generation: u64,
        after_index: u64,
        page_size: u32,
    ) -> Result<(Vec<ShadowOutcome>, u64), ApiError> {
        let limit = page_limit(page_size)?;
        check_index(after_index)?;
        // Read before the rows, so that nothing is missing up to its position.
        let progress = self.progress(arm).await?;
        if progress.since_generation != since_generation {
            let message = format!(
                "the arm {arm} has begun anew with the table of generation {}; list the arms again",
                progress.since_generation
            );
            let code = ErrorCode::FailedPrecondition;
            return Err(ApiError::new(code, "SHADOW_ARM_CHANGED", message));
        }
        let page = self
            .store
            .outcome_page(arm, &progress, after_index, limit)
            .await;
        let page = page.map_err(store_unavailable)?;
        let is_full = page.len() >= limit as usize;
        let up_to = match page.last() {
            Some(last) if is_full => last.log_index,
            _ => progress.position.max(after_index),
        };
        Ok((page, up_to))
    }

    /// Compares an arm's present model with the live decisions in a range of the log. `up_to_index` 0 means all.
    pub async fn summarise(
        &self,
        tenant: &TenantId,
        arm: &str,
        (after_index, up_to_index): (u64, u64),
        deadline: Deadline,
    ) -> Result<ShadowSummary, ApiError> {
        check_index(after_index)?;
        let progress = self.progress(arm).await?;
        let after_index = after_index.max(progress.after_index);
        let up_to_index = match up_to_index {
            0 => progress.position,
            index => index.min(progress.position),
        };
        let mut comparison = Comparison::default();
        let mut position = after_index;
        while position < up_to_index {
            let page = self.store.shadow_page(tenant, arm, position, SUMMARY_ROWS);
            let page = deadline.run(page).await.map_err(|_| too_long())?;
            let page = page.map_err(store_unavailable)?;
            let within = page.iter().filter(|row| row.log_index <= up_to_index);
            within.for_each(|row| comparison.add(&row.live, &row.result));
            position = page.last().map_or(up_to_index, |row| row.log_index);
        }
        Ok(ShadowSummary {
            progress,
            after_index,
            up_to_index,
            comparison,
        })
    }

    async fn progress(&self, arm: &str) -> Result<ShadowProgress, ApiError> {
        let progress = self.store.progress(arm).await.map_err(store_unavailable)?;
        progress.ok_or_else(|| {
            let message =
                "there is no shadow arm with this name; the traffic table names those in force";
            ApiError::not_found("SHADOW_ARM_NOT_FOUND", message)
        })
    }
}

fn dropped(arm: &ShadowArm, entry: &FeedEntry, reason: DropReason) -> ShadowDecision {
    let Summary {
        outcome,
        score,
        probability,
        model,
        arm: live_arm,
        record_digest,
        ..
    } = entry.summary.clone();
    ShadowDecision {
        log_index: entry.log_index,
        tenant: entry.tenant.clone(),
        arm: arm.name.clone(),
        model: arm.model.version.clone(),
        live_arm,
        live: Side {
            model,
            outcome,
            score,
            probability,
            reason_codes: Vec::new(),
            record_digest,
        },
        result: Err(reason),
    }
}

fn drop_reason(code: ErrorCode) -> DropReason {
    match code {
        ErrorCode::DeadlineExceeded => DropReason::Deadline,
        ErrorCode::Internal | ErrorCode::InvalidArgument => DropReason::Failed,
        _ => DropReason::Unavailable,
    }
}

fn check_index(after_index: u64) -> Result<(), ApiError> {
    if after_index <= INDEX_MAX {
        return Ok(());
    }
    let message = format!("after_index is at most {INDEX_MAX}");
    Err(ApiError::invalid("AFTER_INDEX_INVALID", message, vec![]))
}

fn too_long() -> ApiError {
    let message = "so many decisions take longer than a request may; ask for fewer with after_index and up_to_index";
    ApiError::new(ErrorCode::DeadlineExceeded, "RANGE_TOO_LONG", message)
}
