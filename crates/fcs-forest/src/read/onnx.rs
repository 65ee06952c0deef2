//! Reads ONNX models: a pipeline of the `ai.onnx.ml` operators that converters of scikit-learn, LightGBM and XGBoost
//! write, in which each column of the final trees or weights comes from one feature.
//!
//! The graph is followed once, node by node, with columns in place of tensors: an operator either adds a step to its
//! columns, makes the model's body of them, or is refused by name. `docs/guides/model-formats.md` lists what is
//! supported. Arithmetic is in the precision that ONNX Runtime would use.

mod columns;
mod constant;
mod linear;
mod node;
mod proto;
mod refusal;
mod scores;
mod sums;
mod texts;
mod trees;
mod unpack;
mod value;

use std::collections::HashMap;
use std::rc::Rc;

use super::error::{FieldError, FieldProblem};
use crate::format::Format;
use crate::front::{Column, Front, Step};
use crate::limits;
use crate::model::Parts;
use constant::{Attributes, Constant};
use node::Operator;
use proto::element_type;
use refusal::{Read, Refusal, shortened};
use texts::Texts;
use unpack::Unpacking;
use value::{Budget, Columns, Element, Scores, Value};

/// Nodes, and separately constants, of a graph.
const NODES_MAX: usize = 10_000;

/// Inputs of a node.
const NODE_INPUTS_MAX: usize = limits::FEATURES_MAX;

/// Latest versions of the two sets of operators whose text was compared with this reader.
const MACHINE_LEARNING_VERSION_MAX: i64 = 5;
const GENERAL_VERSION_MAX: i64 = 26;

/// The property with the names of the columns of the one input, as a JSON list of strings.
const NAMES_PROPERTY: &str = "feature_names";

/// Whether a file looks like an ONNX model: its first field is the version of the format.
pub(crate) fn detect(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=0x20, tag, ..] if matches!(tag, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42))
}

/// Reads a model.
pub(crate) fn read(bytes: &[u8]) -> Result<Parts, FieldError> {
    read_model(bytes).map_err(Refusal::into_error)
}

fn read_model(bytes: &[u8]) -> Read<Parts> {
    let mut budget = Budget::new();
    let model: proto::Model = budget.unpacking.decode(bytes, "model")?;
    let version = operator_version(&model.opset_import, &mut budget.unpacking)?;
    if !model.functions.is_empty() {
        return Err(Refusal::unsupported("functions", "functions", "none"));
    }
    let names = named_columns(&model.metadata_props, &mut budget.unpacking)?;
    let graph: Option<proto::Graph> = budget.unpacking.decode_one(&model.graph, "graph")?;
    let graph = graph.ok_or_else(|| Refusal::missing("graph"))?;
    let mut state = State {
        values: HashMap::new(),
        budget,
        texts: Texts::default(),
        version,
    };
    let (feature_names, scores) =
        follow(&graph, names, &mut state).map_err(|refusal| refusal.within("graph"))?;
    // What the graph's values share with the scores is theirs alone now.
    state.values.clear();
    let body = Rc::try_unwrap(scores.body).unwrap_or_else(|shared| (*shared).clone());
    Ok(Parts {
        format: Format::Onnx,
        front: front(&scores.columns, feature_names.len()),
        category_names: state.texts.into_names(feature_names.len()),
        feature_names,
        body,
        link: scores.link,
        link_divisor: 1.0,
    })
}

/// The version of the machine-learning operators; all versions are checked.
fn operator_version(encoded: &[Vec<u8>], unpacking: &mut Unpacking) -> Read<i64> {
    let mut machine_learning = 1;
    if encoded.is_empty() {
        return Err(Refusal::missing("opset_import"));
    }
    for (index, bytes) in encoded.iter().enumerate() {
        let path = format!("opset_import[{index}]");
        let set: proto::OperatorSet = unpacking.decode(bytes, &path)?;
        let newest = match set.domain.as_str() {
            "" | "ai.onnx" => GENERAL_VERSION_MAX,
            "ai.onnx.ml" => MACHINE_LEARNING_VERSION_MAX,
            // A domain without nodes changes nothing, and one with nodes is refused there.
            _ => continue,
        };
        if !(1..=newest).contains(&set.version) {
            let supported = "1 to 26 of the default domain, 1 to 5 of ai.onnx.ml";
            let version = set.version.to_string();
            return Err(Refusal::unsupported(path, &version, supported));
        }
        if set.domain == "ai.onnx.ml" {
            machine_learning = set.version;
        }
    }
    Ok(machine_learning)
}

/// The names that a property gives the columns of the one input.
fn named_columns(properties: &[Vec<u8>], unpacking: &mut Unpacking) -> Read<Option<Vec<String>>> {
    for (index, bytes) in properties.iter().enumerate() {
        let path = format!("metadata_props[{index}]");
        let property: proto::Property = unpacking.decode(bytes, &path)?;
        if property.key == NAMES_PROPERTY {
            let names = serde_json::from_str(&property.value);
            return names
                .map(Some)
                .map_err(|_| Refusal::out_of_range(path, "a JSON list of names"));
        }
    }
    Ok(None)
}

/// How far the graph has been followed.
struct State {
    values: HashMap<String, Value>,
    budget: Budget,
    texts: Texts,
    /// Of `ai.onnx.ml`.
    version: i64,
}

/// Follows the graph from its inputs to the one output with scores.
fn follow(
    graph: &proto::Graph,
    names: Option<Vec<String>>,
    state: &mut State,
) -> Read<(Vec<String>, Scores)> {
    for (path, count) in [
        ("node", graph.node.len()),
        ("initializer", graph.initializer.len()),
        ("input", graph.input.len()),
        ("output", graph.output.len()),
    ] {
        if count > NODES_MAX {
            return Err(Refusal::out_of_range(path, "at most 10,000 entries"));
        }
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(Refusal::unsupported("sparse_initializer", "sparse", "none"));
    }
    for (index, bytes) in graph.initializer.iter().enumerate() {
        let path = format!("initializer[{index}]");
        let tensor: proto::Tensor = state.budget.unpacking.decode(bytes, &path)?;
        let name = tensor.name.clone();
        let constant = Constant::new(tensor).map_err(|refusal| refusal.within(&path))?;
        define(
            &mut state.values,
            name,
            Value::Constant(Rc::new(constant)),
            &path,
        )?;
    }
    let feature_names = inputs(graph, names, state)?;
    for (index, bytes) in graph.node.iter().enumerate() {
        let path = format!("node[{index}]");
        let node: proto::Node = state.budget.unpacking.decode(bytes, &path)?;
        let path = format!("{path} ({})", shortened(&node.op_type));
        run(node, &path, state)?;
    }
    let scores = output(graph, state)?;
    Ok((feature_names, scores))
}

/// Gives a value its name, which nothing else may have.
fn define(values: &mut HashMap<String, Value>, name: String, value: Value, path: &str) -> Read<()> {
    // An output that nobody asks for has no name.
    if name.is_empty() {
        return Ok(());
    }
    match values.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(Refusal::new(path, FieldProblem::Repeated)),
    }
}

/// Defines the inputs: one with all features, or one per feature. Gives the names of the features.
fn inputs(
    graph: &proto::Graph,
    names: Option<Vec<String>>,
    state: &mut State,
) -> Read<Vec<String>> {
    let mut declared = Vec::new();
    for (index, bytes) in graph.input.iter().enumerate() {
        let path = format!("input[{index}]");
        let info: proto::ValueInfo = state.budget.unpacking.decode(bytes, &path)?;
        // Old files list their constants as inputs, too.
        if state.values.contains_key(&info.name) {
            continue;
        }
        let row = row_of(&info, &mut state.budget.unpacking);
        let (element, width) = row.map_err(|refusal| refusal.within(&path))?;
        declared.push((path, info.name, element, width));
    }
    let is_one = declared.len() == 1;
    let mut feature_names: Vec<String> = Vec::new();
    for (path, name, element, width) in declared {
        let first = feature_names.len();
        if first + width > limits::FEATURES_MAX || !(is_one || width == 1) {
            let expected = "one input of at most 10,000 columns, or inputs of one column each";
            return Err(Refusal::out_of_range(path, expected));
        }
        if is_one && width > 1 {
            feature_names.extend((0..width).map(|column| format!("{name}[{column}]")));
        } else {
            feature_names.push(name.clone());
        }
        let step = match element {
            Element::Float => Some(Step::Single),
            Element::Double => None,
            Element::Whole | Element::Text => Some(Step::Truncate),
        };
        let columns = (first..first + width).map(|feature| Column {
            feature: u32::try_from(feature).expect("at most 10,000 features"),
            steps: step.clone().into_iter().collect(),
        });
        let columns = state.budget.columns(element, 2, columns)?;
        define(&mut state.values, name, Value::Columns(columns), &path)?;
    }
    match names {
        None => {}
        Some(names) if is_one && names.len() == feature_names.len() => feature_names = names,
        Some(names) => {
            let found = names.len();
            let expected = feature_names.len();
            return Err(Refusal::wrong_length("feature_names", expected, found));
        }
    }
    let distinct: std::collections::HashSet<&String> = feature_names.iter().collect();
    if feature_names.is_empty() || distinct.len() != feature_names.len() {
        return Err(Refusal::out_of_range(
            "input",
            "features of different names",
        ));
    }
    Ok(feature_names)
}

/// The type of an input and the length of its rows.
fn row_of(info: &proto::ValueInfo, unpacking: &mut Unpacking) -> Read<(Element, usize)> {
    let kind: Option<proto::Type> = unpacking.decode_one(&info.kind, "type")?;
    let tensor = kind.map_or_else(Vec::new, |kind| kind.tensor);
    let tensor: Option<proto::TensorType> = unpacking.decode_one(&tensor, "type")?;
    let tensor = tensor.ok_or_else(|| Refusal::out_of_range("type", "a tensor"))?;
    let element = match tensor.element_type {
        element_type::FLOAT => Element::Float,
        element_type::DOUBLE => Element::Double,
        element_type::INT32 | element_type::INT64 => Element::Whole,
        element_type::STRING => Element::Text,
        other => {
            let supported = "float, double, int32, int64 and string";
            return Err(Refusal::unsupported("type", &other.to_string(), supported));
        }
    };
    let shape: Option<proto::Shape> = unpacking.decode_one(&tensor.shape, "type.shape")?;
    let dims = shape.map_or_else(Vec::new, |shape| shape.dim);
    let [_, width] = &dims[..] else {
        return Err(Refusal::out_of_range("type.shape", "[rows, columns]"));
    };
    let width: proto::Dimension = unpacking.decode(width, "type.shape")?;
    let width = width.value.and_then(|width| usize::try_from(width).ok());
    match width.filter(|width| (1..=limits::FEATURES_MAX).contains(width)) {
        Some(width) => Ok((element, width)),
        None => Err(Refusal::out_of_range("type.shape", "1 to 10,000 columns")),
    }
}

/// Follows one node.
fn run(node: proto::Node, path: &str, state: &mut State) -> Read<()> {
    let within = |refusal: Refusal| refusal.within(path);
    if node.input.len() > NODE_INPUTS_MAX {
        return Err(within(Refusal::out_of_range(
            "input",
            "at most 10,000 names",
        )));
    }
    let mut inputs = Vec::with_capacity(node.input.len());
    for (index, name) in node.input.iter().enumerate() {
        let value = state.values.get(name).cloned();
        let missing =
            || Refusal::out_of_range(format!("input[{index}]"), "the name of an earlier value");
        inputs.push(value.ok_or_else(missing).map_err(within)?);
    }
    let operator = Operator {
        inputs,
        attributes: Attributes::new(&node.attribute, &mut state.budget.unpacking)
            .map_err(within)?,
        budget: &mut state.budget,
        texts: &mut state.texts,
        version: state.version,
    };
    let made = node::outputs(&node.domain, &node.op_type, operator).map_err(within)?;
    if node.output.len() > made.len() {
        return Err(within(Refusal::wrong_length(
            "output",
            made.len(),
            node.output.len(),
        )));
    }
    for (name, value) in node.output.into_iter().zip(made) {
        define(&mut state.values, name, value, path)?;
    }
    Ok(())
}

/// The output with scores; beside it there may be the chosen class.
fn output(graph: &proto::Graph, state: &mut State) -> Read<Scores> {
    let mut found = None;
    for (index, bytes) in graph.output.iter().enumerate() {
        let path = format!("output[{index}]");
        let info: proto::ValueInfo = state.budget.unpacking.decode(bytes, &path)?;
        match state.values.get(&info.name) {
            Some(Value::Labels) => {}
            Some(Value::Scores(scores)) if found.is_none() => found = Some(scores.clone()),
            _ => {
                let expected = "the scores of the model, once, or its labels";
                return Err(Refusal::out_of_range(path, expected));
            }
        }
    }
    found.ok_or_else(|| Refusal::missing("output"))
}

/// The columns in their plainest form.
fn front(columns: &Columns, feature_count: usize) -> Front {
    let all = |steps: &[Step]| {
        columns.len() == feature_count
            && (0_u32..)
                .zip(columns.columns.iter())
                .all(|(index, column)| column.feature == index && column.steps == steps)
    };
    if all(&[]) {
        Front::Identity
    } else if all(&[Step::Single]) {
        Front::Single
    } else {
        Front::Columns(columns.columns.to_vec())
    }
}
