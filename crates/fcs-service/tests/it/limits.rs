//! Rates and quotas: shared through a real Redis that is killed, frozen and flushed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fcs_core::{Clock as _, Secret, UnixMicros};
use fcs_service::auth::{ApiKey, AuthMode, Role};
use fcs_service::settings::LimitSettings;
use fcs_service::{Running, SystemClock};
use fcs_testkit::redis::RedisServer;

use crate::auth::Directory;
use crate::sample::{Levers, settings, start};
use crate::wire::{Answer, send};

struct Gate {
    running: Running,
    key: ApiKey,
    _folder: tempfile::TempDir,
}

/// Two gates on one Redis are two replicas.
async fn gate(
    limits: LimitSettings,
    redis: Option<&RedisServer>,
    directory: &Arc<Directory>,
) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.auth.mode = AuthMode::Required;
    settings.limits = limits;
    settings.redis.url = redis.map(|redis| Secret::new(redis.url()));
    settings.service.levers = Levers {
        keys: Some(Arc::clone(directory)),
        ..Levers::default()
    };
    let tomorrow = UnixMicros(SystemClock.now().0 + 86_400_000_000);
    Gate {
        running: start(settings).await,
        key: directory.add(Role::Originator, tomorrow),
        _folder: folder,
    }
}

async fn ask(to: SocketAddr, key: &ApiKey) -> Answer {
    let headers = format!(
        "Content-Type: application/json\r\nAuthorization: Bearer {}\r\n",
        key.expose()
    );
    send(to, "POST", "/v1/echo", &headers, r#"{"text":"hi"}"#).await
}

const TEN: LimitSettings = LimitSettings {
    requests: 10,
    window_s: 3_600,
    daily_requests: 0,
};

/// Asks so often, in turn, and counts the answers that were let through; every other one is a refusal.
async fn passed(gates: &[&Gate], key: &ApiKey, times: usize) -> usize {
    let mut passed = 0;
    for number in 0..times {
        let answer = ask(gates[number % gates.len()].running.http, key).await;
        match answer.status {
            200 => passed += 1,
            status => assert_eq!(status, 429, "{}", answer.body),
        }
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_told_its_limit_and_stopped_at_it() {
    let directory = Arc::new(Directory::default());
    let gate = gate(TEN, None, &directory).await;
    let first = ask(gate.running.http, &gate.key).await;
    assert_eq!(first.header("ratelimit-policy"), "\"default\";q=10;w=3600");
    assert_eq!(first.header("ratelimit"), "\"default\";r=9;t=360");
    assert_eq!(passed(&[&gate], &gate.key, 100).await, 9);
    let refused = ask(gate.running.http, &gate.key).await;
    let body = refused.json();
    assert_eq!(
        (refused.status, body["reason"].as_str()),
        (429, Some("RATE_LIMITED"))
    );
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=360).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").starts_with("\"default\";r=0;"));
    let tomorrow = UnixMicros(SystemClock.now().0 + 86_400_000_000);
    let other = directory.add(Role::TenantAdmin, tomorrow);
    assert_eq!(ask(gate.running.http, &other).await.status, 200);
    assert_eq!(
        crate::wire::get(gate.running.http, "/health").await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daily_quota_ends_at_midnight() {
    let directory = Arc::new(Directory::default());
    let limits = LimitSettings {
        requests: 1_000,
        daily_requests: 3,
        ..TEN
    };
    let redis = fcs_testkit::redis::server();
    for redis in [None, Some(&redis)] {
        let gate = gate(limits.clone(), redis, &directory).await;
        let key = gate.key.clone();
        assert_eq!(passed(&[&gate], &key, 5).await, 3);
        let refused = ask(gate.running.http, &key).await;
        assert_eq!(
            refused.json()["reason"].as_str(),
            Some("DAILY_QUOTA_EXHAUSTED")
        );
        let wait: u32 = refused.header("retry-after").parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
        // Both rounds count the same client name; the second one counts elsewhere.
        drop(gate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_a_limit() {
    let directory = Arc::new(Directory::default());
    let redis = fcs_testkit::redis::server();
    let (one, two) = (
        gate(TEN, Some(&redis), &directory).await,
        gate(TEN, Some(&redis), &directory).await,
    );
    let key = one.key.clone();
    assert_eq!(passed(&[&one, &two], &key, 40).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_no_request_fails_and_limits_hold_within_a_factor() {
    for fault in ["kill", "freeze", "flush"] {
        let directory = Arc::new(Directory::default());
        let mut redis = fcs_testkit::redis::server();
        let (one, two) = (
            gate(TEN, Some(&redis), &directory).await,
            gate(TEN, Some(&redis), &directory).await,
        );
        let key = one.key.clone();
        assert_eq!(passed(&[&one, &two], &key, 6).await, 6);
        match fault {
            "kill" => redis.kill(),
            "freeze" => redis.signal("STOP"),
            _ => redis.flush(),
        }
        let started = Instant::now();
        // `passed` fails the test on every answer that is neither a success nor a refusal.
        let more = passed(&[&one, &two], &key, 60).await;
        let total = 6 + more;
        assert!((10..=20).contains(&total), "{fault}: {total} of 10");
        let mean = started.elapsed() / 60;
        assert!(mean < Duration::from_millis(60), "{fault}: {mean:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_limit_is_back_when_redis_is() {
    let directory = Arc::new(Directory::default());
    let redis = fcs_testkit::redis::server();
    let many = LimitSettings {
        requests: 1_000_000,
        ..TEN
    };
    let gate = gate(many, Some(&redis), &directory).await;
    redis.signal("STOP");
    assert_eq!(passed(&[&gate], &gate.key, 20).await, 20);
    redis.signal("CONT");
    let limit = Duration::from_secs(5);
    fcs_testkit::wait::until("Redis counts again", limit, async || {
        assert_eq!(ask(gate.running.http, &gate.key).await.status, 200);
        redis.holds("rate:").then_some(())
    })
    .await;
}
