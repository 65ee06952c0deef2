use crate::rates::approvals;
use crate::score_gap::standardised_difference;
use crate::scores::Moment;
use crate::{Confidence, GroupCounters, Interval, two_proportions};

/// The approval rate of a group divided by that of the reference group (adverse impact ratio, also
/// disparate impact), with the interval that is symmetric in the logarithm.
///
/// Katz, D., Baptista, J., Azen, S. P. and Pike, M. C. (1978), "Obtaining confidence intervals for
/// the risk ratio in cohort studies", Biometrics 34, 469-474.
///
/// That variance of a group is infinite when it approved nobody and zero when it approved everybody,
/// which would make the interval useless or falsely certain. If either group did so, both groups
/// enter the limits (not the value) with one half added to approved and one half to not approved,
/// and the interval is widened to contain the value where necessary.
///
/// `None` if either group has no decisions or the reference group approved nobody.
pub fn adverse_impact_ratio(
    group: &GroupCounters,
    reference: &GroupCounters,
    confidence: Confidence,
) -> Option<Interval> {
    let (group, reference) = (approvals(group)?, approvals(reference)?);
    two_proportions::ratio(group, reference, confidence).ok()
}

/// The approval rate of a group minus that of the reference group, with the hybrid score interval;
/// within `[-1, 1]`, negative when the group is approved less often.
///
/// Newcombe, R. G. (1998), "Interval estimation for the difference between independent
/// proportions: comparison of eleven methods", Statistics in Medicine 17, 873-890, method 10.
///
/// `None` if either group has no decisions.
pub fn approval_rate_difference(
    group: &GroupCounters,
    reference: &GroupCounters,
    confidence: Confidence,
) -> Option<Interval> {
    let (group, reference) = (approvals(group)?, approvals(reference)?);
    two_proportions::difference(group, reference, confidence).ok()
}

/// The mean score of a group minus that of the reference group, in standard deviations; negative
/// when the group scores lower.
///
/// The denominator is the population standard deviation of all scores of both groups taken
/// together. That is the convention of lending practice; Cohen's d divides by the deviation within
/// groups instead. 0.30 here is what some tools print as 30.
///
/// The limits are those of the difference in standard deviations *within* groups, with its
/// large-sample variance (Hedges, L. V. and Olkin, I. (1985), "Statistical Methods for
/// Meta-Analysis", chapter 5), carried over to this denominator. Both measures belong
/// to the same data: with group shares `p` and `q`, `total = within / sqrt(1 + p q within²)`, which
/// grows with `within`, so the limits keep their coverage. It assumes roughly normal scores of equal
/// spread.
///
/// `None` if either group has no decisions, if all scores are equal, or if scores do not vary within
/// either group (then there is no measure of chance).
pub fn standardised_mean_difference(
    group: &GroupCounters,
    reference: &GroupCounters,
    confidence: Confidence,
) -> Option<Interval> {
    standardised_difference(moment(group)?, moment(reference)?, confidence).ok()
}

fn moment(counters: &GroupCounters) -> Option<Moment> {
    let count = counters.decisions() as f64;
    Some(Moment {
        count,
        mean: counters.mean_score()?,
        squared_deviations: counters.score_variance()? * count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(approved: u64, total: u64) -> GroupCounters {
        GroupCounters {
            approved,
            denied: total - approved,
            ..GroupCounters::default()
        }
    }

    fn scored(scores: &[i64]) -> GroupCounters {
        GroupCounters {
            approved: scores.len() as u64,
            score_sum: scores.iter().sum(),
            score_square_sum: scores.iter().map(|score| score * score).sum(),
            ..GroupCounters::default()
        }
    }

    fn confidence() -> Confidence {
        Confidence::try_from(0.95).unwrap()
    }

    #[test]
    fn no_ratio_to_a_reference_that_approved_nobody() {
        assert_eq!(
            adverse_impact_ratio(&group(5, 10), &group(0, 10), confidence()),
            None
        );
        assert_eq!(
            adverse_impact_ratio(&group(0, 10), &group(0, 10), confidence()),
            None
        );
        assert_eq!(
            adverse_impact_ratio(&group(0, 0), &group(5, 10), confidence()),
            None
        );
    }

    #[test]
    fn a_group_that_approved_nobody_has_ratio_zero_and_a_useful_upper_limit() {
        let ratio = adverse_impact_ratio(&group(0, 200), &group(500, 1000), confidence()).unwrap();
        assert!(ratio.value.abs() < 1e-15 && ratio.lower.abs() < 1e-15);
        assert!(ratio.upper > 0.01 && ratio.upper < 0.1, "{ratio:?}");
    }

    #[test]
    fn groups_that_approved_everybody_are_not_certainly_equal() {
        let ratio = adverse_impact_ratio(&group(3, 3), &group(5, 5), confidence()).unwrap();
        assert!(ratio.lower < 0.8 && ratio.upper > 1.1, "{ratio:?}");
        let many = adverse_impact_ratio(&group(3000, 3000), &group(5000, 5000), confidence());
        let many = many.unwrap();
        assert!(many.lower > 0.99 && many.upper < 1.01, "{many:?}");
    }

    #[test]
    fn the_score_difference_is_divided_by_the_deviation_of_everyone() {
        // All scores: 0, 2, 4, 6; their population variance is 5.
        let smd = standardised_mean_difference(&scored(&[0, 2]), &scored(&[4, 6]), confidence());
        let smd = smd.unwrap();
        assert!((smd.value + 4.0 / 5.0_f64.sqrt()).abs() < 1e-15, "{smd:?}");
        assert!(
            smd.lower >= -2.0,
            "two equal groups are at most two deviations apart: {smd:?}"
        );
    }

    #[test]
    fn scores_that_do_not_vary_within_groups_have_no_standardised_difference() {
        let compare = |one: &[i64], other: &[i64]| {
            standardised_mean_difference(&scored(one), &scored(other), confidence())
        };
        assert_eq!(compare(&[600, 600], &[600]), None);
        assert_eq!(compare(&[600, 600], &[700]), None);
        assert_eq!(compare(&[], &[700, 710]), None);
        assert!(compare(&[600, 601], &[700]).is_some());
    }
}
