//! Brings the published ratios up to date.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::monitor::Monitor;
use crate::app::ratios::ratio_series;
use crate::metrics::Metrics;

/// The publisher with what it needs.
pub(crate) struct Publisher {
    /// The use cases.
    pub(crate) monitor: Monitor,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// Groups with fewer decisions get no published ratio.
    pub(crate) minimum_group_size: u64,
    /// The pause between two looks.
    pub(crate) interval: Duration,
    /// Cancelled when the publisher must end.
    pub(crate) soft: CancellationToken,
}

impl Publisher {
    /// Looks at the report of all models together at every interval, until the service ends.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut published = BTreeSet::new();
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            // A store that does not answer was logged; the next look may succeed.
            if let Ok(sheet) = self.monitor.overview().await {
                let series = ratio_series(&sheet, self.minimum_group_size);
                self.metrics.publish(&series, &mut published);
            }
        }
    }
}
