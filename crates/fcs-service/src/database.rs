//! Opening a database: PostgreSQL in shared environments, SQLite embedded. Migrations and SQL stay in the service.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Executor as _, SqlSafeStr as _};

use crate::ServiceContext;
use crate::settings::DatabaseSettings;

const LOCK_TIMEOUT_MS: u64 = 500;
const IDLE_IN_TRANSACTION_TIMEOUT_MS: u64 = 5_000;
/// Statements that a connection keeps prepared. One with rows for values is another one for each number of rows.
const STATEMENTS: usize = 1_024;
/// A connection that was idle for so long may be gone; one in use would pay a round trip for the question.
const IDLE_TEST: Duration = Duration::from_secs(1);
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages that a connection keeps at most, in KiB with a minus sign: identifiers have no order, so writes touch pages
/// everywhere, and each one that is not kept is read and written again.
const SQLITE_CACHE: &str = "-65536";
/// Pages of the journal after which it is moved into the database, 32 MiB. A page that was changed many times until
/// then is moved once.
const SQLITE_CHECKPOINT_PAGES: &str = "8192";
const SQLITE_CONNECTIONS_MAX: u32 = 4;
const PING_INTERVAL: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// A pool of connections. Cloning shares it.
#[derive(Debug, Clone)]
pub enum Database {
    /// PostgreSQL 15 or later.
    Postgres(PgPool),
    /// SQLite.
    Sqlite(SqlitePool),
}

/// Opens the database that the settings name. `schema` is the service's own schema on PostgreSQL and the name
/// of its file on SQLite; lower-case letters, digits and underscores. The first connection is made here, so
/// that a wrong address or password is told at the start.
pub async fn open(
    settings: &DatabaseSettings,
    data_dir: &Path,
    schema: &'static str,
) -> anyhow::Result<Database> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(
        !schema.is_empty() && schema.bytes().all(plain),
        "a schema is a plain identifier"
    );
    let url = settings.url.expose();
    if url.starts_with("sqlite:") {
        open_sqlite(settings, data_dir, schema)
            .await
            .map(Database::Sqlite)
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(settings, schema)
            .await
            .map(Database::Postgres)
    } else {
        bail!("database.url must start with postgresql://, postgres:// or sqlite:")
    }
}

async fn open_postgres(
    settings: &DatabaseSettings,
    schema: &'static str,
) -> anyhow::Result<PgPool> {
    let options = PgConnectOptions::from_str(settings.url.expose())
        .context("database.url is not a PostgreSQL address")?
        .application_name(&schema.replace('_', "-"))
        .statement_cache_capacity(STATEMENTS)
        .options([
            ("search_path", schema.to_owned()),
            (
                "statement_timeout",
                settings.statement_timeout_ms.to_string(),
            ),
            ("lock_timeout", LOCK_TIMEOUT_MS.to_string()),
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_TIMEOUT_MS.to_string(),
            ),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for >= IDLE_TEST {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
        .context("cannot connect to PostgreSQL; see database.url (DATABASE_URL)")?;
    if settings.migrate_on_start {
        create_schema(&pool, schema).await?;
    }
    Ok(pool)
}

/// Two processes that start together may both try; PostgreSQL then reports a duplicate to one of them.
async fn create_schema(pool: &PgPool, schema: &'static str) -> anyhow::Result<()> {
    let present: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
            .bind(schema)
            .fetch_one(pool)
            .await
            .context("cannot look for the schema")?;
    if present {
        return Ok(());
    }
    let statement = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    match pool.execute(sqlx::AssertSqlSafe(statement)).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(()),
        Err(error) => Err(error).context(format!("cannot create the schema {schema}")),
    }
}

async fn open_sqlite(
    settings: &DatabaseSettings,
    data_dir: &Path,
    schema: &'static str,
) -> anyhow::Result<SqlitePool> {
    let url = settings.url.expose();
    let in_memory = url.contains(":memory:");
    let options = if url == "sqlite:" || url == "sqlite://" {
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot create the data folder {}", data_dir.display()))?;
        SqliteConnectOptions::new().filename(data_dir.join(format!("{schema}.db")))
    } else {
        SqliteConnectOptions::from_str(url).context("database.url is not a SQLite address")?
    };
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", SQLITE_CACHE)
        .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES)
        .busy_timeout(SQLITE_BUSY_TIMEOUT);
    // Each connection to memory is a database of its own, so there must be one, kept for ever.
    let connections_max = if in_memory {
        1
    } else {
        settings.max_connections.min(SQLITE_CONNECTIONS_MAX)
    };
    let mut pool = SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(
            Duration::from_millis(settings.acquire_timeout_ms).max(SQLITE_BUSY_TIMEOUT),
        );
    if in_memory {
        pool = pool
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
    }
    pool.connect_with(options)
        .await
        .context("cannot open the SQLite database")
}

/// Migrations that were compiled in: version, description and SQL text of each, in any order.
/// (`sqlx::migrate!` would do the same, and build every driver a second time for the compiler's host.)
pub fn migrator(list: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, description, sql): &(i64, &'static str, &'static str)| {
        let kind = MigrationType::Simple;
        Migration::new(version, description.into(), kind, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(list.iter().map(migration).collect())
}

impl Database {
    /// Applies the migrations of the engine, without the statement limit and with patience for another
    /// process that migrates at the same time.
    pub async fn migrate(&self, postgres: &Migrator, sqlite: &Migrator) -> anyhow::Result<()> {
        match self {
            Self::Postgres(pool) => {
                let mut connection = pool
                    .acquire()
                    .await
                    .context("no connection to migrate")?
                    .detach();
                connection
                    .execute("SET statement_timeout = 0; SET lock_timeout = 60000")
                    .await?;
                let migrated = postgres.run_direct(None, &mut connection, false).await;
                connection.close().await?;
                migrated.context("cannot migrate the PostgreSQL schema")
            }
            Self::Sqlite(pool) => sqlite
                .run(pool)
                .await
                .context("cannot migrate the SQLite database"),
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(pool) => sqlx::query("SELECT 1").execute(pool).await.map(drop),
            Self::Sqlite(pool) => sqlx::query("SELECT 1").execute(pool).await.map(drop),
        }
    }

    /// Keeps the dependency "database" of the service's health current, every two seconds, until the service
    /// ends. Readiness waits for the first answer.
    pub fn watch<T>(&self, ctx: &ServiceContext<T>) {
        let (database, latch, soft) = (
            self.clone(),
            ctx.health.dependency("database"),
            ctx.soft.clone(),
        );
        ctx.spawn("database-watch", async move {
            let mut interval = tokio::time::interval(PING_INTERVAL);
            loop {
                tokio::select! {
                    () = soft.cancelled() => return Ok(()),
                    _ = interval.tick() => {}
                }
                match tokio::time::timeout(PING_TIMEOUT, database.ping()).await {
                    Ok(Ok(())) => latch.good(),
                    Ok(Err(error)) => latch.bad(error),
                    Err(_) => latch.bad("no answer within a second"),
                }
            }
        });
    }

    /// Closes the pool; connections in use end first.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(pool) => pool.close().await,
        }
    }
}
