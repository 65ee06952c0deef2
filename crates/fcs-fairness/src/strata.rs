//! Groups compared within strata, so that a difference that strata explain is not taken for one of
//! groups (Simpson's paradox).

use std::collections::BTreeMap;

use crate::parity::selections;
use crate::proportion::Proportion;
use crate::tally::Tally;
use crate::{Confidence, Interval, Undefined, two_proportions};

/// The counts of one group in one stratum, and of everybody in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stratum {
    /// Of the group.
    pub group: Tally,
    /// Of everybody, the group included.
    pub everyone: Tally,
}

/// Conditional demographic disparity, and how much of the data it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConditionalDisparity {
    /// The disparity, within `[-1, 1]`; positive when the group is more common among those turned down
    /// than among those approved.
    pub disparity: Interval,
    /// Decisions in strata that allow the comparison: both approved and not approved people.
    pub compared: i64,
    /// Decisions in the other strata. They are left out, and counted here.
    pub not_compared: i64,
}

/// Conditional demographic disparity: `sum_i n_i / n (share of the group among those not approved in
/// stratum i - its share among the approved)`.
///
/// Wachter, S., Mittelstadt, B. and Russell, C. (2021), "Why fairness cannot be automated", Computer
/// Law & Security Review 41. Strata where all or none were approved have no share on one side; they
/// are left out of sum and weights. Limits: Newcombe limits of each stratum, joined by MOVER; shares
/// of strata count as given.
pub fn conditional_demographic_disparity(
    strata: &BTreeMap<String, Stratum>,
    confidence: Confidence,
) -> Result<ConditionalDisparity, Undefined> {
    let (mut terms, mut compared, mut not_compared) = (Vec::new(), 0_i64, 0_i64);
    for stratum in strata.values() {
        if stratum.everyone.is_empty() {
            continue;
        }
        let decisions = stratum.everyone.decisions();
        match disparity(stratum, confidence)? {
            Some(disparity) => {
                terms.push((decisions as f64, disparity));
                compared = compared.saturating_add(decisions);
            }
            None => not_compared = not_compared.saturating_add(decisions),
        }
    }
    if compared == 0 {
        return Err(Undefined::NoContrast);
    }
    for (weight, _) in &mut terms {
        *weight /= compared as f64;
    }
    let disparity = two_proportions::weighted_sum(&terms)?.within(-1.0, 1.0)?;
    Ok(ConditionalDisparity {
        disparity,
        compared,
        not_compared,
    })
}

/// Demographic disparity of one stratum; `None` if all or none were approved.
fn disparity(stratum: &Stratum, confidence: Confidence) -> Result<Option<Interval>, Undefined> {
    if selections(&stratum.everyone)?.is_extreme() {
        return Ok(None);
    }
    let (group, everyone) = (&stratum.group, &stratum.everyone);
    let declined = Proportion::of_counts(group.declined().total(), everyone.declined().total())?;
    let approved = Proportion::of_counts(group.approved.total(), everyone.approved.total())?;
    two_proportions::difference(declined, approved, confidence).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::{confidence, decided};

    fn stratum(group: (i64, i64), everyone: (i64, i64)) -> Stratum {
        Stratum {
            group: decided(group.0, group.1),
            everyone: decided(everyone.0, everyone.1),
        }
    }

    fn strata(list: &[Stratum]) -> BTreeMap<String, Stratum> {
        let named = |(index, stratum): (usize, &Stratum)| (index.to_string(), *stratum);
        list.iter().enumerate().map(named).collect()
    }

    #[test]
    fn strata_that_explain_the_difference_leave_no_disparity() {
        // The group applies to the stricter stratum more often; within each, rates are equal.
        let strata = strata(&[stratum((10, 20), (50, 100)), stratum((8, 80), (10, 100))]);
        let found = conditional_demographic_disparity(&strata, confidence()).unwrap();
        assert!(found.disparity.value.abs() < 1e-15, "{found:?}");
        assert_eq!((found.compared, found.not_compared), (200, 0));
    }

    #[test]
    fn strata_without_contrast_are_counted_and_left_out() {
        let strata = strata(&[
            stratum((10, 40), (60, 100)),
            stratum((5, 5), (30, 30)),
            stratum((0, 0), (0, 7)),
            Stratum::default(),
        ]);
        let found = conditional_demographic_disparity(&strata, confidence()).unwrap();
        assert!((found.disparity.value - (30.0 / 40.0 - 10.0 / 60.0)).abs() < 1e-15);
        assert_eq!((found.compared, found.not_compared), (100, 37));
    }

    #[test]
    fn no_stratum_with_contrast_is_no_disparity() {
        let none = conditional_demographic_disparity(&BTreeMap::new(), confidence());
        assert_eq!(none, Err(Undefined::NoContrast));
        let all = strata(&[stratum((5, 5), (30, 30))]);
        let found = conditional_demographic_disparity(&all, confidence());
        assert_eq!(found, Err(Undefined::NoContrast));
    }
}
