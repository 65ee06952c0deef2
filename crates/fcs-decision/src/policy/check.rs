//! The rules of a manifest: from tables to rules, with everything that is wrong with them.

use std::collections::BTreeSet;

use super::expression::{Scope, Variable};
use super::region::{Space, Texts, Values, regions, space};
use super::{Action, Offer, Policy, RULES_MAX, Rule, analysis, types};
use crate::application::Amount;
use crate::manifest::Feature;
use crate::score::ScoreScale;

/// A rule as it is written in a manifest.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleTable {
    pub(crate) id: String,
    when: String,
    action: ActionName,
    reason: Option<String>,
    #[serde(default)]
    overrides: Vec<String>,
    offer: Option<OfferTable>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionName {
    Deny,
    Refer,
    Counteroffer,
    Incomplete,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferTable {
    amount: Option<String>,
    currency: Option<String>,
    terms: Option<String>,
}

/// What rules are checked against.
pub(crate) struct Schema<'a> {
    pub(crate) features: &'a [Feature],
    pub(crate) scale: &'a ScoreScale,
    /// Whether a reason code is in the reason map.
    pub(crate) has_reason: &'a dyn Fn(&str) -> bool,
}

/// Checks and converts the rules, each by itself.
pub(crate) fn rules(
    tables: &[Option<RuleTable>],
    schema: &Schema<'_>,
    problems: &mut Vec<String>,
) -> Vec<Rule> {
    if tables.len() > RULES_MAX {
        problems.push(format!("policy.rules: must hold at most {RULES_MAX} rules"));
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        if let Some(table) = table {
            let mut own = Vec::new();
            rules.extend(rule(table, schema, &mut own));
            let path = |problem| format!("policy.rules[{index}].{problem}");
            problems.extend(own.into_iter().map(path));
        }
    }
    rules
}

fn rule(table: &RuleTable, schema: &Schema<'_>, problems: &mut Vec<String>) -> Option<Rule> {
    if table.id.trim().is_empty() {
        problems.push("id: must not be empty".to_owned());
    }
    match &table.reason {
        Some(code) if !(schema.has_reason)(code) => {
            problems.push(format!("reason: {code:?} is not in [[reasons]]"));
        }
        None if !matches!(table.action, ActionName::Refer) => {
            problems.push("reason: missing; only a referral may have none".to_owned());
        }
        _ => {}
    }
    let action = action(table, problems)?;
    let scope = Scope {
        features: schema.features,
        before_score: action.is_incomplete(),
    };
    let predicate = types::parse(&table.when, &scope)
        .map_err(|error| problems.push(format!("when: {error}")))
        .ok()?;
    let named = predicate.variables();
    let features = schema.features.iter().map(|feature| feature.name.clone());
    let rule = Rule {
        id: table.id.clone(),
        when: table.when.clone(),
        features: features
            .filter(|name| named.contains(&Variable::Feature(name.clone())))
            .collect(),
        predicate,
        action,
        reason: table.reason.clone(),
        overrides: table.overrides.clone(),
    };
    let space = space(&scope, schema.scale);
    match &rule.action {
        Action::Counteroffer(Offer {
            amount: Some(amount),
            ..
        }) => {
            offers_less(&rule, amount, &space, problems);
        }
        Action::Incomplete => needs_something_missing(&rule, &space, problems),
        _ => {}
    }
    Some(rule)
}

fn action(table: &RuleTable, problems: &mut Vec<String>) -> Option<Action> {
    let action = match (table.action, &table.offer) {
        (ActionName::Counteroffer, None) => {
            problems
                .push("offer: missing: a counter-offer offers an amount, terms or both".to_owned());
            return None;
        }
        (ActionName::Counteroffer, Some(offer)) => {
            Action::Counteroffer(read_offer(offer, problems)?)
        }
        (_, Some(_)) => {
            problems.push("offer: only for the action \"counteroffer\"".to_owned());
            return None;
        }
        (ActionName::Deny, None) => Action::Deny,
        (ActionName::Refer, None) => Action::Refer,
        (ActionName::Incomplete, None) => Action::Incomplete,
    };
    Some(action)
}

fn read_offer(table: &OfferTable, problems: &mut Vec<String>) -> Option<Offer> {
    let amount = match (&table.amount, &table.currency) {
        (None, None) => None,
        (Some(value), Some(currency)) => {
            let amount = Amount {
                value: value.clone(),
                currency: currency.clone(),
            };
            if amount.to_f64().is_none() || !crate::application::is_currency(currency) {
                problems.push(
                    "offer: amount must be a decimal text such as \"15000.00\", currency a code of ISO 4217".to_owned(),
                );
                return None;
            }
            Some(amount)
        }
        _ => {
            problems.push("offer: amount and currency belong together".to_owned());
            return None;
        }
    };
    let terms = table.terms.clone();
    if amount.is_none() && terms.as_ref().is_none_or(|terms| terms.trim().is_empty()) {
        problems.push("offer: must hold an amount with its currency, or terms".to_owned());
        return None;
    }
    Some(Offer { amount, terms })
}

/// An offer of as much as was asked for is no counter-offer.
fn offers_less(rule: &Rule, amount: &Amount, space: &Space, problems: &mut Vec<String>) {
    let limit = amount.to_f64().unwrap_or_default();
    let fits = regions(&rule.predicate, true, space).is_ok_and(|regions| {
        regions.iter().all(|region| {
            let values = |variable| region.domains.get(&variable).map(|it| (it.missing, &it.values));
            let less = matches!(values(Variable::Amount), Some((false, Some(Values::Numbers(asked)))) if asked.is_above(limit));
            let same = matches!(
                values(Variable::Currency),
                Some((false, Some(Values::Texts(Texts::Only(texts))))) if *texts == BTreeSet::from([amount.currency.clone()])
            );
            less && same
        })
    });
    if !fits {
        problems.push(format!(
            "when: must hold only where more is asked for than is offered: \
             has(request.amount) && request.amount > {} && has(request.currency) && request.currency == {:?}",
            amount.value, amount.currency
        ));
    }
}

/// "Incomplete" may be said only when no decision is possible (comments 9(a)(1)-3 and -4).
fn needs_something_missing(rule: &Rule, space: &Space, problems: &mut Vec<String>) {
    let needs = regions(&rule.predicate, true, space).is_ok_and(|regions| {
        regions.iter().all(|region| {
            region.domains.iter().any(|(variable, domain)| {
                matches!(variable, Variable::Feature(_)) && domain.values.is_none()
            })
        })
    });
    if !needs {
        problems.push(
            "when: must hold only when a required feature is missing: !has(features.NAME)"
                .to_owned(),
        );
    }
}

/// Checks the rules against each other, once the whole policy is there.
pub(crate) fn together(
    policy: &Policy,
    features: &[Feature],
    scale: &ScoreScale,
    problems: &mut Vec<String>,
) {
    let mut ids: BTreeSet<&str> = policy
        .knock_outs
        .iter()
        .map(|rule| rule.id.as_str())
        .collect();
    for (index, rule) in policy.rules.iter().enumerate() {
        let mut add = |problem| problems.push(format!("policy.rules[{index}].{problem}"));
        if !ids.insert(&rule.id) {
            add(format!("id: {:?} occurs twice", rule.id));
        }
        for id in &rule.overrides {
            let later = policy.rules[index + 1..]
                .iter()
                .find(|other| other.id == *id);
            match later {
                None => add(format!("overrides: {id:?} is no later rule")),
                Some(later) if later.action == rule.action => {
                    add(format!("overrides: {id:?} has the same action"));
                }
                Some(_) => {}
            }
        }
    }
    if policy.rules.is_empty() {
        return;
    }
    for finding in analysis::analyse(policy, features, scale, &[]) {
        if finding.kind.is_refused() {
            let place = policy.rules.iter().position(|rule| rule.id == finding.rule);
            let other = finding
                .other
                .map(|id| format!(" (rule {id:?})"))
                .unwrap_or_default();
            let example = finding
                .example
                .map(|it| format!(", for example {it}"))
                .unwrap_or_default();
            problems.push(format!(
                "policy.rules[{}].when: {}{other}{example}",
                place.unwrap_or_default(),
                finding.kind.description()
            ));
        }
    }
}
