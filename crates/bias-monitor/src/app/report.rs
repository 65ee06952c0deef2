//! The group report: counters, summed, and what `fcs_fairness` makes of them.

use std::collections::BTreeMap;

use fcs_core::{ApiError, ModelVersion, Violation};
use fcs_fairness::calibration::{CalibrationBins, CalibrationReport};
use fcs_fairness::proxy::ProxyCounts;
use fcs_fairness::report::{AttributeReport, ReportError, attribute_report};
use fcs_fairness::{GroupCounters, Thresholds};

use super::intake::ATTRIBUTES_MAX;
use super::panels::{self, ProxySheet};
use super::proxies::Panel;

/// Names of one list in an error at most.
const LISTED_MAX: usize = 50;

/// What to report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportQuery {
    /// One model, or all together.
    pub model: Option<ModelVersion>,
    /// Attribute to reference group; an attribute that is not named takes its largest group.
    pub references: BTreeMap<String, String>,
}

impl ReportQuery {
    /// Checks a request; an empty model means all.
    pub fn new(model: &str, references: BTreeMap<String, String>) -> Result<Self, ApiError> {
        let model = match model {
            "" => None,
            text => Some(text.parse::<ModelVersion>().map_err(|error| {
                invalid("MODEL_INVALID", "/model".to_owned(), error.to_string())
            })?),
        };
        if references.len() > ATTRIBUTES_MAX {
            let rule = format!("name at most {ATTRIBUTES_MAX} reference groups");
            return Err(invalid(
                "REFERENCE_GROUPS_INVALID",
                "/reference_groups".to_owned(),
                rule,
            ));
        }
        Ok(Self { model, references })
    }
}

/// Counters of one moment, summed over minutes and arms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    /// Highest log index that is counted.
    pub last_index: u64,
    /// Every decision.
    pub total: GroupCounters,
    /// Attribute to group to its decisions; a group without decisions is not here.
    pub attributes: BTreeMap<String, BTreeMap<String, GroupCounters>>,
    /// Predicted against realised defaults.
    pub calibration: CalibrationBins,
    /// Sums of probabilities, if they were asked for.
    pub proxies: BTreeMap<Panel, ProxyCounts>,
}

/// How far the monitor has read, and how much it knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonitorStatus {
    /// Highest log index that is counted.
    pub last_index: u64,
    /// Decisions stored.
    pub decisions: u64,
    /// Attribute values known.
    pub demographics: u64,
    /// Outcome events stored.
    pub outcomes: u64,
}

/// The report of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Highest log index that is counted.
    pub last_index: u64,
    /// Decisions of the model, or of all.
    pub decisions: u64,
    /// Every attribute with values, ordered by name.
    pub attributes: Vec<AttributeSheet>,
    /// Predicted against realised defaults of the approved.
    pub calibration: CalibrationReport,
    /// What follows from probabilities of groups, by attribute, source and version.
    pub proxies: Vec<ProxySheet>,
}

/// One attribute of a [`Sheet`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeSheet {
    /// The groups and their comparison with the reference group.
    pub report: AttributeReport,
    /// Decisions whose application has no value of the attribute.
    pub unknown: u64,
}

/// Makes the report. A reference that names no attribute or group with decisions is refused, with what there is. What
/// is known by value comes first: a panel of probabilities that lacks the group takes its largest one.
pub fn sheet(
    tables: &Tables,
    references: &BTreeMap<String, String>,
    thresholds: &Thresholds,
) -> Result<Sheet, ApiError> {
    let by_proxy_only = |name: &&String| !tables.attributes.contains_key(*name);
    for name in references.keys().filter(by_proxy_only) {
        check_proxy_reference(tables, name, &references[name])?;
    }
    let decisions = tables.total.decisions();
    let mut attributes = Vec::with_capacity(tables.attributes.len());
    for (name, groups) in &tables.attributes {
        let reference = references.get(name).map(String::as_str);
        let report = attribute_report(name, groups, reference, thresholds).map_err(refused)?;
        let known: u64 = groups.values().map(GroupCounters::decisions).sum();
        attributes.push(AttributeSheet {
            report,
            unknown: decisions.saturating_sub(known),
        });
    }
    let calibration = tables.calibration.report(thresholds.confidence);
    Ok(Sheet {
        last_index: tables.last_index,
        decisions,
        attributes,
        calibration,
        proxies: panels::sheets(&tables.proxies, decisions, references, thresholds),
    })
}

/// Fails unless a panel of the attribute has the group.
fn check_proxy_reference(tables: &Tables, attribute: &str, group: &str) -> Result<(), ApiError> {
    let groups = panels::groups_of(&tables.proxies, attribute);
    if groups.is_empty() {
        let known = listed(tables.attributes.keys());
        let rule =
            format!("no decision has a value of this attribute; attributes with values: {known}");
        return Err(invalid(
            "ATTRIBUTE_UNKNOWN",
            format!("/reference_groups/{}", escaped(attribute)),
            rule,
        ));
    }
    if groups.iter().any(|known| known == group) {
        return Ok(());
    }
    Err(refused(ReportError::UnknownReferenceGroup {
        attribute: attribute.to_owned(),
        reference: group.to_owned(),
        groups,
    }))
}

fn refused(error: ReportError) -> ApiError {
    let (attribute, rule) = match error {
        ReportError::NoGroups { attribute } => {
            (attribute, "the attribute has no groups".to_owned())
        }
        ReportError::UnknownReferenceGroup {
            attribute, groups, ..
        } => {
            let rule = format!(
                "no decision belongs to this group; groups: {}",
                listed(groups.iter())
            );
            (attribute, rule)
        }
    };
    invalid(
        "REFERENCE_GROUP_UNKNOWN",
        format!("/reference_groups/{}", escaped(&attribute)),
        rule,
    )
}

fn invalid(reason: &'static str, pointer: String, description: String) -> ApiError {
    let message = format!("the report cannot be made: {description}");
    ApiError::invalid(
        reason,
        message,
        vec![Violation {
            pointer,
            reason,
            description,
        }],
    )
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let count = names.len();
    let mut text = names
        .take(LISTED_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match count {
        0 => text.push_str("(none)"),
        1..=LISTED_MAX => {}
        _ => text.push_str(", ..."),
    }
    text
}

/// A name as a part of a JSON pointer (RFC 6901), cut to a sane length.
fn escaped(name: &str) -> String {
    name.chars()
        .take(64)
        .collect::<String>()
        .replace('~', "~0")
        .replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use fcs_fairness::Confidence;

    use super::*;

    fn counters(approved: u64, denied: u64) -> GroupCounters {
        GroupCounters {
            approved,
            denied,
            ..GroupCounters::default()
        }
    }

    fn tables() -> Tables {
        let groups = BTreeMap::from([
            ("female".to_owned(), counters(30, 30)),
            ("male".to_owned(), counters(60, 20)),
        ]);
        Tables {
            last_index: 150,
            total: counters(95, 55),
            attributes: BTreeMap::from([("sex".to_owned(), groups)]),
            calibration: CalibrationBins::default(),
            proxies: BTreeMap::new(),
        }
    }

    fn thresholds() -> Thresholds {
        let confidence = Confidence::try_from(0.95).unwrap();
        Thresholds {
            air_floor: 0.8,
            minimum_group_size: 30,
            confidence,
        }
    }

    fn references(attribute: &str, group: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(attribute.to_owned(), group.to_owned())])
    }

    #[test]
    fn decisions_without_a_value_are_told() {
        let sheet = sheet(&tables(), &BTreeMap::new(), &thresholds()).unwrap();
        assert_eq!((sheet.decisions, sheet.attributes[0].unknown), (150, 10));
        assert_eq!(sheet.attributes[0].report.reference_group, "male");
    }

    #[test]
    fn an_unknown_reference_is_refused_with_what_there_is() {
        let refusal = |references| sheet(&tables(), &references, &thresholds()).unwrap_err();
        let error = refusal(references("race", "white"));
        assert_eq!(error.reason, "ATTRIBUTE_UNKNOWN");
        assert!(error.message.contains("sex"), "{}", error.message);
        let error = refusal(references("sex", "divers"));
        assert_eq!(error.reason, "REFERENCE_GROUP_UNKNOWN");
        assert!(error.message.contains("female, male"), "{}", error.message);
    }

    #[test]
    fn queries_are_checked() {
        assert_eq!(
            ReportQuery::new("", BTreeMap::new()).unwrap(),
            ReportQuery::default()
        );
        assert!(
            ReportQuery::new("demo/1", BTreeMap::new())
                .unwrap()
                .model
                .is_some()
        );
        assert_eq!(
            ReportQuery::new("demo", BTreeMap::new())
                .unwrap_err()
                .reason,
            "MODEL_INVALID"
        );
    }
}
