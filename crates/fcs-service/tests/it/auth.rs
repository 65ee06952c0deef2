//! Who gets in: API keys, modes and rules, the same over HTTP and gRPC.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fcs_core::{ApiError, Clock as _, UnixMicros};
use fcs_service::auth::{
    ApiKey, AuthMode, ClientId, KeyDirectory, KeySecret, RegisteredClient, RegisteredKey, Role,
    Scope,
};
use fcs_service::{OsRandom, Running, SystemClock};
use tonic::Code;

use crate::sample::{Levers, settings, start};
use crate::wire::{Answer, send};

const DAY_MICROS: i64 = 86_400_000_000;

/// Clients in memory, under a secret of the test.
#[derive(Debug, Default)]
pub(crate) struct Directory(Mutex<BTreeMap<ClientId, RegisteredClient>>);

#[async_trait]
impl KeyDirectory for Directory {
    async fn client(&self, id: ClientId) -> Result<Option<RegisteredClient>, ApiError> {
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }
}

pub(crate) fn secret() -> KeySecret {
    KeySecret::new(&[7; 32])
}

impl Directory {
    pub(crate) fn add(&self, role: Role, expires_at: UnixMicros) -> ApiKey {
        let id = ClientId::random(&OsRandom);
        let key = ApiKey::random(id, &OsRandom);
        let mac = secret().mac(&key);
        let client = RegisteredClient {
            tenant: "acme".parse().unwrap(),
            name: format!("{role}-1"),
            roles: vec![role],
            keys: vec![RegisteredKey { mac, expires_at }],
        };
        self.0.lock().unwrap().insert(id, client);
        key
    }
}

struct Gate {
    running: Running,
    directory: Arc<Directory>,
    _folder: tempfile::TempDir,
}

impl Gate {
    async fn start(mode: AuthMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::default());
        let mut settings = settings(folder.path());
        settings.auth.mode = mode;
        settings.auth.key_cache_ms = 1;
        settings.service.levers = Levers {
            keys: Some(Arc::clone(&directory)),
            ..Levers::default()
        };
        let running = start(settings).await;
        Self {
            running,
            directory,
            _folder: folder,
        }
    }

    fn key(&self, role: Role) -> ApiKey {
        self.directory.add(role, tomorrow())
    }
}

fn tomorrow() -> UnixMicros {
    UnixMicros(SystemClock.now().0 + DAY_MICROS)
}

async fn ask(to: SocketAddr, method: &str, path: &str, credential: &str) -> Answer {
    let mut headers = "Content-Type: application/json\r\n".to_owned();
    if !credential.is_empty() {
        headers = format!("{headers}Authorization: Bearer {credential}\r\n");
    }
    send(to, method, path, &headers, r#"{"text":"hi"}"#).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_opens_what_its_role_may_do_and_nothing_else() {
    let gate = Gate::start(AuthMode::Required).await;
    let to = gate.running.http;
    let originator = gate.key(Role::Originator);
    assert_eq!(
        ask(to, "POST", "/v1/echo", originator.expose())
            .await
            .status,
        200
    );
    let refused = ask(to, "GET", "/v1/whoami", originator.expose()).await;
    assert_eq!(
        (refused.status, refused.json()["reason"].as_str()),
        (403, Some("SCOPE_MISSING"))
    );
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains(Scope::TrafficWrite.as_str()) && detail.contains("key:acme/originator-1"),
        "{detail}"
    );
    let deployer = gate.key(Role::Deployer);
    let answer = ask(to, "GET", "/v1/whoami", deployer.expose()).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "key:acme/deployer-1")
    );
    let metrics = crate::wire::get(gate.running.admin, "/metrics").await.body;
    assert!(
        metrics
            .contains("http_requests_total{method=\"GET\",route=\"/v1/whoami\",status=\"403\"} 1")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_good_key_only_the_probes_answer() {
    let gate = Gate::start(AuthMode::Required).await;
    let to = gate.running.http;
    let expired = gate.directory.add(Role::PlatformAdmin, SystemClock.now());
    let known = gate.key(Role::PlatformAdmin);
    let stranger = ApiKey::random(ClientId::random(&OsRandom), &OsRandom);
    let forged = ApiKey::random(known.client(), &OsRandom);
    for credential in [expired, stranger, forged] {
        let answer = ask(to, "POST", "/v1/echo", credential.expose()).await;
        assert_eq!(
            (answer.status, answer.json()["reason"].as_str()),
            (401, Some("CREDENTIALS_INVALID"))
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let secret = credential.expose().rsplit_once('_').unwrap().1;
        assert!(!answer.body.contains(secret));
    }
    let missing = ask(to, "POST", "/v1/echo", "").await;
    assert_eq!(
        (missing.status, missing.json()["reason"].as_str()),
        (401, Some("CREDENTIALS_MISSING"))
    );
    let long = "fcs_".to_owned() + &"0".repeat(10_000);
    assert_eq!(ask(to, "POST", "/v1/echo", &long).await.status, 401);
    assert_eq!(ask(to, "GET", "/health", "").await.status, 200);
    assert_eq!(ask(to, "GET", "/v1/nothing", "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused() {
    let gate = Gate::start(AuthMode::Required).await;
    let key = gate.key(Role::Originator);
    let to = gate.running.http;
    assert_eq!(ask(to, "POST", "/v1/echo", key.expose()).await.status, 200);
    gate.directory.0.lock().unwrap().clear();
    let refused = async {
        while ask(to, "POST", "/v1/echo", key.expose()).await.status != 401 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::sample::SOON, refused)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_open_mode_everyone_is_someone_but_a_bad_key_is_told() {
    let gate = Gate::start(AuthMode::Open).await;
    let to = gate.running.http;
    let anyone = ask(to, "GET", "/v1/whoami", "").await;
    assert_eq!(
        (anyone.status, anyone.body.as_str()),
        (200, "anyone:default/anyone")
    );
    let key = gate.key(Role::Deployer);
    assert_eq!(
        ask(to, "GET", "/v1/whoami", key.expose()).await.body,
        "key:acme/deployer-1"
    );
    assert_eq!(ask(to, "GET", "/v1/whoami", "fcs_bad").await.status, 401);
    assert_eq!(ask(to, "GET", "/v1/whoami", "a.b.c").await.status, 401);
}

/// Calls a method of the sample's table; the method itself does not exist.
async fn call(gate: &Gate, path: &'static str, credential: Option<&ApiKey>) -> tonic::Status {
    let channel = fcs_service::grpc::channel(&format!("http://{}", gate.running.http)).unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<
        tonic_health::pb::HealthCheckRequest,
        tonic_health::pb::HealthCheckRequest,
    >::default();
    let mut request = tonic::Request::new(tonic_health::pb::HealthCheckRequest::default());
    if let Some(key) = credential {
        let value = format!("Bearer {}", key.expose()).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let path = http::uri::PathAndQuery::from_static(path);
    client.unary(request, path, codec).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_pass_the_same_gate() {
    let gate = Gate::start(AuthMode::Required).await;
    let (score, monitor) = (gate.key(Role::Originator), gate.key(Role::Monitor));
    let path = "/sample.Sample/Score";
    let reason = |status: &tonic::Status| fcs_service::grpc::api_error(status).reason;
    let missing = call(&gate, path, None).await;
    assert_eq!(
        (missing.code(), reason(&missing)),
        (Code::Unauthenticated, "CREDENTIALS_MISSING")
    );
    let forbidden = call(&gate, path, Some(&monitor)).await;
    assert_eq!(
        (forbidden.code(), reason(&forbidden)),
        (Code::PermissionDenied, "SCOPE_MISSING")
    );
    // Behind the gate there is nothing: the sample does not have the service.
    let passed = call(&gate, path, Some(&score)).await;
    assert_eq!(passed.code(), Code::Unimplemented);
    let unruled = call(&gate, "/grpc.health.v1.Health/Destroy", Some(&score)).await;
    assert_eq!(unruled.code(), Code::Unimplemented);
    let as_route = call(&gate, "/v1/echo", Some(&score)).await;
    assert_eq!(
        as_route.code(),
        Code::Unimplemented,
        "a call does not reach a route"
    );
}
