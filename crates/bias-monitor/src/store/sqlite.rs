//! The store on SQLite.

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Sqlite};

use super::body::sql_store;
use super::erasure_body::sql_erasure_store;
use super::evidence_body::sql_evidence_store;
use super::examination_body::sql_examination_store;
use super::gap_body::sql_gap_store;
use super::profile_body::sql_profile_store;
use super::rebuild_body::sql_rebuild_store;
use super::rows::{Column, Engine, Find, Insert};

/// Rows, or identifiers, of one statement; far below the engine's limit of 32,766 values.
const ROWS_MAX: usize = 500;

// BEGIN IMMEDIATE takes the one write lock of the database at once, so reading the state needs no lock of its own.
// A read sees the database as it was at its first statement.
sql_store!(
    /// The store on SQLite.
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    lock = "SELECT last_index FROM state WHERE id = 1",
    begin_read = "BEGIN",
);

sql_evidence_store!(
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    lock = "SELECT policy, last_index, last_entry FROM evidence WHERE id = 1",
);

sql_gap_store!(SqliteStore, Sqlite, begin_write = "BEGIN IMMEDIATE");

sql_examination_store!(
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    begin_read = "BEGIN"
);

sql_profile_store!(SqliteStore, Sqlite);

sql_rebuild_store!(
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    lock = "SELECT last_index FROM state WHERE id = 1",
);

sql_erasure_store!(
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    lock = "SELECT last_index FROM state WHERE id = 1",
);

/// A full statement has always the same text and stays prepared; the rest of a batch is a statement of its own.
impl Engine for Sqlite {
    async fn insert(
        connection: &mut SqliteConnection,
        insert: &Insert,
        columns: &[Column<'_>],
    ) -> Result<(), sqlx::Error> {
        let Insert {
            into,
            columns: names,
            on_conflict,
        } = insert;
        let rows: Vec<usize> = (0..columns.first().map_or(0, Column::len)).collect();
        for chunk in rows.chunks(ROWS_MAX) {
            let mut query = QueryBuilder::<Sqlite>::new(format!("INSERT INTO {into} ({names}) "));
            query.push_values(chunk, |mut values, row| {
                for column in columns {
                    match column {
                        Column::Integers(integers) => values.push_bind(integers[*row]),
                        Column::Texts(texts) => values.push_bind(texts[*row].as_ref()),
                    };
                }
            });
            query.push(" ").push(on_conflict);
            let query = query.build().persistent(chunk.len() == ROWS_MAX);
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn find(
        connection: &mut SqliteConnection,
        Find(select): &Find,
        ids: &[&str],
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut found = Vec::new();
        for chunk in ids.chunks(ROWS_MAX) {
            let mut query = QueryBuilder::<Sqlite>::new(*select);
            query.push(" IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(*id);
            }
            list.push_unseparated(")");
            let query = query.build().persistent(chunk.len() == ROWS_MAX);
            found.extend(query.fetch_all(&mut *connection).await?);
        }
        Ok(found)
    }
}

pub(super) fn migrations() -> Migrator {
    fcs_service::database::migrator(&[
        (
            1,
            "create monitor",
            include_str!("../../migrations/sqlite/0001_create_monitor.sql"),
        ),
        (
            2,
            "watch groups",
            include_str!("../../migrations/sqlite/0002_watch_groups.sql"),
        ),
        (
            3,
            "count bins",
            include_str!("../../migrations/sqlite/0003_count_bins.sql"),
        ),
        (
            4,
            "take group probabilities",
            include_str!("../../migrations/sqlite/0004_take_group_probabilities.sql"),
        ),
        (
            5,
            "watch proxies",
            include_str!("../../migrations/sqlite/0005_watch_proxies.sql"),
        ),
        (
            6,
            "compare shadows",
            include_str!("../../migrations/sqlite/0006_compare_shadows.sql"),
        ),
        (
            7,
            "take overrides",
            include_str!("../../migrations/sqlite/0007_take_overrides.sql"),
        ),
        (
            8,
            "follow erasures",
            include_str!("../../migrations/sqlite/0008_follow_erasures.sql"),
        ),
    ])
}
