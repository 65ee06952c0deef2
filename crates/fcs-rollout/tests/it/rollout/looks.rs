//! What follows from what is seen at one look: tests of several metrics, guards, alarms, and data that is missing.

use fcs_core::UnixMicros;
use fcs_rollout::rollout::{
    Analysis, BiasAlarm, BiasAlarms, Command, Event, GuardSamples, PauseCause, Phase, Plan,
    RollbackCause, Samples, Seen, Strategy, assess, judged,
};
use fcs_rollout::statistics::{
    Absence, Arms, Buckets, Counts, Latencies, Sample, Tally, Verdict, Weight,
};
use proptest::prelude::{
    Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Strategy as ProptestStrategy;

use super::{MINUTE, Story, plan};

const SECOND: i64 = 1_000_000;

fn usual() -> Plan {
    Plan {
        analysis: Analysis::default(),
        ..plan(Strategy::usual_canary())
    }
}

fn weight(basis_points: u32) -> Weight {
    basis_points.try_into().unwrap()
}

/// A rollout whose first step is watched.
fn baking() -> Story {
    let mut story = Story::verified(usual());
    story.confirm();
    story
}

fn counts(weight: Weight, candidate: (u64, u64), stable: (u64, u64)) -> Counts {
    let tally = |(requests, bad)| Tally::new(requests, bad).unwrap();
    let mut counts = Counts::default();
    let (candidate, stable) = (tally(candidate), tally(stable));
    counts.add(weight, Arms { candidate, stable });
    counts
}

/// A candidate at 5 % that is as good as can be.
fn healthy() -> Seen {
    let good = counts(weight(500), (3_000, 0), (57_000, 0));
    Seen {
        counts: vec![good.clone(), good],
        latencies: None,
        guards: vec![GuardSamples::default(); 4],
        alarms: Some(BiasAlarms::default()),
        is_fresh: true,
    }
}

/// A value every 15 s for some minutes, until now.
fn samples(now: i64, minutes: i64, value: f64) -> Samples {
    (0..=minutes * 4)
        .map(|step| {
            let at = UnixMicros(now - (minutes * 4 - step) * 15 * SECOND);
            let requests = 1_000;
            (at, Some(Sample { value, requests }))
        })
        .collect()
}

fn alarm(attribute: &str, group: &str) -> BiasAlarm {
    BiasAlarm {
        attribute: attribute.to_owned(),
        group: group.to_owned(),
        baseline: None,
    }
}

impl Story {
    /// Looks, and tells the machine what follows.
    fn look(&mut self, seen: &Seen, weight: Weight) {
        let now = UnixMicros(self.now);
        for command in assess(self.state(), seen, weight, now) {
            self.does(command);
        }
    }

    fn cause(&self) -> Option<PauseCause> {
        self.state().pause().map(|pause| pause.cause)
    }

    fn rolled_back_by(&self) -> String {
        let mut causes = self.events.iter().filter_map(|it| match &it.event {
            Event::RollbackStarted { cause, .. } => Some(cause),
            _ => None,
        });
        match causes.next_back() {
            Some(RollbackCause::Guard { reason }) => reason.to_string(),
            other => format!("{other:?}"),
        }
    }
}

/// One guard with the values of both arms for 11 minutes.
fn guarded(position: usize, now: i64, candidate: f64, stable: f64) -> Seen {
    let mut seen = healthy();
    seen.guards[position] = GuardSamples {
        candidate: samples(now, 11, candidate),
        stable: samples(now, 11, stable),
    };
    seen
}

#[test]
fn a_healthy_candidate_is_promoted_through_looks_alone() {
    let mut story = baking();
    for basis_points in [500, 2_500, 5_000, 10_000] {
        let weight = weight(basis_points);
        let share = |requests: u64| requests * u64::from(basis_points) / 10_000;
        let good = counts(weight, (share(100_000), 0), (100_000 - share(100_000), 0));
        let seen = Seen {
            counts: vec![good.clone(), good],
            ..healthy()
        };
        while matches!(story.phase(), Phase::Baking | Phase::Judging) {
            story.now += 15 * SECOND;
            story.look(&seen, weight);
        }
        if story.phase() == Phase::Shifting {
            story.confirm();
        }
    }
    assert_eq!(story.phase(), Phase::Finalizing);
    story.check();
}

#[test]
fn every_metric_must_be_clear_and_one_breach_is_enough() {
    let analysis = Analysis::default();
    let of = |seen: &Seen| {
        let (verdict, name) = judged(&analysis, seen, weight(500));
        (verdict, name.map(String::from))
    };
    assert_eq!(of(&healthy()).0, Verdict::Clear);
    let mut slow = healthy();
    slow.counts[1] = counts(weight(500), (3_000, 60), (57_000, 57));
    assert_eq!(of(&slow), (Verdict::Breach, Some("slow".to_owned())));
    let mut early = healthy();
    early.counts[1] = counts(weight(500), (30, 0), (570, 0));
    assert!(matches!(of(&early).0, Verdict::Insufficient { .. }));
    let mut partly = healthy();
    partly.counts.pop();
    assert!(
        matches!(of(&partly).0, Verdict::NoData { .. }),
        "half of it is none"
    );
    let mut leaking = healthy();
    leaking.counts = vec![counts(weight(500), (9_000, 0), (51_000, 0)); 2];
    let reason = Absence::SampleRatioMismatch;
    assert_eq!(of(&leaking).0, Verdict::NoData { reason });
}

#[test]
fn a_shift_of_the_whole_distribution_is_a_breach() {
    let mut seen = healthy();
    let buckets = |slow: u64| {
        let mut latencies = Latencies::new(vec![0.1, 0.25, 1.0]).unwrap();
        let buckets = Buckets {
            candidate: vec![3_000 - slow, slow, 0, 0],
            stable: vec![56_500, 500, 0, 0],
        };
        latencies.add(weight(500), &buckets).unwrap();
        Some(latencies)
    };
    let of = |seen: &Seen| judged(&Analysis::default(), seen, weight(500)).0;
    seen.latencies = buckets(26);
    assert_eq!(of(&seen), Verdict::Clear);
    seen.latencies = buckets(900);
    assert_eq!(of(&seen), Verdict::Breach);
}

/// Errors, slowness, memory and drift, each held against the candidate, and what both arms share.
#[test]
fn guards_follow_the_table_of_attributions() {
    for (position, bad, name, when_shared) in [
        (0, 0.2, "error_rate", Some(PauseCause::SharedIncident)),
        (1, 0.02, "slow_share", Some(PauseCause::SharedIncident)),
        (2, 0.95, "memory", None),
        (3, 0.3, "drift", Some(PauseCause::Population)),
    ] {
        let mut story = baking();
        story.now += 12 * MINUTE;
        story.look(&guarded(position, story.now, bad, 0.0), weight(500));
        assert_eq!(story.phase(), Phase::RollingBack, "{name}");
        assert!(story.rolled_back_by().starts_with(name));
        story.check();
        let mut story = baking();
        story.now += 12 * MINUTE;
        story.look(&guarded(position, story.now, bad, bad), weight(500));
        assert_eq!(story.cause(), when_shared, "{name}");
        let goes_back = when_shared.is_none();
        assert_eq!(story.phase() == Phase::RollingBack, goes_back, "{name}");
        let mut story = baking();
        story.now += 12 * MINUTE;
        story.look(&guarded(position, story.now, 0.0, bad), weight(500));
        assert_eq!(
            (story.phase(), story.cause()),
            (Phase::Baking, None),
            "{name}"
        );
        story.check();
    }
}

#[test]
fn with_all_of_the_traffic_an_incident_leads_back_and_drift_of_both_does_not() {
    for (position, goes_back) in [(0, true), (3, false)] {
        let mut story = baking();
        story.now += 12 * MINUTE;
        story.look(&guarded(position, story.now, 0.3, 0.3), Weight::WHOLE);
        assert_eq!(story.phase() == Phase::RollingBack, goes_back);
        let pause = (!goes_back).then_some(PauseCause::Population);
        assert_eq!(story.cause(), pause);
    }
}

#[test]
fn an_incident_that_ends_in_time_is_over_and_one_that_does_not_leads_back() {
    for (minutes, ends) in [(8, true), (11, false)] {
        let mut story = baking();
        story.now += 12 * MINUTE;
        story.look(&guarded(0, story.now, 0.3, 0.3), weight(500));
        for _ in 0..minutes {
            story.now += MINUTE;
            story.look(&guarded(0, story.now, 0.3, 0.3), weight(500));
        }
        story.now += MINUTE / 4;
        story.look(&guarded(0, story.now, 0.0, 0.0), weight(500));
        let expected = if ends {
            Phase::Baking
        } else {
            Phase::RollingBack
        };
        assert_eq!((story.phase(), story.cause()), (expected, None));
        story.check();
    }
}

#[test]
fn an_alarm_leads_back_at_once_if_it_is_the_candidates_own() {
    let alarmed = |candidate: &[BiasAlarm], stable: &[BiasAlarm]| Seen {
        alarms: Some(BiasAlarms {
            candidate: candidate.to_vec(),
            stable: stable.to_vec(),
        }),
        ..healthy()
    };
    let (black, women) = (alarm("race", "black"), alarm("sex", "female"));
    let mut story = baking();
    story.look(&alarmed(&[], std::slice::from_ref(&black)), weight(500));
    assert_eq!((story.phase(), story.cause()), (Phase::Baking, None));
    let both = alarmed(std::slice::from_ref(&black), std::slice::from_ref(&black));
    story.look(&both, weight(500));
    assert_eq!(story.cause(), Some(PauseCause::Population));
    let reason = "known of the population".parse().unwrap();
    story.ask("otto", Command::Resume { reason }).unwrap();
    story.look(&both, weight(500));
    assert_eq!(story.cause(), None, "somebody has said that it may go on");
    story.look(&alarmed(&[black.clone(), women], &[black]), weight(500));
    assert_eq!(story.phase(), Phase::RollingBack);
    let told = story.rolled_back_by();
    assert!(told.contains("sex") && !told.contains("female"), "{told}");
    story.check();
}

#[test]
fn a_gap_that_the_candidate_widens_is_its_own_whatever_else_is_known_of_the_group() {
    let black = alarm("race", "black");
    let against = |model: &str| BiasAlarm {
        baseline: Some(model.parse().unwrap()),
        ..black.clone()
    };
    let mut story = baking();
    let stable = story.state().plan().baseline.model.to_string();
    let seen = |alarm: BiasAlarm| Seen {
        alarms: Some(BiasAlarms {
            candidate: vec![alarm],
            stable: vec![black.clone(), against("another/1")],
        }),
        ..healthy()
    };
    story.look(&seen(against("another/1")), weight(500));
    assert_eq!((story.phase(), story.cause()), (Phase::Baking, None));
    story.look(&seen(against(&stable)), weight(500));
    assert_eq!(story.phase(), Phase::RollingBack);
    story.check();
}

#[test]
fn without_fresh_data_or_without_the_bias_monitor_nothing_is_promoted() {
    for missing in ["metrics", "monitor"] {
        let mut story = baking();
        let mut seen = healthy();
        match missing {
            "metrics" => seen.is_fresh = false,
            _ => seen.alarms = None,
        }
        for _ in 0..500 {
            story.now += 15 * SECOND;
            story.look(&seen, weight(500));
        }
        assert_eq!(story.phase(), Phase::Baking, "{missing}");
        assert_eq!(story.state().baked_micros().0, 0);
        assert_eq!(story.cause(), Some(PauseCause::AnalysisError));
        story.check();
    }
}

#[test]
fn a_step_that_was_watched_does_not_pass_on_old_data() {
    let mut story = baking();
    story.wait(30, true);
    assert_eq!(story.phase(), Phase::Judging);
    let old = Seen {
        is_fresh: false,
        ..healthy()
    };
    for _ in 0..10 {
        story.now += 15 * SECOND;
        story.look(&old, weight(500));
    }
    assert_eq!(
        (story.phase(), story.cause()),
        (Phase::Judging, Some(PauseCause::AnalysisError))
    );
    story.check();
}

fn values() -> impl ProptestStrategy<Value = Samples> {
    let value = prop_oneof![
        3 => Just(Some(0.0)), 3 => Just(Some(0.5)), 1 => Just(Some(f64::NAN)), 1 => Just(None)
    ];
    prop::collection::vec((0..60_i64, value), 0..80).prop_map(|steps| {
        let mut now = 0;
        let sample = |(seconds, value): (i64, Option<f64>)| {
            now += seconds * SECOND;
            let requests = 1_000;
            (
                UnixMicros(now),
                value.map(|value| Sample { value, requests }),
            )
        };
        steps.into_iter().map(sample).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the guards show, the laws hold, and nothing is promoted by a look without data.
    #[test]
    fn looks_keep_the_laws(
        looks in prop::collection::vec((0..4_usize, values(), values(), any::<bool>(), any::<bool>(), 1..90_i64), 1..60),
    ) {
        let mut story = baking();
        for (position, candidate, stable, is_fresh, has_alarms, seconds) in looks {
            story.now += seconds * SECOND;
            let mut seen = Seen { is_fresh, ..healthy() };
            seen.guards[position] = GuardSamples { candidate, stable };
            if !has_alarms {
                seen.alarms = None;
            }
            let passed = |story: &Story| story.events.iter().filter(|it| it.event.kind() == "step_passed").count();
            let before = passed(&story);
            if story.phase() == Phase::Shifting {
                story.confirm();
            }
            story.look(&seen, weight(500));
            prop_assert!((is_fresh && has_alarms) || passed(&story) == before);
        }
        story.check();
    }

    /// A missing value neither helps nor harms: guards decide the same with gaps put in that are no longer than the
    /// rule tolerates.
    #[test]
    fn a_gap_changes_no_guard(values in values(), at in 0..80_usize) {
        let analysis = Analysis::default();
        let mut gapped = values.clone();
        let Some((time, _)) = values.get(at.min(values.len().saturating_sub(1))).copied() else {
            return Ok(());
        };
        gapped.insert(at.min(values.len() - 1), (time, None));
        let now = values.last().map_or(UnixMicros(0), |last| last.0);
        let action = |candidate: &Samples| {
            let (candidate, stable) = (candidate.clone(), Samples::default());
            analysis.guards[0].action(&GuardSamples { candidate, stable }, weight(500), now)
        };
        prop_assert_eq!(action(&gapped), action(&values));
    }
}
