//! The usual batch on PostgreSQL: new keys of new applications, written and committed by one statement.
//!
//! Whether keys are new is not asked first. When one is not, a primary key refuses the statement, nothing of it is left,
//! and the batch goes the long way, statement by statement; so it does while keys stand in the clear. The statement is a
//! transaction of its own: the log's head is locked until its commit, so that indices have no gap, and the answer ends
//! only after the commit.

use sqlx::error::DatabaseError;
use sqlx::{PgConnection, Row as _};

use super::PostgresStore;
use crate::store::columns::{bins_place, bins_to_bytes, record_place};
use crate::store::place::{BlindClaim, WantedKey, fresh_keys, stands};
use crate::store::sql::{to_i64, to_u64, unknown};
use crate::store::{AppendError, Appended, Draft};

const APPEND: &str = "\
WITH tenant AS MATERIALIZED (SELECT set_config('app.tenant', '*', true)), \
head AS (UPDATE log_head SET last_index = last_index + $1 FROM tenant \
    WHERE id = 1 AND NOT keys_in_the_clear RETURNING last_index - $1 AS last_index), \
new_keys AS (INSERT INTO applicant_keys (tenant, applicant, kek_id, wrapped_key, application_id, retain_until) \
    SELECT k.* FROM head, UNNEST($2::TEXT[], $3::BYTEA[], $4::TEXT[], $5::BYTEA[], $6::BYTEA[], $7::TEXT[]) AS k), \
new_decisions AS (INSERT INTO decisions (log_index, tenant, decision_id, application_id, decided_at, outcome, score, \
        probability, model, arm, record, record_digest, applicant, bins) \
    SELECT head.last_index + d.place, d.tenant, d.decision_id, '', d.decided_at, d.outcome, d.score, d.probability, \
        d.model, d.arm, d.record, d.record_digest, d.applicant, d.bins \
    FROM head, UNNEST($8::TEXT[], $9::TEXT[], $10::BIGINT[], $11::TEXT[], $12::INTEGER[], $13::DOUBLE PRECISION[], \
        $14::TEXT[], $15::TEXT[], $16::BYTEA[], $17::BYTEA[], $18::BYTEA[], $19::BYTEA[]) WITH ORDINALITY AS d (tenant, \
        decision_id, decided_at, outcome, score, probability, model, arm, record, record_digest, applicant, bins, place)), \
new_claims AS (INSERT INTO idempotency (tenant, client, key, fingerprint, decision_id, log_index, created_at, \
        in_the_clear) \
    SELECT c.tenant, c.client, c.key, c.fingerprint, c.decision_id, head.last_index + c.place, c.created_at, FALSE \
    FROM head, UNNEST($8::TEXT[], $20::TEXT[], $21::TEXT[], $22::BYTEA[], $9::TEXT[], $10::BIGINT[]) \
        WITH ORDINALITY AS c (tenant, client, key, fingerprint, decision_id, created_at, place)) \
SELECT last_index FROM head";

/// What `unique_violation` is called in SQLSTATE.
const UNIQUE_VIOLATION: &str = "23505";

impl PostgresStore {
    /// Writes a batch in which everything is new; `None` when something is not, and then nothing was written.
    pub(in crate::store) async fn append_new(
        &self,
        connection: &mut PgConnection,
        drafts: &[Draft],
    ) -> Result<Option<Vec<Appended>>, AppendError> {
        let batch = NewBatch::of(drafts, self);
        let mut first = None;
        let statement = async {
            let rows = batch.statement().fetch_all(connection).await?;
            let last: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?;
            first = last.map(|last| last + 1);
            Ok::<_, sqlx::Error>(())
        };
        let written = self.commits.confirm(statement).await;
        match (written, first) {
            (Ok(()), Some(first)) => {
                let first = to_u64(first).map_err(unknown)?;
                let placed = (first..).zip(drafts);
                Ok(Some(
                    placed
                        .map(|(index, draft)| stands(index, draft, &draft.claim))
                        .collect(),
                ))
            }
            (Ok(()), None) => Ok(None),
            (Err(error), _) if is_taken(&*error) => Ok(None),
            (Err(error), _) => Err(unknown(error)),
        }
    }
}

fn is_taken(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error)
        .and_then(DatabaseError::code)
        .is_some_and(|code| code == UNIQUE_VIOLATION)
}

/// The columns of the rows that a batch becomes, each as long as the batch has rows of its table.
#[derive(Default)]
struct NewBatch<'a> {
    key_tenants: Vec<String>,
    key_applicants: Vec<Vec<u8>>,
    kek_ids: Vec<String>,
    wrapped_keys: Vec<Vec<u8>>,
    application_ids: Vec<Vec<u8>>,
    retain_until: Vec<String>,
    tenants: Vec<&'a str>,
    decision_ids: Vec<String>,
    decided_at: Vec<i64>,
    outcomes: Vec<&'static str>,
    scores: Vec<i32>,
    probabilities: Vec<f64>,
    models: Vec<String>,
    arms: Vec<&'a str>,
    records: Vec<Vec<u8>>,
    record_digests: Vec<&'a [u8]>,
    applicants: Vec<Vec<u8>>,
    bins: Vec<Vec<u8>>,
    clients: Vec<&'a str>,
    request_keys: Vec<String>,
    fingerprints: Vec<Vec<u8>>,
}

impl<'a> NewBatch<'a> {
    fn of(drafts: &'a [Draft], store: &PostgresStore) -> Self {
        let vault = &store.vault;
        let keys = fresh_keys(drafts.iter().map(WantedKey::of), vault);
        let mut batch = Self::default();
        for (applicant, (key, retain_until)) in &keys {
            batch.key_tenants.push(applicant.tenant.to_string());
            batch
                .key_applicants
                .push(applicant.index.as_bytes().to_vec());
            batch.kek_ids.push(key.wrapped.kek_id.clone());
            batch.wrapped_keys.push(key.wrapped.bytes.clone());
            batch.application_ids.push(key.application_id.clone());
            batch.retain_until.push(retain_until.to_string());
        }
        for draft in drafts {
            let Draft { claim, summary, .. } = draft;
            let applicant = vault.applicant(&claim.tenant, &summary.application_id);
            let decision_id = summary.decision_id.to_string();
            let row = [decision_id.as_bytes()];
            let key = &keys[&applicant].0.key;
            let record = key.seal(&record_place(&row), &draft.record);
            let bins = key.seal(&bins_place(&row), &bins_to_bytes(&summary.bins));
            let blind = BlindClaim::of(claim, vault);
            batch.tenants.push(claim.tenant.as_str());
            batch.decided_at.push(summary.decided_at.0);
            batch.outcomes.push(summary.outcome.as_str());
            batch.scores.push(summary.score);
            batch.probabilities.push(summary.probability);
            batch.models.push(summary.model.to_string());
            batch.arms.push(&summary.arm);
            batch.records.push(record);
            batch.bins.push(bins);
            batch.record_digests.push(summary.record_digest.as_bytes());
            batch.applicants.push(applicant.index.as_bytes().to_vec());
            batch.clients.push(&claim.client);
            batch.request_keys.push(blind.key);
            batch
                .fingerprints
                .push(blind.fingerprint.as_bytes().to_vec());
            batch.decision_ids.push(decision_id);
        }
        batch
    }

    fn statement(&self) -> sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(APPEND)
            .bind(to_i64(self.tenants.len() as u64))
            .bind(&self.key_tenants)
            .bind(&self.key_applicants)
            .bind(&self.kek_ids)
            .bind(&self.wrapped_keys)
            .bind(&self.application_ids)
            .bind(&self.retain_until)
            .bind(&self.tenants)
            .bind(&self.decision_ids)
            .bind(&self.decided_at)
            .bind(&self.outcomes)
            .bind(&self.scores)
            .bind(&self.probabilities)
            .bind(&self.models)
            .bind(&self.arms)
            .bind(&self.records)
            .bind(&self.record_digests)
            .bind(&self.applicants)
            .bind(&self.bins)
            .bind(&self.clients)
            .bind(&self.request_keys)
            .bind(&self.fingerprints)
    }
}
