//! One node of the graph: its operator, its inputs, its attributes.

use super::columns;
use super::constant::Attributes;
use super::refusal::{Read, Refusal};
use super::texts::Texts;
use super::value::{Budget, Columns, Element, Value};
use super::{linear, scores, sums, trees};
use crate::front::{Column, Operation};

/// Operators of the machine-learning domain, for messages.
const MACHINE_LEARNING: &str = "ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer, LabelEncoder, \
    LinearClassifier, LinearRegressor, Normalizer, OneHotEncoder, Scaler, TreeEnsembleClassifier and \
    TreeEnsembleRegressor (before version 5), TreeEnsemble (version 5), ZipMap";

/// Operators of the default domain, for messages.
const GENERAL: &str = "Abs, Add, ArgMax, Cast, Concat, Div, Flatten, Gather, Identity, MatMul, Mul, ReduceSum, Reshape, Sigmoid, \
    Squeeze, Sub, Sum";

/// The version of `ai.onnx.ml` with new trees.
const NEW_TREES_VERSION: i64 = 5;

/// What an operator is given.
pub(super) struct Operator<'a> {
    pub(super) inputs: Vec<Value>,
    pub(super) attributes: Attributes,
    pub(super) budget: &'a mut Budget,
    pub(super) texts: &'a mut Texts,
    /// Of `ai.onnx.ml`.
    pub(super) version: i64,
}

/// What the outputs of a node are.
pub(super) fn outputs(domain: &str, kind: &str, mut operator: Operator<'_>) -> Read<Vec<Value>> {
    let made = match domain {
        "ai.onnx.ml" => machine_learning(kind, &mut operator)?,
        "" | "ai.onnx" => vec![general(kind, &mut operator)?],
        other => {
            return Err(Refusal::unsupported(
                "domain",
                other,
                "ai.onnx and ai.onnx.ml",
            ));
        }
    };
    operator.attributes.finish()?;
    Ok(made)
}

fn machine_learning(kind: &str, operator: &mut Operator<'_>) -> Read<Vec<Value>> {
    let has_new_trees = operator.version >= NEW_TREES_VERSION;
    let one = match kind {
        "TreeEnsembleClassifier" if !has_new_trees => return trees::classifier(operator),
        "LinearClassifier" => return linear::classifier(operator),
        "TreeEnsembleRegressor" if !has_new_trees => trees::regressor(operator),
        "TreeEnsemble" if has_new_trees => trees::version5(operator),
        "LinearRegressor" => linear::regressor(operator),
        "Scaler" => columns::scaler(operator),
        "Imputer" => columns::imputer(operator),
        "OneHotEncoder" => columns::one_hot_encoder(operator),
        "LabelEncoder" => columns::label_encoder(operator),
        "Binarizer" => columns::binarizer(operator),
        "FeatureVectorizer" => columns::feature_vectorizer(operator),
        "ArrayFeatureExtractor" => columns::select(operator),
        "Normalizer" => scores::normalizer(operator),
        "ZipMap" => scores::zip_map(operator),
        other => Err(Refusal::unsupported("op_type", other, MACHINE_LEARNING)),
    };
    Ok(vec![one?])
}

fn general(kind: &str, operator: &mut Operator<'_>) -> Read<Value> {
    if let Some(value) = of_scores(kind, operator)? {
        return Ok(value);
    }
    match kind {
        "Identity" => operator.value(0),
        "Cast" => columns::cast(operator),
        "Concat" => columns::concat(operator),
        "Gather" => {
            // The axis of rows is the default, and so is refused.
            operator.check_axis(None)?;
            operator.check_list(1)?;
            columns::select(operator)
        }
        "Reshape" => columns::reshape(operator),
        "Flatten" => columns::flatten(operator),
        "Squeeze" => scores::squeeze(operator),
        "Sigmoid" => scores::sigmoid(operator),
        "Add" => columns::arithmetic(operator, Operation::Add),
        "Sub" => columns::arithmetic(operator, Operation::Subtract),
        "Div" => columns::arithmetic(operator, Operation::Divide),
        "Mul" => columns::arithmetic(operator, Operation::Multiply),
        "MatMul" => linear::product(operator),
        "Sum" => sums::sum(operator),
        "ArgMax" => scores::arg_max(operator),
        "Abs" => scores::absolute(operator),
        "ReduceSum" => scores::reduce_sum(operator),
        other => Err(Refusal::unsupported("op_type", other, GENERAL)),
    }
}

/// Operators that mean something else for the scores of a model than for columns.
fn of_scores(kind: &str, operator: &mut Operator<'_>) -> Read<Option<Value>> {
    if !operator.has_scores() {
        return Ok(None);
    }
    match kind {
        "Add" => sums::sum(operator).map(Some),
        "Mul" => sums::product(operator).map(Some),
        "Div" => sums::quotient(operator).map(Some),
        "Sub" => scores::complement(operator).map(Some),
        "Concat" => scores::both_classes(operator).map(Some),
        _ => Ok(None),
    }
}

impl Operator<'_> {
    fn has_scores(&self) -> bool {
        let is_scores = |value: &Value| matches!(value, Value::Scores(_));
        self.inputs.iter().any(is_scores)
    }

    pub(super) fn value(&self, index: usize) -> Read<Value> {
        let value = self.inputs.get(index).cloned();
        value.ok_or_else(|| Refusal::missing(format!("input[{index}]")))
    }

    /// An input that is made of columns.
    pub(super) fn columns(&self, index: usize) -> Read<Columns> {
        match self.value(index)? {
            Value::Columns(columns) => Ok(columns),
            _ => Err(Refusal::out_of_range(
                format!("input[{index}]"),
                "columns of one feature each",
            )),
        }
    }

    /// An input that is made of columns of numbers.
    pub(super) fn number_columns(&self, index: usize) -> Read<Columns> {
        let columns = self.columns(index)?;
        if columns.element == Element::Text {
            let path = format!("input[{index}]");
            return Err(Refusal::out_of_range(path, "columns of numbers"));
        }
        Ok(columns)
    }

    /// All inputs, of which there is at least one.
    pub(super) fn all_columns(&self) -> Read<Vec<Columns>> {
        self.columns(0)?;
        (0..self.inputs.len())
            .map(|index| self.columns(index))
            .collect()
    }

    /// Columns that are made of the inputs.
    pub(super) fn made(
        &mut self,
        element: Element,
        rank: usize,
        columns: impl Iterator<Item = Column>,
    ) -> Read<Value> {
        let made = self.budget.columns(element, rank, columns)?;
        Ok(Value::Columns(made))
    }

    /// A list of floats with one per column, or one for all.
    pub(super) fn per_column(&mut self, name: &'static str, count: usize) -> Read<Vec<f64>> {
        let numbers = self.attributes.floats(name)?;
        let numbers = numbers.ok_or_else(|| Refusal::missing(name))?;
        columns::stretched(numbers, count, name)
    }

    /// Numbers under one of the names of a list of ints, a list of floats, and a tensor.
    pub(super) fn numbers(&mut self, names: [&'static str; 3]) -> Read<(Vec<f64>, Element)> {
        let [ints, floats, tensor] = names;
        if let Some(numbers) = self.attributes.ints(ints)? {
            let numbers = numbers.into_iter().map(columns::whole);
            return Ok((numbers.collect::<Read<_>>()?, Element::Whole));
        }
        if let Some(numbers) = self.attributes.floats(floats)? {
            return Ok((numbers, Element::Float));
        }
        let tensor = self.attributes.tensor(tensor)?;
        let tensor = tensor.ok_or_else(|| Refusal::missing(format!("{ints} or {floats}")))?;
        let numbers = tensor.real().map_err(|refusal| refusal.within(floats))?;
        Ok((numbers, tensor.element))
    }

    /// Refuses a constant that is not a plain list: others would change the shape.
    pub(super) fn check_list(&self, index: usize) -> Read<()> {
        match self.value(index)? {
            Value::Constant(constant) if constant.rank == 1 => Ok(()),
            _ => Err(Refusal::out_of_range(
                format!("input[{index}]"),
                "a constant list",
            )),
        }
    }

    /// The axis of the columns, where it must be said unless there is a default.
    pub(super) fn check_axis(&mut self, default: Option<i64>) -> Read<()> {
        match self.attributes.int("axis")?.or(default) {
            Some(1 | -1) => Ok(()),
            Some(other) => Err(Refusal::unsupported("axis", &other.to_string(), "1 and -1")),
            None => Err(Refusal::missing("axis")),
        }
    }
}
