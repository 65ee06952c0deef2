//! The SQL of rollouts that PostgreSQL and SQLite share, once for both.

/// Rollouts on a store: its name, its row's type, how a transaction begins.
macro_rules! rollout_store {
    ($store:ident, $row:ty, $begin:literal) => {
        const _: () = {
            use async_trait::async_trait;
            use fcs_core::UnixMicros;
            use sqlx::Row as _;

            use crate::store::StoreError;
            use crate::store::rollouts::{
                Lease, LeaseClaim, NewRolloutEvent, Part, RolloutRow, RolloutStore, RolloutSummary,
                StoredRollout, StoredRolloutEvent,
            };
            use crate::store::sql::{column, count, digest, failed};

            type Connection = <<$row as sqlx::Row>::Database as sqlx::Database>::Connection;

            fn rollout_row(row: &$row) -> Result<RolloutRow, StoreError> {
                let summary = RolloutSummary {
                    environment: row.try_get("environment").map_err(failed)?,
                    model: row.try_get("model").map_err(failed)?,
                    requester: row.try_get("requester").map_err(failed)?,
                    phase: row.try_get("phase").map_err(failed)?,
                    approvals: count(row.try_get("approvals").map_err(failed)?)?,
                    has_broken_glass: row.try_get::<i64, _>("has_broken_glass").map_err(failed)? == 1,
                };
                Ok(RolloutRow {
                    rollout_id: row.try_get("rollout_id").map_err(failed)?,
                    summary,
                    last_sequence: count(row.try_get("last_sequence").map_err(failed)?)?,
                    updated_at: UnixMicros(row.try_get("updated_at").map_err(failed)?),
                })
            }

            fn rollout_event(row: &$row) -> Result<StoredRolloutEvent, StoreError> {
                let bytes: Vec<u8> = row.try_get("digest").map_err(failed)?;
                Ok(StoredRolloutEvent {
                    sequence: count(row.try_get("sequence").map_err(failed)?)?,
                    occurred_at: UnixMicros(row.try_get("occurred_at").map_err(failed)?),
                    actor: row.try_get("actor").map_err(failed)?,
                    detail: row.try_get("detail").map_err(failed)?,
                    digest: digest(&bytes)?,
                    leaf_index: count(row.try_get("leaf_index").map_err(failed)?)?,
                    leaf: row.try_get("data").map_err(failed)?,
                })
            }

            /// Locks the lease's row until the transaction ends, so nobody takes it before the write is visible.
            async fn hold(connection: &mut Connection, lease: &Lease) -> Result<(), StoreError> {
                let done = sqlx::query(
                    "UPDATE leases SET epoch = epoch WHERE name = $1 AND holder = $2 AND epoch = $3",
                )
                .bind(&lease.name)
                .bind(&lease.holder)
                .bind(column(lease.epoch)?)
                .execute(connection)
                .await
                .map_err(failed)?;
                if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
            }

            /// Writes the row when the history stands right before the event. The leaf was appended before, so the
            /// log's lock is held and no deployment can begin to move the traffic in between.
            async fn put_row(
                connection: &mut Connection,
                event: &NewRolloutEvent,
            ) -> Result<(), StoreError> {
                let statement = if event.sequence == 1 {
                    "INSERT INTO rollouts (rollout_id, environment, model, requester, phase, approvals, \
                     has_broken_glass, last_sequence, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                } else {
                    "UPDATE rollouts SET phase = $5, approvals = $6, has_broken_glass = $7, \
                     last_sequence = $8, updated_at = $9 \
                     WHERE rollout_id = $1 AND environment = $2 AND model = $3 AND requester = $4 \
                     AND last_sequence = $8 - 1 \
                     AND NOT ($5 = 'preparing' AND EXISTS (SELECT 1 FROM deployments \
                         WHERE environment = $2 AND state IN ('activating', 'rolling_back')))"
                };
                let summary = &event.summary;
                let done = sqlx::query(statement)
                    .bind(&event.rollout_id)
                    .bind(&summary.environment)
                    .bind(&summary.model)
                    .bind(&summary.requester)
                    .bind(&summary.phase)
                    .bind(column(summary.approvals)?)
                    .bind(i64::from(summary.has_broken_glass))
                    .bind(column(event.sequence)?)
                    .bind(event.occurred_at.0)
                    .execute(connection)
                    .await
                    .map_err(failed)?;
                if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
            }

            /// Gives people their part. One who has another part already is refused by the key.
            async fn put_part(
                connection: &mut Connection,
                rollout_id: &str,
                part: &Part,
            ) -> Result<(), StoreError> {
                let (identities, part) = match part {
                    Part::Makers(identities) => (identities.as_slice(), "maker"),
                    Part::Approver(identity) => (std::slice::from_ref(identity), "approver"),
                };
                for identity in identities {
                    sqlx::query(
                        "INSERT INTO rollout_people (rollout_id, identity, part) VALUES ($1, $2, $3)",
                    )
                    .bind(rollout_id)
                    .bind(identity)
                    .bind(part)
                    .execute(&mut *connection)
                    .await
                    .map_err(|error| StoreError::Refused(error.into()))?;
                }
                Ok(())
            }

            async fn put_rollout_event(
                connection: &mut Connection,
                event: &NewRolloutEvent,
            ) -> Result<(), StoreError> {
                let leaf_index = $store::append_leaf(connection, &event.leaf).await?;
                put_row(connection, event).await?;
                if let Some(part) = &event.part {
                    put_part(connection, &event.rollout_id, part).await?;
                }
                sqlx::query(
                    "INSERT INTO rollout_events (rollout_id, sequence, occurred_at, actor, kind, detail, \
                     digest, leaf_index) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                )
                .bind(&event.rollout_id)
                .bind(column(event.sequence)?)
                .bind(event.occurred_at.0)
                .bind(&event.actor)
                .bind(&event.kind)
                .bind(&event.detail)
                .bind(event.digest.as_bytes().as_slice())
                .bind(leaf_index)
                .execute(connection)
                .await
                .map_err(failed)?;
                Ok(())
            }

            #[async_trait]
            impl RolloutStore for $store {
                async fn append_rollout(
                    &self,
                    events: &[NewRolloutEvent],
                    lease: Option<&Lease>,
                ) -> Result<(), StoreError> {
                    let mut transaction = self.pool.begin_with($begin).await.map_err(failed)?;
                    if let Some(lease) = lease {
                        hold(&mut transaction, lease).await?;
                    }
                    for event in events {
                        put_rollout_event(&mut transaction, event).await?;
                    }
                    transaction.commit().await.map_err(failed)
                }

                async fn rollout(&self, id: &str) -> Result<Option<StoredRollout>, StoreError> {
                    // One statement, so row and events are of one moment.
                    let rows = sqlx::query(
                        "SELECT r.environment, r.model, r.requester, r.phase, r.approvals, \
                         r.has_broken_glass, r.last_sequence, r.updated_at, e.*, l.data FROM rollouts r \
                         JOIN rollout_events e ON e.rollout_id = r.rollout_id \
                         JOIN leaves l ON l.leaf_index = e.leaf_index \
                         WHERE r.rollout_id = $1 ORDER BY e.sequence",
                    )
                    .bind(id)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
                    let Some(first) = rows.first() else { return Ok(None) };
                    let row = rollout_row(first)?;
                    let events = rows.iter().map(rollout_event).collect::<Result<_, _>>()?;
                    Ok(Some(StoredRollout { row, events }))
                }

                async fn rollouts(&self, limit: u32) -> Result<Vec<RolloutRow>, StoreError> {
                    let rows = sqlx::query("SELECT * FROM rollouts ORDER BY rollout_id DESC LIMIT $1")
                        .bind(i64::from(limit))
                        .fetch_all(&self.pool)
                        .await
                        .map_err(failed)?;
                    rows.iter().map(rollout_row).collect()
                }

                async fn open_rollouts(&self, environment: &str) -> Result<Vec<String>, StoreError> {
                    let rows = sqlx::query(
                        "SELECT rollout_id FROM rollouts WHERE environment = $1 AND phase NOT IN \
                         ('proposed', 'queued', 'succeeded', 'rolled_back', 'rejected', 'expired', \
                          'cancelled', 'superseded') ORDER BY rollout_id",
                    )
                    .bind(environment)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
                    rows.iter().map(|row| row.try_get(0).map_err(failed)).collect()
                }

                async fn claim(&self, claim: LeaseClaim<'_>) -> Result<Option<Lease>, StoreError> {
                    let row = sqlx::query(
                        "INSERT INTO leases (name, holder, epoch, held_until) VALUES ($1, $2, 1, $4) \
                         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
                         epoch = CASE WHEN leases.holder = excluded.holder THEN leases.epoch \
                             ELSE leases.epoch + 1 END, \
                         held_until = excluded.held_until \
                         WHERE leases.holder = excluded.holder OR leases.held_until <= $3 \
                         RETURNING epoch",
                    )
                    .bind(claim.name)
                    .bind(claim.holder)
                    .bind(claim.now.0)
                    .bind(claim.until.0)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(failed)?;
                    let Some(row) = row else { return Ok(None) };
                    Ok(Some(Lease {
                        name: claim.name.to_owned(),
                        holder: claim.holder.to_owned(),
                        epoch: count(row.try_get(0).map_err(failed)?)?,
                    }))
                }

                async fn epoch(&self, name: &str) -> Result<u64, StoreError> {
                    let row = sqlx::query("SELECT epoch FROM leases WHERE name = $1")
                        .bind(name)
                        .fetch_optional(&self.pool)
                        .await
                        .map_err(failed)?;
                    row.map_or(Ok(0), |row| count(row.try_get(0).map_err(failed)?))
                }
            }
        };
    };
}

pub(super) use rollout_store;
