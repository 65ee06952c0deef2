//! How many times faster than each peer the engine is meant to be.

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Margins.
    Predict,
    /// Contributions along the paths of the trees.
    PathContributions,
    /// Contributions against a reference population.
    ReferenceContributions,
    /// From the model file to its first margin.
    Load,
}

/// The least ratio of a peer's time to ours.
#[derive(Debug)]
pub(crate) struct Target {
    shape: &'static str,
    measure: Measure,
    /// Rows per call; references for contributions against a population.
    size: usize,
    peer: &'static str,
    ratio_min: f64,
}

const fn target(
    shape: &'static str,
    measure: Measure,
    size: usize,
    peer: &'static str,
    ratio_min: f64,
) -> Target {
    Target {
        shape,
        measure,
        size,
        peer,
        ratio_min,
    }
}

const TARGETS: [Target; 26] = [
    target("300x31", Measure::Predict, 1, "LightGBM", 15.0),
    target("300x31", Measure::Predict, 1, "lleaves", 5.0),
    target("300x31", Measure::Predict, 256, "LightGBM", 20.0),
    target("300x31", Measure::Predict, 256, "lleaves", 4.0),
    target("1000x63", Measure::Predict, 1, "LightGBM", 6.0),
    target("1000x63", Measure::Predict, 1, "lleaves", 1.5),
    target("1000x63", Measure::Predict, 256, "LightGBM", 6.0),
    target("1000x63", Measure::Predict, 256, "lleaves", 1.5),
    target("xgb_500xd6", Measure::Predict, 1, "XGBoost", 15.0),
    target("xgb_500xd6", Measure::Predict, 1, "hessboost", 1.0),
    target("xgb_500xd6", Measure::Predict, 256, "XGBoost", 5.0),
    target("xgb_500xd6", Measure::Predict, 256, "hessboost", 1.0),
    target("300x31", Measure::PathContributions, 1, "LightGBM", 30.0),
    target("300x31", Measure::PathContributions, 256, "LightGBM", 30.0),
    target("1000x63", Measure::PathContributions, 1, "LightGBM", 17.0),
    target("1000x63", Measure::PathContributions, 256, "LightGBM", 17.0),
    target("xgb_500xd6", Measure::PathContributions, 1, "XGBoost", 10.0),
    target(
        "xgb_500xd6",
        Measure::PathContributions,
        256,
        "XGBoost",
        10.0,
    ),
    target(
        "xgb_500xd6",
        Measure::PathContributions,
        1,
        "hessboost",
        5.0,
    ),
    target(
        "xgb_500xd6",
        Measure::PathContributions,
        256,
        "hessboost",
        5.0,
    ),
    // Against our own values along the paths: at most twice their time, whatever the population.
    target("300x31", Measure::ReferenceContributions, 1_000, PATHS, 0.5),
    target(
        "300x31",
        Measure::ReferenceContributions,
        100_000,
        PATHS,
        0.5,
    ),
    target(
        "300x31",
        Measure::ReferenceContributions,
        1_000,
        SHAP,
        1_000.0,
    ),
    target(
        "300x31",
        Measure::ReferenceContributions,
        100_000,
        SHAP,
        1_000.0,
    ),
    target(
        "300x31_num",
        Measure::ReferenceContributions,
        1_000,
        SHAP,
        1_000.0,
    ),
    target(
        "300x31_num",
        Measure::ReferenceContributions,
        100_000,
        SHAP,
        1_000.0,
    ),
];

/// Our own values along the paths, as a yardstick for those against a population.
pub(crate) const PATHS: &str = "fcs-forest along paths";

/// The shap package.
pub(crate) const SHAP: &str = "shap (called from Python)";

/// The least ratio of a peer's time to ours, where one is named.
pub(crate) fn ratio_min(shape: &str, measure: Measure, size: usize, peer: &str) -> Option<f64> {
    TARGETS
        .iter()
        .find(|target| {
            target.shape == shape
                && target.measure == measure
                && target.size == size
                && target.peer == peer
        })
        .map(|target| target.ratio_min)
}

/// The most microseconds that our engine may take, where a number is named.
pub(crate) fn microseconds_max(shape: &str, measure: Measure) -> Option<f64> {
    match (shape, measure) {
        ("300x31", Measure::Load) => Some(200_000.0),
        ("1000x63", Measure::Load) => Some(1_000_000.0),
        _ => None,
    }
}

/// The greatest difference from the model's own library that ours may show, where one is named.
pub(crate) fn difference_max(shape: &str, measure: Measure) -> Option<f64> {
    (shape == "300x31" && measure == Measure::PathContributions).then_some(1e-12)
}
