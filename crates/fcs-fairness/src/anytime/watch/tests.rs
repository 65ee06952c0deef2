use super::*;
use fcs_core::Probability;

use crate::anytime::weighted::Memberships;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_S: u32 = 86_400;

fn rules() -> Rules {
    Rules {
        alpha: Alpha::try_from(0.05).unwrap(),
        multiplicity: Multiplicity::EBh,
        feed_stale_after_s: 3_600,
        side_stale_after_s: DAY_S,
        clear_valid_for_s: 30 * DAY_S,
        run_length_blocks: 10_000,
        policy: Digest::from_bytes([7; 32]),
    }
}

fn ratio() -> RatioWatch {
    RatioWatch::ratio(Floor::try_from(0.8).unwrap(), Starts::Lifetime)
}

/// Four decisions of the reference group, all but one approved, for each one of the group; one second apart.
fn feed(
    watch: &mut RatioWatch,
    from: UnixMicros,
    rounds: u32,
    group_approved: impl Fn(u32) -> bool,
) -> UnixMicros {
    let mut at = from;
    for round in 0..rounds {
        for place in 0..4_u32 {
            watch.record(Side::Reference, !(place + round).is_multiple_of(4), at);
            at = UnixMicros(at.0 + 1_000_000);
        }
        watch.record(Side::Group, group_approved(round), at);
        at = UnixMicros(at.0 + 1_000_000);
    }
    at
}

fn look_at(watch: &mut RatioWatch, now: UnixMicros) -> Judgement {
    look(&mut [watch.question(30)], &rules(), now).remove(0)
}

#[test]
fn nothing_seen_is_a_missing_reference_and_no_clearance() {
    let judgement = look_at(&mut ratio(), UnixMicros(0));
    assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
    assert_eq!(judgement.grounds, Grounds::MissingReference);
    assert_eq!(judgement.more_decisions, Some(30));
    assert_eq!(judgement.policy, rules().policy);
}

#[test]
fn a_missing_side_is_never_cleared() {
    for (side, grounds) in [
        (Side::Reference, Grounds::MissingGroup),
        (Side::Group, Grounds::MissingReference),
    ] {
        let mut watch = ratio();
        for number in 0..50_000 {
            watch.record(side, true, UnixMicros(number));
            let judgement = look_at(&mut watch, UnixMicros(number));
            assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
            assert_eq!(judgement.grounds, grounds);
        }
    }
}

#[test]
fn too_few_decisions_give_no_verdict_however_clear_they_are() {
    let mut watch = ratio();
    let now = feed(&mut watch, UnixMicros(0), 29, |_| false);
    let judgement = look_at(&mut watch, now);
    assert!(
        judgement.breach_ln_e.reaches(rules().alpha.bar()),
        "shown by the numbers"
    );
    assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
    assert_eq!(judgement.grounds, Grounds::TooFewDecisions);
    assert_eq!(judgement.more_decisions, Some(5));
    let now = feed(&mut watch, now, 1, |_| false);
    assert_eq!(look_at(&mut watch, now).verdict, Verdict::Breach);
}

#[test]
fn a_stopped_feed_is_stale_and_not_clear() {
    let mut watch = ratio();
    let mut now = feed(&mut watch, UnixMicros(0), 400, |_| true);
    assert_eq!(look_at(&mut watch, now).verdict, Verdict::Clear);
    now = UnixMicros(now.0 + HOUR_MICROS + 1);
    let judgement = look_at(&mut watch, now);
    assert_eq!(judgement.verdict, Verdict::Stale);
    assert_eq!(judgement.silent, Some(Silent::Feed));
    let now = feed(&mut watch, now, 1, |_| true);
    assert_eq!(
        look_at(&mut watch, now).verdict,
        Verdict::Clear,
        "it goes on"
    );
}

#[test]
fn one_side_that_stops_is_stale_while_the_other_goes_on() {
    let mut watch = ratio();
    let now = feed(&mut watch, UnixMicros(0), 400, |_| true);
    assert_eq!(look_at(&mut watch, now).verdict, Verdict::Clear);
    for hour in 0..24 {
        watch.record(
            Side::Reference,
            true,
            UnixMicros(now.0 + hour * HOUR_MICROS),
        );
    }
    let later = UnixMicros(now.0 + 24 * HOUR_MICROS + 1);
    watch.record(Side::Reference, true, later);
    let judgement = look_at(&mut watch, later);
    assert_eq!(judgement.verdict, Verdict::Stale);
    assert_eq!(judgement.silent, Some(Silent::Group));
}

#[test]
fn a_clearance_expires() {
    let mut watch = ratio();
    let now = feed(&mut watch, UnixMicros(0), 400, |_| true);
    look_at(&mut watch, now);
    let later = UnixMicros(now.0 + 30 * 24 * HOUR_MICROS + 1_000_000);
    let now = feed(&mut watch, later, 2, |_| true);
    let judgement = look_at(&mut watch, now);
    assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
    assert_eq!(judgement.grounds, Grounds::ClearanceExpired);
    assert!(judgement.more_decisions.is_some());
    let now = feed(&mut watch, now, 400, |_| true);
    assert_eq!(
        look_at(&mut watch, now).verdict,
        Verdict::Clear,
        "renewed by new decisions"
    );
}

#[test]
fn a_breach_outlasts_silence_and_ends_with_a_clearance_from_later_decisions() {
    let mut watch = ratio();
    let now = feed(&mut watch, UnixMicros(0), 200, |_| false);
    let judgement = look_at(&mut watch, now);
    assert_eq!(
        (judgement.verdict, judgement.grounds),
        (Verdict::Breach, Grounds::Shown)
    );
    assert_eq!(
        judgement.blocks, 0,
        "the next answer comes from new decisions"
    );
    let later = UnixMicros(now.0 + 48 * HOUR_MICROS);
    let judgement = look_at(&mut watch, later);
    assert_eq!(judgement.verdict, Verdict::Breach);
    assert_eq!(judgement.silent, Some(Silent::Feed));
    let now = feed(&mut watch, later, 400, |_| true);
    assert_eq!(look_at(&mut watch, now).verdict, Verdict::Clear);
}

#[test]
fn a_change_after_a_clearance_is_found() {
    for starts in [Starts::Lifetime, Starts::EveryBlock] {
        let mut watch = RatioWatch::ratio(Floor::try_from(0.8).unwrap(), starts);
        let now = feed(&mut watch, UnixMicros(0), 2_000, |_| true);
        assert_eq!(look_at(&mut watch, now).verdict, Verdict::Clear);
        let now = feed(&mut watch, now, 100, |round| round.is_multiple_of(4));
        let judgement = look_at(&mut watch, now);
        assert_eq!(judgement.verdict, Verdict::Breach, "{starts:?}");
        let grounds = match starts {
            Starts::Lifetime => Grounds::Shown,
            Starts::EveryBlock => Grounds::ShownByRunLength,
        };
        assert_eq!(judgement.grounds, grounds);
    }
}

#[test]
fn more_questions_raise_the_bar() {
    let mut alone = ratio();
    let mut crowd: Vec<RatioWatch> = (0..40).map(|_| ratio()).collect();
    let mut found_alone = None;
    let mut found_in_crowd = None;
    let mut now = UnixMicros(0);
    for round in 0..300 {
        let next = feed(&mut alone, now, 1, |_| round % 4 == 0);
        feed(&mut crowd[0], now, 1, |_| round % 4 == 0);
        now = next;
        let verdict = look_at(&mut alone, now).verdict;
        let mut questions: Vec<_> = crowd.iter_mut().map(|watch| watch.question(30)).collect();
        let judgements = look(&mut questions, &rules(), now);
        if verdict == Verdict::Breach && found_alone.is_none() {
            found_alone = Some(round);
        }
        if judgements[0].verdict == Verdict::Breach && found_in_crowd.is_none() {
            found_in_crowd = Some(round);
        }
    }
    assert!(found_alone.unwrap() < found_in_crowd.unwrap());
}

#[test]
fn a_proxy_can_show_a_breach_and_never_clears() {
    let mut watch = WeightedWatch::weighted(Floor::try_from(0.8).unwrap(), Starts::Lifetime);
    let member = |group: f64, approved| {
        let memberships = Memberships {
            reference: Probability::try_from(1.0 - group).unwrap(),
            group: Probability::try_from(group).unwrap(),
        };
        Member::new(memberships, approved).unwrap()
    };
    for second in 0..4_000 {
        let group = if second % 2 == 0 { 0.9 } else { 0.1 };
        watch.record(member(group, true), UnixMicros(second * 1_000_000));
    }
    let now = UnixMicros(4_000_000_000);
    let judgement = look(&mut [watch.question(30)], &rules(), now).remove(0);
    assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
    assert_eq!(
        (judgement.clear_ln_e, judgement.group_decisions),
        (None, 2_000)
    );
    for second in 4_000..4_600 {
        let group = if second % 2 == 0 { 0.9 } else { 0.1 };
        watch.record(
            member(group, second % 2 == 1),
            UnixMicros(second * 1_000_000),
        );
    }
    let now = UnixMicros(4_600_000_000);
    let judgement = look(&mut [watch.question(30)], &rules(), now).remove(0);
    assert_eq!(judgement.verdict, Verdict::Breach);
}

#[test]
fn a_stored_state_goes_on_bit_for_bit() {
    let mut whole = ratio();
    let mut stored = ratio();
    let mut now = UnixMicros(0);
    for round in 0..300_u32 {
        let next = feed(&mut whole, now, 1, |_| !round.is_multiple_of(3));
        feed(&mut stored, now, 1, |_| !round.is_multiple_of(3));
        now = next;
        let text = serde_json::to_string(&stored).unwrap();
        stored = serde_json::from_str(&text).unwrap();
        assert_eq!(look_at(&mut whole, now), look_at(&mut stored, now));
    }
    assert_eq!(
        serde_json::to_string(&whole).unwrap(),
        serde_json::to_string(&stored).unwrap()
    );
}

/// Both versions decide; the new one turns down every tenth of the group more.
#[test]
fn a_gate_closes_on_a_wider_gap_and_opens_on_an_equal_one() {
    for (turns_down, expected) in [(true, Verdict::Breach), (false, Verdict::Clear)] {
        let mut watch = PairedWatch::paired(Tolerance::try_from(0.02).unwrap(), Starts::Lifetime);
        let mut verdict = Verdict::InsufficientEvidence;
        for number in 0..4_000_i64 {
            let side = if number % 5 == 0 {
                Side::Group
            } else {
                Side::Reference
            };
            let lost = turns_down && side == Side::Group && number % 50 == 0;
            let decision = PairedDecision {
                side,
                stable_approved: true,
                new_approved: !lost,
            };
            let now = UnixMicros(number * 1_000_000);
            watch.record(decision, now);
            verdict = look(&mut [watch.question(30)], &rules(), now)
                .remove(0)
                .verdict;
        }
        assert_eq!(verdict, expected, "{turns_down}");
    }
}

#[test]
fn a_small_live_share_stays_undecided_where_a_shadow_is_not() {
    let mut watch = SplitWatch::split(Tolerance::try_from(0.02).unwrap(), Starts::Lifetime);
    for number in 0..4_000_u32 {
        let side = if number.is_multiple_of(5) {
            Side::Group
        } else {
            Side::Reference
        };
        let arm = if number % 21 == 0 {
            Arm::New
        } else {
            Arm::Stable
        };
        let approved = !(arm == Arm::New && side == Side::Group && number.is_multiple_of(1_050));
        watch.record(
            arm,
            side,
            approved,
            UnixMicros(i64::from(number) * 1_000_000),
        );
    }
    let now = UnixMicros(4_000_000_000);
    let judgement = look(&mut [watch.question(30)], &rules(), now).remove(0);
    assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
    assert!(judgement.more_decisions.is_some_and(|more| more > 0));
    assert!(
        judgement.group_decisions < 50,
        "only the new version's count"
    );
}
