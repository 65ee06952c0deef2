//! Fresh databases on the test server.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A database of its own, dropped with the value.
pub struct TestDatabase {
    /// URL of the database.
    pub url: String,
    name: String,
    server: String,
}

/// Creates an empty database.
///
/// # Panics
/// When the server is missing or refuses.
pub async fn database() -> TestDatabase {
    let server = crate::server_url("FCS_TEST_POSTGRES_URL");
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("fcs_test_{}_{number}", std::process::id());
    run(
        &server,
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await;
    run(
        &server,
        format!("CREATE DATABASE {name} TEMPLATE template0"),
    )
    .await;
    let (base, _) = server
        .rsplit_once('/')
        .expect("the server's URL names a database");
    TestDatabase {
        url: format!("{base}/{name}"),
        name,
        server,
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A drop may happen on a runtime's thread, where blocking on another runtime is refused.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a small runtime starts").block_on(run(
                &server,
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            ));
        });
        let _ = dropping.join();
    }
}

/// The statements hold generated names only.
async fn run(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server)
        .await
        .expect("the test server answers");
    connection
        .execute(AssertSqlSafe(statement))
        .await
        .expect("the test server obeys");
    connection.close().await.expect("the connection closes");
}
