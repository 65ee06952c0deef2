//! Runs the reconciler on a timer and on a nudge.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::progress::Progress;
use crate::app::reconcile::Reconciler;
use crate::metrics::TrafficOutcome;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(1);
/// After a refusal: the gateway verifies models each time, and somebody must change something first.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

/// Works until `stop`; a step that has begun is finished.
pub async fn run(
    reconciler: Reconciler,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let pause = match reconciler.round().await {
            Ok(Some(TrafficOutcome::Refused)) => REFUSED_INTERVAL,
            Ok(_) => INTERVAL,
            Err(error) => {
                warn!(%error, "the unfinished deployments could not be read");
                INTERVAL
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = progress.asked() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
