//! The game of one leaf, solved for every pattern of an applicant at once.
//!
//! On the path to a leaf, let D be its features, A those whose conditions the applicant meets, and q(U) the chance
//! that the values that stand in for missing features meet the conditions on all of U: the share of a reference
//! population that does, or of the training data. With the applicant's values on S the leaf is reached when S lies
//! within A and the others meet D \ S, so that per unit of the leaf's value
//!
//! v(S) = q(D \ S) if S is a subset of A, else 0.
//!
//! With Shapley's weights w(s) = s! (d - s - 1)! / d! this gives each feature f of A
//!     sum over S in A \ f of w(|S|) (q(D \ S \ f) - q(D \ S)),
//! and every feature outside of A the same
//!     - sum over S in A of w(|S|) q(D \ S).
//! Both are sums over subsets for all A at once: d 2^d additions each, of numbers of one sign.
//! (Compare Laberge and Pequignot, arXiv 2209.15123, 2022, for one reference at a time.)

/// Values of a leaf's features, by the applicant's pattern A (a bit per feature): one per feature of the path.
pub(super) struct Solution {
    feature_count: usize,
    values: Vec<f64>,
}

impl Solution {
    /// Solves the game. `meets[U]` is q(U): 2^d numbers, never more for a superset.
    pub(super) fn new(meets: &[f64]) -> Self {
        let feature_count = meets.len().ilog2() as usize;
        let all = meets.len() - 1;
        let weights = weights(feature_count);
        let weight = |set: usize| weights[set.count_ones() as usize];
        let mut values = vec![0.0; meets.len() * feature_count];

        let mut sums: Vec<f64> = (0..all).map(|set| weight(set) * meets[all ^ set]).collect();
        sums.push(0.0);
        add_subsets(&mut sums, feature_count);
        for (pattern, sum) in sums.iter().enumerate() {
            for feature in (0..feature_count).filter(|feature| pattern >> feature & 1 == 0) {
                values[pattern * feature_count + feature] = -sum;
            }
        }
        for feature in 0..feature_count {
            let bit = 1 << feature;
            let gain = |set: usize| match set & bit {
                0 => weight(set) * (meets[all ^ set ^ bit] - meets[all ^ set]),
                _ => 0.0,
            };
            let mut sums: Vec<f64> = (0..=all).map(gain).collect();
            add_subsets(&mut sums, feature_count);
            for pattern in (0..=all).filter(|pattern| pattern & bit != 0) {
                values[pattern * feature_count + feature] = sums[pattern];
            }
        }
        Self {
            feature_count,
            values,
        }
    }

    /// The values of a pattern, one per feature of the path.
    pub(super) fn of(&self, pattern: usize) -> &[f64] {
        &self.values[pattern * self.feature_count..][..self.feature_count]
    }
}

/// Replaces each number by the sum over the supersets of its set: from how many meet exactly the conditions of a set
/// to how many meet them all. There are 2^d numbers.
pub(super) fn add_supersets(numbers: &mut [f64]) {
    for feature in 0..numbers.len().ilog2() {
        for set in (0..numbers.len()).filter(|set| set >> feature & 1 == 0) {
            numbers[set] += numbers[set | 1 << feature];
        }
    }
}

/// Replaces each number by the sum over the subsets of its set.
fn add_subsets(numbers: &mut [f64], feature_count: usize) {
    for feature in 0..feature_count {
        for set in (0..numbers.len()).filter(|set| set >> feature & 1 == 1) {
            numbers[set] += numbers[set ^ 1 << feature];
        }
    }
}

/// `s! (d - s - 1)! / d!` for s from 0 to d - 1.
fn weights(feature_count: usize) -> Vec<f64> {
    let mut weight = 1.0 / feature_count as f64;
    let mut weights = Vec::with_capacity(feature_count);
    for size in 0..feature_count {
        weights.push(weight);
        weight *= (size + 1) as f64 / (feature_count - size - 1).max(1) as f64;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapley values from the definition, for references with the given patterns.
    fn plain(feature_count: usize, shares: &[f64], pattern: usize) -> Vec<f64> {
        let worth = |coalition: usize| {
            let reached = |reference: usize| {
                (0..feature_count).all(|feature| {
                    let source = if coalition >> feature & 1 == 1 {
                        pattern
                    } else {
                        reference
                    };
                    source >> feature & 1 == 1
                })
            };
            let parts = shares
                .iter()
                .enumerate()
                .filter(|(reference, _)| reached(*reference));
            parts.map(|(_, share)| share).sum::<f64>()
        };
        let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
        let value = |feature: usize| {
            let without = (0..1 << feature_count).filter(|set| set >> feature & 1 == 0);
            without
                .map(|set: usize| {
                    let size = set.count_ones() as usize;
                    let weight = factorial(size) * factorial(feature_count - size - 1)
                        / factorial(feature_count);
                    weight * (worth(set | 1 << feature) - worth(set))
                })
                .sum()
        };
        (0..feature_count).map(value).collect()
    }

    #[test]
    fn every_pattern_has_the_values_of_the_definition() {
        for feature_count in 1..=6 {
            let mut shares: Vec<f64> = (0..1_u32 << feature_count)
                .map(|pattern| f64::from((pattern * 7 + 3) % 11))
                .collect();
            let total = shares.iter().sum::<f64>();
            for share in &mut shares {
                *share /= total;
            }
            let mut meets = shares.clone();
            add_supersets(&mut meets);
            let solution = Solution::new(&meets);
            for pattern in 0..shares.len() {
                let expected = plain(feature_count, &shares, pattern);
                for (value, expected) in solution.of(pattern).iter().zip(expected) {
                    assert!(
                        (value - expected).abs() < 1e-14,
                        "{feature_count} {pattern}"
                    );
                }
            }
        }
    }
}
