//! Feature effects: what the model makes of one feature, over the reference population.

use fcs_decision::manifest::{Feature, FeatureKind};

/// Points of a numeric grid, at most.
const GRID_POINTS_MAX: usize = 24;

/// Computes margins (log-odds) of rows.
pub(super) trait Margins {
    /// One margin per row.
    fn margins(&self, rows: &[Vec<f64>]) -> Vec<f64>;
}

/// The effect of one feature, in log-odds of the adverse outcome against the population's mean.
pub(super) struct Effect {
    /// Partial dependence: mean margin with the feature at a value for every row, less the mean margin as it is
    /// (Friedman 2001, section 8.2).
    pub(super) partial_dependence: Vec<Point>,
    /// Accumulated local effects (Apley and Zhu 2020, equations 15 and 16); empty for a category, and where fewer
    /// than two values occur.
    pub(super) accumulated_local: Vec<Point>,
    /// Partial dependence of a missing value, where the model takes one.
    pub(super) missing: Option<f64>,
}

/// A value of the feature and the effect there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) value: f64,
    pub(super) effect: f64,
}

/// Computes the effect of the feature in a column. The rows are the reference population; NaN is missing.
pub(super) fn effect(
    model: &impl Margins,
    rows: &[Vec<f64>],
    column: usize,
    feature: &Feature,
) -> Effect {
    let mean = mean(&model.margins(rows));
    let dependence = |value: f64| {
        let changed = with_column(rows, column, |_| value);
        self::mean(&model.margins(&changed)) - mean
    };
    let point = |value: f64| Point {
        value,
        effect: dependence(value),
    };
    let partial_dependence = grid(rows, column, feature).into_iter().map(point);
    let is_category = matches!(feature.kind, FeatureKind::Category(_));
    Effect {
        partial_dependence: partial_dependence.collect(),
        accumulated_local: if is_category {
            Vec::new()
        } else {
            accumulated_local(model, rows, column)
        },
        missing: (feature.missing == fcs_decision::manifest::MissingRule::Allow)
            .then(|| dependence(f64::NAN)),
    }
}

/// The values to look at: every category, or the deciles of the training rows and of these rows.
fn grid(rows: &[Vec<f64>], column: usize, feature: &Feature) -> Vec<f64> {
    if let FeatureKind::Category(categories) = &feature.kind {
        return categories.iter().map(|it| f64::from(it.code)).collect();
    }
    let mut values = quantile_edges(&present(rows, column), 10);
    values.extend(&feature.bins.edges);
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

fn accumulated_local(model: &impl Margins, rows: &[Vec<f64>], column: usize) -> Vec<Point> {
    let edges = quantile_edges(&present(rows, column), GRID_POINTS_MAX - 1);
    if edges.len() < 2 {
        return Vec::new();
    }
    // A row lies in bin k when edge k-1 < value <= edge k; the smallest value belongs to the first bin.
    let bin_of = |value: f64| edges[1..].partition_point(|edge| *edge < value);
    let with_value: Vec<Vec<f64>> = rows
        .iter()
        .filter(|row| !row[column].is_nan())
        .cloned()
        .collect();
    let upper = model.margins(&with_column(&with_value, column, |value| {
        edges[bin_of(value) + 1]
    }));
    let lower = model.margins(&with_column(&with_value, column, |value| {
        edges[bin_of(value)]
    }));
    let mut sums = vec![(0.0, 0.0); edges.len() - 1];
    for (row, (upper, lower)) in with_value.iter().zip(upper.iter().zip(&lower)) {
        let (sum, count) = &mut sums[bin_of(row[column])];
        *sum += upper - lower;
        *count += 1.0;
    }
    let mut effects = vec![0.0];
    let (mut level, mut weighted) = (0.0, 0.0);
    for (sum, count) in &sums {
        let step = if *count > 0.0 { sum / count } else { 0.0 };
        weighted += count * (level + step / 2.0);
        level += step;
        effects.push(level);
    }
    let centre = weighted / with_value.len() as f64;
    edges
        .iter()
        .zip(effects)
        .map(|(value, effect)| Point {
            value: *value,
            effect: effect - centre,
        })
        .collect()
}

/// The values of a column that are there, ascending.
fn present(rows: &[Vec<f64>], column: usize) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    values
}

/// Distinct values that cut sorted values into up to `parts` parts of like size, with the smallest and the largest.
fn quantile_edges(sorted: &[f64], parts: usize) -> Vec<f64> {
    let Some(last) = sorted.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut edges: Vec<f64> = (0..=parts)
        .map(|part| sorted[part * last / parts])
        .collect();
    edges.dedup();
    edges
}

fn with_column(rows: &[Vec<f64>], column: usize, value: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        row[column] = value(row[column]);
    }
    rows
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use fcs_decision::manifest::{Bins, MissingRule, Range, RiskDirection};

    use super::*;

    /// `2 a + a b`: the effect of `a` depends on `b`.
    struct Interaction;

    impl Margins for Interaction {
        fn margins(&self, rows: &[Vec<f64>]) -> Vec<f64> {
            let margin = |row: &Vec<f64>| {
                if row[0].is_nan() {
                    -1.0
                } else {
                    2.0 * row[0] + row[0] * row[1]
                }
            };
            rows.iter().map(margin).collect()
        }
    }

    fn feature(missing: MissingRule) -> Feature {
        Feature {
            name: "a".into(),
            description: "a".into(),
            unit: String::new(),
            kind: FeatureKind::Number(Range {
                minimum: 0.0,
                maximum: 10.0,
            }),
            missing,
            risk_direction: RiskDirection::None,
            reason: "A".into(),
            family: None,
            bins: Bins {
                edges: vec![2.5],
                shares: vec![0.5, 0.5],
                missing_share: 0.0,
            },
        }
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }

    #[test]
    fn partial_dependence_averages_over_the_other_features() {
        // The mean of b is 2, so that a counts 2 + 2 per unit.
        let rows = vec![vec![0.0, 1.0], vec![1.0, 3.0], vec![2.0, 2.0]];
        let mean_margin = (0.0 + 5.0 + 8.0) / 3.0;
        let effect = effect(&Interaction, &rows, 0, &feature(MissingRule::Allow));
        let values: Vec<f64> = effect
            .partial_dependence
            .iter()
            .map(|it| it.value)
            .collect();
        assert_eq!(values, [0.0, 1.0, 2.0, 2.5]);
        for point in &effect.partial_dependence {
            assert_near(point.effect, 4.0 * point.value - mean_margin);
        }
        assert_near(effect.missing.unwrap(), -1.0 - mean_margin);
    }

    #[test]
    fn accumulated_local_effects_use_only_rows_near_the_value() {
        // Up to 1 only the row with b = 1 counts, from there to 2 only the one with b = 3; 0 has no width.
        let rows = vec![vec![0.0, 1.0], vec![1.0, 1.0], vec![2.0, 3.0]];
        let effect = effect(&Interaction, &rows, 0, &feature(MissingRule::Refuse));
        let found = &effect.accumulated_local;
        assert_eq!(found.len(), 3);
        // Steps 3 (slope 2 + 1) and 5 (slope 2 + 3); two rows in the first bin, one in the second.
        let centre = (2.0 * 1.5 + 5.5) / 3.0;
        for (point, expected) in found.iter().zip([0.0, 3.0, 8.0]) {
            assert_near(point.effect, expected - centre);
        }
        assert!(effect.missing.is_none());
    }

    #[test]
    fn one_value_has_no_local_effect() {
        let rows = vec![vec![4.0, 1.0], vec![4.0, 2.0], vec![f64::NAN, 0.0]];
        assert!(accumulated_local(&Interaction, &rows, 0).is_empty());
        assert!(accumulated_local(&Interaction, &rows[2..], 0).is_empty());
    }
}
