//! Every law sees a history that breaks it.

use fcs_core::{Digest, UnixMicros};
use fcs_rollout::rollout::laws::{self, BrokenLaw};
use fcs_rollout::rollout::{
    Command, Event, PassGrounds, Recorded, RollbackCause, Rollout, Strategy,
};
use fcs_rollout::statistics::Verdict;

use super::{INSUFFICIENT, Story, baseline_digest, plan};

/// All the way to success.
fn good() -> Vec<Recorded> {
    let mut story = Story::verified(plan(Strategy::usual_canary()));
    for _ in 0..4 {
        story.step(Verdict::Clear);
    }
    story.wait(30, true);
    story.events
}

/// Back after the first step.
fn back() -> Vec<Recorded> {
    let mut story = Story::verified(plan(Strategy::usual_canary()));
    story.judge(Verdict::Breach);
    story.confirm();
    story.does(Command::ReportBaselineReady);
    story.does(Command::ReportBaseline {
        digest: baseline_digest(),
    });
    story.events
}

fn find(events: &[Recorded], kind: &str) -> usize {
    events
        .iter()
        .position(|it| it.event.kind() == kind)
        .unwrap()
}

/// Without one event, and with the sequence closed.
fn without(mut events: Vec<Recorded>, kind: &str) -> Vec<Recorded> {
    events.remove(find(&events, kind));
    for (sequence, recorded) in (1..).zip(&mut events) {
        recorded.sequence = sequence;
    }
    events
}

/// With another event, or another actor, in the place of the first of a kind.
fn with(mut events: Vec<Recorded>, kind: &str, change: impl Fn(&mut Recorded)) -> Vec<Recorded> {
    let position = find(&events, kind);
    change(&mut events[position]);
    events
}

#[test]
fn histories_of_the_machine_break_none() {
    assert_eq!(laws::check(&[]), Ok(()));
    assert_eq!(laws::check(&good()), Ok(()));
    assert_eq!(laws::check(&back()), Ok(()));
}

#[test]
fn forged_histories_are_seen() {
    let foreign = Digest::from_bytes([9; 32]);
    let other_time = with(good(), "verified", |it| it.at = UnixMicros(-1));
    let other_plan = with(good(), "proposed", |it| {
        if let Event::Proposed { plan_digest, .. } = &mut it.event {
            *plan_digest = foreign;
        }
    });
    let by_author = with(good(), "approved", |it| it.actor = "ADA".parse().unwrap());
    let by_requester = with(good(), "approved", |it| it.actor = "Rita".parse().unwrap());
    let unclear = with(good(), "judged", |it| {
        it.event = Event::Judged {
            metric: None,
            verdict: INSUFFICIENT,
        };
    });
    let elsewhere = with(back(), "rolled_back", |it| {
        it.event = Event::RolledBack {
            baseline_digest: foreign,
        };
    });
    let generation = with(good(), "shift_confirmed", |it| {
        it.event = Event::ShiftConfirmed { generation: 7 };
    });
    let long = with(good(), "bake_advanced", |it| {
        it.event = Event::BakeAdvanced {
            by_micros: 3_600_000_000,
        };
    });
    for (events, expected) in [
        (other_time, "is out of order"),
        (other_plan, "another plan"),
        (by_author, "approval by the author"),
        (by_requester, "approval by the author"),
        (without(good(), "approved"), "not approved or not ready"),
        (
            without(good(), "candidate_ready"),
            "not approved or not ready",
        ),
        (without(good(), "verified"), "not approved or not ready"),
        (unclear, "without evidence"),
        (without(good(), "bake_advanced"), "too short"),
        (long, "too short"),
        (
            without(good(), "step_passed"),
            "without having passed every step",
        ),
        (elsewhere, "something else than the baseline"),
        (generation, "order of generations"),
    ] {
        let broken = laws::check(&events).unwrap_err().to_string();
        assert!(broken.contains(expected), "{expected}: {broken}");
    }
}

#[test]
fn going_forward_on_the_way_back_is_seen() {
    let mut events = back();
    let position = find(&events, "rollback_shifted");
    events[position].event = Event::StepStarted {
        step: 0,
        generation: 9,
    };
    let sequence = events[position].sequence;
    assert_eq!(laws::check(&events), Err(BrokenLaw::Direction(sequence)));
}

#[test]
fn going_back_past_the_point_of_no_return_is_seen_and_does_not_fold() {
    let mut plan = plan(Strategy::usual_canary());
    plan.point_of_no_return = Some(0);
    let mut story = Story::verified(plan);
    story.confirm();
    let mut events = story.events;
    let mut next = events.last().unwrap().clone();
    next.sequence += 1;
    next.event = Event::RollbackStarted {
        cause: RollbackCause::Breach,
        generation: 2,
    };
    let sequence = next.sequence;
    events.push(next);
    assert_eq!(laws::check(&events), Err(BrokenLaw::PastReturn(sequence)));
    assert!(Rollout::fold(&events).is_err());
}

#[test]
fn what_cannot_follow_does_not_fold() {
    let early = with(good(), "submitted", |it| {
        it.event = Event::RollbackStarted {
            cause: RollbackCause::Breach,
            generation: 1,
        };
    });
    assert!(laws::check(&early).is_err());
    let taken = with(good(), "step_passed", |it| {
        let reason = "my word".parse().unwrap();
        it.event = Event::StepPassed {
            grounds: PassGrounds::Override { reason },
        };
    });
    assert_eq!(
        laws::check(&taken),
        Ok(()),
        "somebody took it upon themselves"
    );
}

#[test]
fn going_on_without_data_is_seen() {
    let mut story = Story::verified(plan(Strategy::usual_canary()));
    story.confirm();
    story.wait(2, false);
    let pause = find(&story.events, "paused");
    story.events[pause].event = Event::BakeAdvanced { by_micros: 0 };
    let sequence = story.events[pause].sequence;
    assert_eq!(laws::check(&story.events), Err(BrokenLaw::Blind(sequence)));
}
