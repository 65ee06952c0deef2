//! The statements of the privacy store, the same text on both engines, and the store around them.

use std::collections::BTreeMap;

use fcs_core::{ApplicationId, Digest, TenantId, UnixMicros};
use fcs_decision::calendar::Day;
use fcs_decision::record::DecisionRecord;

use super::columns::record_place;
use super::place::{Keys, WantedKey};
use super::sql::StoreFailure;
use super::{RETENTION_MONTHS, retain_until};
use crate::privacy::Vault;

pub(super) const CHECKS: &str = "SELECT key_id, proof FROM key_checks";
pub(super) const INSERT_CHECK: &str =
    "INSERT INTO key_checks (key_id, proof) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING";
pub(super) const KEKS_IN_USE: &str = "SELECT key_id FROM key_checks WHERE EXISTS \
                                      (SELECT 1 FROM applicant_keys WHERE kek_id = key_checks.key_id)";
pub(super) const CLEAR_DECISIONS: &str = "SELECT log_index, tenant, decision_id, application_id, decided_at, record \
                                          FROM decisions WHERE applicant IS NULL LIMIT $1";
pub(super) const SEAL_DECISION: &str = "UPDATE decisions SET record = $1, application_id = '', applicant = $2 \
                                        WHERE log_index = $3 AND applicant IS NULL";
pub(super) const KEYS_OF_KEK: &str =
    "SELECT tenant, applicant, kek_id, wrapped_key FROM applicant_keys WHERE kek_id = $1 LIMIT $2";
pub(super) const REWRAP: &str = "UPDATE applicant_keys SET kek_id = $1, wrapped_key = $2 \
                                 WHERE tenant = $3 AND applicant = $4 AND kek_id = $5 RETURNING kek_id";

/// Fails when the store has been used with other keys than those of the file.
pub(super) fn compare(vault: &Vault, noted: &BTreeMap<String, Digest>) -> Result<(), StoreFailure> {
    for (id, proof) in vault.proofs() {
        if noted.get(id).is_some_and(|other| *other != proof) {
            let message = format!(
                "the key {id:?} of the file is not the one that this store has been used with; put the right key file \
                 into gateway.privacy.key_file"
            );
            return Err(message.into());
        }
    }
    Ok(())
}

/// Fails when data keys are wrapped by a key that the file lacks.
pub(super) fn check_present(vault: &Vault, in_use: &[String]) -> Result<(), StoreFailure> {
    let proofs = vault.proofs();
    let lacks = |id: &&String| proofs.iter().all(|(known, _)| known != id);
    match in_use.iter().find(lacks) {
        None => Ok(()),
        Some(id) => Err(format!(
            "the file of gateway.privacy.key_file lacks the key-encryption key {id:?}, which is in use; put it back \
             below the new one until every data key is wrapped anew"
        )
        .into()),
    }
}

/// A decision from before encryption.
pub(super) struct ClearDecision {
    pub(super) log_index: i64,
    tenant: TenantId,
    decision_id: String,
    application_id: ApplicationId,
    retain_until: Day,
    record: Vec<u8>,
}

/// Its columns as the engines give them.
pub(super) struct ClearColumns {
    pub(super) log_index: i64,
    pub(super) tenant: String,
    pub(super) decision_id: String,
    pub(super) application_id: String,
    pub(super) decided_at: i64,
    pub(super) record: Vec<u8>,
}

impl ClearColumns {
    pub(super) fn decision(self) -> Result<ClearDecision, StoreFailure> {
        let assumed = || Day::of(UnixMicros(self.decided_at)).plus_months(RETENTION_MONTHS);
        let record = DecisionRecord::from_bytes(&self.record);
        Ok(ClearDecision {
            log_index: self.log_index,
            tenant: self.tenant.parse()?,
            decision_id: self.decision_id,
            application_id: self.application_id.parse()?,
            retain_until: record.map_or_else(|_| assumed(), |record| retain_until(&record)),
            record: self.record,
        })
    }
}

impl ClearDecision {
    pub(super) const fn wanted_key(&self) -> WantedKey<'_> {
        WantedKey {
            tenant: &self.tenant,
            application_id: &self.application_id,
            retain_until: self.retain_until,
        }
    }

    /// The sealed record and the blind index.
    pub(super) fn seal(
        &self,
        keys: &Keys,
        vault: &Vault,
    ) -> Result<(Vec<u8>, Vec<u8>), StoreFailure> {
        let applicant = vault.applicant(&self.tenant, &self.application_id);
        let key = keys.get(&applicant).and_then(Option::as_ref);
        let key = key.ok_or("a decision on an application that was erased is in the clear")?;
        let row = [self.decision_id.as_bytes()];
        let record = key.seal(&record_place(&row), &self.record);
        Ok((record, applicant.index.as_bytes().to_vec()))
    }
}

/// Defines the privacy store on one engine, beside its decision store.
macro_rules! sql_privacy_store {
    ($store:ident, $engine:ty, begin = $begin:literal $(,)?) => {
        const _: () = {
            use std::collections::BTreeMap;

            use fcs_core::Digest;
            use sqlx::{Connection as _, Row as _};

            use $crate::store::case_sql as cases;
            use $crate::store::privacy_sql as privacy;
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{PrivacyStore, StoreError};

            type Connection = <$engine as sqlx::Database>::Connection;

            impl $store {
                async fn noted_keys(&self) -> Result<BTreeMap<String, Digest>, StoreFailure> {
                    let rows = sqlx::query(privacy::CHECKS).fetch_all(&self.pool).await?;
                    let noted = rows.iter().map(|row| {
                        let proof: Vec<u8> = row.try_get("proof")?;
                        Ok((row.try_get("key_id")?, Digest::try_from(proof.as_slice())?))
                    });
                    noted.collect()
                }

                async fn seal_batch(
                    &self,
                    connection: &mut Connection,
                    limit: u32,
                ) -> Result<u64, StoreFailure> {
                    let mut transaction = connection.begin_with($begin).await?;
                    let rows = sqlx::query(privacy::CLEAR_DECISIONS)
                        .bind(i64::from(limit))
                        .fetch_all(&mut *transaction)
                        .await?;
                    let mut clear = Vec::with_capacity(rows.len());
                    for row in &rows {
                        let columns = privacy::ClearColumns {
                            log_index: row.try_get("log_index")?,
                            tenant: row.try_get("tenant")?,
                            decision_id: row.try_get("decision_id")?,
                            application_id: row.try_get("application_id")?,
                            decided_at: row.try_get("decided_at")?,
                            record: row.try_get("record")?,
                        };
                        clear.push(columns.decision()?);
                    }
                    let wanted = clear.iter().map(privacy::ClearDecision::wanted_key);
                    let keys = Self::insert_keys(&mut transaction, wanted, &self.vault).await?;
                    for decision in &clear {
                        let (record, applicant) = decision.seal(&keys, &self.vault)?;
                        let update = sqlx::query(privacy::SEAL_DECISION)
                            .bind(record)
                            .bind(applicant)
                            .bind(decision.log_index);
                        update.execute(&mut *transaction).await?;
                    }
                    transaction.commit().await?;
                    Ok(clear.len() as u64)
                }
            }

            #[async_trait::async_trait]
            impl PrivacyStore for $store {
                async fn check_keys(&self) -> Result<(), StoreError> {
                    sql::within("compare the keys of applicants' data", async {
                        privacy::compare(&self.vault, &self.noted_keys().await?)?;
                        let query = sqlx::query(privacy::KEKS_IN_USE);
                        let rows = self.rows(sql::EVERY_TENANT, query).await?;
                        let in_use = rows.iter().map(|row| row.try_get("key_id"));
                        let in_use = in_use.collect::<Result<Vec<String>, _>>()?;
                        privacy::check_present(&self.vault, &in_use)?;
                        for (id, proof) in self.vault.proofs() {
                            let insert = sqlx::query(privacy::INSERT_CHECK)
                                .bind(id)
                                .bind(&proof.as_bytes()[..]);
                            insert.execute(&self.pool).await?;
                        }
                        // Another gateway may have been here first, with another file.
                        privacy::compare(&self.vault, &self.noted_keys().await?)
                    })
                    .await
                }

                async fn seal_decisions(&self, limit: u32) -> Result<u64, StoreError> {
                    const ATTEMPT: &str = "encrypt decisions from before encryption";
                    let failed = |error: StoreFailure| StoreError::new(ATTEMPT, error);
                    let mut connection = self
                        .pool
                        .acquire()
                        .await
                        .map_err(|error| failed(error.into()))?;
                    let batch = self.seal_batch(&mut connection, limit);
                    let result = tokio::time::timeout(sql::WRITE_TIMEOUT, batch).await;
                    let result = result.unwrap_or_else(|elapsed| Err(elapsed.into()));
                    if result.is_err() {
                        drop(connection.detach());
                    }
                    result.map_err(failed)
                }

                async fn seal_reviews(&self, limit: u32) -> Result<u64, StoreError> {
                    sql::within("encrypt reviews from before encryption", async {
                        let query = sqlx::query(cases::CLEAR_REVIEWS).bind(i64::from(limit));
                        let rows = self.rows(sql::EVERY_TENANT, query).await?;
                        for row in &rows {
                            let review = self.review(row)?;
                            let key = cases::key_of(Self::key_columns(row)?.keeping(&self.vault)?)?;
                            let key = key.ok_or("the decision of a review is in the clear")?;
                            let sealed =
                                cases::ReviewTexts::of(&review).seal(review.review_id, &key)?;
                            let update = sqlx::query(cases::SEAL_REVIEW)
                                .bind(sealed)
                                .bind(review.review_id.to_string());
                            self.rows(sql::EVERY_TENANT, update).await?;
                        }
                        Ok::<_, StoreFailure>(rows.len() as u64)
                    })
                    .await
                }

                async fn rewrap_keys(&self, limit: u32) -> Result<u64, StoreError> {
                    sql::within("wrap data keys anew", async {
                        let mut count = 0;
                        for kek in self.vault.former_keks() {
                            let query = sqlx::query(privacy::KEYS_OF_KEK)
                                .bind(kek)
                                .bind(i64::from(limit));
                            let rows = self.rows(sql::EVERY_TENANT, query).await?;
                            for row in &rows {
                                let applicant = Self::applicant(row)?;
                                let Some(wrapped) = Self::wrapped_key(row)? else {
                                    continue;
                                };
                                let anew = self.vault.rewrap(&applicant, &wrapped)?;
                                // A key that was erased meanwhile has no key-encryption key any more.
                                let update = sqlx::query(privacy::REWRAP)
                                    .bind(anew.kek_id)
                                    .bind(anew.bytes)
                                    .bind(applicant.tenant.as_str())
                                    .bind(applicant.index.as_bytes().to_vec())
                                    .bind(wrapped.kek_id);
                                count += self.rows(sql::EVERY_TENANT, update).await?.len() as u64;
                            }
                        }
                        Ok::<_, StoreFailure>(count)
                    })
                    .await
                }
            }
        };
    };
}

pub(super) use sql_privacy_store;
