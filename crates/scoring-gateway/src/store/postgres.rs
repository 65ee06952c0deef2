//! The store on PostgreSQL.

mod append;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres};

use super::case_sql::sql_case_store;
use super::erasure_sql::sql_erasure_store;
use super::privacy_sql::sql_privacy_store;
use super::shadow_sql::sql_shadow_store;
use super::sql::{READ_TIMEOUT, StoreFailure, sql_store};

// READ COMMITTED is enough: every batch takes the lock on the sequencer's row first, and each statement after it has
// a snapshot of its own, taken when the batches before were committed. So the batch sees every key that they
// claimed, and no other batch runs until it ends. A higher level would only add serialisation failures. Keys are looked
// up by index: a plan that was made while a table was nearly empty would read all of it, until it is analysed.
sql_store!(
    /// The store on PostgreSQL.
    PostgresStore,
    Postgres,
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL app.tenant = '*'; SET LOCAL enable_seqscan = off; \
             SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off",
    lock = "SELECT last_index FROM log_head WHERE id = 1 FOR UPDATE",
);

impl PostgresStore {
    /// The rows that a statement gives in the eyes of a tenant, or of all of them ([`EVERY_TENANT`]): row security
    /// compares with what the transaction names. The transaction runs to its end whether or not somebody waits, so
    /// that callers who leave do not cost their connections.
    ///
    /// [`EVERY_TENANT`]: super::sql::EVERY_TENANT
    #[expect(
        clippy::disallowed_methods,
        reason = "a transaction that is given up half-way costs its connection; this task ends within the read's limit"
    )]
    async fn rows(&self, tenant: &str, query: Statement) -> Result<Vec<PgRow>, StoreFailure> {
        // A tenant's name has neither quotes nor backslashes, and one round trip is enough for both statements.
        let begin = format!("BEGIN; SET LOCAL app.tenant = '{tenant}'");
        let read = scoped(self.pool.clone(), begin, query);
        Ok(tokio::spawn(tokio::time::timeout(READ_TIMEOUT, read)).await???)
    }
}

type Statement = sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments>;

async fn scoped(pool: PgPool, begin: String, query: Statement) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut lease = Lease(Some(pool.acquire().await?));
    let mut transaction = lease.connection().begin_with(AssertSqlSafe(begin)).await?;
    let rows = query.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    lease.end();
    Ok(rows)
}

/// A connection that goes back to the pool only when its work has ended: what is given up in between may leave a
/// transaction open.
struct Lease(Option<PoolConnection<Postgres>>);

impl Lease {
    fn connection(&mut self) -> &mut PgConnection {
        self.0
            .as_mut()
            .expect("a lease holds its connection until it ends")
    }

    fn end(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
sql_case_store!(PostgresStore, Postgres);
sql_erasure_store!(PostgresStore, Postgres);
sql_privacy_store!(
    PostgresStore,
    Postgres,
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL app.tenant = '*'"
);
sql_shadow_store!(
    PostgresStore,
    Postgres,
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL app.tenant = '*'",
    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
);

pub(super) fn migrations() -> Migrator {
    fcs_service::database::migrator(&[
        (
            1,
            "create decision log",
            include_str!("../../migrations/postgres/0001_create_decision_log.sql"),
        ),
        (
            2,
            "create api clients",
            include_str!("../../migrations/postgres/0002_create_api_clients.sql"),
        ),
        (
            3,
            "add tenants",
            include_str!("../../migrations/postgres/0003_add_tenants.sql"),
        ),
        (
            4,
            "create reviews and notices",
            include_str!("../../migrations/postgres/0004_create_reviews_and_notices.sql"),
        ),
        (
            5,
            "create shadow decisions",
            include_str!("../../migrations/postgres/0005_create_shadow_decisions.sql"),
        ),
        (
            6,
            "widen outcomes",
            include_str!("../../migrations/postgres/0006_widen_outcomes.sql"),
        ),
        (
            7,
            "encrypt applicants",
            include_str!("../../migrations/postgres/0007_encrypt_applicants.sql"),
        ),
        (
            8,
            "write in one statement",
            include_str!("../../migrations/postgres/0008_write_in_one_statement.sql"),
        ),
        (
            9,
            "keep bins",
            include_str!("../../migrations/postgres/0009_keep_bins.sql"),
        ),
    ])
}
