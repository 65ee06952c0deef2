//! The linear estimator: decisions regressed on the probabilities of all groups, by least squares without
//! an intercept (the probabilities are 1 together).
//!
//! The coefficient of a group is its selection rate if decisions do not depend on the probabilities among
//! members of the same group. For two groups the difference of the coefficients is `Cov(b, d) / Var(b)`,
//! where the weighted estimator gives `Cov(b, d) / (E[b] (1 - E[b]))`.
//!
//! Elzayn, H., Smith, E., Hertz, T. and others (2023), "Measuring and Mitigating Racial Disparities in Tax
//! Audits", Stanford Institute for Economic Policy Research: the true difference lies between the two if
//! `E[Cov(d, member | b)]` and `E[Cov(d, b | member)]` have the same sign. Neither can be seen without
//! members who are known.

use super::{Pair, ProxyCounts, of_reference, ratio};
use crate::Undefined;

/// The least share of its own square that the probability of a group must have left, after what others say
/// of it, for its coefficient to be more than rounding.
const REMAINDER_MIN: f64 = 1e-9;

/// The selection rate of each group. A rate may lie outside `[0, 1]`: it is not cut off, because that it
/// does says that the assumption fails or that there are too few people.
///
/// A group without people has no rate; if the probabilities of the others do not tell them apart
/// ([`Undefined::Inseparable`]), none of them has one.
pub fn selection_rates(counts: &ProxyCounts) -> Vec<Result<f64, Undefined>> {
    let mut rates: Vec<Result<f64, Undefined>> = (0..counts.groups())
        .map(|group| counts.check(group).map(|()| 0.0))
        .collect();
    let groups: Vec<usize> = (0..counts.groups()).filter(|g| rates[*g].is_ok()).collect();
    match coefficients(counts, &groups) {
        Some(found) => {
            for (group, rate) in groups.into_iter().zip(found) {
                rates[group] = Ok(rate);
            }
        }
        None => {
            for group in groups {
                rates[group] = Err(Undefined::Inseparable);
            }
        }
    }
    rates
}

/// The selection rate of the group over that of the reference group; negative where that of the group is.
///
/// # Panics
/// If one of the groups does not exist.
pub fn adverse_impact_ratio(counts: &ProxyCounts, pair: Pair) -> Result<f64, Undefined> {
    let rates = selection_rates(counts);
    let reference = of_reference(rates[pair.reference])?;
    ratio(rates[pair.group]?, reference)
}

/// Solves `Σ b bᵀ x = Σ b d` by Cholesky's decomposition, scaled to a diagonal of ones. `None` if a group
/// is a linear combination of others.
fn coefficients(counts: &ProxyCounts, groups: &[usize]) -> Option<Vec<f64>> {
    let size = groups.len();
    let scale: Vec<f64> = groups
        .iter()
        .map(|group| counts.product(*group, *group).sqrt())
        .collect();
    let mut factor = vec![vec![0.0; size]; size];
    let mut solution = vec![0.0; size];
    for row in 0..size {
        for column in 0..=row {
            let product = counts.product(groups[row], groups[column]);
            let known: f64 = (0..column)
                .map(|place| factor[row][place] * factor[column][place])
                .sum();
            let left = product / (scale[row] * scale[column]) - known;
            if column < row {
                factor[row][column] = left / factor[column][column];
            } else if left > REMAINDER_MIN {
                factor[row][row] = left.sqrt();
            } else {
                return None;
            }
        }
        let approvals = super::counts::people(counts.approved.sums[groups[row]]) / scale[row];
        let known: f64 = (0..row)
            .map(|place| factor[row][place] * solution[place])
            .sum();
        solution[row] = (approvals - known) / factor[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size)
            .map(|place| factor[place][row] * solution[place])
            .sum();
        solution[row] = (solution[row] - known) / factor[row][row];
    }
    for (value, scale) in solution.iter_mut().zip(&scale) {
        *value /= scale;
    }
    Some(solution)
}
