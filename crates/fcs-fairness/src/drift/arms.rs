//! How the decisions of a version differ from those of the stable one on the same applications.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::{Confidence, Interval};

/// Decisions of both versions on the same applications; additive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedCounters {
    /// Both approved.
    pub both_approved: u64,
    /// Only the stable version approved.
    pub only_stable_approved: u64,
    /// Only the other version approved.
    pub only_arm_approved: u64,
    /// Neither approved.
    pub neither_approved: u64,
    /// Sum of the score of the other version less that of the stable one.
    pub score_change_sum: i64,
    /// Sum of the absolute differences of the scores.
    pub score_distance_sum: u64,
}

/// What both versions said about one application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The stable version approved.
    pub stable_approved: bool,
    /// The other version approved, or would have.
    pub arm_approved: bool,
    /// The score of the other version less that of the stable one.
    pub score_change: i64,
}

impl PairedCounters {
    /// Counts an application.
    pub fn record(&mut self, pair: Pair) {
        self.merge(&Self {
            both_approved: u64::from(pair.stable_approved && pair.arm_approved),
            only_stable_approved: u64::from(pair.stable_approved && !pair.arm_approved),
            only_arm_approved: u64::from(!pair.stable_approved && pair.arm_approved),
            neither_approved: u64::from(!pair.stable_approved && !pair.arm_approved),
            score_change_sum: pair.score_change,
            score_distance_sum: pair.score_change.unsigned_abs(),
        });
    }

    /// Adds the counters of other applications.
    pub fn merge(&mut self, other: &Self) {
        self.both_approved = self.both_approved.saturating_add(other.both_approved);
        self.only_stable_approved = self
            .only_stable_approved
            .saturating_add(other.only_stable_approved);
        self.only_arm_approved = self
            .only_arm_approved
            .saturating_add(other.only_arm_approved);
        self.neither_approved = self.neither_approved.saturating_add(other.neither_approved);
        self.score_change_sum = self.score_change_sum.saturating_add(other.score_change_sum);
        self.score_distance_sum = self
            .score_distance_sum
            .saturating_add(other.score_distance_sum);
    }

    /// All applications.
    pub fn applications(&self) -> u64 {
        self.both_approved
            .saturating_add(self.neither_approved)
            .saturating_add(self.disagreements())
    }

    /// Applications that the versions decide differently.
    pub fn disagreements(&self) -> u64 {
        self.only_stable_approved
            .saturating_add(self.only_arm_approved)
    }

    /// The comparison; `None` without applications.
    pub fn report(&self, confidence: Confidence) -> Option<PredictionDrift> {
        let applications = self.applications();
        if applications == 0 {
            return None;
        }
        let size = applications as f64;
        Some(PredictionDrift {
            applications,
            disagreement_rate: self.disagreements() as f64 / size,
            approval_rate_change: self.approval_rate_change(confidence)?,
            mcnemar_p_value: self.mcnemar_p_value()?,
            mean_score_change: self.score_change_sum as f64 / size,
            mean_score_distance: self.score_distance_sum as f64 / size,
        })
    }

    /// The approval rate of the other version less that of the stable one. The limits are those of the Wald
    /// interval with one half added to each of the four counts.
    ///
    /// Agresti, A. and Min, Y. (2005), "Simple improved confidence intervals for comparing matched
    /// proportions", Statistics in Medicine 24, 729-740.
    fn approval_rate_change(&self, confidence: Confidence) -> Option<Interval> {
        let (gained, lost) = (
            self.only_arm_approved as f64,
            self.only_stable_approved as f64,
        );
        let size = self.applications() as f64;
        let adjusted_size = size + 2.0;
        let centre = (gained - lost) / adjusted_size;
        let variance = (gained + lost + 1.0) / adjusted_size - centre * centre;
        let half_width = confidence.critical_value() * (variance.max(0.0) / adjusted_size).sqrt();
        let lower = (centre - half_width).max(-1.0);
        let upper = (centre + half_width).min(1.0);
        Interval::around((gained - lost) / size, lower, upper)
    }

    /// The two-sided probability that disagreements are this uneven if both directions are as likely: exact.
    ///
    /// McNemar, Q. (1947), "Note on the sampling error of the difference between correlated proportions or
    /// percentages", Psychometrika 12, 153-157.
    fn mcnemar_p_value(&self) -> Option<f64> {
        let smaller = self.only_stable_approved.min(self.only_arm_approved);
        let tail = Binomial::new(0.5, self.disagreements()).ok()?.cdf(smaller);
        Some((2.0 * tail).min(1.0))
    }
}

/// How far a version is from the stable one on the same applications.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionDrift {
    /// The applications.
    pub applications: u64,
    /// The share that is decided differently.
    pub disagreement_rate: f64,
    /// The approval rate of the version less that of the stable one.
    pub approval_rate_change: Interval,
    /// How likely so uneven disagreements are if neither version approves more.
    pub mcnemar_p_value: f64,
    /// The mean change of the score.
    pub mean_score_change: f64,
    /// The mean absolute change of the score.
    pub mean_score_distance: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::try_from(0.95).unwrap()
    }

    #[test]
    fn pairs_are_counted_by_who_approved() {
        let mut counters = PairedCounters::default();
        for (stable_approved, arm_approved, score_change) in [
            (true, true, 3),
            (true, false, -5),
            (false, true, 4),
            (false, false, 0),
            (true, true, 0),
        ] {
            counters.record(Pair {
                stable_approved,
                arm_approved,
                score_change,
            });
        }
        let report = counters.report(confidence()).unwrap();
        assert_eq!((report.applications, report.disagreement_rate), (5, 0.4));
        assert_eq!(
            (report.mean_score_change, report.mean_score_distance),
            (0.4, 2.4)
        );
        assert_eq!(
            (report.approval_rate_change.value, report.mcnemar_p_value),
            (0.0, 1.0)
        );
    }

    #[test]
    fn nothing_counted_is_no_report_and_full_agreement_still_has_an_interval() {
        assert_eq!(PairedCounters::default().report(confidence()), None);
        let agreed = PairedCounters {
            both_approved: 700,
            neither_approved: 300,
            ..PairedCounters::default()
        };
        let change = agreed.report(confidence()).unwrap().approval_rate_change;
        assert!(
            change.value == 0.0 && change.upper > 0.0 && change.upper < 0.005,
            "{change:?}"
        );
    }
}
