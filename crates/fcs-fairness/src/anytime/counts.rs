//! Evidence from four integers: for one short window in which nothing drifts, and for rates on a dashboard.
//!
//! Blind to order, so a mix of applicants that shifts together with the approval rate looks like a breach
//! (Simpson's paradox). Use [`super::ratio`] to watch a stream. E-values of separate windows or strata may
//! be multiplied.

use super::ratio::Floor;
use super::{Alpha, EValue};
use crate::{GroupCounters, Interval};

/// Approved and not approved.
#[derive(Clone, Copy)]
struct Split {
    approved: f64,
    refused: f64,
}

impl Split {
    fn of(counters: &GroupCounters) -> Self {
        Self {
            approved: counters.approved as f64,
            refused: counters.decisions().saturating_sub(counters.approved) as f64,
        }
    }

    fn total(self) -> f64 {
        self.approved + self.refused
    }

    /// The rate of highest likelihood; any will do without decisions.
    fn rate(self) -> f64 {
        self.approved / self.total().max(1.0)
    }

    fn ln_likelihood(self, rate: f64) -> f64 {
        x_ln_y(self.approved, rate) + x_ln_y(self.refused, 1.0 - rate)
    }

    /// The likelihood averaged over Jeffreys' prior.
    fn ln_marginal(self) -> f64 {
        ln_beta(self.approved + 0.5, self.refused + 0.5) - ln_beta(0.5, 0.5)
    }
}

fn x_ln_y(x: f64, y: f64) -> f64 {
    if x > 0.0 { x * libm::log(y) } else { 0.0 }
}

fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// Evidence that the adverse impact ratio is below the floor.
///
/// The likelihood averaged over Jeffreys' prior, divided by the highest likelihood with a ratio of at least
/// the floor: universal inference, Wasserman, Ramdas and Balakrishnan (2020), PNAS 117, 16880-16890.
pub fn ratio_below(group: &GroupCounters, reference: &GroupCounters, floor: Floor) -> EValue {
    let (group, reference) = (Split::of(group), Split::of(reference));
    let kept = group.rate() >= floor.get() * reference.rate();
    against(group, reference, floor, kept)
}

/// Evidence that the adverse impact ratio is above the floor; see [`ratio_below`].
pub fn ratio_above(group: &GroupCounters, reference: &GroupCounters, floor: Floor) -> EValue {
    let (group, reference) = (Split::of(group), Split::of(reference));
    let broken = group.rate() <= floor.get() * reference.rate();
    against(group, reference, floor, broken)
}

/// `free_is_null` says whether the rates of highest likelihood satisfy the null hypothesis.
fn against(group: Split, reference: Split, floor: Floor, free_is_null: bool) -> EValue {
    if group.total() <= 0.0 || reference.total() <= 0.0 {
        return EValue::ONE;
    }
    let null = if free_is_null {
        group.ln_likelihood(group.rate()) + reference.ln_likelihood(reference.rate())
    } else {
        let rate = rate_at_floor(group, reference, floor.get());
        group.ln_likelihood(floor.get() * rate) + reference.ln_likelihood(rate)
    };
    EValue::from_ln(group.ln_marginal() + reference.ln_marginal() - null)
}

/// The reference rate of highest likelihood where the group's is exactly `floor` times it: the smaller root
/// of `t N x² - (S (1 + t) + t f_group + f_reference) x + S`, with `N` decisions and `S` approvals.
fn rate_at_floor(group: Split, reference: Split, floor: f64) -> f64 {
    let approved = group.approved + reference.approved;
    let total = group.total() + reference.total();
    let middle = approved * (1.0 + floor) + floor * group.refused + reference.refused;
    let root = (middle * middle - 4.0 * floor * total * approved)
        .max(0.0)
        .sqrt();
    // Written so that nothing cancels.
    (2.0 * approved / (middle + root)).clamp(0.0, 1.0)
}

/// An interval for the approval rate that holds at all times together: it may be looked at as often as one
/// likes, and ever misses a constant rate with a probability of at most alpha.
///
/// `{x : B(k + 1/2, n - k + 1/2) / B(1/2, 1/2) < x^k (1 - x)^(n - k) / alpha}`: Robbins, H. (1970),
/// "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics
/// 41, 1397-1409. `None` without decisions.
pub fn approval_rate_at_any_time(counters: &GroupCounters, alpha: Alpha) -> Option<Interval> {
    let split = Split::of(counters);
    if split.total() <= 0.0 {
        return None;
    }
    let rate = split.rate();
    let inside = |x: f64| split.ln_marginal() - split.ln_likelihood(x) < alpha.bar().ln();
    let lower = if split.approved <= 0.0 {
        0.0
    } else {
        edge(rate, 0.0, inside)
    };
    let upper = if split.refused <= 0.0 {
        1.0
    } else {
        edge(rate, 1.0, inside)
    };
    Interval::around(rate, lower, upper)
}

/// Halves the way between a point inside and one outside until they touch; ends outside.
fn edge(inside: f64, outside: f64, is_inside: impl Fn(f64) -> bool) -> f64 {
    let (mut inside, mut outside) = (inside, outside);
    for _ in 0..60 {
        let middle = f64::midpoint(inside, outside);
        if is_inside(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(approved: u64, refused: u64) -> GroupCounters {
        GroupCounters {
            approved,
            denied: refused,
            ..GroupCounters::default()
        }
    }

    fn floor() -> Floor {
        Floor::try_from(0.8).unwrap()
    }

    /// The highest likelihood under the null hypothesis, by trying a fine grid.
    fn highest_by_grid(group: Split, reference: Split) -> f64 {
        let steps = 400_u32;
        let mut best = f64::NEG_INFINITY;
        for p in 1..steps {
            for r in 1..steps {
                let (p, r) = (
                    f64::from(p) / f64::from(steps),
                    f64::from(r) / f64::from(steps),
                );
                if p >= 0.8 * r {
                    best = best.max(group.ln_likelihood(p) + reference.ln_likelihood(r));
                }
            }
        }
        best
    }

    #[test]
    fn the_null_likelihood_is_the_highest_one() {
        for (group, reference) in [
            ((30, 70), (300, 200)),
            ((5, 5), (90, 10)),
            ((60, 40), (300, 200)),
        ] {
            let e_value = ratio_below(
                &counters(group.0, group.1),
                &counters(reference.0, reference.1),
                floor(),
            );
            let (group, reference) = (
                Split::of(&counters(group.0, group.1)),
                Split::of(&counters(reference.0, reference.1)),
            );
            let marginal = group.ln_marginal() + reference.ln_marginal();
            let by_grid = marginal - highest_by_grid(group, reference);
            assert!(e_value.ln() <= by_grid + 1e-12);
            assert!(
                (e_value.ln() - by_grid).abs() < 0.01,
                "{} {by_grid}",
                e_value.ln()
            );
        }
    }

    #[test]
    fn evidence_is_on_one_side_at_most() {
        let reference = counters(800, 200);
        let bar = Alpha::try_from(0.05).unwrap().bar();
        let (bad, good) = (counters(90, 110), counters(160, 40));
        assert!(ratio_below(&bad, &reference, floor()).reaches(bar));
        assert!(!ratio_above(&bad, &reference, floor()).reaches(bar));
        assert!(ratio_above(&good, &reference, floor()).reaches(bar));
        assert!(!ratio_below(&good, &reference, floor()).reaches(bar));
        assert_eq!(
            ratio_below(&counters(0, 0), &reference, floor()),
            EValue::ONE
        );
    }

    #[test]
    fn the_lasting_interval_is_wider_than_the_momentary_one_and_shrinks() {
        let alpha = Alpha::try_from(0.05).unwrap();
        let of = |approved, refused| approval_rate_at_any_time(&counters(approved, refused), alpha);
        let small = of(80, 20).unwrap();
        let large = of(8_000, 2_000).unwrap();
        assert!(
            small.lower < 0.71 && small.upper > 0.867,
            "wider than Wilson {small:?}"
        );
        assert!(large.upper - large.lower < (small.upper - small.lower) / 6.0);
        assert_eq!(of(0, 0), None);
        assert_eq!(of(0, 50).map(|interval| interval.lower), Some(0.0));
        assert_eq!(of(50, 0).map(|interval| interval.upper), Some(1.0));
    }
}
