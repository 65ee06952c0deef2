//! Readers of models. A model that was read must predict: every kernel the same bits, for any row.

use fcs_forest::{Attributor, Engine, Format, Kernel, Link, Model, PathAttributor};

/// Values that rows are made of.
const VALUES: [f64; 10] = [
    f64::NAN,
    0.0,
    -0.0,
    1.0,
    -0.5,
    33.0,
    5e-324,
    1e300,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// How often all rows come in a batch.
const REPETITIONS: usize = 8;

/// A model of any format, as its first bytes say.
pub(crate) fn detected(bytes: &[u8]) {
    if let Some(format) = Format::detect(bytes) {
        check(bytes, format);
    }
}

pub(crate) fn lightgbm_text(bytes: &[u8]) {
    check(bytes, Format::LightGbmText);
}

pub(crate) fn onnx(bytes: &[u8]) {
    check(bytes, Format::Onnx);
}

pub(crate) fn xgboost_json(bytes: &[u8]) {
    check(bytes, Format::XgBoostJson);
}

pub(crate) fn xgboost_ubj(bytes: &[u8]) {
    check(bytes, Format::XgBoostUbj);
}

/// Linear models and scorecards, as TOML and as JSON: what one of the four reads, the others may not.
pub(crate) fn plain(bytes: &[u8]) {
    for format in [
        Format::LinearToml,
        Format::LinearJson,
        Format::ScorecardToml,
        Format::ScorecardJson,
    ] {
        check(bytes, format);
    }
}

fn check(bytes: &[u8], format: Format) {
    let Ok(model) = Model::read(bytes, format) else {
        return;
    };
    assert_eq!(model.format(), format);
    let rows = rows(model.feature_names().len());
    let margins: Vec<f64> = rows.iter().map(|row| checked_margin(&model, row)).collect();
    for kernel in Kernel::ALL {
        if let Some(engine) = Engine::with_kernel(&model, kernel) {
            // Few rows go one by one, many of them together.
            let mut found = vec![0.0; rows.len() * REPETITIONS];
            engine.margins(&rows.concat().repeat(REPETITIONS), &mut found);
            let expected = rows.iter().zip(&margins).cycle();
            for ((row, &margin), &found) in expected.zip(&found) {
                assert!(
                    is_same(found, margin),
                    "{kernel} gives {found}, the plain walk {margin} at {row:?}"
                );
            }
        }
    }
    // Values of a model that makes no sense need not add up, but they must not stop the process.
    let of_population = Attributor::new(&model, &rows[..2]).ok();
    let of_paths = PathAttributor::new(&model).ok();
    for row in &rows[..4] {
        for values in [
            of_population.as_ref().map(|it| it.contributions(row)),
            of_paths.as_ref().map(|it| it.contributions(row)),
        ] {
            assert!(values.is_none_or(|values| values.len() == row.len()));
        }
    }
}

/// Rows of one value each, and two of all values in turn.
fn rows(width: usize) -> Vec<Vec<f64>> {
    let uniform = VALUES.iter().map(|&value| vec![value; width]);
    let mixed = [0, 5].map(|first| VALUES.into_iter().cycle().skip(first).take(width).collect());
    mixed.into_iter().chain(uniform).collect()
}

fn checked_margin(model: &Model, row: &[f64]) -> f64 {
    let margin = model.margin(row);
    assert_eq!(model.leaf_ids(row).len(), model.tree_count());
    let output = model.probability(margin);
    let is_probability = matches!(model.link(), Link::Logistic { .. }) && !margin.is_nan();
    assert!(
        !is_probability || (0.0..=1.0).contains(&output),
        "the margin {margin} has the probability {output}"
    );
    margin
}

/// Equal in every bit; one NaN is as good as another.
fn is_same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
}
