//! Sets of applications for which a condition holds, as unions of regions: one range or set of texts per variable.
//!
//! A comparison of a variable with a number and a test for texts become exact parts of a region. Any other comparison
//! is *opaque*: its truth is taken as free, except that it cannot be true and false at once. So a condition without
//! regions cannot hold, and one with regions may hold for no application if opaque comparisons are among them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Comparison, Number, Predicate, Scope, Variable};
use crate::application::Purpose;
use crate::manifest::{FeatureKind, MissingRule, Range};
use crate::score::ScoreScale;

/// Regions of one union at most; beyond, nothing exact is said.
const REGIONS_MAX: usize = 1_024;
/// Intersections of regions at most for all rules of a policy together: a second of work, whoever wrote them.
const WORK_MAX: u32 = 300_000;

/// The union has too many regions, or was too much work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// The possible values of a variable that is there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Numbers(Interval),
    Texts(Texts),
}

/// Numbers between two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: (f64, Edge),
    pub(super) high: (f64, Edge),
    pub(super) whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Closed,
    Open,
}

/// Texts: some of a list, or all but some.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Texts {
    Only(BTreeSet<String>),
    Without(BTreeSet<String>),
}

/// What a variable can be: missing, or one of some values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Domain {
    pub(super) missing: bool,
    pub(super) values: Option<Values>,
}

impl Domain {
    fn is_empty(&self) -> bool {
        !self.missing && self.values.is_none()
    }
}

/// Every variable with what it can be, and how much more may be computed about it.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) domains: BTreeMap<Variable, Domain>,
    work_left: Cell<u32>,
}

impl Space {
    /// Pays for one step; fails when nothing is left.
    fn work(&self) -> Result<(), TooMany> {
        let left = self.work_left.get().checked_sub(1).ok_or(TooMany)?;
        self.work_left.set(left);
        Ok(())
    }
}

/// The variables of a scope with all that they can be.
pub(super) fn space(scope: &Scope<'_>, scale: &ScoreScale) -> Space {
    let there = |values| Domain {
        missing: false,
        values: Some(values),
    };
    let perhaps = |values| Domain {
        missing: true,
        values: Some(values),
    };
    let any_text = || perhaps(Values::Texts(Texts::Without(BTreeSet::new())));
    let purposes = Purpose::ALL
        .iter()
        .map(|purpose| purpose.as_str().to_owned())
        .collect();
    let mut domains = BTreeMap::from([
        (
            Variable::Score,
            there(Interval::closed(
                f64::from(scale.minimum),
                f64::from(scale.maximum),
                true,
            )),
        ),
        (
            Variable::Probability,
            there(Interval::closed(0.0, 1.0, false)),
        ),
        (
            Variable::Amount,
            perhaps(Interval::closed(0.0, 1e11, false)),
        ),
        (Variable::Currency, any_text()),
        (Variable::Product, any_text()),
        (
            Variable::Purpose,
            perhaps(Values::Texts(Texts::Only(purposes))),
        ),
    ]);
    for feature in scope.features {
        let values = match &feature.kind {
            FeatureKind::Number(Range { minimum, maximum }) => {
                Interval::closed(*minimum, *maximum, false)
            }
            FeatureKind::Integer(Range { minimum, maximum }) => {
                Interval::closed(*minimum, *maximum, true)
            }
            FeatureKind::Category(categories) => Values::Texts(Texts::Only(
                categories
                    .iter()
                    .map(|category| category.name.clone())
                    .collect(),
            )),
        };
        let missing = feature.missing == MissingRule::Allow || scope.before_score;
        let domain = Domain {
            missing,
            values: Some(values),
        };
        domains.insert(Variable::Feature(feature.name.clone()), domain);
    }
    Space {
        domains,
        work_left: Cell::new(WORK_MAX),
    }
}

impl Interval {
    fn closed(low: f64, high: f64, whole: bool) -> Values {
        let closed = |value| (value, Edge::Closed);
        Values::Numbers(Self {
            low: closed(low),
            high: closed(high),
            whole,
        })
    }

    /// The part that compares so with a number; `None` when it is empty.
    fn narrowed(mut self, comparison: Comparison, limit: f64) -> Option<Self> {
        let (at_least, at_most) = match comparison {
            Comparison::Less => (None, Some((limit, Edge::Open))),
            Comparison::LessOrEqual => (None, Some((limit, Edge::Closed))),
            Comparison::Greater => (Some((limit, Edge::Open)), None),
            Comparison::GreaterOrEqual => (Some((limit, Edge::Closed)), None),
            Comparison::Equal => (Some((limit, Edge::Closed)), Some((limit, Edge::Closed))),
        };
        if let Some((value, edge)) = at_least
            && (value > self.low.0 || value >= self.low.0 && edge == Edge::Open)
        {
            self.low = (value, edge);
        }
        if let Some((value, edge)) = at_most
            && (value < self.high.0 || value <= self.high.0 && edge == Edge::Open)
        {
            self.high = (value, edge);
        }
        self.tightened()
    }

    fn tightened(mut self) -> Option<Self> {
        if self.whole {
            let (low, high) = (self.low.0.ceil(), self.high.0.floor());
            let on_low = self.low.1 == Edge::Open && low <= self.low.0;
            let on_high = self.high.1 == Edge::Open && high >= self.high.0;
            self.low = (if on_low { low + 1.0 } else { low }, Edge::Closed);
            self.high = (if on_high { high - 1.0 } else { high }, Edge::Closed);
        }
        let closed = self.low.1 == Edge::Closed && self.high.1 == Edge::Closed;
        let holds_any = self.low.0 < self.high.0 || closed && self.low.0 <= self.high.0;
        holds_any.then_some(self)
    }

    fn met(self, other: Self) -> Option<Self> {
        let comparison = |(value, edge), or_equal, strict| match edge {
            Edge::Closed => (or_equal, value),
            Edge::Open => (strict, value),
        };
        let (above, low) = comparison(other.low, Comparison::GreaterOrEqual, Comparison::Greater);
        let (below, high) = comparison(other.high, Comparison::LessOrEqual, Comparison::Less);
        self.narrowed(above, low)?.narrowed(below, high)
    }

    /// Whether every value is above a number.
    pub(super) fn is_above(self, limit: f64) -> bool {
        self.low.0 > limit || self.low.0 >= limit && self.low.1 == Edge::Open
    }

    fn example(self) -> f64 {
        match (self.low.1, self.high.1) {
            (Edge::Closed, _) => self.low.0,
            (Edge::Open, Edge::Closed) => self.high.0,
            (Edge::Open, Edge::Open) => f64::midpoint(self.low.0, self.high.0),
        }
    }
}

impl Texts {
    fn met(&self, other: &Self) -> Option<Self> {
        let met = match (self, other) {
            (Self::Only(left), Self::Only(right)) => {
                Self::Only(left.intersection(right).cloned().collect())
            }
            (Self::Only(only), Self::Without(without))
            | (Self::Without(without), Self::Only(only)) => {
                Self::Only(only.difference(without).cloned().collect())
            }
            (Self::Without(left), Self::Without(right)) => {
                Self::Without(left.union(right).cloned().collect())
            }
        };
        let holds_any = !matches!(&met, Self::Only(texts) if texts.is_empty());
        holds_any.then_some(met)
    }

    fn example(&self) -> String {
        match self {
            Self::Only(texts) => texts.first().cloned().unwrap_or_default(),
            Self::Without(texts) => {
                let mut other = "other".to_owned();
                while texts.contains(&other) {
                    other.push('_');
                }
                other
            }
        }
    }
}

impl Values {
    fn met(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Numbers(left), Self::Numbers(right)) => left.met(*right).map(Self::Numbers),
            (Self::Texts(left), Self::Texts(right)) => left.met(right).map(Self::Texts),
            _ => None,
        }
    }
}

/// Applications with each variable in its domain; a variable that is not named is free.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Region {
    pub(super) domains: BTreeMap<Variable, Domain>,
    opaque: BTreeMap<String, bool>,
}

impl Region {
    fn of(variable: &Variable, domain: Domain) -> Self {
        Self {
            domains: BTreeMap::from([(variable.clone(), domain)]),
            opaque: BTreeMap::new(),
        }
    }

    /// What is in both; `None` when that is nothing.
    pub(super) fn met(&self, other: &Self) -> Option<Self> {
        let mut met = self.clone();
        for (key, value) in &other.opaque {
            if *met.opaque.entry(key.clone()).or_insert(*value) != *value {
                return None;
            }
        }
        for (variable, domain) in &other.domains {
            let both = match met.domains.get(variable) {
                None => domain.clone(),
                Some(own) => Domain {
                    missing: own.missing && domain.missing,
                    values: match (&own.values, &domain.values) {
                        (Some(left), Some(right)) => left.met(right),
                        _ => None,
                    },
                },
            };
            if both.is_empty() {
                return None;
            }
            met.domains.insert(variable.clone(), both);
        }
        Some(met)
    }

    /// Whether an application exists in it as far as conditions can tell: nothing in it is opaque, and score and
    /// probability, which depend on each other, are not both bounded.
    pub(super) fn is_exact(&self) -> bool {
        let bounds = |variable| self.domains.contains_key(&variable);
        self.opaque.is_empty() && !(bounds(Variable::Score) && bounds(Variable::Probability))
    }

    /// One application of it, in words.
    pub(super) fn example(&self) -> String {
        let one = |(variable, domain): (&Variable, &Domain)| {
            let value = match &domain.values {
                None => "missing".to_owned(),
                Some(Values::Numbers(interval)) => interval.example().to_string(),
                Some(Values::Texts(texts)) => format!("{:?}", texts.example()),
            };
            format!("{variable} = {value}")
        };
        self.domains.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The regions where a condition has a value.
pub(super) fn regions(
    predicate: &Predicate,
    value: bool,
    space: &Space,
) -> Result<Vec<Region>, TooMany> {
    space.work()?;
    match predicate {
        Predicate::Constant(constant) => Ok(if *constant == value {
            vec![Region::default()]
        } else {
            Vec::new()
        }),
        Predicate::Not(inner) => regions(inner, !value, space),
        Predicate::All(parts) if value => all(parts, value, space),
        Predicate::Any(parts) if !value => all(parts, value, space),
        Predicate::All(parts) | Predicate::Any(parts) => {
            let mut union = Vec::new();
            for part in parts {
                union.extend(regions(part, value, space)?);
                limited(&union)?;
            }
            Ok(union)
        }
        Predicate::Present(variable) => Ok(atom(variable, space, |domain| Domain {
            missing: domain.missing && !value,
            values: domain.values.clone().filter(|_| value),
        })),
        Predicate::OneOf(variable, texts) => {
            let wanted = if value {
                Texts::Only(texts.clone())
            } else {
                Texts::Without(texts.clone())
            };
            Ok(atom(variable, space, |domain| Domain {
                missing: false,
                values: domain
                    .values
                    .as_ref()
                    .and_then(|own| own.met(&Values::Texts(wanted))),
            }))
        }
        Predicate::Compare(left, comparison, right) => {
            Ok(compared((left, *comparison, right), value, space))
        }
    }
}

fn all(parts: &[Predicate], value: bool, space: &Space) -> Result<Vec<Region>, TooMany> {
    let mut product = vec![Region::default()];
    for part in parts {
        product = met(&product, &regions(part, value, space)?, space)?;
    }
    Ok(product)
}

/// What is in both unions.
pub(super) fn met(
    left: &[Region],
    right: &[Region],
    space: &Space,
) -> Result<Vec<Region>, TooMany> {
    let mut both = Vec::new();
    for region in left {
        for other in right {
            space.work()?;
            both.extend(region.met(other));
        }
        limited(&both)?;
    }
    Ok(both)
}

fn limited(union: &[Region]) -> Result<(), TooMany> {
    if union.len() > REGIONS_MAX {
        Err(TooMany)
    } else {
        Ok(())
    }
}

fn atom(variable: &Variable, space: &Space, narrow: impl FnOnce(&Domain) -> Domain) -> Vec<Region> {
    let domain = space.domains.get(variable).map(narrow);
    domain
        .filter(|domain| !domain.is_empty())
        .map(|domain| Region::of(variable, domain))
        .into_iter()
        .collect()
}

fn compared(
    (left, comparison, right): (&Number, Comparison, &Number),
    value: bool,
    space: &Space,
) -> Vec<Region> {
    let (variable, comparison, limit) = match (left, left.constant(), right, right.constant()) {
        (_, Some(left), _, Some(right)) => {
            let holds = comparison.holds(left, right) == value;
            return if holds {
                vec![Region::default()]
            } else {
                Vec::new()
            };
        }
        (Number::Variable(variable), _, _, Some(limit)) if !limit.is_nan() => {
            (variable, comparison, limit)
        }
        (_, Some(limit), Number::Variable(variable), _) if !limit.is_nan() => {
            (variable, comparison.mirrored(), limit)
        }
        _ => {
            let key = format!("{left:?} {comparison:?} {right:?}");
            let opaque = BTreeMap::from([(key, value)]);
            return vec![Region {
                domains: BTreeMap::new(),
                opaque,
            }];
        }
    };
    let wanted: &[Comparison] = match (comparison, value) {
        (comparison, true) => &[comparison],
        (Comparison::Less, false) => &[Comparison::GreaterOrEqual],
        (Comparison::LessOrEqual, false) => &[Comparison::Greater],
        (Comparison::Greater, false) => &[Comparison::LessOrEqual],
        (Comparison::GreaterOrEqual, false) => &[Comparison::Less],
        (Comparison::Equal, false) => &[Comparison::Less, Comparison::Greater],
    };
    let narrowed = |comparison: &Comparison| {
        atom(variable, space, |domain| Domain {
            missing: false,
            values: match domain.values {
                Some(Values::Numbers(own)) => own.narrowed(*comparison, limit).map(Values::Numbers),
                _ => None,
            },
        })
    };
    wanted.iter().flat_map(narrowed).collect()
}
