//! Is the candidate worse than the stable version, is it good enough, or is it too early to say?
//!
//! Everything here may be looked at after every request: an e-process ever reaches `1 / alpha` with a
//! probability of at most `alpha` where nothing is wrong, and a confidence sequence holds at all times together.
//! Judging a fixed-size test again at every interval does not: at |Z| > 1.96 one look in twenty is wrong, and
//! with a hundred looks one *rollout* in three.
//!
//! - [`judge`]: the verdict on counts, from all of the following.
//! - [`arm`]: which arm do bad requests come from? The default test, for failures and for slow requests.
//! - [`risk_ratio`]: how many times the stable arm's risk the candidate's is.
//! - [`rate_interval`]: the candidate's share of bad requests, also where there is no stable arm.
//! - [`Latencies`]: slower anywhere in the distribution; [`Signs`]: slower in most pairs.
//! - [`sample_ratio_mismatch`]: do requests reach the arms as they should? A condition of the first two.
//! - [`BlockTest`]: for arms that are not assigned at random. [`Means`]: for scores.
//!   [`quantile_difference`]: for raw values, offline.
//! - [`Sustained`]: a fixed threshold for a fixed time, which needs no stable arm and proves nothing;
//!   [`guard_action`]: what follows from it.
//! - [`simulate`]: what a plan does to healthy and to broken candidates.
//!
//! Assumed: requests are assigned by a hash that knows nothing of their outcome; an application counts once per
//! weight (retries multiply errors); a candidate's warm-up is not counted; the weight of each request is known.
//!
//! Several metrics share one alpha by splitting it, or by the mean of their e-values. Another attempt with the
//! same candidate has a smaller one: [`alpha_of_attempt`].
//!
//! Logarithms are those of `libm`, so the same counts give the same bits on every machine.

pub mod arm;
pub mod simulate;

mod assignment;
mod beta;
mod blocks;
mod counts;
mod guard;
mod judgement;
mod latency;
mod means;
mod quantile;
mod rate;
mod ratio;
mod search;
mod signs;
mod sustained;
mod verdict;

use std::num::NonZeroU32;

use fcs_core::Alpha;

pub use assignment::sample_ratio_mismatch;
pub use blocks::BlockTest;
pub use counts::{Arms, Counts, InvalidTally, InvalidWeight, Tally, Weight};
pub use guard::{Attribution, GuardAction, guard_action};
pub use judgement::{Criteria, Grounds, Judgement, RateCriterion, RatioCriterion, judge};
pub use latency::{Buckets, InvalidLatencies, Latencies};
pub use means::{MeanQuestion, Means};
pub use quantile::{QuantileQuestion, quantile_difference};
pub use rate::{
    InvalidRateLimit, RateInterval, RateLimit, is_rate_above, is_rate_below, rate_interval,
};
pub use ratio::{RatioInterval, is_ratio_below, risk_ratio};
pub use signs::Signs;
pub use sustained::{Sample, Sustained, SustainedRule};
pub use verdict::{Absence, Needed, Verdict};

/// What attempt `k` (from 1) with the same candidate may spend of alpha: `6 alpha / (pi k)^2`. All attempts
/// together then spend at most `alpha`; trying until it passes would be peeking.
pub fn alpha_of_attempt(alpha: Alpha, attempt: NonZeroU32) -> Alpha {
    let turn = std::f64::consts::PI * f64::from(attempt.get());
    let share = (6.0 * alpha.get() / (turn * turn)).max(f64::MIN_POSITIVE);
    Alpha::try_from(share).expect("a share of an alpha is above 0 and below 1")
}
