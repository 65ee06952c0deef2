use crate::{Confidence, Interval, Undefined};

/// `selected` of `total`, with `total > 0` and `selected <= total`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proportion {
    pub(crate) selected: f64,
    pub(crate) total: f64,
}

impl Proportion {
    /// `None` when there is nothing to take a share of, or the part exceeds the whole.
    pub(crate) fn new(selected: u64, total: u64) -> Option<Self> {
        let defined = total > 0 && selected <= total;
        defined.then_some(Self {
            selected: selected as f64,
            total: total as f64,
        })
    }

    /// A share of signed counts. Fails without a whole, or on counts that cannot be.
    pub(crate) fn of_counts(selected: i64, total: i64) -> Result<Self, Undefined> {
        if selected < 0 || total < selected {
            return Err(Undefined::NegativeCount);
        }
        if total == 0 {
            return Err(Undefined::ZeroDenominator);
        }
        Ok(Self {
            selected: selected as f64,
            total: total as f64,
        })
    }

    /// What was not selected.
    pub(crate) fn complement(self) -> Self {
        Self {
            selected: self.total - self.selected,
            total: self.total,
        }
    }

    pub(crate) fn interval(self, confidence: Confidence) -> Result<Interval, Undefined> {
        self.wilson(confidence).ok_or(Undefined::NotFinite)
    }

    pub(crate) fn rate(self) -> f64 {
        self.selected / self.total
    }

    /// Whether everything or nothing was selected.
    pub(crate) fn is_extreme(self) -> bool {
        self.selected <= 0.0 || self.selected >= self.total
    }

    /// One half more on each side: selected and not selected.
    pub(crate) fn with_half_counts(self) -> Self {
        Self {
            selected: self.selected + 0.5,
            total: self.total + 1.0,
        }
    }

    /// The score interval of a binomial proportion, within `[0, 1]`.
    ///
    /// Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical
    /// inference", Journal of the American Statistical Association 22, 209-212.
    pub(crate) fn wilson(self, confidence: Confidence) -> Option<Interval> {
        let rate = self.rate();
        let squared = confidence.critical_value().powi(2);
        let scale = 1.0 + squared / self.total;
        let centre = (rate + squared / (2.0 * self.total)) / scale;
        let variance = rate * (1.0 - rate) / self.total + squared / (4.0 * self.total * self.total);
        let half_width = (squared * variance).sqrt() / scale;
        // At the ends a limit is exactly 0 or 1; rounding would leave a trace of 1e-18.
        let lower = if self.selected <= 0.0 {
            0.0
        } else {
            (centre - half_width).max(0.0)
        };
        let upper = if self.selected >= self.total {
            1.0
        } else {
            (centre + half_width).min(1.0)
        };
        Interval::around(rate, lower, upper)
    }
}
