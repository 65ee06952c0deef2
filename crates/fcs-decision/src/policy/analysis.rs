//! What can be said of rules without an application: which can never decide, and which contradict each other.
//!
//! Exact where conditions are made of comparisons of one name with a number, tests for texts and `has(...)`, joined in
//! any way. Where a condition compares names with each other or computes, it is tried on points: those show that
//! something is possible, never that it is not. Score and features are taken as independent, although a model ties
//! them: an overlap may be one that no applicant falls into.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::expression::{Predicate, Scope};
use super::region::{Region, Space, TooMany, met, regions, space};
use super::sample::{Point, points};
use super::{Action, Policy};
use crate::features::FeatureInput;
use crate::manifest::Feature;
use crate::score::ScoreScale;

/// One thing that was found out about a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Identifier of the rule.
    pub rule: String,
    /// What.
    pub kind: FindingKind,
    /// Identifier of the other rule, where there is one.
    pub other: Option<String>,
    /// How it is known.
    pub method: Method,
    /// An application that shows it, where there is one.
    pub example: Option<String>,
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Some application is decided by it.
    Reachable,
    /// No application was found that it decides.
    ReachableNotShown,
    /// Its condition holds for no application.
    NeverHolds,
    /// Wherever it holds, an earlier rule holds too; `other` is the last one that is needed for that.
    Unreachable,
    /// Its condition holds for every application: neither later rules nor the cut-offs are used.
    AlwaysHolds,
    /// It decides applications for which a later rule with another action holds, and says so.
    OverridesDeclared,
    /// It decides applications for which a later rule with another action holds, and does not say so.
    OverlapUndeclared,
    /// It says that it overrides a later rule, and no application was found for which both hold.
    OverridesNotShown,
    /// No application was found for which both hold; that there is none is not proved.
    OverlapNotFound,
}

impl FindingKind {
    /// Whether a policy with it is refused.
    pub const fn is_refused(self) -> bool {
        matches!(
            self,
            Self::NeverHolds | Self::Unreachable | Self::OverlapUndeclared
        )
    }

    /// In words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Reachable => "decides some applications",
            Self::ReachableNotShown => "no application was found that it decides",
            Self::NeverHolds => "never holds",
            Self::Unreachable => "is never reached: wherever it holds, an earlier rule holds too",
            Self::AlwaysHolds => "always holds: the cut-offs are not used",
            Self::OverridesDeclared => "overrides a later rule with another action, as it says",
            Self::OverlapUndeclared => {
                "overlaps a later rule with another action; name that rule in overrides if this one should win"
            }
            Self::OverridesNotShown => {
                "says that it overrides a rule, and no application was found for which both hold"
            }
            Self::OverlapNotFound => "no application was found for which both rules hold",
        }
    }
}

/// How something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "points")]
pub enum Method {
    /// By sets of applications: nothing was left out.
    Exact,
    /// By trying this many points.
    Sampled(usize),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Sampled(points) => write!(f, "tried on {points} points"),
        }
    }
}

/// Analyses the rules of a policy. `rows` are more applications to try, for example of the reference population.
pub fn analyse(
    policy: &Policy,
    features: &[Feature],
    scale: &ScoreScale,
    rows: &[BTreeMap<String, FeatureInput>],
) -> Vec<Finding> {
    let judged = |before_score: bool| {
        let mut rules = Vec::new();
        if !before_score {
            rules.extend(policy.knock_outs.iter().map(|rule| Judged {
                id: &rule.id,
                action: &Action::Deny,
                overrides: None,
                predicate: rule.predicate(),
            }));
        }
        let own = policy
            .rules
            .iter()
            .filter(|rule| rule.action.is_incomplete() == before_score);
        rules.extend(own.map(|rule| Judged {
            id: &rule.id,
            action: &rule.action,
            overrides: Some(&rule.overrides),
            predicate: rule.predicate.clone(),
        }));
        let space = space(
            &Scope {
                features,
                before_score,
            },
            scale,
        );
        Analysis::new(rules, (features, &space), rows).run()
    };
    [judged(true), judged(false)].concat()
}

struct Judged<'a> {
    id: &'a str,
    action: &'a Action,
    /// `None` for a knock-out rule, which is always before every other rule.
    overrides: Option<&'a [String]>,
    predicate: Predicate,
}

struct Analysis<'a> {
    rules: Vec<Judged<'a>>,
    space: &'a Space,
    points: Vec<Point>,
    /// By rule and point, whether the rule holds.
    holds: Vec<Vec<bool>>,
    /// By point, the rule that decides.
    first: Vec<Option<usize>>,
}

/// Whether something is possible.
enum Possible {
    Never,
    Yes(Method, String),
    NotFound(Method),
}

impl<'a> Analysis<'a> {
    fn new(
        rules: Vec<Judged<'a>>,
        (features, space): (&'a [Feature], &'a Space),
        rows: &[BTreeMap<String, FeatureInput>],
    ) -> Self {
        let has_rules = rules.iter().any(|rule| rule.overrides.is_some());
        let predicates: Vec<&Predicate> = rules.iter().map(|rule| &rule.predicate).collect();
        let points = if has_rules {
            points(&predicates, (features, space), rows)
        } else {
            Vec::new()
        };
        let on = |rule: &Judged<'_>| {
            points
                .iter()
                .map(|point| rule.predicate.holds(&point.facts()))
                .collect()
        };
        let holds: Vec<Vec<bool>> = rules.iter().map(on).collect();
        let decides = |point: usize| holds.iter().position(|holds| holds[point]);
        let first = (0..points.len()).map(decides).collect();
        Self {
            rules,
            space,
            points,
            holds,
            first,
        }
    }

    fn run(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (place, rule) in self.rules.iter().enumerate() {
            if rule.overrides.is_some() {
                self.reach(place, &mut findings);
            }
        }
        findings
    }

    fn reach(&self, place: usize, findings: &mut Vec<Finding>) {
        let rule = &self.rules[place];
        let mut add = |kind, other: Option<&str>, method, example| {
            findings.push(Finding {
                rule: rule.id.to_owned(),
                kind,
                other: other.map(str::to_owned),
                method,
                example,
            });
        };
        let own = regions(&rule.predicate, true, self.space);
        if own.as_ref().is_ok_and(Vec::is_empty) {
            return add(FindingKind::NeverHolds, None, Method::Exact, None);
        }
        let mut left = own;
        for earlier in &self.rules[..place] {
            left = left.and_then(|left| {
                met(
                    &left,
                    &regions(&earlier.predicate, false, self.space)?,
                    self.space,
                )
            });
            if left.as_ref().is_ok_and(Vec::is_empty) {
                return add(
                    FindingKind::Unreachable,
                    Some(earlier.id),
                    Method::Exact,
                    None,
                );
            }
        }
        match self.possible(left.as_deref().ok(), place, None) {
            Possible::Never => {}
            Possible::Yes(method, example) => {
                add(FindingKind::Reachable, None, method, Some(example));
            }
            Possible::NotFound(method) => add(FindingKind::ReachableNotShown, None, method, None),
        }
        let fails = regions(&rule.predicate, false, self.space);
        if fails.is_ok_and(|fails| fails.is_empty()) {
            add(FindingKind::AlwaysHolds, None, Method::Exact, None);
        }
        for (later, other) in self.rules.iter().enumerate().skip(place + 1) {
            if other.action != rule.action {
                findings.extend(self.overlap(place, later, left.as_deref().ok()));
            }
        }
    }

    /// What there is to say of a rule and a later one with another action. `left` is where the earlier one decides.
    fn overlap(&self, place: usize, later: usize, left: Option<&[Region]>) -> Option<Finding> {
        let (rule, other) = (&self.rules[place], &self.rules[later]);
        let both = left.ok_or(TooMany).and_then(|left| {
            met(
                left,
                &regions(&other.predicate, true, self.space)?,
                self.space,
            )
        });
        let declared = rule
            .overrides
            .is_some_and(|ids| ids.iter().any(|id| id == other.id));
        let (kind, method, example) = match (
            self.possible(both.as_deref().ok(), place, Some(later)),
            declared,
        ) {
            (Possible::Yes(method, example), true) => {
                (FindingKind::OverridesDeclared, method, Some(example))
            }
            (Possible::Yes(method, example), false) => {
                (FindingKind::OverlapUndeclared, method, Some(example))
            }
            (Possible::Never, true) => (FindingKind::OverridesNotShown, Method::Exact, None),
            (Possible::NotFound(method), true) => (FindingKind::OverridesNotShown, method, None),
            (Possible::Never, false) => return None,
            (Possible::NotFound(method), false) => (FindingKind::OverlapNotFound, method, None),
        };
        Some(Finding {
            rule: rule.id.to_owned(),
            kind,
            other: Some(other.id.to_owned()),
            method,
            example,
        })
    }

    /// Whether the rule at a place decides some application, for which another rule also holds if one is given. `exact`
    /// holds the regions where that is so, if there are not too many.
    fn possible(&self, exact: Option<&[Region]>, place: usize, also: Option<usize>) -> Possible {
        if let Some(regions) = exact {
            if regions.is_empty() {
                return Possible::Never;
            }
            if let Some(region) = regions.iter().find(|region| region.is_exact()) {
                return Possible::Yes(Method::Exact, region.example());
            }
        }
        let method = Method::Sampled(self.points.len());
        let shows = |point: &usize| {
            self.first[*point] == Some(place) && also.is_none_or(|other| self.holds[other][*point])
        };
        match (0..self.points.len()).find(shows) {
            None => Possible::NotFound(method),
            Some(point) => {
                let mut variables = self.rules[place].predicate.variables();
                if let Some(other) = also {
                    variables.extend(self.rules[other].predicate.variables());
                }
                Possible::Yes(method, self.points[point].shown(&variables))
            }
        }
    }
}
