//! Single rollouts, told from the beginning.

use fcs_core::{Digest, ErrorCode};
use fcs_rollout::Reason;
use fcs_rollout::rollout::{
    Command, Event, Limits, OnInconclusive, PassGrounds, PauseCause, Phase, Refusal, RollbackCause,
    Rollout, Shadow, Strategy, laws,
};
use fcs_rollout::statistics::{Verdict, Weight};

use super::{INSUFFICIENT, MINUTE, MISMATCH, NO_DATA, Story, baseline_digest, plan};

fn canary() -> Story {
    Story::verified(plan(Strategy::usual_canary()))
}

fn paused(story: &Story) -> Option<PauseCause> {
    story.state().pause().map(|pause| pause.cause)
}

fn reason(text: &str) -> Reason {
    text.parse().unwrap()
}

fn resume(story: &mut Story, person: &str) -> Result<usize, Refusal> {
    let reason = reason("looked at it");
    story.ask(person, Command::Resume { reason })
}

#[test]
fn a_good_candidate_goes_all_the_way() {
    let mut story = canary();
    for (step, weight) in [500, 2_500, 5_000, 10_000].into_iter().enumerate() {
        assert_eq!(
            (story.phase(), story.state().step()),
            (Phase::Shifting, step)
        );
        assert_eq!(story.weight(), weight);
        story.step(Verdict::Clear);
    }
    assert_eq!(story.phase(), Phase::Finalizing);
    assert!(story.state().desired().baseline_runs, "it is still warm");
    story.wait(30, true);
    assert_eq!(story.phase(), Phase::Succeeded);
    assert_eq!(story.weight(), 10_000);
    assert!(!story.state().desired().baseline_runs);
    story.check();
}

#[test]
fn a_breach_leads_back_from_anywhere_and_all_the_way() {
    let mut story = canary();
    story.step(Verdict::Clear);
    story.confirm();
    story.judge(Verdict::Breach);
    assert_eq!((story.phase(), story.weight()), (Phase::RollingBack, 0));
    let generation = story.generation();
    story.does(Command::ConfirmShift {
        generation: generation - 1,
    });
    assert_eq!(
        story.phase(),
        Phase::RollingBack,
        "an old confirmation says nothing"
    );
    story.confirm();
    assert_eq!(story.phase(), Phase::Settling);
    story.does(Command::ReportBaselineReady);
    let seen = |digest| Command::ReportBaseline { digest };
    story.does(seen(Digest::from_bytes([9; 32])));
    assert_eq!(story.phase(), Phase::Confirming, "it must be the baseline");
    story.does(seen(baseline_digest()));
    assert_eq!(story.phase(), Phase::RolledBack);
    story.check();
}

#[test]
fn only_time_with_data_counts_as_watched() {
    let mut story = canary();
    story.confirm();
    story.wait(1, false);
    assert_eq!(
        (
            story.phase(),
            story.state().baked_micros().0,
            paused(&story)
        ),
        (Phase::Baking, 0, None)
    );
    story.wait(600, false);
    assert_eq!(
        (
            story.phase(),
            story.state().baked_micros().0,
            paused(&story)
        ),
        (Phase::Baking, 0, Some(PauseCause::AnalysisError)),
        "the clock stops, and then it stands still"
    );
    resume(&mut story, "otto").unwrap();
    story.now += 600 * MINUTE;
    story.does(Command::Tick { has_data: true });
    assert_eq!(
        story.state().baked_micros().0,
        30_000_000,
        "of a gap only so much"
    );
    story.wait(29, true);
    assert_eq!(story.phase(), Phase::Baking);
    story.wait(1, true);
    assert_eq!(story.phase(), Phase::Judging);
    for _ in 0..4 {
        story.judge(NO_DATA);
        assert_eq!((story.phase(), paused(&story)), (Phase::Judging, None));
    }
    story.judge(NO_DATA);
    assert_eq!(paused(&story), Some(PauseCause::AnalysisError));
    story.now += 25 * 60 * MINUTE;
    story.does(Command::Tick { has_data: false });
    assert!(matches!(
        story.last(),
        Event::RollbackStarted {
            cause: RollbackCause::PauseTimeout,
            ..
        }
    ));
    story.check();
}

#[test]
fn too_early_to_say_is_extended_twice_and_then_somebody_decides() {
    let mut story = canary();
    story.step(INSUFFICIENT);
    for _ in 0..2 {
        assert_eq!(story.phase(), Phase::Baking);
        story.wait(15, true);
        story.judge(INSUFFICIENT);
    }
    assert_eq!(paused(&story), Some(PauseCause::Inconclusive));
    story.judge(Verdict::Clear);
    assert_eq!(story.phase(), Phase::Judging, "a pause is ended by people");
    for self_checker in ["ada", "Cleo", "Rita"] {
        let refusal = resume(&mut story, self_checker).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::PermissionDenied);
    }
    resume(&mut story, "bea").unwrap();
    let passed = story.events.iter().rev().find_map(|it| match &it.event {
        Event::StepPassed { grounds } => Some(grounds),
        _ => None,
    });
    assert!(matches!(passed, Some(PassGrounds::Override { .. })));
    assert_eq!((story.phase(), story.weight()), (Phase::Shifting, 2_500));
    story.check();
}

#[test]
fn an_incident_of_both_arms_holds_and_leads_back_if_it_does_not_end() {
    for minutes in [10, 11] {
        let mut story = canary();
        story.does(Command::ReportSharedIncident);
        assert_eq!(paused(&story), Some(PauseCause::SharedIncident));
        story.wait(minutes, true);
        assert_eq!(story.phase() == Phase::RollingBack, minutes > 10);
        story.check();
    }
    let mut story = canary();
    story.does(Command::ReportSharedIncident);
    story.judge(Verdict::Breach);
    assert_eq!(
        story.phase(),
        Phase::RollingBack,
        "a breach is the candidate's own"
    );
}

#[test]
fn arms_that_cannot_be_compared_hold_at_once() {
    let mut story = canary();
    story.confirm();
    story.judge(MISMATCH);
    assert_eq!(
        (story.phase(), paused(&story)),
        (Phase::Baking, Some(PauseCause::SampleRatioMismatch))
    );
    story.wait(40, true);
    assert_eq!(
        story.state().baked_micros().0,
        0,
        "nothing is watched meanwhile"
    );
    resume(&mut story, "olga").unwrap();
    story.wait(30, true);
    assert_eq!(story.phase(), Phase::Judging);
    story.check();
}

#[test]
fn a_plan_may_roll_back_what_is_inconclusive() {
    let mut plan = plan(Strategy::usual_canary());
    plan.limits = Limits {
        extensions_max: 0,
        on_inconclusive: OnInconclusive::RollBack,
        ..Limits::default()
    };
    let mut story = Story::verified(plan);
    story.step(INSUFFICIENT);
    assert_eq!(story.phase(), Phase::RollingBack);
    story.check();
}

#[test]
fn nothing_holds_up_the_way_back() {
    let mut story = canary();
    story.step(Verdict::Clear);
    story.does(Command::Pause);
    story.is_open = false;
    let roll_back = || Command::RollBack {
        reason: reason("complaints"),
    };
    assert_eq!(story.ask("olga", roll_back()), Ok(1));
    for _ in 0..5 {
        assert_eq!(story.ask("olga", roll_back()), Ok(0), "once is enough");
    }
    assert_eq!((story.phase(), paused(&story)), (Phase::RollingBack, None));
    story.judge(Verdict::Clear);
    story.does(Command::Tick { has_data: true });
    assert_eq!(story.weight(), 0);
    story.check();
}

#[test]
fn a_rollback_that_is_stuck_is_not_the_end() {
    let mut story = canary();
    story.judge(Verdict::Breach);
    for _ in 0..6 {
        assert_eq!(story.phase(), Phase::RollingBack);
        story.does(Command::ReportRollbackFailed);
    }
    assert_eq!((story.phase(), story.weight()), (Phase::RollbackStuck, 0));
    let stuck = story.events.clone();
    let repair = |digest| Command::AcknowledgeRepair { digest };
    let refusal = story
        .ask("olga", repair(Digest::from_bytes([9; 32])))
        .unwrap_err();
    assert_eq!(refusal.reason(), "BASELINE_MISMATCH");
    story.ask("olga", repair(baseline_digest())).unwrap();
    assert_eq!(story.phase(), Phase::RolledBack);
    story.check();
    let mut retried = Story::new();
    retried.rollout = Rollout::fold(&stuck).unwrap();
    retried.events = stuck;
    retried.ask("olga", Command::RetryRollback).unwrap();
    assert_eq!(retried.phase(), Phase::RollingBack);
    retried.confirm();
    retried.does(Command::ReportBaselineReady);
    retried.does(Command::ReportBaseline {
        digest: baseline_digest(),
    });
    assert_eq!(retried.phase(), Phase::RolledBack);
    retried.check();
}

#[test]
fn a_freeze_holds_the_next_step_and_broken_glass_does_not_wait() {
    let mut story = canary();
    story.is_open = false;
    story.step(Verdict::Clear);
    assert_eq!((story.phase(), story.weight()), (Phase::Waiting, 500));
    story.wait(60, true);
    assert_eq!(story.phase(), Phase::Waiting);
    story.is_open = true;
    story.does(Command::Tick { has_data: true });
    assert_eq!((story.phase(), story.weight()), (Phase::Shifting, 2_500));
    story.is_open = false;
    let break_glass = Command::BreakGlass {
        reason: reason("the old version leaks"),
        incident: reason("INC-7"),
    };
    story.ask("olga", break_glass).unwrap();
    story.step(Verdict::Clear);
    assert_eq!((story.phase(), story.weight()), (Phase::Shifting, 5_000));
    story.check();
}

#[test]
fn blue_green_mirrors_waits_for_a_gate_and_switches_at_once() {
    let shadow = Some(Shadow {
        sample: Weight::try_from(1_000).unwrap(),
        bake_micros: 1_800_000_000,
    });
    let strategy = Strategy::BlueGreen {
        shadow,
        bake_micros: 1_800_000_000,
    };
    let mut story = Story::verified(plan(strategy));
    let desired = story.state().desired();
    assert_eq!(
        (desired.weight_basis_points, desired.mirror_basis_points),
        (0, 1_000)
    );
    story.step(Verdict::Clear);
    assert_eq!(story.phase(), Phase::Gated);
    story.now += 25 * 60 * MINUTE;
    story.does(Command::Tick { has_data: true });
    assert_eq!(paused(&story), Some(PauseCause::Gate), "time opens no gate");
    let open = || Command::OpenGate {
        comment: "scores agree".parse().unwrap(),
    };
    assert!(story.ask("bea", open()).is_err());
    resume(&mut story, "olga").unwrap();
    assert_eq!(
        story.ask("ada", open()),
        Err(Refusal::FourEyes { role: "author" })
    );
    story.ask("bea", open()).unwrap();
    assert_eq!(story.weight(), 10_000);
    story.step(Verdict::Clear);
    story.wait(30, true);
    assert_eq!(story.phase(), Phase::Succeeded);
    story.check();
}

#[test]
fn after_the_point_of_no_return_it_stands_still() {
    let mut plan = plan(Strategy::usual_canary());
    plan.point_of_no_return = Some(1);
    let mut story = Story::verified(plan);
    story.step(Verdict::Clear);
    story.confirm();
    story.judge(Verdict::Breach);
    assert_eq!(paused(&story), Some(PauseCause::ForwardFixOnly));
    let reason = reason("complaints");
    let refusal = story.ask("olga", Command::RollBack { reason });
    assert_eq!(refusal, Err(Refusal::PastReturn));
    story.now += 48 * 60 * MINUTE;
    story.does(Command::Tick { has_data: true });
    assert_eq!(story.weight(), 2_500);
    story.check();
}

#[test]
fn deadlines_never_promote() {
    let mut story = Story::new();
    let frozen = plan(Strategy::usual_canary());
    let plan = Box::new(frozen.clone());
    story.ask("rita", Command::Propose { plan }).unwrap();
    story.does(Command::Submit {
        observed_baseline: baseline_digest(),
    });
    story.now += 8 * 24 * 60 * MINUTE;
    story.does(Command::Tick { has_data: true });
    assert_eq!(story.phase(), Phase::Expired);
    story.check();
    let mut story = canary();
    story.now += 3 * MINUTE;
    story.does(Command::Tick { has_data: true });
    assert_eq!(paused(&story), Some(PauseCause::TargetUnreachable));
    resume(&mut story, "rita").unwrap();
    assert_eq!(story.phase(), Phase::Shifting, "resuming confirms nothing");
    story.check();
}

#[test]
fn beginnings_are_checked() {
    let frozen = plan(Strategy::usual_canary());
    let mut story = Story::new();
    assert_eq!(story.ask("rita", Command::Pause), Err(Refusal::NotProposed));
    let plan = Box::new(frozen.clone());
    story
        .ask("rita", Command::Propose { plan: plan.clone() })
        .unwrap();
    assert_eq!(
        story.ask("rita", Command::Propose { plan: plan.clone() }),
        Ok(0)
    );
    assert_eq!(
        story.ask("bea", Command::Propose { plan }),
        Err(Refusal::AlreadyProposed)
    );
    let submit = |byte| Command::Submit {
        observed_baseline: Digest::from_bytes([byte; 32]),
    };
    assert!(
        story.ask("rita", submit(9)).is_err(),
        "something else serves"
    );
    story.ask("rita", submit(3)).unwrap();
    let approve = |plan_digest| Command::Approve {
        plan_digest,
        comment: "fine".parse().unwrap(),
    };
    let digest = frozen.digest();
    assert!(story.ask("bea", approve(baseline_digest())).is_err());
    assert!(story.ask("ADA", approve(digest)).is_err());
    assert!(story.ask("rita", approve(digest)).is_err());
    assert!(story.ask("robot", Command::Start { epoch: 1 }).is_err());
    story.ask("bea", approve(digest)).unwrap();
    story.is_open = false;
    let refusal = story.ask("robot", Command::Start { epoch: 1 });
    assert_eq!(refusal, Err(Refusal::WindowClosed));
    let withdrawn = Command::Cancel {
        reason: reason("not needed"),
    };
    story.ask("rita", withdrawn).unwrap();
    assert_eq!(story.phase(), Phase::Cancelled);
    story.check();
}

#[test]
fn a_candidate_that_fails_before_traffic_costs_nothing() {
    let mut story = canary();
    let before_smoke = story.events.len() - 2;
    story.events.truncate(before_smoke);
    story.rollout = Rollout::fold(&story.events).unwrap();
    assert_eq!(story.phase(), Phase::Verifying);
    story.does(Command::ReportSmoke { passed: false });
    assert_eq!((story.phase(), story.weight()), (Phase::RollingBack, 0));
    story.check();
}

#[test]
fn two_rollouts_of_one_service_never_move_together() {
    let (one, other) = (canary(), canary());
    assert!(laws::one_at_a_time([one.state()]));
    assert!(!laws::one_at_a_time([one.state(), other.state()]));
}
