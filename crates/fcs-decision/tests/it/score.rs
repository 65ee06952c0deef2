use fcs_decision::score::ScoreScale;
use proptest::prelude::*;

const SCALE: ScoreScale = ScoreScale {
    minimum: 300,
    maximum: 850,
    base_score: 600.0,
    base_odds: 20.0,
    points_to_double_odds: 40.0,
};

#[test]
fn the_base_odds_give_the_base_score_and_doubling_adds_points() {
    for (odds_good_to_bad, score) in [(20.0, 600), (40.0, 640), (80.0, 680), (10.0, 560)] {
        assert_eq!(SCALE.scale(-f64::ln(odds_good_to_bad)), score);
    }
}

#[test]
fn halves_round_away_from_zero() {
    let unit = ScoreScale {
        minimum: -10,
        maximum: 10,
        base_score: 0.0,
        base_odds: 1.0,
        points_to_double_odds: std::f64::consts::LN_2,
    };
    assert_eq!(
        [2.5, 1.5, 0.4, -2.5].map(|margin| unit.scale(margin)),
        [-3, -2, 0, 3]
    );
}

#[test]
fn scores_stay_on_the_scale() {
    assert_eq!(SCALE.scale(f64::MAX), 300);
    assert_eq!(SCALE.scale(f64::MIN), 850);
    assert_eq!(SCALE.scale(f64::INFINITY), 300);
    assert_eq!(SCALE.scale(f64::NEG_INFINITY), 850);
    assert_eq!(SCALE.scale(f64::NAN), 300);
}

proptest! {
    #[test]
    fn a_riskier_margin_never_scores_higher(left in -20.0..20.0f64, right in -20.0..20.0f64) {
        let (low, high) = (left.min(right), left.max(right));
        prop_assert!(SCALE.scale(low) >= SCALE.scale(high));
    }
}
