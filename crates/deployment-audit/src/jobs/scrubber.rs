//! Reads the stored leaves again from time to time: a changed byte is found while the service runs.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::log::{LogError, TransparencyLog};

/// How often the whole log is read.
const INTERVAL: Duration = Duration::from_mins(10);

/// Works until `stop`, or until a leaf differs; the log then refuses to sign.
pub async fn run(log: Arc<TransparencyLog>, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
        match log.scrub().await {
            Ok(()) => {}
            Err(LogError::Refused(_)) => return Ok(()),
            Err(error) => warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "the stored leaves could not be read again"
            ),
        }
    }
}
