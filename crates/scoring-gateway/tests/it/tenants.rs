//! Who sees what: each route with each role, of the tenant itself, of another one and of nobody; the second wall in
//! PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use fcs_core::{Secret, TenantId};
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::feed_service_client::FeedServiceClient;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, GetDecisionRequest, GetDecisionResponse, SubscribeRequest, TrafficArm,
    TrafficTable,
};
use fcs_service::Service;
use fcs_service::auth::{Access, AuthMode, Principal, Role, Rule};
use fcs_service::settings::DatabaseSettings;
use scoring_gateway::Gateway;
use scoring_gateway::app::keys::NewClient;
use scoring_gateway::store::{Claim, Draft, Found};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tonic::Code;

use crate::keys::line;
use crate::store::{append, draft};
use crate::support::gateway::stores;
use crate::support::server::Server;
use crate::support::{TestStore, package, suite};

const TENANTS: [&str; 2] = ["acme", "other"];
/// A call that streams for ever is let through when it has not been refused after this.
const PATIENCE: Duration = Duration::from_millis(500);

fn of(tenant: &str, number: u64) -> Draft {
    let draft = draft(&format!("key-{}", number / 2), number);
    Draft {
        claim: Claim {
            tenant: tenant.parse().unwrap(),
            ..draft.claim
        },
        ..draft
    }
}

suite!(tenants_share_a_log_and_see_only_their_part);

async fn tenants_share_a_log_and_see_only_their_part(test: TestStore) {
    let store = stores(&test.database).decisions;
    let drafts: Vec<_> = (1..=6)
        .map(|number| of(TENANTS[usize::from(number % 2 == 0)], number))
        .collect();
    // Pairs of drafts have one key, which is one within a tenant only.
    let claimed = append(&*store, &drafts).await;
    let indices: Vec<_> = claimed.iter().map(|it| it.decision.log_index()).collect();
    assert_eq!(indices, [1, 2, 3, 4, 5, 6]);
    let acme: TenantId = "acme".parse().unwrap();
    let other: TenantId = "other".parse().unwrap();
    let page = store.page(&acme, 0, 10).await.unwrap();
    let mine: Vec<_> = page.iter().map(Found::log_index).collect();
    assert_eq!(mine, [1, 3, 5]);
    assert_eq!(store.highest_index_of(&acme).await.unwrap(), 5);
    assert_eq!(store.highest_index_of(&other).await.unwrap(), 6);
    let nobody: TenantId = "nobody".parse().unwrap();
    assert_eq!(store.highest_index_of(&nobody).await.unwrap(), 0);
    let first = &drafts[0];
    let id = first.summary.decision_id;
    assert!(store.decision(&acme, id).await.unwrap().is_some());
    assert_eq!(store.decision(&other, id).await.unwrap(), None);
    let application = &first.summary.application_id;
    assert!(store.latest(&acme, application).await.unwrap().is_some());
    assert_eq!(store.latest(&other, application).await.unwrap(), None);
    let of_application = store.page_of(&other, application, 0, 10).await.unwrap();
    assert_eq!(of_application, []);
    let found = store.claimed(&first.claim).await.unwrap().unwrap();
    assert_eq!(found.decision.log_index(), 1);
    let theirs = Claim {
        tenant: nobody,
        ..first.claim.clone()
    };
    assert_eq!(store.claimed(&theirs).await.unwrap(), None);
    let feed = store.feed(0, 10).await.unwrap();
    let tenants: Vec<_> = feed.iter().map(|entry| entry.tenant.as_str()).collect();
    assert_eq!(tenants, ["acme", "other", "acme", "other", "acme", "other"]);
}

/// The gateway as a role that owns nothing: its own queries still work, and a query that forgets the tenant, or names
/// another one, gives nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_security_stands_behind_the_queries() {
    const ROLE: &str = "fcs_gateway_role";
    let test = TestStore::postgres().await;
    let owner = test.postgres_url();
    let mut connection = sqlx::PgConnection::connect(&owner).await.unwrap();
    let create = format!(
        "DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
         GRANT USAGE ON SCHEMA scoring_gateway TO {ROLE}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA scoring_gateway TO {ROLE}"
    );
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    let url = owner.replace("postgres@", &format!("{ROLE}@"));
    let settings = DatabaseSettings {
        url: Secret::new(url.clone()),
        migrate_on_start: false,
        ..DatabaseSettings::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let database = fcs_service::database::open(&settings, folder.path(), "scoring_gateway");
    let database = database.await.unwrap();
    let restricted = stores(&database).decisions;
    let drafts = [of("acme", 1), of("other", 2)];
    let claimed = append(&*restricted, &drafts).await;
    assert_eq!(claimed.len(), 2);
    let acme: TenantId = "acme".parse().unwrap();
    let id = drafts[0].summary.decision_id;
    assert!(restricted.decision(&acme, id).await.unwrap().is_some());
    assert_eq!(restricted.page(&acme, 0, 10).await.unwrap().len(), 1);
    assert_eq!(restricted.feed(0, 10).await.unwrap().len(), 2);
    let far = fcs_core::UnixMicros(i64::MAX);
    assert_eq!(restricted.purge_claims(far, 10).await.unwrap(), 2);

    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&url)
        .await
        .unwrap();
    let count = async |scope: &'static str| -> i64 {
        let mut transaction = pool.begin().await.unwrap();
        transaction.execute(scope).await.unwrap();
        let statement = "SELECT count(*) FROM scoring_gateway.decisions";
        transaction.fetch_one(statement).await.unwrap().get(0)
    };
    assert_eq!(
        count("SELECT 1").await,
        0,
        "who names no tenant sees nothing"
    );
    assert_eq!(count("SET LOCAL app.tenant = 'acme'").await, 1);
    assert_eq!(count("SET LOCAL app.tenant = 'nobody'").await, 0);
    assert_eq!(count("SET LOCAL app.tenant = '*'").await, 2);
    let mut transaction = pool.begin().await.unwrap();
    transaction
        .execute("SET LOCAL app.tenant = 'acme'")
        .await
        .unwrap();
    let steal = "UPDATE scoring_gateway.decisions SET tenant = 'acme'";
    let refused = transaction.execute(steal).await.unwrap_err();
    assert!(
        refused.to_string().contains("row-level security"),
        "{refused}"
    );
}

/// Puts the first model into force as the bearer of a key.
pub(crate) async fn activate(server: &Server, key: &str) {
    let model = ModelRef {
        name: package::MODEL.to_owned(),
        version: "1".to_owned(),
        manifest_digest: package::digest("1").to_string(),
    };
    let arm = TrafficArm {
        name: "stable".to_owned(),
        model: Some(model),
        weight_basis_points: 10_000,
        ..TrafficArm::default()
    };
    let table = TrafficTable {
        generation: 1,
        salt: "s".to_owned(),
        arms: vec![arm],
        ..TrafficTable::default()
    };
    let request = ApplyTrafficRequest {
        expected_generation: 0,
        table: Some(table),
    };
    let mut client = TrafficServiceClient::new(line(server, key));
    client.apply_traffic(request).await.unwrap();
}

/// A gateway with a client of each role in each tenant, and a decision of the first tenant.
struct Matrix {
    server: Server,
    keys: BTreeMap<(Role, &'static str), String>,
    decision_id: String,
}

impl Matrix {
    async fn start() -> Self {
        let mut keys = BTreeMap::new();
        let server = Server::with(async |settings| {
            settings.auth.mode = AuthMode::Required;
            let local = scoring_gateway::local_keys(settings).await.unwrap();
            for role in Role::ALL {
                for tenant in TENANTS {
                    let new = NewClient {
                        name: role.to_string(),
                        roles: vec![*role],
                        valid_days: 1,
                    };
                    let parsed = Some(tenant.parse().unwrap());
                    let created = local.create(&Principal::anyone(), parsed, new).await;
                    let (_, key) = created.unwrap();
                    keys.insert((*role, tenant), key.expose().to_owned());
                }
            }
        })
        .await;
        let admin = &keys[&(Role::PlatformAdmin, "acme")];
        activate(&server, admin).await;
        let body = serde_json::json!({
            "application_id": "A-1",
            "features": {"income": 20_000, "delinquencies": 3, "housing": "own"},
        });
        let headers = format!(
            "authorization: Bearer {}\r\nidempotency-key: k-1\r\n",
            keys[&(Role::Originator, "acme")]
        );
        let scored = server
            .http(
                "POST",
                "/v1/applications/score",
                &headers,
                body.to_string().as_bytes(),
            )
            .await;
        let decision_id = scored.json()["decision_id"].as_str().unwrap().to_owned();
        Self {
            server,
            keys,
            decision_id,
        }
    }

    /// What a request on a rule's route gives, as an HTTP status.
    async fn ask(&self, rule: &Rule, key: &str) -> u16 {
        if rule.method == Rule::CALL {
            return self.call(rule.path, key).await;
        }
        let headers = if key.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {key}\r\n")
        };
        let path = rule.path.replace("{decision_id}", &self.decision_id);
        let path = path.replace("{arm}", "next");
        assert!(!path.contains('{'), "say here what stands for {path}");
        let answer = self.server.http(rule.method, &path, &headers, b"{}");
        answer.await.status
    }

    /// Every method takes a message with a text in its first field, or says that it cannot be read. In the first field
    /// of keys stands a tenant, and an empty one is the caller's.
    async fn call(&self, path: &'static str, key: &str) -> u16 {
        let mut client = tonic::client::Grpc::new(line(&self.server, key));
        client.ready().await.unwrap();
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(path);
        let codec = tonic_prost::ProstCodec::<GetDecisionRequest, GetDecisionResponse>::default();
        let decision_id = if path.as_str().contains("KeyService") {
            String::new()
        } else {
            self.decision_id.clone()
        };
        let message = GetDecisionRequest {
            decision_id,
            ..GetDecisionRequest::default()
        };
        let call = client.server_streaming(tonic::Request::new(message), path, codec);
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(Err(status)) => match status.code() {
                Code::Unauthenticated => 401,
                Code::PermissionDenied => 403,
                Code::NotFound => 404,
                Code::Unimplemented => 501,
                _ => 400,
            },
            Ok(Ok(_)) | Err(_) => 200,
        }
    }
}

/// Whether a request on a route names one decision.
fn names_one(path: &str) -> bool {
    let lists = path.ends_with("/ListDecisions");
    let calls = [
        "Decision",
        "GetNotice",
        "ListNoticeDeliveries",
        "ListReviews",
    ];
    !lists && (path.contains("{decision_id}") || calls.iter().any(|call| path.contains(call)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_the_table_answers_as_it_says() {
    let matrix = Box::pin(Matrix::start()).await;
    let mut cells = 0;
    for rule in Gateway::ACCESS {
        let Access::Needs(scope) = rule.access else {
            continue;
        };
        assert_eq!(matrix.ask(rule, "").await, 401, "{rule:?} without a key");
        for role in Role::ALL {
            let own = matrix.ask(rule, &matrix.keys[&(*role, "acme")]).await;
            let other = matrix.ask(rule, &matrix.keys[&(*role, "other")]).await;
            cells += 2;
            if !role.scopes().contains(scope) {
                assert_eq!((own, other), (403, 403), "{rule:?} {role}");
                continue;
            }
            assert!(
                !matches!(own, 401 | 403 | 501) && own < 500,
                "{rule:?} {role}: {own}"
            );
            if names_one(rule.path) {
                let refused_before = other == own && own >= 400;
                assert!(
                    other == 404 || refused_before,
                    "{rule:?} {role} of another tenant: {other}, of its own: {own}"
                );
            } else {
                assert_eq!(other, own, "{rule:?} {role}");
            }
        }
    }
    assert!(cells >= Role::ALL.len() * 2 * 10, "{cells}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_to_a_case_of_another_tenant() {
    let matrix = Box::pin(Matrix::start()).await;
    let write = async |tenant: &'static str, path: &str, body: serde_json::Value| {
        let headers = format!(
            "authorization: Bearer {}\r\nidempotency-key: w-1\r\n",
            matrix.keys[&(Role::Reviewer, tenant)]
        );
        let path = format!("/v1/decisions/{}/{path}", matrix.decision_id);
        let body = body.to_string();
        let answer = matrix.server.http("POST", &path, &headers, body.as_bytes());
        answer.await.status
    };
    let review = serde_json::json!({"reviewer": "u-1", "outcome": "approve"});
    let delivery = serde_json::json!({
        "channel": "mail", "sent_at": "2026-01-01T00:00:00Z", "notice_digest": "0".repeat(64),
    });
    assert_eq!(write("other", "reviews", review.clone()).await, 404);
    assert_eq!(write("other", "notice/deliveries", delivery).await, 404);
    assert_eq!(write("acme", "reviews", review).await, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_lists_end_at_the_tenant_and_the_feed_names_it() {
    let matrix = Box::pin(Matrix::start()).await;
    let Matrix { server, keys, .. } = &matrix;
    let list = async |tenant: &'static str| {
        let headers = format!(
            "authorization: Bearer {}\r\n",
            keys[&(Role::Auditor, tenant)]
        );
        let answer = server.http("GET", "/v1/decisions", &headers, b"").await;
        let body = answer.json();
        (
            body["decisions"].as_array().unwrap().len(),
            body["highest_index"].as_u64().unwrap(),
        )
    };
    assert_eq!(list("acme").await, (1, 1));
    assert_eq!(list("other").await, (0, 0));
    // The same idempotency key of another tenant is another request, which may have another body.
    let score = async |tenant: &'static str, key: &str, income: u32| {
        let headers = format!(
            "authorization: Bearer {}\r\nidempotency-key: {key}\r\n",
            keys[&(Role::Originator, tenant)]
        );
        let body = serde_json::json!({
            "application_id": "A-1",
            "features": {"income": income, "delinquencies": 3, "housing": "own"},
        });
        let path = "/v1/applications/score";
        let body = body.to_string();
        let answer = server.http("POST", path, &headers, body.as_bytes()).await;
        (answer.status, answer.head.contains("idempotency-replayed"))
    };
    assert_eq!(score("acme", "k-1", 20_000).await, (200, true));
    assert_eq!(score("other", "k-1", 30_000).await, (200, false));
    assert_eq!(score("other", "k-1", 30_000).await, (200, true));
    let mut feed = FeedServiceClient::new(line(server, &keys[&(Role::Monitor, "other")]));
    let mut stream = feed
        .subscribe(SubscribeRequest { after_index: 0 })
        .await
        .unwrap()
        .into_inner();
    let mut tenants = Vec::new();
    while tenants.len() < 2 {
        let message = stream.message().await.unwrap().unwrap();
        tenants.extend(message.entries.into_iter().map(|entry| entry.tenant));
    }
    assert_eq!(tenants, TENANTS);
    // A page token opens for the tenant that it was given to.
    assert_eq!(score("acme", "k-2", 40_000).await, (200, false));
    let page = async |tenant: &'static str, token: &str| {
        let headers = format!(
            "authorization: Bearer {}\r\n",
            keys[&(Role::Auditor, tenant)]
        );
        let path = format!("/v1/decisions?page_size=1&page_token={token}");
        server.http("GET", &path, &headers, b"").await
    };
    let first = page("acme", "").await.json();
    let token = first["next_page_token"].as_str().unwrap();
    assert_eq!(page("acme", token).await.status, 200);
    let refused = page("other", token).await;
    let reason = refused.json()["reason"].clone();
    assert_eq!((refused.status, reason), (400, "PAGE_TOKEN_INVALID".into()));
}
