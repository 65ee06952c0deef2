//! From the tree of a condition to a typed one.
//!
//! What is accepted here means the same in CEL with `features` and `request` as maps from names to doubles and
//! strings in which a missing value has no entry. The reverse does not hold: this is a part of CEL.

use std::collections::BTreeSet;

use super::expression::{
    Arithmetic, Comparison, ExpressionError, Number, Predicate, Scope, Variable,
};
use super::syntax::{self, Binary, Kind, Node};
use crate::application::Purpose;
use crate::manifest::{FeatureKind, MissingRule};

/// Whole numbers up to here have exact neighbours in an `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

type Known = BTreeSet<Variable>;

/// Reads and checks a condition.
///
/// # Errors
/// The first place where the text breaks the grammar, a name is unknown, types do not fit, or a value that may be
/// missing is read without `has(...)`.
pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Predicate, ExpressionError> {
    let node = syntax::read(text)?;
    predicate(&node, scope, &Known::new())
}

/// A value of a condition with its type.
enum Term {
    Number(Number, Written),
    Text(Variable),
    TextLiteral(String),
}

/// CEL has whole numbers and doubles, and no arithmetic between them. Everything that has a name is a double.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Whole,
    Double,
}

fn predicate(node: &Node, scope: &Scope<'_>, known: &Known) -> Result<Predicate, ExpressionError> {
    match &node.kind {
        Kind::Bool(value) => Ok(Predicate::Constant(*value)),
        Kind::Has(path) => presence(path, node, scope),
        Kind::Not(inner) => Ok(Predicate::Not(Box::new(predicate(inner, scope, known)?))),
        Kind::Binary(_, Binary::And | Binary::Or, _) => chain(node, scope, known),
        Kind::Binary(left, Binary::In, right) => membership(left, right, scope, known),
        Kind::Binary(left, operator, right) => comparison(left, *operator, right, (scope, known)),
        _ => Err(ExpressionError::new(
            node.at,
            "expected a condition: true or false".to_owned(),
        )),
    }
}

fn chain(node: &Node, scope: &Scope<'_>, known: &Known) -> Result<Predicate, ExpressionError> {
    let Kind::Binary(_, joint, _) = node.kind else {
        return predicate(node, scope, known);
    };
    let mut nodes = Vec::new();
    flatten(node, joint, &mut nodes);
    let goes_on_when = joint == Binary::And;
    let mut known = known.clone();
    let mut parts = Vec::with_capacity(nodes.len());
    for node in nodes {
        let part = predicate(node, scope, &known)?;
        known.extend(present_if(&part, goes_on_when));
        parts.push(part);
    }
    Ok(if goes_on_when {
        Predicate::All(parts)
    } else {
        Predicate::Any(parts)
    })
}

/// The operands of a row of one operator. A row is as long as the text allows, so this is a loop down its left side.
fn flatten<'a>(node: &'a Node, joint: Binary, nodes: &mut Vec<&'a Node>) {
    let mut left = node;
    while let Kind::Binary(next, operator, right) = &left.kind
        && *operator == joint
    {
        nodes.push(right);
        left = next;
    }
    nodes.push(left);
    nodes.reverse();
}

/// What is known to be there when a condition came out as `value`.
fn present_if(predicate: &Predicate, value: bool) -> Known {
    match predicate {
        Predicate::Present(variable) if value => Known::from([variable.clone()]),
        Predicate::Not(inner) => present_if(inner, !value),
        Predicate::All(parts) | Predicate::Any(parts) => {
            let all_are = matches!(predicate, Predicate::All(_)) == value;
            let mut each = parts.iter().map(|part| present_if(part, value));
            if all_are {
                each.flatten().collect()
            } else {
                let first = each.next().unwrap_or_default();
                each.fold(first, |known, part| {
                    known.intersection(&part).cloned().collect()
                })
            }
        }
        _ => Known::new(),
    }
}

fn presence(path: &[String], node: &Node, scope: &Scope<'_>) -> Result<Predicate, ExpressionError> {
    let variable = variable(path, node, scope)?;
    let refuse = |message: String| Err(ExpressionError::new(node.at, message));
    match &variable {
        Variable::Score | Variable::Probability => refuse(format!("{variable} is always there")),
        Variable::Feature(name) => {
            let required = scope
                .feature(name)
                .is_some_and(|feature| feature.missing == MissingRule::Refuse);
            match (scope.before_score, required) {
                (true, false) => refuse(format!(
                    "{variable} may be missing in a decision, so it cannot make one impossible"
                )),
                (false, true) => refuse(format!("{variable} is required, so it is always there")),
                _ => Ok(Predicate::Present(variable)),
            }
        }
        _ => Ok(Predicate::Present(variable)),
    }
}

fn variable(path: &[String], node: &Node, scope: &Scope<'_>) -> Result<Variable, ExpressionError> {
    let refuse = |message: String| Err(ExpressionError::new(node.at, message));
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["score"] => Ok(Variable::Score),
        ["probability"] => Ok(Variable::Probability),
        ["request", "amount"] => Ok(Variable::Amount),
        ["request", "currency"] => Ok(Variable::Currency),
        ["request", "product"] => Ok(Variable::Product),
        ["request", "purpose"] => Ok(Variable::Purpose),
        ["features", name] if scope.feature(name).is_some() => {
            Ok(Variable::Feature((*name).to_owned()))
        }
        ["features", name] => refuse(format!("{name:?} is not a feature")),
        [name] if scope.feature(name).is_some() => refuse(format!("write features.{name}")),
        _ => refuse(format!(
            "unknown name {:?}: there are score, probability, features.NAME, request.amount, \
             request.currency, request.product and request.purpose",
            words.join(".")
        )),
    }
}

fn term(node: &Node, scope: &Scope<'_>, known: &Known) -> Result<Term, ExpressionError> {
    let refuse = |message: &str| Err(ExpressionError::new(node.at, message.to_owned()));
    match &node.kind {
        Kind::Number(number, true) if *number > WHOLE_MAX => refuse("larger than 2^53"),
        Kind::Number(number, whole) => {
            let written = if *whole {
                Written::Whole
            } else {
                Written::Double
            };
            Ok(Term::Number(Number::Literal(*number), written))
        }
        Kind::Text(text) => Ok(Term::TextLiteral(text.clone())),
        Kind::Path(path) => read_variable(path, node, scope, known),
        Kind::Negative(inner) => match term(inner, scope, known)? {
            Term::Number(number, written) => {
                Ok(Term::Number(Number::Negative(Box::new(number)), written))
            }
            _ => refuse("only a number has a negative"),
        },
        Kind::Binary(left, operator, right) => {
            let Some(operator) = arithmetic(*operator) else {
                return refuse("expected a number or a text, found a condition");
            };
            let left = double(left, scope, known)?;
            let right = double(right, scope, known)?;
            let sum = Number::Arithmetic(Box::new(left), operator, Box::new(right));
            Ok(Term::Number(sum, Written::Double))
        }
        _ => refuse("expected a number or a text"),
    }
}

fn read_variable(
    path: &[String],
    node: &Node,
    scope: &Scope<'_>,
    known: &Known,
) -> Result<Term, ExpressionError> {
    let variable = variable(path, node, scope)?;
    let refuse = |message: String| Err(ExpressionError::new(node.at, message));
    let feature = match &variable {
        Variable::Feature(name) => scope.feature(name),
        _ => None,
    };
    let is_score = matches!(variable, Variable::Score | Variable::Probability);
    if scope.before_score && (is_score || feature.is_some()) {
        return refuse(format!(
            "{variable} cannot be read by an \"incomplete\" rule, which is judged when required values are missing: \
             use has(features.NAME)"
        ));
    }
    let may_be_missing =
        !is_score && feature.is_none_or(|feature| feature.missing == MissingRule::Allow);
    if may_be_missing && !known.contains(&variable) {
        return refuse(format!(
            "{variable} may be missing: write has({variable}) && ... before it"
        ));
    }
    let is_text = match feature {
        Some(feature) => matches!(feature.kind, FeatureKind::Category(_)),
        None => matches!(
            variable,
            Variable::Currency | Variable::Product | Variable::Purpose
        ),
    };
    Ok(if is_text {
        Term::Text(variable)
    } else {
        Term::Number(Number::Variable(variable), Written::Double)
    })
}

fn double(node: &Node, scope: &Scope<'_>, known: &Known) -> Result<Number, ExpressionError> {
    match term(node, scope, known)? {
        Term::Number(number, Written::Double) => Ok(number),
        Term::Number(_, Written::Whole) => Err(ExpressionError::new(
            node.at,
            "write the number with a point (2.0): CEL does not mix whole numbers with doubles"
                .to_owned(),
        )),
        Term::Text(_) | Term::TextLiteral(_) => Err(ExpressionError::new(
            node.at,
            "expected a number, found a text".to_owned(),
        )),
    }
}

const fn arithmetic(operator: Binary) -> Option<Arithmetic> {
    match operator {
        Binary::Add => Some(Arithmetic::Add),
        Binary::Subtract => Some(Arithmetic::Subtract),
        Binary::Multiply => Some(Arithmetic::Multiply),
        Binary::Divide => Some(Arithmetic::Divide),
        _ => None,
    }
}

fn comparison(
    left: &Node,
    operator: Binary,
    right: &Node,
    (scope, known): (&Scope<'_>, &Known),
) -> Result<Predicate, ExpressionError> {
    let refuse = |message: &str| Err(ExpressionError::new(left.at, message.to_owned()));
    let (comparison, negated) = match operator {
        Binary::Less => (Comparison::Less, false),
        Binary::LessOrEqual => (Comparison::LessOrEqual, false),
        Binary::Greater => (Comparison::Greater, false),
        Binary::GreaterOrEqual => (Comparison::GreaterOrEqual, false),
        Binary::Equal => (Comparison::Equal, false),
        Binary::NotEqual => (Comparison::Equal, true),
        _ => return refuse("expected a condition, found a number"),
    };
    let equality = comparison == Comparison::Equal;
    let terms = (term(left, scope, known)?, term(right, scope, known)?);
    let holds = match terms {
        (Term::Number(left, _), Term::Number(right, _)) => {
            Predicate::Compare(left, comparison, right)
        }
        (Term::Text(variable), Term::TextLiteral(text))
        | (Term::TextLiteral(text), Term::Text(variable))
            if equality =>
        {
            check_text(&variable, &text, left.at, scope)?;
            Predicate::OneOf(variable, BTreeSet::from([text]))
        }
        (Term::Text(_), Term::Text(_)) | (Term::TextLiteral(_), Term::TextLiteral(_)) => {
            return refuse("compare a name with a text in quotes");
        }
        (Term::Text(_) | Term::TextLiteral(_), Term::Text(_) | Term::TextLiteral(_)) => {
            return refuse("texts can be compared with == and != only");
        }
        _ => return refuse("a number cannot be compared with a text"),
    };
    Ok(if negated {
        Predicate::Not(Box::new(holds))
    } else {
        holds
    })
}

fn membership(
    left: &Node,
    right: &Node,
    scope: &Scope<'_>,
    known: &Known,
) -> Result<Predicate, ExpressionError> {
    let Kind::List(items) = &right.kind else {
        return Err(ExpressionError::new(
            right.at,
            "expected a list: [..]".to_owned(),
        ));
    };
    match term(left, scope, known)? {
        Term::Text(variable) => {
            let mut texts = BTreeSet::new();
            for item in items {
                let Kind::Text(text) = &item.kind else {
                    return Err(ExpressionError::new(
                        item.at,
                        "expected a text in quotes".to_owned(),
                    ));
                };
                check_text(&variable, text, item.at, scope)?;
                texts.insert(text.clone());
            }
            Ok(Predicate::OneOf(variable, texts))
        }
        Term::Number(number, _) => {
            let mut parts = Vec::new();
            for item in items {
                let Term::Number(value, _) = term(item, scope, known)? else {
                    return Err(ExpressionError::new(
                        item.at,
                        "expected a number".to_owned(),
                    ));
                };
                parts.push(Predicate::Compare(number.clone(), Comparison::Equal, value));
            }
            Ok(Predicate::Any(parts))
        }
        Term::TextLiteral(_) => Err(ExpressionError::new(
            left.at,
            "compare a name with a list".to_owned(),
        )),
    }
}

/// A text that its variable can never have is a slip of the pen.
fn check_text(
    variable: &Variable,
    text: &str,
    at: usize,
    scope: &Scope<'_>,
) -> Result<(), ExpressionError> {
    let refuse = |what: &str| Err(ExpressionError::new(at, format!("{text:?} is not {what}")));
    match variable {
        Variable::Feature(name) => match scope.feature(name).map(|feature| &feature.kind) {
            Some(FeatureKind::Category(categories))
                if !categories.iter().any(|category| category.name == text) =>
            {
                refuse(&format!("a category of {variable}"))
            }
            _ => Ok(()),
        },
        Variable::Purpose if !Purpose::ALL.iter().any(|purpose| purpose.as_str() == text) => {
            refuse("a purpose")
        }
        Variable::Currency if !crate::application::is_currency(text) => {
            refuse("a currency code (ISO 4217)")
        }
        _ => Ok(()),
    }
}
