//! The laws find forged histories, and folding refuses impossible ones.

use fcs_core::{Digest, UnixMicros};
use fcs_rollout::invariants::{self, BrokenInvariant};
use fcs_rollout::{Deployment, Event, FoldError, RecordedEvent};

use crate::support::{empty_table, person, rolled_back, split_table};

/// Registered, approved, activation requested, activated, rollback requested, rolled back.
fn history() -> Vec<RecordedEvent> {
    rolled_back(split_table(7)).events
}

fn broken(forge: impl FnOnce(&mut Vec<RecordedEvent>)) -> BrokenInvariant {
    let mut events = history();
    assert_eq!(invariants::check(&events), Ok(()));
    forge(&mut events);
    invariants::check(&events).expect_err("the forgery is found")
}

#[test]
fn gaps_and_order_are_found() {
    assert_eq!(
        broken(|events| drop(events.remove(1))),
        BrokenInvariant::Sequence(3)
    );
    assert_eq!(
        broken(|events| events.swap(1, 2)),
        BrokenInvariant::Sequence(3)
    );
    assert_eq!(
        broken(|events| events[3].at = UnixMicros(1)),
        BrokenInvariant::Time(4)
    );
}

#[test]
fn forged_approvals_are_found() {
    assert_eq!(
        broken(|events| events[1].actor = person("ADA")),
        BrokenInvariant::FourEyes(2)
    );
    assert_eq!(
        broken(|events| events[1].actor = person("rita")),
        BrokenInvariant::FourEyes(2)
    );
    let other_plan = |events: &mut Vec<RecordedEvent>| {
        events[1].event = Event::Approved {
            plan_digest: Digest::from_bytes([9; 32]),
            comment: "".parse().unwrap(),
        };
    };
    assert_eq!(broken(other_plan), BrokenInvariant::Plan(2));
    let without = |events: &mut Vec<RecordedEvent>| {
        events.remove(1);
        for (sequence, recorded) in (1..).zip(events) {
            recorded.sequence = sequence;
        }
    };
    assert_eq!(broken(without), BrokenInvariant::Unapproved(2));
}

#[test]
fn a_changed_registration_is_found() {
    let forge = |events: &mut Vec<RecordedEvent>| {
        let Event::Registered { change, .. } = &mut events[0].event else {
            unreachable!()
        };
        change.git_commit = "fffffff".parse().unwrap();
    };
    assert_eq!(broken(forge), BrokenInvariant::Plan(1));
}

#[test]
fn forged_generations_are_found() {
    let confirm = |events: &mut Vec<RecordedEvent>| {
        events[3].event = Event::Activated {
            observed_generation: 7,
        };
    };
    assert_eq!(broken(confirm), BrokenInvariant::Generation(4));
    let low = |events: &mut Vec<RecordedEvent>| {
        let Event::RollbackRequested { desired, .. } = &mut events[4].event else {
            unreachable!()
        };
        *desired = split_table(8);
    };
    assert_eq!(broken(low), BrokenInvariant::Generation(5));
}

#[test]
fn forged_rollbacks_are_found() {
    let elsewhere = |events: &mut Vec<RecordedEvent>| {
        let Event::ActivationRequested { previous, .. } = &mut events[2].event else {
            unreachable!()
        };
        *previous = empty_table();
    };
    assert_eq!(broken(elsewhere), BrokenInvariant::Rollback(5));
    let silent = |events: &mut Vec<RecordedEvent>| {
        let Event::RollbackRequested {
            leaves_no_traffic, ..
        } = &mut events[4].event
        else {
            unreachable!()
        };
        *leaves_no_traffic = true;
    };
    assert_eq!(broken(silent), BrokenInvariant::Rollback(5));
}

#[test]
fn impossible_histories_do_not_fold() {
    let events = history();
    assert_eq!(Deployment::fold(&[]), Ok(None));
    assert_eq!(
        Deployment::fold(&events[1..]),
        Err(FoldError::SequenceGap {
            expected: 1,
            found: 2
        })
    );
    let first = RecordedEvent {
        sequence: 1,
        ..events[1].clone()
    };
    assert_eq!(
        Deployment::fold(&[first]),
        Err(FoldError::Impossible {
            sequence: 1,
            kind: "approved",
            state: "unregistered"
        })
    );
    let twice = [
        events[0].clone(),
        RecordedEvent {
            sequence: 2,
            ..events[0].clone()
        },
    ];
    assert_eq!(
        Deployment::fold(&twice),
        Err(FoldError::Impossible {
            sequence: 2,
            kind: "registered",
            state: "registered"
        })
    );
}
