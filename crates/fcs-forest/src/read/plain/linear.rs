//! A linear model: a weight per feature.

use serde::Deserialize;

use super::{LinkName, Refusal, check_finite, check_kind, check_names};
use crate::ensemble::Precision;
use crate::format::Format;
use crate::front::{Column, Front, Step};
use crate::linear::Linear;
use crate::model::{Body, Parts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    kind: String,
    link: LinkName,
    intercept: f64,
    features: Vec<Feature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    name: String,
    weight: f64,
    /// What stands in for a missing value; without it the margin of a row without this feature is not a number.
    missing: Option<f64>,
}

impl Document {
    pub(super) fn into_parts(self, format: Format) -> Result<Parts, Refusal> {
        check_kind(&self.kind, "linear")?;
        check_finite(self.intercept, || "intercept".to_owned())?;
        let names = self.features.iter().map(|feature| feature.name.as_str());
        let feature_names = check_names(names)?;
        for (index, feature) in self.features.iter().enumerate() {
            check_finite(feature.weight, || format!("features[{index}].weight"))?;
            check_finite(feature.missing.unwrap_or(0.0), || {
                format!("features[{index}].missing")
            })?;
        }
        Ok(Parts {
            format,
            feature_names,
            category_names: Vec::new(),
            front: front(&self.features),
            body: Body::Linear(Linear {
                weights: self.features.iter().map(|feature| feature.weight).collect(),
                intercept: self.intercept,
                precision: Precision::Double,
            }),
            link: self.link.link(),
            link_divisor: 1.0,
        })
    }
}

fn front(features: &[Feature]) -> Front {
    if features.iter().all(|feature| feature.missing.is_none()) {
        return Front::Identity;
    }
    let column = |(index, feature): (u32, &Feature)| Column {
        feature: index,
        steps: feature
            .missing
            .map(|to| Step::Replace { from: f64::NAN, to })
            .into_iter()
            .collect(),
    };
    Front::Columns((0_u32..).zip(features).map(column).collect())
}
