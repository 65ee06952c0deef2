//! A rollout as its stored events tell it, and the one way in which events are added.

use std::sync::Arc;

use fcs_core::{ApiError, Clock, Digest, RolloutId};
use fcs_rollout::Principal;
use fcs_rollout::rollout::{
    Command, Event, Moment, NO_EVENT, Plan, Recorded, Rollout, apply, decide, leaf_digest,
};
use tracing::info;

use super::error::of_store;
use crate::store::StoreError;
use crate::store::rollouts::{
    Lease, NewRolloutEvent, Part, RolloutStore, RolloutSummary, StoredRollout,
};

/// How often a person's command is decided again after another writer was first.
const ATTEMPTS: u32 = 16;

/// An event with the place of its leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRolloutEvent {
    /// The event.
    pub recorded: Recorded,
    /// Zero-based index of its leaf in the transparency log.
    pub leaf_index: u64,
}

/// A rollout with its events.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutHistory {
    /// Its identifier.
    pub rollout_id: RolloutId,
    /// What the events add up to.
    pub rollout: Rollout,
    /// The events, first one first.
    pub events: Vec<LoggedRolloutEvent>,
    /// Digest of the last event.
    pub head: Digest,
}

impl RolloutHistory {
    /// Folds stored events. Events that break the chain, differ from their leaves or do not add up to the stored row
    /// are damage and never a state.
    pub fn read(stored: &StoredRollout) -> Result<Self, StoreError> {
        let id = &stored.row.rollout_id;
        let damaged = |what: String| StoreError::Damaged(format!("rollout {id}: {what}"));
        let rollout_id: RolloutId = id.parse().map_err(|error| damaged(format!("{error}")))?;
        let (mut rollout, mut head) = (None, NO_EVENT);
        let mut events = Vec::with_capacity(stored.events.len());
        for event in &stored.events {
            let sequence = event.sequence;
            let recorded = Recorded {
                sequence,
                at: event.occurred_at,
                actor: event
                    .actor
                    .parse()
                    .map_err(|error| damaged(format!("event {sequence}: {error}")))?,
                event: Event::from_json(&event.detail)
                    .map_err(|error| damaged(format!("event {sequence}: {error}")))?,
            };
            let leaf = recorded.leaf_bytes(&rollout_id, head);
            head = leaf_digest(&leaf);
            if leaf != event.leaf || head != event.digest {
                return Err(damaged(format!("event {sequence} breaks the chain")));
            }
            rollout = Some(apply(rollout, &recorded).map_err(|error| damaged(error.to_string()))?);
            let leaf_index = event.leaf_index;
            events.push(LoggedRolloutEvent {
                recorded,
                leaf_index,
            });
        }
        let rollout = rollout.ok_or_else(|| damaged("it has no events".to_owned()))?;
        if summary(&rollout) != stored.row.summary {
            return Err(damaged("its events do not add up to its row".to_owned()));
        }
        Ok(Self {
            rollout_id,
            rollout,
            events,
            head,
        })
    }

    /// The events without their places.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.events.iter().map(|it| it.recorded.clone()).collect()
    }
}

/// Decides and records.
#[derive(Clone)]
pub struct Recorder {
    /// Where events are.
    pub store: Arc<dyn RolloutStore>,
    /// Time of events.
    pub clock: Arc<dyn Clock>,
}

/// Who asks, and for what.
pub struct Ask<'a> {
    /// The rollout.
    pub rollout_id: &'a RolloutId,
    /// Who asks.
    pub actor: &'a Principal,
    /// The lease that the writer holds. One that acts on what it saw does not try again: it looks again.
    pub lease: Option<&'a Lease>,
}

impl Recorder {
    /// The rollout with an identifier.
    pub async fn read(&self, id: &RolloutId) -> Result<Option<RolloutHistory>, ApiError> {
        let stored = self
            .store
            .rollout(&id.to_string())
            .await
            .map_err(of_store)?;
        let history = stored.as_ref().map(RolloutHistory::read).transpose();
        history.map_err(of_store)
    }

    /// Decides the commands that `choose` names for the present state and records what comes of them, all or nothing;
    /// returns the number of events.
    pub async fn record(
        &self,
        ask: &Ask<'_>,
        choose: impl Fn(Option<&Rollout>) -> Vec<Command>,
    ) -> Result<usize, ApiError> {
        let attempts = if ask.lease.is_some() { 1 } else { ATTEMPTS };
        for _ in 1..attempts {
            match self.attempt(ask, &choose).await? {
                Ok(events) => return Ok(events),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(of_store(error)),
            }
        }
        self.attempt(ask, &choose).await?.map_err(of_store)
    }

    async fn attempt(
        &self,
        ask: &Ask<'_>,
        choose: &impl Fn(Option<&Rollout>) -> Vec<Command>,
    ) -> Result<Result<usize, StoreError>, ApiError> {
        let history = self.read(ask.rollout_id).await?;
        let (mut rollout, mut head) = history.map_or((None, NO_EVENT), |history| {
            (Some(history.rollout), history.head)
        });
        let moment = Moment {
            at: self.clock.now(),
            is_open: true,
        };
        let mut rows = Vec::new();
        for command in choose(rollout.as_ref()) {
            for recorded in decide(rollout.as_ref(), command, ask.actor, moment)? {
                let next = apply(rollout, &recorded)
                    .map_err(|error| of_store(StoreError::Damaged(error.to_string())))?;
                let leaf = recorded.leaf_bytes(ask.rollout_id, head);
                head = leaf_digest(&leaf);
                rows.push(row(ask.rollout_id, &recorded, &next, (leaf, head)));
                rollout = Some(next);
            }
        }
        if rows.is_empty() {
            return Ok(Ok(0));
        }
        if let Err(error) = self.store.append_rollout(&rows, ask.lease).await {
            return Ok(Err(error));
        }
        for row in &rows {
            info!(rollout_id = %ask.rollout_id, kind = row.kind, sequence = row.sequence,
                "a rollout event is recorded");
        }
        Ok(Ok(rows.len()))
    }
}

pub(crate) fn row(
    id: &RolloutId,
    recorded: &Recorded,
    rollout: &Rollout,
    (leaf, digest): (Vec<u8>, Digest),
) -> NewRolloutEvent {
    let part = match &recorded.event {
        Event::Proposed { plan, .. } => Some(Part::Makers(makers(plan, &recorded.actor))),
        Event::Approved { .. } => Some(Part::Approver(recorded.actor.folded())),
        _ => None,
    };
    NewRolloutEvent {
        rollout_id: id.to_string(),
        sequence: recorded.sequence,
        occurred_at: recorded.at,
        actor: recorded.actor.to_string(),
        kind: recorded.event.kind().to_owned(),
        detail: recorded.event.to_json(),
        leaf,
        digest,
        part,
        summary: summary(rollout),
    }
}

/// Author, committers and requester, each once.
fn makers(plan: &Plan, requester: &Principal) -> Vec<String> {
    let people = plan
        .committers
        .iter()
        .chain([&plan.change.author, requester]);
    let mut makers: Vec<String> = people.map(Principal::folded).collect();
    makers.sort();
    makers.dedup();
    makers
}

fn summary(rollout: &Rollout) -> RolloutSummary {
    RolloutSummary {
        environment: rollout.plan().environment.to_string(),
        model: rollout.plan().change.model.to_string(),
        requester: rollout.requested_by().to_string(),
        phase: rollout.phase().to_string(),
        approvals: rollout.approvals().len() as u64,
        has_broken_glass: rollout.has_broken_glass(),
    }
}
