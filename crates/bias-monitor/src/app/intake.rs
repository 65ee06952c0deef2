//! Checks what senders hand in, every broken rule at once.

mod overrides;
mod probabilities;

use fcs_core::{ApiError, ApplicationId, InvalidId, UnixMicros, Violation};

use super::change::Change;
use super::facts::{
    AttributeName, CreditOutcome, Demographics, EventId, GroupName, KnownGroup, OutcomeEvent,
    Source,
};

pub use overrides::{OverrideInput, overrides};
pub use probabilities::{ProbabilitiesInput, probabilities};

/// Items of one request at most.
pub const ITEMS_MAX: usize = 1_000;
/// Attributes of one item at most.
pub const ATTRIBUTES_MAX: usize = 32;
/// Violations of one answer at most; they travel in response headers over gRPC.
const VIOLATIONS_MAX: usize = 20;

/// Protected attributes of one application, not yet checked.
pub struct DemographicsInput {
    /// The lender's identifier of the application.
    pub application_id: String,
    /// Attribute and group.
    pub attributes: Vec<(String, String)>,
    /// `None` when the sender's word is missing or unknown.
    pub source: Option<Source>,
}

/// An outcome event, not yet checked.
pub struct OutcomeInput {
    /// The sender's identifier.
    pub event_id: String,
    /// The lender's identifier of the application.
    pub application_id: String,
    /// `None` when the sender's word is missing or unknown.
    pub outcome: Option<CreditOutcome>,
    /// RFC 3339.
    pub occurred_at: String,
}

/// Checks a batch of demographics. No error repeats a value of an attribute.
pub fn demographics(items: Vec<DemographicsInput>) -> Result<Change, ApiError> {
    const REASON: &str = "DEMOGRAPHICS_INVALID";
    check_size(items.len())?;
    let mut problems = Problems::default();
    let mut checked = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        checked.extend(demographics_item(position, item, &mut problems));
    }
    problems.refuse(REASON, "the demographics break the schema")?;
    Ok(Change::Demographics(checked))
}

fn demographics_item(
    position: usize,
    item: DemographicsInput,
    problems: &mut Problems,
) -> Option<Demographics> {
    let pointer = |field: &str| format!("/items/{position}/{field}");
    let application_id =
        problems.parse::<ApplicationId>(&item.application_id, &pointer("application_id"));
    if item.source.is_none() {
        let rule = "the source must be self_reported or observed";
        problems.push("SOURCE_INVALID", pointer("source"), rule);
    }
    let count = item.attributes.len();
    if !(1..=ATTRIBUTES_MAX).contains(&count) {
        let rule = format!("an item has 1 to {ATTRIBUTES_MAX} attributes, this one has {count}");
        problems.push("ATTRIBUTES_INVALID", pointer("attributes"), rule);
        return None;
    }
    let mut attributes = Vec::with_capacity(count);
    for (name, group) in item.attributes {
        let Some(name) = problems.parse::<AttributeName>(&name, &pointer("attributes")) else {
            continue;
        };
        let group =
            problems.parse::<GroupName>(&group, &pointer(&format!("attributes/{}", name.as_str())));
        if let (Some(group), Some(source)) = (group, item.source) {
            attributes.push((name, KnownGroup { group, source }));
        }
    }
    Some(Demographics {
        application_id: application_id?,
        attributes,
    })
}

/// Checks a batch of outcome events.
pub fn outcomes(items: Vec<OutcomeInput>) -> Result<Change, ApiError> {
    const REASON: &str = "OUTCOMES_INVALID";
    check_size(items.len())?;
    let mut problems = Problems::default();
    let mut checked = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        checked.extend(outcome_item(position, &item, &mut problems));
    }
    problems.refuse(REASON, "the outcomes break the schema")?;
    Ok(Change::Outcomes(checked))
}

fn outcome_item(
    position: usize,
    item: &OutcomeInput,
    problems: &mut Problems,
) -> Option<OutcomeEvent> {
    let pointer = |field: &str| format!("/items/{position}/{field}");
    let event_id = problems.parse::<EventId>(&item.event_id, &pointer("event_id"));
    let application_id =
        problems.parse::<ApplicationId>(&item.application_id, &pointer("application_id"));
    if item.outcome.is_none() {
        let rule = "the outcome must be repaid or defaulted";
        problems.push("OUTCOME_INVALID", pointer("outcome"), rule);
    }
    let occurred_at = UnixMicros::parse_rfc3339(&item.occurred_at)
        .map_err(|error| problems.push("TIME_INVALID", pointer("occurred_at"), error.to_string()))
        .ok();
    Some(OutcomeEvent {
        event_id: event_id?,
        application_id: application_id?,
        outcome: item.outcome?,
        occurred_at: occurred_at?,
    })
}

fn check_size(count: usize) -> Result<(), ApiError> {
    if count <= ITEMS_MAX {
        return Ok(());
    }
    let message = format!("send at most {ITEMS_MAX} items at a time; these are {count}");
    Err(ApiError::invalid("BATCH_TOO_LARGE", message, Vec::new()))
}

#[derive(Default)]
struct Problems {
    violations: Vec<Violation>,
    left_out: usize,
}

impl Problems {
    fn push(&mut self, reason: &'static str, pointer: String, description: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation {
                pointer,
                reason,
                description: description.into(),
            });
        } else {
            self.left_out += 1;
        }
    }

    fn parse<T: std::str::FromStr<Err = InvalidId>>(
        &mut self,
        text: &str,
        pointer: &str,
    ) -> Option<T> {
        text.parse()
            .map_err(|error: InvalidId| {
                self.push("TEXT_INVALID", pointer.to_owned(), error.to_string());
            })
            .ok()
    }

    fn refuse(self, reason: &'static str, message: &str) -> Result<(), ApiError> {
        if self.violations.is_empty() {
            return Ok(());
        }
        let message = match self.left_out {
            0 => message.to_owned(),
            more => format!("{message}; {more} more violations are not listed"),
        };
        Err(ApiError::invalid(reason, message, self.violations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, &str)]) -> DemographicsInput {
        let own = |(name, group): &(&str, &str)| ((*name).to_owned(), (*group).to_owned());
        DemographicsInput {
            application_id: "A-1".to_owned(),
            attributes: attributes.iter().map(own).collect(),
            source: Some(Source::SelfReported),
        }
    }

    #[test]
    fn every_broken_rule_is_listed_and_no_value_is_repeated() {
        let mut nameless = item(&[("sex", "female")]);
        nameless.application_id.clear();
        nameless.source = None;
        let items = vec![
            item(&[("sex", "female\n"), ("Age", "25-34")]),
            nameless,
            item(&[]),
        ];
        let error = demographics(items).unwrap_err();
        let pointers: Vec<_> = error
            .violations
            .iter()
            .map(|it| it.pointer.as_str())
            .collect();
        assert_eq!(
            pointers,
            [
                "/items/0/attributes/sex",
                "/items/0/attributes",
                "/items/1/application_id",
                "/items/1/source",
                "/items/2/attributes",
            ]
        );
        assert!(!format!("{error:?}").contains("female"));
    }

    #[test]
    fn limits_hold() {
        let many: Vec<_> = (0..=ITEMS_MAX)
            .map(|_| item(&[("sex", "female")]))
            .collect();
        assert_eq!(demographics(many).unwrap_err().reason, "BATCH_TOO_LARGE");
        let names: Vec<_> = (0..=ATTRIBUTES_MAX)
            .map(|number| format!("a{number}"))
            .collect();
        let wide: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(
            demographics(vec![item(&wide)]).unwrap_err().violations[0].reason,
            "ATTRIBUTES_INVALID"
        );
        let bad: Vec<_> = (0..50).map(|_| item(&[])).collect();
        let error = demographics(bad).unwrap_err();
        assert_eq!(error.violations.len(), VIOLATIONS_MAX);
        assert!(error.message.contains("30 more"), "{}", error.message);
        assert!(demographics(Vec::new()).is_ok());
    }

    #[test]
    fn outcomes_are_checked() {
        let input = |event_id: &str, outcome, occurred_at: &str| OutcomeInput {
            event_id: event_id.to_owned(),
            application_id: "A-1".to_owned(),
            outcome,
            occurred_at: occurred_at.to_owned(),
        };
        let good = input(
            "e-1",
            Some(CreditOutcome::Repaid),
            "2026-11-22T21:59:25+01:00",
        );
        assert!(outcomes(vec![good]).is_ok());
        let error = outcomes(vec![input("", None, "yesterday")]).unwrap_err();
        let reasons: Vec<_> = error.violations.iter().map(|it| it.reason).collect();
        assert_eq!(reasons, ["TEXT_INVALID", "OUTCOME_INVALID", "TIME_INVALID"]);
    }
}
