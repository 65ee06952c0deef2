//! The part of the store that counts everything again, on either engine.

/// Defines it for a store of [`super::body::sql_store`].
macro_rules! sql_rebuild_store {
    ($store:ident, $engine:ty, begin_write = $begin_write:literal, lock = $lock:literal $(,)?) => {
        const _: () = {
            use std::collections::BTreeMap;
            use std::ops::Range;

            use sqlx::{Connection as _, Row as _};

            use $crate::app::counts::{BinCounts, BinKey, Cell, CounterKey, Counts};
            use $crate::app::profiles::{ProfileIncrements, ProfileKey};
            use $crate::app::proxies::{ProxyIncrements, ProxyKey};
            use $crate::app::rebuild::{Applicant, Rebuilt, Sums, compare};
            use $crate::app::rollup::{FineFrom, hours_of, minutes_of};
            use $crate::store::rows::{self, Engine as _};
            use $crate::store::sql::{self, StoreFailure};
            use $crate::store::{EVER, RebuildStore, StoreError, rebuild_sql};

            type Connection = <$engine as sqlx::Database>::Connection;

            async fn rebuild(
                connection: &mut Connection,
                apply: bool,
                fine_from: FineFrom,
            ) -> Result<Rebuilt, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let _: i64 = sqlx::query_scalar($lock)
                    .fetch_one(&mut *transaction)
                    .await?;
                let recounted = recount(&mut transaction).await?.rolled_up(fine_from);
                let stored = <$store>::stored(&mut transaction, None)
                    .await?
                    .rolled_up(fine_from);
                let mut rebuilt = compare(&stored, &recounted);
                if apply && rebuilt.different > 0 {
                    replace(&mut transaction, &recounted).await?;
                    rebuilt.applied = true;
                }
                transaction.commit().await?;
                Ok(rebuilt)
            }

            impl $store {
                /// What is stored: everything, or what is finer than a day of one day.
                pub(super) async fn stored(
                    connection: &mut Connection,
                    day: Option<i64>,
                ) -> Result<Sums, StoreFailure> {
                    let mut sums = Sums::default();
                    sums.increments.counters = counters(&mut *connection, day).await?;
                    if day.is_none() {
                        sums.increments.bins = calibration(&mut *connection).await?;
                    }
                    sums.profiles = profiles(&mut *connection, day).await?;
                    sums.proxies = proxies(connection, day).await?;
                    sums.settle();
                    Ok(sums)
                }
            }

            /// The minutes or hours of a day but for its first one, or all there are.
            fn span(day: Option<i64>, of: fn(i64) -> Range<i64>) -> Range<i64> {
                day.map_or(EVER, |day| of(day).start + 1..of(day).end)
            }

            async fn counters(
                connection: &mut Connection,
                day: Option<i64>,
            ) -> Result<BTreeMap<CounterKey, Counts>, StoreFailure> {
                let mut counters = BTreeMap::new();
                let minutes = span(day, minutes_of);
                for row in sqlx::query(rebuild_sql::COUNTERS)
                    .bind(minutes.start)
                    .bind(minutes.end)
                    .fetch_all(connection)
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
                    counters.insert(key, counts);
                }
                Ok(counters)
            }

            async fn calibration(
                connection: &mut Connection,
            ) -> Result<BTreeMap<BinKey, BinCounts>, StoreFailure> {
                let mut bins = BTreeMap::new();
                for row in sqlx::query(rebuild_sql::CALIBRATION)
                    .fetch_all(connection)
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
                    bins.insert(key, counts);
                }
                Ok(bins)
            }

            async fn profiles(
                connection: &mut Connection,
                day: Option<i64>,
            ) -> Result<ProfileIncrements, StoreFailure> {
                let mut profiles = ProfileIncrements::default();
                let hours = span(day, hours_of);
                for row in sqlx::query(rebuild_sql::PROFILES)
                    .bind(hours.start)
                    .bind(hours.end)
                    .fetch_all(connection)
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
                    let counts = serde_json::from_str(row.try_get("counts")?)?;
                    profiles.0.insert(key, counts);
                }
                Ok(profiles)
            }

            async fn proxies(
                connection: &mut Connection,
                day: Option<i64>,
            ) -> Result<ProxyIncrements, StoreFailure> {
                let mut proxies = ProxyIncrements::default();
                let hours = span(day, hours_of);
                for row in sqlx::query(rebuild_sql::PROXIES)
                    .bind(hours.start)
                    .bind(hours.end)
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

            /// Rolls up the earliest day that is to be; says whether there was one.
            async fn roll_up(
                connection: &mut Connection,
                fine_from: FineFrom,
            ) -> Result<bool, StoreFailure> {
                // Looked for before the lock: it reads all there is.
                let earliest = sqlx::query_scalar(rebuild_sql::EARLIEST_FINE_DAY)
                    .bind(fine_from.minute())
                    .bind(fine_from.hour());
                let earliest: Option<i64> = earliest.fetch_one(&mut *connection).await?;
                let Some(day) = earliest else {
                    return Ok(false);
                };
                let mut transaction = connection.begin_with($begin_write).await?;
                let _: i64 = sqlx::query_scalar($lock)
                    .fetch_one(&mut *transaction)
                    .await?;
                let fine = <$store>::stored(&mut transaction, Some(day)).await?;
                let rolled = fine.rolled_up(fine_from);
                let (minutes, hours) = (span(Some(day), minutes_of), span(Some(day), hours_of));
                for (statement, span) in [
                    (rebuild_sql::DELETE_COUNTERS, &minutes),
                    (rebuild_sql::DELETE_PROFILES, &hours),
                    (rebuild_sql::DELETE_PROXIES, &hours),
                ] {
                    let delete = sqlx::query(statement).bind(span.start).bind(span.end);
                    delete.execute(&mut *transaction).await?;
                }
                let counters = rows::counters(&rolled.increments);
                <$engine>::insert(&mut transaction, &sql::COUNTERS, &counters).await?;
                <$store>::add_profiles(&mut transaction, &rolled.profiles).await?;
                <$store>::add_proxies(&mut transaction, &rolled.proxies).await?;
                transaction.commit().await?;
                Ok(true)
            }

            #[async_trait::async_trait]
            impl RebuildStore for $store {
                async fn roll_up(&self, fine_from: FineFrom) -> Result<bool, StoreError> {
                    const ATTEMPT: &str = "roll up old counters";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = roll_up(&mut connection, fine_from);
                    let result = tokio::time::timeout(rebuild_sql::ROLL_UP_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn rebuild(
                    &self,
                    apply: bool,
                    fine_from: FineFrom,
                ) -> Result<Rebuilt, StoreError> {
                    const ATTEMPT: &str = "count everything again";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = rebuild(&mut connection, apply, fine_from);
                    let result = tokio::time::timeout(rebuild_sql::TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_rebuild_store;
