//! The statements of the case store, the same text on both engines, and the store around them.

use fcs_core::{Digest, UnixMicros};

use super::cases::{Delivery, DeliveryChannel, Review, ReviewOutcome};
use super::sql::StoreFailure;

pub(super) const INSERT_KEY: &str =
    "INSERT INTO signing_keys (purpose, key) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING";
pub(super) const KEY: &str = "SELECT key FROM signing_keys WHERE purpose = $1";
pub(super) const INSERT_REVIEW: &str = "INSERT INTO reviews (review_id, decision_id, reviewer, outcome, reasons, note, \
                                        reviewed_at, client, key, fingerprint) \
                                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                                        ON CONFLICT (client, key) DO NOTHING";
pub(super) const REVIEW_OF: &str = "SELECT review_id, decision_id, reviewer, outcome, reasons, note, reviewed_at, \
                                    fingerprint FROM reviews WHERE client = $1 AND key = $2";
pub(super) const REVIEWS: &str = "SELECT review_id, decision_id, reviewer, outcome, reasons, note, reviewed_at, \
                                  fingerprint FROM reviews WHERE decision_id = $1 ORDER BY place LIMIT $2";
pub(super) const INSERT_DELIVERY: &str = "INSERT INTO notice_deliveries (decision_id, channel, sent_at, notice_digest, \
                                          recorded_at, client, key, fingerprint) \
                                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                                          ON CONFLICT (client, key) DO NOTHING";
pub(super) const DELIVERY_OF: &str = "SELECT decision_id, channel, sent_at, notice_digest, recorded_at, fingerprint \
                                      FROM notice_deliveries WHERE client = $1 AND key = $2";
pub(super) const DELIVERIES: &str = "SELECT decision_id, channel, sent_at, notice_digest, recorded_at, fingerprint \
                                     FROM notice_deliveries WHERE decision_id = $1 ORDER BY place LIMIT $2";

/// The columns of a review as the engines give them.
pub(super) struct ReviewColumns {
    pub(super) review_id: String,
    pub(super) decision_id: String,
    pub(super) reviewer: String,
    pub(super) outcome: String,
    pub(super) reasons: String,
    pub(super) note: String,
    pub(super) reviewed_at: i64,
}

impl ReviewColumns {
    pub(super) fn review(self) -> Result<Review, StoreFailure> {
        let outcome = ReviewOutcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == self.outcome)
            .ok_or_else(|| format!("the store holds the outcome {:?}", self.outcome))?;
        Ok(Review {
            review_id: self.review_id.parse()?,
            decision_id: self.decision_id.parse()?,
            reviewer: self.reviewer,
            outcome,
            reasons: serde_json::from_str(&self.reasons)?,
            note: self.note,
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
            use fcs_core::{DecisionId, Digest};
            use sqlx::Row as _;

            use $crate::store::case_sql as cases;
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{
                CASE_ROWS_MAX, CaseStore, Claim, Delivery, Kept, Review, StoreError,
            };

            type EngineRow = <$engine as sqlx::Database>::Row;

            fn kept_review(row: &EngineRow) -> Result<Kept<Review>, StoreFailure> {
                let columns = cases::ReviewColumns {
                    review_id: row.try_get("review_id")?,
                    decision_id: row.try_get("decision_id")?,
                    reviewer: row.try_get("reviewer")?,
                    outcome: row.try_get("outcome")?,
                    reasons: row.try_get("reasons")?,
                    note: row.try_get("note")?,
                    reviewed_at: row.try_get("reviewed_at")?,
                };
                Ok(Kept {
                    fingerprint: fingerprint(row)?,
                    value: columns.review()?,
                })
            }

            fn kept_delivery(row: &EngineRow) -> Result<Kept<Delivery>, StoreFailure> {
                let columns = cases::DeliveryColumns {
                    decision_id: row.try_get("decision_id")?,
                    channel: row.try_get("channel")?,
                    sent_at: row.try_get("sent_at")?,
                    notice_digest: row.try_get("notice_digest")?,
                    recorded_at: row.try_get("recorded_at")?,
                };
                Ok(Kept {
                    fingerprint: fingerprint(row)?,
                    value: columns.delivery()?,
                })
            }

            fn fingerprint(row: &EngineRow) -> Result<Digest, StoreFailure> {
                Ok(Digest::try_from(
                    row.try_get::<Vec<u8>, _>("fingerprint")?.as_slice(),
                )?)
            }

            impl $store {
                async fn kept<T: Send>(
                    &self,
                    statement: &'static str,
                    claim: &Claim,
                    read: fn(&EngineRow) -> Result<T, StoreFailure>,
                ) -> Result<Option<T>, StoreFailure> {
                    let query = sqlx::query(statement)
                        .bind(claim.scope())
                        .bind(claim.key.as_str());
                    query
                        .fetch_optional(&self.pool)
                        .await?
                        .as_ref()
                        .map(read)
                        .transpose()
                }

                async fn of_decision<T: Send>(
                    &self,
                    statement: &'static str,
                    id: DecisionId,
                    read: fn(&EngineRow) -> Result<Kept<T>, StoreFailure>,
                ) -> Result<Vec<T>, StoreFailure> {
                    let query = sqlx::query(statement)
                        .bind(id.to_string())
                        .bind(i64::from(CASE_ROWS_MAX));
                    let rows = query.fetch_all(&self.pool).await?;
                    rows.iter().map(|row| Ok(read(row)?.value)).collect()
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
                        let insert = sqlx::query(cases::INSERT_REVIEW)
                            .bind(review.review_id.to_string())
                            .bind(review.decision_id.to_string())
                            .bind(review.reviewer.as_str())
                            .bind(review.outcome.as_str())
                            .bind(serde_json::to_string(&review.reasons)?)
                            .bind(review.note.as_str())
                            .bind(review.reviewed_at.0)
                            .bind(claim.scope())
                            .bind(claim.key.as_str())
                            .bind(&claim.fingerprint.as_bytes()[..]);
                        insert.execute(&self.pool).await?;
                        let kept = self.kept(cases::REVIEW_OF, claim, kept_review).await?;
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
                    sql::within(
                        "look up a review",
                        self.kept(cases::REVIEW_OF, claim, kept_review),
                    )
                    .await
                }

                async fn reviews(&self, id: DecisionId) -> Result<Vec<Review>, StoreError> {
                    sql::within(
                        "read the reviews of a decision",
                        self.of_decision(cases::REVIEWS, id, kept_review),
                    )
                    .await
                }

                async fn record_delivery(
                    &self,
                    claim: &Claim,
                    delivery: &Delivery,
                ) -> Result<Kept<Delivery>, StoreError> {
                    sql::within("record a delivery", async {
                        let insert = sqlx::query(cases::INSERT_DELIVERY)
                            .bind(delivery.decision_id.to_string())
                            .bind(delivery.channel.as_str())
                            .bind(delivery.sent_at.0)
                            .bind(&delivery.notice_digest.as_bytes()[..])
                            .bind(delivery.recorded_at.0)
                            .bind(claim.scope())
                            .bind(claim.key.as_str())
                            .bind(&claim.fingerprint.as_bytes()[..]);
                        insert.execute(&self.pool).await?;
                        let kept = self.kept(cases::DELIVERY_OF, claim, kept_delivery).await?;
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
                    sql::within(
                        "look up a delivery",
                        self.kept(cases::DELIVERY_OF, claim, kept_delivery),
                    )
                    .await
                }

                async fn deliveries(&self, id: DecisionId) -> Result<Vec<Delivery>, StoreError> {
                    sql::within(
                        "read the deliveries of a notice",
                        self.of_decision(cases::DELIVERIES, id, kept_delivery),
                    )
                    .await
                }
            }
        };
    };
}

pub(super) use sql_case_store;
