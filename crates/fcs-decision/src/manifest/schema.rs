//! The rules for features and for the knock-out rules over them.

use std::collections::BTreeSet;

use super::check::{not_blank, present};
use super::shape::{Draft, FeatureTable, FeatureType, KnockOutTable, KnockOutValue, Operator};
use super::{Bins, Category, Feature, FeatureKind, MissingRule, Range, RiskDirection};
use crate::policy::{self, Condition, KnockOut, Rule, RuleSchema};
use crate::protected::protected_attribute;

/// Largest number of inner bin edges.
const BIN_EDGES_MAX: usize = 9;
/// How far the sum of shares may be from 1.
const SHARE_SUM_TOLERANCE: f64 = 1e-6;
/// Whole numbers up to here have exact neighbours in an `f64`.
const INTEGER_MAGNITUDE_MAX: f64 = 9_007_199_254_740_992.0;

/// The problems of one table, each under the table's path.
struct At<'a> {
    path: String,
    problems: &'a mut Vec<String>,
}

impl At<'_> {
    fn add(&mut self, key: &str, problem: &str) {
        self.problems
            .push(format!("{}.{key}: {problem}", self.path));
    }
}

/// Checks and converts the features; `None` for one that could not be read or that breaks a rule of its type.
pub(super) fn features(draft: &Draft, problems: &mut Vec<String>) -> Vec<Option<Feature>> {
    if draft.features.is_empty() {
        problems.push("features: must hold at least one feature".to_owned());
    }
    let mut names = BTreeSet::new();
    let mut features = Vec::with_capacity(draft.features.len());
    for (index, table) in draft.features.iter().enumerate() {
        let Some(table) = table else {
            features.push(None);
            continue;
        };
        let mut at = At {
            path: format!("features[{index}]"),
            problems,
        };
        if !names.insert(&table.name) {
            at.add("name", &format!("{:?} occurs twice", table.name));
        }
        reason_exists(&table.reason, draft, &mut at);
        if let Some(family) = &table.family {
            if draft.format < 2 {
                at.add("family", "needs manifest_format = 2");
            } else if family.trim().is_empty() {
                at.add("family", "must not be empty");
            } else if is_name_of_another(family, draft) {
                at.add("family", "is the name of a feature that is not in it");
            }
        }
        features.push(feature(table, &mut at));
    }
    features
}

/// Whether a feature outside of a family has its name: their contributions could not be told apart.
fn is_name_of_another(family: &str, draft: &Draft) -> bool {
    let mut tables = draft.features.iter().flatten();
    tables.any(|table| table.name == family && table.family.as_deref() != Some(family))
}

fn feature(table: &FeatureTable, at: &mut At<'_>) -> Option<Feature> {
    if !is_lower_snake(&table.name) {
        at.add(
            "name",
            "must be 1 to 64 lower-case letters, digits and '_', starting with a letter",
        );
    }
    if let Some(attribute) = protected_attribute(&table.name) {
        at.add(
            "name",
            &format!("{:?} names the protected attribute {attribute}", table.name),
        );
    }
    not_blank(
        &format!("{}.description", at.path),
        &table.description,
        at.problems,
    );
    let kind = match table.feature_type {
        FeatureType::Number => FeatureKind::Number(range(table, at)?),
        FeatureType::Integer => FeatureKind::Integer(range(table, at)?),
        FeatureType::Category => FeatureKind::Category(categories(table, at)?),
    };
    Some(Feature {
        name: table.name.clone(),
        description: table.description.clone(),
        unit: table.unit.clone(),
        bins: bins(table, &kind, at),
        kind,
        missing: table.missing,
        risk_direction: table.risk_direction,
        reason: table.reason.clone(),
        family: table.family.clone(),
    })
}

fn range(table: &FeatureTable, at: &mut At<'_>) -> Option<Range> {
    not_blank(&format!("{}.unit", at.path), &table.unit, at.problems);
    if table.categories.is_some() {
        at.add("categories", "only for the type \"category\"");
    }
    let (Some(minimum), Some(maximum)) = (table.minimum, table.maximum) else {
        for (key, limit) in [("minimum", table.minimum), ("maximum", table.maximum)] {
            if limit.is_none() {
                at.add(key, "missing");
            }
        }
        return None;
    };
    for (key, limit) in [("minimum", minimum), ("maximum", maximum)] {
        if !limit.is_finite() {
            at.add(key, "must be finite");
        } else if table.feature_type == FeatureType::Integer
            && (limit.fract() != 0.0 || limit.abs() > INTEGER_MAGNITUDE_MAX)
        {
            at.add(key, "must be a whole number from -2^53 to 2^53");
        }
    }
    if minimum > maximum {
        at.add("maximum", "must not be below the minimum");
    }
    Some(Range { minimum, maximum })
}

fn categories(table: &FeatureTable, at: &mut At<'_>) -> Option<Vec<Category>> {
    for (key, present) in [
        ("minimum", table.minimum.is_some()),
        ("maximum", table.maximum.is_some()),
        ("bin_edges", table.bin_edges.is_some()),
    ] {
        if present {
            at.add(key, "not for the type \"category\"");
        }
    }
    if table.risk_direction != RiskDirection::None {
        at.add(
            "risk_direction",
            "must be \"none\" for the type \"category\"",
        );
    }
    let Some(categories) = &table.categories else {
        at.add("categories", "missing");
        return None;
    };
    if categories.is_empty() {
        at.add("categories", "must not be empty");
    }
    let (mut names, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for (index, category) in categories.iter().enumerate() {
        if category.name.trim().is_empty() {
            at.add(&format!("categories[{index}].name"), "must not be empty");
        }
        if !names.insert(&category.name) {
            at.add(&format!("categories[{index}].name"), "occurs twice");
        }
        if !codes.insert(category.code) {
            at.add(&format!("categories[{index}].code"), "occurs twice");
        }
    }
    Some(categories.clone())
}

fn bins(table: &FeatureTable, kind: &FeatureKind, at: &mut At<'_>) -> Bins {
    let edges = table.bin_edges.clone().unwrap_or_default();
    let expected = match kind {
        FeatureKind::Category(categories) => categories.len(),
        FeatureKind::Number(_) | FeatureKind::Integer(_) => {
            if table.bin_edges.is_none() {
                at.add("bin_edges", "missing");
            }
            if edges.len() > BIN_EDGES_MAX {
                at.add("bin_edges", "must hold at most 9 edges");
            }
            if !edges.iter().all(|edge| edge.is_finite()) {
                at.add("bin_edges", "must be finite");
            }
            if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
                at.add("bin_edges", "must ascend strictly");
            }
            edges.len() + 1
        }
    };
    let shares = &table.bin_shares;
    if shares.len() != expected {
        at.add(
            "bin_shares",
            &format!("must hold {expected} shares, found {}", shares.len()),
        );
    }
    if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
        at.add("bin_shares", "must each be from 0 to 1");
    }
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > SHARE_SUM_TOLERANCE {
        at.add(
            "bin_shares",
            &format!("must sum to 1 over the rows with a value, found {sum}"),
        );
    }
    if !(0.0..=1.0).contains(&table.missing_share) {
        at.add("missing_share", "must be from 0 to 1");
    }
    if table.missing == MissingRule::Refuse && table.missing_share > 0.0 {
        at.add("missing_share", "must be 0 when missing values are refused");
    }
    Bins {
        edges,
        shares: shares.clone(),
        missing_share: table.missing_share,
    }
}

/// Checks and converts the knock-out rules.
pub(super) fn knock_outs(
    draft: &Draft,
    features: &[Option<Feature>],
    problems: &mut Vec<String>,
) -> Vec<KnockOut> {
    if draft.format < 3 && draft.knock_outs.len() < 2 {
        problems.push("policy.knock_outs: must hold at least two rules".to_owned());
    }
    let mut ids = BTreeSet::new();
    let mut rules = Vec::with_capacity(draft.knock_outs.len());
    for (index, table) in present(&draft.knock_outs) {
        let mut at = At {
            path: format!("policy.knock_outs[{index}]"),
            problems,
        };
        if table.id.trim().is_empty() {
            at.add("id", "must not be empty");
        }
        if !ids.insert(&table.id) {
            at.add("id", &format!("{:?} occurs twice", table.id));
        }
        reason_exists(&table.reason, draft, &mut at);
        let feature = features
            .iter()
            .flatten()
            .find(|feature| feature.name == table.feature);
        let declared = present(&draft.features).any(|(_, feature)| feature.name == table.feature);
        match feature {
            Some(feature) => rules.extend(condition(table, feature, &mut at).map(|condition| {
                let (id, reason) = (table.id.clone(), table.reason.clone());
                KnockOut {
                    id,
                    feature: table.feature.clone(),
                    condition,
                    reason,
                }
            })),
            // A feature that has its own problem, or whose table could not be read, is not reported again.
            None if declared || draft.features.iter().any(Option::is_none) => {}
            None => at.add("feature", &format!("{:?} is not a feature", table.feature)),
        }
    }
    rules
}

fn condition(table: &KnockOutTable, feature: &Feature, at: &mut At<'_>) -> Option<Condition> {
    match (&feature.kind, &table.value) {
        (
            FeatureKind::Number(range) | FeatureKind::Integer(range),
            KnockOutValue::Number(value),
        ) => {
            if !(range.minimum..=range.maximum).contains(value) {
                at.add("value", "must lie in the feature's range");
            }
            Some(match table.operator {
                Operator::AtLeast => Condition::AtLeast(*value),
                Operator::AtMost => Condition::AtMost(*value),
                Operator::Equals => Condition::EqualsNumber(*value),
            })
        }
        (FeatureKind::Category(categories), KnockOutValue::Category(name)) => {
            if !matches!(table.operator, Operator::Equals) {
                at.add(
                    "operator",
                    "must be \"equals\" for a feature of the type \"category\"",
                );
            }
            if !categories.iter().any(|category| category.name == *name) {
                at.add(
                    "value",
                    &format!("{name:?} is not a category of the feature"),
                );
            }
            Some(Condition::EqualsCategory(name.clone()))
        }
        (FeatureKind::Number(_) | FeatureKind::Integer(_), KnockOutValue::Category(_)) => {
            at.add("value", "must be a number for this feature");
            None
        }
        (FeatureKind::Category(_), KnockOutValue::Number(_)) => {
            at.add("value", "must be the name of a category for this feature");
            None
        }
    }
}

/// Checks and converts the rules, once every feature could be read: each may name any of them.
pub(super) fn rules(
    draft: &Draft,
    features: &[Option<Feature>],
    problems: &mut Vec<String>,
) -> Vec<Rule> {
    let features: Option<Vec<Feature>> = features.iter().cloned().collect();
    let (Some(features), Some(scale)) = (features, &draft.score) else {
        return Vec::new();
    };
    let schema = RuleSchema {
        features: &features,
        scale,
        has_reason: &|code| has_reason(code, draft),
    };
    policy::rules(&draft.rules, &schema, problems)
}

fn has_reason(code: &str, draft: &Draft) -> bool {
    // A reason that could not be read might be the missing one.
    draft.reasons.iter().any(|reason| match reason {
        Some(reason) => reason.code == code,
        None => true,
    })
}

fn reason_exists(code: &str, draft: &Draft, at: &mut At<'_>) {
    if !has_reason(code, draft) {
        at.add("reason", &format!("{code:?} is not in [[reasons]]"));
    }
}

fn is_lower_snake(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
