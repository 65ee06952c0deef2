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

use super::chance::{self, Rates};
use super::{Pair, ProxyCounts, counts::people, of_reference};
use crate::{Confidence, Interval, Measured, Undefined};

/// The least share of its own square that the probability of a group must have left, after what others say
/// of it, for its coefficient to be more than rounding.
const REMAINDER_MIN: f64 = 1e-9;

/// The selection rate of each group, with limits for chance. Rates and limits may lie outside `[0, 1]`: they
/// are not cut off, because that a rate does says that the assumption fails or that there are too few people.
///
/// A group without people has no rate; if the probabilities of the others do not tell them apart
/// ([`Undefined::Inseparable`]), none of them has one.
pub fn selection_rates(
    counts: &ProxyCounts,
    confidence: Confidence,
) -> Vec<Result<Interval, Undefined>> {
    let fit = Fit::of(counts);
    (0..counts.groups())
        .map(|group| {
            chance::rate(
                fit.rate(group)?,
                fit.weight_product(group, group),
                confidence,
            )
        })
        .collect()
}

/// The selection rate of the group over that of the reference group, with limits for chance; negative where
/// the rate of the group is.
///
/// # Panics
/// If one of the groups does not exist.
pub fn adverse_impact_ratio(counts: &ProxyCounts, pair: Pair, confidence: Confidence) -> Measured {
    match rates(&Fit::of(counts), pair) {
        Ok(rates) => chance::ratio(rates, confidence),
        Err(reason) => Measured::Undefined { reason },
    }
}

fn rates(fit: &Fit, pair: Pair) -> Result<Rates, Undefined> {
    let reference = of_reference(fit.rate(pair.reference))?;
    Ok(Rates {
        group: fit.rate(pair.group)?,
        reference,
        of_group: fit.weight_product(pair.group, pair.group),
        of_reference: fit.weight_product(pair.reference, pair.reference),
        of_both: fit.weight_product(pair.group, pair.reference),
    })
}

/// The solution `x` of `Σ b bᵀ x = Σ b d` over the groups that have people.
struct Fit {
    /// The place of each group in the solution, or why it has none.
    places: Vec<Result<usize, Undefined>>,
    rates: Vec<f64>,
    /// The inverse of `Σ b bᵀ`: a rate is a sum of decisions with the weights `(Σ b bᵀ)⁻¹ b`, and these are
    /// the sums of products of the weights.
    inverse: Vec<Vec<f64>>,
}

impl Fit {
    fn of(counts: &ProxyCounts) -> Self {
        let mut groups = Vec::new();
        let mut places = Vec::with_capacity(counts.groups());
        for group in 0..counts.groups() {
            places.push(counts.check(group).map(|()| groups.len()));
            if places[group].is_ok() {
                groups.push(group);
            }
        }
        let Some(factor) = Factor::of(counts, &groups) else {
            let inseparable = |place: Result<usize, _>| place.and(Err(Undefined::Inseparable));
            return Self {
                places: places.into_iter().map(inseparable).collect(),
                rates: Vec::new(),
                inverse: Vec::new(),
            };
        };
        let approvals = groups
            .iter()
            .map(|group| people(counts.approved.sums[*group]));
        let unit =
            |place: usize| (0..groups.len()).map(move |own| f64::from(u8::from(own == place)));
        Self {
            places,
            rates: factor.solve(approvals.collect()),
            inverse: (0..groups.len())
                .map(|place| factor.solve(unit(place).collect()))
                .collect(),
        }
    }

    fn rate(&self, group: usize) -> Result<f64, Undefined> {
        self.places[group].map(|place| self.rates[place])
    }

    /// The sum of products of the weights of two groups; 0 where one has no rate.
    fn weight_product(&self, one: usize, other: usize) -> f64 {
        match (self.places[one], self.places[other]) {
            (Ok(one), Ok(other)) => self.inverse[one][other],
            _ => 0.0,
        }
    }
}

/// Cholesky's decomposition of `Σ b bᵀ`, scaled to a diagonal of ones.
struct Factor {
    rows: Vec<Vec<f64>>,
    scale: Vec<f64>,
}

impl Factor {
    /// `None` if a group is a linear combination of others.
    fn of(counts: &ProxyCounts, groups: &[usize]) -> Option<Self> {
        let diagonal = groups.iter().map(|group| counts.product(*group, *group));
        let scale: Vec<f64> = diagonal.map(f64::sqrt).collect();
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(groups.len());
        for (row, group) in groups.iter().enumerate() {
            let mut own: Vec<f64> = Vec::with_capacity(row + 1);
            for (column, other) in groups[..row].iter().enumerate() {
                let product = counts.product(*group, *other) / (scale[row] * scale[column]);
                let left = product - dot(&own, &rows[column]);
                own.push(left / rows[column][column]);
            }
            let left = 1.0 - dot(&own, &own);
            // Also false where a number is none.
            if left > REMAINDER_MIN {
                own.push(left.sqrt());
                rows.push(own);
            } else {
                return None;
            }
        }
        Some(Self { rows, scale })
    }

    fn solve(&self, mut right: Vec<f64>) -> Vec<f64> {
        let size = right.len();
        for row in 0..size {
            let known = dot(&self.rows[row][..row], &right[..row]);
            right[row] = (right[row] / self.scale[row] - known) / self.rows[row][row];
        }
        for row in (0..size).rev() {
            let later = row + 1..size;
            let known: f64 = later
                .map(|place| self.rows[place][row] * right[place])
                .sum();
            right[row] = (right[row] - known) / self.rows[row][row];
        }
        for (value, scale) in right.iter_mut().zip(&self.scale) {
            *value /= scale;
        }
        right
    }
}

/// The sum of products, over as many as the shorter one has.
fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
