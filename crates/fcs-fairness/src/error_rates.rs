//! Rates of right and wrong decisions, where outcomes are known.
//!
//! In production an outcome is known for approved applicants only (selective labels). Then only
//! predictive parity can be observed; the others are [`Undefined::SelectiveLabels`], although a naive
//! count would give a true positive rate of exactly 1.

use serde::{Deserialize, Serialize};

use crate::proportion::Proportion;
use crate::scores::Population;
use crate::tally::Tally;
use crate::{Confidence, Interval, Undefined, two_proportions};

/// A rate of the confusion table. Positive is repaid, and approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Approved among those who repay: `tp / (tp + fn)`. Equal opportunity compares it.
    TruePositive,
    /// Approved among those who default: `fp / (fp + tn)`.
    FalsePositive,
    /// Not approved among those who default: `tn / (fp + tn)`.
    TrueNegative,
    /// Not approved among those who repay: `fn / (tp + fn)`.
    FalseNegative,
    /// Repaid among the approved: `tp / (tp + fp)`. Predictive parity compares it. It is the one rate
    /// that can be observed without labels of the others.
    PositivePredictive,
    /// Defaulted among those not approved: `tn / (tn + fn)`.
    NegativePredictive,
    /// Right decisions: `(tp + tn) / n`.
    Accuracy,
}

impl Rate {
    /// Whose outcomes the rate needs.
    pub fn population(self) -> Population {
        match self {
            Self::PositivePredictive => Population::ApprovedWithKnownOutcome,
            Self::TruePositive
            | Self::FalsePositive
            | Self::TrueNegative
            | Self::FalseNegative
            | Self::NegativePredictive
            | Self::Accuracy => Population::KnownOutcome,
        }
    }

    /// The numerator and denominator in `tally`.
    pub(crate) fn of(self, tally: &Tally) -> Result<Proportion, Undefined> {
        tally.check()?;
        let (approved, declined) = (tally.approved, tally.declined());
        if approved.known() + declined.known() == 0 {
            return Err(Undefined::NoOutcomes);
        }
        let selective = declined.known() == 0 && declined.total() > 0;
        if selective && self.population() == Population::KnownOutcome {
            return Err(Undefined::SelectiveLabels);
        }
        let repaid = approved.repaid + declined.repaid;
        let defaulted = approved.defaulted + declined.defaulted;
        let (part, whole) = match self {
            Self::TruePositive => (approved.repaid, repaid),
            Self::FalseNegative => (declined.repaid, repaid),
            Self::FalsePositive => (approved.defaulted, defaulted),
            Self::TrueNegative => (declined.defaulted, defaulted),
            Self::PositivePredictive => (approved.repaid, approved.known()),
            Self::NegativePredictive => (declined.defaulted, declined.known()),
            Self::Accuracy => (approved.repaid + declined.defaulted, repaid + defaulted),
        };
        Proportion::of_counts(part, whole)
    }
}

/// A rate with its Wilson score interval.
pub fn rate(rate: Rate, group: &Tally, confidence: Confidence) -> Result<Interval, Undefined> {
    rate.of(group)?.interval(confidence)
}

/// The group's rate minus the reference group's, with the Newcombe interval.
///
/// [`Rate::TruePositive`]: equal opportunity difference (Hardt, M., Price, E. and Srebro, N. (2016),
/// "Equality of opportunity in supervised learning", NeurIPS 29). [`Rate::PositivePredictive`]:
/// predictive parity (Chouldechova, A. (2017), "Fair prediction with disparate impact", Big Data 5).
pub fn rate_difference(
    rate: Rate,
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    two_proportions::difference(rate.of(group)?, rate.of(reference)?, confidence)
}

/// The group's rate over the reference group's, with the Katz interval.
pub fn rate_ratio(
    rate: Rate,
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    two_proportions::ratio(rate.of(group)?, rate.of(reference)?, confidence)
}

/// Equalised odds difference: the larger of the absolute differences of TPR and FPR (Hardt and others
/// 2016; fairlearn and aif360 `equalized_odds_difference` of two groups).
///
/// Each difference takes half of the error, so that the interval of the larger one holds.
pub fn equalised_odds_difference(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let [one, other] = both_differences(group, reference, confidence.divided_among(2))?;
    Ok(one.absolute().or_larger(other.absolute()))
}

/// Equalised odds ratio: the smaller of the ratios of TPR and FPR, each taken as smaller over larger
/// (fairlearn `equalized_odds_ratio` of two groups); at most 1.
pub fn equalised_odds_ratio(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let half = confidence.divided_among(2);
    let ratio = |rate: Rate| {
        two_proportions::smaller_over_larger(rate.of(group)?, rate.of(reference)?, half)
    };
    let (one, other) = (ratio(Rate::TruePositive)?, ratio(Rate::FalsePositive)?);
    Ok(one.or_smaller(other))
}

/// Average odds difference: the mean of the differences of FPR and TPR (Bellamy, R. K. E. and others
/// (2018), "AI Fairness 360", arXiv:1810.01943). Repayers and defaulters are different people, so the
/// two are independent: MOVER interval.
pub fn average_odds_difference(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let [one, other] = both_differences(group, reference, confidence)?;
    two_proportions::weighted_sum(&[(0.5, one), (0.5, other)])?.within(-1.0, 1.0)
}

/// Average absolute odds difference: the mean of the absolute differences of FPR and TPR; each takes
/// half of the error.
pub fn average_absolute_odds_difference(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let [one, other] = both_differences(group, reference, confidence.divided_among(2))?;
    let (one, other) = (one.absolute(), other.absolute());
    Ok(Interval {
        value: f64::midpoint(one.value, other.value),
        lower: f64::midpoint(one.lower, other.lower),
        upper: f64::midpoint(one.upper, other.upper),
    })
}

fn both_differences(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<[Interval; 2], Undefined> {
    let difference = |rate| rate_difference(rate, group, reference, confidence);
    Ok([
        difference(Rate::TruePositive)?,
        difference(Rate::FalsePositive)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::confidence;
    use crate::tally::ByOutcome;

    fn confusion(tp: i64, fp: i64, false_negative: i64, tn: i64) -> Tally {
        let known = |repaid, defaulted| ByOutcome {
            repaid,
            defaulted,
            unknown: 0,
        };
        Tally {
            approved: known(tp, fp),
            denied: known(false_negative, tn),
            ..Tally::default()
        }
    }

    #[test]
    fn rates_are_the_textbook_ones() {
        let tally = confusion(40, 10, 20, 30);
        for (which, expected) in [
            (Rate::TruePositive, 40.0 / 60.0),
            (Rate::FalseNegative, 20.0 / 60.0),
            (Rate::FalsePositive, 0.25),
            (Rate::TrueNegative, 0.75),
            (Rate::PositivePredictive, 0.8),
            (Rate::NegativePredictive, 0.6),
            (Rate::Accuracy, 0.7),
        ] {
            let found = rate(which, &tally, confidence()).unwrap();
            assert!(
                (found.value - expected).abs() < 1e-15,
                "{which:?} {found:?}"
            );
        }
    }

    #[test]
    fn labels_of_the_approved_alone_show_predictive_parity_and_nothing_else() {
        let mut tally = confusion(40, 10, 0, 0);
        tally.denied.unknown = 50;
        let found = |which| rate(which, &tally, confidence());
        assert!((found(Rate::PositivePredictive).unwrap().value - 0.8).abs() < 1e-15);
        for hidden in [Rate::TruePositive, Rate::FalsePositive, Rate::Accuracy] {
            assert_eq!(found(hidden), Err(Undefined::SelectiveLabels));
        }
        tally.approved = ByOutcome::default();
        assert_eq!(
            rate(Rate::TruePositive, &tally, confidence()),
            Err(Undefined::NoOutcomes)
        );
    }

    #[test]
    fn labels_of_everyone_are_not_selective_even_if_everyone_was_approved() {
        let found = rate(Rate::TruePositive, &confusion(4, 1, 0, 0), confidence());
        assert!((found.unwrap().value - 1.0).abs() < 1e-15);
    }

    #[test]
    fn odds_combine_both_rates() {
        let group = confusion(30, 20, 30, 20); // TPR .5, FPR .5
        let reference = confusion(48, 10, 12, 40); // TPR .8, FPR .2
        let close = |found: Result<Interval, Undefined>, expected: f64| {
            let found = found.unwrap();
            assert!((found.value - expected).abs() < 1e-15, "{found:?}");
            assert!(found.lower <= found.value && found.value <= found.upper);
        };
        close(
            equalised_odds_difference(&group, &reference, confidence()),
            0.3,
        );
        close(
            average_odds_difference(&group, &reference, confidence()),
            0.0,
        );
        close(
            average_absolute_odds_difference(&group, &reference, confidence()),
            0.3,
        );
        close(equalised_odds_ratio(&group, &reference, confidence()), 0.4);
    }
}
