//! The statements of the case store, the same text on both engines, and the store around them.

use fcs_core::{Digest, ReviewId, UnixMicros, UnreadableJson};
use serde::{Deserialize, Serialize};

use super::cases::{Delivery, DeliveryChannel, Review, ReviewOutcome, ReviewReason};
use super::columns::{Keeping, KeyColumns};
use super::sql::StoreFailure;
use super::statements::with_key;
use crate::privacy::{DataKey, Place, Vault};

pub(super) const INSERT_KEY: &str =
    "INSERT INTO signing_keys (purpose, key) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING";
pub(super) const KEY: &str = "SELECT key FROM signing_keys WHERE purpose = $1";
/// The key of a decision's applicant.
pub(super) const DECISION_KEY: &str = concat!(
    "SELECT d.tenant, d.applicant, k.kek_id, k.wrapped_key, k.erased_at FROM decisions d",
    with_key!(),
    "WHERE d.tenant = $1 AND d.decision_id = $2"
);
pub(super) const INSERT_REVIEW: &str = "INSERT INTO reviews (review_id, decision_id, reviewer, outcome, reasons, note, \
                                        reviewed_at, client, key, fingerprint, sealed) \
                                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                                        ON CONFLICT (client, key) DO NOTHING";
macro_rules! reviews {
    () => {
        concat!(
            "SELECT r.review_id, r.decision_id, r.reviewer, r.outcome, r.reasons, r.note, r.reviewed_at, r.key, \
             r.fingerprint, r.sealed, d.tenant, d.applicant, k.kek_id, k.wrapped_key, k.erased_at \
             FROM reviews r JOIN decisions d ON d.decision_id = r.decision_id",
            with_key!()
        )
    };
}
pub(super) const REVIEW_OF: &str = concat!(
    reviews!(),
    "WHERE d.tenant = $1 AND r.client = $2 AND r.key IN ($3, $4)"
);
pub(super) const REVIEWS: &str = concat!(
    reviews!(),
    "WHERE d.tenant = $1 AND r.decision_id = $2 ORDER BY r.place LIMIT $3"
);
pub(super) const CLEAR_REVIEWS: &str = concat!(
    reviews!(),
    "WHERE r.sealed IS NULL AND d.applicant IS NOT NULL LIMIT $1"
);
pub(super) const SEAL_REVIEW: &str = "UPDATE reviews SET reviewer = '', reasons = '[]', note = '', sealed = $1 \
                                      WHERE review_id = $2 AND sealed IS NULL RETURNING review_id";
pub(super) const INSERT_DELIVERY: &str = "INSERT INTO notice_deliveries (decision_id, channel, sent_at, notice_digest, \
                                          recorded_at, client, key, fingerprint) \
                                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                                          ON CONFLICT (client, key) DO NOTHING";
pub(super) const DELIVERY_OF: &str = "SELECT decision_id, channel, sent_at, notice_digest, recorded_at, key, \
                                      fingerprint FROM notice_deliveries WHERE client = $1 AND key IN ($2, $3)";
pub(super) const DELIVERIES: &str = "SELECT decision_id, channel, sent_at, notice_digest, recorded_at, key, fingerprint \
                                     FROM notice_deliveries WHERE decision_id = $1 ORDER BY place LIMIT $2";

/// What a person wrote in a review; sealed as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewTexts {
    pub(super) reviewer: String,
    pub(super) reasons: Vec<ReviewReason>,
    pub(super) note: String,
}

fn texts_place<'a>(row: &'a [&'a [u8]; 1]) -> Place<'a> {
    Place {
        table: "reviews",
        row,
        column: "sealed",
    }
}

impl ReviewTexts {
    pub(super) fn of(review: &Review) -> Self {
        Self {
            reviewer: review.reviewer.clone(),
            reasons: review.reasons.clone(),
            note: review.note.clone(),
        }
    }

    /// What stands in the columns of a sealed review.
    pub(super) const fn none() -> Self {
        Self {
            reviewer: String::new(),
            reasons: Vec::new(),
            note: String::new(),
        }
    }

    pub(super) fn seal(&self, review_id: ReviewId, key: &DataKey) -> Result<Vec<u8>, StoreFailure> {
        let id = review_id.to_string();
        Ok(key.seal(&texts_place(&[id.as_bytes()]), &serde_json::to_vec(self)?))
    }

    fn open(sealed: &[u8], review_id: &str, key: &DataKey) -> Result<Self, StoreFailure> {
        let plain = key.open(&texts_place(&[review_id.as_bytes()]), sealed)?;
        Ok(serde_json::from_slice(&plain).map_err(UnreadableJson::from)?)
    }
}

/// The key that seals what is written about a decision; `None` where the decision is not sealed yet.
pub(super) fn key_of(keeping: Keeping) -> Result<Option<DataKey>, StoreFailure> {
    match keeping {
        Keeping::Clear => Ok(None),
        Keeping::Sealed(_, key) => Ok(Some(*key)),
        Keeping::Erased(..) => Err("the application was erased".into()),
    }
}

/// The columns of a review as the engines give them.
pub(super) struct ReviewColumns {
    pub(super) review_id: String,
    pub(super) decision_id: String,
    pub(super) reviewer: String,
    pub(super) outcome: String,
    pub(super) reasons: String,
    pub(super) note: String,
    pub(super) reviewed_at: i64,
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) key: KeyColumns,
}

impl ReviewColumns {
    pub(super) fn review(self, vault: &Vault) -> Result<Review, StoreFailure> {
        let texts = match (self.sealed, key_of(self.key.keeping(vault)?)?) {
            (Some(sealed), Some(key)) => ReviewTexts::open(&sealed, &self.review_id, &key)?,
            (Some(_), None) => {
                return Err("a sealed review is about a decision in the clear".into());
            }
            (None, _) => ReviewTexts {
                reviewer: self.reviewer,
                reasons: serde_json::from_str(&self.reasons).map_err(UnreadableJson::from)?,
                note: self.note,
            },
        };
        let outcome = ReviewOutcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == self.outcome)
            .ok_or_else(|| format!("the store holds the outcome {:?}", self.outcome))?;
        Ok(Review {
            review_id: self.review_id.parse()?,
            decision_id: self.decision_id.parse()?,
            reviewer: texts.reviewer,
            outcome,
            reasons: texts.reasons,
            note: texts.note,
            reviewed_at: UnixMicros(self.reviewed_at),
        })
    }
}

/// The columns of a delivery as the engines give them.
pub(super) struct DeliveryColumns {
    pub(super) decision_id: String,
    pub(super) channel: String,
    pub(super) sent_at: i64,
    pub(super) notice_digest: Vec<u8>,
    pub(super) recorded_at: i64,
}

impl DeliveryColumns {
    pub(super) fn delivery(self) -> Result<Delivery, StoreFailure> {
        let channel = DeliveryChannel::ALL
            .into_iter()
            .find(|channel| channel.as_str() == self.channel)
            .ok_or_else(|| format!("the store holds the channel {:?}", self.channel))?;
        Ok(Delivery {
            decision_id: self.decision_id.parse()?,
            channel,
            sent_at: UnixMicros(self.sent_at),
            notice_digest: Digest::try_from(self.notice_digest.as_slice())?,
            recorded_at: UnixMicros(self.recorded_at),
        })
    }
}

/// Defines the case store on one engine, beside its decision store.
macro_rules! sql_case_store {
    ($store:ident, $engine:ty) => {
        const _: () = {
            use fcs_core::{DecisionId, Digest, TenantId};
            use sqlx::Row as _;

            use $crate::privacy::DataKey;
            use $crate::store::case_sql as cases;
            use $crate::store::sql::{self, BlindClaim, StoreFailure};
            use $crate::store::{
                CASE_ROWS_MAX, CaseStore, Claim, Delivery, Kept, Review, StoreError,
            };

            type EngineRow = <$engine as sqlx::Database>::Row;

            fn delivery(row: &EngineRow) -> Result<Delivery, StoreFailure> {
                cases::DeliveryColumns {
                    decision_id: row.try_get("decision_id")?,
                    channel: row.try_get("channel")?,
                    sent_at: row.try_get("sent_at")?,
                    notice_digest: row.try_get("notice_digest")?,
                    recorded_at: row.try_get("recorded_at")?,
                }
                .delivery()
            }

            /// The row with what its key says about a claim.
            fn kept<T>(
                row: &EngineRow,
                claim: &BlindClaim<'_>,
                value: T,
            ) -> Result<Kept<T>, StoreFailure> {
                let fingerprint: Vec<u8> = row.try_get("fingerprint")?;
                let fingerprint = Digest::try_from(fingerprint.as_slice())?;
                let same_request = claim.same_request(row.try_get("key")?, fingerprint);
                let same_request = same_request.ok_or("the store gave a row of another key")?;
                Ok(Kept {
                    same_request,
                    value,
                })
            }

            impl $store {
                pub(super) fn review(&self, row: &EngineRow) -> Result<Review, StoreFailure> {
                    cases::ReviewColumns {
                        review_id: row.try_get("review_id")?,
                        decision_id: row.try_get("decision_id")?,
                        reviewer: row.try_get("reviewer")?,
                        outcome: row.try_get("outcome")?,
                        reasons: row.try_get("reasons")?,
                        note: row.try_get("note")?,
                        reviewed_at: row.try_get("reviewed_at")?,
                        sealed: row.try_get("sealed")?,
                        key: Self::key_columns(row)?,
                    }
                    .review(&self.vault)
                }

                async fn kept_review(
                    &self,
                    claim: &Claim,
                ) -> Result<Option<Kept<Review>>, StoreFailure> {
                    let blind = BlindClaim::of(claim, &self.vault);
                    let [key, clear] = blind.stored_keys();
                    let query = sqlx::query(cases::REVIEW_OF)
                        .bind(claim.tenant.as_str())
                        .bind(claim.scope())
                        .bind(key)
                        .bind(clear);
                    let rows = self.rows(claim.tenant.as_str(), query).await?;
                    let row = rows.first();
                    row.map(|row| kept(row, &blind, self.review(row)?))
                        .transpose()
                }

                async fn kept_delivery(
                    &self,
                    claim: &Claim,
                ) -> Result<Option<Kept<Delivery>>, StoreFailure> {
                    let blind = BlindClaim::of(claim, &self.vault);
                    let [key, clear] = blind.stored_keys();
                    let query = sqlx::query(cases::DELIVERY_OF)
                        .bind(claim.scope())
                        .bind(key)
                        .bind(clear);
                    let row = query.fetch_optional(&self.pool).await?;
                    row.map(|row| kept(&row, &blind, delivery(&row)?))
                        .transpose()
                }

                /// The key of a decision's applicant; `None` where the decision is not sealed yet.
                async fn decision_key(
                    &self,
                    tenant: &TenantId,
                    id: DecisionId,
                ) -> Result<Option<DataKey>, StoreFailure> {
                    let query = sqlx::query(cases::DECISION_KEY)
                        .bind(tenant.as_str())
                        .bind(id.to_string());
                    let rows = self.rows(tenant.as_str(), query).await?;
                    let row = rows.first().ok_or("there is no such decision")?;
                    cases::key_of(Self::key_columns(row)?.keeping(&self.vault)?)
                }

                async fn insert_review(
                    &self,
                    claim: &Claim,
                    review: &Review,
                ) -> Result<(), StoreFailure> {
                    let key = self.decision_key(&claim.tenant, review.decision_id).await?;
                    let blind = BlindClaim::of(claim, &self.vault);
                    let texts = cases::ReviewTexts::of(review);
                    let sealed = key
                        .map(|key| texts.seal(review.review_id, &key))
                        .transpose()?;
                    let clear = if sealed.is_some() {
                        cases::ReviewTexts::none()
                    } else {
                        texts
                    };
                    let insert = sqlx::query(cases::INSERT_REVIEW)
                        .bind(review.review_id.to_string())
                        .bind(review.decision_id.to_string())
                        .bind(clear.reviewer)
                        .bind(review.outcome.as_str())
                        .bind(serde_json::to_string(&clear.reasons)?)
                        .bind(clear.note)
                        .bind(review.reviewed_at.0)
                        .bind(claim.scope())
                        .bind(blind.key)
                        .bind(blind.fingerprint.as_bytes().to_vec())
                        .bind(sealed);
                    insert.execute(&self.pool).await?;
                    Ok(())
                }

                async fn insert_delivery(
                    &self,
                    claim: &Claim,
                    delivery: &Delivery,
                ) -> Result<(), StoreFailure> {
                    let blind = BlindClaim::of(claim, &self.vault);
                    let insert = sqlx::query(cases::INSERT_DELIVERY)
                        .bind(delivery.decision_id.to_string())
                        .bind(delivery.channel.as_str())
                        .bind(delivery.sent_at.0)
                        .bind(&delivery.notice_digest.as_bytes()[..])
                        .bind(delivery.recorded_at.0)
                        .bind(claim.scope())
                        .bind(blind.key)
                        .bind(blind.fingerprint.as_bytes().to_vec());
                    insert.execute(&self.pool).await?;
                    Ok(())
                }
            }

            #[async_trait::async_trait]
            impl CaseStore for $store {
                async fn signing_key(
                    &self,
                    purpose: &str,
                    fresh: [u8; 32],
                ) -> Result<[u8; 32], StoreError> {
                    sql::within("read a signing key", async {
                        let insert = sqlx::query(cases::INSERT_KEY)
                            .bind(purpose)
                            .bind(&fresh[..]);
                        insert.execute(&self.pool).await?;
                        let query = sqlx::query_scalar(cases::KEY).bind(purpose);
                        let key: Vec<u8> = query.fetch_one(&self.pool).await?;
                        <[u8; 32]>::try_from(key)
                            .map_err(|_| StoreFailure::from("the key has another length"))
                    })
                    .await
                }

                async fn record_review(
                    &self,
                    claim: &Claim,
                    review: &Review,
                ) -> Result<Kept<Review>, StoreError> {
                    sql::within("record a review", async {
                        self.insert_review(claim, review).await?;
                        let kept = self.kept_review(claim).await?;
                        kept.ok_or_else(|| {
                            StoreFailure::from("the review that was recorded is not there")
                        })
                    })
                    .await
                }

                async fn review_of(
                    &self,
                    claim: &Claim,
                ) -> Result<Option<Kept<Review>>, StoreError> {
                    sql::within("look up a review", self.kept_review(claim)).await
                }

                async fn reviews(
                    &self,
                    tenant: &TenantId,
                    id: DecisionId,
                ) -> Result<Vec<Review>, StoreError> {
                    sql::within("read the reviews of a decision", async {
                        let query = sqlx::query(cases::REVIEWS)
                            .bind(tenant.as_str())
                            .bind(id.to_string())
                            .bind(i64::from(CASE_ROWS_MAX));
                        let rows = self.rows(tenant.as_str(), query).await?;
                        rows.iter()
                            .map(|row| self.review(row))
                            .collect::<Result<_, _>>()
                    })
                    .await
                }

                async fn record_delivery(
                    &self,
                    claim: &Claim,
                    delivery: &Delivery,
                ) -> Result<Kept<Delivery>, StoreError> {
                    sql::within("record a delivery", async {
                        self.insert_delivery(claim, delivery).await?;
                        let kept = self.kept_delivery(claim).await?;
                        kept.ok_or_else(|| {
                            StoreFailure::from("the delivery that was recorded is not there")
                        })
                    })
                    .await
                }

                async fn delivery_of(
                    &self,
                    claim: &Claim,
                ) -> Result<Option<Kept<Delivery>>, StoreError> {
                    sql::within("look up a delivery", self.kept_delivery(claim)).await
                }

                async fn deliveries(&self, id: DecisionId) -> Result<Vec<Delivery>, StoreError> {
                    sql::within("read the deliveries of a notice", async {
                        let query = sqlx::query(cases::DELIVERIES)
                            .bind(id.to_string())
                            .bind(i64::from(CASE_ROWS_MAX));
                        let rows = query.fetch_all(&self.pool).await?;
                        rows.iter()
                            .map(delivery)
                            .collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }
            }
        };
    };
}

pub(super) use sql_case_store;
