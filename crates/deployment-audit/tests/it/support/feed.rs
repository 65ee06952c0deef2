//! A feed that does what a test wrote down.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use deployment_audit::app::ports::{DecisionStream, Feed, FeedDecision, GatewayError};
use futures::{StreamExt as _, stream};

use super::digest_of;

/// What one subscription delivers.
pub(crate) struct Script {
    pub(crate) runs: Vec<Vec<FeedDecision>>,
    pub(crate) end: End,
}

/// How a subscription ends.
pub(crate) enum End {
    /// It stays open.
    Open,
    /// The gateway closes it.
    Closed,
    /// It breaks.
    Broken,
}

/// Gives each subscription the next script; after the last one subscriptions stay silent.
#[derive(Default)]
pub(crate) struct ScriptedFeed {
    scripts: Mutex<VecDeque<Script>>,
    asked: Mutex<Vec<u64>>,
}

impl ScriptedFeed {
    pub(crate) fn new(scripts: Vec<Script>) -> Self {
        Self {
            scripts: Mutex::new(scripts.into()),
            asked: Mutex::default(),
        }
    }

    /// The indexes that subscriptions asked to start after.
    pub(crate) fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Feed for ScriptedFeed {
    async fn subscribe(&self, after_index: u64) -> Result<DecisionStream, GatewayError> {
        self.asked.lock().unwrap().push(after_index);
        let script = self.scripts.lock().unwrap().pop_front();
        let Some(Script { runs, end }) = script else {
            return Ok(stream::pending().boxed());
        };
        let runs = stream::iter(runs.into_iter().map(Ok));
        Ok(match end {
            End::Open => runs.chain(stream::pending()).boxed(),
            End::Closed => runs.boxed(),
            End::Broken => {
                let broken = Err(GatewayError::Unavailable("connection reset".to_owned()));
                runs.chain(stream::iter([broken])).boxed()
            }
        })
    }
}

/// The decisions with these indexes.
pub(crate) fn run(indexes: impl IntoIterator<Item = u64>) -> Vec<FeedDecision> {
    let decision = |log_index| FeedDecision {
        log_index,
        record_digest: digest_of(log_index),
    };
    indexes.into_iter().map(decision).collect()
}
