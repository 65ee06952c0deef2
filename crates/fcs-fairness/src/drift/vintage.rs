//! Performance by vintage: the month in which applications were decided, as outcomes come in.
//!
//! Outcomes are known for approved applicants only, and late ones are not like early ones: a vintage of which
//! a third has an outcome looks worse than it will, because defaults are told sooner than repayments. So each
//! says how complete it is.

use std::collections::BTreeMap;
use std::fmt;

use fcs_core::{Probability, UnixMicros};
use serde::{Deserialize, Serialize};

use crate::calibration::parts_per_million;
use crate::proportion::Proportion;
use crate::{Confidence, Interval};

const PARTS_PER_MILLION: f64 = 1_000_000.0;

/// A month of decisions; its text form is `YYYY-MM`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(String);

impl Month {
    /// The month of a time, in UTC.
    pub fn of(at: UnixMicros) -> Self {
        Self(at.date().chars().take("YYYY-MM".len()).collect())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.0
    }
}

impl TryFrom<String> for Month {
    type Error = InvalidMonth;

    fn try_from(text: String) -> Result<Self, InvalidMonth> {
        let first_day = format!("{text}-01T00:00:00Z");
        let is_month = UnixMicros::parse_rfc3339(&first_day).is_ok_and(|at| Self::of(at).0 == text);
        is_month.then_some(Self(text)).ok_or(InvalidMonth)
    }
}

/// The text is no month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a month, for example 2026-11")]
pub struct InvalidMonth;

/// What happened to an approved applicant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Repaid as agreed.
    Repaid,
    /// Defaulted.
    Defaulted,
}

/// Counters of one month; additive, and corrected by adding the opposite.
///
/// A correction may come before what it corrects, so a counter may be below zero for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VintageCounters {
    /// Approved applicants.
    pub approved: i64,
    /// Sum of their predicted default probabilities, in integer parts per million.
    pub predicted_default_ppm: i64,
    /// Those known to have repaid.
    pub repaid: i64,
    /// Those known to have defaulted.
    pub defaulted: i64,
    /// Sum of the predicted default probabilities of those whose outcome is known.
    pub known_predicted_default_ppm: i64,
}

/// Whether something is counted or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// It is so.
    Count,
    /// It was counted, and is not so.
    TakeBack,
}

impl Sign {
    fn times(self, number: i64) -> i64 {
        match self {
            Self::Count => number,
            Self::TakeBack => -number,
        }
    }
}

impl VintageCounters {
    /// An approval with its predicted default probability.
    pub fn approval(predicted_default: Probability, sign: Sign) -> Self {
        Self {
            approved: sign.times(1),
            predicted_default_ppm: sign.times(ppm(predicted_default)),
            ..Self::default()
        }
    }

    /// The outcome of an approval with that predicted default probability.
    pub fn outcome(outcome: Outcome, predicted_default: Probability, sign: Sign) -> Self {
        Self {
            repaid: sign.times(i64::from(outcome == Outcome::Repaid)),
            defaulted: sign.times(i64::from(outcome == Outcome::Defaulted)),
            known_predicted_default_ppm: sign.times(ppm(predicted_default)),
            ..Self::default()
        }
    }

    /// Adds other counters.
    pub fn merge(&mut self, other: &Self) {
        self.approved = self.approved.saturating_add(other.approved);
        self.predicted_default_ppm = self
            .predicted_default_ppm
            .saturating_add(other.predicted_default_ppm);
        self.repaid = self.repaid.saturating_add(other.repaid);
        self.defaulted = self.defaulted.saturating_add(other.defaulted);
        self.known_predicted_default_ppm = self
            .known_predicted_default_ppm
            .saturating_add(other.known_predicted_default_ppm);
    }

    /// The report; `None` without approvals, and while counters contradict each other because something is
    /// still to come.
    pub fn report(&self, confidence: Confidence, complete_share: f64) -> Option<VintageReport> {
        let approved = u64::try_from(self.approved)
            .ok()
            .filter(|approved| *approved > 0)?;
        let (repaid, defaulted) = (
            u64::try_from(self.repaid).ok()?,
            u64::try_from(self.defaulted).ok()?,
        );
        let known = repaid.saturating_add(defaulted);
        if known > approved {
            return None;
        }
        let completeness = known as f64 / approved as f64;
        let mean_predicted =
            self.predicted_default_ppm as f64 / PARTS_PER_MILLION / approved as f64;
        let expected = self.known_predicted_default_ppm as f64 / PARTS_PER_MILLION;
        Some(VintageReport {
            approved,
            known,
            completeness,
            complete: completeness >= complete_share,
            mean_predicted_default: mean_predicted,
            realised_default: Proportion::new(defaulted, known)
                .and_then(|share| share.wilson(confidence)),
            observed_to_expected: (expected > 0.0).then(|| defaulted as f64 / expected),
        })
    }
}

fn ppm(probability: Probability) -> i64 {
    i64::try_from(parts_per_million(probability)).unwrap_or(i64::MAX)
}

/// Counters by month.
pub type Vintages = BTreeMap<Month, VintageCounters>;

/// How a month turned out so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VintageReport {
    /// Approved applicants.
    pub approved: u64,
    /// Those whose outcome is known.
    pub known: u64,
    /// The share of them.
    pub completeness: f64,
    /// Whether the policy takes that for all.
    pub complete: bool,
    /// The mean predicted default probability of the approved.
    pub mean_predicted_default: f64,
    /// The share of defaults among the known, with Wilson's interval.
    pub realised_default: Option<Interval>,
    /// Defaults for each one predicted, among the known; 1 is as predicted.
    pub observed_to_expected: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::try_from(0.95).unwrap()
    }

    fn probability(value: f64) -> Probability {
        Probability::try_from(value).unwrap()
    }

    #[test]
    fn months_are_of_the_decision_in_utc() {
        let at = UnixMicros::parse_rfc3339("2026-12-01T00:30:00+01:00").unwrap();
        assert_eq!(Month::of(at).to_string(), "2026-11");
        for bad in ["2026-13", "2026-1", "26-01", "", "2026-01-01"] {
            assert_eq!(Month::try_from(bad.to_owned()), Err(InvalidMonth), "{bad}");
        }
    }

    #[test]
    fn a_correction_in_any_order_leaves_what_is_so() {
        let was = VintageCounters::outcome(Outcome::Repaid, probability(0.2), Sign::Count);
        let was_not = VintageCounters::outcome(Outcome::Repaid, probability(0.2), Sign::TakeBack);
        let is = VintageCounters::outcome(Outcome::Defaulted, probability(0.2), Sign::Count);
        let approval = VintageCounters::approval(probability(0.2), Sign::Count);
        let mut early = VintageCounters::default();
        let mut late = VintageCounters::default();
        for part in [approval, was, was_not, is] {
            early.merge(&part);
        }
        for part in [was_not, is, was, approval] {
            late.merge(&part);
            assert_eq!(late.report(confidence(), 0.9).is_some(), late.approved > 0);
        }
        assert_eq!(early, late);
        let report = early.report(confidence(), 0.9).unwrap();
        assert_eq!(
            (report.known, report.completeness, report.complete),
            (1, 1.0, true)
        );
        assert!((report.observed_to_expected.unwrap() - 5.0).abs() < 1e-12);
    }

    #[test]
    fn a_young_vintage_says_that_it_is_not_complete() {
        let mut counters = VintageCounters::default();
        for number in 0..100 {
            counters.merge(&VintageCounters::approval(probability(0.1), Sign::Count));
            if number < 30 {
                let outcome = if number < 6 {
                    Outcome::Defaulted
                } else {
                    Outcome::Repaid
                };
                counters.merge(&VintageCounters::outcome(
                    outcome,
                    probability(0.1),
                    Sign::Count,
                ));
            }
        }
        let report = counters.report(confidence(), 0.9).unwrap();
        assert_eq!((report.completeness, report.complete), (0.3, false));
        assert!((report.realised_default.unwrap().value - 0.2).abs() < 1e-12);
        assert!((report.observed_to_expected.unwrap() - 2.0).abs() < 1e-12);
        assert!((report.mean_predicted_default - 0.1).abs() < 1e-12);
        assert_eq!(VintageCounters::default().report(confidence(), 0.9), None);
    }
}
