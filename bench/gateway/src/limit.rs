//! The limit: what PostgreSQL commits of the very rows that the gateway wrote, with nothing around it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

/// Decisions of one commit, as the gateway has them at most.
const BATCH: i64 = 64;

/// The tables of a decision, with what tells the rows of some indices.
const TABLES: [(&str, &str); 3] = [
    (
        "applicant_keys",
        "(tenant, applicant) IN (SELECT tenant, applicant FROM scoring_gateway.decisions WHERE ",
    ),
    ("decisions", "("),
    ("idempotency", "("),
];

/// Copies the decisions with their keys, 64 in a commit on one connection; returns decisions per second.
pub(crate) async fn group_commit(url: &str, length: Duration) -> anyhow::Result<f64> {
    let mut connection = PgConnection::connect(url).await?;
    let schema = "scoring_gateway";
    execute(&mut connection, "SET app.tenant = '*'").await?;
    for (table, _) in TABLES {
        execute(
            &mut connection,
            &format!("DROP TABLE IF EXISTS bare_{table}"),
        )
        .await?;
        execute(
            &mut connection,
            &format!("CREATE TABLE bare_{table} (LIKE {schema}.{table} INCLUDING ALL)"),
        )
        .await?;
    }
    let highest: i64 = sqlx::query("SELECT last_index FROM scoring_gateway.log_head")
        .fetch_one(&mut connection)
        .await?
        .get(0);
    ensure!(highest > BATCH, "there are rows to copy");
    let start = Instant::now();
    let mut copied = 0;
    while start.elapsed() < length {
        ensure!(copied + BATCH <= highest, "the gateway wrote too few rows");
        let mut transaction = connection.begin().await?;
        for (table, rows) in TABLES {
            let copy = format!(
                "INSERT INTO bare_{table} SELECT * FROM {schema}.{table} \
                 WHERE {rows}log_index > {copied} AND log_index <= {})",
                copied + BATCH
            );
            execute(&mut transaction, &copy).await?;
        }
        transaction.commit().await?;
        copied += BATCH;
    }
    Ok(copied as f64 / start.elapsed().as_secs_f64())
}

async fn execute(connection: &mut PgConnection, statement: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await?;
    Ok(())
}
