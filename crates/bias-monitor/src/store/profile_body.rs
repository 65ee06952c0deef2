//! The part of the store that reads counts of bins, and keeps what models were built on, on either engine.

/// Defines it for a store of [`super::body::sql_store`].
macro_rules! sql_profile_store {
    ($store:ident, $engine:ty) => {
        const _: () = {
            use fcs_core::ModelVersion;
            use futures::TryStreamExt as _;
            use sqlx::Row as _;

            use $crate::app::drift::{ModelCounts, Variable, Windows};
            use $crate::app::profiles::ProfileCounts;
            use $crate::store::profile_sql as sql;
            use $crate::store::sql::{READ_TIMEOUT, StoreFailure};
            use $crate::store::{CountedModel, ProfileStore, StoreError};

            type Connection = <$engine as sqlx::Database>::Connection;

            async fn models(
                connection: &mut Connection,
                from_hour: i64,
            ) -> Result<Vec<CountedModel>, StoreFailure> {
                let rows = sqlx::query(sql::MODELS)
                    .bind(from_hour)
                    .fetch_all(connection)
                    .await?;
                let mut models = Vec::with_capacity(rows.len());
                for row in &rows {
                    models.push(CountedModel {
                        model: row.try_get::<&str, _>("model")?.parse()?,
                        is_described: row.try_get("is_described")?,
                    });
                }
                Ok(models)
            }

            async fn put(
                connection: &mut Connection,
                model: &ModelVersion,
                variables: &[Variable],
            ) -> Result<(), StoreFailure> {
                let query = sqlx::query(sql::PUT_PROFILE)
                    .bind(model.as_str())
                    .bind(serde_json::to_string(variables)?);
                query.execute(connection).await?;
                Ok(())
            }

            async fn counts(
                connection: &mut Connection,
                model: &ModelVersion,
                windows: Windows,
            ) -> Result<ModelCounts, StoreFailure> {
                let query = sqlx::query_scalar(sql::PROFILE).bind(model.as_str());
                let variables: Option<String> = query.fetch_optional(&mut *connection).await?;
                let variables = variables.as_deref().map(serde_json::from_str).transpose()?;
                let mut counted = ModelCounts {
                    variables,
                    ..ModelCounts::default()
                };
                let query = sqlx::query(sql::COUNTS)
                    .bind(model.as_str())
                    .bind(windows.earlier);
                let mut rows = query.fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    let slice = (
                        row.try_get("arm")?,
                        row.try_get("attribute")?,
                        row.try_get("group_name")?,
                    );
                    let counts: ProfileCounts = serde_json::from_str(row.try_get("counts")?)?;
                    let hour: i64 = row.try_get("hour")?;
                    let is_current = hour >= windows.current;
                    let slices = if is_current {
                        &mut counted.slices
                    } else {
                        &mut counted.earlier
                    };
                    slices.entry(slice).or_default().merge(&counts);
                }
                for slices in [&mut counted.slices, &mut counted.earlier] {
                    slices.retain(|_, counts| {
                        counts.trim();
                        !counts.is_empty()
                    });
                }
                Ok(counted)
            }

            #[async_trait::async_trait]
            impl ProfileStore for $store {
                async fn models(&self, from_hour: i64) -> Result<Vec<CountedModel>, StoreError> {
                    const ATTEMPT: &str = "list models with bins";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let result =
                        tokio::time::timeout(READ_TIMEOUT, models(&mut connection, from_hour))
                            .await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn put_profile(
                    &self,
                    model: &ModelVersion,
                    variables: &[Variable],
                ) -> Result<(), StoreError> {
                    const ATTEMPT: &str = "keep the profile of a model";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = put(&mut connection, model, variables);
                    let result = tokio::time::timeout(READ_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn counts(
                    &self,
                    model: &ModelVersion,
                    windows: Windows,
                ) -> Result<ModelCounts, StoreError> {
                    const ATTEMPT: &str = "read counts of bins";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = counts(&mut connection, model, windows);
                    let result = tokio::time::timeout(READ_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_profile_store;
