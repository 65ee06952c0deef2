use crate::proportion::Proportion;
use crate::{Confidence, GroupCounters, Interval};

/// The share of a group's decisions that approved (selection rate), with its Wilson score interval.
///
/// Referred and denied applications both count as not approved. `None` without decisions.
pub fn approval_rate(counters: &GroupCounters, confidence: Confidence) -> Option<Interval> {
    approvals(counters)?.wilson(confidence)
}

/// The share of defaults among approved applicants whose outcome is known, with its Wilson score
/// interval.
///
/// It covers approved applicants only (selective labels): what the others would have done is never
/// observed. `None` while no outcome is known.
pub fn default_rate_among_approved(
    counters: &GroupCounters,
    confidence: Confidence,
) -> Option<Interval> {
    let defaults = Proportion::new(
        counters.approved_defaulted,
        counters.approved_with_outcome(),
    )?;
    defaults.wilson(confidence)
}

pub(crate) fn approvals(counters: &GroupCounters) -> Option<Proportion> {
    Proportion::new(counters.approved, counters.decisions())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(approved: u64, referred: u64, denied: u64) -> GroupCounters {
        GroupCounters {
            approved,
            referred,
            denied,
            ..GroupCounters::default()
        }
    }

    fn confidence() -> Confidence {
        Confidence::try_from(0.95).unwrap()
    }

    #[test]
    fn a_referral_is_not_an_approval() {
        let rate = approval_rate(&group(40, 10, 50), confidence()).unwrap();
        assert_eq!(
            rate,
            approval_rate(&group(40, 0, 60), confidence()).unwrap()
        );
        assert!((rate.value - 0.4).abs() < 1e-15);
    }

    #[test]
    fn the_limits_are_exact_when_all_or_none_are_approved() {
        let none = approval_rate(&group(0, 0, 10), confidence()).unwrap();
        assert_eq!((none.value.to_bits(), none.lower.to_bits()), (0, 0));
        // With nothing selected the Wilson upper limit is z² / (n + z²).
        assert!(
            (none.upper - 0.277_532_799_862_889).abs() < 1e-12,
            "{}",
            none.upper
        );
        let all = approval_rate(&group(10, 0, 0), confidence()).unwrap();
        assert_eq!(all.upper.to_bits(), 1.0_f64.to_bits());
        assert!((all.lower + none.upper - 1.0).abs() < 1e-12);
    }

    #[test]
    fn rates_without_a_denominator_are_undefined() {
        assert_eq!(approval_rate(&GroupCounters::default(), confidence()), None);
        assert_eq!(
            default_rate_among_approved(&group(5, 0, 5), confidence()),
            None
        );
    }

    #[test]
    fn the_default_rate_counts_only_known_outcomes() {
        let counters = GroupCounters {
            approved_repaid: 30,
            approved_defaulted: 10,
            ..group(100, 0, 100)
        };
        let rate = default_rate_among_approved(&counters, confidence()).unwrap();
        assert!((rate.value - 0.25).abs() < 1e-15);
    }
}
