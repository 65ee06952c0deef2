use serde::{Deserialize, Serialize};

/// Everything that is remembered of one group: integers that only ever grow by addition.
///
/// Two sets of counters over disjoint decisions merge into the counters of their union, exactly and
/// in any order. Sums stop at the limits of their type instead of wrapping; a score of 850 reaches
/// the limit of `score_square_sum` after 10^13 decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCounters {
    /// Decisions that approved.
    pub approved: u64,
    /// Decisions that referred the application to a person. Not an approval.
    pub referred: u64,
    /// Decisions that denied.
    pub denied: u64,
    /// Sum of the integer scores of all decisions.
    pub score_sum: i64,
    /// Sum of the squares of the integer scores of all decisions.
    pub score_square_sum: i64,
    /// Approved applicants known to have repaid.
    pub approved_repaid: u64,
    /// Approved applicants known to have defaulted.
    pub approved_defaulted: u64,
}

impl GroupCounters {
    /// All decisions: approved, referred and denied.
    pub fn decisions(&self) -> u64 {
        self.approved
            .saturating_add(self.referred)
            .saturating_add(self.denied)
    }

    /// Approved applicants whose outcome is known.
    pub fn approved_with_outcome(&self) -> u64 {
        self.approved_repaid.saturating_add(self.approved_defaulted)
    }

    /// Adds the counters of other decisions.
    pub fn merge(&mut self, other: &Self) {
        self.approved = self.approved.saturating_add(other.approved);
        self.referred = self.referred.saturating_add(other.referred);
        self.denied = self.denied.saturating_add(other.denied);
        self.score_sum = self.score_sum.saturating_add(other.score_sum);
        self.score_square_sum = self.score_square_sum.saturating_add(other.score_square_sum);
        self.approved_repaid = self.approved_repaid.saturating_add(other.approved_repaid);
        self.approved_defaulted = self
            .approved_defaulted
            .saturating_add(other.approved_defaulted);
    }

    /// The mean score in points, `None` without decisions.
    pub fn mean_score(&self) -> Option<f64> {
        let decisions = self.decisions();
        (decisions > 0).then(|| self.score_sum as f64 / decisions as f64)
    }

    /// The population variance of the score in square points, `None` without decisions or when the
    /// two sums cannot belong to the same scores.
    pub fn score_variance(&self) -> Option<f64> {
        let decisions = i128::from(self.decisions());
        let score_sum = i128::from(self.score_sum);
        // The difference of two large numbers is taken in integers: in floating point it would
        // cancel to noise.
        let spread = decisions
            .checked_mul(i128::from(self.score_square_sum))?
            .checked_sub(score_sum.checked_mul(score_sum)?)?;
        let defined = decisions > 0 && spread >= 0;
        defined.then(|| spread as f64 / (decisions as f64 * decisions as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_defined_without_decisions() {
        let empty = GroupCounters::default();
        assert_eq!(empty.decisions(), 0);
        assert_eq!(empty.mean_score(), None);
        assert_eq!(empty.score_variance(), None);
    }

    #[test]
    fn mean_and_variance_follow_from_the_sums() {
        // Scores 600, 620 and 700.
        let counters = GroupCounters {
            approved: 1,
            referred: 1,
            denied: 1,
            score_sum: 1920,
            score_square_sum: 600 * 600 + 620 * 620 + 700 * 700,
            ..GroupCounters::default()
        };
        assert_eq!(counters.mean_score(), Some(640.0));
        assert_eq!(
            counters.score_variance(),
            Some((1600.0 + 400.0 + 3600.0) / 3.0)
        );
    }

    #[test]
    fn variance_keeps_its_digits_for_many_nearly_equal_scores() {
        // A billion scores of 850 and one of 849: floating point sums would lose the difference.
        let many = 1_000_000_000_u64;
        let counters = GroupCounters {
            approved: many + 1,
            score_sum: 850 * 1_000_000_000 + 849,
            score_square_sum: 850 * 850 * 1_000_000_000 + 849 * 849,
            ..GroupCounters::default()
        };
        let total = (many + 1) as f64;
        let expected = many as f64 / (total * total);
        let actual = counters.score_variance().unwrap();
        assert!(
            (actual / expected - 1.0).abs() < 1e-15,
            "{actual} {expected}"
        );
    }

    #[test]
    fn sums_that_cannot_be_have_no_variance() {
        let impossible = GroupCounters {
            approved: 2,
            score_sum: 10,
            ..GroupCounters::default()
        };
        assert_eq!(impossible.score_variance(), None);
        let extreme = GroupCounters {
            approved: u64::MAX,
            score_sum: i64::MIN,
            score_square_sum: i64::MIN,
            ..GroupCounters::default()
        };
        assert_eq!(extreme.score_variance(), None);
    }

    #[test]
    fn merging_stops_at_the_limits() {
        let mut full = GroupCounters {
            approved: u64::MAX,
            denied: 1,
            ..GroupCounters::default()
        };
        full.merge(&full.clone());
        assert_eq!((full.approved, full.denied), (u64::MAX, 2));
        assert_eq!(full.decisions(), u64::MAX);
    }
}
