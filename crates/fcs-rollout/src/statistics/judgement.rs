use fcs_core::{Alpha, EValue};
use serde::{Deserialize, Serialize};

use super::arm::{FAILURE_FACTORS, RiskRatio, worse_than};
use super::assignment::sample_ratio_mismatch;
use super::rate::{RateInterval, RateLimit, is_rate_above, is_rate_below, rate_interval};
use super::ratio::{RatioInterval, is_ratio_below, risk_ratio};
use super::search::smallest;
use super::{Absence, Arms, Counts, Needed, Tally, Verdict, Weight};

/// Most further requests that are looked for.
const NEEDED_MAX: u64 = 10_000_000;

/// What a candidate is asked, and how sure the answers must be.
///
/// A candidate that is no worse than tolerated is ever stopped with a probability of at most the sum of the two
/// alphas of `ratio` and `rate`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// The candidate beside the stable arm.
    pub ratio: RatioCriterion,
    /// The candidate alone; `None` if no share of bad requests is right or wrong in itself.
    pub rate: Option<RateCriterion>,
    /// Alpha of the guard that requests reach the arms as they should.
    pub assignment_alpha: Alpha,
}

/// What is asked of the ratio of risks. Valid while there is a stable arm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatioCriterion {
    /// For each answer.
    pub alpha: Alpha,
    /// Shown to be above: breach.
    pub tolerated: RiskRatio,
    /// Shown to be below: clear.
    pub certified: RiskRatio,
    /// No breach before so many bad requests of both arms.
    pub bad_requests_min: u64,
}

/// What is asked of the candidate's share of bad requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateCriterion {
    /// For each answer.
    pub alpha: Alpha,
    /// Shown to be above where there is no stable arm to compare with: breach.
    pub tolerated: RateLimit,
    /// Shown to be below: clear.
    pub certified: RateLimit,
}

/// Which answer decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grounds {
    /// The ratio of risks.
    Ratio,
    /// The candidate's share of bad requests.
    Rate,
}

/// A verdict with everything that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What a breach or a clearance rests on.
    pub grounds: Option<Grounds>,
    /// That the candidate's risk is above the tolerated ratio.
    pub worse: EValue,
    /// The ratio of risks.
    pub ratio: RatioInterval,
    /// The candidate's share of bad requests; `None` without a criterion or without requests.
    pub rate: Option<RateInterval>,
    /// That requests do not go to the arms as they should.
    pub mismatch: EValue,
}

/// Judges a candidate while `weight` is in force, from everything since the rollout began.
///
/// Counts of a whole weight are judged by themselves: they alone say how the candidate carries everything. A
/// candidate without requests at the present weight is never cleared by those of an earlier one.
pub fn judge(counts: &Counts, weight: Weight, criteria: &Criteria) -> Judgement {
    let question = Question::about(counts, weight, criteria);
    let (verdict, grounds) = question.answer(counts);
    let tally = question.candidate(counts);
    let rate = criteria
        .rate
        .and_then(|rate| rate_interval(tally, rate.alpha));
    Judgement {
        verdict,
        grounds,
        worse: worse_than(counts, criteria.ratio.tolerated, &FAILURE_FACTORS),
        ratio: risk_ratio(counts, criteria.ratio.alpha),
        rate,
        mismatch: sample_ratio_mismatch(counts),
    }
}

/// Whether the verdict would be a breach, and on what grounds.
pub(crate) fn stop(counts: &Counts, weight: Weight, criteria: &Criteria) -> Option<Grounds> {
    Question::about(counts, weight, criteria).breach(counts)
}

/// Whether the verdict would be that the candidate is clear.
pub(crate) fn is_clear(counts: &Counts, weight: Weight, criteria: &Criteria) -> bool {
    let question = Question::about(counts, weight, criteria);
    let is_judged = question.is_comparable && counts.at(weight).candidate.requests() > 0;
    is_judged && question.breach(counts).is_none() && question.clear(counts).is_some()
}

struct Question<'a> {
    weight: Weight,
    criteria: &'a Criteria,
    is_comparable: bool,
}

impl<'a> Question<'a> {
    fn about(counts: &Counts, weight: Weight, criteria: &'a Criteria) -> Self {
        let bar = criteria.assignment_alpha.bar();
        Self {
            weight,
            criteria,
            is_comparable: !sample_ratio_mismatch(counts).reaches(bar),
        }
    }

    fn answer(&self, counts: &Counts) -> (Verdict, Option<Grounds>) {
        if let Some(grounds) = self.breach(counts) {
            return (Verdict::Breach, Some(grounds));
        }
        if counts.at(self.weight).candidate.requests() == 0 {
            let reason = Absence::Missing;
            return (Verdict::NoData { reason }, None);
        }
        if !self.is_comparable {
            let reason = Absence::SampleRatioMismatch;
            return (Verdict::NoData { reason }, None);
        }
        if let Some(grounds) = self.clear(counts) {
            return (Verdict::Clear, Some(grounds));
        }
        let needed = self.needed(counts);
        (Verdict::Insufficient { needed }, None)
    }

    fn breach(&self, counts: &Counts) -> Option<Grounds> {
        if self.is_comparable && is_ratio_breached(counts, &self.criteria.ratio) {
            return Some(Grounds::Ratio);
        }
        let rate = self.criteria.rate.filter(|_| self.weight.is_whole())?;
        let tally = self.candidate(counts);
        is_rate_above(tally, rate.tolerated, rate.alpha).then_some(Grounds::Rate)
    }

    fn clear(&self, counts: &Counts) -> Option<Grounds> {
        if self.is_ratio_clear(counts) {
            return Some(Grounds::Ratio);
        }
        self.is_rate_clear(self.candidate(counts))
            .then_some(Grounds::Rate)
    }

    fn is_ratio_clear(&self, counts: &Counts) -> bool {
        let ratio = &self.criteria.ratio;
        !self.weight.is_whole() && is_ratio_below(counts, ratio.certified, ratio.alpha)
    }

    fn is_rate_clear(&self, tally: Tally) -> bool {
        let is_clear = |rate: RateCriterion| is_rate_below(tally, rate.certified, rate.alpha);
        self.criteria.rate.is_some_and(is_clear)
    }

    /// What the candidate did: with everything, or with less than everything.
    fn candidate(&self, counts: &Counts) -> Tally {
        counts
            .iter()
            .filter(|(weight, _)| weight.is_whole() == self.weight.is_whole())
            .fold(Tally::default(), |sum, (_, arms)| sum.plus(arms.candidate))
    }

    fn needed(&self, counts: &Counts) -> Needed {
        let with = |candidate: Tally, stable: Tally| {
            let mut counts = counts.clone();
            counts.add(self.weight, Arms { candidate, stable });
            counts
        };
        let none = Tally::default();
        Needed {
            bad_requests_to_breach: smallest(NEEDED_MAX, |n| {
                self.breach(&with(all_bad(n), none)).is_some()
            }),
            bad_requests_to_clear: smallest(NEEDED_MAX, |n| {
                self.is_ratio_clear(&with(none, all_bad(n)))
            }),
            good_requests_to_clear: smallest(NEEDED_MAX, |n| {
                self.is_rate_clear(self.candidate(&with(all_good(n), none)))
            }),
            exceeding_micros_to_breach: None,
        }
    }
}

/// Whether evidence and number of bad requests make a breach by comparison.
fn is_ratio_breached(counts: &Counts, ratio: &RatioCriterion) -> bool {
    let bad = counts
        .compared()
        .fold(0_u64, |sum, (_, arms)| sum.saturating_add(arms.bad()));
    bad >= ratio.bad_requests_min
        && worse_than(counts, ratio.tolerated, &FAILURE_FACTORS).reaches(ratio.alpha.bar())
}

fn all_bad(requests: u64) -> Tally {
    Tally::new(requests, requests).unwrap_or_default()
}

fn all_good(requests: u64) -> Tally {
    Tally::new(requests, 0).unwrap_or_default()
}
