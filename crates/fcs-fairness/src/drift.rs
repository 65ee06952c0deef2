//! Drift: how far what comes now is from what a model was built on, and how far chance alone would get.
//!
//! - [`counts`]: additive counters of a feature or score over edges that are frozen with the model.
//! - [`distance`]: population stability index, Jensen-Shannon, Kolmogorov-Smirnov and Wasserstein over them.
//! - [`samples`]: the last two for raw values.
//! - [`chance`]: what those reach by chance, by sample size.
//! - [`feature`]: all of it for one feature of all applicants or of one group, with data quality.
//! - [`arms`]: how the decisions of a version differ from those of the stable one on the same applications.
//! - [`estimated`]: expected performance before outcomes are known.
//! - [`vintage`]: performance by the month of the decision, as outcomes come in.
//!
//! Thresholds of practice (0.1 and 0.25 for the population stability index) are about large samples: with
//! fifty applicants and ten bins chance alone exceeds 0.1 in 85 % of windows. So a distance counts as drift
//! only if it also exceeds what chance does, and as stable only if chance leaves room to see a drift.
//!
//! These are tests of one window. The share of false alarms is per look, and is divided by the number of
//! comparisons in it; watching for months is the business of [`crate::anytime`].

pub mod arms;
pub mod chance;
pub mod counts;
pub mod distance;
pub mod estimated;
pub mod feature;
pub mod samples;
pub mod vintage;
