//! Feature values of an application, and their check against the manifest.

mod suggest;

use std::collections::BTreeMap;

use fcs_core::{Digest, Violation};
use serde::{Deserialize, Serialize};

use crate::manifest::{Feature, FeatureKind, Manifest, MissingRule, Range};
use crate::protected::protected_attribute;

/// The value of one feature as the caller gives it and the record keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FeatureInput {
    /// A number in the unit of the schema.
    Number(f64),
    /// A category by its name in the schema.
    Category(String),
    /// No value.
    Missing,
}

/// Feature values that fit a manifest. Only [`Manifest::encode`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRow {
    values: Vec<f64>,
    inputs: BTreeMap<String, FeatureInput>,
    manifest_digest: Digest,
}

impl FeatureRow {
    /// The model's row: one value per feature in the order of the manifest, a category as its code, NaN for missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Every feature of the manifest with its value, as the record keeps it.
    pub fn inputs(&self) -> &BTreeMap<String, FeatureInput> {
        &self.inputs
    }

    /// Digest of the manifest that the row fits.
    pub fn manifest_digest(&self) -> Digest {
        self.manifest_digest
    }
}

impl Manifest {
    /// Checks the values of an application and puts them in the order of the model.
    ///
    /// A feature that is not in `inputs` counts as missing.
    ///
    /// # Errors
    /// Every violation at once.
    pub fn encode(
        &self,
        inputs: &BTreeMap<String, FeatureInput>,
    ) -> Result<FeatureRow, Vec<Violation>> {
        let mut violations = Vec::new();
        let mut values = Vec::with_capacity(self.features.len());
        let mut kept = BTreeMap::new();
        for feature in &self.features {
            let input = inputs.get(&feature.name).unwrap_or(&FeatureInput::Missing);
            match feature.encode(input) {
                Ok((value, input)) => {
                    values.push(value);
                    kept.insert(feature.name.clone(), input);
                }
                Err((reason, description)) => {
                    violations.push(violation(&feature.name, reason, description));
                }
            }
        }
        for name in inputs.keys().filter(|name| !self.has_feature(name)) {
            let (reason, description) = self.refuse_name(name);
            violations.push(violation(name, reason, description));
        }
        if violations.is_empty() {
            Ok(FeatureRow {
                values,
                inputs: kept,
                manifest_digest: self.digest(),
            })
        } else {
            Err(violations)
        }
    }

    fn has_feature(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature.name == name)
    }

    /// Why a name that is not in the schema is refused.
    fn refuse_name(&self, name: &str) -> Refusal {
        if let Some(attribute) = protected_attribute(name) {
            return (
                "PROTECTED_ATTRIBUTE",
                format!(
                    "names the protected attribute {attribute}, which scoring must not receive"
                ),
            );
        }
        let names = self.features.iter().map(|feature| feature.name.as_str());
        let hint = suggest::closest(name, names)
            .map(|near| format!("; did you mean {near:?}?"))
            .unwrap_or_default();
        (
            "UNKNOWN_FEATURE",
            format!("{} has no such feature{hint}", self.model_version()),
        )
    }
}

/// Stable reason and description.
type Refusal = (&'static str, String);

impl Feature {
    /// The model's number and the value for the record. Descriptions never repeat the value, which is personal data.
    fn encode(&self, input: &FeatureInput) -> Result<(f64, FeatureInput), Refusal> {
        match (input, &self.kind) {
            (FeatureInput::Missing, _) => match self.missing {
                MissingRule::Allow => Ok((f64::NAN, FeatureInput::Missing)),
                MissingRule::Refuse => Err((
                    "FEATURE_REQUIRED",
                    format!("is required: {}", self.expected()),
                )),
            },
            (
                FeatureInput::Number(number),
                FeatureKind::Number(range) | FeatureKind::Integer(range),
            ) => self.encode_number(*number, *range),
            (FeatureInput::Category(name), FeatureKind::Category(categories)) => categories
                .iter()
                .find(|category| category.name == *name)
                .map(|category| (f64::from(category.code), input.clone()))
                .ok_or_else(|| ("UNKNOWN_CATEGORY", format!("must be {}", self.expected()))),
            (FeatureInput::Number(_), FeatureKind::Category(_))
            | (FeatureInput::Category(_), FeatureKind::Number(_) | FeatureKind::Integer(_)) => {
                Err(("FEATURE_WRONG_TYPE", format!("must be {}", self.expected())))
            }
        }
    }

    fn encode_number(&self, number: f64, range: Range) -> Result<(f64, FeatureInput), Refusal> {
        let reason = if !number.is_finite() {
            "FEATURE_NOT_FINITE"
        } else if matches!(self.kind, FeatureKind::Integer(_)) && number.fract() != 0.0 {
            "FEATURE_NOT_INTEGER"
        } else if !(range.minimum..=range.maximum).contains(&number) {
            "FEATURE_OUT_OF_RANGE"
        } else {
            // Adding zero turns -0.0 into 0.0, so that the record has one form.
            let number = number + 0.0;
            return Ok((number, FeatureInput::Number(number)));
        };
        Err((reason, format!("must be {}", self.expected())))
    }

    /// What would be right, for people.
    fn expected(&self) -> String {
        match &self.kind {
            FeatureKind::Number(Range { minimum, maximum }) => {
                format!("a number from {minimum} to {maximum} ({})", self.unit)
            }
            FeatureKind::Integer(Range { minimum, maximum }) => {
                format!("a whole number from {minimum} to {maximum} ({})", self.unit)
            }
            FeatureKind::Category(categories) => {
                let names: Vec<&str> = categories
                    .iter()
                    .map(|category| category.name.as_str())
                    .collect();
                format!("one of the categories {}", names.join(", "))
            }
        }
    }
}

fn violation(name: &str, reason: &'static str, description: String) -> Violation {
    // RFC 6901 section 3.
    let escaped = name.replace('~', "~0").replace('/', "~1");
    Violation {
        pointer: format!("/features/{escaped}"),
        reason,
        description,
    }
}
