//! What the alarms promise, on seeded streams. The tests named `long_…` repeat it at full size:
//!
//! ```text
//! cargo test -p fcs-fairness --test it evidence -- --ignored --nocapture
//! ```

use fcs_core::Digest;
use fcs_fairness::anytime::multiple::Multiplicity;
use fcs_fairness::anytime::ratio::{RatioBlocks, Side};
use fcs_fairness::anytime::watch::{RatioWatch, Rules, Verdict, look};
use fcs_fairness::anytime::weighted::{Member, Memberships, WeightedBlocks};
use fcs_fairness::anytime::{ChangeDetector, EValue, Starts};

use crate::streams::{
    FirstAlarms, Market, Path, Random, Shadow, accepted_share, alpha, first_alarms, floor, median,
    ratio_alarms, second, shadow_alarms, share,
};

const NULL_STREAMS: u64 = 2_000;

fn steady(ratio: f64, decisions: u32) -> Market {
    Market {
        reference_rate: Path::constant(0.8),
        ratio: Path::constant(ratio),
        group_share: Path::constant(0.2),
        decisions,
    }
}

/// The ratio is exactly the floor at every moment.
fn null_markets(decisions: u32) -> [(&'static str, Market); 4] {
    let steady = steady(0.8, decisions);
    let falling = Path {
        from: 0.95,
        to: 0.45,
    };
    [
        ("steady", steady),
        (
            "rare group",
            Market {
                group_share: Path::constant(0.05),
                ..steady
            },
        ),
        (
            "falling approval",
            Market {
                reference_rate: falling,
                ..steady
            },
        ),
        (
            "falling approval and growing group",
            Market {
                reference_rate: falling,
                group_share: Path {
                    from: 0.05,
                    to: 0.5,
                },
                ..steady
            },
        ),
    ]
}

fn run(streams: u64, stream: impl Fn(u64) -> FirstAlarms) -> (Vec<Option<u32>>, Vec<Option<u32>>) {
    let alarms: Vec<FirstAlarms> = (0..streams).map(stream).collect();
    let of = |kind: fn(&FirstAlarms) -> Option<u32>| alarms.iter().map(kind).collect();
    (of(|alarms| alarms.lasting), of(|alarms| alarms.lifetime))
}

fn assert_null(name: &str, streams: u64, stream: impl Fn(u64) -> FirstAlarms) {
    let (lasting, lifetime) = run(streams, stream);
    let (lasting, lifetime) = (share(&lasting), share(&lifetime));
    eprintln!("null, {name}: lasting {lasting:.4}, at any time {lifetime:.4} of {streams} streams");
    let most = accepted_share(streams);
    assert!(lasting <= most, "{name}: {lasting} > {most}");
    assert!(lifetime <= most, "{name}: {lifetime} > {most}");
}

fn assert_found(name: &str, streams: u64, most: u32, stream: impl Fn(u64) -> FirstAlarms) {
    let (lasting, lifetime) = run(streams, stream);
    let (lasting, lifetime) = (median(&lasting), median(&lifetime));
    eprintln!("found, {name}: median {lasting} lasting, {lifetime} at any time");
    assert!(lasting <= most, "{name}: {lasting} > {most}");
    assert!(lifetime <= most, "{name}: {lifetime} > {most}");
}

#[test]
fn at_the_floor_at_most_five_percent_of_streams_ever_alarm() {
    for (name, market) in null_markets(2_500) {
        assert_null(name, NULL_STREAMS, |seed| ratio_alarms(&market, seed));
    }
}

#[test]
fn a_ratio_of_three_fifths_is_found_in_450_decisions() {
    let market = steady(0.6, 20_000);
    assert_found("ratio 0.6, share 0.2", 401, 450, |seed| {
        ratio_alarms(&market, seed)
    });
}

fn shadow(widening: f64, noise: f64, applications: u32) -> Shadow {
    Shadow {
        widening,
        noise,
        group_share: 0.2,
        applications,
    }
}

#[test]
fn a_shadow_finds_a_wider_gap_in_1500_applications() {
    for noise in [0.0, 0.02] {
        let shadow = shadow(0.08, noise, 20_000);
        let name = format!(
            "gap +0.08, versions differ by chance on {:.0} %",
            200.0 * noise
        );
        assert_found(&name, 401, 1_500, |seed| shadow_alarms(&shadow, seed));
    }
}

#[test]
fn a_gap_within_the_tolerance_is_hardly_ever_held_against_a_version() {
    let shadow = shadow(0.02, 0.02, 2_500);
    assert_null("gap +0.02", NULL_STREAMS, |seed| {
        shadow_alarms(&shadow, seed)
    });
}

/// Membership is a probability; approval depends on it so that the weighted ratio is the floor.
fn weighted_alarms(decisions: u32, seed: u64) -> FirstAlarms {
    let mut random = Random::seeded(seed);
    let mut blocks = WeightedBlocks::new(floor());
    first_alarms(decisions, |_| {
        // Probabilities 0.1 and 0.9, as often: the group's weighted rate is (0.1 x + 0.9 y), the
        // reference group's (0.9 x + 0.1 y); x = 0.9 and y = 0.675 makes the ratio 0.8.
        let (group, rate) = if random.chance(0.5) {
            (0.1, 0.9)
        } else {
            (0.9, RATE_OF_LIKELY)
        };
        let memberships = Memberships {
            reference: (1.0 - group).try_into().unwrap(),
            group: group.try_into().unwrap(),
        };
        blocks.add(Member::new(memberships, random.chance(rate)).unwrap())
    })
}

/// Solves `0.1 · 0.9 + 0.9 y = 0.8 (0.9 · 0.9 + 0.1 y)`.
const RATE_OF_LIKELY: f64 = (0.8 * 0.81 - 0.09) / (0.9 - 0.08);

#[test]
fn a_weighted_ratio_at_the_floor_hardly_ever_alarms() {
    assert_null("weighted", 1_000, |seed| weighted_alarms(4_000, seed));
}

/// Decisions after a change until the level reaches its bar; `None` if it did so before, or never.
fn delay(starts: Starts, bar: EValue, ratio_after: f64, seed: u64) -> Option<u32> {
    const CHANGE: u32 = 10_000;
    let mut random = Random::seeded(seed);
    let mut blocks = RatioBlocks::new(floor());
    let mut detector = ChangeDetector::new(starts);
    for number in 0..2 * CHANGE {
        let ratio = if number < CHANGE { 0.95 } else { ratio_after };
        let (side, approved) = steady(ratio, 2 * CHANGE).decision(number, &mut random);
        if let Some(payoffs) = blocks.add(side, approved) {
            detector.bet(payoffs.breach);
            if detector.level().reaches(bar) {
                return (number + 1).checked_sub(CHANGE);
            }
        }
    }
    None
}

#[test]
fn a_late_change_is_found_soon() {
    for (starts, bar, most) in [
        (Starts::Lifetime, alpha().bar(), [900, 1_700]),
        (
            Starts::EveryBlock,
            EValue::from_ln(10_000_f64.ln()),
            [500, 900],
        ),
    ] {
        for (ratio, most) in [0.5, 0.6].into_iter().zip(most) {
            let delays: Vec<_> = (0..51)
                .map(|seed| delay(starts, bar, ratio, seed))
                .collect();
            let middle = median(&delays);
            eprintln!("change 0.95 to {ratio} after 10,000 decisions, {starts:?}: median {middle}");
            assert!(middle <= most, "{starts:?} {ratio}: {middle}");
        }
    }
}

fn rules() -> Rules {
    Rules {
        alpha: alpha(),
        multiplicity: Multiplicity::EBh,
        feed_stale_after_s: 3_600,
        side_stale_after_s: 86_400,
        clear_valid_for_s: 30 * 86_400,
        run_length_blocks: 10_000,
        policy: Digest::from_bytes([1; 32]),
    }
}

/// Several groups at the floor share one reference group and are looked at every 50 decisions.
fn any_of_many_alarms(groups: usize, decisions: u32, seed: u64) -> bool {
    let mut random = Random::seeded(seed);
    let mut watches: Vec<RatioWatch> = (0..groups)
        .map(|_| RatioWatch::ratio(floor(), Starts::Lifetime))
        .collect();
    for number in 0..decisions {
        if random.chance(0.5) {
            let approved = random.chance(0.8);
            for watch in &mut watches {
                watch.record(Side::Reference, approved, second(number));
            }
        } else {
            let place = random.below(groups);
            watches[place].record(Side::Group, random.chance(0.64), second(number));
        }
        if number % 50 == 0 {
            let mut questions: Vec<_> =
                watches.iter_mut().map(|watch| watch.question(30)).collect();
            let judgements = look(&mut questions, &rules(), second(number));
            if judgements
                .iter()
                .any(|judgement| judgement.verdict == Verdict::Breach)
            {
                return true;
            }
        }
    }
    false
}

fn assert_many(groups: usize, decisions: u32, streams: u64) {
    let alarms = (0..streams)
        .filter(|&seed| any_of_many_alarms(groups, decisions, seed))
        .count();
    let share = alarms as f64 / streams as f64;
    eprintln!("null, {groups} groups together: {share:.4} of {streams} streams have any alarm");
    assert!(share <= accepted_share(streams), "{share}");
}

#[test]
fn many_groups_together_alarm_no_more_often_than_one() {
    assert_many(8, 2_500, 300);
}

#[test]
fn a_stream_without_one_side_or_with_a_stopped_feed_is_never_cleared() {
    for seed in 0..20 {
        let mut random = Random::seeded(seed);
        let mut watch = RatioWatch::ratio(floor(), Starts::Lifetime);
        let market = steady(0.95, 3_000);
        let missing = if random.chance(0.5) {
            Side::Reference
        } else {
            Side::Group
        };
        let stop = 1_500;
        for number in 0..3_000 {
            let (side, approved) = market.decision(number, &mut random);
            if number >= stop && side != missing {
                watch.record(side, approved, second(number));
            }
            let judgement = look(&mut [watch.question(30)], &rules(), second(number)).remove(0);
            assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
        }
        let later = second(3_000 + 3_700);
        let judgement = look(&mut [watch.question(30)], &rules(), later).remove(0);
        assert_eq!(judgement.verdict, Verdict::Stale);
    }
}

#[test]
#[ignore = "minutes: the full version, by hand"]
fn long_at_the_floor() {
    for (name, market) in null_markets(20_000) {
        assert_null(name, 10_000, |seed| ratio_alarms(&market, seed));
    }
}

#[test]
#[ignore = "minutes: the full version, by hand"]
fn long_at_other_limits() {
    let shadow = shadow(0.02, 0.02, 20_000);
    assert_null("gap +0.02", 4_000, |seed| shadow_alarms(&shadow, seed));
    assert_null("weighted", 2_000, |seed| weighted_alarms(20_000, seed));
    for groups in [2, 8, 20] {
        assert_many(groups, 10_000, 1_000);
    }
}

#[test]
#[ignore = "minutes: the full version, by hand"]
fn long_what_is_found() {
    for (ratio, most) in [(0.5, 300), (0.6, 450), (0.7, 2_200)] {
        let market = steady(ratio, 40_000);
        let name = format!("ratio {ratio}, share 0.2");
        assert_found(&name, 2_001, most, |seed| ratio_alarms(&market, seed));
    }
    for (widening, most) in [(0.05, 4_000), (0.08, 1_500), (0.15, 700)] {
        for noise in [0.0, 0.01, 0.02, 0.05] {
            let shadow = shadow(widening, noise, 40_000);
            let (lasting, lifetime) = run(1_001, |seed| shadow_alarms(&shadow, seed));
            let (lasting, lifetime) = (median(&lasting), median(&lifetime));
            eprintln!(
                "found, gap +{widening}, noise {noise}: median {lasting} lasting, {lifetime} at any time"
            );
            assert!(noise > 0.02 || lasting <= most, "{lasting}");
        }
    }
    for starts in [Starts::Lifetime, Starts::EveryBlock] {
        let bar = match starts {
            Starts::Lifetime => alpha().bar(),
            Starts::EveryBlock => EValue::from_ln(10_000_f64.ln()),
        };
        for ratio in [0.5, 0.6, 0.7] {
            let delays: Vec<_> = (0..501)
                .map(|seed| delay(starts, bar, ratio, seed))
                .collect();
            let (middle, found) = (median(&delays), share(&delays));
            eprintln!("change 0.95 to {ratio}, {starts:?}: median {middle}, found {found:.3}");
        }
    }
}
