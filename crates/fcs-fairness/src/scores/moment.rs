//! Count, mean and spread of numbers that were counted apart and belong together.

/// Count, mean and sum of squared deviations from the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moment {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    pub(crate) squared_deviations: f64,
}

impl Moment {
    /// `count` times the same number.
    pub(crate) fn of(count: i64, value: f64) -> Self {
        Self {
            count: count as f64,
            mean: value,
            squared_deviations: 0.0,
        }
    }

    /// The moments of both together.
    ///
    /// Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983), "Algorithms for computing the sample
    /// variance", The American Statistician 37, 242-247.
    pub(crate) fn and(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count <= 0.0 {
            return Self::default();
        }
        let apart = other.mean - self.mean;
        let between = apart * apart * (self.count / count) * other.count;
        Self {
            count,
            mean: (self.count * self.mean + other.count * other.mean) / count,
            squared_deviations: self.squared_deviations + other.squared_deviations + between,
        }
    }

    /// The mean of the squared distances from `target`.
    pub(crate) fn mean_square_from(self, target: f64) -> f64 {
        self.squared_deviations / self.count + (self.mean - target).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_join_in_any_order() {
        let together = |values: &[f64]| {
            values.iter().fold(Moment::default(), |all, value| {
                all.and(Moment::of(1, *value))
            })
        };
        let all = together(&[600.0, 620.0, 700.0]);
        assert!((all.mean - 640.0).abs() < 1e-12);
        assert!((all.squared_deviations - 5600.0).abs() < 1e-9);
        let parts = together(&[600.0]).and(together(&[700.0, 620.0]));
        assert!((parts.squared_deviations - 5600.0).abs() < 1e-9);
        assert!((all.mean_square_from(640.0) - 5600.0 / 3.0).abs() < 1e-9);
    }
}
