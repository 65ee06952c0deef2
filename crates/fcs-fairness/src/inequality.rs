//! Inequality of what decisions give people, where outcomes are known.
//!
//! The benefit of a person is `b = D - Y + 1`: 0 for a repayer who was not approved, 1 for a right
//! decision, 2 for a defaulter who was approved. Speicher, T. and others (2018), "A unified approach to
//! quantifying algorithmic unfairness", KDD 24; aif360 `theil_index`, `generalized_entropy_index`.

use crate::error_rates::Rate;
use crate::tally::Tally;
use crate::{Confidence, Interval, Undefined};

/// Which generalised entropy index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entropy {
    /// `GE(1) = mean((b / mu) ln(b / mu))`, with `0 ln 0 = 0`.
    Theil,
    /// `GE(2) = mean((b / mu)^2 - 1) / 2`, half the squared coefficient of variation.
    Squared,
}

/// People by benefit.
#[derive(Clone, Copy)]
struct Benefits {
    /// With benefits 0, 1 and 2.
    counts: [f64; 3],
}

const BENEFITS: [f64; 3] = [0.0, 1.0, 2.0];

impl Benefits {
    /// Fails where outcomes are known for approved applicants only: nobody could have benefit 0.
    fn of(tally: &Tally) -> Result<Self, Undefined> {
        Rate::Accuracy.of(tally)?;
        let (approved, declined) = (tally.approved, tally.declined());
        let right = approved.repaid as f64 + declined.defaulted as f64;
        Ok(Self {
            counts: [declined.repaid as f64, right, approved.defaulted as f64],
        })
    }

    fn size(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The mean of a function of the benefit.
    fn mean(&self, of: impl Fn(f64) -> f64) -> f64 {
        let mut sum = 0.0;
        for (count, benefit) in self.counts.iter().zip(BENEFITS) {
            sum += count * of(benefit);
        }
        sum / self.size()
    }

    /// One half more of each, if a benefit does not occur: for limits only.
    fn away_from_the_ends(self) -> Self {
        if self.counts.iter().all(|count| *count > 0.0) {
            return self;
        }
        Self {
            counts: self.counts.map(|count| count + 0.5),
        }
    }
}

/// The generalised entropy index of the benefits of one group, or of all people together; 0 when all
/// have the same, larger with more inequality.
///
/// Limits by the delta method over the three multinomial shares; if a benefit does not occur, the
/// limits (not the value) take one half more of each.
pub fn generalised_entropy(
    entropy: Entropy,
    people: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let benefits = Benefits::of(people)?;
    let value = index(entropy, &benefits)?;
    let smoothed = benefits.away_from_the_ends();
    let centre = index(entropy, &smoothed)?;
    let slope = slope(entropy, &smoothed);
    let mean_slope = smoothed.mean(&slope);
    let variance = smoothed.mean(|benefit| (slope(benefit) - mean_slope).powi(2)) / smoothed.size();
    let half_width = confidence.critical_value() * variance.sqrt();
    let lower = (centre - half_width).max(0.0);
    Interval::around(value.max(0.0), lower, centre + half_width).ok_or(Undefined::NotFinite)
}

/// The coefficient of variation of the benefits, `sqrt(2 GE(2))`, with the limits of [`Entropy::Squared`].
pub fn coefficient_of_variation(
    people: &Tally,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let squared = generalised_entropy(Entropy::Squared, people, confidence)?;
    let root = |index: f64| (2.0 * index).sqrt();
    Interval::around(
        root(squared.value),
        root(squared.lower),
        root(squared.upper),
    )
    .ok_or(Undefined::NotFinite)
}

/// The part of the index that lies between groups: everybody's benefit replaced by the mean of their
/// group. aif360: `between_all_groups_generalized_entropy_index`.
///
/// It has no interval: near equality its distribution is not normal, and the delta method would give
/// a width of zero.
pub fn between_groups(entropy: Entropy, groups: &[&Tally]) -> Result<f64, Undefined> {
    let mut means = Vec::with_capacity(groups.len());
    let (mut size, mut total) = (0.0, 0.0);
    for tally in groups.iter().filter(|tally| !tally.is_empty()) {
        let benefits = Benefits::of(tally)?;
        let mean = benefits.mean(|benefit| benefit);
        size += benefits.size();
        total += benefits.size() * mean;
        means.push((benefits.size(), mean));
    }
    if size <= 0.0 {
        return Err(Undefined::NoOutcomes);
    }
    if total <= 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let overall = total / size;
    let sum: f64 = means
        .iter()
        .map(|(count, mean)| count * term(entropy, mean / overall))
        .sum();
    Ok(sum / size)
}

/// What one person of relative benefit `b / mu` adds to the mean.
fn term(entropy: Entropy, relative: f64) -> f64 {
    match entropy {
        Entropy::Theil => times_logarithm(relative),
        Entropy::Squared => f64::midpoint(relative * relative, -1.0),
    }
}

/// `x ln x`, continuous at 0.
fn times_logarithm(number: f64) -> f64 {
    if number > 0.0 {
        number * number.ln()
    } else {
        0.0
    }
}

/// Undefined if nobody has any benefit.
fn index(entropy: Entropy, benefits: &Benefits) -> Result<f64, Undefined> {
    let mean = benefits.mean(|benefit| benefit);
    if mean <= 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    Ok(benefits.mean(|benefit| term(entropy, benefit / mean)))
}

/// The derivative of the index by the share of people with a benefit, up to a constant.
///
/// `GE(1) = A / mu - ln mu` with `A = mean(b ln b)`, and `GE(2) = M / (2 mu^2) - 1/2` with
/// `M = mean(b^2)`.
fn slope(entropy: Entropy, benefits: &Benefits) -> impl Fn(f64) -> f64 + use<> {
    let mean = benefits.mean(|benefit| benefit);
    let logarithms = benefits.mean(times_logarithm);
    let squares = benefits.mean(|benefit| benefit * benefit);
    move |benefit| match entropy {
        Entropy::Theil => {
            (times_logarithm(benefit) - benefit) / mean - logarithms * benefit / (mean * mean)
        }
        Entropy::Squared => {
            benefit * benefit / (2.0 * mean * mean) - squares * benefit / mean.powi(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::confidence;
    use crate::tally::{Decision, Outcome};

    fn people(counts: [i64; 3]) -> Tally {
        let mut tally = Tally::default();
        for (count, (decision, outcome)) in counts.iter().zip([
            (Decision::Deny, Outcome::Repaid),
            (Decision::Approve, Outcome::Repaid),
            (Decision::Approve, Outcome::Defaulted),
        ]) {
            tally.add(&Tally::one(decision, Some(outcome)), *count);
        }
        tally
    }

    #[test]
    fn equal_benefits_have_no_inequality_and_no_false_certainty() {
        for entropy in [Entropy::Theil, Entropy::Squared] {
            let found = generalised_entropy(entropy, &people([0, 10, 0]), confidence()).unwrap();
            assert!(found.value.abs() < 1e-15 && found.upper > 0.0, "{found:?}");
        }
    }

    #[test]
    fn half_the_people_with_everything() {
        // Benefits 0 and 2: relative benefits 0 and 2.
        let theil = generalised_entropy(Entropy::Theil, &people([5, 0, 5]), confidence()).unwrap();
        assert!((theil.value - 2.0_f64.ln()).abs() < 1e-15);
        let variation = coefficient_of_variation(&people([5, 0, 5]), confidence()).unwrap();
        assert!((variation.value - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_slope_is_the_derivative() {
        let benefits = Benefits {
            counts: [20.0, 50.0, 30.0],
        };
        for entropy in [Entropy::Theil, Entropy::Squared] {
            let slope = slope(entropy, &benefits);
            // Shares move from benefit 0 to benefit 2.
            let moved = Benefits {
                counts: [20.0 - 1e-4, 50.0, 30.0 + 1e-4],
            };
            let change = index(entropy, &moved).unwrap() - index(entropy, &benefits).unwrap();
            let expected = slope(2.0) - slope(0.0);
            assert!((change / 1e-6 - expected).abs() < 1e-5, "{entropy:?}");
        }
    }

    #[test]
    fn groups_with_the_same_mean_have_nothing_between_them() {
        let (one, other) = (people([1, 2, 1]), people([0, 7, 0]));
        let found = between_groups(Entropy::Squared, &[&one, &other, &Tally::default()]).unwrap();
        assert!(found.abs() < 1e-15);
        assert_eq!(
            between_groups(Entropy::Theil, &[&people([3, 0, 0])]),
            Err(Undefined::ZeroDenominator)
        );
    }
}
