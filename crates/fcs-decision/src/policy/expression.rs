//! Typed conditions, and what they are evaluated over.
//!
//! A condition that exists can be evaluated to true or false whatever is missing: its types fit, and a value that may
//! be missing is read only where `has(...)` has said that it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::features::FeatureInput;
use crate::manifest::Feature;

/// What is wrong with the text of a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {}: {message}", at + 1)]
pub struct ExpressionError {
    /// Bytes before the place.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
}

impl ExpressionError {
    pub(super) fn new(at: usize, message: String) -> Self {
        Self { at, message }
    }
}

/// What a condition can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// `features.NAME`.
    Feature(String),
    /// `score`, in points.
    Score,
    /// `probability` of the adverse outcome.
    Probability,
    /// `request.amount`, in units of its currency.
    Amount,
    /// `request.currency`, ISO 4217.
    Currency,
    /// `request.product`, the lender's name of it.
    Product,
    /// `request.purpose`.
    Purpose,
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature(name) => write!(f, "features.{name}"),
            Self::Score => f.write_str("score"),
            Self::Probability => f.write_str("probability"),
            Self::Amount => f.write_str("request.amount"),
            Self::Currency => f.write_str("request.currency"),
            Self::Product => f.write_str("request.product"),
            Self::Purpose => f.write_str("request.purpose"),
        }
    }
}

/// What a condition may name and when it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The features of the schema.
    pub features: &'a [Feature],
    /// Judged before a score, because required values are missing.
    pub before_score: bool,
}

impl Scope<'_> {
    /// The feature with a name.
    pub(super) fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }
}

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// Written in the condition.
    Literal(f64),
    /// A feature, the score, the probability or the amount.
    Variable(Variable),
    /// `-a`.
    Negative(Box<Number>),
    /// `a + b` and so on, in double precision.
    Arithmetic(Box<Number>, Arithmetic, Box<Number>),
}

/// Operators on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`; division by zero gives an infinity or no number, as in IEEE 754.
    Divide,
}

/// Operators between numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `==`.
    Equal,
}

impl Comparison {
    /// The same comparison with its sides exchanged.
    pub(super) const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal => Self::Equal,
        }
    }

    #[expect(
        clippy::float_cmp,
        reason = "the condition asks for exactly this number"
    )]
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
        }
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// `true` or `false`.
    Constant(bool),
    /// `has(a.b)`.
    Present(Variable),
    /// A comparison of numbers.
    Compare(Number, Comparison, Number),
    /// The text is one of these.
    OneOf(Variable, BTreeSet<String>),
    /// `!a`.
    Not(Box<Predicate>),
    /// `a && b && …`, from the left.
    All(Vec<Predicate>),
    /// `a || b || …`, from the left.
    Any(Vec<Predicate>),
}

/// What is known of an application when a condition is judged.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Feature values.
    pub features: &'a BTreeMap<String, FeatureInput>,
    /// Scaled score, when there is one.
    pub score: Option<i32>,
    /// Probability of the adverse outcome, when there is one.
    pub probability: Option<f64>,
    /// The amount asked for.
    pub amount: Option<f64>,
    /// Its currency.
    pub currency: Option<&'a str>,
    /// The lender's product.
    pub product: Option<&'a str>,
    /// What the application is for.
    pub purpose: Option<&'a str>,
}

impl Facts<'_> {
    fn number(&self, variable: &Variable) -> Option<f64> {
        match variable {
            Variable::Feature(name) => match self.features.get(name)? {
                FeatureInput::Number(number) => Some(*number),
                FeatureInput::Category(_) | FeatureInput::Missing => None,
            },
            Variable::Score => self.score.map(f64::from),
            Variable::Probability => self.probability,
            Variable::Amount => self.amount,
            Variable::Currency | Variable::Product | Variable::Purpose => None,
        }
    }

    fn text(&self, variable: &Variable) -> Option<&str> {
        match variable {
            Variable::Feature(name) => match self.features.get(name)? {
                FeatureInput::Category(name) => Some(name),
                FeatureInput::Number(_) | FeatureInput::Missing => None,
            },
            Variable::Currency => self.currency,
            Variable::Product => self.product,
            Variable::Purpose => self.purpose,
            Variable::Score | Variable::Probability | Variable::Amount => None,
        }
    }

    fn has(&self, variable: &Variable) -> bool {
        self.number(variable).is_some() || self.text(variable).is_some()
    }
}

impl Number {
    /// The value; `None` when a variable in it is missing, which a checked condition has excluded.
    fn value(&self, facts: &Facts<'_>) -> Option<f64> {
        match self {
            Self::Literal(number) => Some(*number),
            Self::Variable(variable) => facts.number(variable),
            Self::Negative(inner) => inner.value(facts).map(|number| -number),
            Self::Arithmetic(left, operator, right) => {
                Some(operator.apply(left.value(facts)?, right.value(facts)?))
            }
        }
    }

    /// The value of a number without variables.
    pub(super) fn constant(&self) -> Option<f64> {
        match self {
            Self::Literal(number) => Some(*number),
            Self::Variable(_) => None,
            Self::Negative(inner) => inner.constant().map(|number| -number),
            Self::Arithmetic(left, operator, right) => {
                Some(operator.apply(left.constant()?, right.constant()?))
            }
        }
    }

    fn visit(&self, variables: &mut BTreeSet<Variable>) {
        match self {
            Self::Literal(_) => {}
            Self::Variable(variable) => {
                variables.insert(variable.clone());
            }
            Self::Negative(inner) => inner.visit(variables),
            Self::Arithmetic(left, _, right) => {
                left.visit(variables);
                right.visit(variables);
            }
        }
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        }
    }
}

impl Predicate {
    /// Whether it holds. It costs at most one step per node, and the same facts give the same answer everywhere:
    /// addition, multiplication, division and comparison of doubles are exact in IEEE 754.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Present(variable) => facts.has(variable),
            Self::Compare(left, comparison, right) => {
                match (left.value(facts), right.value(facts)) {
                    (Some(left), Some(right)) => comparison.holds(left, right),
                    _ => false,
                }
            }
            Self::OneOf(variable, texts) => facts
                .text(variable)
                .is_some_and(|text| texts.contains(text)),
            Self::Not(inner) => !inner.holds(facts),
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
        }
    }

    /// Every variable that it names.
    pub fn variables(&self) -> BTreeSet<Variable> {
        let mut variables = BTreeSet::new();
        self.walk(&mut |part| match part {
            Self::Present(variable) | Self::OneOf(variable, _) => {
                variables.insert(variable.clone());
            }
            Self::Compare(left, _, right) => {
                left.visit(&mut variables);
                right.visit(&mut variables);
            }
            Self::Constant(_) | Self::Not(_) | Self::All(_) | Self::Any(_) => {}
        });
        variables
    }

    /// Calls a function with this part and every part in it.
    pub(super) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Not(inner) => inner.walk(visit),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.walk(visit);
                }
            }
            Self::Constant(_) | Self::Present(_) | Self::Compare(..) | Self::OneOf(..) => {}
        }
    }
}
