//! The statements of the shadow store, the same text on both engines but for the clock, and the store around them.

use fcs_core::Digest;
use fcs_decision::record::Outcome;
use fcs_decision::shadow::{DropReason, Side};

use super::ShadowDecision;
use super::sql::{StoreFailure, to_u64};

pub(super) const BEGIN: &str = "INSERT INTO shadow_arms \
    (arm, since_generation, model, after_index, position, holder, held_until) \
    SELECT $1, $2, $3, last_index, last_index, '', 0 FROM log_head WHERE id = 1 \
    ON CONFLICT (arm) DO UPDATE SET since_generation = excluded.since_generation, model = excluded.model, \
    after_index = excluded.after_index, position = excluded.position, holder = '', held_until = 0 \
    WHERE shadow_arms.since_generation < excluded.since_generation";
pub(super) const ADVANCE: &str = "UPDATE shadow_arms SET position = $1 \
                                  WHERE arm = $2 AND since_generation = $3 AND position = $4";
pub(super) const INSERT: &str = "INSERT INTO shadow_decisions (arm, log_index, tenant, live_arm, live_model, \
                                 live_outcome, live_score, live_probability, live_reasons, live_record_digest, \
                                 model, dropped, outcome, score, probability, reasons, record_digest) ";
pub(super) const PROGRESS: &str =
    "SELECT since_generation, model, after_index, position FROM shadow_arms WHERE arm = $1";
pub(super) const OUTCOMES: &str = "SELECT log_index, outcome FROM shadow_decisions WHERE arm = $1 AND model = $2 \
                                   AND log_index > $3 AND log_index <= $4 ORDER BY log_index LIMIT $5";
pub(super) const PAGE: &str = "SELECT arm, log_index, tenant, live_arm, live_model, live_outcome, live_score, \
                               live_probability, live_reasons, live_record_digest, model, dropped, outcome, score, \
                               probability, reasons, record_digest FROM shadow_decisions \
                               WHERE tenant = $1 AND arm = $2 AND log_index > $3 ORDER BY log_index LIMIT $4";

pub(super) fn outcome(text: &str) -> Result<Outcome, StoreFailure> {
    let mut known = Outcome::ALL.into_iter();
    let outcome = known.find(|outcome| outcome.as_str() == text);
    outcome.ok_or_else(|| format!("the store holds the outcome {text:?}").into())
}

/// The columns of one side as the engines give them.
pub(super) struct SideColumns {
    pub(super) model: String,
    pub(super) outcome: String,
    pub(super) score: i32,
    pub(super) probability: f64,
    pub(super) reasons: String,
    pub(super) record_digest: Vec<u8>,
}

impl SideColumns {
    fn side(self) -> Result<Side, StoreFailure> {
        Ok(Side {
            model: self.model.parse()?,
            outcome: outcome(&self.outcome)?,
            score: self.score,
            probability: self.probability,
            reason_codes: serde_json::from_str(&self.reasons)?,
            record_digest: Digest::try_from(self.record_digest.as_slice())?,
        })
    }
}

/// The columns of a row as the engines give them.
pub(super) struct ShadowColumns {
    pub(super) log_index: i64,
    pub(super) tenant: String,
    pub(super) arm: String,
    pub(super) model: String,
    pub(super) live_arm: String,
    pub(super) live: SideColumns,
    pub(super) dropped: Option<String>,
    /// `None` when it was dropped.
    pub(super) shadow: Option<SideColumns>,
}

impl ShadowColumns {
    pub(super) fn decision(self) -> Result<ShadowDecision, StoreFailure> {
        let result = match (self.shadow, self.dropped) {
            (Some(shadow), None) => Ok(shadow.side()?),
            (None, Some(reason)) => Err(DropReason::ALL
                .into_iter()
                .find(|known| known.as_str() == reason)
                .ok_or_else(|| format!("the store holds the drop reason {reason:?}"))?),
            _ => return Err("the store holds a shadow decision that is half there".into()),
        };
        Ok(ShadowDecision {
            log_index: to_u64(self.log_index)?,
            tenant: self.tenant.parse()?,
            arm: self.arm,
            model: self.model.parse()?,
            live_arm: self.live_arm,
            live: self.live.side()?,
            result,
        })
    }
}

/// Defines the shadow store on one engine, beside its decision store. The engine's clock in microseconds is `now`.
macro_rules! sql_shadow_store {
    ($store:ident, $engine:ty, begin = $begin:literal, now = $now:literal $(,)?) => {
        const _: () = {
            use std::time::Duration;

            use fcs_core::TenantId;
            use fcs_decision::shadow::Side;
            use sqlx::{Connection as _, Row as _};

            use $crate::app::traffic::ShadowArm;
            use $crate::store::shadow_sql::{self as shadow, ShadowColumns, SideColumns};
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{
                ShadowDecision, ShadowOutcome, ShadowProgress, ShadowStep, ShadowStore, StoreError,
            };

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;

            const HOLD: &str = concat!(
                "UPDATE shadow_arms SET holder = $1, held_until = ",
                $now,
                " + $2 WHERE arm = $3 AND since_generation = $4 AND (holder = $1 OR held_until < ",
                $now,
                ") RETURNING position",
            );

            async fn advance(
                connection: &mut Connection,
                step: &ShadowStep<'_>,
            ) -> Result<bool, StoreFailure> {
                let mut transaction = connection.begin_with($begin).await?;
                let moved = sqlx::query(shadow::ADVANCE)
                    .bind(sql::to_i64(step.to))
                    .bind(step.arm.name.as_str())
                    .bind(sql::to_i64(step.arm.since_generation))
                    .bind(sql::to_i64(step.from))
                    .execute(&mut *transaction)
                    .await?;
                if moved.rows_affected() == 0 {
                    transaction.rollback().await?;
                    return Ok(false);
                }
                if !step.rows.is_empty() {
                    insert(&mut transaction, step.rows).await?;
                }
                transaction.commit().await?;
                Ok(true)
            }

            async fn insert(
                connection: &mut Connection,
                rows: &[ShadowDecision],
            ) -> Result<(), StoreFailure> {
                let reasons = |side: &Side| serde_json::to_string(&side.reason_codes);
                let texts = rows
                    .iter()
                    .map(|row| {
                        Ok((
                            row,
                            reasons(&row.live)?,
                            row.result.as_ref().map(reasons).ok().transpose()?,
                        ))
                    })
                    .collect::<Result<Vec<_>, serde_json::Error>>()?;
                let mut query = sqlx::QueryBuilder::<$engine>::new(shadow::INSERT);
                query.push_values(
                    &texts,
                    |mut columns, (row, live_reasons, shadow_reasons)| {
                        let side = row.result.as_ref().ok();
                        columns
                            .push_bind(row.arm.as_str())
                            .push_bind(sql::to_i64(row.log_index))
                            .push_bind(row.tenant.as_str())
                            .push_bind(row.live_arm.as_str())
                            .push_bind(row.live.model.to_string())
                            .push_bind(row.live.outcome.as_str())
                            .push_bind(row.live.score)
                            .push_bind(row.live.probability)
                            .push_bind(live_reasons.as_str())
                            .push_bind(&row.live.record_digest.as_bytes()[..])
                            .push_bind(row.model.to_string())
                            .push_bind(row.result.as_ref().err().map(|reason| reason.as_str()))
                            .push_bind(side.map(|side| side.outcome.as_str()))
                            .push_bind(side.map(|side| side.score))
                            .push_bind(side.map(|side| side.probability))
                            .push_bind(shadow_reasons.as_deref())
                            .push_bind(side.map(|side| &side.record_digest.as_bytes()[..]));
                    },
                );
                query.build().execute(connection).await?;
                Ok(())
            }

            fn row(row: &EngineRow) -> Result<ShadowDecision, StoreFailure> {
                let outcome: Option<String> = row.try_get("outcome")?;
                let model: String = row.try_get("model")?;
                let shadow = outcome
                    .map(|outcome| {
                        Ok::<_, sqlx::Error>(SideColumns {
                            model: model.clone(),
                            outcome,
                            score: row.try_get("score")?,
                            probability: row.try_get("probability")?,
                            reasons: row.try_get("reasons")?,
                            record_digest: row.try_get("record_digest")?,
                        })
                    })
                    .transpose()?;
                ShadowColumns {
                    log_index: row.try_get("log_index")?,
                    tenant: row.try_get("tenant")?,
                    arm: row.try_get("arm")?,
                    model,
                    live_arm: row.try_get("live_arm")?,
                    live: SideColumns {
                        model: row.try_get("live_model")?,
                        outcome: row.try_get("live_outcome")?,
                        score: row.try_get("live_score")?,
                        probability: row.try_get("live_probability")?,
                        reasons: row.try_get("live_reasons")?,
                        record_digest: row.try_get("live_record_digest")?,
                    },
                    dropped: row.try_get("dropped")?,
                    shadow,
                }
                .decision()
            }

            #[async_trait::async_trait]
            impl ShadowStore for $store {
                async fn begin(&self, arm: &ShadowArm) -> Result<(), StoreError> {
                    sql::within("begin a shadow arm", async {
                        sqlx::query(shadow::BEGIN)
                            .bind(arm.name.as_str())
                            .bind(sql::to_i64(arm.since_generation))
                            .bind(arm.model.version.to_string())
                            .execute(&self.pool)
                            .await
                            .map(drop)
                    })
                    .await
                }

                async fn hold(
                    &self,
                    arm: &ShadowArm,
                    holder: &str,
                    time: Duration,
                ) -> Result<Option<u64>, StoreError> {
                    sql::within("take a shadow arm", async {
                        let hold = sqlx::query_scalar(HOLD)
                            .bind(holder)
                            .bind(i64::try_from(time.as_micros())?)
                            .bind(arm.name.as_str())
                            .bind(sql::to_i64(arm.since_generation));
                        let position: Option<i64> = hold.fetch_optional(&self.pool).await?;
                        position.map(sql::to_u64).transpose()
                    })
                    .await
                }

                async fn advance(&self, step: ShadowStep<'_>) -> Result<bool, StoreError> {
                    let failed =
                        |error: StoreFailure| StoreError::new("write shadow decisions", error);
                    let acquired = self.pool.acquire().await;
                    let mut connection = acquired.map_err(|error| failed(error.into()))?;
                    let write =
                        tokio::time::timeout(sql::WRITE_TIMEOUT, advance(&mut connection, &step));
                    let result = write.await.unwrap_or_else(|elapsed| Err(elapsed.into()));
                    if result.is_err() {
                        // The state of the connection is unknown: close it instead of giving it back to the pool.
                        drop(connection.detach());
                    }
                    result.map_err(failed)
                }

                async fn progress(&self, arm: &str) -> Result<Option<ShadowProgress>, StoreError> {
                    sql::within("read how far a shadow arm is", async {
                        let query = sqlx::query(shadow::PROGRESS).bind(arm);
                        let Some(row) = query.fetch_optional(&self.pool).await? else {
                            return Ok(None);
                        };
                        Ok::<_, StoreFailure>(Some(ShadowProgress {
                            since_generation: sql::to_u64(row.try_get("since_generation")?)?,
                            model: row.try_get::<String, _>("model")?.parse()?,
                            after_index: sql::to_u64(row.try_get("after_index")?)?,
                            position: sql::to_u64(row.try_get("position")?)?,
                        }))
                    })
                    .await
                }

                async fn outcome_page(
                    &self,
                    arm: &str,
                    progress: &ShadowProgress,
                    after_index: u64,
                    limit: u32,
                ) -> Result<Vec<ShadowOutcome>, StoreError> {
                    sql::within("read outcomes of a shadow arm", async {
                        let query = sqlx::query(shadow::OUTCOMES)
                            .bind(arm.to_owned())
                            .bind(progress.model.to_string())
                            .bind(sql::to_i64(after_index.max(progress.after_index)))
                            .bind(sql::to_i64(progress.position))
                            .bind(i64::from(limit));
                        let rows = self.rows(sql::EVERY_TENANT, query).await?;
                        let read = |row: &EngineRow| {
                            let outcome: Option<String> = row.try_get("outcome")?;
                            let outcome = outcome.as_deref().map(shadow::outcome).transpose()?;
                            let log_index = sql::to_u64(row.try_get("log_index")?)?;
                            Ok(ShadowOutcome { log_index, outcome })
                        };
                        rows.iter().map(read).collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }

                async fn shadow_page(
                    &self,
                    tenant: &TenantId,
                    arm: &str,
                    after_index: u64,
                    limit: u32,
                ) -> Result<Vec<ShadowDecision>, StoreError> {
                    sql::within("read shadow decisions", async {
                        let query = sqlx::query(shadow::PAGE)
                            .bind(tenant.as_str())
                            .bind(arm.to_owned())
                            .bind(sql::to_i64(after_index))
                            .bind(i64::from(limit));
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.iter().map(row).collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }
            }
        };
    };
}

pub(super) use sql_shadow_store;
