use std::collections::BTreeSet;

use fcs_core::{Alpha, ModelVersion};
use serde::{Deserialize, Serialize};

use super::guard::Guard;
use crate::statistics::Criteria;
use crate::statistics::arm::RiskRatio;
pub use crate::text::{Expression, Name, Query};

/// Most metrics and most guards of a plan.
const PARTS_MAX: usize = 16;
const SECOND: u64 = 1_000_000;
const DAY: u64 = 24 * 3_600 * SECOND;

/// What a candidate is judged by, and where the numbers come from. What is left out is as in [`Analysis::default`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Analysis {
    /// Requests of a model in a window.
    pub requests: Query,
    /// What makes requests bad. One breach leads back, and all must be clear for more traffic.
    pub metrics: Vec<Metric>,
    /// Whether the candidate is slower anywhere in the distribution.
    pub slower_anywhere: Option<SlowerAnywhere>,
    /// Fixed thresholds beside the tests.
    pub guards: Vec<Guard>,
    /// Whether alarms of the bias monitor about the candidate lead back. Without its answer no time counts.
    pub bias_alarms: bool,
    /// Between two looks, in microseconds.
    pub look_micros: u64,
    /// Requests must have come within this time for time to count, in microseconds.
    pub fresh_micros: u64,
}

/// Requests that are bad in one way. Each metric has its own alphas, and what they add up to is the chance that a good
/// candidate is ever taken back by the tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// What it is called.
    pub name: Name,
    /// The bad requests of a model in a window. A series that is missing is no data: a query says itself when it means
    /// 0.
    pub bad: Query,
    /// What is asked, and how sure the answers must be.
    pub criteria: Criteria,
}

/// The candidate's latencies beside the stable arm's, over the buckets of a histogram. It can show a breach and clears
/// nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowerAnywhere {
    /// The requests of a model in a window up to each bound: a series for each value of the label `le`.
    pub buckets: Query,
    /// For a breach.
    pub alpha: Alpha,
    /// So many times the stable arm's risk of exceeding a bound is tolerated.
    pub tolerated: RiskRatio,
    /// Bounds below it are nobody's concern, in seconds.
    pub bound_min_s: f64,
}

/// A part of an analysis that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct InvalidAnalysis {
    /// JSON pointer below the analysis.
    pub pointer: String,
    /// What is wrong.
    pub rule: String,
}

impl Analysis {
    /// What cannot be carried out; empty for a usable analysis.
    pub fn problems(&self) -> Vec<InvalidAnalysis> {
        let mut problems = Vec::new();
        let mut refuse = |pointer: String, rule: &str| {
            let rule = rule.to_owned();
            problems.push(InvalidAnalysis { pointer, rule });
        };
        if !(1..=PARTS_MAX).contains(&self.metrics.len()) {
            refuse("/metrics".to_owned(), "1 to 16 metrics are needed");
        }
        if self.guards.len() > PARTS_MAX {
            refuse("/guards".to_owned(), "at most 16 guards are allowed");
        }
        let names = self.metrics.iter().map(|it| &it.name);
        let mut seen = BTreeSet::new();
        for name in names.chain(self.guards.iter().map(|it| &it.name)) {
            if !seen.insert(name.as_str()) {
                refuse(
                    String::new(),
                    "every metric and guard needs a name of its own",
                );
            }
        }
        for (position, metric) in self.metrics.iter().enumerate() {
            if metric.criteria.rate.is_none() {
                let rule =
                    "is needed: with all of the traffic there is no other arm to compare with";
                refuse(format!("/metrics/{position}/criteria/rate"), rule);
            }
        }
        for (position, guard) in self.guards.iter().enumerate() {
            if let Some(rule) = guard.problem() {
                refuse(format!("/guards/{position}"), rule);
            }
            if guard.rule.gap_tolerance_micros < self.look_micros {
                let rule =
                    "must be at least look_micros: the guard would never hold for long enough";
                refuse(
                    format!("/guards/{position}/rule/gap_tolerance_micros"),
                    rule,
                );
            }
        }
        if !(SECOND / 10..=DAY).contains(&self.look_micros) {
            refuse("/look_micros".to_owned(), "must be 0.1 s to a day");
        }
        if !(SECOND..=DAY).contains(&self.fresh_micros) {
            refuse("/fresh_micros".to_owned(), "must be a second to a day");
        }
        let bound = self.slower_anywhere.as_ref().map(|it| it.bound_min_s);
        if bound.is_some_and(|bound| !bound.is_finite() || bound < 0.0) {
            refuse(
                "/slower_anywhere/bound_min_s".to_owned(),
                "must be 0 or more",
            );
        }
        problems
    }
}

impl Query {
    /// The query for a model and a window in whole seconds, at least one.
    pub fn of(&self, model: &ModelVersion, window_seconds: u64) -> String {
        filled(self.as_str(), model, window_seconds)
    }
}

impl Expression {
    /// The expression for a model and a window in whole seconds, at least one.
    pub fn of(&self, model: &ModelVersion, window_seconds: u64) -> String {
        filled(self.as_str(), model, window_seconds)
    }
}

/// Models are named by characters that a PromQL string takes as they are.
fn filled(text: &str, model: &ModelVersion, window_seconds: u64) -> String {
    text.replace("{window}", &format!("{}s", window_seconds.max(1)))
        .replace("{model}", model.as_str())
        .replace("{name}", model.name())
        .replace("{version}", model.version())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_model_and_window() {
        let query: Query = r#"sum(increase(decisions_total{model="{model}"}[{window}]))"#
            .parse()
            .unwrap();
        let model = "taiwan-default/2".parse().unwrap();
        assert_eq!(
            query.of(&model, 90),
            r#"sum(increase(decisions_total{model="taiwan-default/2"}[90s]))"#
        );
        for bad in ["up", "x{model=\"{model}\"}", "x[{window}]"] {
            assert!(bad.parse::<Query>().is_err(), "{bad}");
        }
        let drift: Expression = r#"d{model="{name}",version="{version}"}"#.parse().unwrap();
        assert_eq!(
            drift.of(&model, 1),
            r#"d{model="taiwan-default",version="2"}"#
        );
    }

    #[test]
    fn the_usual_analysis_is_usable_and_says_what_the_deployment_strategy_says() {
        let usual = Analysis::default();
        assert_eq!(usual.problems(), []);
        let guards: Vec<_> = usual
            .guards
            .iter()
            .map(|it| {
                (
                    it.name.as_str(),
                    it.rule.threshold,
                    it.rule.hold_micros / SECOND,
                )
            })
            .collect();
        assert_eq!(
            guards,
            [
                ("error_rate", 0.05, 300),
                ("slow_share", 0.01, 300),
                ("memory", 0.9, 600),
                ("drift", 0.1, 600),
            ]
        );
        assert!(usual.bias_alarms);
        let of_metric = |it: &Metric| {
            let rate = it.criteria.rate.map_or(0.0, |rate| rate.alpha.get());
            it.criteria.ratio.alpha.get() + rate
        };
        let order = usual
            .slower_anywhere
            .as_ref()
            .map_or(0.0, |it| it.alpha.get());
        let all: f64 = usual.metrics.iter().map(of_metric).sum::<f64>() + order;
        assert!((all - 0.01).abs() < 1e-12, "one alpha is shared: {all}");
        let text = serde_json::to_string(&usual).unwrap();
        assert_eq!(serde_json::from_str::<Analysis>(&text).unwrap(), usual);
        assert_eq!(serde_json::from_str::<Analysis>("{}").unwrap(), usual);
    }

    #[test]
    fn what_cannot_be_carried_out_is_named() {
        let mut bad = Analysis::default();
        bad.metrics[1].criteria.rate = None;
        bad.metrics[1].name = bad.metrics[0].name.clone();
        bad.guards[0].rule.threshold = f64::NAN;
        (bad.look_micros, bad.fresh_micros) = (0, 0);
        let problems = bad.problems();
        let pointers: Vec<_> = problems.iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "",
                "/metrics/1/criteria/rate",
                "/guards/0",
                "/look_micros",
                "/fresh_micros"
            ]
        );
        bad.metrics.clear();
        assert_eq!(bad.problems()[0].pointer, "/metrics");
    }
}
