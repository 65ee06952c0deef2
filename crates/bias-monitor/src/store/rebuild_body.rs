//! The part of the store that counts everything again, on either engine.

/// Defines it for a store of [`super::body::sql_store`].
macro_rules! sql_rebuild_store {
    ($store:ident, $engine:ty, begin_write = $begin_write:literal, lock = $lock:literal $(,)?) => {
        const _: () = {
            use std::collections::BTreeMap;

            use sqlx::{Connection as _, Row as _};

            use $crate::app::counts::{BinCounts, BinKey, Cell, CounterKey, Counts};
            use $crate::app::profiles::ProfileKey;
            use $crate::app::proxies::{ProxyIncrements, ProxyKey};
            use $crate::app::rebuild::{Applicant, Rebuilt, Sums, compare};
            use $crate::store::rows::{self, Engine as _};
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{RebuildStore, StoreError, rebuild_sql};

            type Connection = <$engine as sqlx::Database>::Connection;

            async fn rebuild(
                connection: &mut Connection,
                apply: bool,
            ) -> Result<Rebuilt, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let _: i64 = sqlx::query_scalar($lock)
                    .fetch_one(&mut *transaction)
                    .await?;
                let recounted = recount(&mut transaction).await?;
                let stored = stored(&mut transaction).await?;
                let mut rebuilt = compare(&stored, &recounted);
                if apply && rebuilt.different > 0 {
                    replace(&mut transaction, &recounted).await?;
                    rebuilt.applied = true;
                }
                transaction.commit().await?;
                Ok(rebuilt)
            }

            async fn recount(connection: &mut Connection) -> Result<Sums, StoreFailure> {
                let mut sums = Sums::default();
                let mut after = 0_i64;
                loop {
                    let query = sqlx::query(sql::DECISIONS_AFTER)
                        .bind(after)
                        .bind(rebuild_sql::PAGE);
                    let page = query.fetch_all(&mut *connection).await?;
                    let Some(last) = page.last() else {
                        sums.settle();
                        return Ok(sums);
                    };
                    after = last.try_get("log_index")?;
                    let decisions: Result<Vec<_>, _> =
                        page.iter().map(<$store>::decision).collect();
                    let decisions = decisions?;
                    let ids: Vec<&str> = decisions
                        .iter()
                        .map(|it| it.application_id.as_str())
                        .collect();
                    let groups = <$store>::groups_of(&mut *connection, &ids).await?;
                    let memberships = <$store>::memberships_of(&mut *connection, &ids).await?;
                    let outcomes = <$store>::outcomes_of(&mut *connection, &ids).await?;
                    for decision in &decisions {
                        let id = &decision.application_id;
                        let applicant = Applicant {
                            groups: groups.get(id).cloned().unwrap_or_default(),
                            memberships: memberships.get(id).cloned().unwrap_or_default(),
                            outcome: outcomes.get(id).map(|known| known.outcome),
                        };
                        sums.count(decision, &applicant);
                    }
                }
            }

            async fn stored(connection: &mut Connection) -> Result<Sums, StoreFailure> {
                let mut sums = Sums::default();
                for row in sqlx::query(rebuild_sql::COUNTERS)
                    .fetch_all(&mut *connection)
                    .await?
                {
                    let key = CounterKey {
                        model: row.try_get::<&str, _>("model")?.parse()?,
                        arm: row.try_get("arm")?,
                        cell: Cell::from_columns(
                            row.try_get("attribute")?,
                            row.try_get("group_name")?,
                        )?,
                        minute: row.try_get("minute")?,
                    };
                    let counts = Counts {
                        approved: row.try_get("approved")?,
                        referred: row.try_get("referred")?,
                        denied: row.try_get("denied")?,
                        score_sum: row.try_get("score_sum")?,
                        score_square_sum: row.try_get("score_square_sum")?,
                        approved_repaid: row.try_get("approved_repaid")?,
                        approved_defaulted: row.try_get("approved_defaulted")?,
                    };
                    sums.increments.counters.insert(key, counts);
                }
                for row in sqlx::query(rebuild_sql::CALIBRATION)
                    .fetch_all(&mut *connection)
                    .await?
                {
                    let key = BinKey {
                        model: row.try_get::<&str, _>("model")?.parse()?,
                        bin: row.try_get("bin")?,
                    };
                    let counts = BinCounts {
                        labelled: row.try_get("labelled")?,
                        defaulted: row.try_get("defaulted")?,
                        predicted_sum_ppm: row.try_get("predicted_sum_ppm")?,
                    };
                    sums.increments.bins.insert(key, counts);
                }
                for row in sqlx::query(rebuild_sql::PROFILES)
                    .fetch_all(&mut *connection)
                    .await?
                {
                    let key = ProfileKey {
                        model: row.try_get::<&str, _>("model")?.parse()?,
                        arm: row.try_get("arm")?,
                        cell: Cell::from_columns(
                            row.try_get("attribute")?,
                            row.try_get("group_name")?,
                        )?,
                        hour: row.try_get("hour")?,
                    };
                    sums.profiles
                        .0
                        .insert(key, serde_json::from_str(row.try_get("counts")?)?);
                }
                sums.proxies = stored_proxies(connection).await?;
                sums.settle();
                Ok(sums)
            }

            async fn stored_proxies(
                connection: &mut Connection,
            ) -> Result<ProxyIncrements, StoreFailure> {
                let mut proxies = ProxyIncrements::default();
                for row in sqlx::query(rebuild_sql::PROXIES)
                    .fetch_all(connection)
                    .await?
                {
                    let key = ProxyKey {
                        model: row.try_get::<&str, _>("model")?.parse()?,
                        arm: row.try_get("arm")?,
                        panel: <$store>::panel(&row)?,
                        hour: row.try_get("hour")?,
                    };
                    let counts = serde_json::from_str(row.try_get("counts")?)?;
                    proxies.0.insert(key, counts);
                }
                Ok(proxies)
            }

            async fn replace(connection: &mut Connection, sums: &Sums) -> Result<(), StoreFailure> {
                for statement in rebuild_sql::EMPTY {
                    sqlx::query(statement).execute(&mut *connection).await?;
                }
                let places = rows::profile_places(&sums.profiles);
                let proxy_places = rows::proxy_places(&sums.proxies);
                let inserts = [
                    (&sql::COUNTERS, rows::counters(&sums.increments)),
                    (&sql::CALIBRATION, rows::calibration(&sums.increments)),
                    (
                        &sql::PROFILES,
                        rows::profiles(&sums.profiles, &places, &BTreeMap::new())?,
                    ),
                    (
                        &sql::PROXIES,
                        rows::proxies(&sums.proxies, &proxy_places, &BTreeMap::new())?,
                    ),
                ];
                for (insert, columns) in &inserts {
                    <$engine>::insert(connection, insert, columns).await?;
                }
                Ok(())
            }

            #[async_trait::async_trait]
            impl RebuildStore for $store {
                async fn rebuild(&self, apply: bool) -> Result<Rebuilt, StoreError> {
                    const ATTEMPT: &str = "count everything again";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = rebuild(&mut connection, apply);
                    let result = tokio::time::timeout(rebuild_sql::TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_rebuild_store;
