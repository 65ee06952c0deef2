//! The part of the store that keeps evidence and alarms, on either engine.

/// Defines it for a store of [`super::body::sql_store`].
macro_rules! sql_evidence_store {
    ($store:ident, $engine:ty, begin_write = $begin_write:literal, lock = $lock:literal $(,)?) => {
        const _: () = {
            use fcs_core::UnixMicros;
            use fcs_fairness::alarm::{Alarm, Entry, Event};
            use fcs_fairness::policy::AlarmSection;
            use sqlx::{Connection as _, Row as _};

            use $crate::app::evidence::{
                BATCH, Candidate, Ledger, News, Turn, Turned, Watched, WatchedGroup,
            };
            use $crate::store::evidence_sql as sql;
            use $crate::store::sql::{StoreFailure, index_to_i64, to_u64};
            use $crate::store::{ActError, EvidenceStore, Standing, StoreError, StoredNews};

            type Connection = <$engine as sqlx::Database>::Connection;
            type EngineRow = <$engine as sqlx::Database>::Row;

            impl $store {
                /// Locks what is known of evidence and alarms, and says how far they are.
                pub(super) async fn locked(
                    connection: &mut Connection,
                ) -> Result<sql::Progress, StoreFailure> {
                    let row = sqlx::query($lock).fetch_one(connection).await?;
                    Ok(sql::Progress {
                        policy: row.try_get("policy")?,
                        last_index: to_u64(row.try_get("last_index")?)?,
                        last_entry: to_u64(row.try_get("last_entry")?)?,
                    })
                }

                /// What is known of groups, of rows that have the columns.
                pub(super) fn watched(
                    rows: &[EngineRow],
                ) -> Result<Vec<(WatchedGroup, Watched)>, StoreFailure> {
                    let watched = |row: &EngineRow| {
                        sql::watched(&sql::WatchColumns {
                            model: row.try_get("model")?,
                            baseline: row.try_get("baseline")?,
                            attribute: row.try_get("attribute")?,
                            group: row.try_get("group_name")?,
                            watch: row.try_get("watch")?,
                            proxy_watch: row.try_get("proxy_watch")?,
                            judgement: row.try_get("judgement")?,
                            alarm: row.try_get("alarm")?,
                        })
                    };
                    rows.iter().map(watched).collect()
                }

                /// Decisions, with what is known of their applicants.
                pub(super) async fn known_of(
                    connection: &mut Connection,
                    rows: &[EngineRow],
                ) -> Result<Vec<Candidate>, StoreFailure> {
                    let mut applications = Vec::with_capacity(rows.len());
                    for row in rows {
                        applications.push(row.try_get::<&str, _>("application_id")?);
                    }
                    let groups = Self::groups_of(&mut *connection, &applications).await?;
                    let memberships = Self::memberships_of(connection, &applications).await?;
                    let mut candidates = Vec::with_capacity(rows.len());
                    for row in rows {
                        let minute: i64 = row.try_get("minute")?;
                        let application = row.try_get::<&str, _>("application_id")?.parse()?;
                        candidates.push(Candidate {
                            log_index: to_u64(row.try_get("log_index")?)?,
                            at: UnixMicros(minute.saturating_mul(sql::MINUTE_MICROS)),
                            model: row.try_get::<&str, _>("model")?.parse()?,
                            approved: row.try_get::<&str, _>("outcome")? == "approve",
                            groups: groups.get(&application).cloned().unwrap_or_default(),
                            memberships: memberships.get(&application).cloned().unwrap_or_default(),
                        });
                    }
                    Ok(candidates)
                }

                /// Stores what happened to alarms, and returns the sequence of the last entry.
                pub(super) async fn tell(
                    connection: &mut Connection,
                    news: &[News],
                    mut last_entry: u64,
                ) -> Result<u64, StoreFailure> {
                    for it in news {
                        last_entry += 1;
                        let query = sqlx::query(sql::INSERT_ENTRY)
                            .bind(index_to_i64(last_entry)?)
                            .bind(it.watched.model.as_str())
                            .bind(sql::baseline_text(&it.watched))
                            .bind(it.watched.attribute.as_str())
                            .bind(it.watched.group.as_str())
                            .bind(serde_json::to_string(&it.entry)?);
                        query.execute(&mut *connection).await?;
                    }
                    Ok(last_entry)
                }
            }

            async fn take_turn(
                connection: &mut Connection,
                turn: &Turn<'_>,
            ) -> Result<Turned, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let progress = <$store>::locked(&mut transaction).await?;
                let mut ledger = Ledger {
                    last_index: progress.last_index,
                    ..Ledger::default()
                };
                let rows = sqlx::query(sql::WATCHES)
                    .bind("")
                    .fetch_all(&mut *transaction)
                    .await?;
                ledger.watched.extend(<$store>::watched(&rows)?);
                let policy = turn.terms.policy.digest().to_string();
                if progress.policy != policy {
                    ledger.begin_anew();
                }
                let candidates = candidates(&mut transaction, ledger.last_index).await?;
                let turned = turn.run(ledger, &candidates);
                for (id, watched) in &turned.ledger.watched {
                    let columns = sql::WatchColumns::of(id, watched)?;
                    let query = sqlx::query(sql::PUT_WATCH)
                        .bind(columns.model)
                        .bind(columns.attribute)
                        .bind(columns.group)
                        .bind(columns.watch)
                        .bind(columns.proxy_watch)
                        .bind(columns.judgement)
                        .bind(columns.alarm);
                    query.execute(&mut *transaction).await?;
                }
                let last_entry =
                    <$store>::tell(&mut transaction, &turned.news, progress.last_entry).await?;
                let advance = sqlx::query(sql::ADVANCE)
                    .bind(policy)
                    .bind(index_to_i64(turned.ledger.last_index)?)
                    .bind(index_to_i64(last_entry)?);
                advance.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(turned)
            }

            /// The next decisions in the order of the log.
            async fn candidates(
                connection: &mut Connection,
                after_index: u64,
            ) -> Result<Vec<Candidate>, StoreFailure> {
                let rows = sqlx::query(sql::DECISIONS_AFTER)
                    .bind(index_to_i64(after_index)?)
                    .bind(i64::try_from(BATCH)?)
                    .fetch_all(&mut *connection)
                    .await?;
                <$store>::known_of(connection, &rows).await
            }

            async fn act(
                connection: &mut Connection,
                id: &WatchedGroup,
                event: Event,
                at: UnixMicros,
                rules: &AlarmSection,
            ) -> Result<Result<(), ActError>, StoreFailure> {
                let mut transaction = connection.begin_with($begin_write).await?;
                let progress = <$store>::locked(&mut transaction).await?;
                let (select, update) = sql::alarm_of(id);
                let found = sqlx::query_scalar(select)
                    .bind(id.model.as_str())
                    .bind(sql::baseline_text(id))
                    .bind(id.attribute.as_str())
                    .bind(id.group.as_str())
                    .fetch_optional(&mut *transaction);
                let Some(text): Option<String> = found.await? else {
                    transaction.rollback().await?;
                    return Ok(Err(ActError::Unknown));
                };
                let mut alarm: Alarm = serde_json::from_str(&text)?;
                let entries: Vec<Entry> = match alarm.apply(event, at, rules) {
                    Ok(entries) => entries,
                    Err(rejection) => {
                        transaction.rollback().await?;
                        return Ok(Err(ActError::Rejected(rejection)));
                    }
                };
                let query = sqlx::query(update)
                    .bind(id.model.as_str())
                    .bind(sql::baseline_text(id))
                    .bind(id.attribute.as_str())
                    .bind(id.group.as_str())
                    .bind(serde_json::to_string(&alarm)?);
                query.execute(&mut *transaction).await?;
                let news: Vec<News> = entries
                    .into_iter()
                    .map(|entry| News {
                        watched: id.clone(),
                        entry,
                    })
                    .collect();
                let last_entry =
                    <$store>::tell(&mut transaction, &news, progress.last_entry).await?;
                let advance = sqlx::query(sql::ADVANCE)
                    .bind(progress.policy)
                    .bind(index_to_i64(progress.last_index)?)
                    .bind(index_to_i64(last_entry)?);
                advance.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(Ok(()))
            }

            async fn standing(
                connection: &mut Connection,
                model: &str,
            ) -> Result<Standing, StoreFailure> {
                let last_index: i64 = sqlx::query_scalar(sql::LAST_INDEX)
                    .fetch_one(&mut *connection)
                    .await?;
                let ratios = sqlx::query(sql::WATCHES).bind(model);
                let mut rows = ratios.fetch_all(&mut *connection).await?;
                let gaps = sqlx::query(sql::GAP_WATCHES).bind(model).bind("");
                rows.extend(gaps.fetch_all(connection).await?);
                Ok(Standing {
                    last_index: to_u64(last_index)?,
                    watched: <$store>::watched(&rows)?,
                })
            }

            async fn news(
                connection: &mut Connection,
                after: u64,
                limit: u32,
            ) -> Result<Vec<StoredNews>, StoreFailure> {
                let rows = sqlx::query(sql::ENTRIES_AFTER)
                    .bind(index_to_i64(after)?)
                    .bind(i64::from(limit))
                    .fetch_all(connection)
                    .await?;
                let stored = |row: &EngineRow| {
                    let watched = sql::watched_group(
                        row.try_get("model")?,
                        row.try_get("baseline")?,
                        row.try_get("attribute")?,
                        row.try_get("group_name")?,
                    )?;
                    let entry = serde_json::from_str(row.try_get("entry")?)?;
                    let sequence = to_u64(row.try_get("sequence")?)?;
                    Ok(StoredNews {
                        sequence,
                        news: News { watched, entry },
                    })
                };
                rows.iter().map(stored).collect()
            }

            #[async_trait::async_trait]
            impl EvidenceStore for $store {
                async fn take_turn(&self, turn: &Turn<'_>) -> Result<Turned, StoreError> {
                    const ATTEMPT: &str = "take decisions into evidence";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = take_turn(&mut connection, turn);
                    let result = tokio::time::timeout(sql::TURN_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn act(
                    &self,
                    id: &WatchedGroup,
                    event: Event,
                    at: UnixMicros,
                    rules: &AlarmSection,
                ) -> Result<Result<(), ActError>, StoreError> {
                    const ATTEMPT: &str = "change an alarm";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = act(&mut connection, id, event, at, rules);
                    let result = tokio::time::timeout(sql::TURN_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn standing(&self, model: &str) -> Result<Standing, StoreError> {
                    const ATTEMPT: &str = "read verdicts";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = standing(&mut connection, model);
                    let result = tokio::time::timeout(sql::TURN_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }

                async fn news(
                    &self,
                    after: u64,
                    limit: u32,
                ) -> Result<Vec<StoredNews>, StoreError> {
                    const ATTEMPT: &str = "read what happened to alarms";
                    let mut connection = self.connection(ATTEMPT).await?;
                    let work = news(&mut connection, after, limit);
                    let result = tokio::time::timeout(sql::TURN_TIMEOUT, work).await;
                    Self::give_back(ATTEMPT, connection, result)
                }
            }
        };
    };
}

pub(super) use sql_evidence_store;
