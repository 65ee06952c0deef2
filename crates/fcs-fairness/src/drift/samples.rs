//! Distances between two samples of raw values, exact and without bins.

/// The Kolmogorov-Smirnov distance: the largest difference of the two empirical distribution functions.
/// `None` if a sample is empty or holds something that is not finite.
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> Option<f64> {
    let steps = Steps::of(one, other)?;
    Some(steps.fold(0.0, |largest: f64, step| largest.max(step.difference.abs())))
}

/// The first Wasserstein distance: the area between the two empirical distribution functions, in the unit of
/// the values. `None` as for [`kolmogorov_smirnov`].
pub fn wasserstein(one: &[f64], other: &[f64]) -> Option<f64> {
    let steps = Steps::of(one, other)?;
    let area = steps.fold(0.0, |area, step| area + step.difference.abs() * step.length);
    area.is_finite().then_some(area)
}

/// A stretch between two neighbouring values of either sample.
struct Step {
    /// The difference of the distribution functions on it.
    difference: f64,
    length: f64,
}

/// Walks over both samples in order.
struct Steps {
    one: Vec<f64>,
    other: Vec<f64>,
    passed_one: usize,
    passed_other: usize,
}

impl Steps {
    fn of(one: &[f64], other: &[f64]) -> Option<Self> {
        let usable =
            |sample: &[f64]| !sample.is_empty() && sample.iter().all(|value| value.is_finite());
        if !usable(one) || !usable(other) {
            return None;
        }
        let sorted = |sample: &[f64]| {
            let mut sorted = sample.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted
        };
        Some(Self {
            one: sorted(one),
            other: sorted(other),
            passed_one: 0,
            passed_other: 0,
        })
    }

    /// The smallest value that is not passed.
    fn next_value(&self) -> Option<f64> {
        let (one, other) = (
            self.one.get(self.passed_one),
            self.other.get(self.passed_other),
        );
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(*other)),
            (value, None) | (None, value) => value.copied(),
        }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let value = self.next_value()?;
        let pass = |sample: &[f64], passed: usize| {
            passed
                + sample[passed..]
                    .iter()
                    .take_while(|next| **next <= value)
                    .count()
        };
        self.passed_one = pass(&self.one, self.passed_one);
        self.passed_other = pass(&self.other, self.passed_other);
        let share = |passed: usize, sample: &[f64]| passed as f64 / sample.len() as f64;
        Some(Step {
            difference: share(self.passed_one, &self.one) - share(self.passed_other, &self.other),
            length: self.next_value().map_or(0.0, |next| next - value),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_samples_by_hand() {
        assert_eq!(kolmogorov_smirnov(&[1.0, 2.0], &[2.0, 3.0]), Some(0.5));
        assert_eq!(wasserstein(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), Some(5.0));
        assert_eq!(wasserstein(&[0.0, 1.0], &[0.0, 1.0, 1.0, 0.0]), Some(0.0));
    }

    #[test]
    fn samples_that_cannot_be_compared_have_no_distance() {
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
        assert_eq!(wasserstein(&[1.0], &[f64::NAN]), None);
        assert_eq!(wasserstein(&[f64::MAX], &[f64::MIN]), None);
    }

    proptest! {
        /// Moving a sample by a constant moves it that far.
        #[test]
        fn a_shift_is_its_own_distance(sample in prop::collection::vec(-100.0..100.0_f64, 1..40), shift in -50.0..50.0_f64) {
            let moved: Vec<f64> = sample.iter().map(|value| value + shift).collect();
            let distance = wasserstein(&sample, &moved).unwrap();
            prop_assert!((distance - shift.abs()).abs() < 1e-9, "{distance} {shift}");
        }
    }
}
