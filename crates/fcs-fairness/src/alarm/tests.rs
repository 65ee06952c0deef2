use proptest::prelude::*;

use super::*;

const POLICY: Digest = Digest::from_bytes([3; 32]);

fn rules() -> AlarmSection {
    AlarmSection {
        raise_after_looks: 1,
        clear_hold_s: 60,
        mute_max_s: 3_600,
    }
}

fn at(second: i64) -> UnixMicros {
    UnixMicros(second * MICROS_PER_SECOND)
}

fn judged(verdict: Verdict) -> Event {
    Event::Judged {
        verdict,
        policy: POLICY,
    }
}

fn mute(until: i64) -> Event {
    Event::Mute {
        by: "ann".to_owned(),
        reason: "known, mended in release 12".to_owned(),
        until: at(until),
    }
}

fn acknowledge() -> Event {
    Event::Acknowledge {
        by: "ann".to_owned(),
        note: "looking".to_owned(),
    }
}

fn apply(alarm: &mut Alarm, event: Event, second: i64) -> Vec<(Change, bool)> {
    let entries = alarm.apply(event, at(second), &rules()).unwrap();
    entries
        .into_iter()
        .map(|entry| (entry.change, entry.tell))
        .collect()
}

#[test]
fn a_breach_is_told_once_and_ends_only_when_a_clearance_has_held() {
    let mut alarm = Alarm::default();
    assert!(apply(&mut alarm, judged(Verdict::InsufficientEvidence), 0).is_empty());
    assert_eq!(
        apply(&mut alarm, judged(Verdict::Breach), 1),
        [(Change::Raised, true)]
    );
    assert!(apply(&mut alarm, judged(Verdict::Breach), 2).is_empty());
    assert!(apply(&mut alarm, judged(Verdict::InsufficientEvidence), 3).is_empty());
    assert!(alarm.holds(), "too little evidence ends nothing");
    assert_eq!(
        apply(&mut alarm, judged(Verdict::Clear), 10),
        [(Change::RecoveryBegan, true)]
    );
    assert!(apply(&mut alarm, judged(Verdict::Clear), 69).is_empty());
    assert!(alarm.holds());
    assert_eq!(
        apply(&mut alarm, judged(Verdict::Clear), 70),
        [(Change::Ended, true)]
    );
    assert_eq!((alarm.status(), alarm.holds()), (Status::Quiet, false));
}

#[test]
fn a_clearance_that_does_not_hold_starts_again() {
    let mut alarm = Alarm::default();
    apply(&mut alarm, judged(Verdict::Breach), 0);
    apply(&mut alarm, judged(Verdict::Clear), 10);
    let verdict = Verdict::InsufficientEvidence;
    assert_eq!(
        apply(&mut alarm, judged(verdict), 30),
        [(Change::Relapsed { verdict }, true)]
    );
    apply(&mut alarm, judged(Verdict::Clear), 40);
    assert!(apply(&mut alarm, judged(Verdict::Clear), 90).is_empty());
    assert_eq!(
        alarm.status(),
        Status::Recovering {
            since: at(0),
            cleared_at: at(40)
        }
    );
}

#[test]
fn silence_is_told_and_ends_nothing() {
    let mut alarm = Alarm::default();
    apply(&mut alarm, judged(Verdict::Breach), 0);
    assert_eq!(
        apply(&mut alarm, judged(Verdict::Stale), 5),
        [(Change::FeedStopped, true)]
    );
    assert!(alarm.is_stale() && alarm.holds());
    assert!(apply(&mut alarm, judged(Verdict::Stale), 6).is_empty());
    assert_eq!(
        apply(&mut alarm, judged(Verdict::Breach), 7),
        [(Change::FeedResumed, true)]
    );
}

#[test]
fn a_policy_may_want_several_looks_in_a_row() {
    let patient = AlarmSection {
        raise_after_looks: 3,
        ..rules()
    };
    let mut alarm = Alarm::default();
    let mut look = |verdict, second| {
        alarm
            .apply(judged(verdict), at(second), &patient)
            .unwrap()
            .len()
    };
    let looks = [
        Verdict::Breach,
        Verdict::Breach,
        Verdict::Clear,
        Verdict::Breach,
        Verdict::Breach,
    ];
    for (second, verdict) in (0..).zip(looks) {
        assert_eq!(look(verdict, second), 0);
    }
    assert_eq!(look(Verdict::Breach, 9), 1);
}

#[test]
fn a_mute_silences_notices_and_opens_no_gate() {
    let mut alarm = Alarm::default();
    assert_eq!(apply(&mut alarm, mute(100), 0).len(), 1);
    assert_eq!(
        apply(&mut alarm, judged(Verdict::Breach), 1),
        [(Change::Raised, false)]
    );
    assert!(alarm.holds());
    let expired = Change::MuteExpired { still_firing: true };
    assert_eq!(apply(&mut alarm, Event::Tick, 100), [(expired, true)]);
    assert_eq!(alarm.mute(), None);
}

#[test]
fn what_people_do_is_checked() {
    let mut alarm = Alarm::default();
    let mut refused = |event: Event, second| alarm.apply(event, at(second), &rules()).unwrap_err();
    assert_eq!(refused(acknowledge(), 0), Rejection::NothingToAcknowledge);
    assert_eq!(refused(mute(0), 0), Rejection::InvalidExpiry);
    assert_eq!(refused(mute(3_601), 0), Rejection::InvalidExpiry);
    let unmute = |by: &str| Event::Unmute { by: by.to_owned() };
    assert_eq!(refused(unmute("ann"), 0), Rejection::NotMuted);
    assert_eq!(refused(unmute(" "), 0), Rejection::InvalidName);
    let silent = Event::Mute {
        by: "ann".to_owned(),
        reason: " ".to_owned(),
        until: at(10),
    };
    assert_eq!(refused(silent, 0), Rejection::InvalidText);
    assert_eq!(alarm, Alarm::default(), "a refused event changes nothing");
}

#[test]
fn an_acknowledgement_belongs_to_one_alarm() {
    let mut alarm = Alarm::default();
    apply(&mut alarm, judged(Verdict::Breach), 0);
    apply(&mut alarm, acknowledge(), 1);
    assert_eq!(alarm.acknowledgement().unwrap().by, "ann");
    apply(&mut alarm, judged(Verdict::Clear), 2);
    apply(&mut alarm, judged(Verdict::Clear), 62);
    assert_eq!(alarm.acknowledgement(), None);
}

#[test]
fn the_history_names_the_policy_and_is_bounded() {
    let mut alarm = Alarm::default();
    apply(&mut alarm, judged(Verdict::Breach), 0);
    assert_eq!(
        alarm.history().entries().next().unwrap().policy,
        Some(POLICY)
    );
    for round in 0..400 {
        let verdict = if round % 2 == 0 {
            Verdict::Stale
        } else {
            Verdict::Breach
        };
        apply(&mut alarm, judged(verdict), round);
    }
    assert_eq!(alarm.history().entries().count(), HISTORY_MAX);
    assert_eq!(alarm.history().forgotten(), 401 - HISTORY_MAX as u64);
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        Just(Verdict::Breach),
        Just(Verdict::Clear),
        Just(Verdict::InsufficientEvidence),
        Just(Verdict::Stale),
    ];
    prop_oneof![
        6 => verdict.prop_map(judged),
        1 => Just(acknowledge()),
        1 => (0..500_i64).prop_map(mute),
        1 => Just(Event::Unmute { by: "ann".to_owned() }),
        1 => Just(Event::Tick),
    ]
}

proptest! {
    /// Whatever happens, an alarm ends only after clearances without a gap, for as long as it takes.
    #[test]
    fn a_gate_opens_only_after_a_clearance_that_held(events in prop::collection::vec((event(), 0..40_i64), 0..120)) {
        let mut alarm = Alarm::default();
        let mut now = 0;
        let mut cleared_since = None;
        for (event, pause) in events {
            now += pause;
            let held = alarm.holds();
            match &event {
                Event::Judged { verdict: Verdict::Clear, .. } => {
                    cleared_since.get_or_insert(now);
                }
                Event::Judged { .. } => cleared_since = None,
                _ => {}
            }
            let breach = matches!(event, Event::Judged { verdict: Verdict::Breach, .. });
            let _ = alarm.apply(event, at(now), &rules());
            prop_assert!(!breach || alarm.holds());
            if held && !alarm.holds() {
                prop_assert!(cleared_since.is_some_and(|since| now - since >= 60));
            }
        }
    }

    #[test]
    fn a_replay_gives_the_same_state(events in prop::collection::vec((event(), -5..40_i64), 0..60)) {
        let play = |store: bool| {
            let mut alarm = Alarm::default();
            let mut now = 0;
            for (event, pause) in events.clone() {
                now += pause;
                let _ = alarm.apply(event, at(now), &rules());
                if store {
                    let text = serde_json::to_string(&alarm).unwrap();
                    alarm = serde_json::from_str(&text).unwrap();
                }
            }
            alarm
        };
        prop_assert_eq!(play(true), play(false));
    }
}
