//! The state of a deployment, folded from its events.

use std::fmt;

use fcs_core::{Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use crate::change::{Change, Environment};
use crate::event::{Event, RecordedEvent};
use crate::text::{Comment, Principal};
use crate::traffic::TrafficTable;

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// Proposed.
    Registered,
    /// Approved by another person.
    Approved,
    /// Traffic was asked for and not yet confirmed.
    Activating,
    /// Its model takes the traffic.
    Active,
    /// The way back was asked for and not yet confirmed.
    RollingBack,
    /// The traffic from before is in force again.
    RolledBack,
}

impl DeploymentState {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Approved => "approved",
            Self::Activating => "activating",
            Self::Active => "active",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
        }
    }
}

impl fmt::Display for DeploymentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One person's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who approved.
    pub approver: Principal,
    /// When.
    pub at: UnixMicros,
    /// What the approver added.
    pub comment: Comment,
}

/// A deployment. Only [`apply`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    state: DeploymentState,
    environment: Environment,
    change: Change,
    plan_digest: Digest,
    requested_by: Principal,
    approvals: Vec<Approval>,
    previous: Option<TrafficTable>,
    desired: Option<TrafficTable>,
    sequence: u64,
    registered_at: UnixMicros,
    updated_at: UnixMicros,
}

/// Stored events that cannot be a deployment's history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// An event is missing, doubled or out of place.
    #[error("expected event {expected} of the deployment, found event {found}")]
    SequenceGap {
        /// The sequence that should come.
        expected: u64,
        /// The sequence that came.
        found: u64,
    },
    /// The event cannot happen in that state.
    #[error("event {sequence}, {kind}, cannot follow in state {state}")]
    Impossible {
        /// Sequence of the event.
        sequence: u64,
        /// Kind of the event.
        kind: &'static str,
        /// State before it; "unregistered" when there is none.
        state: &'static str,
    },
}

/// Adds one event to a deployment. It never panics: an event that cannot follow is an error.
pub fn apply(state: Option<Deployment>, recorded: &RecordedEvent) -> Result<Deployment, FoldError> {
    let expected = state
        .as_ref()
        .map_or(1, |deployment| deployment.sequence.saturating_add(1));
    if recorded.sequence != expected {
        return Err(FoldError::SequenceGap {
            expected,
            found: recorded.sequence,
        });
    }
    match (state, &recorded.event) {
        (
            None,
            Event::Registered {
                change,
                environment,
                plan_digest,
            },
        ) => Ok(Deployment {
            state: DeploymentState::Registered,
            environment: *environment,
            change: change.clone(),
            plan_digest: *plan_digest,
            requested_by: recorded.actor.clone(),
            approvals: Vec::new(),
            previous: None,
            desired: None,
            sequence: recorded.sequence,
            registered_at: recorded.at,
            updated_at: recorded.at,
        }),
        (None, event) => Err(FoldError::Impossible {
            sequence: recorded.sequence,
            kind: event.kind(),
            state: "unregistered",
        }),
        (Some(deployment), _) => deployment.advanced(recorded),
    }
}

impl Deployment {
    /// Folds a whole history; `None` when it is empty.
    pub fn fold<'a>(
        events: impl IntoIterator<Item = &'a RecordedEvent>,
    ) -> Result<Option<Self>, FoldError> {
        events
            .into_iter()
            .try_fold(None, |state, event| apply(state, event).map(Some))
    }

    /// Where it stands.
    pub fn state(&self) -> DeploymentState {
        self.state
    }

    /// Where it takes effect.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// What is deployed.
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// Digest that approvals bind to.
    pub fn plan_digest(&self) -> Digest {
        self.plan_digest
    }

    /// Who registered it.
    pub fn requested_by(&self) -> &Principal {
        &self.requested_by
    }

    /// Approvals in order.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// Whether the environment's approvals are there.
    pub fn has_required_approvals(&self) -> bool {
        self.approvals.len() >= self.environment.required_approvals()
    }

    /// The table that was in force before the activation; what a rollback restores.
    pub fn previous_traffic(&self) -> Option<&TrafficTable> {
        self.previous.as_ref()
    }

    /// The table that a reconciler should make true now: while activating or rolling back. It is
    /// absolute; apply it with the generation that is observed as the expected one.
    pub fn desired_traffic(&self) -> Option<&TrafficTable> {
        match self.state {
            DeploymentState::Activating | DeploymentState::RollingBack => self.desired.as_ref(),
            _ => None,
        }
    }

    /// The table that the last activation or rollback asked for, confirmed or not.
    pub fn last_requested_traffic(&self) -> Option<&TrafficTable> {
        self.desired.as_ref()
    }

    /// Sequence of the last event.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Time of the first event.
    pub fn registered_at(&self) -> UnixMicros {
        self.registered_at
    }

    /// Time of the last event.
    pub fn updated_at(&self) -> UnixMicros {
        self.updated_at
    }

    fn advanced(mut self, recorded: &RecordedEvent) -> Result<Self, FoldError> {
        use DeploymentState as State;
        let impossible = FoldError::Impossible {
            sequence: recorded.sequence,
            kind: recorded.event.kind(),
            state: self.state.as_str(),
        };
        self.state = match (self.state, &recorded.event) {
            (State::Registered, Event::Approved { comment, .. }) => {
                self.approvals.push(Approval {
                    approver: recorded.actor.clone(),
                    at: recorded.at,
                    comment: comment.clone(),
                });
                if self.has_required_approvals() {
                    State::Approved
                } else {
                    State::Registered
                }
            }
            (
                State::Registered | State::Approved,
                Event::ActivationRequested { desired, previous },
            ) => {
                self.desired = Some(desired.clone());
                self.previous = Some(previous.clone());
                State::Activating
            }
            (State::Activating, Event::Activated { .. }) => State::Active,
            (
                State::Activating | State::Active | State::RollingBack,
                Event::RollbackRequested { desired, .. },
            ) => {
                self.desired = Some(desired.clone());
                State::RollingBack
            }
            (State::RollingBack, Event::RolledBack { .. }) => State::RolledBack,
            _ => return Err(impossible),
        };
        self.sequence = recorded.sequence;
        self.updated_at = recorded.at;
        Ok(self)
    }
}
