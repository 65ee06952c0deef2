//! The store around the statements.
//!
//! It is a macro body because a function that is generic over the engine would need a page of bounds on every type
//! that it binds; the engines differ in three statements, and in how they take many rows ([`super::rows::Engine`]).

/// Defines a store on one engine.
macro_rules! sql_store {
    (
        $(#[$doc:meta])* $store:ident, $engine:ty,
        begin_write = $begin_write:literal, lock = $lock:literal, begin_read = $begin_read:literal $(,)?
    ) => {
        $(#[$doc])*
        pub struct $store {
            pool: sqlx::Pool<$engine>,
            /// Writers of this process queue here, where waiting is cheap, and not at the server's lock.
            turn: tokio::sync::Mutex<()>,
        }

        const _: () = {
            use std::collections::BTreeMap;
            use std::ops::Range;

            use fcs_core::{ApplicationId, ModelVersion};
            use fcs_fairness::calibration::CalibrationBins;
            use fcs_fairness::proxy::ProxyCounts;
            use futures::TryStreamExt as _;
            use sqlx::{Connection as _, Row as _};

            use $crate::app::change::{Change, Effects, Facts, Groups, Receipt};
            use $crate::app::facts::{AttributeName, Decision, EventId, KnownGroup, KnownOutcome};
            use $crate::app::profiles::ProfileIncrements;
            use $crate::app::proxies::{KnownMembership, Memberships, Panel, ProxyIncrements, ProxyName};
            use $crate::app::report::{MonitorStatus, Tables};
            use $crate::store::rows::{self, Engine as _};
            use $crate::store::sql::{self, Failure, StoreFailure};
            use $crate::store::{MonitorStore, StoreError, WriteError};

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;

            impl $store {
                /// The store of an open pool.
                pub fn new(pool: sqlx::Pool<$engine>) -> Self {
                    Self { pool, turn: tokio::sync::Mutex::new(()) }
                }

                /// What is known of the applicants of some applications.
                pub(super) async fn groups_of(
                    connection: &mut Connection,
                    applications: &[&str],
                ) -> Result<BTreeMap<ApplicationId, Groups>, StoreFailure> {
                    let mut groups: BTreeMap<ApplicationId, Groups> = BTreeMap::new();
                    for row in <$engine>::find(connection, &sql::GROUPS_OF, applications).await? {
                        let (id, attribute, group) = known_group(&row)?;
                        groups.entry(id).or_default().insert(attribute, group);
                    }
                    Ok(groups)
                }

                /// What proxies say of the applicants of some applications.
                pub(super) async fn memberships_of(
                    connection: &mut Connection,
                    applications: &[&str],
                ) -> Result<BTreeMap<ApplicationId, Memberships>, StoreFailure> {
                    let mut memberships: BTreeMap<ApplicationId, Memberships> = BTreeMap::new();
                    // Most monitors are told none, and looking is a twelfth of a batch.
                    let any: bool = sqlx::query_scalar(sql::ANY_MEMBERSHIPS).fetch_one(&mut *connection).await?;
                    let applications = if any { applications } else { &[] };
                    for row in <$engine>::find(connection, &sql::MEMBERSHIPS_OF, applications).await? {
                        let id = row.try_get::<&str, _>("application_id")?.parse()?;
                        let Panel { proxy, groups } = Self::panel(&row)?;
                        let membership = serde_json::from_str(row.try_get("parts")?)?;
                        let known = KnownMembership { groups, membership };
                        memberships.entry(id).or_default().insert(proxy, known);
                    }
                    Ok(memberships)
                }

                /// Bins of a group and hour are one text, which the lock lets us read and write back.
                pub(super) async fn add_profiles(
                    connection: &mut Connection,
                    profiles: &ProfileIncrements,
                ) -> Result<(), StoreFailure> {
                    let places = rows::profile_places(profiles);
                    if places.is_empty() {
                        return Ok(());
                    }
                    let ids: Vec<&str> = places.iter().map(String::as_str).collect();
                    let mut stored = BTreeMap::new();
                    for row in <$engine>::find(connection, &sql::PROFILES_AT, &ids).await? {
                        let counts = serde_json::from_str(row.try_get("counts")?)?;
                        stored.insert(row.try_get("place")?, counts);
                    }
                    let columns = rows::profiles(profiles, &places, &stored)?;
                    Ok(<$engine>::insert(connection, &sql::PROFILES, &columns).await?)
                }

                /// The same for sums of probabilities.
                pub(super) async fn add_proxies(
                    connection: &mut Connection,
                    proxies: &ProxyIncrements,
                ) -> Result<(), StoreFailure> {
                    let places = rows::proxy_places(proxies);
                    if places.is_empty() {
                        return Ok(());
                    }
                    let ids: Vec<&str> = places.iter().map(String::as_str).collect();
                    let mut stored = BTreeMap::new();
                    for row in <$engine>::find(connection, &sql::PROXIES_AT, &ids).await? {
                        let counts = serde_json::from_str(row.try_get("counts")?)?;
                        stored.insert(row.try_get("place")?, counts);
                    }
                    let columns = rows::proxies(proxies, &places, &stored)?;
                    Ok(<$engine>::insert(connection, &sql::PROXIES, &columns).await?)
                }

                /// A proxy and its groups, of a row that has their columns.
                pub(super) fn panel(row: &EngineRow) -> Result<Panel, StoreFailure> {
                    let proxy = ProxyName {
                        attribute: row.try_get::<&str, _>("attribute")?.parse()?,
                        source: row.try_get::<&str, _>("source")?.parse()?,
                        version: row.try_get::<&str, _>("proxy_version")?.parse()?,
                    };
                    let groups = rows::groups_from_text(row.try_get("group_names")?)?;
                    Ok(Panel { proxy, groups })
                }

                /// The outcomes in force of some applications.
                pub(super) async fn outcomes_of(
                    connection: &mut Connection,
                    applications: &[&str],
                ) -> Result<BTreeMap<ApplicationId, KnownOutcome>, StoreFailure> {
                    let rows = <$engine>::find(connection, &sql::OUTCOMES_OF, applications).await?;
                    rows.iter().map(known_outcome).collect()
                }

                /// A decision of a row with all its columns.
                pub(super) fn decision(row: &EngineRow) -> Result<Decision, StoreFailure> {
                    sql::DecisionColumns {
                        application_id: row.try_get("application_id")?,
                        minute: row.try_get("minute")?,
                        model: row.try_get("model")?,
                        arm: row.try_get("arm")?,
                        outcome: row.try_get("outcome")?,
                        score: row.try_get("score")?,
                        probability_ppm: row.try_get("probability_ppm")?,
                        bins: row.try_get("bins")?,
                    }
                    .decision()
                }

                pub(super) async fn connection(
                    &self,
                    attempt: &'static str,
                ) -> Result<sqlx::pool::PoolConnection<$engine>, StoreError> {
                    let acquired = self.pool.acquire().await;
                    acquired.map_err(|error| StoreError::new(attempt, error))
                }

                /// Closes the connection of work that failed instead of giving it back: its state is unknown.
                pub(super) fn give_back<T>(
                    attempt: &'static str,
                    connection: sqlx::pool::PoolConnection<$engine>,
                    result: Result<Result<T, StoreFailure>, tokio::time::error::Elapsed>,
                ) -> Result<T, StoreError> {
                    let result = result.unwrap_or_else(|elapsed| Err(elapsed.into()));
                    if result.is_err() {
                        drop(connection.detach());
                    }
                    result.map_err(|error| StoreError::new(attempt, error))
                }

                async fn read(
                    &self,
                    model: Option<&ModelVersion>,
                    minutes: Range<i64>,
                    with_proxies: bool,
                ) -> Result<Tables, StoreError> {
                    const ATTEMPT: &str = "read the counters";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let model = model.map_or("", ModelVersion::as_str);
                    let work = snapshot(&mut connection, model, minutes, with_proxies);
                    let result = tokio::time::timeout(sql::READ_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn attempt(&self, change: &Change) -> Result<Receipt, Failure> {
                    let mut connection = self.pool.acquire().await?;
                    let work = tokio::time::timeout(sql::WRITE_TIMEOUT, transact(&mut connection, change));
                    let result = work.await.unwrap_or_else(|elapsed| Err(elapsed.into()));
                    if matches!(result, Err(Failure::Store(_))) {
                        // The state of the connection is unknown: close it instead of giving it back to the pool.
                        drop(connection.detach());
                    }
                    result
                }
            }

            async fn transact(connection: &mut Connection, change: &Change) -> Result<Receipt, Failure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let facts = load(&mut transaction, change).await?;
                match change.plan(&facts) {
                    Ok(effects) => {
                        apply(&mut transaction, &effects).await?;
                        transaction.commit().await?;
                        Ok(effects.receipt)
                    }
                    Err(gap) => {
                        transaction.rollback().await?;
                        Err(Failure::Gap(gap))
                    }
                }
            }

            /// Takes the lock, then reads what the plan needs.
            async fn load(connection: &mut Connection, change: &Change) -> Result<Facts, StoreFailure> {
                let last_index: i64 = sqlx::query_scalar($lock).fetch_one(&mut *connection).await?;
                let mut facts = Facts { last_index: sql::to_u64(last_index)?, ..Facts::default() };
                let applications: Vec<&str> = change.applications().into_iter().map(|id| id.as_str()).collect();
                facts.groups = <$store>::groups_of(&mut *connection, &applications).await?;
                facts.memberships = <$store>::memberships_of(&mut *connection, &applications).await?;
                facts.outcomes = <$store>::outcomes_of(&mut *connection, &applications).await?;
                if change.needs_decisions() {
                    for row in <$engine>::find(connection, &sql::DECISIONS_OF, &applications).await? {
                        facts.decisions.push(<$store>::decision(&row)?);
                    }
                }
                let events: Vec<&str> = change.events().into_iter().map(EventId::as_str).collect();
                for row in <$engine>::find(connection, &sql::EVENTS_AMONG, &events).await? {
                    facts.events.insert(row.try_get::<&str, _>("event_id")?.parse()?);
                }
                Ok(facts)
            }

            fn known_group(row: &EngineRow) -> Result<(ApplicationId, AttributeName, KnownGroup), StoreFailure> {
                let id = row.try_get::<String, _>("application_id")?.parse()?;
                let attribute = row.try_get::<String, _>("attribute")?.parse()?;
                let (group, source): (String, String) = (row.try_get("group_name")?, row.try_get("source")?);
                Ok((id, attribute, sql::known_group(&group, &source)?))
            }

            fn known_outcome(row: &EngineRow) -> Result<(ApplicationId, KnownOutcome), StoreFailure> {
                let id = row.try_get::<String, _>("application_id")?.parse()?;
                let (outcome, event_id): (String, String) = (row.try_get("outcome")?, row.try_get("event_id")?);
                Ok((id, sql::known_outcome(&outcome, row.try_get("occurred_at")?, &event_id)?))
            }

            async fn apply(connection: &mut Connection, effects: &Effects) -> Result<(), StoreFailure> {
                if sql::is_nothing(effects) {
                    return Ok(());
                }
                for (insert, columns) in rows::of(effects)? {
                    <$engine>::insert(connection, insert, &columns).await?;
                }
                <$store>::add_profiles(connection, &effects.profiles).await?;
                <$store>::add_proxies(connection, &effects.proxies).await?;
                let advance = sqlx::query(sql::ADVANCE)
                    .bind(sql::index_to_i64(effects.receipt.last_index)?)
                    .bind(sql::to_i64(effects.decisions.len()))
                    .bind(sql::index_to_i64(effects.groups_new)?)
                    .bind(sql::to_i64(effects.events.len()));
                advance.execute(connection).await?;
                Ok(())
            }

            async fn status(connection: &mut Connection) -> Result<MonitorStatus, StoreFailure> {
                let row = sqlx::query(sql::STATUS).fetch_one(connection).await?;
                Ok(MonitorStatus {
                    last_index: sql::to_u64(row.try_get("last_index")?)?,
                    decisions: sql::to_u64(row.try_get("decisions")?)?,
                    demographics: sql::to_u64(row.try_get("demographics")?)?,
                    outcomes: sql::to_u64(row.try_get("outcomes")?)?,
                })
            }

            /// Reads all tables as they were at one moment.
            async fn snapshot(
                connection: &mut Connection,
                model: &str,
                minutes: Range<i64>,
                with_proxies: bool,
            ) -> Result<Tables, StoreFailure> {
                let mut transaction = connection.begin_with($begin_read).await?;
                let mut tables = tables(&mut transaction, model, minutes.clone()).await?;
                if with_proxies {
                    tables.proxies = panels(&mut transaction, model, minutes).await?;
                }
                transaction.commit().await?;
                Ok(tables)
            }

            async fn tables(connection: &mut Connection, model: &str, minutes: Range<i64>) -> Result<Tables, StoreFailure> {
                let mut tables =
                    Tables { last_index: status(&mut *connection).await?.last_index, ..Tables::default() };
                for row in sqlx::query(sql::COUNTER_SUMS).bind(model).bind(minutes.start).bind(minutes.end).fetch_all(&mut *connection).await? {
                    let counters = counters(&row)?.counters()?;
                    let attribute: String = row.try_get("attribute")?;
                    if attribute.is_empty() {
                        tables.total = counters;
                    } else if counters.decisions() > 0 {
                        let group: String = row.try_get("group_name")?;
                        tables.attributes.entry(attribute).or_default().insert(group, counters);
                    }
                }
                tables.calibration = calibration(connection, model).await?;
                Ok(tables)
            }

            /// Row by row, because a row is some kilobytes and there is one for each hour.
            async fn panels(
                connection: &mut Connection,
                model: &str,
                minutes: Range<i64>,
            ) -> Result<BTreeMap<Panel, ProxyCounts>, StoreFailure> {
                let mut panels: BTreeMap<Panel, ProxyCounts> = BTreeMap::new();
                let mut rows = sqlx::query(sql::PROXY_SUMS)
                    .bind(model)
                    .bind(minutes.start.div_euclid(60))
                    .bind(minutes.end.div_euclid(60))
                    .fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    let counts: ProxyCounts = serde_json::from_str(row.try_get("counts")?)?;
                    let nobody = || ProxyCounts::new(counts.groups());
                    let sum = panels.entry(<$store>::panel(&row)?).or_insert_with(nobody);
                    sum.merge(&counts)?;
                }
                panels.retain(|_, counts| !counts.is_empty());
                Ok(panels)
            }

            fn counters(row: &EngineRow) -> Result<sql::CounterColumns, sqlx::Error> {
                Ok(sql::CounterColumns {
                    approved: row.try_get("approved")?,
                    referred: row.try_get("referred")?,
                    denied: row.try_get("denied")?,
                    score_sum: row.try_get("score_sum")?,
                    score_square_sum: row.try_get("score_square_sum")?,
                    approved_repaid: row.try_get("approved_repaid")?,
                    approved_defaulted: row.try_get("approved_defaulted")?,
                })
            }

            async fn calibration(connection: &mut Connection, model: &str) -> Result<CalibrationBins, StoreFailure> {
                let mut bins = CalibrationBins::default();
                for row in sqlx::query(sql::CALIBRATION_SUMS).bind(model).fetch_all(connection).await? {
                    let index = usize::try_from(row.try_get::<i64, _>("bin")?)?;
                    let (labelled, defaulted) = (row.try_get("labelled")?, row.try_get("defaulted")?);
                    let bin = sql::bin(labelled, defaulted, row.try_get("predicted_sum_ppm")?)?;
                    bins.merge_bin(index, &bin)?;
                }
                Ok(bins)
            }

            #[async_trait::async_trait]
            impl MonitorStore for $store {
                async fn write(&self, change: &Change) -> Result<Receipt, WriteError> {
                    let _turn = self.turn.lock().await;
                    let mut attempts = 1;
                    loop {
                        match self.attempt(change).await {
                            Err(failure) if failure.is_contention() && attempts < sql::ATTEMPTS_MAX => {
                                attempts += 1;
                            }
                            result => return Ok(result?),
                        }
                    }
                }

                async fn tables(
                    &self,
                    model: Option<&ModelVersion>,
                    minutes: Range<i64>,
                ) -> Result<Tables, StoreError> {
                    self.read(model, minutes, false).await
                }

                async fn tables_with_proxies(
                    &self,
                    model: Option<&ModelVersion>,
                    minutes: Range<i64>,
                ) -> Result<Tables, StoreError> {
                    self.read(model, minutes, true).await
                }

                async fn status(&self) -> Result<MonitorStatus, StoreError> {
                    const ATTEMPT: &str = "read the status";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let result = tokio::time::timeout(sql::READ_TIMEOUT, status(&mut connection)).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_store;
