//! Feature values of an application, and their check against the manifest.

mod suggest;

use std::collections::BTreeMap;

use fcs_core::{Digest, Violation, redacted_debug};
use serde::{Deserialize, Serialize};

use crate::application::{Application, Purpose};
use crate::manifest::{Feature, FeatureKind, Manifest, MissingRule, Range};
use crate::policy::expression::Facts;
use crate::protected::protected_attribute;

redacted_debug!(FeatureInput, FeatureRow, IncompleteRow);

/// The value of one feature as the caller gives it and the record keeps it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq)]
pub struct FeatureRow {
    values: Vec<f64>,
    inputs: BTreeMap<String, FeatureInput>,
    manifest_digest: Digest,
}

/// Reason of a violation: a required value is missing.
pub const FEATURE_REQUIRED: &str = "FEATURE_REQUIRED";

/// Feature values without some that a decision needs, where the policy says that this is no decision but an
/// incomplete application. Only [`Manifest::read`] makes one.
#[derive(Clone, PartialEq)]
pub struct IncompleteRow {
    pub(crate) inputs: BTreeMap<String, FeatureInput>,
    pub(crate) manifest_digest: Digest,
    /// Identifiers of the completeness rules that hold, in the order of the policy.
    pub(crate) rules_hit: Vec<String>,
}

/// The feature values of an application, read by a manifest.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// They can be scored.
    Complete(FeatureRow),
    /// They cannot.
    Incomplete(IncompleteRow),
}

/// What the conditions of a policy are judged on. `scored` is score and probability.
pub(crate) fn facts<'a>(
    features: &'a BTreeMap<String, FeatureInput>,
    scored: Option<(i32, f64)>,
    application: &'a Application,
) -> Facts<'a> {
    Facts {
        features,
        score: scored.map(|(score, _)| score),
        probability: scored.map(|(_, probability)| probability),
        amount: application.amount_number(),
        currency: application
            .amount
            .as_ref()
            .map(|amount| amount.currency.as_str()),
        product: application.product.as_deref(),
        purpose: application.purpose.map(Purpose::as_str),
    }
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
        let (row, violations) = self.encode_each(inputs);
        if violations.is_empty() {
            Ok(row)
        } else {
            Err(violations)
        }
    }

    /// Like [`Manifest::encode`], where required values may be missing if a rule of the policy says so.
    ///
    /// # Errors
    /// Every violation at once.
    pub fn read(
        &self,
        inputs: &BTreeMap<String, FeatureInput>,
        application: &Application,
    ) -> Result<Reading, Vec<Violation>> {
        let (row, violations) = self.encode_each(inputs);
        if violations.is_empty() {
            return Ok(Reading::Complete(row));
        }
        if !violations
            .iter()
            .all(|violation| violation.reason == FEATURE_REQUIRED)
        {
            return Err(violations);
        }
        let facts = facts(&row.inputs, None, application);
        let hit = self
            .policy
            .completeness_rules()
            .filter(|rule| rule.holds(&facts));
        let rules_hit: Vec<String> = hit.map(|rule| rule.id.clone()).collect();
        if rules_hit.is_empty() {
            return Err(violations);
        }
        let FeatureRow {
            inputs,
            manifest_digest,
            ..
        } = row;
        Ok(Reading::Incomplete(IncompleteRow {
            inputs,
            manifest_digest,
            rules_hit,
        }))
    }

    /// The values of a row of the model, as an application would give them: a category by its name, missing for NaN.
    /// A code that no category has is missing too.
    pub fn inputs_of(&self, row: &[f64]) -> BTreeMap<String, FeatureInput> {
        let input = |(feature, value): (&Feature, &f64)| {
            let input = match &feature.kind {
                _ if value.is_nan() => FeatureInput::Missing,
                FeatureKind::Number(_) | FeatureKind::Integer(_) => FeatureInput::Number(*value),
                FeatureKind::Category(categories) => categories
                    .iter()
                    .find(|category| f64::from(category.code).total_cmp(value).is_eq())
                    .map_or(FeatureInput::Missing, |it| {
                        FeatureInput::Category(it.name.clone())
                    }),
            };
            (feature.name.clone(), input)
        };
        self.features.iter().zip(row).map(input).collect()
    }

    /// The row with what fits in it, and what does not fit. A required value that is missing is kept as missing.
    fn encode_each(&self, inputs: &BTreeMap<String, FeatureInput>) -> (FeatureRow, Vec<Violation>) {
        let mut violations = Vec::new();
        let mut values = Vec::with_capacity(self.features.len());
        let mut kept = BTreeMap::new();
        for feature in &self.features {
            let input = inputs.get(&feature.name).unwrap_or(&FeatureInput::Missing);
            let (value, input) = feature
                .encode(input)
                .unwrap_or_else(|(reason, description)| {
                    violations.push(violation(&feature.name, reason, description));
                    (f64::NAN, FeatureInput::Missing)
                });
            values.push(value);
            kept.insert(feature.name.clone(), input);
        }
        for name in inputs.keys().filter(|name| !self.has_feature(name)) {
            let (reason, description) = self.refuse_name(name);
            violations.push(violation(name, reason, description));
        }
        let row = FeatureRow {
            values,
            inputs: kept,
            manifest_digest: self.digest(),
        };
        (row, violations)
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
                    FEATURE_REQUIRED,
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
