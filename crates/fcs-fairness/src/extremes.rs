//! All groups at once, without a reference group: fairlearn's convention. The extremes are chosen
//! after looking, so every interval holds for all pairs together (the error is divided among them).

use crate::error_rates::Rate;
use crate::parity::selections;
use crate::proportion::Proportion;
use crate::tally::Tally;
use crate::{Confidence, Interval, Undefined, two_proportions};

/// Demographic parity difference over all groups: the highest approval rate minus the lowest.
/// fairlearn: `demographic_parity_difference`.
pub fn demographic_parity_difference(
    groups: &[&Tally],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    range(&each(groups, selections)?, confidence)
}

/// Demographic parity ratio over all groups: the lowest approval rate over the highest. fairlearn:
/// `demographic_parity_ratio`.
pub fn demographic_parity_ratio(
    groups: &[&Tally],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    lowest_over_highest(&each(groups, selections)?, confidence)
}

/// The highest rate minus the lowest. With [`Rate::TruePositive`] fairlearn's
/// `equal_opportunity_difference`. Undefined if any group's rate is.
pub fn rate_difference(
    rate: Rate,
    groups: &[&Tally],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    range(&each(groups, |tally| rate.of(tally))?, confidence)
}

/// The lowest rate over the highest. With [`Rate::TruePositive`] fairlearn's
/// `equal_opportunity_ratio`. Undefined if any group's rate is.
pub fn rate_ratio(
    rate: Rate,
    groups: &[&Tally],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    lowest_over_highest(&each(groups, |tally| rate.of(tally))?, confidence)
}

/// The larger of the differences of TPR and FPR. fairlearn: `equalized_odds_difference`.
pub fn equalised_odds_difference(
    groups: &[&Tally],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let half = confidence.divided_among(2);
    let one = rate_difference(Rate::TruePositive, groups, half)?;
    let other = rate_difference(Rate::FalsePositive, groups, half)?;
    Ok(one.or_larger(other))
}

/// The smaller of the ratios of TPR and FPR. fairlearn: `equalized_odds_ratio`.
pub fn equalised_odds_ratio(
    groups: &[&Tally],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let half = confidence.divided_among(2);
    let one = rate_ratio(Rate::TruePositive, groups, half)?;
    let other = rate_ratio(Rate::FalsePositive, groups, half)?;
    Ok(one.or_smaller(other))
}

fn each(
    groups: &[&Tally],
    rate: impl Fn(&Tally) -> Result<Proportion, Undefined>,
) -> Result<Vec<Proportion>, Undefined> {
    if groups.len() < 2 {
        return Err(Undefined::NoReferenceGroup);
    }
    groups.iter().map(|tally| rate(tally)).collect()
}

/// The range of the rates is the largest difference of any pair, so its limits are the largest limits.
fn range(rates: &[Proportion], confidence: Confidence) -> Result<Interval, Undefined> {
    let mut largest: Option<Interval> = None;
    for (one, other, level) in pairs(rates, confidence) {
        let pair = two_proportions::difference(one, other, level)?.absolute();
        largest = Some(largest.map_or(pair, |found| found.or_larger(pair)));
    }
    largest.ok_or(Undefined::NoReferenceGroup)
}

/// Pairs of which neither has the property are equal, and no candidates.
fn lowest_over_highest(
    rates: &[Proportion],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let mut smallest: Option<Interval> = None;
    for (one, other, level) in pairs(rates, confidence) {
        if one.selected <= 0.0 && other.selected <= 0.0 {
            continue;
        }
        let pair = two_proportions::smaller_over_larger(one, other, level)?;
        smallest = Some(smallest.map_or(pair, |found| found.or_smaller(pair)));
    }
    smallest.ok_or(Undefined::ZeroDenominator)
}

/// Every pair once, with the level of its interval.
fn pairs(
    rates: &[Proportion],
    confidence: Confidence,
) -> impl Iterator<Item = (Proportion, Proportion, Confidence)> {
    let level = confidence.divided_among(rates.len() * rates.len().saturating_sub(1) / 2);
    let later = |index: usize| &rates[index + 1..];
    rates
        .iter()
        .enumerate()
        .flat_map(move |(index, one)| later(index).iter().map(move |other| (*one, *other, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity;
    use crate::parity::tests::{confidence, decided};

    #[test]
    fn two_groups_are_one_pair() {
        let (one, other) = (decided(30, 100), decided(80, 100));
        let found = demographic_parity_ratio(&[&other, &one], confidence()).unwrap();
        let pair = parity::adverse_impact_ratio(&one, &other, confidence()).unwrap();
        assert_eq!(found, pair);
        let found = demographic_parity_difference(&[&one, &other], confidence()).unwrap();
        let pair = parity::demographic_parity_difference(&one, &other, confidence()).unwrap();
        assert!((found.value + pair.value).abs() < 1e-15);
        assert!((found.lower + pair.upper).abs() < 1e-15, "{found:?}");
    }

    #[test]
    fn more_groups_make_the_interval_wider() {
        let (low, high, middle) = (decided(30, 100), decided(80, 100), decided(50, 100));
        let of = |groups: &[&Tally]| demographic_parity_ratio(groups, confidence()).unwrap();
        let (two, three) = (of(&[&low, &high]), of(&[&low, &middle, &high]));
        assert!((two.value - three.value).abs() < 1e-15);
        assert!(three.lower < two.lower && three.upper > two.upper);
    }

    #[test]
    fn one_group_has_no_extremes_and_no_approvals_no_ratio() {
        let one = decided(30, 100);
        assert_eq!(
            demographic_parity_ratio(&[&one], confidence()),
            Err(Undefined::NoReferenceGroup)
        );
        let (none, nobody) = (decided(0, 5), decided(0, 9));
        assert_eq!(
            demographic_parity_ratio(&[&none, &nobody], confidence()),
            Err(Undefined::ZeroDenominator)
        );
        let some = demographic_parity_ratio(&[&none, &nobody, &one], confidence());
        assert!(some.unwrap().value.abs() < 1e-15);
    }
}
