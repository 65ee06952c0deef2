//! The SQL that PostgreSQL and SQLite share, once for both, with the conversions it needs.

use fcs_core::Digest;
use sqlx::error::{DatabaseError, ErrorKind};

use super::StoreError;

/// A store over a pool: the name, the pool's type, its row's type, how a transaction begins.
macro_rules! sql_store {
    ($store:ident, $pool:ty, $row:ty, $begin:literal) => {
        #[derive(Debug)]
        pub(super) struct $store {
            pool: $pool,
        }

        const _: () = {
            use async_trait::async_trait;
            use fcs_core::UnixMicros;
            use sqlx::Row as _;

            use crate::store::sql::{column, count, digest, digests, failed, flatten};
            use crate::store::{
                NewBatch, NewEvent, Store, StoreError, StoredBatch, StoredCheckpoint,
                StoredDeployment, StoredEvent, StoredLeaf, Summary,
            };

            impl $store {
                pub(super) fn new(pool: $pool) -> Self {
                    Self { pool }
                }

                /// Takes the lock of the log, appends a leaf and returns its index.
                pub(super) async fn append_leaf(
                    connection: &mut <<$row as sqlx::Row>::Database as sqlx::Database>::Connection,
                    data: &[u8],
                ) -> Result<i64, StoreError> {
                    if data.len() > fcs_tlog::tile::ENTRY_BYTES_MAX {
                        return Err(StoreError::LeafTooLong(data.len()));
                    }
                    let row = sqlx::query(
                        "UPDATE log_head SET size = size + 1 WHERE sealed = 0 RETURNING size - 1",
                    )
                    .fetch_optional(&mut *connection)
                    .await
                    .map_err(failed)?
                    .ok_or(StoreError::Sealed)?;
                    let leaf_index: i64 = row.try_get(0).map_err(failed)?;
                    sqlx::query("INSERT INTO leaves (leaf_index, data) VALUES ($1, $2)")
                        .bind(leaf_index)
                        .bind(data)
                        .execute(connection)
                        .await
                        .map_err(failed)?;
                    Ok(leaf_index)
                }
            }

            /// Groups rows that are sorted by deployment and sequence.
            fn grouped(rows: &[$row]) -> Result<Vec<StoredDeployment>, StoreError> {
                let mut deployments: Vec<StoredDeployment> = Vec::new();
                for row in rows {
                    let deployment_id: String = row.try_get("deployment_id").map_err(failed)?;
                    match deployments.last_mut() {
                        Some(last) if last.deployment_id == deployment_id => {
                            last.events.push(event(row)?);
                        }
                        _ => deployments.push(StoredDeployment {
                            deployment_id,
                            summary: summary(row)?,
                            events: vec![event(row)?],
                        }),
                    }
                }
                Ok(deployments)
            }

            fn event(row: &$row) -> Result<StoredEvent, StoreError> {
                Ok(StoredEvent {
                    sequence: count(row.try_get("sequence").map_err(failed)?)?,
                    occurred_at: UnixMicros(row.try_get("occurred_at").map_err(failed)?),
                    actor: row.try_get("actor").map_err(failed)?,
                    kind: row.try_get("kind").map_err(failed)?,
                    detail: row.try_get("detail").map_err(failed)?,
                    leaf_index: count(row.try_get("leaf_index").map_err(failed)?)?,
                    leaf: row.try_get("data").map_err(failed)?,
                })
            }

            fn summary(row: &$row) -> Result<Summary, StoreError> {
                Ok(Summary {
                    environment: row.try_get("environment").map_err(failed)?,
                    author: row.try_get("author").map_err(failed)?,
                    requester: row.try_get("requester").map_err(failed)?,
                    approver: row.try_get("approver").map_err(failed)?,
                    state: row.try_get("state").map_err(failed)?,
                })
            }

            fn number(row: &$row) -> Result<u64, StoreError> {
                count(row.try_get::<Option<i64>, _>(0).map_err(failed)?.unwrap_or(0))
            }

            /// Writes the summary when the history stands right before the event.
            async fn put_summary(
                connection: &mut <<$row as sqlx::Row>::Database as sqlx::Database>::Connection,
                event: &NewEvent,
            ) -> Result<(), StoreError> {
                let statement = if event.sequence == 1 {
                    "INSERT INTO deployments \
                     (deployment_id, environment, author, requester, approver, state, last_sequence) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)"
                } else {
                    "UPDATE deployments SET approver = $5, state = $6, last_sequence = $7 \
                     WHERE deployment_id = $1 AND environment = $2 AND author = $3 \
                     AND requester = $4 AND last_sequence = $7 - 1 \
                     AND NOT ($6 IN ('activating', 'rolling_back') AND EXISTS (SELECT 1 FROM rollouts \
                         WHERE environment = $2 AND phase IN ('preparing', 'verifying', 'gated', \
                         'waiting', 'shifting', 'baking', 'judging', 'finalizing', 'rolling_back', \
                         'settling', 'confirming', 'rollback_stuck')))"
                };
                let done = sqlx::query(statement)
                    .bind(&event.deployment_id)
                    .bind(&event.summary.environment)
                    .bind(&event.summary.author)
                    .bind(&event.summary.requester)
                    .bind(&event.summary.approver)
                    .bind(&event.summary.state)
                    .bind(column(event.sequence)?)
                    .execute(connection)
                    .await
                    .map_err(failed)?;
                if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
            }

            async fn put_event(
                connection: &mut <<$row as sqlx::Row>::Database as sqlx::Database>::Connection,
                event: &NewEvent,
            ) -> Result<(), StoreError> {
                let leaf_index = $store::append_leaf(connection, &event.leaf).await?;
                put_summary(connection, event).await?;
                sqlx::query(
                    "INSERT INTO deployment_events \
                     (deployment_id, sequence, occurred_at, actor, kind, detail, leaf_index) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                )
                .bind(&event.deployment_id)
                .bind(column(event.sequence)?)
                .bind(event.occurred_at.0)
                .bind(&event.actor)
                .bind(&event.kind)
                .bind(&event.detail)
                .bind(leaf_index)
                .execute(connection)
                .await
                .map_err(failed)?;
                Ok(())
            }

            #[async_trait]
            impl Store for $store {
                async fn append_events(&self, events: &[NewEvent]) -> Result<(), StoreError> {
                    let mut transaction = self.pool.begin_with($begin).await.map_err(failed)?;
                    for event in events {
                        put_event(&mut transaction, event).await?;
                    }
                    transaction.commit().await.map_err(failed)
                }

                async fn deployment(&self, id: &str) -> Result<Option<StoredDeployment>, StoreError> {
                    // One statement, so that the summary and the events are of one moment.
                    let rows = sqlx::query(
                        "SELECT d.*, e.*, l.data FROM deployments d \
                         JOIN deployment_events e ON e.deployment_id = d.deployment_id \
                         JOIN leaves l ON l.leaf_index = e.leaf_index \
                         WHERE d.deployment_id = $1 ORDER BY e.sequence",
                    )
                    .bind(id)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
                    Ok(grouped(&rows)?.pop())
                }

                async fn deployments(&self, limit: u32) -> Result<Vec<StoredDeployment>, StoreError> {
                    let rows = sqlx::query(
                        "SELECT d.*, e.*, l.data FROM deployments d \
                         JOIN deployment_events e ON e.deployment_id = d.deployment_id \
                         JOIN leaves l ON l.leaf_index = e.leaf_index \
                         WHERE d.deployment_id IN (SELECT deployment_id FROM deployments \
                             ORDER BY deployment_id DESC LIMIT $1) \
                         ORDER BY d.deployment_id DESC, e.sequence",
                    )
                    .bind(i64::from(limit))
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
                    grouped(&rows)
                }

                async fn unfinished(&self, environment: &str) -> Result<Vec<String>, StoreError> {
                    let rows = sqlx::query(
                        "SELECT deployment_id FROM deployments WHERE environment = $1 \
                         AND state IN ('activating', 'rolling_back') ORDER BY deployment_id",
                    )
                    .bind(environment)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
                    rows.iter().map(|row| row.try_get(0).map_err(failed)).collect()
                }

                async fn append_batch(&self, batch: &NewBatch) -> Result<u64, StoreError> {
                    let last_index = batch.first_index + batch.digests.len() as u64 - 1;
                    let mut transaction = self.pool.begin_with($begin).await.map_err(failed)?;
                    let leaf_index = Self::append_leaf(&mut transaction, &batch.leaf).await?;
                    let row = sqlx::query("SELECT MAX(last_index) FROM decision_batches")
                        .fetch_one(&mut *transaction)
                        .await
                        .map_err(failed)?;
                    let expected = number(&row)? + 1;
                    if expected != batch.first_index {
                        return Err(StoreError::NotContiguous { expected, found: batch.first_index });
                    }
                    sqlx::query(
                        "INSERT INTO decision_batches (first_index, last_index, leaf_index, digests) \
                         VALUES ($1, $2, $3, $4)",
                    )
                    .bind(column(batch.first_index)?)
                    .bind(column(last_index)?)
                    .bind(leaf_index)
                    .bind(flatten(&batch.digests))
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                    transaction.commit().await.map_err(failed)?;
                    count(leaf_index)
                }

                async fn batch_of(&self, index: u64) -> Result<Option<StoredBatch>, StoreError> {
                    let row = sqlx::query(
                        "SELECT first_index, leaf_index, digests FROM decision_batches \
                         WHERE last_index >= $1 AND first_index <= $1 ORDER BY last_index LIMIT 1",
                    )
                    .bind(column(index)?)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(failed)?;
                    let Some(row) = row else { return Ok(None) };
                    let bytes: Vec<u8> = row.try_get("digests").map_err(failed)?;
                    Ok(Some(StoredBatch {
                        first_index: count(row.try_get("first_index").map_err(failed)?)?,
                        leaf_index: count(row.try_get("leaf_index").map_err(failed)?)?,
                        digests: digests(&bytes)?,
                    }))
                }

                async fn last_decision_index(&self, size: u64) -> Result<u64, StoreError> {
                    let row = sqlx::query(
                        "SELECT MAX(last_index) FROM decision_batches WHERE leaf_index < $1",
                    )
                    .bind(column(size)?)
                    .fetch_one(&self.pool)
                    .await
                    .map_err(failed)?;
                    number(&row)
                }

                async fn seal(&self, sealed: bool) -> Result<(), StoreError> {
                    sqlx::query("UPDATE log_head SET sealed = $1 WHERE sealed <> $1")
                        .bind(i64::from(sealed))
                        .execute(&self.pool)
                        .await
                        .map_err(failed)?;
                    Ok(())
                }

                async fn log_size(&self) -> Result<u64, StoreError> {
                    let row = sqlx::query("SELECT size FROM log_head")
                        .fetch_one(&self.pool)
                        .await
                        .map_err(failed)?;
                    number(&row)
                }

                async fn leaves(&self, from: u64, limit: u32) -> Result<Vec<StoredLeaf>, StoreError> {
                    let rows = sqlx::query(
                        "SELECT leaf_index, data FROM leaves WHERE leaf_index >= $1 \
                         ORDER BY leaf_index LIMIT $2",
                    )
                    .bind(column(from)?)
                    .bind(i64::from(limit))
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
                    let leaf = |row: &$row| {
                        let index = count(row.try_get("leaf_index").map_err(failed)?)?;
                        Ok(StoredLeaf { index, data: row.try_get("data").map_err(failed)? })
                    };
                    rows.iter().map(leaf).collect()
                }

                async fn last_checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
                    let row = sqlx::query(
                        "SELECT size, root, note, created_at FROM checkpoints \
                         ORDER BY size DESC LIMIT 1",
                    )
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(failed)?;
                    let Some(row) = row else { return Ok(None) };
                    let root: Vec<u8> = row.try_get("root").map_err(failed)?;
                    Ok(Some(StoredCheckpoint {
                        size: count(row.try_get("size").map_err(failed)?)?,
                        root: digest(&root)?,
                        note: row.try_get("note").map_err(failed)?,
                        created_at: UnixMicros(row.try_get("created_at").map_err(failed)?),
                    }))
                }

                async fn put_checkpoint(
                    &self,
                    checkpoint: &StoredCheckpoint,
                ) -> Result<(), StoreError> {
                    // The second writer of one size stores nothing and must have signed the same.
                    let done = sqlx::query(
                        "INSERT INTO checkpoints (size, root, note, created_at) \
                         VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (size) DO UPDATE SET size = excluded.size \
                         WHERE checkpoints.root = excluded.root AND checkpoints.note = excluded.note",
                    )
                    .bind(column(checkpoint.size)?)
                    .bind(checkpoint.root.as_bytes().as_slice())
                    .bind(&checkpoint.note)
                    .bind(checkpoint.created_at.0)
                    .execute(&self.pool)
                    .await
                    .map_err(failed)?;
                    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
                }
            }
        };
    };
}

pub(super) use sql_store;

/// A number of ours as a column.
pub(super) fn column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number)
        .map_err(|_| StoreError::Failed(format!("{number} is beyond a database integer").into()))
}

/// A column that counts.
pub(super) fn count(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Damaged(format!("{column} is not a count")))
}

/// A column that holds one digest.
pub(super) fn digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    Digest::try_from(bytes).map_err(|source| StoreError::Damaged(source.to_string()))
}

/// A column that holds digests one after another.
pub(super) fn digests(bytes: &[u8]) -> Result<Vec<Digest>, StoreError> {
    bytes.chunks(32).map(digest).collect()
}

/// Digests one after another.
pub(super) fn flatten(digests: &[Digest]) -> Vec<u8> {
    digests
        .iter()
        .flat_map(|digest| *digest.as_bytes())
        .collect()
}

/// Names what the database said in the terms of the store.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    match error.as_database_error().map(DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation) => StoreError::Conflict,
        Some(
            ErrorKind::CheckViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation,
        ) => StoreError::Refused(error.into()),
        _ => StoreError::Failed(error.into()),
    }
}
