//! A deployment as its stored events tell it, checked against its leaves and its summary.

use fcs_core::DeploymentId;
use fcs_rollout::{Deployment, Event, Principal, RecordedEvent, apply};

use crate::store::{NewEvent, StoreError, StoredDeployment, Summary};

/// An event with the place of its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The event.
    pub recorded: RecordedEvent,
    /// Zero-based index of its leaf in the transparency log.
    pub leaf_index: u64,
}

/// A deployment with its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Its identifier.
    pub deployment_id: DeploymentId,
    /// What the events add up to.
    pub deployment: Deployment,
    /// The events, first one first.
    pub events: Vec<LoggedEvent>,
}

impl History {
    /// Folds stored events. Events that differ from their leaves, or do not add up to the stored
    /// summary, are damage and never a state.
    pub fn read(stored: &StoredDeployment) -> Result<Self, StoreError> {
        let damaged = |what: String| {
            StoreError::Damaged(format!("deployment {}: {what}", stored.deployment_id))
        };
        let deployment_id: DeploymentId = stored
            .deployment_id
            .parse()
            .map_err(|error| damaged(format!("{error}")))?;
        let mut deployment = None;
        let mut events = Vec::with_capacity(stored.events.len());
        for event in &stored.events {
            let recorded = RecordedEvent {
                sequence: event.sequence,
                at: event.occurred_at,
                actor: event
                    .actor
                    .parse()
                    .map_err(|error| damaged(format!("{error}")))?,
                event: Event::from_json(&event.detail)
                    .map_err(|error| damaged(format!("event {}: {error}", event.sequence)))?,
            };
            if recorded.leaf_bytes(&deployment_id) != event.leaf {
                return Err(damaged(format!(
                    "event {} differs from its leaf",
                    event.sequence
                )));
            }
            deployment =
                Some(apply(deployment, &recorded).map_err(|error| damaged(error.to_string()))?);
            events.push(LoggedEvent {
                recorded,
                leaf_index: event.leaf_index,
            });
        }
        let deployment = deployment.ok_or_else(|| damaged("it has no events".to_owned()))?;
        if summary(&deployment) != stored.summary {
            return Err(damaged(
                "its events do not add up to its summary".to_owned(),
            ));
        }
        Ok(Self {
            deployment_id,
            deployment,
            events,
        })
    }
}

/// The rows of events that follow a deployment's last one, and the deployment after them.
pub fn rows(
    deployment_id: &DeploymentId,
    mut deployment: Option<Deployment>,
    events: &[RecordedEvent],
) -> Result<(Vec<NewEvent>, Option<Deployment>), StoreError> {
    let mut rows = Vec::with_capacity(events.len());
    for recorded in events {
        let next = apply(deployment, recorded)
            .map_err(|error| StoreError::Damaged(format!("deployment {deployment_id}: {error}")))?;
        rows.push(NewEvent {
            deployment_id: deployment_id.to_string(),
            sequence: recorded.sequence,
            occurred_at: recorded.at,
            actor: recorded.actor.to_string(),
            kind: recorded.event.kind().to_owned(),
            detail: recorded.event.to_json(),
            leaf: recorded.leaf_bytes(deployment_id),
            summary: summary(&next),
        });
        deployment = Some(next);
    }
    Ok((rows, deployment))
}

fn summary(deployment: &Deployment) -> Summary {
    Summary {
        environment: deployment.environment().to_string(),
        author: identity(&deployment.change().author),
        requester: identity(deployment.requested_by()),
        approver: deployment
            .approvals()
            .first()
            .map(|approval| identity(&approval.approver)),
        state: deployment.state().to_string(),
    }
}

/// The form in which the database compares people: folded as [`Principal::is_same_as`] folds.
fn identity(principal: &Principal) -> String {
    principal.as_str().to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_the_same_exactly_when_people_are() {
        let names = [
            "Ada",
            "ADA",
            "ada",
            "bea",
            "o\u{17f}car",
            "Oscar",
            "stra\u{df}e",
            "STRASSE",
        ];
        let people: Vec<Principal> = names.iter().map(|name| name.parse().unwrap()).collect();
        for one in &people {
            for other in &people {
                assert_eq!(
                    identity(one) == identity(other),
                    one.is_same_as(other),
                    "{one} {other}"
                );
            }
        }
    }
}
