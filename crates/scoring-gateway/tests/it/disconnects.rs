//! Clients that leave in the middle of a request, at a random byte or a random moment: no connection to the database is
//! left in a transaction, and each key stands for one decision.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::server::Server;
use crate::transport::{SCORE, activate};

/// Requests at a time.
const TOGETHER: u64 = 16;
/// Longest time from the last byte to the leave; an answer takes about as long.
const LEAVE_MICROS: u64 = 12_000;

/// The next number of a fixed sequence (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn body(number: u64) -> String {
    format!(
        r#"{{"application_id":"A-{number}","features":{{"income":{},"housing":"own"}}}}"#,
        20_000 + number
    )
}

fn key(number: u64) -> String {
    format!("idempotency-key: left-{number}\r\n")
}

/// Sends a part of a request, or all of it, and leaves; half of the clients without a farewell.
async fn leave(server: &Server, number: u64, mut seed: u64) {
    let body = body(number);
    let request = format!(
        "POST {SCORE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{}content-length: {}\r\n\r\n{body}",
        key(number),
        body.len()
    );
    let mut stream = TcpStream::connect(server.running.http).await.unwrap();
    let mut bytes = request.as_bytes();
    if random(&mut seed).is_multiple_of(4) {
        let cut = random(&mut seed) % bytes.len() as u64;
        bytes = &bytes[..usize::try_from(cut).unwrap()];
    }
    stream.write_all(bytes).await.unwrap();
    sleep(Duration::from_micros(random(&mut seed) % LEAVE_MICROS)).await;
    if random(&mut seed).is_multiple_of(2) {
        stream.set_zero_linger().unwrap();
    }
}

async fn transactions_left_open(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    );
    count.fetch_one(&mut connection).await.unwrap()
}

/// What happened, for a person.
async fn disconnects(count: u64) -> String {
    let database = fcs_testkit::postgres::database().await;
    let url = fcs_core::Secret::new(database.url.clone());
    let server = Server::with(async |settings| settings.database.url = url).await;
    activate(&server, 1).await;
    let server = std::sync::Arc::new(server);
    let mut clients = JoinSet::new();
    for first in 0..TOGETHER {
        let server = std::sync::Arc::clone(&server);
        clients.spawn(async move {
            for number in (first..count).step_by(usize::try_from(TOGETHER).unwrap()) {
                leave(&server, number, number).await;
            }
        });
    }
    clients.join_all().await;

    let highest =
        server.http("GET", "/v1/decisions", "", b"").await.json()["highest_index"].clone();
    let before = highest.as_u64().unwrap();
    assert!(
        (1..count).contains(&before),
        "some were decided and some not: {before}"
    );
    let mut replayed = 0;
    for number in 0..count {
        let answer = server
            .http("POST", SCORE, &key(number), body(number).as_bytes())
            .await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{number}: {text}");
        replayed += u64::from(answer.head.contains("idempotency-replayed: true"));
    }
    let last = server
        .http("GET", "/v1/decisions?page_size=1", "", b"")
        .await
        .json();
    assert_eq!(last["highest_index"], count, "one decision for each key");
    assert!(replayed >= before, "{replayed} answers again, of {before}");
    assert_eq!(transactions_left_open(&database.url).await, 0);
    format!("{count} disconnects: {before} decided all the same, {replayed} answered again")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_disconnects_lose_and_poison_nothing() {
    disconnects(1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn ten_thousand_disconnects_lose_and_poison_nothing() {
    println!("{}", disconnects(10_000).await);
}
