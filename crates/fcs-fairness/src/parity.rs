//! Approval rates compared: what can be observed of every decision, without outcomes.

use crate::proportion::Proportion;
use crate::tally::Tally;
use crate::{Confidence, Interval, Undefined, two_proportions};

/// The share of decisions that approved, with its Wilson score interval.
pub fn selection_rate(group: &Tally, confidence: Confidence) -> Result<Interval, Undefined> {
    selections(group)?.interval(confidence)
}

/// Adverse impact ratio, also disparate impact: `q_p / q_r`, the approval rate of the group over that
/// of the reference group. Katz interval.
///
/// The four-fifths rule of 29 CFR 1607.4(D) flags values below 0.8; it was written for employment and
/// no lending regulator has codified it. aif360: `disparate_impact`.
pub fn adverse_impact_ratio(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    two_proportions::ratio(selections(group)?, selections(reference)?, confidence)
}

/// Demographic parity difference: `q_p - q_r`, negative when the group is approved less often.
/// Newcombe interval. aif360: `statistical_parity_difference`.
pub fn demographic_parity_difference(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    two_proportions::difference(selections(group)?, selections(reference)?, confidence)
}

/// Demographic parity ratio of two groups: the smaller approval rate over the larger; at most 1, and
/// blind to who is ahead. fairlearn: `demographic_parity_ratio` of two groups.
pub fn demographic_parity_ratio(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let (group, reference) = (selections(group)?, selections(reference)?);
    two_proportions::smaller_over_larger(group, reference, confidence)
}

/// Shortfall: `n_p q_r - k_p`, the approvals that the group lacks to be approved at the reference
/// group's rate; negative when it has more. In applicants.
///
/// It is the demographic parity difference times `-n_p`, and so is its interval.
pub fn shortfall(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let size = selections(group)?.total;
    demographic_parity_difference(group, reference, confidence)?
        .negated()
        .scaled(size, 0.0)
}

/// Denial odds ratio: the odds of not being approved in the group over those in the reference group;
/// above 1 when the group is turned down more often. Woolf interval.
///
/// Its reciprocal is the odds ratio of approval. Referrals count as not approved.
pub fn denial_odds_ratio(
    group: &Tally,
    reference: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let denials = |tally: &Tally| selections(tally).map(Proportion::complement);
    two_proportions::odds_ratio(denials(group)?, denials(reference)?, confidence)
}

pub(crate) fn selections(tally: &Tally) -> Result<Proportion, Undefined> {
    tally.check()?;
    Proportion::of_counts(tally.approved.total(), tally.decisions())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::tally::ByOutcome;

    pub(crate) fn decided(approved: i64, decisions: i64) -> Tally {
        let unknown = |unknown: i64| ByOutcome {
            unknown,
            ..ByOutcome::default()
        };
        Tally {
            approved: unknown(approved),
            denied: unknown(decisions - approved),
            ..Tally::default()
        }
    }

    pub(crate) fn confidence() -> Confidence {
        Confidence::try_from(0.95).unwrap()
    }

    #[test]
    fn the_published_shortfall_is_found() {
        // SolasAI's public example: Hispanic 167 of 508, Non-Hispanic 2072 of 3808, shortfall 109.4.
        let (group, reference) = (decided(167, 508), decided(2072, 3808));
        let found = shortfall(&group, &reference, confidence()).unwrap();
        assert!((found.value - 109.4).abs() < 0.05, "{found:?}");
        assert!(found.lower > 80.0 && found.upper < 140.0, "{found:?}");
    }

    #[test]
    fn the_denial_odds_ratio_is_the_reciprocal_of_the_published_one() {
        let (group, reference) = (decided(141, 340), decided(1854, 3623));
        let found = denial_odds_ratio(&group, &reference, confidence()).unwrap();
        assert!((1.0 / found.value - 0.676_058).abs() < 5e-7, "{found:?}");
    }

    #[test]
    fn each_undefined_value_names_its_reason() {
        let some = decided(1, 2);
        let ratio =
            |group: &Tally, reference: &Tally| adverse_impact_ratio(group, reference, confidence());
        assert_eq!(ratio(&Tally::default(), &some), Err(Undefined::NoDecisions));
        assert_eq!(
            ratio(&some, &decided(0, 2)),
            Err(Undefined::ZeroDenominator)
        );
        assert_eq!(ratio(&decided(3, 2), &some), Err(Undefined::NegativeCount));
        let nobody_denied = denial_odds_ratio(&some, &decided(2, 2), confidence());
        assert_eq!(nobody_denied, Err(Undefined::ZeroDenominator));
    }
}
