//! Group fairness over counters: what was decided for each group, and how far groups are apart.
//!
//! For: additive integer state per group, every group metric over it with its interval and counts, a
//! three-valued verdict against a floor, and calibration of the predicted probability; evidence that
//! stays valid while it is watched ([`anytime`]), alarms ([`alarm`]) by a policy ([`policy`]), and
//! drift ([`drift`]).
//! Not for: collecting decisions, storing counters, deciding which groups exist, or anything that
//! looks at one applicant.
//!
//! [`table::Table`] holds decisions by group and stratum, from rows or from counters;
//! [`sheet::sheet`] gives every metric of one attribute, of an intersection or within a stratum. The
//! functions behind a sheet take counts of two groups and can be called one by one. [`proxy`] has rates of
//! groups that are known only by probabilities.
//!
//! Conventions:
//! - Selection means approval. A referral is not an approval: it counts as a decision that did not
//!   select. Repaid is the favourable outcome, and a higher score is better.
//! - Outcomes are rarely known of applicants who were not approved (selective labels). Each metric
//!   names its population; one that needs outcomes of everybody is undefined where only those of the
//!   approved are known.
//! - A metric without a value says why: [`Undefined`], or `None` in the older functions over
//!   [`GroupCounters`]. No function returns NaN or an infinity.
//! - Every interval and test, unless it says otherwise, is for a sample of fixed size. Looking again
//!   and again while decisions arrive makes it wrong more often than its confidence says; what is
//!   watched is judged by [`anytime`].
//!
//! Invariants: counts are integers, so merging is exact, associative and commutative, and a correction
//! is an increment taken back and another added; a report of merged counters equals the report of the
//! whole; rows and counters give the same numbers where both are defined; an [`Interval`] contains its
//! value.

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

pub mod alarm;
pub mod anytime;
pub mod calibration;
pub mod calibration_within;
pub mod discrimination;
pub mod drift;
pub mod error_rates;
pub mod extremes;
pub mod four_fifths;
pub mod inequality;
pub mod min_max;
pub mod parity;
pub mod policy;
pub mod proxy;
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
