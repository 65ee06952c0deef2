//! The part of the store that reads decisions one by one for examinations, and keeps overrides, on either engine.

/// Defines it for a store of [`super::body::sql_store`].
macro_rules! sql_examination_store {
    ($store:ident, $engine:ty, begin_write = $begin_write:literal, begin_read = $begin_read:literal $(,)?) => {
        const _: () = {
            use std::ops::Range;

            use fcs_core::ModelVersion;
            use futures::TryStreamExt as _;
            use sqlx::{AssertSqlSafe, Connection as _, Row as _};

            use $crate::app::change::Receipt;
            use $crate::app::document::OverridePart;
            use $crate::app::examination::{Counted, Found, Scope, Strata, Stratum};
            use $crate::app::facts::{CreditOutcome, Outcome, Override, PersonsOutcome};
            use $crate::store::examination_sql as sql;
            use $crate::store::rows::{Column, Engine as _};
            use $crate::store::sql::{StoreFailure, to_u64};
            use $crate::store::{ExaminationStore, StoreError};

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;

            async fn examine(
                connection: &mut Connection,
                scope: &Scope,
            ) -> Result<Found, StoreFailure> {
                let mut transaction = connection.begin_with($begin_read).await?;
                let last_index: i64 = sqlx::query_scalar(sql::LAST_INDEX)
                    .fetch_one(&mut *transaction)
                    .await?;
                let mut found = Found {
                    last_index: to_u64(last_index)?,
                    counted: Vec::new(),
                };
                let select = sql::select(scope);
                let mut query = sqlx::query(AssertSqlSafe(select))
                    .bind(scope.model.as_ref().map_or("", |model| model.as_str()))
                    .bind(scope.arm.as_deref().unwrap_or_default())
                    .bind(scope.minutes.start)
                    .bind(scope.minutes.end);
                for attribute in &scope.attributes {
                    query = query.bind(attribute.as_str());
                }
                if let Strata::Attribute(attribute) = &scope.strata {
                    query = query.bind(attribute.as_str());
                }
                {
                    let mut rows = query.fetch(&mut *transaction);
                    while let Some(row) = rows.try_next().await? {
                        found.counted.push(counted(&row, scope)?);
                        if found.counted.len() > sql::ROWS_MAX {
                            return Err(sql::TOO_MANY.into());
                        }
                    }
                }
                transaction.commit().await?;
                Ok(found)
            }

            fn counted(row: &EngineRow, scope: &Scope) -> Result<Counted, StoreFailure> {
                let groups = (0..scope.attributes.len()).map(|place| {
                    let group: Option<&str> = row.try_get(sql::GROUPS[place])?;
                    Ok(group.map(str::parse).transpose()?)
                });
                let stratum = match &scope.strata {
                    Strata::None => None,
                    Strata::Vintage => Some(Stratum::Day(row.try_get("stratum")?)),
                    Strata::Attribute(_) => {
                        let group: Option<&str> = row.try_get("stratum")?;
                        group.map(str::parse).transpose()?.map(Stratum::Group)
                    }
                };
                let decided: &str = row.try_get("outcome")?;
                let person: Option<&str> = row.try_get("person")?;
                let realised: Option<&str> = row.try_get("realised")?;
                Ok(Counted {
                    groups: groups.collect::<Result<_, StoreFailure>>()?,
                    stratum,
                    decided: sql::word("outcome", decided, Outcome::parse)?,
                    person: person
                        .map(|text| sql::word("override", text, PersonsOutcome::parse))
                        .transpose()?,
                    realised: realised
                        .map(|text| sql::word("credit outcome", text, CreditOutcome::parse))
                        .transpose()?,
                    probability: row.try_get("probability")?,
                    decisions: row.try_get("decisions")?,
                })
            }

            async fn overrides(
                connection: &mut Connection,
                model: &str,
                minutes: Range<i64>,
            ) -> Result<Vec<OverridePart>, StoreFailure> {
                let query = sqlx::query(AssertSqlSafe(sql::overrides()))
                    .bind(model)
                    .bind(minutes.start)
                    .bind(minutes.end);
                let rows = query.fetch_all(connection).await?;
                let part = |row: &EngineRow| {
                    let decided = sql::word("outcome", row.try_get("outcome")?, Outcome::parse)?;
                    let person =
                        sql::word("override", row.try_get("person")?, PersonsOutcome::parse)?;
                    Ok(OverridePart {
                        decided: decided.as_str(),
                        person: person.as_str(),
                        reason: row.try_get("reason")?,
                        decisions: row.try_get("decisions")?,
                    })
                };
                rows.iter().map(part).collect()
            }

            async fn record(
                connection: &mut Connection,
                overrides: &[Override],
            ) -> Result<Receipt, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let ids: Vec<&str> = overrides.iter().map(|it| it.event_id.as_str()).collect();
                let known = <$engine>::find(&mut transaction, &sql::OVERRIDES_AMONG, &ids).await?;
                let mut seen = std::collections::BTreeSet::new();
                for row in &known {
                    seen.insert(row.try_get::<String, _>("event_id")?);
                }
                let mut fresh = Vec::new();
                for it in overrides {
                    if seen.insert(it.event_id.as_str().to_owned()) {
                        fresh.push(it);
                    }
                }
                let texts = |text: fn(&Override) -> String| {
                    Column::Texts(fresh.iter().map(|it| text(it).into()).collect())
                };
                let columns = [
                    texts(|it| it.event_id.as_str().to_owned()),
                    texts(|it| it.decision_id.to_string()),
                    texts(|it| it.outcome.as_str().to_owned()),
                    texts(|it| it.reason.as_str().to_owned()),
                    Column::Integers(fresh.iter().map(|it| it.occurred_at.0).collect()),
                ];
                <$engine>::insert(&mut transaction, &sql::OVERRIDES, &columns).await?;
                transaction.commit().await?;
                let recorded = fresh.len() as u64;
                Ok(Receipt {
                    recorded,
                    unchanged: overrides.len() as u64 - recorded,
                    ..Receipt::default()
                })
            }

            #[async_trait::async_trait]
            impl ExaminationStore for $store {
                async fn examine(&self, scope: &Scope) -> Result<Found, StoreError> {
                    const ATTEMPT: &str = "read decisions for an examination";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = examine(&mut connection, scope);
                    let result = tokio::time::timeout(sql::EXAMINE_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn overrides(
                    &self,
                    model: Option<&ModelVersion>,
                    minutes: Range<i64>,
                ) -> Result<Vec<OverridePart>, StoreError> {
                    const ATTEMPT: &str = "count overrides";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let model = model.map_or("", |model| model.as_str());
                    let work = overrides(&mut connection, model, minutes);
                    let result = tokio::time::timeout(sql::EXAMINE_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn record(&self, overrides: &[Override]) -> Result<Receipt, StoreError> {
                    const ATTEMPT: &str = "record overrides";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = record(&mut connection, overrides);
                    let result = tokio::time::timeout(sql::RECORD_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_examination_store;
