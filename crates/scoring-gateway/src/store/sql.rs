//! The statements, which are the same text on both engines, and the store around them.
//!
//! The store is a macro body because a function that is generic over the engine would need a page of bounds on
//! every type that it binds; the engines differ in two statements only.

use std::future::Future;
use std::time::Duration;

use super::{AppendError, StoreError};

pub(super) use super::columns::{DecisionColumns, EntryColumns, KeyColumns, traffic_table};
pub(super) use super::place::{Batch, BlindClaim, Keys, Taken, WantedKey, Written, fresh_keys};
pub(super) use super::statements::*;

/// A read that takes longer is given up. The driver has no time-out of its own, so a cut network would hang for ever.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// A batch that takes longer is given up with its connection; its outcome is then unknown.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

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

/// Defines a store on one engine.
macro_rules! sql_store {
    ($(#[$doc:meta])* $store:ident, $engine:ty, begin = $begin:literal, lock = $lock:literal $(,)?) => {
        $(#[$doc])*
        pub struct $store {
            pool: sqlx::Pool<$engine>,
            vault: std::sync::Arc<$crate::privacy::Vault>,
            commits: $crate::store::notice::CommitWatch,
        }

        const _: () = {
            use fcs_core::{ApplicationId, DecisionId, Digest, TenantId, UnixMicros};
            use sqlx::{Connection as _, Row as _};

            use $crate::app::traffic::TrafficTable;
            use $crate::privacy::{Applicant, Vault, WrappedKey};
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{
                AppendError, Appended, Claim, Claimed, DecisionStore, Draft, FeedEntry, Found, StoreError,
            };

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;

            impl $store {
                /// The store of an open pool.
                pub fn new(pool: sqlx::Pool<$engine>, vault: std::sync::Arc<Vault>) -> Self {
                    Self { pool, vault, commits: $crate::store::notice::CommitWatch::new() }
                }

                async fn write(&self, connection: &mut Connection, drafts: &[Draft]) -> Result<Vec<Appended>, AppendError> {
                    if let Some(appended) = Self::append_new(self, connection, drafts).await? {
                        return Ok(appended);
                    }
                    let mut transaction = connection.begin_with($begin).await.map_err(sql::not_written)?;
                    let appended =
                        insert(&mut transaction, drafts, &self.vault).await.map_err(sql::not_written)?;
                    self.commits.confirm(transaction.commit()).await.map_err(sql::unknown)?;
                    Ok(appended)
                }

                async fn look_up(
                    &self,
                    connection: &mut Connection,
                    claims: &[sql::BlindClaim<'_>],
                ) -> Result<Vec<sql::Taken>, StoreFailure> {
                    let mut transaction = connection.begin_with($begin).await?;
                    sqlx::query(sql::TOUCH).execute(&mut *transaction).await?;
                    let taken = taken(&mut transaction, claims, &self.vault).await?;
                    self.commits.confirm(transaction.commit()).await?;
                    Ok(taken)
                }

                fn found(&self, row: &EngineRow) -> Result<Found, StoreFailure> {
                    found(row, &self.vault)
                }

                /// The keys of applications: those that are there, and new ones for those that are new.
                pub(super) async fn insert_keys(
                    connection: &mut Connection,
                    wanted: impl Iterator<Item = sql::WantedKey<'_>>,
                    vault: &Vault,
                ) -> Result<sql::Keys, StoreFailure> {
                    let fresh = sql::fresh_keys(wanted, vault);
                    if fresh.is_empty() {
                        return Ok(sql::Keys::new());
                    }
                    let mut query = sqlx::QueryBuilder::<$engine>::new(sql::INSERT_KEYS);
                    query.push_values(&fresh, |mut row, (applicant, (key, retain_until))| {
                        row.push_bind(applicant.tenant.as_str())
                            .push_bind(&applicant.index.as_bytes()[..])
                            .push_bind(key.wrapped.kek_id.as_str())
                            .push_bind(&key.wrapped.bytes[..])
                            .push_bind(&key.application_id[..])
                            .push_bind(retain_until.to_string());
                    });
                    query.push(sql::OR_KEEP_KEYS);
                    let rows = query.build().fetch_all(connection).await?;
                    let mut keys = sql::Keys::new();
                    for row in &rows {
                        let applicant = Self::applicant(row)?;
                        let wrapped = Self::wrapped_key(row)?;
                        let key = match (fresh.get(&applicant), wrapped) {
                            (_, None) => None,
                            (Some((fresh, _)), Some(wrapped)) if fresh.wrapped == wrapped => Some(fresh.key.clone()),
                            (_, Some(wrapped)) => Some(vault.unwrap(&applicant, &wrapped)?),
                        };
                        keys.insert(applicant, key);
                    }
                    Ok(keys)
                }

                pub(super) fn applicant(row: &EngineRow) -> Result<Applicant, StoreFailure> {
                    Ok(Applicant {
                        tenant: row.try_get::<String, _>("tenant")?.parse()?,
                        index: Digest::try_from(row.try_get::<Vec<u8>, _>("applicant")?.as_slice())?,
                    })
                }

                /// `None` once the key is destroyed.
                pub(super) fn wrapped_key(row: &EngineRow) -> Result<Option<WrappedKey>, sqlx::Error> {
                    let kek_id: Option<String> = row.try_get("kek_id")?;
                    let bytes: Option<Vec<u8>> = row.try_get("wrapped_key")?;
                    Ok(kek_id.zip(bytes).map(|(kek_id, bytes)| WrappedKey { kek_id, bytes }))
                }

                pub(super) fn key_columns(row: &EngineRow) -> Result<sql::KeyColumns, sqlx::Error> {
                    Ok(sql::KeyColumns {
                        tenant: row.try_get("tenant")?,
                        applicant: row.try_get("applicant")?,
                        kek_id: row.try_get("kek_id")?,
                        wrapped_key: row.try_get("wrapped_key")?,
                        erased_at: row.try_get("erased_at")?,
                    })
                }

            }

            /// The indices are assigned after the lock is held and the taken keys are known, so they have no gap.
            async fn insert(
                connection: &mut Connection,
                drafts: &[Draft],
                vault: &Vault,
            ) -> Result<Vec<Appended>, StoreFailure> {
                let last: i64 = sqlx::query_scalar($lock).fetch_one(&mut *connection).await?;
                let claims: Vec<_> =
                    drafts.iter().map(|draft| sql::BlindClaim::of(&draft.claim, vault)).collect();
                let taken = taken(connection, &claims, vault).await?;
                let batch = sql::Batch { drafts, claims: &claims, taken: &taken, vault };
                let keys = $store::insert_keys(connection, batch.free(), vault).await?;
                let placement = batch.place(&keys, sql::to_u64(last)?);
                if let Some(highest) = placement.written.last() {
                    insert_decisions(connection, &placement.written).await?;
                    insert_claims(connection, &placement.written).await?;
                    let advance = sqlx::query(sql::ADVANCE).bind(sql::to_i64(highest.log_index));
                    advance.execute(&mut *connection).await?;
                } else {
                    // A commit that writes nothing waits for no standby; what was found must be as durable as a write.
                    sqlx::query(sql::TOUCH).execute(&mut *connection).await?;
                }
                Ok(placement.appended)
            }

            async fn insert_decisions(
                connection: &mut Connection,
                rows: &[sql::Written<'_>],
            ) -> Result<(), sqlx::Error> {
                let mut query = sqlx::QueryBuilder::<$engine>::new(sql::INSERT_DECISIONS);
                query.push_values(rows, |mut row, written| {
                    let summary = &written.draft.summary;
                    row.push_bind(sql::to_i64(written.log_index))
                        .push_bind(written.draft.claim.tenant.as_str())
                        .push_bind(summary.decision_id.to_string())
                        .push_bind("")
                        .push_bind(summary.decided_at.0)
                        .push_bind(summary.outcome.as_str())
                        .push_bind(summary.score)
                        .push_bind(summary.probability)
                        .push_bind(summary.model.to_string())
                        .push_bind(summary.arm.as_str())
                        .push_bind(&written.sealed_record[..])
                        .push_bind(&summary.record_digest.as_bytes()[..])
                        .push_bind(&written.applicant.index.as_bytes()[..])
                        .push_bind(&written.sealed_bins[..]);
                });
                query.build().execute(connection).await.map(drop)
            }

            async fn insert_claims(
                connection: &mut Connection,
                rows: &[sql::Written<'_>],
            ) -> Result<(), sqlx::Error> {
                let mut query = sqlx::QueryBuilder::<$engine>::new(sql::INSERT_CLAIMS);
                query.push_values(rows, |mut row, written| {
                    let claim = &written.draft.claim;
                    row.push_bind(claim.tenant.as_str())
                        .push_bind(claim.client.as_str())
                        .push_bind(written.claim.key.as_str())
                        .push_bind(&written.claim.fingerprint.as_bytes()[..])
                        .push_bind(written.draft.summary.decision_id.to_string())
                        .push_bind(sql::to_i64(written.log_index))
                        .push_bind(written.draft.summary.decided_at.0)
                        .push_bind(false);
                });
                query.build().execute(connection).await.map(drop)
            }

            /// The keys among these that stand for a decision already. At least one key must be given.
            async fn taken(
                connection: &mut Connection,
                claims: &[sql::BlindClaim<'_>],
                vault: &Vault,
            ) -> Result<Vec<sql::Taken>, StoreFailure> {
                let keys = claims.iter().flat_map(|claim| claim.stored_keys().map(|key| (claim.claim, key)));
                let mut query = sqlx::QueryBuilder::<$engine>::new(sql::CLAIMED);
                query.push("(");
                query.push_values(keys, |mut row, (claim, key)| {
                    row.push_bind(claim.tenant.as_str())
                        .push_bind(claim.client.as_str())
                        .push_bind(key);
                });
                query.push(")");
                let rows = query.build().fetch_all(connection).await?;
                rows.iter().map(|row| taken_row(row, vault)).collect()
            }

            fn taken_row(row: &EngineRow, vault: &Vault) -> Result<sql::Taken, StoreFailure> {
                Ok(sql::Taken {
                    tenant: row.try_get("tenant")?,
                    client: row.try_get("client")?,
                    key: row.try_get("key")?,
                    fingerprint: Digest::try_from(row.try_get::<Vec<u8>, _>("fingerprint")?.as_slice())?,
                    decision: found(row, vault)?,
                })
            }

            fn found(row: &EngineRow, vault: &Vault) -> Result<Found, StoreFailure> {
                sql::DecisionColumns {
                    log_index: row.try_get("log_index")?,
                    decision_id: row.try_get("decision_id")?,
                    record: row.try_get("record")?,
                    record_digest: row.try_get("record_digest")?,
                    key: $store::key_columns(row)?,
                }
                .found(vault)
            }

            fn entry(row: &EngineRow, vault: &Vault) -> Result<FeedEntry, StoreFailure> {
                sql::EntryColumns {
                    log_index: row.try_get("log_index")?,
                    decision_id: row.try_get("decision_id")?,
                    application_id: row.try_get("application_id")?,
                    sealed_application_id: row.try_get("sealed_application_id")?,
                    decided_at: row.try_get("decided_at")?,
                    outcome: row.try_get("outcome")?,
                    score: row.try_get("score")?,
                    probability: row.try_get("probability")?,
                    model: row.try_get("model")?,
                    arm: row.try_get("arm")?,
                    record_digest: row.try_get("record_digest")?,
                    sealed_bins: row.try_get("bins")?,
                    key: $store::key_columns(row)?,
                }
                .entry(vault)
            }

            #[async_trait::async_trait]
            impl DecisionStore for $store {
                async fn append(&self, drafts: &[Draft]) -> Result<Vec<Appended>, AppendError> {
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
                    let claims: Vec<_> =
                        claims.iter().map(|claim| sql::BlindClaim::of(claim, &self.vault)).collect();
                    let look_up = tokio::time::timeout(sql::WRITE_TIMEOUT, self.look_up(&mut connection, &claims));
                    let result = look_up.await.unwrap_or_else(|elapsed| Err(elapsed.into()));
                    if result.is_err() {
                        drop(connection.detach());
                    }
                    let taken = result.map_err(failed)?;
                    Ok(claims.iter().map(|claim| claim.among(&taken)).collect())
                }

                async fn claimed(&self, claim: &Claim) -> Result<Option<Claimed>, StoreError> {
                    sql::within("look up an idempotency key", async {
                        let blind = sql::BlindClaim::of(claim, &self.vault);
                        let [key, clear] = blind.stored_keys();
                        let query = sqlx::query(sql::CLAIMED_BY_KEY)
                            .bind(claim.tenant.as_str())
                            .bind(claim.client.as_str())
                            .bind(key)
                            .bind(clear);
                        let rows = self.rows(claim.tenant.as_str(), query).await?;
                        let taken = rows.iter().map(|row| taken_row(row, &self.vault));
                        let taken = taken.collect::<Result<Vec<_>, _>>()?;
                        Ok::<_, StoreFailure>(blind.among(&taken))
                    })
                    .await
                }

                async fn decision(&self, tenant: &TenantId, id: DecisionId) -> Result<Option<Found>, StoreError> {
                    sql::within("read a decision", async {
                        let query = sqlx::query(sql::DECISION).bind(tenant.as_str()).bind(id.to_string());
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.first().map(|row| self.found(row)).transpose()
                    })
                    .await
                }

                async fn latest(&self, tenant: &TenantId, id: &ApplicationId) -> Result<Option<Found>, StoreError> {
                    sql::within("read an application's latest decision", async {
                        let applicant = self.vault.applicant(tenant, id);
                        let query = sqlx::query(sql::LATEST)
                            .bind(tenant.as_str())
                            .bind(applicant.index.as_bytes().to_vec())
                            .bind(id.as_str());
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.first().map(|row| self.found(row)).transpose()
                    })
                    .await
                }

                async fn page(
                    &self,
                    tenant: &TenantId,
                    after_index: u64,
                    limit: u32,
                ) -> Result<Vec<Found>, StoreError> {
                    sql::within("read a page of decisions", async {
                        let query = sqlx::query(sql::PAGE)
                            .bind(tenant.as_str())
                            .bind(sql::to_i64(after_index))
                            .bind(i64::from(limit));
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.iter().map(|row| self.found(row)).collect::<Result<_, _>>()
                    })
                    .await
                }

                async fn page_of(
                    &self,
                    tenant: &TenantId,
                    id: &ApplicationId,
                    after_index: u64,
                    limit: u32,
                ) -> Result<Vec<Found>, StoreError> {
                    sql::within("read an application's decisions", async {
                        let applicant = self.vault.applicant(tenant, id);
                        let query = sqlx::query(sql::PAGE_OF)
                            .bind(tenant.as_str())
                            .bind(applicant.index.as_bytes().to_vec())
                            .bind(id.as_str())
                            .bind(sql::to_i64(after_index))
                            .bind(i64::from(limit));
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.iter().map(|row| self.found(row)).collect::<Result<_, _>>()
                    })
                    .await
                }

                async fn feed(&self, after_index: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError> {
                    sql::within("read a page of the feed", async {
                        let query = sqlx::query(sql::FEED).bind(sql::to_i64(after_index)).bind(i64::from(limit));
                        let rows = self.rows(sql::EVERY_TENANT, query).await?;
                        rows.iter().map(|row| entry(row, &self.vault)).collect::<Result<_, StoreFailure>>()
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
