//! Decisions while the Redis that counts requests is killed, frozen and flushed.

use std::time::Duration;

use fcs_core::Secret;
use fcs_service::auth::{AuthMode, Principal, Role};
use fcs_service::settings::LimitSettings;
use fcs_testkit::load::{Answers, Load, Pace, post, run};
use fcs_testkit::redis::RedisServer;
use scoring_gateway::app::keys::NewClient;
use serde_json::json;

use crate::support::server::Server;
use crate::tenants::activate;

const SCORE: &str = "/v1/applications/score";

/// Far more than are sent: whoever is refused was refused by a fault.
const MANY: LimitSettings = LimitSettings {
    requests: 1_000_000,
    window_s: 60,
    daily_requests: 10_000_000,
};

/// Prints the latencies before and during each fault; `--no-capture` shows them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_fails_without_redis() {
    for fault in ["kill", "freeze", "flush"] {
        let mut redis = fcs_testkit::redis::server();
        let counted = counted_by(&redis).await;
        let before = decide(&counted, "before").await;
        assert!(redis.holds("rate:"), "requests are counted in Redis");
        match fault {
            "kill" => redis.kill(),
            "freeze" => redis.signal("STOP"),
            _ => redis.flush(),
        }
        let during = decide(&counted, "during").await;
        for answers in [&before, &during] {
            let statuses: Vec<_> = answers.times.keys().collect();
            assert_eq!((answers.lost, statuses), (0, vec![&200]), "{fault}");
        }
        let p99 = |answers: &Answers| answers.quantile(200, 990);
        println!(
            "{fault}: p99 {:?} before, {:?} during",
            p99(&before),
            p99(&during)
        );
    }
}

struct Counted {
    server: Server,
    key: String,
}

async fn counted_by(redis: &RedisServer) -> Counted {
    let url = redis.url();
    let mut key = String::new();
    let server = Box::pin(Server::with(async |settings| {
        settings.redis.url = Some(Secret::new(url));
        settings.limits = MANY;
        settings.auth.mode = AuthMode::Required;
        let client = NewClient {
            name: "lender".to_owned(),
            roles: vec![Role::Originator, Role::PlatformAdmin],
            valid_days: 1,
        };
        let keys = scoring_gateway::local_keys(settings).await.unwrap();
        let tenant = Some("acme".parse().unwrap());
        let created = keys.create(&Principal::anyone(), tenant, client).await;
        created.unwrap().1.expose().clone_into(&mut key);
    }))
    .await;
    activate(&server, &key).await;
    Counted { server, key }
}

async fn decide(at: &Counted, phase: &'static str) -> Answers {
    let authorization = format!("authorization: Bearer {}\r\n", at.key);
    let load = Load {
        to: at.server.running.http,
        connections: 16,
        pace: Pace::Open(100.0),
        length: Duration::from_secs(4),
    };
    run(load, move |number| {
        let headers = format!("{authorization}idempotency-key: {phase}-{number}\r\n");
        let application = json!({
            "application_id": format!("{phase}-{number}"),
            "features": {"income": 20_000, "housing": "own"},
        });
        post(SCORE, &headers, &application.to_string())
    })
    .await
}
