//! Values that are printed where the tests are described.

use fcs_rollout::statistics::arm::{FAILURE_FACTORS, worse_than};
use fcs_rollout::statistics::{
    Counts, QuantileQuestion, alpha_of_attempt, quantile_difference, rate_interval, risk_ratio,
    sample_ratio_mismatch,
};

use super::{alpha, assert_close, counts, limit, ratio, tally};

fn evidence(cells: &[(u32, u64, u64)], tolerated: f64) -> f64 {
    let value = worse_than(&counts(cells), ratio(tolerated), &FAILURE_FACTORS);
    value.ln().exp()
}

#[test]
fn evidence_of_the_arm_of_bad_requests() {
    for (cells, expected) in [
        (&[(500, 1, 1)][..], 7.339_319_278_207_48),
        (&[(500, 2, 2)], 84.478_880_013_342_5),
        (&[(500, 3, 3)], 1_162.622_547_723_65),
        (&[(500, 5, 12)], 347.830_206_412_633),
        (&[(2_500, 40, 100)], 42.335_718_354_728_4),
        (&[(5_000, 66, 100)], 36.401_167_834_158),
        (&[(500, 6, 40), (2_500, 30, 60)], 14_304.432_720_166_4),
        (&[(500, 0, 50)], 0.048_346_797_450_029_4),
        (&[(5_000, 500, 1_000)], 1.708_152_074_735_2e-10),
    ] {
        assert_close(evidence(cells, 1.0), expected, 1e-9);
    }
    let mixed = evidence(&[(500, 6, 40), (2_500, 30, 60)], 1.25);
    assert_close(mixed, 329.693_113_003_61, 1e-9);
}

#[test]
fn a_whole_weight_has_nothing_to_compare() {
    let alone = worse_than(&counts(&[(10_000, 7, 7)]), ratio(1.0), &FAILURE_FACTORS);
    assert_close(alone.ln() + 1.0, 1.0, 1e-15);
}

/// Printed to nine digits.
#[test]
fn confidence_sequences_of_the_ratio() {
    for (cells, estimate, lower, upper) in [
        (
            &[(500, 5, 12)][..],
            13.571_428_57,
            1.785_413_86,
            84.882_162_57,
        ),
        (&[(2_500, 40, 100)], 2.0, 0.973_563_030_3, 3.976_353_108),
        (&[(2_500, 25, 100)], 1.0, 0.430_971_067_8, 2.093_708_294),
        (&[(5_000, 500, 1_000)], 1.0, 0.799_951_804_6, 1.250_075_31),
        (&[(2_500, 100, 400)], 1.0, 0.655_946_417_5, 1.482_969_562),
        (
            &[(500, 6, 40), (2_500, 30, 60)],
            3.084,
            1.408_767_946,
            6.532_697_849,
        ),
    ] {
        let interval = risk_ratio(&counts(cells), alpha(0.05));
        assert_close(interval.estimate.unwrap(), estimate, 1e-4);
        assert_close(interval.lower, lower, 1e-8);
        assert_close(interval.upper.unwrap(), upper, 1e-8);
    }
}

/// Printed to six digits.
#[test]
fn confidence_sequences_of_one_arm() {
    for (bad, requests, lower, upper) in [
        (0, 100, 0.0, 0.073_284_4),
        (0, 1_000, 0.0, 0.009_855_60),
        (5, 1_000, 0.000_389_087, 0.019_979_0),
        (10, 10_000, 0.000_156_267, 0.003_161_52),
        (700, 1_000, 0.646_985, 0.749_662),
    ] {
        let interval = rate_interval(tally(requests, bad), alpha(0.05)).unwrap();
        assert_close(interval.lower, lower, 2e-6);
        assert_close(interval.upper, upper, 1e-5);
    }
    assert_eq!(rate_interval(tally(0, 0), alpha(0.05)), None);
}

#[test]
fn evidence_of_a_wrong_assignment() {
    for (basis_points, candidate, requests, expected) in [
        (500, 3, 3, 2_000.0),
        (2_500, 40, 100, 27.303_526_179_295_7),
        (5_000, 66, 100, 21.612_914_301_36),
        (500, 5, 50, 0.297_807_615_246_545),
    ] {
        let counts = counts(&[(basis_points, candidate, requests)]);
        assert_close(sample_ratio_mismatch(&counts).ln().exp(), expected, 1e-9);
    }
    let nothing = sample_ratio_mismatch(&Counts::default());
    assert_close(nothing.ln().exp(), 1.0, 1e-15);
}

#[test]
fn attempts_share_one_alpha() {
    let spent: f64 = (1..=1_000)
        .map(|k| alpha_of_attempt(alpha(0.01), k.try_into().unwrap()).get())
        .sum();
    assert!(spent < 0.01 && spent > 0.009_99, "{spent}");
    let last = alpha_of_attempt(alpha(f64::MIN_POSITIVE), u32::MAX.try_into().unwrap());
    assert!(last.get() > 0.0);
}

fn shifted(quantile: f64, values: u32, shift: u32) -> f64 {
    let question = QuantileQuestion {
        quantile: limit(quantile),
        tuned_values: 100.0,
        tuned_alpha: alpha(0.05),
    };
    let candidate: Vec<f64> = (1..=values).map(|i| f64::from(i + shift)).collect();
    let stable: Vec<f64> = (1..=values).map(f64::from).collect();
    let evidence = quantile_difference(&candidate, &stable, question).unwrap();
    let swapped = quantile_difference(&stable, &candidate, question).unwrap();
    assert_close(swapped.ln(), evidence.ln(), 1e-12);
    (-evidence.ln()).exp().min(1.0)
}

/// From the unit tests of the authors' library, confseq 0.0.11, whose reference is their program in R.
#[test]
fn quantiles_of_shifted_values() {
    for (quantile, shift, p) in [
        (0.5, 70, 0.814_704),
        (0.5, 85, 0.083_805_5),
        (0.5, 100, 0.005_494_7),
        (0.9, 55, 0.034_046_3),
    ] {
        assert_close(shifted(quantile, 1_000, shift), p, 1e-5);
    }
    assert_close(shifted(0.5, 1_000, 0), 1.0, 1e-15);
}

#[test]
fn ties_are_no_evidence_and_odd_values_none_at_all() {
    let question = QuantileQuestion {
        quantile: limit(0.99),
        tuned_values: 100.0,
        tuned_alpha: alpha(0.05),
    };
    let same = quantile_difference(&[1.0; 900], &[1.0; 300], question).unwrap();
    assert!(same.ln() < 0.0);
    for odd in [&[][..], &[f64::NAN], &[1.0, f64::INFINITY]] {
        assert_eq!(quantile_difference(odd, &[1.0], question), None);
        assert_eq!(quantile_difference(&[1.0], odd, question), None);
    }
}
