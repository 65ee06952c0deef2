//! Runs the controller on a timer and on a nudge.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::controller::Controller;

/// Works until `stop`; a round that has begun is finished. `interval` lies between two rounds when nothing happens.
pub async fn run(
    controller: Controller,
    nudge: Arc<Notify>,
    interval: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        match controller.round().await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => warn!(%error, "the rollouts could not be driven"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = nudge.notified() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
    Ok(())
}
