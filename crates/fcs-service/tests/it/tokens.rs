//! People with tokens of a real issuer, and what others try with tokens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fcs_core::{Clock, UnixMicros};
use fcs_service::auth::AuthMode;
use fcs_service::{Running, Shared, SystemClock, launch};
use fcs_testkit::oidc::OidcIssuer;
use ring::hmac;
use serde_json::{Value, json};

use crate::sample::{Sample, settings};
use crate::wire::{Answer, send};

const AUDIENCE: &str = "https://gateway.example";
const AUDITOR: &str = "tenant:acme role:auditor";

/// The real time, and what a test adds to it.
#[derive(Default)]
struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> UnixMicros {
        UnixMicros(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }
}

impl MovedClock {
    fn set(&self, at: i64) {
        self.0.store(at - SystemClock.now().0, Ordering::SeqCst);
    }
}

struct Gate {
    running: Running,
    issuer: OidcIssuer,
    clock: Arc<MovedClock>,
    _folder: tempfile::TempDir,
}

impl Gate {
    async fn start() -> Self {
        let issuer = tokio::task::spawn_blocking(fcs_testkit::oidc::issuer);
        let issuer = issuer.await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        settings.auth.mode = AuthMode::Required;
        settings.auth.oidc.issuer = Some(issuer.issuer.clone());
        settings.auth.oidc.audience = Some(AUDIENCE.to_owned());
        let clock = Arc::new(MovedClock::default());
        let shared = Shared {
            clock: Arc::clone(&clock) as _,
            ..Shared::silent()
        };
        let running = launch::<Sample>(settings, &shared).await.unwrap();
        Self {
            running,
            issuer,
            clock,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        get(self.running.http, path, token).await
    }

    /// Asserts that a token is refused, and gives what was told.
    async fn refuses(&self, token: &str) -> String {
        let answer = self.get("/v1/items/1", token).await;
        let body = answer.json();
        assert_eq!(
            (answer.status, body["reason"].as_str()),
            (401, Some("CREDENTIALS_INVALID")),
            "{body}"
        );
        body["detail"].as_str().unwrap().to_owned()
    }
}

async fn get(to: SocketAddr, path: &str, token: &str) -> Answer {
    let headers = format!("Authorization: Bearer {token}\r\n");
    send(to, "GET", path, &headers, "").await
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The token with another header, its claims, and a signature over both.
fn forged(token: &str, header: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encoded(header), encoded(&part(token, 1)));
    let signature = URL_SAFE_NO_PAD.encode(sign(&message));
    format!("{message}.{signature}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_let_in_with_the_roles_of_the_token() {
    let gate = Gate::start().await;
    // The sample has no item: who is let in finds none.
    let token = gate.issuer.token(AUDIENCE, AUDITOR);
    assert_eq!(gate.get("/v1/items/1", &token).await.status, 404);
    let forbidden = gate.get("/v1/whoami", &token).await;
    assert_eq!(forbidden.status, 403);
    let detail = forbidden.json()["detail"].to_string();
    assert!(detail.contains("person:acme/tester"), "{detail}");
    let admin = gate
        .issuer
        .token(AUDIENCE, "tenant:other role:platform-admin");
    assert_eq!(
        gate.get("/v1/whoami", &admin).await.body,
        "person:other/tester"
    );
    let nobody = gate.issuer.token(AUDIENCE, "role:auditor");
    assert!(gate.refuses(&nobody).await.contains("tenant"));
    let idle = gate.issuer.token(AUDIENCE, "tenant:acme");
    assert_eq!(gate.get("/v1/items/1", &idle).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_audiences_and_other_times_are_refused() {
    let gate = Gate::start().await;
    let elsewhere = gate.issuer.token("https://other.example", AUDITOR);
    assert!(gate.refuses(&elsewhere).await.contains("audience"));
    let later = gate
        .issuer
        .token(AUDIENCE, "tenant:acme role:auditor later");
    assert!(gate.refuses(&later).await.contains("not valid yet"));
    let token = gate.issuer.token(AUDIENCE, AUDITOR);
    let expires = part(&token, 1)["exp"].as_i64().unwrap() * 1_000_000;
    gate.clock.set(expires - 5_000_000);
    assert_eq!(gate.get("/v1/items/1", &token).await.status, 404);
    gate.clock.set(expires + 1_000_000);
    assert!(gate.refuses(&token).await.contains("expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_are_refused() {
    let gate = Gate::start().await;
    let token = gate.issuer.token(AUDIENCE, AUDITOR);
    assert_eq!(gate.get("/v1/items/1", &token).await.status, 404);
    let kid = part(&token, 0)["kid"].clone();
    let none = json!({"alg": "none", "kid": kid});
    gate.refuses(&forged(&token, &none, |_| Vec::new())).await;
    let jwks = gate.issuer.keys();
    let rsa = jwks["keys"][0].clone();
    assert_eq!(rsa["kid"], kid);
    let modulus = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    for secret in [modulus, rsa.to_string().into_bytes()] {
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let sign = |message: &str| hmac::sign(&key, message.as_bytes()).as_ref().to_vec();
        gate.refuses(&forged(&token, &header, sign)).await;
    }
    // A good algorithm with a key of another kind.
    let confused = json!({"alg": "ES256", "kid": kid});
    gate.refuses(&forged(&token, &confused, |_| vec![1; 64]))
        .await;
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut claims = part(&token, 1);
    claims["roles"] = json!(["platform-admin"]);
    let (header, _) = message.split_once('.').unwrap();
    gate.refuses(&format!("{header}.{}.{signature}", encoded(&claims)))
        .await;
    for odd in [
        "a.b.c",
        "..",
        "x",
        &format!("{message}."),
        &token[..token.len() - 4],
    ] {
        gate.refuses(odd).await;
    }
    gate.refuses(&"x".repeat(9_000)).await;
    let huge = gate.get("/v1/items/1", &"x".repeat(100_000)).await;
    assert!((400..500).contains(&huge.status), "{}", huge.status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_keys_are_found_and_made_up_ones_bother_nobody() {
    let gate = Gate::start().await;
    let token = gate.issuer.token(AUDIENCE, AUDITOR);
    assert_eq!(gate.get("/v1/items/1", &token).await.status, 404);
    let asked = gate.issuer.asked();
    let storm = (0..200).map(|number| {
        let header = json!({"alg": "RS256", "kid": format!("made-up-{number}")});
        let made_up = forged(&token, &header, |_| vec![1; 256]);
        let to = gate.running.http;
        async move { get(to, "/v1/items/1", &made_up).await.status }
    });
    let statuses = futures::future::join_all(storm).await;
    assert!(statuses.iter().all(|status| *status == 401));
    assert!(gate.issuer.asked() <= asked + 1, "at most once a minute");
    gate.issuer.rotate();
    let fresh = gate.issuer.token(AUDIENCE, AUDITOR);
    gate.refuses(&fresh).await;
    gate.clock.set(SystemClock.now().0 + 61_000_000);
    assert_eq!(gate.get("/v1/items/1", &fresh).await.status, 404);
    let elliptic = gate.issuer.token("https://gateway.example/es256", AUDITOR);
    assert_eq!(part(&elliptic, 0)["alg"], "ES256");
    assert!(gate.refuses(&elliptic).await.contains("audience"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_issuer_nobody_is_let_in_and_known_keys_stay() {
    let gate = Gate::start().await;
    let token = gate.issuer.token(AUDIENCE, AUDITOR);
    let Gate {
        running,
        issuer,
        clock,
        _folder,
    } = gate;
    assert_eq!(get(running.http, "/v1/items/1", &token).await.status, 404);
    drop(issuer);
    clock.set(SystemClock.now().0 + 120_000_000);
    assert_eq!(get(running.http, "/v1/items/1", &token).await.status, 404);

    let folder = tempfile::tempdir().unwrap();
    let mut alone = settings(folder.path());
    alone.auth.mode = AuthMode::Required;
    let closed = fcs_testkit::process::free_port();
    alone.auth.oidc.issuer = Some(format!("http://127.0.0.1:{closed}"));
    alone.auth.oidc.audience = Some(AUDIENCE.to_owned());
    let alone = launch::<Sample>(alone, &Shared::silent()).await.unwrap();
    let answer = get(alone.http, "/v1/items/1", &token).await;
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (503, Some("IDENTITY_PROVIDER_UNAVAILABLE"))
    );
}
