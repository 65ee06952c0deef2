//! What a model's tensors are, as metadata and as a configuration.

use std::collections::BTreeMap;

use fcs_core::ModelVersion;
use fcs_decision::manifest::{Category, Feature, FeatureKind, MissingRule};
use serde::Serialize;

use super::super::models::Served;
use super::answer::Output;

/// Name of the server in its metadata.
pub const SERVER_NAME: &str = "fair-credit-scorer";
/// "<project>_<format>" of every model.
pub const PLATFORM: &str = "fair-credit-scorer_package";
/// What runs every model.
pub const BACKEND: &str = "fcs-forest";
/// The extensions of the protocol that are offered.
pub const EXTENSIONS: [&str; 4] = [
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "statistics",
];
/// The property that names the outputs that come only when asked for.
pub const ON_REQUEST: &str = "outputs_on_request";
/// The input that holds whole rows.
pub(super) const FEATURES: &str = "features";

/// A tensor of a model; -1 stands for any number of rows.
pub struct TensorContract {
    /// Name.
    pub name: String,
    /// Name of the datatype.
    pub datatype: &'static str,
    /// Sizes of the dimensions.
    pub shape: Vec<i64>,
}

/// The tensors of a model.
pub struct ModelContract {
    /// Name and version.
    pub model: ModelVersion,
    /// What must be sent.
    pub inputs: Vec<TensorContract>,
    /// What can come back.
    pub outputs: Vec<TensorContract>,
    /// What the protocol has no field for.
    pub properties: BTreeMap<String, String>,
}

/// A feature as an input of its own.
#[derive(Serialize)]
struct NamedInput<'a> {
    name: &'a str,
    datatype: &'static str,
    missing_allowed: bool,
    /// Names and codes of a category; absent for a number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<NamedCode<'a>>,
}

/// One category: its name for the feature's own input, its code for a row of `features`.
#[derive(Serialize)]
struct NamedCode<'a> {
    name: &'a str,
    code: u32,
}

/// The contract of a loaded model.
pub fn contract(served: &Served) -> ModelContract {
    let manifest = &served.model.manifest;
    let width = manifest.features.len();
    let columns = |columns: usize| vec![-1, i64::try_from(columns).unwrap_or(i64::MAX)];
    let tensor = |name: &str, shape| TensorContract {
        name: name.to_owned(),
        datatype: "FP64",
        shape,
    };
    let output = |output: Output| tensor(output.name(), columns(output.columns(width)));
    let on_request: Vec<&str> = Output::ALL
        .into_iter()
        .filter(|output| output.needs_attributions())
        .map(Output::name)
        .collect();
    let named: Vec<NamedInput> = manifest.features.iter().map(named_input).collect();
    let properties = [
        (ON_REQUEST, on_request.join(",")),
        (
            "named_inputs",
            serde_json::to_string(&named).unwrap_or_default(),
        ),
        ("manifest_digest", manifest.digest().to_string()),
        ("kernel", served.model.engine.kernel().name().to_owned()),
        ("title", manifest.model.title.clone()),
    ];
    ModelContract {
        model: served.model.version().clone(),
        inputs: vec![tensor(FEATURES, columns(width))],
        outputs: Output::ALL.into_iter().map(output).collect(),
        properties: properties
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    }
}

fn named_input(feature: &Feature) -> NamedInput<'_> {
    NamedInput {
        name: &feature.name,
        datatype: match feature.kind {
            FeatureKind::Category(_) => "BYTES",
            FeatureKind::Number(_) => "FP64",
            FeatureKind::Integer(_) => "INT64",
        },
        missing_allowed: feature.missing == MissingRule::Allow,
        categories: match &feature.kind {
            FeatureKind::Category(categories) => categories.iter().map(named_code).collect(),
            FeatureKind::Number(_) | FeatureKind::Integer(_) => Vec::new(),
        },
    }
}

fn named_code(category: &Category) -> NamedCode<'_> {
    NamedCode {
        name: &category.name,
        code: category.code,
    }
}
