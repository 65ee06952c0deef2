//! The cache answers, and its absence hurts nobody.

use std::time::Duration;

use fcs_core::Secret;
use fcs_service::MetricsHandle;
use fcs_service::cache::Cache;
use fcs_service::settings::RedisSettings;
use tokio::net::TcpListener;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);

fn of(url: &str, timeout_ms: u64) -> RedisSettings {
    RedisSettings {
        url: Some(Secret::new(url.to_owned())),
        timeout_ms,
    }
}

fn registered(cache: &Cache) -> MetricsHandle {
    let metrics = MetricsHandle::default();
    cache.register(&metrics);
    metrics
}

fn redis_url() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test runner names the server here"
    )]
    std::env::var("FCS_TEST_REDIS_URL").expect("run the tests with `cargo xtask test`")
}

#[tokio::test]
async fn values_come_back_and_are_counted() {
    let cache = Cache::connect(&of(&redis_url(), 5_000), "fcs-service-test");
    let metrics = registered(&cache);
    let mut bytes = [0; 8];
    fcs_service::Random::fill(&fcs_service::OsRandom, &mut bytes);
    let key = format!("{:x}", u64::from_be_bytes(bytes));
    assert_eq!(cache.get(&key).await, None);
    cache.put(&key, b"\0binary\xff", MINUTE).await;
    assert_eq!(cache.get(&key).await.as_deref(), Some(&b"\0binary\xff"[..]));
    let other = Cache::connect(&of(&redis_url(), 5_000), "another-prefix");
    assert_eq!(other.get(&key).await, None, "prefixes keep apart");
    let text = metrics.encode();
    for outcome in ["hit\"} 1", "miss\"} 1", "put\"} 1", "error\"} 0"] {
        assert!(
            text.contains(&format!("cache_operations_total{{outcome=\"{outcome}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn no_cache_is_a_miss() {
    let settings = RedisSettings {
        url: None,
        timeout_ms: 50,
    };
    let cache = Cache::connect(&settings, "x");
    assert!(!cache.is_enabled());
    cache.put("key", b"value", MINUTE).await;
    assert_eq!(cache.get("key").await, None);
}

#[tokio::test]
async fn a_dead_or_silent_cache_costs_its_limit_and_nothing_else() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("redis://{}", silent.local_addr().unwrap());
    for url in ["redis://127.0.0.1:1", &silent_url] {
        let cache = Cache::connect(&of(url, 50), "x");
        let metrics = registered(&cache);
        let began = Instant::now();
        assert_eq!(cache.get("key").await, None);
        cache.put("key", b"value", MINUTE).await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "two limits of 50 ms: {url}"
        );
        assert!(
            metrics.encode().contains("outcome=\"error\"} 2"),
            "{}",
            metrics.encode()
        );
    }
}
