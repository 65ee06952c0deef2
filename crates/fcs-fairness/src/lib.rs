//! Group fairness over counters: what was decided for each group, and how far groups are apart.
//!
//! For: additive integer state per group, the metrics over it with their intervals, a three-valued
//! verdict against a floor, and calibration of the predicted probability.
//! Not for: collecting decisions, storing counters, deciding which groups exist, or anything that
//! looks at one applicant.
//!
//! Conventions:
//! - Selection means approval. A referral is not an approval: it counts as a decision that did not
//!   select.
//! - Outcome metrics (default rate, calibration) cover approved applicants only, because nobody
//!   learns how a denied applicant would have repaid. They say nothing about the denied.
//! - A metric that is undefined is `None`. No function returns NaN or an infinity.
//! - Every interval is a two-sided interval for a sample of fixed size. Looking again and again
//!   while decisions arrive makes it wrong more often than its confidence says; see [`verdict()`].
//!
//! Invariants: counters are integers, so merging is exact, associative and commutative; a report of
//! merged counters equals the report of the whole; an [`Interval`] contains its value.

mod confidence;
mod counters;
mod disparity;
mod evidence;
mod interval;
mod proportion;
mod rates;
mod two_proportions;
mod undefined;
mod verdict;

pub mod calibration;
pub mod calibration_within;
pub mod discrimination;
pub mod error_rates;
pub mod extremes;
pub mod inequality;
pub mod min_max;
pub mod parity;
pub mod report;
pub mod score_gap;
pub mod scores;
pub mod sheet;
pub mod significance;
pub mod strata;
pub mod table;
pub mod tally;

pub use confidence::{Confidence, InvalidConfidence};
pub use counters::GroupCounters;
pub use disparity::{adverse_impact_ratio, approval_rate_difference, standardised_mean_difference};
pub use evidence::Evidence;
pub use interval::Interval;
pub use rates::{approval_rate, default_rate_among_approved};
pub use undefined::{Measured, Test, Undefined};
pub use verdict::{Thresholds, Verdict, verdict};
