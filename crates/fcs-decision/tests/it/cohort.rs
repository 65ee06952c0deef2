use fcs_core::ApplicationId;
use fcs_decision::cohort::{Cohort, allot, basis_point, is_partition};
use proptest::prelude::*;

fn application(id: &str) -> ApplicationId {
    id.parse().unwrap()
}

/// Values computed with Python: `int.from_bytes(sha256(len(s).to_bytes(8, "big") + s + a).digest()[:8], "big") *
/// 10000 >> 64`.
#[test]
fn the_hash_is_frozen() {
    for (salt, id, expected) in [
        ("2026-q4", "A-1", 3426),
        ("2026-q4", "A-2", 7954),
        ("", "x", 6936),
        ("ab", "c", 1603),
        ("a", "bc", 9122),
        ("salt", "Ünï", 6181),
    ] {
        assert_eq!(basis_point(salt, &application(id)), expected, "{salt} {id}");
    }
}

/// Pearson's chi-square over 100 cells of equal probability; its 99.9% quantile at 99 degrees of freedom is 148.2.
#[test]
fn places_are_uniform_over_many_applications() {
    for salt in ["", "2026-q4", "a much longer salt than usual"] {
        let mut cells = [0u32; 100];
        for number in 0..100_000 {
            let place = basis_point(salt, &application(&format!("A-{number}")));
            cells[usize::from(place / 100)] += 1;
        }
        let chi_square: f64 = cells
            .iter()
            .map(|count| (f64::from(*count) - 1_000.0).powi(2) / 1_000.0)
            .sum();
        assert!(
            (50.0..148.2).contains(&chi_square),
            "{salt:?}: {chi_square}"
        );
    }
}

/// Two salts place the same applications independently: the joint table of 10 by 10 cells is uniform.
#[test]
fn salts_are_independent() {
    let mut cells = [0u32; 100];
    for number in 0..100_000 {
        let id = application(&format!("A-{number}"));
        let (left, right) = (
            basis_point("one", &id) / 1_000,
            basis_point("two", &id) / 1_000,
        );
        cells[usize::from(left * 10 + right)] += 1;
    }
    let chi_square: f64 = cells
        .iter()
        .map(|count| (f64::from(*count) - 1_000.0).powi(2) / 1_000.0)
        .sum();
    assert!((50.0..148.2).contains(&chi_square), "{chi_square}");
}

fn ranges(cohorts: &[Cohort]) -> Vec<Vec<(u16, u16)>> {
    let pairs = |cohort: &Cohort| {
        let ranges = cohort.ranges().iter();
        ranges.map(|range| (range.start, range.end)).collect()
    };
    cohorts.iter().map(pairs).collect()
}

fn fresh(weights: &[u32]) -> Vec<Cohort> {
    allot(&vec![Cohort::default(); weights.len()], weights)
}

#[test]
fn new_arms_own_consecutive_ranges() {
    let cohorts = fresh(&[500, 0, 9_500]);
    assert_eq!(
        ranges(&cohorts),
        [vec![(0, 500)], vec![], vec![(500, 10_000)]]
    );
    let owner = |place| cohorts.iter().position(|cohort| cohort.contains(place));
    assert_eq!(
        [0, 499, 500, 9_999].map(owner),
        [Some(0), Some(0), Some(2), Some(2)]
    );
    assert_eq!(ranges(&fresh(&[10_000])), [vec![(0, 10_000)]]);
}

/// A canary at 5%, 25% and 5% again, beside a second arm.
#[test]
fn who_joined_first_leaves_last() {
    let first = fresh(&[500, 500, 9_000]);
    let grown = allot(&first, &[2_500, 500, 7_000]);
    assert_eq!(
        ranges(&grown),
        [
            vec![(0, 500), (8_000, 10_000)],
            vec![(500, 1_000)],
            vec![(1_000, 8_000)]
        ]
    );
    let back = allot(&grown, &[500, 500, 9_000]);
    assert_eq!(ranges(&back), ranges(&first));
    // Both arms grow at once, and each keeps its members.
    let both = allot(&first, &[1_000, 1_000, 8_000]);
    assert_eq!(
        ranges(&both),
        [
            vec![(0, 500), (9_000, 9_500)],
            vec![(500, 1_000), (9_500, 10_000)],
            vec![(1_000, 9_000)]
        ]
    );
}

#[test]
#[should_panic(expected = "arm weights sum to 10,000 basis points")]
fn weights_that_do_not_cover_the_traffic_are_a_bug() {
    fresh(&[5_000, 4_999]);
}

#[test]
fn a_partition_has_neither_gaps_nor_overlaps() {
    let whole = fresh(&[4_000, 6_000]);
    assert!(is_partition(&whole));
    assert!(!is_partition(&whole[..1]));
    assert!(!is_partition([&whole[0], &whole[1], &whole[0]]));
}

#[test]
fn cohorts_survive_json() {
    let cohorts = allot(&fresh(&[500, 9_500]), &[2_000, 8_000]);
    let text = serde_json::to_string(&cohorts).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Cohort>>(&text).unwrap(), cohorts);
}

/// Weights of so many arms that sum to 10,000; some are 0.
fn weights(arms: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..=10_000_u32, arms - 1).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts.push(10_000);
        let mut before = 0;
        let mut part = |cut| cut - std::mem::replace(&mut before, cut);
        cuts.into_iter().map(&mut part).collect()
    })
}

/// Tables of two to sixteen arms, one after the other.
fn sequence() -> impl Strategy<Value = Vec<Vec<u32>>> {
    (2..=16_usize).prop_flat_map(|arms| prop::collection::vec(weights(arms), 2..8))
}

proptest! {
    /// Over any sequence of tables: each arm has its share; one that grows keeps all its members, one that shrinks
    /// takes nobody in; and no more basis points move than the weights ask for.
    #[test]
    fn an_arm_that_grows_keeps_its_members(tables in sequence()) {
        let mut before = fresh(&tables[0]);
        for weights in &tables[1..] {
            let after = allot(&before, weights);
            prop_assert!(is_partition(&after));
            let mut moved = 0;
            for ((old, new), weight) in before.iter().zip(&after).zip(weights) {
                prop_assert_eq!(new.weight(), *weight);
                let stay = (0..10_000).filter(|place| old.contains(*place) && new.contains(*place)).count();
                prop_assert_eq!(stay, old.weight().min(*weight) as usize);
                moved += new.weight() as usize - stay;
            }
            let asked: u32 = before.iter().zip(weights).map(|(old, weight)| weight.saturating_sub(old.weight())).sum();
            prop_assert_eq!(moved, asked as usize);
            before = after;
        }
    }
}
