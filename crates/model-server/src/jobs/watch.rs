//! Loads new packages of the registry by itself: compares what should be in memory with what is.
//!
//! It never unloads. An older version may carry traffic, which only its callers know; and a package whose files
//! are gone is still the one that was verified. What a caller unloaded it leaves alone until a caller loads it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ErrorCode, ModelVersion};
use tokio_util::sync::CancellationToken;

use crate::app::lifecycle::Lifecycle;
use crate::app::models::ModelState;
use crate::app::versions;
use crate::settings::WatchPolicy;

/// The job.
pub(crate) struct Watch {
    /// What loads packages.
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// What should be in memory.
    pub(crate) policy: WatchPolicy,
    /// Between two looks.
    pub(crate) interval: Duration,
    /// Ends the job.
    pub(crate) soft: CancellationToken,
}

impl Watch {
    /// Looks again and again. The first look is at once.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = self.soft.cancelled() => return Ok(()),
            }
            self.turn().await;
        }
    }

    /// Loads what should be in memory and is not. What fails is tried again at the next turn, because a package
    /// may be half copied now; the reason is in the index and, once, in the log.
    async fn turn(&self) {
        let Ok(listed) = self.lifecycle.list().await else {
            return;
        };
        for model in wanted(self.policy, &listed) {
            if self.soft.is_cancelled() {
                return;
            }
            if let Err(error) = self.lifecycle.load_unasked(model.clone()).await
                && error.code != ErrorCode::FailedPrecondition
            {
                tracing::warn!(%model, reason = error.reason, "a new package was not loaded");
            }
        }
    }
}

/// The packages that the policy wants and that are not in memory.
fn wanted(policy: WatchPolicy, listed: &[(ModelVersion, ModelState)]) -> Vec<ModelVersion> {
    let is_loaded = |state: &ModelState| matches!(state, ModelState::Loaded(_));
    match policy {
        WatchPolicy::None => Vec::new(),
        WatchPolicy::All => listed
            .iter()
            .filter(|(_, state)| !is_loaded(state))
            .map(|(model, _)| model.clone())
            .collect(),
        WatchPolicy::Latest => {
            let mut highest: BTreeMap<&str, &(ModelVersion, ModelState)> = BTreeMap::new();
            for entry in listed {
                let known = highest.entry(entry.0.name()).or_insert(entry);
                if versions::compare(entry.0.version(), known.0.version()).is_gt() {
                    *known = entry;
                }
            }
            let missing = highest.values().filter(|(_, state)| !is_loaded(state));
            missing.map(|(model, _)| model.clone()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcs_core::Digest;

    #[test]
    fn the_policy_says_what_is_wanted() {
        let loaded = || ModelState::Loaded(Digest::from_bytes([0; 32]));
        let listed: Vec<(ModelVersion, ModelState)> = [
            ("a/2", ModelState::Available),
            ("a/10", ModelState::Refused("x".into())),
            ("b/1", loaded()),
            ("c/1", ModelState::Available),
            ("c/2", loaded()),
        ]
        .map(|(model, state)| (model.parse().unwrap(), state))
        .into();
        let names = |policy| -> Vec<String> {
            let wanted = wanted(policy, &listed);
            wanted.iter().map(ModelVersion::to_string).collect()
        };
        assert!(names(WatchPolicy::None).is_empty());
        assert_eq!(names(WatchPolicy::Latest), ["a/10"]);
        assert_eq!(names(WatchPolicy::All), ["a/2", "a/10", "c/1"]);
    }
}
