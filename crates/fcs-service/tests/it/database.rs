//! Opening both engines.

use std::path::Path;

use fcs_core::Secret;
use fcs_service::database::{Database, open};
use fcs_service::settings::DatabaseSettings;

const SCHEMA: &str = "fcs_service_open_test";

fn postgres_url() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test runner names the server here"
    )]
    std::env::var("FCS_TEST_POSTGRES_URL").expect("run the tests with `cargo xtask test`")
}

fn of(url: &str) -> DatabaseSettings {
    DatabaseSettings {
        url: Secret::new(url.to_owned()),
        ..DatabaseSettings::default()
    }
}

#[tokio::test]
async fn sqlite_lives_in_the_data_folder_and_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("deep/er");
    let database = open(&of("sqlite:"), &data_dir, "gateway").await.unwrap();
    database.ping().await.unwrap();
    let Database::Sqlite(pool) = &database else {
        panic!("not SQLite")
    };
    let text = |sql: &'static str| sqlx::query_scalar::<_, String>(sql).fetch_one(pool);
    let number = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(pool);
    assert_eq!(text("PRAGMA journal_mode").await.unwrap(), "wal");
    assert_eq!(number("PRAGMA synchronous").await.unwrap(), 2, "FULL");
    assert_eq!(number("PRAGMA foreign_keys").await.unwrap(), 1);
    assert_eq!(number("PRAGMA busy_timeout").await.unwrap(), 5_000);
    database.close().await;
    assert!(data_dir.join("gateway.db").exists());
}

#[tokio::test]
async fn sqlite_in_memory_is_one_database() {
    let database = open(&of("sqlite::memory:"), Path::new("unused"), "gateway")
        .await
        .unwrap();
    let Database::Sqlite(pool) = &database else {
        panic!("not SQLite")
    };
    sqlx::query("CREATE TABLE t (x BIGINT)")
        .execute(pool)
        .await
        .unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn postgres_has_its_schema_and_its_limits() {
    let database = open(&of(&postgres_url()), Path::new("unused"), SCHEMA)
        .await
        .unwrap();
    database.ping().await.unwrap();
    let Database::Postgres(pool) = &database else {
        panic!("not PostgreSQL")
    };
    for (name, expected) in [
        ("search_path", SCHEMA),
        ("statement_timeout", "2s"),
        ("lock_timeout", "500ms"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("application_name", "fcs-service-open-test"),
    ] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(value, expected, "{name}");
    }
    let current: Option<String> = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(current.as_deref(), Some(SCHEMA), "the schema exists");
    sqlx::query("DROP SCHEMA fcs_service_open_test CASCADE")
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn processes_that_start_together_share_a_schema() {
    let settings = of(&postgres_url());
    let schema = "fcs_service_race_test";
    let opened = futures::future::join_all((0..8).map(|_| open(&settings, Path::new("."), schema)));
    for database in opened.await {
        database.unwrap().ping().await.unwrap();
    }
    let database = open(&settings, Path::new("."), schema).await.unwrap();
    let Database::Postgres(pool) = &database else {
        panic!("not PostgreSQL")
    };
    sqlx::query("DROP SCHEMA fcs_service_race_test CASCADE")
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_address_is_told_without_its_password() {
    for url in [
        "postgresql://fcs:hunter2@127.0.0.1:1/fcs",
        "mysql://root:hunter2@db/x",
    ] {
        let error = open(&of(url), Path::new("unused"), "gateway")
            .await
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("database.url") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
