//! What requests that wait for traffic are told: that something changed, and why the gateway refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fcs_core::{ApiError, DeploymentId};
use tokio::sync::{Notify, watch};

/// Why a step did not succeed and will not by itself.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Sequence of the deployment's last event when the step began.
    pub sequence: u64,
    /// What the caller is told.
    pub error: ApiError,
}

/// Shared by the requests and the reconciler.
#[derive(Debug, Default)]
pub struct Progress {
    refusals: Mutex<HashMap<DeploymentId, Refusal>>,
    steps: watch::Sender<u64>,
    nudge: Notify,
}

impl Progress {
    /// Forgets an earlier refusal and has the reconciler work now.
    pub fn ask(&self, id: &DeploymentId) {
        self.refusals().remove(id);
        self.nudge.notify_one();
    }

    /// Completes when somebody asked.
    pub async fn asked(&self) {
        self.nudge.notified().await;
    }

    /// Tells that a step ended; the refusal says why when the gateway refused.
    pub fn stepped(&self, id: DeploymentId, refusal: Option<Refusal>) {
        match refusal {
            Some(refusal) => self.refusals().insert(id, refusal),
            None => self.refusals().remove(&id),
        };
        self.steps.send_modify(|steps| *steps += 1);
    }

    /// Why the traffic of a deployment is not as desired, when the gateway refused what was asked for
    /// at this point of its history. A step that a newer command overtook says nothing about that one.
    pub fn refusal(&self, id: &DeploymentId, sequence: u64) -> Option<ApiError> {
        let refusals = self.refusals();
        let refusal = refusals
            .get(id)
            .filter(|refusal| refusal.sequence == sequence)?;
        Some(refusal.error.clone())
    }

    /// Sees every step that ends from now on.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.steps.subscribe()
    }

    fn refusals(&self) -> MutexGuard<'_, HashMap<DeploymentId, Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use fcs_core::{ErrorCode, UnixMicros};

    use super::*;

    #[test]
    fn a_refusal_counts_for_what_it_was_about_and_until_somebody_asks_again() {
        let progress = Progress::default();
        let id = DeploymentId::new(UnixMicros(0), &[0; 10]);
        let error = ApiError::new(ErrorCode::FailedPrecondition, "GATEWAY_REFUSED", "unsigned");
        let refusal = Refusal {
            sequence: 2,
            error: error.clone(),
        };
        progress.stepped(id, Some(refusal));
        assert_eq!(progress.refusal(&id, 2), Some(error));
        assert_eq!(
            progress.refusal(&id, 3),
            None,
            "a newer command is another matter"
        );
        progress.ask(&id);
        assert_eq!(progress.refusal(&id, 2), None);
    }
}
