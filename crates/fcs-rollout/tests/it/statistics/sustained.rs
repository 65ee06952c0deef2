//! Thresholds that must be exceeded for a while.

use fcs_core::UnixMicros;
use fcs_rollout::statistics::{
    Absence, Attribution, GuardAction, Needed, Sample, Sustained, SustainedRule, Verdict, Weight,
    guard_action,
};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;
const BAD: Option<Sample> = Some(sample(0.06));
const GOOD: Option<Sample> = Some(sample(0.05));

const fn sample(value: f64) -> Sample {
    Sample {
        value,
        requests: 1_000,
    }
}

fn at(seconds: i64) -> UnixMicros {
    UnixMicros(1_795_385_965 * SECOND + seconds * SECOND)
}

fn watch() -> Sustained {
    Sustained::new(SustainedRule::ERROR_RATE)
}

/// Takes the same value every 15 s from one second to another, and says the last verdict.
fn feed(watch: &mut Sustained, from: i64, to: i64, sample: Option<Sample>) -> Verdict {
    let mut verdict = watch.verdict(at(from));
    for seconds in (from..=to).step_by(15) {
        verdict = watch.observe(at(seconds), sample);
    }
    verdict
}

fn still(seconds: u64) -> Verdict {
    let needed = Needed {
        exceeding_micros_to_breach: Some(seconds * 1_000_000),
        ..Needed::default()
    };
    Verdict::Insufficient { needed }
}

fn no_data(reason: Absence) -> Verdict {
    Verdict::NoData { reason }
}

#[test]
fn the_rules_of_the_deployment_strategy() {
    for (rule, threshold, minutes) in [
        (SustainedRule::ERROR_RATE, 0.05, 5),
        (SustainedRule::SLOW_SHARE, 0.01, 5),
        (SustainedRule::P99_S, 2.0, 5),
        (SustainedRule::MEMORY, 0.9, 10),
    ] {
        let mut watch = Sustained::new(rule);
        let above = Some(sample(threshold + 1e-9));
        let end = minutes * 60;
        assert_eq!(feed(&mut watch, 0, end - 15, above), still(15));
        assert_eq!(watch.observe(at(end), above), Verdict::Breach);
        let mut watch = Sustained::new(rule);
        assert_eq!(
            feed(&mut watch, 0, 7_200, Some(sample(threshold))),
            Verdict::Clear
        );
    }
}

#[test]
fn one_healthy_value_begins_it_anew() {
    let mut watch = watch();
    assert_eq!(feed(&mut watch, 0, 285, BAD), still(15));
    assert_eq!(watch.observe(at(300), GOOD), Verdict::Clear);
    assert_eq!(watch.observe(at(315), BAD), still(300));
    assert_eq!(feed(&mut watch, 330, 600, BAD), still(15));
    assert_eq!(watch.observe(at(615), BAD), Verdict::Breach);
}

#[test]
fn what_is_missing_is_neither_healthy_nor_exceeding() {
    for (odd, reason) in [
        (None, Absence::Missing),
        (Some(sample(f64::NAN)), Absence::NotANumber),
        (Some(sample(f64::INFINITY)), Absence::NotANumber),
        (
            Some(Sample {
                value: 1.0,
                requests: 19,
            }),
            Absence::TooFewRequests,
        ),
        (
            Some(Sample {
                value: 0.0,
                requests: 0,
            }),
            Absence::TooFewRequests,
        ),
    ] {
        let mut watch = watch();
        assert_eq!(watch.observe(at(0), odd), no_data(reason), "from the start");
        assert_eq!(feed(&mut watch, 15, 165, BAD), still(150));
        assert_eq!(feed(&mut watch, 180, 3_600, odd), no_data(reason));
        // At most half a minute of the gap counts, and what was before is kept.
        assert_eq!(watch.observe(at(3_615), BAD), still(120));
        assert_eq!(watch.observe(at(3_630), GOOD), Verdict::Clear);
        assert_eq!(
            watch.observe(at(3_645), odd),
            no_data(reason),
            "after good news"
        );
    }
}

#[test]
fn old_values_say_nothing() {
    let mut watch = watch();
    assert_eq!(watch.verdict(at(0)), no_data(Absence::Missing));
    watch.observe(at(0), GOOD);
    assert_eq!(watch.verdict(at(120)), Verdict::Clear);
    assert_eq!(watch.verdict(at(121)), no_data(Absence::Stale));
    watch.observe(at(200), BAD);
    assert_eq!(watch.verdict(at(321)), no_data(Absence::Stale));
}

#[test]
fn a_breach_stays_until_a_healthy_value() {
    let mut watch = watch();
    assert_eq!(feed(&mut watch, 0, 300, BAD), Verdict::Breach);
    assert_eq!(watch.observe(at(315), None), Verdict::Breach);
    assert_eq!(watch.verdict(at(9_999)), Verdict::Breach);
    assert_eq!(watch.observe(at(10_000), GOOD), Verdict::Clear);
}

#[test]
fn a_clock_that_goes_backwards_neither_breaks_nor_hastens_it() {
    let mut watch = watch();
    feed(&mut watch, 0, 150, BAD);
    assert_eq!(watch.observe(at(-9_000), BAD), still(150));
    assert_eq!(watch.observe(at(151), BAD), still(149));
    let extreme = watch.observe(UnixMicros(i64::MAX), BAD);
    assert_eq!(extreme, still(119));
    watch.observe(UnixMicros(i64::MIN), BAD);
}

#[test]
fn a_threshold_that_is_no_number_judges_nothing() {
    let rule = SustainedRule {
        threshold: f64::NAN,
        ..SustainedRule::ERROR_RATE
    };
    let verdict = Sustained::new(rule).observe(at(0), GOOD);
    assert_eq!(verdict, no_data(Absence::NotANumber));
}

#[test]
fn a_threshold_that_both_arms_exceed_is_not_the_candidates() {
    use GuardAction::{Continue, Hold, RollBack};
    let stale = no_data(Absence::Stale);
    for (candidate, stable, alone, any) in [
        (Verdict::Breach, Verdict::Clear, RollBack, RollBack),
        (Verdict::Breach, Verdict::Breach, Hold, RollBack),
        (Verdict::Breach, still(200), Hold, RollBack),
        (Verdict::Breach, stale, RollBack, RollBack),
        (still(15), Verdict::Breach, Continue, Continue),
        (Verdict::Clear, Verdict::Breach, Continue, Continue),
        (stale, Verdict::Breach, Continue, Continue),
    ] {
        let action = |weight, attribution| guard_action(candidate, stable, weight, attribution);
        let small = Weight::try_from(500).unwrap();
        assert_eq!(action(small, Attribution::Candidate), alone);
        assert_eq!(action(small, Attribution::Any), any);
        assert_eq!(action(Weight::WHOLE, Attribution::Candidate), any);
    }
}

#[test]
fn its_state_can_be_stored() {
    let mut watch = watch();
    feed(&mut watch, 0, 150, BAD);
    let text = serde_json::to_string(&watch).unwrap();
    assert_eq!(serde_json::from_str::<Sustained>(&text).unwrap(), watch);
}

proptest! {
    /// No breach unless the values that exceed span the time, by their own times.
    #[test]
    fn no_breach_without_the_time(
        steps in prop::collection::vec((0..90_i64, prop::sample::select(vec![0_u8, 1, 1, 1, 1, 2])), 1..80),
    ) {
        let mut watch = watch();
        let (mut now, mut since) = (0, None);
        for (passed, kind) in steps {
            now += passed;
            let sample = match kind { 0 => GOOD, 1 => BAD, _ => None };
            match kind {
                0 => since = None,
                1 => since = since.or(Some(now)),
                _ => {}
            }
            let verdict = watch.observe(at(now), sample);
            if verdict == Verdict::Breach {
                prop_assert!(since.is_some_and(|since| now - since >= 300));
            }
            if verdict == Verdict::Clear {
                prop_assert!(kind == 0);
            }
        }
    }
}
