//! What a lender decides besides the score: cut-offs, knock-out rules, and ordered rules over typed conditions.
//!
//! Knock-out rules are looked at first, then the rules in their order, then the score against the cut-offs. The first
//! that holds decides; which others hold too is recorded.

pub mod analysis;
mod check;
pub mod expression;
mod region;
mod sample;
mod syntax;
mod types;

use fcs_core::Digest;
use serde::{Deserialize, Serialize};

use crate::application::Amount;
use crate::features::FeatureInput;
use expression::{Comparison, Facts, Number, Predicate};

pub use expression::{ExpressionError, Scope, Variable};
pub use types::parse;

pub(crate) use check::{RuleTable, Schema as RuleSchema, rules, together};

/// Rules of one policy at most.
pub const RULES_MAX: usize = 100;

/// The lender's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Name, in records; the model's own when it has none.
    pub name: String,
    /// Version, in records; the model's own when it has none.
    pub version: String,
    /// SHA-256 of the policy section as canonical JSON (RFC 8785).
    pub digest: Digest,
    /// Whose credit it is about.
    pub credit: CreditKind,
    /// Whether denied applicants are told of their right to the reasons (12 CFR 1002.9(a)(2)(ii)) instead of them.
    pub reasons_on_request: bool,
    /// Scores from here on are approved.
    pub approve_at_least: i32,
    /// Scores from here on and below `approve_at_least` go to a person; lower ones are denied.
    pub refer_at_least: i32,
    /// Rules that deny whatever the score is, in order.
    pub knock_outs: Vec<KnockOut>,
    /// Rules over typed conditions, in order; from manifest format 3 on.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// The rules that are judged before a score, when required values are missing.
    pub fn completeness_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.action.is_incomplete())
    }

    /// The rules that are judged with a score.
    pub fn decision_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(|rule| !rule.action.is_incomplete())
    }
}

/// Whose credit a policy is about: records of business credit are kept for a shorter time (12 CFR 1002.12(b)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditKind {
    /// For personal, family or household purposes.
    #[default]
    Consumer,
    /// For business, commercial or agricultural purposes.
    Business,
}

/// A rule that denies whatever the score is.
#[derive(Debug, Clone, PartialEq)]
pub struct KnockOut {
    /// Identifier, unique in the policy.
    pub id: String,
    /// The feature that it looks at.
    pub feature: String,
    /// When it holds.
    pub condition: Condition,
    /// Code in the reason map.
    pub reason: String,
}

impl KnockOut {
    /// The same rule as a condition of the language. A missing value never matches.
    pub fn predicate(&self) -> Predicate {
        let variable = Variable::Feature(self.feature.clone());
        Predicate::All(vec![
            Predicate::Present(variable.clone()),
            self.comparison(&variable),
        ])
    }

    fn comparison(&self, variable: &Variable) -> Predicate {
        let number = |comparison, limit: f64| {
            let left = Number::Variable(variable.clone());
            Predicate::Compare(left, comparison, Number::Literal(limit))
        };
        match &self.condition {
            Condition::AtLeast(limit) => number(Comparison::GreaterOrEqual, *limit),
            Condition::AtMost(limit) => number(Comparison::LessOrEqual, *limit),
            Condition::EqualsNumber(limit) => number(Comparison::Equal, *limit),
            Condition::EqualsCategory(name) => {
                Predicate::OneOf(variable.clone(), [name.clone()].into())
            }
        }
    }
}

/// When a knock-out rule holds. A missing value never matches.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The number is this or more.
    AtLeast(f64),
    /// The number is this or less.
    AtMost(f64),
    /// The number is this.
    EqualsNumber(f64),
    /// The category has this name.
    EqualsCategory(String),
}

impl Condition {
    /// Whether it holds for a value.
    #[expect(clippy::float_cmp, reason = "the rule asks for exactly this number")]
    pub fn holds(&self, value: &FeatureInput) -> bool {
        match (self, value) {
            (Self::AtLeast(limit), FeatureInput::Number(number)) => number >= limit,
            (Self::AtMost(limit), FeatureInput::Number(number)) => number <= limit,
            (Self::EqualsNumber(wanted), FeatureInput::Number(number)) => number == wanted,
            (Self::EqualsCategory(wanted), FeatureInput::Category(name)) => name == wanted,
            _ => false,
        }
    }
}

/// One rule of the ordered list.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Identifier, unique among the rules and knock-out rules of the policy.
    pub id: String,
    /// The condition as it is written.
    pub when: String,
    /// The condition as it is evaluated.
    pub predicate: Predicate,
    /// What happens when it holds first.
    pub action: Action,
    /// Code in the reason map; a referral may have none.
    pub reason: Option<String>,
    /// Features behind the reason, in the order of the manifest: those that the condition names.
    pub features: Vec<String>,
    /// Later rules with another action that may hold at the same time, and lose.
    pub overrides: Vec<String>,
}

impl Rule {
    /// Whether its condition holds.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.predicate.holds(facts)
    }
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Refuse credit.
    Deny,
    /// Leave it to a person.
    Refer,
    /// Offer other terms than were asked for.
    Counteroffer(Offer),
    /// Say that the application is incomplete: no decision is possible without what is missing.
    Incomplete,
}

impl Action {
    /// The name in manifests.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Refer => "refer",
            Self::Counteroffer(_) => "counteroffer",
            Self::Incomplete => "incomplete",
        }
    }

    /// Whether it is judged before a score.
    pub const fn is_incomplete(&self) -> bool {
        matches!(self, Self::Incomplete)
    }
}

/// What is offered instead of what was asked for: an amount, other terms, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The offered amount, below the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Other terms in words for the applicant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
}
