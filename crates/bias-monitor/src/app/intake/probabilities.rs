//! Checks what a proxy says of applicants.

use std::collections::BTreeMap;

use fcs_core::{ApiError, ApplicationId};
use fcs_fairness::proxy::{GROUPS_MAX, InvalidMembership, SUM_TOLERANCE};

use super::{Problems, check_size};
use crate::app::change::Change;
use crate::app::facts::{AttributeName, GroupName, ProxySource, ProxyVersion};
use crate::app::proxies::{GroupProbabilities, KnownMembership, ProxyName};

/// The fewest groups that people are divided among.
const GROUPS_MIN: usize = 2;

/// What a proxy says of one applicant, not yet checked.
pub struct ProbabilitiesInput {
    /// The lender's identifier of the application.
    pub application_id: String,
    /// The attribute.
    pub attribute: String,
    /// Group and probability.
    pub probabilities: Vec<(String, f64)>,
    /// The method.
    pub source: String,
    /// The version of its rules and tables.
    pub proxy_version: String,
}

/// Checks a batch of probabilities. No error repeats a group or a number.
pub fn probabilities(items: Vec<ProbabilitiesInput>) -> Result<Change, ApiError> {
    const REASON: &str = "GROUP_PROBABILITIES_INVALID";
    check_size(items.len())?;
    let mut problems = Problems::default();
    let mut checked = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        checked.extend(item_at(position, item, &mut problems));
    }
    problems.refuse(REASON, "the group probabilities break the schema")?;
    Ok(Change::GroupProbabilities(checked))
}

fn item_at(
    position: usize,
    item: ProbabilitiesInput,
    problems: &mut Problems,
) -> Option<GroupProbabilities> {
    let pointer = |field: &str| format!("/items/{position}/{field}");
    let application_id =
        problems.parse::<ApplicationId>(&item.application_id, &pointer("application_id"));
    let attribute = problems.parse::<AttributeName>(&item.attribute, &pointer("attribute"));
    let source = problems.parse::<ProxySource>(&item.source, &pointer("source"));
    let version = problems.parse::<ProxyVersion>(&item.proxy_version, &pointer("proxy_version"));
    let known = membership(item.probabilities, &pointer("probabilities"), problems);
    Some(GroupProbabilities {
        application_id: application_id?,
        proxy: ProxyName {
            attribute: attribute?,
            source: source?,
            version: version?,
        },
        known: known?,
    })
}

fn membership(
    probabilities: Vec<(String, f64)>,
    pointer: &str,
    problems: &mut Problems,
) -> Option<KnownMembership> {
    let count = probabilities.len();
    if !(GROUPS_MIN..=GROUPS_MAX).contains(&count) {
        let rule = format!(
            "an item has the probabilities of {GROUPS_MIN} to {GROUPS_MAX} groups, this one of {count}"
        );
        problems.push("GROUPS_INVALID", pointer.to_owned(), rule);
        return None;
    }
    let mut groups = BTreeMap::new();
    let values: Vec<f64> = probabilities.iter().map(|(_, value)| *value).collect();
    for (name, value) in probabilities {
        if let Some(group) = problems.parse::<GroupName>(&name, pointer) {
            groups.insert(group, value);
        }
    }
    // The numbers are checked whatever the names are, so that every broken rule is listed.
    if let Err(invalid) = fcs_fairness::proxy::Membership::new(&values) {
        problems.push(
            "PROBABILITIES_INVALID",
            pointer.to_owned(),
            rule_of(invalid),
        );
    }
    KnownMembership::new(groups).ok()
}

/// The broken rule, without the number that broke it.
fn rule_of(invalid: InvalidMembership) -> String {
    match invalid {
        InvalidMembership::Sum { .. } => {
            format!("the probabilities of all groups must add up to 1 within {SUM_TOLERANCE}")
        }
        InvalidMembership::Groups { .. } | InvalidMembership::NotAProbability { .. } => {
            "a probability must be a number from 0 to 1".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(probabilities: &[(&str, f64)]) -> ProbabilitiesInput {
        let own = |(group, probability): &(&str, f64)| ((*group).to_owned(), *probability);
        ProbabilitiesInput {
            application_id: "A-1".to_owned(),
            attribute: "race".to_owned(),
            probabilities: probabilities.iter().map(own).collect(),
            source: "bisg".to_owned(),
            proxy_version: "sha256:5f1e".to_owned(),
        }
    }

    #[test]
    fn what_is_right_is_taken_to_the_limits() {
        for good in [
            &[("black", 0.3), ("white", 0.7)][..],
            &[("black", 0.0), ("white", 1.0)],
            &[("black", 0.33), ("white", 0.33), ("other", 0.33)],
            &[("black", 0.5), ("white", 0.51)],
        ] {
            assert!(probabilities(vec![item(good)]).is_ok(), "{good:?}");
        }
        let names: Vec<String> = (0..GROUPS_MAX).map(|group| format!("g{group}")).collect();
        let most: Vec<_> = names.iter().map(|name| (name.as_str(), 0.03125)).collect();
        assert!(probabilities(vec![item(&most)]).is_ok());
    }

    #[test]
    fn every_broken_rule_is_listed_and_nothing_is_repeated() {
        let mut nameless = item(&[("black\n", 0.8123), ("white", 0.9123)]);
        nameless.application_id.clear();
        nameless.attribute = "Race".to_owned();
        nameless.source = "BISG!".to_owned();
        nameless.proxy_version.clear();
        let items = vec![
            nameless,
            item(&[("black", 1.5123), ("white", f64::NAN)]),
            item(&[("black", 0.4123), ("white", 0.5123)]),
            item(&[("black", 1.0)]),
        ];
        let error = probabilities(items).unwrap_err();
        let found: Vec<_> = error
            .violations
            .iter()
            .map(|it| (it.pointer.as_str(), it.reason))
            .collect();
        assert_eq!(
            found,
            [
                ("/items/0/application_id", "TEXT_INVALID"),
                ("/items/0/attribute", "TEXT_INVALID"),
                ("/items/0/source", "TEXT_INVALID"),
                ("/items/0/proxy_version", "TEXT_INVALID"),
                ("/items/0/probabilities", "TEXT_INVALID"),
                ("/items/0/probabilities", "PROBABILITIES_INVALID"),
                ("/items/1/probabilities", "PROBABILITIES_INVALID"),
                ("/items/2/probabilities", "PROBABILITIES_INVALID"),
                ("/items/3/probabilities", "GROUPS_INVALID"),
            ]
        );
        let text = format!("{error:?}");
        for value in ["black", "white", "123", "BISG", "Race", "0.92"] {
            assert!(!text.contains(value), "{value}: {text}");
        }
    }

    #[test]
    fn limits_hold() {
        let many = (0..=super::super::ITEMS_MAX).map(|_| item(&[("a", 0.5), ("b", 0.5)]));
        let error = probabilities(many.collect()).unwrap_err();
        assert_eq!(error.reason, "BATCH_TOO_LARGE");
        let names: Vec<String> = (0..=GROUPS_MAX).map(|group| format!("g{group}")).collect();
        let wide: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0303)).collect();
        let error = probabilities(vec![item(&wide)]).unwrap_err();
        assert_eq!(error.violations[0].reason, "GROUPS_INVALID");
    }
}
