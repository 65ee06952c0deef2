//! Signs a checkpoint whenever the log has grown.

use std::sync::Arc;
use std::time::Duration;

use fcs_service::health::Dependency;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::log::{LogError, TransparencyLog};

/// How often the log is looked at when nobody asks.
const INTERVAL: Duration = Duration::from_millis(200);

/// Works until `stop`, then signs what was stored last. A log that may not be signed is not ready.
pub async fn run(
    log: Arc<TransparencyLog>,
    health: Dependency,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            () = log.demanded() => false,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        match log.publish().await {
            Ok(()) => health.good(),
            Err(LogError::Refused(reason)) => {
                health.bad(reason);
                stop.cancelled().await;
                return Ok(());
            }
            Err(error) => {
                health.bad(&error);
                warn!(
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "no checkpoint was signed"
                );
            }
        }
        if stopping {
            return Ok(());
        }
    }
}
