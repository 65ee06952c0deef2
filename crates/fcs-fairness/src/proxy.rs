//! Selection rates of groups whose members are known only by probabilities, as a proxy gives them.
//!
//! Nobody is ever put into the group that is most probable: that moves people who are hard to place into
//! the groups that are easy to guess, and its error has no known sign (Chen, J., Kallus, N., Mao, X.,
//! Svacha, G. and Udell, M. (2019), "Fairness Under Unawareness: Assessing Disparity When Protected
//! Class Is Unobserved", FAT* 2019). Instead there are three answers from the same sums:
//!
//! - [`weighted`]: everybody counts for each group as far as they probably belong to it. Right if
//!   decisions do not depend on the group among people with the same probabilities; if a group is treated
//!   worse among them as well, the disparity looks smaller than it is.
//! - [`linear`]: decisions are regressed on the probabilities. Right if decisions do not depend on the
//!   probabilities among members of the same group; errs to the other side, towards a larger disparity.
//! - [`frechet`]: what no assignment of people to groups that agrees with the probabilities can leave.
//!   Needs no assumption but that the probabilities are right, and is wide.
//!
//! The first two have an interval for what chance does; the bounds have none.
//!
//! With groups that are known, all three are the plain rates. They belong together: one of them alone is
//! not a finding. None holds if the probabilities themselves are wrong for the population at hand.

mod chance;
mod counts;
pub mod frechet;
pub mod linear;
mod membership;
mod report;
pub mod weighted;

pub use counts::{BINS, DifferentGroups, ProxyCounts};
pub use membership::{GROUPS_MAX, InvalidMembership, InvalidParts, Membership, SUM_TOLERANCE};
pub use report::{
    Bracket, Estimates, GroupEstimates, Limits, ProxyReport, ReportError, Request, report,
};

use crate::Undefined;

/// Two groups that are compared, by their places among the probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The group of interest.
    pub group: usize,
    /// The group that it is compared with.
    pub reference: usize,
}

/// A rate of the reference group; that nobody belongs to it is said in its own words.
fn of_reference<T>(rate: Result<T, Undefined>) -> Result<T, Undefined> {
    rate.map_err(|reason| match reason {
        Undefined::NoDecisions => Undefined::NoReferenceGroup,
        other => other,
    })
}

/// A ratio to a rate above zero.
fn ratio(group: f64, reference: f64) -> Result<f64, Undefined> {
    if reference <= 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let ratio = group / reference;
    ratio
        .is_finite()
        .then_some(ratio)
        .ok_or(Undefined::NotFinite)
}
