//! Reads the text format of LightGBM, versions v3 and v4.
//!
//! The text is a header, one block per tree, `end of trees`, and a tail with importances and training parameters.
//! A block is `key=value` lines up to an empty line. Only the header and the trees mean anything for a prediction;
//! of the tail only its end is looked for, so that a text that was cut off is noticed.

mod error;
mod fields;
mod node;

use std::collections::BTreeSet;

pub use error::{LightGbmError, Problem};
use fields::{Field, Fields, Lines};

use crate::ensemble::{Ensemble, Summation};
use crate::format::Format;
use crate::front::Front;
use crate::limits;
use crate::model::{Body, Link, Parts};

const HEADER_FIELDS: [&str; 11] = [
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "average_output",
    "feature_names",
    "monotone_constraints",
    "feature_infos",
    "tree_sizes",
];

/// What the header says about the trees.
struct Header {
    feature_names: Vec<String>,
    link: Link,
    tree_count: usize,
    link_divisor: f64,
}

/// Reads a whole model.
pub(crate) fn read(bytes: &[u8]) -> Result<Parts, LightGbmError> {
    let text = std::str::from_utf8(bytes).map_err(|error| LightGbmError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    let mut lines = Lines::new(text);
    if lines.next().map(|line| line.text) != Some("tree") {
        return Err(LightGbmError::NotLightGbm);
    }
    let in_header = |problem| LightGbmError::Header { problem };
    let fields = Fields::read(&mut lines).map_err(in_header)?;
    let header = header(&fields).map_err(in_header)?;

    let mut trees = Vec::new();
    let mut category_words_left = limits::CATEGORY_WORDS_MAX;
    loop {
        let line = lines.next_filled().ok_or(LightGbmError::Truncated {
            missing: "end of trees",
        })?;
        if line.text == "end of trees" {
            break;
        }
        if trees.len() == header.tree_count || line.text != format!("Tree={}", trees.len()) {
            return Err(LightGbmError::UnexpectedLine { line: line.number });
        }
        let in_tree = |problem| LightGbmError::Tree {
            tree: trees.len(),
            problem,
        };
        let fields = Fields::read(&mut lines).map_err(in_tree)?;
        let feature_count = header.feature_names.len();
        let tree = node::tree(&fields, feature_count, &mut category_words_left).map_err(in_tree)?;
        trees.push(tree);
    }
    if trees.len() != header.tree_count {
        return Err(LightGbmError::TreeCount {
            announced: header.tree_count,
            found: trees.len(),
        });
    }
    tail(&mut lines)?;
    Ok(Parts {
        format: Format::LightGbmText,
        feature_names: header.feature_names,
        category_names: Vec::new(),
        front: Front::Identity,
        body: Body::Trees(Ensemble {
            trees,
            summation: Summation::BOOSTED_DOUBLE,
        }),
        link: header.link,
        link_divisor: header.link_divisor,
    })
}

/// Checks that the text goes on to its end. The Python package adds one line about its own categories after
/// LightGBM's last one; the manifest's category codes make it irrelevant here.
fn tail(lines: &mut Lines<'_>) -> Result<(), LightGbmError> {
    loop {
        let line = lines.next().ok_or(LightGbmError::Truncated {
            missing: "end of parameters",
        })?;
        if line.text == "end of parameters" {
            break;
        }
    }
    if let Some(line) = lines.next_filled()
        && !line.text.starts_with("pandas_categorical:")
    {
        return Err(LightGbmError::UnexpectedLine { line: line.number });
    }
    if let Some(line) = lines.next_filled() {
        return Err(LightGbmError::UnexpectedLine { line: line.number });
    }
    if lines.ends_inside_a_line() {
        return Err(LightGbmError::Truncated {
            missing: "the end of the last line",
        });
    }
    Ok(())
}

fn header(fields: &Fields<'_>) -> Result<Header, Problem> {
    fields.refuse_unknown(&HEADER_FIELDS)?;
    let version = fields.required("version")?;
    if !["v3", "v4"].contains(&version.value) {
        return Err(version.unsupported("v3 and v4"));
    }
    for name in ["num_class", "num_tree_per_iteration"] {
        let field = fields.required(name)?;
        if field.number::<u32>()? != 1 {
            return Err(field.unsupported("1: one class, one tree per iteration"));
        }
    }
    let last_feature = fields.required("max_feature_idx")?;
    let last_index = last_feature.number::<usize>()?;
    if last_index >= limits::FEATURES_MAX {
        return Err(last_feature.out_of_range(0, "a model of at most 10,000 features"));
    }
    let tree_sizes = fields.required("tree_sizes")?;
    let tree_count = tree_sizes.value.split_ascii_whitespace().count();
    if tree_count == 0 || tree_count > limits::TREES_MAX {
        return Err(tree_sizes.out_of_range(0, "1 to 10,000 trees"));
    }
    Ok(Header {
        feature_names: feature_names(fields.required("feature_names")?, last_index + 1)?,
        link: fields
            .optional("objective")
            .map_or(Ok(Link::Identity), link)?,
        tree_count,
        link_divisor: link_divisor(fields.optional("average_output"), tree_count)?,
    })
}

/// LightGBM's random forests say `average_output`: their raw score is the sum of the trees like any other, but what
/// the objective converts is the average.
fn link_divisor(average: Option<Field<'_>>, tree_count: usize) -> Result<f64, Problem> {
    match average {
        None => Ok(1.0),
        Some(field) if field.value.is_empty() => Ok(tree_count as f64),
        Some(field) => Err(field.unsupported("the word alone")),
    }
}

fn feature_names(field: Field<'_>, expected: usize) -> Result<Vec<String>, Problem> {
    let names: Vec<String> = field.list(expected)?;
    let mut seen = BTreeSet::new();
    for (position, name) in names.iter().enumerate() {
        if !seen.insert(name) {
            return Err(field.out_of_range(position, "a name that no other feature has"));
        }
    }
    Ok(names)
}

/// How LightGBM's objective converts a margin. A model without the line was trained with an objective of the
/// caller's own, and LightGBM then returns margins.
fn link(objective: Field<'_>) -> Result<Link, Problem> {
    const SUPPORTED: &str = "objectives with one output, as LightGBM writes them";
    if let Some(text) = objective.value.strip_prefix("binary sigmoid:") {
        let sigmoid = text
            .parse::<f64>()
            .map_err(|_| objective.unsupported(SUPPORTED))?;
        if !(sigmoid.is_finite() && sigmoid > 0.0) {
            return Err(objective.out_of_range(0, "a finite sigmoid above zero"));
        }
        return Ok(Link::Logistic { sigmoid });
    }
    match objective.value {
        "cross_entropy" => Ok(Link::Logistic { sigmoid: 1.0 }),
        "cross_entropy_lambda" => Ok(Link::Softplus),
        "poisson" | "gamma" | "tweedie" => Ok(Link::Exponential),
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" => {
            Ok(Link::Identity)
        }
        // The objectives that learn the root of the label when `reg_sqrt` is set; huber never does.
        "regression sqrt" | "regression_l1 sqrt" | "fair sqrt" | "quantile sqrt" | "mape sqrt" => {
            Ok(Link::SignedSquare)
        }
        _ => Err(objective.unsupported(SUPPORTED)),
    }
}
