//! Past decisions: read, listed and computed again.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{
    ApiError, ApplicationId, DecisionId, ErrorCode, ModelVersion, TenantId, redacted_debug,
};
use fcs_decision::decision::{decide, decide_incomplete};
use fcs_decision::features::Reading;
use fcs_decision::manifest::Manifest;
use fcs_decision::record::DecisionRecord;
use fcs_service::admission::Class;
use fcs_service::grpc::Deadline;
use fcs_service::problem::internal;

use super::traffic::PinnedModel;
use super::{App, store_unavailable};
use crate::metrics::ReplayLabels;
use crate::store::{Found, StoredDecision};

redacted_debug!(Replay);

/// Decisions of one page when the caller does not say.
pub const PAGE_SIZE_DEFAULT: u32 = 100;
/// Decisions of one page at most.
pub const PAGE_SIZE_MAX: u32 = 1_000;
/// How long a replay may take: its model may have to be verified and loaded first.
pub const REPLAY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the records of one page at most, so that an answer stays below the 4 MiB that gRPC clients accept. Each
/// record travels with its most important fields spelled out beside it.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Largest index that the stores hold.
pub(super) const INDEX_MAX: u64 = i64::MAX.cast_unsigned();

/// One page of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Ascending by index; may be shorter than asked for while there are more.
    pub decisions: Vec<Found>,
    /// Highest index of the tenant's decisions.
    pub highest_index: u64,
    /// Opens the next page; `None` on the last one.
    pub next_page_token: Option<String>,
}

/// Which decisions to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageQuery {
    /// Only this application's.
    pub application_id: Option<ApplicationId>,
    /// Only those with a greater index.
    pub after_index: u64,
    /// 1 to 1,000; 0 means 100.
    pub page_size: u32,
    /// The token of the page before; empty for the first page.
    pub page_token: String,
}

/// A decision beside the same decision computed again.
#[derive(Clone, PartialEq, Eq)]
pub struct Replay {
    /// The record in the log.
    pub stored: Arc<[u8]>,
    /// The record computed from the stored inputs and the package of its model.
    pub recomputed: Vec<u8>,
}

impl Replay {
    /// Whether both are the same bytes.
    pub fn is_identical(&self) -> bool {
        self.stored[..] == self.recomputed[..]
    }
}

impl App {
    /// One decision of a tenant.
    pub async fn decision(
        &self,
        tenant: &TenantId,
        id: DecisionId,
    ) -> Result<StoredDecision, ApiError> {
        let _place = self.admission.enter(Class::Read).await?;
        self.find(tenant, id).await
    }

    /// The same, for those who have a place already.
    async fn find(&self, tenant: &TenantId, id: DecisionId) -> Result<StoredDecision, ApiError> {
        let stored = self
            .store
            .decision(tenant, id)
            .await
            .map_err(store_unavailable)?;
        kept(stored.ok_or_else(|| {
            ApiError::not_found("DECISION_NOT_FOUND", format!("there is no decision {id}"))
        })?)
    }

    /// The latest decision on an application.
    pub async fn latest_decision(
        &self,
        tenant: &TenantId,
        id: &ApplicationId,
    ) -> Result<StoredDecision, ApiError> {
        let _place = self.admission.enter(Class::Read).await?;
        let latest = self
            .store
            .latest(tenant, id)
            .await
            .map_err(store_unavailable)?;
        kept(latest.ok_or_else(|| {
            ApiError::not_found(
                "DECISION_NOT_FOUND",
                "there is no decision on this application",
            )
        })?)
    }

    /// One page of a tenant's decisions in the order of their index.
    pub async fn list_decisions(
        &self,
        tenant: &TenantId,
        query: &PageQuery,
    ) -> Result<Page, ApiError> {
        let limit = page_limit(query.page_size)?;
        let _place = self.admission.enter(Class::Read).await?;
        let after_index = self.start_of(tenant, query)?;
        // One more than asked for tells whether there is a next page.
        let page = match &query.application_id {
            None => self.store.page(tenant, after_index, limit + 1).await,
            Some(id) => self.store.page_of(tenant, id, after_index, limit + 1).await,
        };
        let found = page.map_err(store_unavailable)?;
        let (found_count, mut decisions) = (found.len(), within_bytes(found));
        decisions.truncate(limit as usize);
        let next_page_token = match decisions.last() {
            Some(last) if decisions.len() < found_count => Some(
                self.page_tokens
                    .seal(&list_name(tenant, query), last.log_index()),
            ),
            _ => None,
        };
        let highest_index = self
            .store
            .highest_index_of(tenant)
            .await
            .map_err(store_unavailable)?;
        Ok(Page {
            decisions,
            highest_index,
            next_page_token,
        })
    }

    /// The index that a page begins after.
    fn start_of(&self, tenant: &TenantId, query: &PageQuery) -> Result<u64, ApiError> {
        match query.page_token.as_str() {
            "" if query.after_index > INDEX_MAX => {
                let message = format!("after_index is at most {INDEX_MAX}");
                Err(ApiError::invalid("AFTER_INDEX_INVALID", message, vec![]))
            }
            "" => Ok(query.after_index),
            token if query.after_index == 0 => {
                self.page_tokens.open(&list_name(tenant, query), token)
            }
            _ => {
                let message = "a page begins after an index or at a page token; give one of them";
                Err(ApiError::invalid("PAGE_TOKEN_INVALID", message, vec![]))
            }
        }
    }

    /// The record of a decision.
    pub(super) async fn record(
        &self,
        tenant: &TenantId,
        id: DecisionId,
    ) -> Result<DecisionRecord, ApiError> {
        let stored = self.decision(tenant, id).await?;
        DecisionRecord::from_bytes(&stored.record)
            .map_err(|error| internal("RECORD_UNREADABLE", error))
    }

    /// The manifest that a decision was made with.
    pub(super) async fn manifest_of(
        &self,
        record: &DecisionRecord,
    ) -> Result<Arc<Manifest>, ApiError> {
        self.catalog.manifest(&model_of(record)?).await
    }

    /// Computes a decision again from its record and the package of its model.
    pub async fn replay(
        &self,
        tenant: &TenantId,
        id: DecisionId,
        deadline: Deadline,
    ) -> Result<Replay, ApiError> {
        let _place = self.admission.enter(Class::Read).await?;
        let stored = self.find(tenant, id).await?.record;
        let record = DecisionRecord::from_bytes(&stored)
            .map_err(|error| internal("RECORD_UNREADABLE", error))?;
        let recomputed = self
            .recompute(&record, deadline)
            .await?
            .to_canonical_bytes();
        let replay = Replay { stored, recomputed };
        self.metrics
            .replays
            .get_or_create(&ReplayLabels::of(replay.is_identical()))
            .inc();
        Ok(replay)
    }

    async fn recompute(
        &self,
        record: &DecisionRecord,
        deadline: Deadline,
    ) -> Result<DecisionRecord, ApiError> {
        let model = model_of(record)?;
        let manifest = deadline.run(self.catalog.manifest(&model)).await??;
        let context = record.context();
        let reading = manifest.read(&record.inputs(), &context.application);
        let reading = reading.map_err(|violations| {
            let count = violations.len();
            internal(
                "REPLAY_FAILED",
                anyhow::anyhow!("the record breaks {count} rules of its manifest"),
            )
        })?;
        let row = match reading {
            Reading::Complete(row) => row,
            Reading::Incomplete(row) => {
                return decide_incomplete(&manifest, &row, &context)
                    .map_err(|error| internal("REPLAY_FAILED", error));
            }
        };
        let output = deadline
            .run(self.catalog.score(&model, row.values(), deadline))
            .await??;
        decide(&manifest, &row, &output, &context).map_err(|error| internal("REPLAY_FAILED", error))
    }
}

/// The rows of a page whose size a caller gave; 0 means the default.
pub(super) fn page_limit(page_size: u32) -> Result<u32, ApiError> {
    match page_size {
        0 => Ok(PAGE_SIZE_DEFAULT),
        1..=PAGE_SIZE_MAX => Ok(page_size),
        _ => {
            let message = format!("page_size is {page_size}; ask for 1 to {PAGE_SIZE_MAX}");
            Err(ApiError::invalid("PAGE_SIZE_INVALID", message, vec![]))
        }
    }
}

fn model_of(record: &DecisionRecord) -> Result<PinnedModel, ApiError> {
    let version = ModelVersion::new(&record.model.name, &record.model.version)
        .map_err(|error| internal("RECORD_UNREADABLE", error))?;
    Ok(PinnedModel {
        version,
        manifest_digest: record.model.manifest_digest,
    })
}

/// The list that a page token belongs to. No tenant's name has a slash.
fn list_name(tenant: &TenantId, query: &PageQuery) -> String {
    let application = query.application_id.as_ref();
    format!("{tenant}/{}", application.map_or("", ApplicationId::as_str))
}

/// The head of a page whose records fit the limit; at least one.
fn within_bytes(mut page: Vec<Found>) -> Vec<Found> {
    let mut bytes = 0;
    let fitting = page
        .iter()
        .take_while(|found| {
            bytes += found.kept().map_or(0, |decision| decision.record.len());
            bytes <= PAGE_BYTES_MAX
        })
        .count();
    page.truncate(fitting.max(1));
    page
}

/// The decision, unless it was erased.
pub(super) fn kept(found: Found) -> Result<StoredDecision, ApiError> {
    match found {
        Found::Kept(decision) => Ok(decision),
        Found::Erased(tombstone) => {
            let message = format!(
                "decision {} was erased on {}",
                tombstone.decision_id,
                tombstone.erased_at.date()
            );
            Err(ApiError::new(ErrorCode::Gone, "DECISION_ERASED", message))
        }
    }
}

/// The error of a request about an application that was erased: nothing is written about it any more.
pub(crate) fn erased_application() -> ApiError {
    let message =
        "this application was erased; a new application needs an application_id of its own";
    ApiError::new(ErrorCode::Gone, "APPLICATION_ERASED", message)
}

#[cfg(test)]
mod tests {
    use fcs_decision::record::record_digest;

    use super::*;

    fn decision(record: &[u8]) -> Found {
        Found::Kept(StoredDecision {
            log_index: 7,
            record: record.into(),
            record_digest: record_digest(record),
        })
    }

    #[test]
    fn a_page_is_cut_where_it_would_grow_too_large() {
        let large = decision(&vec![b' '; PAGE_BYTES_MAX / 2]);
        assert_eq!(within_bytes(vec![large.clone(); 3]).len(), 2);
        let huge = decision(&vec![b' '; PAGE_BYTES_MAX + 1]);
        assert_eq!(
            within_bytes(vec![huge]).len(),
            1,
            "a reader always gets further"
        );
    }
}
