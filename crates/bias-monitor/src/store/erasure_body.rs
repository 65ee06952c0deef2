//! The part of the store that follows erasures, on either engine.

/// Defines it for a store of [`super::body::sql_store`].
macro_rules! sql_erasure_store {
    ($store:ident, $engine:ty, begin_write = $begin_write:literal, lock = $lock:literal $(,)?) => {
        const _: () = {
            use sqlx::{AssertSqlSafe, Connection as _};

            use $crate::app::erasure::Erased;
            use $crate::store::erasure_sql as sql;
            use $crate::store::sql::{StoreFailure, index_to_i64, to_u64};
            use $crate::store::{ErasureStore, StoreError};

            type Connection = <$engine as sqlx::Database>::Connection;

            async fn place(connection: &mut Connection) -> Result<u64, StoreFailure> {
                let place: i64 = sqlx::query_scalar(sql::PLACE).fetch_one(connection).await?;
                to_u64(place)
            }

            async fn follow(
                connection: &mut Connection,
                erased: &[Erased],
            ) -> Result<u64, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let _: i64 = sqlx::query_scalar($lock)
                    .fetch_one(&mut *transaction)
                    .await?;
                let mut renamed = 0;
                for it in erased {
                    renamed += rename(&mut transaction, it).await?;
                    let follow = sqlx::query(sql::FOLLOW).bind(index_to_i64(it.place)?);
                    follow.execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(renamed)
            }

            /// Puts the pseudonym in the place of an application's id, wherever it stands; says how many ids it had. An id
            /// that other decisions have too, of another tenant, keeps what is known of them.
            async fn rename(
                connection: &mut Connection,
                erased: &Erased,
            ) -> Result<u64, StoreFailure> {
                if erased.log_indices.is_empty() {
                    return Ok(0);
                }
                let pseudonym = erased.pseudonym.as_str();
                let indices: Vec<_> = erased.log_indices.iter().map(u64::to_string).collect();
                let indices = indices.join(", ");
                let names = sqlx::query_scalar(AssertSqlSafe(sql::names(&indices)))
                    .bind(pseudonym)
                    .persistent(false);
                let names: Vec<String> = names.fetch_all(&mut *connection).await?;
                if names.is_empty() {
                    return Ok(0);
                }
                let rename = sqlx::query(AssertSqlSafe(sql::rename_decisions(&indices)));
                let rename = rename.bind(pseudonym).persistent(false);
                rename.execute(&mut *connection).await?;
                for name in &names {
                    for statement in sql::COPY {
                        let copy = sqlx::query(statement).bind(name).bind(pseudonym);
                        copy.execute(&mut *connection).await?;
                    }
                    let others: bool = sqlx::query_scalar(sql::HAS_DECISIONS)
                        .bind(name)
                        .fetch_one(&mut *connection)
                        .await?;
                    for statement in sql::FORGET.iter().filter(|_| !others) {
                        let forget = sqlx::query(*statement).bind(name).bind(pseudonym);
                        forget.execute(&mut *connection).await?;
                    }
                }
                Ok(names.len() as u64)
            }

            #[async_trait::async_trait]
            impl ErasureStore for $store {
                async fn place(&self) -> Result<u64, StoreError> {
                    const ATTEMPT: &str = "read how far erasures are followed";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let result = tokio::time::timeout(sql::TIMEOUT, place(&mut connection)).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn follow(&self, erased: &[Erased]) -> Result<u64, StoreError> {
                    const ATTEMPT: &str = "follow erasures";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = follow(&mut connection, erased);
                    let result = tokio::time::timeout(sql::TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_erasure_store;
