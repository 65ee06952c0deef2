//! The statements of the erasures, the same text on both engines, and the store around them.

/// Asks for a key's destruction, once.
pub(super) const REQUEST: &str = "INSERT INTO erasures (tenant, applicant, event, actor, reason, recorded_at) \
                                  SELECT tenant, applicant, 'requested', $3, $4, $5 FROM applicant_keys \
                                  WHERE tenant = $1 AND applicant = $2 AND erased_at IS NULL \
                                  ON CONFLICT (tenant, applicant, event) DO NOTHING";
/// The conditions stand in the update itself too: a decision that is written meanwhile may prolong the hold.
pub(super) const DESTROY: &str = "UPDATE applicant_keys SET kek_id = NULL, wrapped_key = NULL, application_id = NULL, \
                                  erased_at = $1 WHERE erased_at IS NULL AND retain_until < $2 \
                                  AND (tenant, applicant) IN (SELECT k.tenant, k.applicant FROM erasures e \
                                  JOIN applicant_keys k ON k.tenant = e.tenant AND k.applicant = e.applicant \
                                  WHERE e.event = 'requested' AND k.erased_at IS NULL AND k.retain_until < $2 \
                                  LIMIT $3) \
                                  AND NOT EXISTS (SELECT 1 FROM decisions WHERE applicant IS NULL) RETURNING tenant";
pub(super) const ANY_CLEAR: &str =
    "SELECT 1 AS clear FROM decisions WHERE applicant IS NULL LIMIT 1";
/// One row for each application, also for one whose key somebody destroyed without asking.
macro_rules! erasures {
    ($condition:literal) => {
        concat!(
            "SELECT e.place, e.applicant, e.actor, e.reason, e.recorded_at, k.retain_until, k.erased_at \
             FROM erasures e JOIN applicant_keys k ON k.tenant = e.tenant AND k.applicant = e.applicant \
             WHERE e.tenant = $1 AND ",
            $condition,
            " AND (e.event = 'requested' OR NOT EXISTS (SELECT 1 FROM erasures r WHERE r.tenant = e.tenant \
             AND r.applicant = e.applicant AND r.event = 'requested'))"
        )
    };
}
pub(super) const ERASURE: &str = erasures!("e.applicant = $2");
pub(super) const ERASURES: &str = concat!(erasures!("e.place > $2"), " ORDER BY e.place LIMIT $3");
/// A row for each decision of each application, and one for an application without any.
pub(super) const EXECUTED: &str = "SELECT e.place, e.applicant, d.log_index FROM (SELECT place, tenant, applicant \
                                   FROM erasures WHERE event = 'executed' AND place > $1 ORDER BY place LIMIT $2) e \
                                   LEFT JOIN decisions d ON d.tenant = e.tenant AND d.applicant = e.applicant \
                                   ORDER BY e.place, d.log_index";

/// Defines the erasure store on one engine, beside its decision store.
macro_rules! sql_erasure_store {
    ($store:ident, $engine:ty) => {
        const _: () = {
            use fcs_core::{Digest, TenantId, UnixMicros};
            use fcs_decision::calendar::Day;
            use sqlx::Row as _;

            use $crate::privacy::Applicant;
            use $crate::store::erasure_sql as statements;
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{
                Erasure, ErasureRequest, ErasureStore, ExecutedErasure, Requested, StoreError,
            };

            type EngineRow = <$engine as sqlx::Database>::Row;

            /// Keys that one request destroys at most; others that are due go with it.
            const AT_ONCE: u32 = 100;

            fn erasure(row: &EngineRow) -> Result<Erasure, StoreFailure> {
                let applicant: Vec<u8> = row.try_get("applicant")?;
                let erased_at: Option<i64> = row.try_get("erased_at")?;
                Ok(Erasure {
                    place: sql::to_u64(row.try_get("place")?)?,
                    applicant: Digest::try_from(applicant.as_slice())?,
                    actor: row.try_get("actor")?,
                    reason: row.try_get("reason")?,
                    requested_at: UnixMicros(row.try_get("recorded_at")?),
                    retain_until: row.try_get::<String, _>("retain_until")?.parse()?,
                    erased_at: erased_at.map(UnixMicros),
                })
            }

            impl $store {
                async fn destroy(&self, now: UnixMicros, limit: u32) -> Result<u64, StoreFailure> {
                    let query = sqlx::query(statements::DESTROY)
                        .bind(now.0)
                        .bind(Day::of(now).to_string())
                        .bind(i64::from(limit));
                    Ok(self.rows(sql::EVERY_TENANT, query).await?.len() as u64)
                }

                async fn erasure_of(
                    &self,
                    applicant: &Applicant,
                ) -> Result<Requested, StoreFailure> {
                    let tenant = applicant.tenant.as_str();
                    let query = sqlx::query(statements::ERASURE)
                        .bind(tenant.to_owned())
                        .bind(applicant.index.as_bytes().to_vec());
                    if let Some(row) = self.rows(tenant, query).await?.first() {
                        return Ok(Requested::Noted(erasure(row)?));
                    }
                    let clear = sqlx::query(statements::ANY_CLEAR);
                    let clear = self.rows(sql::EVERY_TENANT, clear).await?;
                    Ok(if clear.is_empty() {
                        Requested::Unknown
                    } else {
                        Requested::InTheClear
                    })
                }
            }

            /// Rows of one application stand together.
            fn executed(rows: &[EngineRow]) -> Result<Vec<ExecutedErasure>, StoreFailure> {
                let mut executed: Vec<ExecutedErasure> = Vec::new();
                for row in rows {
                    let place = sql::to_u64(row.try_get("place")?)?;
                    let log_index: Option<i64> = row.try_get("log_index")?;
                    if executed.last().is_none_or(|last| last.place != place) {
                        let applicant: Vec<u8> = row.try_get("applicant")?;
                        executed.push(ExecutedErasure {
                            place,
                            applicant: Digest::try_from(applicant.as_slice())?,
                            log_indices: Vec::new(),
                        });
                    }
                    if let (Some(last), Some(log_index)) = (executed.last_mut(), log_index) {
                        last.log_indices.push(sql::to_u64(log_index)?);
                    }
                }
                Ok(executed)
            }

            #[async_trait::async_trait]
            impl ErasureStore for $store {
                async fn erase(
                    &self,
                    request: &ErasureRequest<'_>,
                ) -> Result<Requested, StoreError> {
                    sql::within("note an erasure", async {
                        let applicant =
                            self.vault.applicant(request.tenant, request.application_id);
                        let query = sqlx::query(statements::REQUEST)
                            .bind(applicant.tenant.as_str().to_owned())
                            .bind(applicant.index.as_bytes().to_vec())
                            .bind(request.actor.to_owned())
                            .bind(request.reason.to_owned())
                            .bind(request.at.0);
                        self.rows(sql::EVERY_TENANT, query).await?;
                        self.destroy(request.at, AT_ONCE).await?;
                        self.erasure_of(&applicant).await
                    })
                    .await
                }

                async fn erase_due(&self, now: UnixMicros, limit: u32) -> Result<u64, StoreError> {
                    sql::within(
                        "destroy keys whose hold has ended",
                        self.destroy(now, limit),
                    )
                    .await
                }

                async fn executed_erasures(
                    &self,
                    after_place: u64,
                    limit: u32,
                ) -> Result<Vec<ExecutedErasure>, StoreError> {
                    sql::within("read executed erasures", async {
                        let query = sqlx::query(statements::EXECUTED)
                            .bind(sql::to_i64(after_place))
                            .bind(i64::from(limit));
                        executed(&self.rows(sql::EVERY_TENANT, query).await?)
                    })
                    .await
                }

                async fn erasures(
                    &self,
                    tenant: &TenantId,
                    after_place: u64,
                    limit: u32,
                ) -> Result<Vec<Erasure>, StoreError> {
                    sql::within("read erasures", async {
                        let query = sqlx::query(statements::ERASURES)
                            .bind(tenant.as_str().to_owned())
                            .bind(sql::to_i64(after_place))
                            .bind(i64::from(limit));
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.iter()
                            .map(erasure)
                            .collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }
            }
        };
    };
}

pub(super) use sql_erasure_store;
