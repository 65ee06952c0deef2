//! The statements, which are the same text on both engines, and the store around them.
//!
//! The store is a macro body because a function that is generic over the engine would need a page of bounds on
//! every type that it binds; the engines differ in two statements only.

use std::future::Future;
use std::time::Duration;

use fcs_core::{ApplicationId, DecisionId, Digest, ModelVersion, UnixMicros};
use fcs_decision::record::Outcome;

pub(super) use super::place::{place, same_key};
use super::{AppendError, FeedEntry, StoreError, StoredDecision, Summary};
use crate::app::traffic::TrafficTable;

/// A read that takes longer is given up. The driver has no time-out of its own, so a cut network would hang for ever.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// A batch that takes longer is given up with its connection; its outcome is then unknown.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const PAGE: &str = "SELECT log_index, record, record_digest FROM decisions \
                               WHERE tenant = $1 AND log_index > $2 ORDER BY log_index LIMIT $3";
pub(super) const PAGE_OF: &str = "SELECT log_index, record, record_digest FROM decisions \
                                  WHERE tenant = $1 AND application_id = $2 AND log_index > $3 \
                                  ORDER BY log_index LIMIT $4";
pub(super) const FEED: &str = "SELECT log_index, tenant, decision_id, application_id, decided_at, outcome, score, \
                               probability, model, arm, record_digest FROM decisions \
                               WHERE log_index > $1 ORDER BY log_index LIMIT $2";
pub(super) const DECISION: &str =
    "SELECT log_index, record, record_digest FROM decisions WHERE tenant = $1 AND decision_id = $2";
pub(super) const LATEST: &str = "SELECT log_index, record, record_digest FROM decisions \
                                 WHERE tenant = $1 AND application_id = $2 ORDER BY log_index DESC LIMIT 1";
pub(super) const HIGHEST: &str = "SELECT last_index FROM log_head WHERE id = 1";
pub(super) const HIGHEST_OF: &str =
    "SELECT COALESCE(MAX(log_index), 0) AS highest FROM decisions WHERE tenant = $1";
pub(super) const ADVANCE: &str = "UPDATE log_head SET last_index = $1 WHERE id = 1";
pub(super) const TOUCH: &str = "UPDATE log_head SET last_index = last_index WHERE id = 1";
pub(super) const CLAIMED: &str = "SELECT i.tenant, i.client, i.key, i.fingerprint, d.log_index, d.record, \
                                  d.record_digest \
                                  FROM idempotency i JOIN decisions d ON d.log_index = i.log_index \
                                  WHERE (i.tenant, i.client, i.key) IN ";
pub(super) const CLAIMED_BY_KEY: &str = "SELECT i.tenant, i.client, i.key, i.fingerprint, d.log_index, d.record, \
                                         d.record_digest \
                                         FROM idempotency i JOIN decisions d ON d.log_index = i.log_index \
                                         WHERE i.tenant = $1 AND i.client = $2 AND i.key = $3";
pub(super) const INSERT_DECISIONS: &str = "INSERT INTO decisions (log_index, tenant, decision_id, application_id, \
                                           decided_at, outcome, score, probability, model, arm, record, record_digest) ";
pub(super) const INSERT_CLAIMS: &str = "INSERT INTO idempotency (tenant, client, key, fingerprint, decision_id, \
                                        log_index, created_at) ";
pub(super) const TRAFFIC: &str = "SELECT generation, salt, arms, shadows FROM traffic WHERE id = 1";
pub(super) const SWAP_TRAFFIC: &str = "UPDATE traffic SET generation = $1, salt = $2, arms = $3, shadows = $4 \
     WHERE id = 1 AND generation = $5";
pub(super) const PURGE: &str = "DELETE FROM idempotency WHERE (tenant, client, key) IN \
                                (SELECT tenant, client, key FROM idempotency WHERE created_at < $1 \
                                ORDER BY created_at LIMIT $2) RETURNING key";
/// What a transaction names that looks at every tenant's rows.
pub(super) const EVERY_TENANT: &str = "*";

/// Awaits a read within its limit.
pub(super) async fn within<T, E: Into<StoreFailure>>(
    attempt: &'static str,
    read: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(result) => result.map_err(|error| StoreError::new(attempt, error.into())),
        Err(elapsed) => Err(StoreError::new(attempt, elapsed)),
    }
}

/// Why a statement gave nothing.
pub(super) type StoreFailure = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn not_written(error: impl Into<StoreFailure>) -> AppendError {
    AppendError::NotWritten(StoreError::new("write a batch", error))
}

pub(super) fn unknown(error: impl Into<StoreFailure>) -> AppendError {
    AppendError::Unknown(StoreError::new("commit a batch", error))
}

/// Indices and generations are stored as 64-bit signed integers; neither ever comes near the limit.
pub(super) fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn to_u64(value: i64) -> Result<u64, StoreFailure> {
    u64::try_from(value).map_err(|_| format!("the store holds the negative number {value}").into())
}

/// The columns of a feed entry as the engines give them.
pub(super) struct EntryColumns {
    pub(super) log_index: i64,
    pub(super) tenant: String,
    pub(super) decision_id: String,
    pub(super) application_id: String,
    pub(super) decided_at: i64,
    pub(super) outcome: String,
    pub(super) score: i32,
    pub(super) probability: f64,
    pub(super) model: String,
    pub(super) arm: String,
    pub(super) record_digest: Vec<u8>,
}

impl EntryColumns {
    pub(super) fn entry(self) -> Result<FeedEntry, StoreFailure> {
        let outcome = Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == self.outcome)
            .ok_or_else(|| format!("the store holds the outcome {:?}", self.outcome))?;
        let summary = Summary {
            decision_id: self.decision_id.parse::<DecisionId>()?,
            application_id: self.application_id.parse::<ApplicationId>()?,
            decided_at: UnixMicros(self.decided_at),
            outcome,
            score: self.score,
            probability: self.probability,
            model: self.model.parse::<ModelVersion>()?,
            arm: self.arm,
            record_digest: Digest::try_from(self.record_digest.as_slice())?,
        };
        Ok(FeedEntry {
            log_index: to_u64(self.log_index)?,
            tenant: self.tenant.parse()?,
            summary,
        })
    }
}

pub(super) fn decision(
    log_index: i64,
    record: Vec<u8>,
    digest: &[u8],
) -> Result<StoredDecision, StoreFailure> {
    let record_digest = Digest::try_from(digest)?;
    Ok(StoredDecision {
        log_index: to_u64(log_index)?,
        record: record.into(),
        record_digest,
    })
}

pub(super) fn traffic_table(
    generation: i64,
    salt: String,
    arms: &str,
    shadows: &str,
) -> Result<TrafficTable, StoreFailure> {
    let (arms, shadows) = (serde_json::from_str(arms)?, serde_json::from_str(shadows)?);
    TrafficTable::restored(to_u64(generation)?, salt, arms, shadows)
        .ok_or_else(|| "the arms of the stored traffic table do not cover the traffic".into())
}

/// Defines a store on one engine.
macro_rules! sql_store {
    ($(#[$doc:meta])* $store:ident, $engine:ty, begin = $begin:literal, lock = $lock:literal $(,)?) => {
        $(#[$doc])*
        pub struct $store {
            pool: sqlx::Pool<$engine>,
            commits: $crate::store::notice::CommitWatch,
        }

        const _: () = {
            use fcs_core::{ApplicationId, DecisionId, Digest, IdempotencyKey, TenantId, UnixMicros};
            use sqlx::{Connection as _, Row as _};

            use $crate::app::traffic::TrafficTable;
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{
                AppendError, Claim, Claimed, DecisionStore, Draft, FeedEntry, StoreError, StoredDecision,
            };

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;
            type Taken = Vec<(Claim, StoredDecision)>;

            impl $store {
                /// The store of an open pool.
                pub fn new(pool: sqlx::Pool<$engine>) -> Self {
                    Self { pool, commits: $crate::store::notice::CommitWatch::new() }
                }

                async fn write(&self, connection: &mut Connection, drafts: &[Draft]) -> Result<Vec<Claimed>, AppendError> {
                    let mut transaction = connection.begin_with($begin).await.map_err(sql::not_written)?;
                    let claimed = insert(&mut transaction, drafts).await.map_err(sql::not_written)?;
                    self.commits.confirm(transaction.commit()).await.map_err(sql::unknown)?;
                    Ok(claimed)
                }

                async fn look_up(&self, connection: &mut Connection, claims: &[Claim]) -> Result<Taken, StoreFailure> {
                    let mut transaction = connection.begin_with($begin).await?;
                    sqlx::query(sql::TOUCH).execute(&mut *transaction).await?;
                    let taken = taken(&mut transaction, claims.iter()).await?;
                    self.commits.confirm(transaction.commit()).await?;
                    Ok(taken)
                }

                async fn one(
                    &self,
                    statement: &'static str,
                    tenant: &TenantId,
                    id: String,
                ) -> Result<Option<StoredDecision>, StoreError> {
                    sql::within("read a decision", async {
                        let query = sqlx::query(statement).bind(tenant.as_str()).bind(id);
                        self.rows(tenant.as_str(), query).await?.first().map(decision).transpose()
                    })
                    .await
                }
            }

            /// The indices are assigned after the lock is held and the taken keys are known, so they have no gap.
            async fn insert(connection: &mut Connection, drafts: &[Draft]) -> Result<Vec<Claimed>, StoreFailure> {
                let last: i64 = sqlx::query_scalar($lock).fetch_one(&mut *connection).await?;
                let taken = taken(connection, drafts.iter().map(|draft| &draft.claim)).await?;
                let placement = sql::place(drafts, &taken, sql::to_u64(last)?);
                if let Some((highest, _)) = placement.written.last() {
                    insert_decisions(connection, &placement.written).await?;
                    insert_claims(connection, &placement.written).await?;
                    sqlx::query(sql::ADVANCE).bind(sql::to_i64(*highest)).execute(&mut *connection).await?;
                } else {
                    // A commit that writes nothing waits for no standby; what was found must be as durable as a write.
                    sqlx::query(sql::TOUCH).execute(&mut *connection).await?;
                }
                Ok(placement.claimed)
            }

            async fn insert_decisions(connection: &mut Connection, rows: &[(u64, &Draft)]) -> Result<(), sqlx::Error> {
                let mut query = sqlx::QueryBuilder::<$engine>::new(sql::INSERT_DECISIONS);
                query.push_values(rows, |mut row, (log_index, draft)| {
                    let summary = &draft.summary;
                    row.push_bind(sql::to_i64(*log_index))
                        .push_bind(draft.claim.tenant.as_str())
                        .push_bind(summary.decision_id.to_string())
                        .push_bind(summary.application_id.as_str())
                        .push_bind(summary.decided_at.0)
                        .push_bind(summary.outcome.as_str())
                        .push_bind(summary.score)
                        .push_bind(summary.probability)
                        .push_bind(summary.model.to_string())
                        .push_bind(summary.arm.as_str())
                        .push_bind(&draft.record[..])
                        .push_bind(&summary.record_digest.as_bytes()[..]);
                });
                query.build().execute(connection).await.map(drop)
            }

            async fn insert_claims(connection: &mut Connection, rows: &[(u64, &Draft)]) -> Result<(), sqlx::Error> {
                let mut query = sqlx::QueryBuilder::<$engine>::new(sql::INSERT_CLAIMS);
                query.push_values(rows, |mut row, (log_index, draft)| {
                    row.push_bind(draft.claim.tenant.as_str())
                        .push_bind(draft.claim.client.as_str())
                        .push_bind(draft.claim.key.as_str())
                        .push_bind(&draft.claim.fingerprint.as_bytes()[..])
                        .push_bind(draft.summary.decision_id.to_string())
                        .push_bind(sql::to_i64(*log_index))
                        .push_bind(draft.summary.decided_at.0);
                });
                query.build().execute(connection).await.map(drop)
            }

            /// The keys among these that stand for a decision already. At least one key must be given.
            async fn taken<'a>(
                connection: &mut Connection,
                claims: impl Iterator<Item = &'a Claim>,
            ) -> Result<Taken, StoreFailure> {
                let mut query = sqlx::QueryBuilder::<$engine>::new(sql::CLAIMED);
                query.push("(");
                query.push_values(claims, |mut row, claim| {
                    row.push_bind(claim.tenant.as_str())
                        .push_bind(claim.client.as_str())
                        .push_bind(claim.key.as_str());
                });
                query.push(")");
                let rows = query.build().fetch_all(connection).await?;
                rows.iter().map(claim).collect()
            }

            fn claim(row: &EngineRow) -> Result<(Claim, StoredDecision), StoreFailure> {
                let claim = Claim {
                    tenant: row.try_get::<String, _>("tenant")?.parse()?,
                    client: row.try_get("client")?,
                    key: row.try_get::<String, _>("key")?.parse()?,
                    fingerprint: Digest::try_from(row.try_get::<Vec<u8>, _>("fingerprint")?.as_slice())?,
                };
                Ok((claim, decision(row)?))
            }

            fn decision(row: &EngineRow) -> Result<StoredDecision, StoreFailure> {
                let digest: Vec<u8> = row.try_get("record_digest")?;
                sql::decision(row.try_get("log_index")?, row.try_get("record")?, &digest)
            }

            fn entry(row: &EngineRow) -> Result<FeedEntry, StoreFailure> {
                sql::EntryColumns {
                    log_index: row.try_get("log_index")?,
                    tenant: row.try_get("tenant")?,
                    decision_id: row.try_get("decision_id")?,
                    application_id: row.try_get("application_id")?,
                    decided_at: row.try_get("decided_at")?,
                    outcome: row.try_get("outcome")?,
                    score: row.try_get("score")?,
                    probability: row.try_get("probability")?,
                    model: row.try_get("model")?,
                    arm: row.try_get("arm")?,
                    record_digest: row.try_get("record_digest")?,
                }
                .entry()
            }

            #[async_trait::async_trait]
            impl DecisionStore for $store {
                async fn append(&self, drafts: &[Draft]) -> Result<Vec<Claimed>, AppendError> {
                    if drafts.is_empty() {
                        return Ok(Vec::new());
                    }
                    let mut connection = self.pool.acquire().await.map_err(sql::not_written)?;
                    let write = tokio::time::timeout(sql::WRITE_TIMEOUT, self.write(&mut connection, drafts));
                    let result = write.await.unwrap_or_else(|elapsed| Err(sql::unknown(elapsed)));
                    if result.is_err() {
                        // The state of the connection is unknown: close it instead of giving it back to the pool.
                        drop(connection.detach());
                    }
                    result
                }

                async fn settle(&self, claims: &[Claim]) -> Result<Vec<Option<Claimed>>, StoreError> {
                    const ATTEMPT: &str = "settle a batch";
                    if claims.is_empty() {
                        return Ok(Vec::new());
                    }
                    let failed = |error: StoreFailure| StoreError::new(ATTEMPT, error);
                    let mut connection = self.pool.acquire().await.map_err(|error| failed(error.into()))?;
                    let look_up = tokio::time::timeout(sql::WRITE_TIMEOUT, self.look_up(&mut connection, claims));
                    let result = look_up.await.unwrap_or_else(|elapsed| Err(elapsed.into()));
                    if result.is_err() {
                        drop(connection.detach());
                    }
                    let taken = result.map_err(failed)?;
                    Ok(claims
                        .iter()
                        .map(|wanted| {
                            let (claim, decision) = taken.iter().find(|(claim, _)| sql::same_key(claim, wanted))?;
                            Some(Claimed { fingerprint: claim.fingerprint, decision: decision.clone() })
                        })
                        .collect())
                }

                async fn claimed(
                    &self,
                    tenant: &TenantId,
                    client: &str,
                    key: &IdempotencyKey,
                ) -> Result<Option<Claimed>, StoreError> {
                    sql::within("look up an idempotency key", async {
                        let query = sqlx::query(sql::CLAIMED_BY_KEY)
                            .bind(tenant.as_str())
                            .bind(client)
                            .bind(key.as_str());
                        let rows = self.rows(tenant.as_str(), query).await?;
                        let taken = rows.first().map(claim).transpose()?;
                        Ok::<_, StoreFailure>(taken.map(|(claim, decision)| Claimed {
                            fingerprint: claim.fingerprint,
                            decision,
                        }))
                    })
                    .await
                }

                async fn decision(&self, tenant: &TenantId, id: DecisionId) -> Result<Option<StoredDecision>, StoreError> {
                    self.one(sql::DECISION, tenant, id.to_string()).await
                }

                async fn latest(&self, tenant: &TenantId, id: &ApplicationId) -> Result<Option<StoredDecision>, StoreError> {
                    self.one(sql::LATEST, tenant, id.to_string()).await
                }

                async fn page(
                    &self,
                    tenant: &TenantId,
                    after_index: u64,
                    limit: u32,
                ) -> Result<Vec<StoredDecision>, StoreError> {
                    sql::within("read a page of decisions", async {
                        let query = sqlx::query(sql::PAGE)
                            .bind(tenant.as_str())
                            .bind(sql::to_i64(after_index))
                            .bind(i64::from(limit));
                        self.rows(tenant.as_str(), query).await?.iter().map(decision).collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }

                async fn page_of(
                    &self,
                    tenant: &TenantId,
                    id: &ApplicationId,
                    after_index: u64,
                    limit: u32,
                ) -> Result<Vec<StoredDecision>, StoreError> {
                    sql::within("read an application's decisions", async {
                        let query = sqlx::query(sql::PAGE_OF)
                            .bind(tenant.as_str())
                            .bind(id.as_str())
                            .bind(sql::to_i64(after_index))
                            .bind(i64::from(limit));
                        self.rows(tenant.as_str(), query).await?.iter().map(decision).collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }

                async fn feed(&self, after_index: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError> {
                    sql::within("read a page of the feed", async {
                        let query = sqlx::query(sql::FEED).bind(sql::to_i64(after_index)).bind(i64::from(limit));
                        self.rows(sql::EVERY_TENANT, query).await?.iter().map(entry).collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }

                async fn highest_index(&self) -> Result<u64, StoreError> {
                    sql::within("read the highest index", async {
                        sql::to_u64(sqlx::query_scalar(sql::HIGHEST).fetch_one(&self.pool).await?)
                    })
                    .await
                }

                async fn highest_index_of(&self, tenant: &TenantId) -> Result<u64, StoreError> {
                    sql::within("read the highest index of a tenant", async {
                        let query = sqlx::query(sql::HIGHEST_OF).bind(tenant.as_str());
                        let rows = self.rows(tenant.as_str(), query).await?;
                        let highest = rows.first().map(|row| row.try_get("highest")).transpose()?;
                        sql::to_u64(highest.unwrap_or(0))
                    })
                    .await
                }

                async fn traffic(&self) -> Result<TrafficTable, StoreError> {
                    sql::within("read the traffic table", async {
                        let row = sqlx::query(sql::TRAFFIC).fetch_one(&self.pool).await?;
                        let (arms, shadows): (String, String) = (row.try_get("arms")?, row.try_get("shadows")?);
                        sql::traffic_table(row.try_get("generation")?, row.try_get("salt")?, &arms, &shadows)
                    })
                    .await
                }

                async fn swap_traffic(&self, expected: u64, table: &TrafficTable) -> Result<bool, StoreError> {
                    sql::within("replace the traffic table", async {
                        let swap = sqlx::query(sql::SWAP_TRAFFIC)
                            .bind(sql::to_i64(table.generation))
                            .bind(table.salt.as_str())
                            .bind(serde_json::to_string(&table.arms)?)
                            .bind(serde_json::to_string(&table.shadows)?)
                            .bind(sql::to_i64(expected));
                        Ok::<_, StoreFailure>(swap.execute(&self.pool).await?.rows_affected() == 1)
                    })
                    .await
                }

                async fn purge_claims(&self, before: UnixMicros, limit: u32) -> Result<u64, StoreError> {
                    sql::within("purge idempotency keys", async {
                        let purge = sqlx::query(sql::PURGE).bind(before.0).bind(i64::from(limit));
                        Ok::<_, StoreFailure>(self.rows(sql::EVERY_TENANT, purge).await?.len() as u64)
                    })
                    .await
                }
            }
        };
    };
}

pub(super) use sql_store;
