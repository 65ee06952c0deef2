//! Laws that every history keeps, stated over the events alone.
//!
//! They repeat nothing of the machine, so they can catch a defect of it, and a forged or damaged
//! history as well.

use fcs_core::Digest;

use crate::change::{Change, Environment, plan_digest};
use crate::deployment::{Deployment, FoldError};
use crate::event::{Event, RecordedEvent};
use crate::text::Principal;
use crate::traffic::{TrafficTable, WHOLE_BASIS_POINTS};

/// A history that breaks a law; the number is the sequence of the first event that does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenInvariant {
    /// The sequence does not rise by one from 1.
    #[error("event {0} is out of sequence")]
    Sequence(u64),
    /// An event is older than the one before it.
    #[error("event {0} is older than the event before it")]
    Time(u64),
    /// A plan digest is not that of the registered change and environment.
    #[error("event {0} is bound to another plan")]
    Plan(u64),
    /// The author, the requester or an earlier approver approved.
    #[error("event {0} is an approval by the author, the requester or an earlier approver")]
    FourEyes(u64),
    /// Traffic was asked for without the environment's approvals.
    #[error("event {0} asks for traffic without the required approvals")]
    Unapproved(u64),
    /// A table is neither empty nor all of the traffic.
    #[error("event {0} has a traffic table whose weights are not whole")]
    Weights(u64),
    /// A desired generation does not rise, or a confirmation names another one.
    #[error("event {0} breaks the order of generations")]
    Generation(u64),
    /// A rollback leads elsewhere than back.
    #[error("event {0} does not restore the recorded previous traffic")]
    Rollback(u64),
    /// The events do not fold.
    #[error("the history does not fold")]
    Fold(#[source] FoldError),
    /// The fold differs after the events were written and read.
    #[error("the history folds to another state after storage")]
    Storage,
}

/// Checks every law, in the order in which they are written here.
pub fn check(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    sequence_has_no_gap(events)?;
    time_never_goes_back(events)?;
    plan_is_bound(events)?;
    approvers_are_other_people(events)?;
    traffic_is_approved(events)?;
    tables_are_whole(events)?;
    generations_rise(events)?;
    rollback_restores_previous(events)?;
    fold_survives_storage(events)
}

/// Sequences are 1, 2, 3 and so on.
pub fn sequence_has_no_gap(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    for (expected, recorded) in (1..).zip(events) {
        ensure(
            recorded.sequence == expected,
            BrokenInvariant::Sequence(recorded.sequence),
        )?;
    }
    Ok(())
}

/// No event is older than the one before it.
pub fn time_never_goes_back(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    for pair in events.windows(2) {
        ensure(
            pair[0].at <= pair[1].at,
            BrokenInvariant::Time(pair[1].sequence),
        )?;
    }
    Ok(())
}

/// Registration and approvals carry the digest of the registered change and environment.
pub fn plan_is_bound(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let expected =
        registration(events).map(|(change, environment)| plan_digest(change, environment));
    for recorded in events {
        let digest: Option<Digest> = match &recorded.event {
            Event::Registered { plan_digest, .. } | Event::Approved { plan_digest, .. } => {
                Some(*plan_digest)
            }
            _ => None,
        };
        ensure(
            digest.is_none() || digest == expected,
            BrokenInvariant::Plan(recorded.sequence),
        )?;
    }
    Ok(())
}

/// Every approver is another person than the author, the requester and the earlier approvers.
pub fn approvers_are_other_people(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let mut barred: Vec<&Principal> = Vec::new();
    for recorded in events {
        match &recorded.event {
            Event::Registered { change, .. } => barred.extend([&change.author, &recorded.actor]),
            Event::Approved { .. } => {
                let is_barred = barred
                    .iter()
                    .any(|person| person.is_same_as(&recorded.actor));
                ensure(!is_barred, BrokenInvariant::FourEyes(recorded.sequence))?;
                barred.push(&recorded.actor);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Traffic is asked for only after the approvals that the environment requires.
pub fn traffic_is_approved(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let required = registration(events).map_or(usize::MAX, |(_, environment)| {
        environment.required_approvals()
    });
    let mut given = 0;
    for recorded in events {
        match recorded.event {
            Event::Approved { .. } => given += 1,
            Event::ActivationRequested { .. } => {
                ensure(
                    given >= required,
                    BrokenInvariant::Unapproved(recorded.sequence),
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every table is empty or sums to all of the traffic.
pub fn tables_are_whole(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let whole = |table: &TrafficTable| {
        let weights = table
            .arms()
            .iter()
            .map(|arm| u64::from(arm.weight_basis_points));
        table.is_empty() || weights.sum::<u64>() == u64::from(WHOLE_BASIS_POINTS)
    };
    for recorded in events {
        let holds = match &recorded.event {
            Event::ActivationRequested { desired, previous } => whole(desired) && whole(previous),
            Event::RollbackRequested { desired, .. } => whole(desired),
            _ => true,
        };
        ensure(holds, BrokenInvariant::Weights(recorded.sequence))?;
    }
    Ok(())
}

/// Each desired generation is above all before it; a confirmation names the desired one.
pub fn generations_rise(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let mut highest: Option<u64> = None;
    for recorded in events {
        let holds = match &recorded.event {
            Event::ActivationRequested { desired, previous } => {
                let base = highest.max(Some(previous.generation()));
                highest = Some(desired.generation());
                highest > base
            }
            Event::RollbackRequested { desired, .. } => {
                let base = highest;
                highest = Some(desired.generation());
                base.is_some() && highest > base
            }
            Event::Activated {
                observed_generation,
            }
            | Event::RolledBack {
                observed_generation,
            } => highest == Some(*observed_generation),
            Event::Registered { .. } | Event::Approved { .. } => true,
        };
        ensure(holds, BrokenInvariant::Generation(recorded.sequence))?;
    }
    Ok(())
}

/// A rollback desires exactly the arms and the salt from before the activation, and says so when
/// that leaves no traffic.
pub fn rollback_restores_previous(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let mut before: Option<&TrafficTable> = None;
    for recorded in events {
        match &recorded.event {
            Event::ActivationRequested { previous, .. } => before = Some(previous),
            Event::RollbackRequested {
                desired,
                leaves_no_traffic,
                ..
            } => {
                let restores = before.is_some_and(|previous| {
                    previous.arms() == desired.arms() && previous.salt() == desired.salt()
                });
                ensure(
                    restores && *leaves_no_traffic == desired.is_empty(),
                    BrokenInvariant::Rollback(recorded.sequence),
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The events fold, and fold to the same state after they were written as JSON and read again.
pub fn fold_survives_storage(events: &[RecordedEvent]) -> Result<(), BrokenInvariant> {
    let folded = Deployment::fold(events).map_err(BrokenInvariant::Fold)?;
    let stored: Option<Vec<RecordedEvent>> = serde_json::to_string(events)
        .and_then(|json| serde_json::from_str(&json))
        .ok();
    let restored = stored.and_then(|events| Deployment::fold(&events).ok());
    ensure(restored == Some(folded), BrokenInvariant::Storage)
}

fn registration(events: &[RecordedEvent]) -> Option<(&Change, Environment)> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Registered {
            change,
            environment,
            ..
        } => Some((change, *environment)),
        _ => None,
    })
}

fn ensure(holds: bool, broken: BrokenInvariant) -> Result<(), BrokenInvariant> {
    if holds { Ok(()) } else { Err(broken) }
}
