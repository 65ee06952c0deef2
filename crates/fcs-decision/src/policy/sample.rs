//! Applications to try conditions on where nothing exact can be said: at the bounds that conditions name, at the ends
//! of ranges, and those of a population.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Facts, Number, Predicate, Variable};
use super::region::{Domain, Space, Texts, Values};
use crate::features::FeatureInput;
use crate::manifest::Feature;

/// Points made from bounds.
pub(super) const BOUNDARY_POINTS: usize = 4_096;
/// Points made from each row of a population: what a row does not say varies.
const POINTS_PER_ROW: usize = 4;

/// One application to try.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    features: BTreeMap<String, FeatureInput>,
    score: Option<i32>,
    probability: Option<f64>,
    amount: Option<f64>,
    currency: Option<String>,
    product: Option<String>,
    purpose: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Missing,
    Number(f64),
    Text(String),
}

impl Point {
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            features: &self.features,
            score: self.score,
            probability: self.probability,
            amount: self.amount,
            currency: self.currency.as_deref(),
            product: self.product.as_deref(),
            purpose: self.purpose.as_deref(),
        }
    }

    /// The values of some variables, in words.
    pub(super) fn shown(&self, variables: &BTreeSet<Variable>) -> String {
        let one = |variable: &Variable| {
            let value = match variable {
                Variable::Feature(name) => match self.features.get(name) {
                    Some(FeatureInput::Number(number)) => Some(number.to_string()),
                    Some(FeatureInput::Category(name)) => Some(format!("{name:?}")),
                    Some(FeatureInput::Missing) | None => None,
                },
                Variable::Score => self.score.map(|score| score.to_string()),
                Variable::Probability => self.probability.map(|it| it.to_string()),
                Variable::Amount => self.amount.map(|amount| amount.to_string()),
                Variable::Currency => self.currency.as_ref().map(|text| format!("{text:?}")),
                Variable::Product => self.product.as_ref().map(|text| format!("{text:?}")),
                Variable::Purpose => self.purpose.as_ref().map(|text| format!("{text:?}")),
            };
            format!(
                "{variable} = {}",
                value.unwrap_or_else(|| "missing".to_owned())
            )
        };
        variables.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn set(&mut self, variable: &Variable, value: Value) {
        let (number, text) = match &value {
            Value::Missing => (None, None),
            Value::Number(number) => (Some(*number), None),
            Value::Text(text) => (None, Some(text.clone())),
        };
        match variable {
            Variable::Feature(name) => {
                let input = match value {
                    Value::Missing => FeatureInput::Missing,
                    Value::Number(number) => FeatureInput::Number(number),
                    Value::Text(text) => FeatureInput::Category(text),
                };
                self.features.insert(name.clone(), input);
            }
            Variable::Score => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a whole score of the scale"
                )]
                let score = number.map(|number| number as i32);
                self.score = score;
            }
            Variable::Probability => self.probability = number,
            Variable::Amount => self.amount = number,
            Variable::Currency => self.currency = text,
            Variable::Product => self.product = text,
            Variable::Purpose => self.purpose = text,
        }
    }
}

/// The points that conditions are tried on: always the same ones.
pub(super) fn points(
    predicates: &[&Predicate],
    (features, space): (&[Feature], &Space),
    rows: &[BTreeMap<String, FeatureInput>],
) -> Vec<Point> {
    let candidates = candidates(predicates, features, space);
    let mut sequence = Sequence(0x5eed);
    let mut draw = |features: BTreeMap<String, FeatureInput>, keep_features: bool| {
        let mut point = Point {
            features,
            score: None,
            probability: None,
            amount: None,
            currency: None,
            product: None,
            purpose: None,
        };
        for (variable, values) in &candidates {
            let kept = keep_features && matches!(variable, Variable::Feature(_));
            if !kept && !values.is_empty() {
                point.set(variable, values[sequence.below(values.len())].clone());
            }
        }
        point
    };
    let mut points: Vec<Point> = (0..BOUNDARY_POINTS)
        .map(|_| draw(BTreeMap::new(), false))
        .collect();
    for row in rows {
        points.extend((0..POINTS_PER_ROW).map(|_| draw(row.clone(), true)));
    }
    points
}

/// The values to try for each variable that a condition names.
fn candidates(
    predicates: &[&Predicate],
    features: &[Feature],
    space: &Space,
) -> BTreeMap<Variable, Vec<Value>> {
    let mut limits: BTreeMap<Variable, BTreeSet<u64>> = BTreeMap::new();
    let mut texts: BTreeMap<Variable, BTreeSet<String>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for predicate in predicates {
        named.extend(predicate.variables());
        predicate.walk(&mut |part| match part {
            Predicate::Compare(Number::Variable(variable), _, other)
            | Predicate::Compare(other, _, Number::Variable(variable)) => {
                let limit = other.constant().map(f64::to_bits);
                limits.entry(variable.clone()).or_default().extend(limit);
            }
            Predicate::OneOf(variable, some) => {
                texts
                    .entry(variable.clone())
                    .or_default()
                    .extend(some.iter().cloned());
            }
            _ => {}
        });
    }
    let values = |variable: Variable| {
        let Some(domain) = space.domains.get(&variable) else {
            return (variable, Vec::new());
        };
        let mut limits: Vec<f64> = limits
            .remove(&variable)
            .unwrap_or_default()
            .into_iter()
            .map(f64::from_bits)
            .collect();
        if let Variable::Feature(name) = &variable
            && let Some(feature) = features.iter().find(|feature| feature.name == *name)
        {
            limits.extend(&feature.bins.edges);
        }
        let texts = texts.remove(&variable).unwrap_or_default();
        let values = values_of(domain, &limits, texts);
        (variable, values)
    };
    named.into_iter().map(values).collect()
}

fn values_of(domain: &Domain, limits: &[f64], texts: BTreeSet<String>) -> Vec<Value> {
    let mut values = Vec::new();
    if domain.missing {
        values.push(Value::Missing);
    }
    match &domain.values {
        None => {}
        Some(Values::Numbers(interval)) => {
            let (low, high) = (interval.low.0, interval.high.0);
            let near = |limit: &f64| {
                let step = if interval.whole {
                    1.0
                } else {
                    (limit.abs() * 1e-9).max(1e-9)
                };
                [limit - step, *limit, limit + step]
            };
            let mut numbers = vec![low, f64::midpoint(low, high), high];
            numbers.extend(limits.iter().flat_map(near));
            let fits = |number: f64| {
                if interval.whole {
                    number.round()
                } else {
                    number
                }
            };
            values.extend(
                numbers
                    .into_iter()
                    .filter(|number| (low..=high).contains(number))
                    .map(|number| Value::Number(fits(number))),
            );
        }
        Some(Values::Texts(own)) => {
            let mut all = texts;
            match own {
                Texts::Only(only) => all.extend(only.iter().cloned()),
                Texts::Without(_) => drop(all.insert("other".to_owned())),
            }
            values.extend(all.into_iter().map(Value::Text));
        }
    }
    values
}

/// A fixed sequence of numbers that looks mixed (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014): the points must be the same in every process.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, length: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let place = (u128::from(mixed) * length as u128) >> 64;
        usize::try_from(place).unwrap_or_default()
    }
}
