//! The cache: Redis for what may be lost. A call is short, and its failure is a miss.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_redis::redis::{self, AsyncConnectionConfig};
use deadpool_redis::{Manager, Pool, Runtime, Timeouts};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tracing::{info, warn};

use crate::MetricsHandle;
use crate::settings::RedisSettings;

const CONNECTIONS_MAX: usize = 8;

/// A cache whose failures are misses. Cloning shares it.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    pool: Option<Pool>,
    prefix: String,
    timeout: Duration,
    failing: AtomicBool,
    operations: Family<Labels, Counter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
}

const HIT: &str = "hit";
const MISS: &str = "miss";
const PUT: &str = "put";
const ERROR: &str = "error";

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("no answer within the limit")]
    Timeout,
    #[error(transparent)]
    Pool(#[from] deadpool_redis::PoolError),
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
}

impl Cache {
    /// Prepares a cache whose keys begin with `prefix:`. It connects at its first use; without a URL it is
    /// disabled and misses always. A malformed URL is found by the settings check before this.
    pub fn connect(settings: &RedisSettings, prefix: &str) -> Self {
        let timeout = Duration::from_millis(settings.timeout_ms);
        let pool = settings.url.as_ref().and_then(|url| {
            pool(url.expose(), timeout)
                .inspect_err(|error| warn!(%error, "the cache is off: its address is unusable"))
                .ok()
        });
        let operations = Family::<Labels, Counter>::default();
        for outcome in [HIT, MISS, PUT, ERROR] {
            drop(operations.get_or_create(&Labels { outcome }));
        }
        let failing = AtomicBool::new(false);
        Self(Arc::new(Inner {
            pool,
            prefix: prefix.to_owned(),
            timeout,
            failing,
            operations,
        }))
    }

    /// Registers `cache_operations_total{outcome}`.
    pub fn register(&self, metrics: &MetricsHandle) {
        let operations = self.0.operations.clone();
        metrics.register(|registry| {
            registry.register(
                "cache_operations",
                "Calls to the cache by outcome",
                operations,
            );
        });
    }

    /// Whether there is a cache behind this.
    pub fn is_enabled(&self) -> bool {
        self.0.pool.is_some()
    }

    /// The value of a key. `None` when there is none, when the cache is off and when it fails.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let key = self.key(key);
        let call = |mut connection: deadpool_redis::Connection| async move {
            redis::cmd("GET")
                .arg(key)
                .query_async::<Option<Vec<u8>>>(&mut connection)
                .await
        };
        let value = self.call(call).await?;
        self.count(if value.is_some() { HIT } else { MISS });
        value
    }

    /// Keeps a value for a time of at least a millisecond. A failure is only counted.
    pub async fn put(&self, key: &str, value: &[u8], ttl: Duration) {
        let (key, value) = (self.key(key), value.to_vec());
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let call = |mut connection: deadpool_redis::Connection| async move {
            let mut command = redis::cmd("SET");
            command.arg(key).arg(value).arg("PX").arg(ttl_ms);
            command.query_async::<()>(&mut connection).await
        };
        if self.call(call).await.is_some() {
            self.count(PUT);
        }
    }

    /// Runs a script (Lua) on some keys, in one round trip. `None` when the cache is off and when it fails.
    pub(crate) async fn eval<const N: usize>(
        &self,
        script: &'static str,
        keys: &[String],
        arguments: &[i64],
    ) -> Option<[i64; N]> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len());
        for key in keys {
            command.arg(self.key(key));
        }
        command.arg(arguments);
        let call = |mut connection: deadpool_redis::Connection| async move {
            command.query_async::<Vec<i64>>(&mut connection).await
        };
        self.call(call).await?.try_into().ok()
    }

    fn key(&self, key: &str) -> String {
        format!("{}:{key}", self.0.prefix)
    }

    fn count(&self, outcome: &'static str) {
        self.0.operations.get_or_create(&Labels { outcome }).inc();
    }

    /// Runs a command within the limit, connecting included.
    async fn call<F, R>(&self, command: impl FnOnce(deadpool_redis::Connection) -> F) -> Option<R>
    where
        F: Future<Output = redis::RedisResult<R>>,
    {
        let pool = self.0.pool.as_ref()?;
        let attempt = async { Ok(command(pool.get().await?).await?) };
        let outcome = match tokio::time::timeout(self.0.timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::Timeout),
        };
        self.note(outcome.as_ref().err());
        outcome.ok()
    }

    /// Counts an error, and logs only when the state changes: a dead cache must not fill the log.
    fn note(&self, error: Option<&CallError>) {
        let was_failing = self.0.failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) => {
                self.count(ERROR);
                if !was_failing {
                    warn!(%error, "the cache does not answer; going on without it");
                }
            }
            None if was_failing => info!("the cache answers again"),
            None => {}
        }
    }
}

fn pool(url: &str, timeout: Duration) -> anyhow::Result<Pool> {
    let connection = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    let limit = Some(timeout);
    Ok(Pool::builder(Manager::new_with_config(url, connection)?)
        .max_size(CONNECTIONS_MAX)
        .timeouts(Timeouts {
            wait: limit,
            create: limit,
            recycle: limit,
        })
        .runtime(Runtime::Tokio1)
        .build()?)
}
