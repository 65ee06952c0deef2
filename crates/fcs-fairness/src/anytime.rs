//! Bets that stays valid while it is watched: tests by betting.
//!
//! A fixed-size test that is asked again after every decision sooner or later sees a breach where there is
//! none. An e-process may be looked at as often as one likes: under its null hypothesis it ever reaches
//! `1 / alpha` with a probability of at most `alpha` (Ville 1939; Ramdas, Grünwald, Vovk and Shafer (2023),
//! "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38, 576-601).
//!
//! - [`ratio`]: is the adverse impact ratio below its floor, or above it?
//! - [`gap`]: did a new version widen the approval gap, paired (both versions decide every application) or
//!   split (each application is decided by one version)?
//! - [`weighted`]: the ratio where membership is known only as a probability.
//! - [`counts`]: one number from four integers, for a single short window.
//! - [`ChangeDetector`]: the same payoffs, but sensitive to a change at any time.
//! - [`multiple`]: which of many groups and metrics are rejected together.
//! - [`watch`]: these put together for one group, with the verdict and how much is missing for one.
//!
//! What is compared is grouped into blocks of neighbouring decisions. The null hypothesis is about every
//! moment, so an approval rate that drifts for everybody is not held against anybody. Block limits depend on
//! who arrived, never on what was decided.
//!
//! Every number that is kept is either an integer or made by additions, multiplications and divisions of
//! IEEE 754 alone, so the same decisions in the same order give the same bits on every machine.

pub mod counts;
pub mod gap;
pub mod multiple;
pub mod ratio;
pub mod watch;
pub mod weighted;

mod bets;
mod detector;
mod logarithm;
mod payoff;
mod wealth;

pub use bets::{Bets, Forecast};
pub use detector::{ChangeDetector, Starts};
pub use fcs_core::{Alpha, EValue, InvalidAlpha};
pub use payoff::{Payoff, Payoffs};
pub use wealth::Wealth;
