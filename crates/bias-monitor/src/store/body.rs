//! The store around the statements.
//!
//! It is a macro body because a function that is generic over the engine would need a page of bounds on every type
//! that it binds; the engines differ in three statements only.

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
            use std::collections::{BTreeMap, BTreeSet};

            use fcs_core::{ApplicationId, ModelVersion};
            use fcs_fairness::calibration::CalibrationBins;
            use sqlx::{Connection as _, Row as _};

            use $crate::app::change::{Change, Effects, Facts, Groups, Receipt};
            use $crate::app::counts::{BinCounts, BinKey, CounterKey, Counts};
            use $crate::app::facts::{
                AttributeName, Decision, EventId, KnownGroup, KnownOutcome, LoggedDecision, OutcomeEvent,
            };
            use $crate::app::report::{MonitorStatus, Tables};
            use $crate::store::sql::{self, Failure, StoreFailure};
            use $crate::store::{MonitorStore, StoreError, WriteError};

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;
            type Builder = sqlx::QueryBuilder<$engine>;

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
                    for ids in applications.chunks(sql::ROWS_MAX) {
                        for row in rows(connection, sql::GROUPS_OF, ids).await? {
                            let (id, attribute, group) = known_group(&row)?;
                            groups.entry(id).or_default().insert(attribute, group);
                        }
                    }
                    Ok(groups)
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
                for ids in applications.chunks(sql::ROWS_MAX) {
                    for row in rows(connection, sql::OUTCOMES_OF, ids).await? {
                        let (id, outcome) = known_outcome(&row)?;
                        facts.outcomes.insert(id, outcome);
                    }
                    if change.needs_decisions() {
                        for row in rows(connection, sql::DECISIONS_OF, ids).await? {
                            facts.decisions.push(decision(&row)?);
                        }
                    }
                }
                let events: Vec<&str> = change.events().into_iter().map(EventId::as_str).collect();
                facts.events = stored_events(connection, &events).await?;
                Ok(facts)
            }

            async fn stored_events(
                connection: &mut Connection,
                events: &[&str],
            ) -> Result<BTreeSet<EventId>, StoreFailure> {
                let mut stored = BTreeSet::new();
                for ids in events.chunks(sql::ROWS_MAX) {
                    for row in rows(connection, sql::EVENTS_AMONG, ids).await? {
                        stored.insert(row.try_get::<String, _>("event_id")?.parse()?);
                    }
                }
                Ok(stored)
            }

            /// Runs a statement that ends in an open list of identifiers.
            async fn rows(
                connection: &mut Connection,
                statement: &'static str,
                ids: &[&str],
            ) -> Result<Vec<EngineRow>, sqlx::Error> {
                let mut query = Builder::new(statement);
                let mut list = query.separated(", ");
                for id in ids {
                    list.push_bind(*id);
                }
                list.push_unseparated(")");
                query.build().persistent(ids.len() == sql::ROWS_MAX).fetch_all(connection).await
            }

            fn decision(row: &EngineRow) -> Result<Decision, StoreFailure> {
                sql::DecisionColumns {
                    application_id: row.try_get("application_id")?,
                    minute: row.try_get("minute")?,
                    model: row.try_get("model")?,
                    arm: row.try_get("arm")?,
                    outcome: row.try_get("outcome")?,
                    score: row.try_get("score")?,
                    probability_ppm: row.try_get("probability_ppm")?,
                }
                .decision()
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
                insert_decisions(connection, &effects.decisions).await?;
                upsert_groups(connection, &effects.groups).await?;
                insert_events(connection, &effects.events).await?;
                upsert_outcomes(connection, &effects.outcomes).await?;
                add_counters(connection, &effects.increments.counters).await?;
                add_bins(connection, &effects.increments.bins).await?;
                let advance = sqlx::query(sql::ADVANCE)
                    .bind(sql::index_to_i64(effects.receipt.last_index)?)
                    .bind(sql::to_i64(effects.decisions.len()))
                    .bind(sql::index_to_i64(effects.groups_new)?)
                    .bind(sql::to_i64(effects.events.len()));
                advance.execute(connection).await?;
                Ok(())
            }

            async fn insert_decisions(
                connection: &mut Connection,
                decisions: &[LoggedDecision],
            ) -> Result<(), StoreFailure> {
                for chunk in decisions.chunks(sql::ROWS_MAX) {
                    let mut query = Builder::new(sql::INSERT_DECISIONS);
                    let mut indices = Vec::with_capacity(chunk.len());
                    for logged in chunk {
                        indices.push(sql::index_to_i64(logged.log_index)?);
                    }
                    query.push_values(chunk.iter().zip(indices), |mut row, (logged, log_index)| {
                        let decision = &logged.decision;
                        row.push_bind(log_index)
                            .push_bind(logged.decision_id.to_string())
                            .push_bind(decision.application_id.as_str())
                            .push_bind(decision.minute)
                            .push_bind(decision.model.as_str())
                            .push_bind(decision.arm.as_str())
                            .push_bind(decision.outcome.as_str())
                            .push_bind(decision.score)
                            .push_bind(decision.probability_ppm);
                    });
                    query.build().persistent(false).execute(&mut *connection).await?;
                }
                Ok(())
            }

            async fn upsert_groups(
                connection: &mut Connection,
                groups: &BTreeMap<(ApplicationId, AttributeName), KnownGroup>,
            ) -> Result<(), sqlx::Error> {
                let groups: Vec<_> = groups.iter().collect();
                for chunk in groups.chunks(sql::ROWS_MAX) {
                    let mut query = Builder::new(sql::UPSERT_GROUPS.0);
                    query.push_values(chunk, |mut row, ((id, attribute), known)| {
                        row.push_bind(id.as_str())
                            .push_bind(attribute.as_str())
                            .push_bind(known.group.as_str())
                            .push_bind(known.source.as_str());
                    });
                    query.push(sql::UPSERT_GROUPS.1);
                    query.build().persistent(false).execute(&mut *connection).await?;
                }
                Ok(())
            }

            async fn insert_events(connection: &mut Connection, events: &[OutcomeEvent]) -> Result<(), sqlx::Error> {
                for chunk in events.chunks(sql::ROWS_MAX) {
                    let mut query = Builder::new(sql::INSERT_EVENTS);
                    query.push_values(chunk, |mut row, event| {
                        row.push_bind(event.event_id.as_str())
                            .push_bind(event.application_id.as_str())
                            .push_bind(event.outcome.as_str())
                            .push_bind(event.occurred_at.0);
                    });
                    query.build().persistent(false).execute(&mut *connection).await?;
                }
                Ok(())
            }

            async fn upsert_outcomes(
                connection: &mut Connection,
                outcomes: &BTreeMap<ApplicationId, KnownOutcome>,
            ) -> Result<(), sqlx::Error> {
                let outcomes: Vec<_> = outcomes.iter().collect();
                for chunk in outcomes.chunks(sql::ROWS_MAX) {
                    let mut query = Builder::new(sql::UPSERT_OUTCOMES.0);
                    query.push_values(chunk, |mut row, (id, known)| {
                        row.push_bind(id.as_str())
                            .push_bind(known.outcome.as_str())
                            .push_bind(known.occurred_at.0)
                            .push_bind(known.event_id.as_str());
                    });
                    query.push(sql::UPSERT_OUTCOMES.1);
                    query.build().persistent(false).execute(&mut *connection).await?;
                }
                Ok(())
            }

            async fn add_counters(
                connection: &mut Connection,
                counters: &BTreeMap<CounterKey, Counts>,
            ) -> Result<(), sqlx::Error> {
                let counters: Vec<_> = counters.iter().collect();
                for chunk in counters.chunks(sql::ROWS_MAX) {
                    let mut query = Builder::new(sql::ADD_COUNTERS.0);
                    query.push_values(chunk, |mut row, (key, counts)| {
                        let (attribute, group) = key.cell.columns();
                        row.push_bind(key.model.as_str())
                            .push_bind(key.arm.as_str())
                            .push_bind(attribute)
                            .push_bind(group)
                            .push_bind(key.minute)
                            .push_bind(counts.approved)
                            .push_bind(counts.referred)
                            .push_bind(counts.denied)
                            .push_bind(counts.score_sum)
                            .push_bind(counts.score_square_sum)
                            .push_bind(counts.approved_repaid)
                            .push_bind(counts.approved_defaulted);
                    });
                    query.push(sql::ADD_COUNTERS.1);
                    query.build().persistent(false).execute(&mut *connection).await?;
                }
                Ok(())
            }

            async fn add_bins(
                connection: &mut Connection,
                bins: &BTreeMap<BinKey, BinCounts>,
            ) -> Result<(), sqlx::Error> {
                let bins: Vec<_> = bins.iter().collect();
                for chunk in bins.chunks(sql::ROWS_MAX) {
                    let mut query = Builder::new(sql::ADD_BINS.0);
                    query.push_values(chunk, |mut row, (key, counts)| {
                        row.push_bind(key.model.as_str())
                            .push_bind(key.bin)
                            .push_bind(counts.labelled)
                            .push_bind(counts.defaulted)
                            .push_bind(counts.predicted_sum_ppm);
                    });
                    query.push(sql::ADD_BINS.1);
                    query.build().persistent(false).execute(&mut *connection).await?;
                }
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
            async fn snapshot(connection: &mut Connection, model: &str) -> Result<Tables, StoreFailure> {
                let mut transaction = connection.begin_with($begin_read).await?;
                let tables = tables(&mut transaction, model).await?;
                transaction.commit().await?;
                Ok(tables)
            }

            async fn tables(connection: &mut Connection, model: &str) -> Result<Tables, StoreFailure> {
                let mut tables =
                    Tables { last_index: status(&mut *connection).await?.last_index, ..Tables::default() };
                for row in sqlx::query(sql::COUNTERS).bind(model).fetch_all(&mut *connection).await? {
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
                for row in sqlx::query(sql::BINS).bind(model).fetch_all(connection).await? {
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

                async fn tables(&self, model: Option<&ModelVersion>) -> Result<Tables, StoreError> {
                    const ATTEMPT: &str = "read the counters";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let model = model.map_or("", ModelVersion::as_str);
                    let work = snapshot(&mut connection, model);
                    let result = tokio::time::timeout(sql::READ_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
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
