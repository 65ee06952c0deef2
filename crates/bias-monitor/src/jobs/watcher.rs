//! Takes decisions into evidence, looks at every group, and tells what happened to alarms.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::Clock;
use fcs_fairness::alarm::Change;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::app::evidence::{News, Turn, Turned};
use crate::app::terms::Terms;
use crate::metrics::{AlertLabels, Metrics};
use crate::store::{EvidenceStore, StoreError};

/// The watcher with what it needs.
pub(crate) struct Watcher {
    /// Where evidence is kept.
    pub(crate) store: Arc<dyn EvidenceStore>,
    /// What is watched.
    pub(crate) terms: Arc<Terms>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// How long a decision waits for what is known of its applicant.
    pub(crate) settle: Duration,
    /// The pause between two looks.
    pub(crate) interval: Duration,
    /// Cancelled when the watcher must end.
    pub(crate) soft: CancellationToken,
}

impl Watcher {
    /// Looks at every interval, until the service ends. A turn is never given up half-way.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            if let Err(failure) = self.catch_up().await {
                let failure = format!("{:#}", anyhow::Error::new(failure));
                error!(
                    error = failure,
                    "evidence could not be brought up to date; trying again"
                );
            }
        }
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        while !self.soft.is_cancelled() {
            let turned = self.take_turn().await?;
            self.metrics.evidence_index.set(turned.ledger.last_index);
            for id in turned.ledger.watched.keys() {
                drop(self.metrics.alerts.get_or_create(&AlertLabels::of(id)));
            }
            turned
                .news
                .iter()
                .for_each(|news| tell(&self.metrics, news));
            if !turned.more {
                break;
            }
        }
        Ok(())
    }

    async fn take_turn(&self) -> Result<Turned, StoreError> {
        let turn = Turn {
            terms: &self.terms,
            now: self.clock.now(),
            settle_micros: i64::try_from(self.settle.as_micros()).unwrap_or(i64::MAX),
        };
        self.store.take_turn(&turn).await
    }
}

/// Logs and counts what happened to an alarm. The log names the model and the attribute only; which group it is, verdicts
/// tell to those who may read them.
pub(super) fn tell(metrics: &Metrics, news: &News) {
    if !news.entry.tell {
        return;
    }
    let (model, attribute) = (news.watched.model.as_str(), news.watched.attribute.as_str());
    let baseline = news.watched.baseline.as_ref().map(tracing::field::display);
    match &news.entry.change {
        Change::Raised => {
            let labels = AlertLabels::of(&news.watched);
            metrics.alerts.get_or_create(&labels).inc();
            if baseline.is_some() {
                warn!(
                    model,
                    baseline, attribute, "a model in the shadow widens the gap between groups"
                );
            } else {
                warn!(
                    model,
                    attribute, "a group's adverse impact ratio is in breach"
                );
            }
        }
        Change::Relapsed { .. } => {
            warn!(
                model,
                baseline, attribute, "a breach that seemed over goes on"
            );
        }
        Change::FeedStopped => {
            warn!(
                model,
                baseline, attribute, "decisions on a watched group stopped coming"
            );
        }
        _ => {}
    }
}
