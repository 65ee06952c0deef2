//! Random use of the machine: whatever comes, in whatever order, the laws hold.

use fcs_core::Digest;
use fcs_rollout::rollout::{
    Command, Limits, OnInconclusive, Phase, Plan, Recorded, Rollout, Shadow, Share,
    Strategy as Way, apply, laws,
};
use fcs_rollout::statistics::{Verdict, Weight};
use proptest::prelude::*;

use super::{INSUFFICIENT, MINUTE, MISMATCH, NO_DATA, Story, baseline_digest, plan};

const PEOPLE: [&str; 6] = ["ada", "cleo", "rita", "bea", "otto", "robot"];

fn way() -> impl Strategy<Value = Way> {
    let weight = |basis_points: u32| Weight::try_from(basis_points).unwrap();
    let bake_micros = 120_000_000;
    let sample = weight(1_000);
    let shadow = prop::option::of(Just(Shadow {
        sample,
        bake_micros,
    }));
    let canary = (shadow.clone(), any::<bool>()).prop_map(move |(shadow, gate)| {
        let share = |basis_points| Share {
            weight: weight(basis_points),
            bake_micros,
            gate,
        };
        let shares = [500, 9_500, 10_000].map(share).to_vec();
        Way::Canary { shadow, shares }
    });
    let blue_green = shadow.prop_map(move |shadow| Way::BlueGreen {
        shadow,
        bake_micros,
    });
    let rolling = Just(Way::Rolling {
        batch: weight(4_000),
        bake_micros,
    });
    prop_oneof![canary, blue_green, rolling]
}

fn plans() -> impl Strategy<Value = Plan> {
    let point = prop::option::weighted(0.2, 0..3_usize);
    (way(), point, any::<bool>()).prop_map(|(way, point_of_no_return, pauses)| Plan {
        limits: Limits {
            approval_micros: 3_600_000_000,
            final_bake_micros: 60_000_000,
            extensions_max: 1,
            errors_max: 1,
            rollback_attempts_max: 1,
            on_inconclusive: if pauses {
                OnInconclusive::Pause
            } else {
                OnInconclusive::RollBack
            },
            ..Limits::default()
        },
        point_of_no_return,
        ..plan(way)
    })
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Submit(bool),
    Approve(bool),
    Reject,
    Cancel,
    Supersede,
    BreakGlass,
    Start,
    Ready,
    Smoke(bool),
    OpenGate,
    Confirm(bool),
    Tick(bool),
    Judge(Verdict),
    Guard,
    Incident,
    IncidentOver,
    Population,
    Pause,
    Resume,
    RollBack,
    BaselineReady,
    Baseline(bool),
    RollbackFailed,
    Retry,
    Acknowledge(bool),
}

fn ask() -> impl Strategy<Value = Ask> {
    let verdict = prop::sample::select(vec![
        Verdict::Clear,
        Verdict::Clear,
        Verdict::Clear,
        Verdict::Breach,
        INSUFFICIENT,
        NO_DATA,
        MISMATCH,
    ]);
    let mostly = || prop::bool::weighted(0.9);
    prop_oneof![
        2 => mostly().prop_map(Ask::Submit),
        2 => mostly().prop_map(Ask::Approve),
        3 => prop::sample::select(vec![Ask::Start, Ask::Ready, Ask::OpenGate, Ask::Resume]),
        2 => mostly().prop_map(Ask::Smoke),
        4 => mostly().prop_map(Ask::Confirm),
        14 => mostly().prop_map(Ask::Tick),
        4 => verdict.prop_map(Ask::Judge),
        1 => prop::sample::select(vec![
            Ask::Reject, Ask::Cancel, Ask::Supersede, Ask::BreakGlass, Ask::Guard, Ask::Incident, Ask::IncidentOver, Ask::Population,
            Ask::Pause,
            Ask::RollBack, Ask::RollbackFailed, Ask::Retry,
        ]),
        1 => Just(Ask::BaselineReady),
        1 => mostly().prop_map(Ask::Baseline),
        1 => mostly().prop_map(Ask::Acknowledge),
    ]
}

fn command(story: &Story, ask: Ask) -> Command {
    let reason = || "because".parse().unwrap();
    let comment = || "seen".parse().unwrap();
    let digest = |right| {
        if right {
            baseline_digest()
        } else {
            Digest::from_bytes([9; 32])
        }
    };
    match ask {
        Ask::Submit(right) => Command::Submit {
            observed_baseline: digest(right),
        },
        Ask::Approve(right) => Command::Approve {
            plan_digest: if right {
                story.state().plan_digest()
            } else {
                digest(true)
            },
            comment: comment(),
        },
        Ask::Reject => Command::Reject { reason: reason() },
        Ask::Cancel => Command::Cancel { reason: reason() },
        Ask::Supersede => Command::Supersede,
        Ask::BreakGlass => Command::BreakGlass {
            reason: reason(),
            incident: reason(),
        },
        Ask::Start => Command::Start { epoch: 1 },
        Ask::Ready => Command::ReportReady,
        Ask::Smoke(passed) => Command::ReportSmoke { passed },
        Ask::OpenGate => Command::OpenGate { comment: comment() },
        Ask::Confirm(right) => Command::ConfirmShift {
            generation: story.generation() + u64::from(!right),
        },
        Ask::Tick(has_data) => Command::Tick { has_data },
        Ask::Judge(verdict) => Command::Judge {
            verdict,
            metric: None,
        },
        Ask::Guard => Command::TripGuard { reason: reason() },
        Ask::Incident => Command::ReportSharedIncident,
        Ask::IncidentOver => Command::ReportIncidentOver,
        Ask::Population => Command::ReportPopulation,
        Ask::Pause => Command::Pause,
        Ask::Resume => Command::Resume { reason: reason() },
        Ask::RollBack => Command::RollBack { reason: reason() },
        Ask::BaselineReady => Command::ReportBaselineReady,
        Ask::Baseline(right) => Command::ReportBaseline {
            digest: digest(right),
        },
        Ask::RollbackFailed => Command::ReportRollbackFailed,
        Ask::Retry => Command::RetryRollback,
        Ask::Acknowledge(right) => Command::AcknowledgeRepair {
            digest: digest(right),
        },
    }
}

#[derive(Clone, Copy, Debug)]
struct Move {
    person: usize,
    seconds: i64,
    is_open: bool,
    ask: Ask,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let seconds = prop_oneof![8 => 0..40_i64, 1 => -60..4_000_i64];
    let one = (0..PEOPLE.len(), seconds, prop::bool::weighted(0.8), ask()).prop_map(
        |(person, seconds, is_open, ask)| Move {
            person,
            seconds,
            is_open,
            ask,
        },
    );
    prop::collection::vec(one, 0..150)
}

fn begun(plan: Plan) -> Story {
    let mut story = Story::new();
    let plan = Box::new(plan);
    story.ask("rita", Command::Propose { plan }).unwrap();
    story
}

/// Plays from the proposal or from the first step.
fn played(plan: Plan, is_verified: bool, moves: &[Move]) -> Story {
    let mut story = if is_verified {
        Story::verified(plan)
    } else {
        begun(plan)
    };
    for next in moves {
        story.now += next.seconds * (MINUTE / 60);
        story.is_open = next.is_open;
        let before = story.state().clone();
        let command = command(&story, next.ask);
        let outcome = story.ask(PEOPLE[next.person], command);
        if outcome.is_err() || before.phase().is_terminal() {
            assert_eq!(*story.state(), before, "{next:?}");
        }
    }
    story
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_laws_hold_whatever_comes(plan in plans(), is_verified in any::<bool>(), moves in moves()) {
        let story = played(plan, is_verified, &moves);
        prop_assert_eq!(laws::check(&story.events), Ok(()));
    }

    /// What should be true follows from the state alone, and every prefix of a history folds.
    #[test]
    fn a_crash_between_any_two_events_loses_nothing(plan in plans(), moves in moves()) {
        let story = played(plan, true, &moves);
        let mut state: Option<Rollout> = None;
        for (position, recorded) in story.events.iter().enumerate() {
            state = Some(apply(state, recorded).unwrap());
            let replayed = Rollout::fold(&story.events[..=position]).unwrap();
            prop_assert_eq!(&replayed, &state);
            prop_assert_eq!(replayed.unwrap().desired(), state.as_ref().unwrap().desired());
        }
    }

    /// Observations may come twice: the second time nothing happens that the first did not do.
    #[test]
    fn saying_it_twice_changes_nothing(plan in plans(), moves in moves(), last in ask(), person in 0..PEOPLE.len()) {
        let mut story = played(plan, true, &moves);
        let command = command(&story, last);
        // Time, judgements, failures and pauses add up by design.
        let adds_up = matches!(last, Ask::Tick(_) | Ask::Judge(_) | Ask::RollbackFailed | Ask::Baseline(..));
        if adds_up || story.ask(PEOPLE[person], command.clone()).is_err() {
            return Ok(());
        }
        let (desired, phase) = (story.state().desired(), story.phase());
        let again = story.ask(PEOPLE[person], command);
        prop_assert!(matches!(again, Ok(0) | Err(_)), "{again:?}");
        prop_assert_eq!((story.state().desired(), story.phase()), (desired, phase));
    }

    /// A controller that may be killed before or after any of its reports: from anywhere, an order to roll back ends
    /// with everything on the baseline, unless there is no way back.
    #[test]
    fn the_way_back_ends_on_the_baseline(
        plan in plans(), moves in moves(), kills in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut story = played(plan, true, &moves);
        let reason = "an order".parse().unwrap();
        let _refused = story.ask("otto", Command::RollBack { reason });
        if story.phase().is_forward() {
            prop_assert_eq!(story.state().plan().point_of_no_return.is_some(), true);
            return Ok(());
        }
        let mut gateway = 0;
        for is_killed in kills {
            let desired = story.state().desired();
            gateway = desired.weight_basis_points;
            if is_killed {
                continue;
            }
            let generation = desired.generation;
            story.does(Command::ConfirmShift { generation });
            story.does(Command::ReportBaselineReady);
            let digest = baseline_digest();
            story.does(Command::ReportBaseline { digest });
            let _not_stuck = story.ask("otto", Command::RetryRollback);
        }
        let all = if story.phase() == Phase::Succeeded { 10_000 } else { 0 };
        prop_assert_eq!(gateway, all);
        prop_assert!(story.phase().is_terminal(), "{}", story.phase());
        prop_assert_eq!(laws::check(&story.events), Ok(()));
    }

    /// Damaged histories are refused or fold, and never panic.
    #[test]
    fn damaged_histories_do_not_panic(plan in plans(), moves in moves(), from in 0..60_usize, to in 0..60_usize) {
        let mut events: Vec<Recorded> = played(plan, true, &moves).events;
        let (from, to) = (from % events.len(), to % events.len());
        let moved = events[from].event.clone();
        events[to].event = moved;
        let _broken = laws::check(&events);
        events.remove(from);
        prop_assert!(from + 1 > events.len() || Rollout::fold(&events).is_err());
    }
}

/// Random use must reach every phase, or the properties above show little.
#[test]
fn random_use_reaches_every_phase() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let stories = (plans(), any::<bool>(), moves());
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        let (plan, is_verified, moves) = stories.new_tree(&mut runner).unwrap().current();
        let story = played(plan, is_verified, &moves);
        let mut state = None;
        for recorded in &story.events {
            let next = apply(state, recorded).unwrap();
            reached.insert(next.phase().as_str());
            state = Some(next);
        }
    }
    assert_eq!(reached.len(), 21, "{reached:?}");
}
