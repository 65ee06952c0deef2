//! What a query names, compared with what there is.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, AggregateExpr, BinaryExpr, Expr, LabelModifier, VectorSelector};

use super::OF_TARGETS;
use super::exposed::Exposed;

/// Names of labels.
pub(super) type Labels = BTreeSet<String>;

/// Labels whose values depend on what happens, so that no run shows all of them.
const FREE_VALUES: [&str; 5] = ["arm", "model", "instance", "track", "group"];

/// Metrics that queries may name.
pub(super) struct Known<'a> {
    exposed: &'a Exposed,
    recorded: BTreeMap<String, Labels>,
}

impl<'a> Known<'a> {
    pub(super) fn new(exposed: &'a Exposed) -> Self {
        let recorded = BTreeMap::new();
        Self { exposed, recorded }
    }

    /// A metric that a rule or an exporter makes.
    pub(super) fn record(&mut self, name: &str, labels: &[&str]) {
        let own = self.recorded.entry(name.to_owned()).or_default();
        own.extend(labels.iter().map(|&label| label.to_owned()));
    }

    /// The labels of a query's result; none for one that cannot be read.
    pub(super) fn labels_of(&self, query: &str) -> Labels {
        match parser::parse(query) {
            Ok(expression) => self.walk(&expression, &mut Vec::new()),
            Err(_) => Labels::new(),
        }
    }

    /// Every metric, label and value of a query that there is not.
    pub(super) fn problems(&self, place: &str, query: &str) -> Vec<String> {
        let mut problems = Vec::new();
        match parser::parse(query) {
            Ok(expression) => drop(self.walk(&expression, &mut problems)),
            Err(error) => problems.push(error),
        }
        let told = problems.into_iter();
        told.map(|problem| format!("{place}: {problem}")).collect()
    }

    /// The labels of what an expression gives.
    fn walk(&self, expression: &Expr, problems: &mut Vec<String>) -> Labels {
        match expression {
            Expr::VectorSelector(selector) => self.select(selector, problems),
            Expr::MatrixSelector(selector) => self.select(&selector.vs, problems),
            Expr::Paren(inner) => self.walk(&inner.expr, problems),
            Expr::Unary(inner) => self.walk(&inner.expr, problems),
            Expr::Subquery(inner) => self.walk(&inner.expr, problems),
            Expr::Aggregate(inner) => self.aggregate(inner, problems),
            Expr::Binary(inner) => self.binary(inner, problems),
            Expr::Call(call) => {
                let arguments = call.args.args.iter();
                arguments
                    .flat_map(|argument| self.walk(argument, problems))
                    .collect()
            }
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Labels::new(),
        }
    }

    fn select(&self, selector: &VectorSelector, problems: &mut Vec<String>) -> Labels {
        let Some(name) = &selector.name else {
            problems.push(format!("{selector}: name the metric"));
            return Labels::new();
        };
        let values = self.exposed.labels(name);
        let mut labels: Labels = match (values, self.recorded.get(name)) {
            (Some(values), _) => values.keys().cloned().collect(),
            (None, Some(recorded)) => recorded.clone(),
            (None, None) => {
                problems.push(format!("{name}: no service exposes it"));
                return Labels::new();
            }
        };
        if values.is_some() {
            labels.extend(OF_TARGETS.map(str::to_owned));
        }
        for matcher in &selector.matchers.matchers {
            if !labels.contains(&matcher.name) {
                problems.push(format!("{name} has no label {}", matcher.name));
            } else if let Some(values) = values.and_then(|values| values.get(&matcher.name))
                && !FREE_VALUES.contains(&matcher.name.as_str())
                && !values.iter().any(|value| takes(matcher, value))
            {
                problems.push(format!("{name}: no series has {matcher}"));
            }
        }
        labels
    }

    fn aggregate(&self, aggregate: &AggregateExpr, problems: &mut Vec<String>) -> Labels {
        let mut inner = self.walk(&aggregate.expr, problems);
        if let Some(parameter) = &aggregate.param {
            self.walk(parameter, problems);
        }
        match &aggregate.modifier {
            None => Labels::new(),
            Some(LabelModifier::Include(by)) => {
                let by: Labels = by.labels.iter().cloned().collect();
                missing(&by, &inner, problems);
                by
            }
            Some(LabelModifier::Exclude(without)) => {
                inner.retain(|label| !without.labels.contains(label));
                inner
            }
        }
    }

    fn binary(&self, binary: &BinaryExpr, problems: &mut Vec<String>) -> Labels {
        let left = self.walk(&binary.lhs, problems);
        let right = self.walk(&binary.rhs, problems);
        if let Some(LabelModifier::Include(on)) =
            binary.modifier.as_ref().and_then(|it| it.matching.as_ref())
        {
            let on: Labels = on.labels.iter().cloned().collect();
            missing(&on, &left, problems);
            missing(&on, &right, problems);
        }
        // `or` gives either side, and a number has no labels.
        left.union(&right).cloned().collect()
    }
}

fn missing(wanted: &Labels, there: &Labels, problems: &mut Vec<String>) {
    for label in wanted.difference(there) {
        problems.push(format!("nothing there has the label {label}"));
    }
}

/// Whether a matcher takes a value. What it excludes need not be there.
fn takes(matcher: &Matcher, value: &str) -> bool {
    match &matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::Re(_) => matcher.is_match(value),
        MatchOp::NotEqual | MatchOp::NotRe(_) => true,
    }
}
