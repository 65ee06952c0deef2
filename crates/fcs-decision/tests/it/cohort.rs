use fcs_core::ApplicationId;
use fcs_decision::cohort::{basis_point, pick};
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

#[test]
fn arms_own_consecutive_ranges() {
    let weights = [500, 0, 9_500];
    assert_eq!(
        [0, 499, 500, 9_999].map(|place| pick(&weights, place)),
        [0, 0, 2, 2]
    );
    assert_eq!(pick(&[10_000], 9_999), 0);
    let members = (0..10_000)
        .filter(|place| pick(&[1_234, 8_766], *place) == 0)
        .count();
    assert_eq!(members, 1_234);
}

#[test]
#[should_panic(expected = "arm weights sum to 10,000 basis points")]
fn weights_that_do_not_cover_the_traffic_are_a_bug() {
    pick(&[5_000, 4_999], 0);
}

proptest! {
    #[test]
    fn an_arm_that_grows_keeps_its_members(
        before in 0..=10_000u32,
        growth in 0..=10_000u32,
        place in 0..10_000u16,
    ) {
        let after = (before + growth).min(10_000);
        if pick(&[before, 10_000 - before], place) == 0 {
            prop_assert_eq!(pick(&[after, 10_000 - after], place), 0);
        }
    }
}
