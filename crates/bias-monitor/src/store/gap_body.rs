//! The part of the store that keeps evidence on gaps, on either engine.

/// Defines it for a store of [`super::evidence_body::sql_evidence_store`].
macro_rules! sql_gap_store {
    ($store:ident, $engine:ty, begin_write = $begin_write:literal $(,)?) => {
        const _: () = {
            use std::collections::BTreeMap;

            use fcs_core::Digest;
            use sqlx::{AssertSqlSafe, Connection as _};

            use $crate::app::evidence::Candidate;
            use $crate::app::gaps::{GapLedger, GapTurn, GapTurned, ShadowArm};
            use $crate::store::evidence_sql as sql;
            use $crate::store::sql::{StoreFailure, index_to_i64, to_u64};
            use $crate::store::{GapStore, StoreError};

            type Connection = <$engine as sqlx::Database>::Connection;

            /// How far an arm's outcomes are in the evidence under a policy.
            async fn position(
                connection: &mut Connection,
                arm: &ShadowArm,
                policy: Digest,
            ) -> Result<u64, StoreFailure> {
                let of_model = sqlx::query_scalar(sql::MODEL_INDEX)
                    .bind(arm.model.as_str())
                    .bind(policy.to_string());
                let of_model: Option<i64> = of_model.fetch_one(&mut *connection).await?;
                let of_model = of_model.map(to_u64).transpose()?.unwrap_or(0);
                Ok(of_model.max(arm.after_index))
            }

            async fn take(
                connection: &mut Connection,
                turn: &GapTurn<'_>,
            ) -> Result<Option<GapTurned>, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let progress = <$store>::locked(&mut transaction).await?;
                let policy = turn.terms.policy.digest();
                if position(&mut transaction, turn.arm, policy).await? != turn.page.after_index {
                    transaction.rollback().await?;
                    return Ok(None);
                }
                let ledger = ledger(&mut transaction, turn).await?;
                let turned = turn.run(ledger);
                for (id, watched) in &turned.watched {
                    let columns = sql::WatchColumns::of(id, watched)?;
                    let query = sqlx::query(sql::PUT_GAP_WATCH)
                        .bind(columns.model)
                        .bind(columns.baseline)
                        .bind(columns.attribute)
                        .bind(columns.group)
                        .bind(policy.to_string())
                        .bind(columns.watch)
                        .bind(columns.judgement)
                        .bind(columns.alarm);
                    query.execute(&mut *transaction).await?;
                }
                let arm = sqlx::query(sql::PUT_ARM)
                    .bind(turn.arm.name.as_str())
                    .bind(index_to_i64(turn.arm.since_generation)?)
                    .bind(turn.arm.model.as_str())
                    .bind(policy.to_string())
                    .bind(index_to_i64(turned.last_index)?);
                arm.execute(&mut *transaction).await?;
                let entry = progress.last_entry;
                let last_entry = <$store>::tell(&mut transaction, &turned.news, entry).await?;
                let advance = sqlx::query(sql::ADVANCE)
                    .bind(progress.policy)
                    .bind(index_to_i64(progress.last_index)?)
                    .bind(index_to_i64(last_entry)?);
                advance.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(Some(turned))
            }

            /// What is known before a turn. Nothing is known under another policy.
            async fn ledger(
                connection: &mut Connection,
                turn: &GapTurn<'_>,
            ) -> Result<GapLedger, StoreFailure> {
                let counted: i64 = sqlx::query_scalar(sql::COUNTED_INDEX)
                    .fetch_one(&mut *connection)
                    .await?;
                let watches = sqlx::query(sql::GAP_WATCHES)
                    .bind(turn.arm.model.as_str())
                    .bind(turn.terms.policy.digest().to_string());
                let watched = <$store>::watched(&watches.fetch_all(&mut *connection).await?)?;
                Ok(GapLedger {
                    counted_index: to_u64(counted)?,
                    decisions: decisions(connection, turn).await?,
                    watched: watched.into_iter().collect(),
                })
            }

            /// The live decisions of a page, by log index.
            async fn decisions(
                connection: &mut Connection,
                turn: &GapTurn<'_>,
            ) -> Result<BTreeMap<u64, Candidate>, StoreFailure> {
                let indices = turn.page.outcomes.iter();
                let indices: Vec<_> = indices.map(|it| it.log_index.to_string()).collect();
                if indices.is_empty() {
                    return Ok(BTreeMap::new());
                }
                let select = format!("{} ({})", sql::DECISIONS_AMONG, indices.join(", "));
                let query = sqlx::query(AssertSqlSafe(select)).persistent(false);
                let rows = query.fetch_all(&mut *connection).await?;
                let candidates = <$store>::known_of(connection, &rows).await?;
                Ok(candidates
                    .into_iter()
                    .map(|it| (it.log_index, it))
                    .collect())
            }

            #[async_trait::async_trait]
            impl GapStore for $store {
                async fn position(
                    &self,
                    arm: &ShadowArm,
                    policy: Digest,
                ) -> Result<u64, StoreError> {
                    const ATTEMPT: &str = "read how far a shadow arm is in the evidence";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = position(&mut connection, arm, policy);
                    let result = tokio::time::timeout(sql::TURN_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn take_gap_turn(
                    &self,
                    turn: &GapTurn<'_>,
                ) -> Result<Option<GapTurned>, StoreError> {
                    const ATTEMPT: &str = "take outcomes of a shadow arm into evidence";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = take(&mut connection, turn);
                    let result = tokio::time::timeout(sql::TURN_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_gap_store;
