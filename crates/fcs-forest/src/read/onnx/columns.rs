//! Operators that make columns of columns, one number at a time.

use std::sync::Arc;

use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::value::{Columns, Element, Value, Width};
use crate::ensemble::Precision;
use crate::front::{Column, Lookup, Operation, Step};
use crate::read::onnx::proto::element_type;

/// Whole numbers up to here are exact in a double.
const WHOLE_MAX: u64 = 1 << 53;

/// Version of `ai.onnx.ml` from which ONNX Runtime finds NaN among the keys of a label encoder.
const MISSING_KEY_VERSION: i64 = 4;

pub(super) fn scaler(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = operator.number_columns(0)?;
    let count = columns.len();
    let offsets = operator.per_column("offset", count)?;
    let scales = operator.per_column("scale", count)?;
    // The result is single precision; a double is worked on as it is and rounded at the end.
    let precision = precision(columns.element);
    let calculate = |operation, operand| Step::Calculate {
        operation,
        operand,
        precision,
    };
    let made = columns.then(|index| {
        let first = (columns.element == Element::Whole).then_some(Step::Single);
        let last = (columns.element == Element::Double).then_some(Step::Single);
        let steps = [
            calculate(Operation::Subtract, offsets[index]),
            calculate(Operation::Multiply, scales[index]),
        ];
        first.into_iter().chain(steps).chain(last)
    });
    operator.made(Element::Float, columns.rank, made)
}

pub(super) fn imputer(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = operator.number_columns(0)?;
    let count = columns.len();
    let (from, replacements) = if columns.element == Element::Whole {
        let from = operator
            .attributes
            .int("replaced_value_int64")?
            .unwrap_or(0);
        let to = operator.attributes.ints("imputed_value_int64s")?;
        let to = to.map(|numbers| numbers.into_iter().map(whole).collect::<Read<Vec<f64>>>());
        (whole(from)?, to.transpose()?)
    } else {
        let from = operator.attributes.float("replaced_value_float")?;
        let to = operator.attributes.floats("imputed_value_floats")?;
        (from.unwrap_or(0.0), to)
    };
    let replacements = replacements.ok_or_else(|| Refusal::missing("imputed_value"))?;
    let replacements = stretched(replacements, count, "imputed_value")?;
    let made = columns.then(|index| {
        [Step::Replace {
            from,
            to: replacements[index],
        }]
    });
    operator.made(columns.element, columns.rank, made)
}

pub(super) fn one_hot_encoder(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = operator.columns(0)?;
    let categories = categories(operator, &columns)?;
    if operator.attributes.int("zeros")?.unwrap_or(1) != 1 {
        let supported = "1: no indicator is set for an unknown category";
        return Err(Refusal::unsupported("zeros", "0", supported));
    }
    let made = columns
        .columns
        .iter()
        .enumerate()
        .flat_map(|(index, column)| {
            let categories = categories.get(index).unwrap_or(&categories[0]);
            categories.iter().map(|&value| Column {
                feature: column.feature,
                // A number becomes the category that it truncates to.
                steps: [&column.steps[..], &[Step::Truncate, Step::Is { value }]].concat(),
            })
        });
    let rank = columns.rank + 1;
    let made = operator.budget.columns(Element::Float, rank, made)?;
    Ok(Value::Columns(Columns {
        is_one_group: rank == 3 && columns.len() == 1,
        ..made
    }))
}

/// The categories of each column, or, when they are numbers, of all columns.
fn categories(operator: &mut Operator<'_>, columns: &Columns) -> Read<Vec<Vec<f64>>> {
    if columns.element == Element::Text {
        let texts = operator.attributes.strings("cats_strings")?;
        let texts = texts.ok_or_else(|| Refusal::missing("cats_strings"))?;
        let unpacking = &mut operator.budget.unpacking;
        let codes = operator.texts.codes(columns, &texts, unpacking);
        return codes.map_err(|refusal| refusal.within("cats_strings"));
    }
    let numbers = operator.attributes.ints("cats_int64s")?;
    let numbers = numbers.ok_or_else(|| Refusal::missing("cats_int64s"))?;
    let numbers = numbers.into_iter().map(whole).collect::<Read<Vec<f64>>>()?;
    Ok(vec![numbers])
}

pub(super) fn binarizer(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = operator.number_columns(0)?;
    let threshold = operator.attributes.float("threshold")?.unwrap_or(0.0);
    let made = columns.then(|_| [Step::IsAbove { threshold }]);
    operator.made(columns.element, columns.rank, made)
}

pub(super) fn label_encoder(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = operator.columns(0)?;
    let keys = keys(operator, &columns)?;
    let (values, element) =
        operator.numbers(["values_int64s", "values_floats", "values_tensor"])?;
    let default = default_value(operator, element)?;
    let finds_missing = operator.version >= MISSING_KEY_VERSION;
    let lookups = keys.into_iter().map(|keys| {
        if keys.len() != values.len() {
            return Err(Refusal::wrong_length("values", keys.len(), values.len()));
        }
        let pairs = keys.into_iter().zip(values.iter().copied());
        lookup(pairs.collect(), default, finds_missing).map(Arc::new)
    });
    let lookups = lookups.collect::<Read<Vec<_>>>()?;
    // Without texts there is one for all columns.
    let made = columns.then(|index| {
        let lookup = lookups.get(index).unwrap_or(&lookups[0]);
        [Step::Lookup(Arc::clone(lookup))]
    });
    operator.made(element, columns.rank, made)
}

/// The keys of each column, or, when they are numbers, of all columns.
fn keys(operator: &mut Operator<'_>, columns: &Columns) -> Read<Vec<Vec<f64>>> {
    if columns.element == Element::Text {
        let texts = operator.attributes.strings("keys_strings")?;
        let texts = texts.ok_or_else(|| Refusal::missing("keys_strings"))?;
        let unpacking = &mut operator.budget.unpacking;
        let codes = operator.texts.codes(columns, &texts, unpacking);
        return codes.map_err(|refusal| refusal.within("keys_strings"));
    }
    let (keys, element) = operator.numbers(["keys_int64s", "keys_floats", "keys_tensor"])?;
    if (element == Element::Whole) != (columns.element == Element::Whole) {
        return Err(Refusal::out_of_range("keys", "numbers of the input's type"));
    }
    Ok(vec![keys])
}

/// What a label encoder makes of a value that is no key.
fn default_value(operator: &mut Operator<'_>, element: Element) -> Read<f64> {
    operator.attributes.ignore(&["default_string"]);
    let default = match element {
        Element::Whole => whole(operator.attributes.int("default_int64")?.unwrap_or(-1))?,
        _ => operator.attributes.float("default_float")?.unwrap_or(-0.0),
    };
    match operator.attributes.tensor("default_tensor")? {
        None => Ok(default),
        Some(tensor) => {
            let numbers = tensor
                .real()
                .map_err(|refusal| refusal.within("default_tensor"))?;
            let first = numbers.first().copied();
            first.ok_or_else(|| Refusal::missing("default_tensor"))
        }
    }
}

fn lookup(pairs: Vec<(f64, f64)>, other: f64, finds_missing: bool) -> Read<Lookup> {
    let (of_missing, mut entries): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(key, _)| key.is_nan());
    for (key, _) in &mut entries {
        // Zero has one sign.
        *key += 0.0;
    }
    entries.sort_by(|one, other| one.0.total_cmp(&other.0));
    let is_repeated = entries.windows(2).any(|pair| pair[0].0 >= pair[1].0);
    if is_repeated || of_missing.len() > 1 {
        return Err(Refusal::out_of_range("keys", "numbers that occur once"));
    }
    Ok(Lookup {
        entries,
        missing: match of_missing.first() {
            Some((_, value)) if finds_missing => *value,
            _ => other,
        },
        other,
    })
}

/// A number with a constant, or a constant with a number.
pub(super) fn arithmetic(operator: &mut Operator<'_>, operation: Operation) -> Read<Value> {
    let (columns, constant, operation) = match (operator.value(0)?, operator.value(1)?) {
        (Value::Columns(columns), Value::Constant(constant)) => (columns, constant, operation),
        (Value::Constant(constant), Value::Columns(columns)) => {
            let exchanged = match operation {
                Operation::Add | Operation::Multiply => operation,
                Operation::Subtract => Operation::SubtractFrom,
                _ => return Err(Refusal::out_of_range("input[0]", "columns of features")),
            };
            (columns, constant, exchanged)
        }
        _ => {
            let expected = "columns of one feature each, and a constant";
            return Err(Refusal::out_of_range("input", expected));
        }
    };
    if matches!(columns.element, Element::Whole | Element::Text)
        || constant.element != columns.element
    {
        return Err(Refusal::out_of_range(
            "input",
            "float or double, both of one type",
        ));
    }
    if !constant.is_row || constant.rank > columns.rank {
        return Err(Refusal::out_of_range("input", "a constant of one row"));
    }
    let operands = stretched(constant.real()?, columns.len(), "input[1]")?;
    let precision = precision(columns.element);
    let made = columns.then(|index| {
        [Step::Calculate {
            operation,
            operand: operands[index],
            precision,
        }]
    });
    operator.made(columns.element, columns.rank, made)
}

pub(super) fn cast(operator: &mut Operator<'_>) -> Read<Value> {
    let to = operator.attributes.int("to")?;
    operator.attributes.ignore(&["saturate"]);
    if matches!(operator.value(0)?, Value::Labels) {
        return Ok(Value::Labels);
    }
    let element = match to.and_then(|to| i32::try_from(to).ok()) {
        Some(element_type::FLOAT) => Element::Float,
        Some(element_type::DOUBLE) => Element::Double,
        Some(element_type::INT32 | element_type::INT64) => Element::Whole,
        _ => {
            let value = to.unwrap_or(0).to_string();
            let supported = "float, double, int32 and int64";
            return Err(Refusal::unsupported("to", &value, supported));
        }
    };
    let columns = match operator.value(0)? {
        Value::Columns(columns) if columns.element != Element::Text => columns,
        // The scores of a float are what is compared with; a double of them is the same number.
        Value::Scores(scores) if element != Element::Whole => return Ok(Value::Scores(scores)),
        _ => return Err(Refusal::out_of_range("input[0]", "columns of numbers")),
    };
    let step = match (columns.element, element) {
        (_, Element::Whole) => Some(Step::Truncate),
        (_, Element::Float) => Some(Step::Single),
        (_, Element::Double | Element::Text) => None,
    };
    let made = columns.then(|_| step.clone());
    operator.made(element, columns.rank, made)
}

/// Columns beside each other: along the last dimension.
pub(super) fn concat(operator: &mut Operator<'_>) -> Read<Value> {
    let parts = operator.all_columns()?;
    let (element, rank) = (parts[0].element, parts[0].rank);
    let axis = operator.attributes.int("axis")?;
    let axis = axis.ok_or_else(|| Refusal::missing("axis"))?;
    let last = if rank == 3 { 2 } else { 1 };
    if axis != last && axis != -1 {
        return Err(Refusal::unsupported("axis", &axis.to_string(), "the last"));
    }
    let fits = |part: &Columns| {
        part.element == element && part.rank == rank && (rank == 2 || part.is_one_group)
    };
    if !parts.iter().all(fits) {
        return Err(Refusal::out_of_range("input", "rows of one type"));
    }
    let joined = parts.iter().flat_map(|part| part.columns.iter().cloned());
    let joined = operator.budget.columns(element, rank, joined)?;
    Ok(Value::Columns(Columns {
        is_one_group: rank == 3,
        ..joined
    }))
}

pub(super) fn feature_vectorizer(operator: &mut Operator<'_>) -> Read<Value> {
    let parts = operator.all_columns()?;
    let widths = operator.attributes.ints("inputdimensions")?;
    let widths = widths.ok_or_else(|| Refusal::missing("inputdimensions"))?;
    let expected = parts.iter().map(|part| i64::try_from(part.len()).ok());
    if !expected.eq(widths.into_iter().map(Some)) || parts.iter().any(|part| part.rank != 2) {
        return Err(Refusal::out_of_range(
            "inputdimensions",
            "the widths of the inputs",
        ));
    }
    if parts.iter().any(|part| part.element == Element::Text) {
        return Err(Refusal::out_of_range("input", "columns of numbers"));
    }
    let made = parts.iter().flat_map(|part| part.then(|_| [Step::Single]));
    operator.made(Element::Float, 2, made)
}

/// `Gather` along the columns, and `ArrayFeatureExtractor`.
pub(super) fn select(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = match operator.value(0)? {
        Value::Columns(columns) if columns.rank == 2 => columns,
        // The names of classes, chosen by a label.
        Value::Constant(_) if matches!(operator.value(1)?, Value::Labels) => {
            return Ok(Value::Labels);
        }
        _ => return Err(Refusal::out_of_range("input[0]", "columns of features")),
    };
    let Value::Constant(indices) = operator.value(1)? else {
        return Err(Refusal::out_of_range("input[1]", "a constant"));
    };
    let indices = indices
        .whole()
        .map_err(|refusal| refusal.within("input[1]"))?;
    let count = i64::try_from(columns.len()).unwrap_or(i64::MAX);
    let mut chosen = Vec::with_capacity(indices.len());
    for index in indices {
        let index = if *index < 0 {
            index.saturating_add(count)
        } else {
            *index
        };
        let column = usize::try_from(index).ok();
        let column = column.and_then(|index| columns.columns.get(index));
        let column =
            column.ok_or_else(|| Refusal::out_of_range("input[1]", "indices of the columns"))?;
        chosen.push(column.clone());
    }
    operator.made(columns.element, 2, chosen.into_iter())
}

/// Reshaping that leaves one row of the same columns.
pub(super) fn reshape(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = match operator.value(0)? {
        Value::Columns(columns) => columns,
        Value::Labels => return Ok(Value::Labels),
        // One score is one score in any shape.
        Value::Scores(scores) if scores.width == Width::One => return Ok(Value::Scores(scores)),
        _ => return Err(Refusal::out_of_range("input[0]", "columns of features")),
    };
    let Value::Constant(shape) = operator.value(1)? else {
        return Err(Refusal::out_of_range("input[1]", "a constant"));
    };
    if operator.attributes.int("allowzero")?.unwrap_or(0) != 0 {
        return Err(Refusal::unsupported("allowzero", "1", "0"));
    }
    let count = i64::try_from(columns.len()).unwrap_or(i64::MAX);
    let shape = shape
        .whole()
        .map_err(|refusal| refusal.within("input[1]"))?;
    let keeps_rows = match *shape {
        [-1, width] => width == count,
        [0, width] => width == count || width == -1,
        _ => false,
    };
    if !keeps_rows {
        return Err(Refusal::out_of_range(
            "input[1]",
            "[-1, columns]: rows stay rows",
        ));
    }
    Ok(Value::Columns(Columns { rank: 2, ..columns }))
}

pub(super) fn flatten(operator: &mut Operator<'_>) -> Read<Value> {
    operator.check_axis(Some(1))?;
    match operator.value(0)? {
        Value::Columns(columns) => Ok(Value::Columns(Columns { rank: 2, ..columns })),
        other => Ok(other),
    }
}

/// One number per column, of which one may stand for all.
pub(super) fn stretched(numbers: Vec<f64>, count: usize, path: &str) -> Read<Vec<f64>> {
    match numbers.len() {
        1 => Ok(vec![numbers[0]; count]),
        length if length == count => Ok(numbers),
        found => Err(Refusal::wrong_length(path, count, found)),
    }
}

/// A whole number that a double holds exactly.
pub(super) fn whole(number: i64) -> Read<f64> {
    if number.unsigned_abs() > WHOLE_MAX {
        return Err(Refusal::out_of_range("", "whole numbers up to 2^53"));
    }
    Ok(number as f64)
}

fn precision(element: Element) -> Precision {
    match element {
        Element::Float | Element::Whole | Element::Text => Precision::Single,
        Element::Double => Precision::Double,
    }
}
