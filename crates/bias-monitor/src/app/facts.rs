//! What the monitor knows: decisions, protected attributes and outcomes.

use std::fmt;
use std::str::FromStr;

use fcs_core::{ApplicationId, DecisionId, InvalidId, ModelVersion, Probability, UnixMicros};

/// Parts of a whole probability.
const PPM: f64 = 1_000_000.0;

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { what: $what, rule: $rule })
                }
            }
        }
    };
}

checked_text!(
    /// Name of a protected attribute, for example `age_band`.
    AttributeName,
    "an attribute name",
    "1 to 64 lower-case letters, digits or '_', starting with a letter",
    is_lower_snake
);
checked_text!(
    /// A value of a protected attribute, for example `female`. It never prints: see its `Debug`.
    GroupName,
    "a group name",
    "1 to 64 printable characters, without a space at either end",
    |text| {
        (1..=64).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && text.trim() == text
    }
);
checked_text!(
    /// The sender's identifier of an outcome event. Identifiers are ordered by their bytes.
    EventId,
    "an event id",
    "1 to 128 visible ASCII characters",
    is_visible
);
checked_text!(
    /// Why a person decided otherwise, as a code of the lender's, for example `income_verified`.
    OverrideReason,
    "the reason of an override",
    "1 to 64 lower-case letters, digits or '_', starting with a letter",
    is_lower_snake
);
checked_text!(
    /// The method of a proxy, for example `bisg`.
    ProxySource,
    "the source of a proxy",
    "1 to 64 lower-case letters, digits or '_', starting with a letter",
    is_lower_snake
);
checked_text!(
    /// The version of a proxy's rules and tables, for example a digest.
    ProxyVersion,
    "the version of a proxy",
    "1 to 128 visible ASCII characters",
    is_visible
);

fn is_visible(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_lower_snake(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(allowed)
}

impl fmt::Debug for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for ProxySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for ProxyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A closed set of words that are stored as text.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$word_doc])* $word),+
        }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The text form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text),+
                }
            }

            /// The word with this text form.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}

words!(
    /// What was decided.
    Outcome {
        /// Credit was granted.
        Approve = "approve",
        /// It is open: a person decides, or the applicant on an offer of other terms.
        Refer = "refer",
        /// Credit was refused.
        Deny = "deny",
        /// No decision was possible: it has a place in the log, is counted nowhere and stored nowhere.
        Incomplete = "incomplete",
    }
);
words!(
    /// What became of the credit.
    CreditOutcome {
        /// It was paid back.
        Repaid = "repaid",
        /// It was not.
        Defaulted = "defaulted",
    }
);
words!(
    /// What a person decided.
    PersonsOutcome {
        /// Credit was granted.
        Approve = "approve",
        /// Credit was refused.
        Deny = "deny",
    }
);
words!(
    /// Where an attribute's value comes from.
    Source {
        /// The applicant said so.
        SelfReported = "self_reported",
        /// Somebody noted it by observation.
        Observed = "observed",
    }
);

/// A person decided instead of a model, or what a model referred.
#[derive(Clone, PartialEq, Eq)]
pub struct Override {
    /// The sender's identifier of the event.
    pub event_id: EventId,
    /// The decision.
    pub decision_id: DecisionId,
    /// What the person decided.
    pub outcome: PersonsOutcome,
    /// Why.
    pub reason: OverrideReason,
    /// When.
    pub occurred_at: UnixMicros,
}

/// What a decision adds to the counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The application that was decided.
    pub application_id: ApplicationId,
    /// Minutes from the Unix epoch to the decision.
    pub minute: i64,
    /// The model that scored.
    pub model: ModelVersion,
    /// The traffic arm that scored.
    pub arm: String,
    /// What was decided.
    pub outcome: Outcome,
    /// Scaled score in points.
    pub score: i64,
    /// Probability of the adverse outcome in parts per million, 0 to 1,000,000.
    pub probability_ppm: i64,
    /// The bin of every variable of the model's profile, see [`super::profiles::ProfileCounts`]. Empty where the feed
    /// does not tell.
    pub bins: Vec<u16>,
}

/// A decision with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDecision {
    /// Place in the log, from 1 without gaps.
    pub log_index: u64,
    /// Identifier of the decision.
    pub decision_id: DecisionId,
    /// What it adds.
    pub decision: Decision,
}

/// A probability in parts per million, rounded to the nearest integer.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a probability is within [0, 1], so the product is within [0, 1 000 000]"
)]
pub fn parts_per_million(probability: Probability) -> i64 {
    (probability.get() * PPM).round() as i64
}

/// An attribute's value with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    /// The value.
    pub group: GroupName,
    /// Its origin.
    pub source: Source,
}

/// Protected attributes of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demographics {
    /// The application.
    pub application_id: ApplicationId,
    /// The attributes with their values.
    pub attributes: Vec<(AttributeName, KnownGroup)>,
}

/// Somebody's word on what became of an approved application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeEvent {
    /// The sender's identifier; a second event with it is ignored.
    pub event_id: EventId,
    /// The application.
    pub application_id: ApplicationId,
    /// What became of it.
    pub outcome: CreditOutcome,
    /// When.
    pub occurred_at: UnixMicros,
}

/// The event in force for an application: the latest, ties by the greater identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOutcome {
    /// What became of the application.
    pub outcome: CreditOutcome,
    /// When.
    pub occurred_at: UnixMicros,
    /// The event that says so.
    pub event_id: EventId,
}

impl KnownOutcome {
    /// Whether an event replaces this one.
    pub fn yields_to(&self, event: &OutcomeEvent) -> bool {
        (event.occurred_at, &event.event_id) > (self.occurred_at, &self.event_id)
    }
}

impl From<&OutcomeEvent> for KnownOutcome {
    fn from(event: &OutcomeEvent) -> Self {
        Self {
            outcome: event.outcome,
            occurred_at: event.occurred_at,
            event_id: event.event_id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["sex", "age_band", "x2"] {
            assert!(good.parse::<AttributeName>().is_ok(), "{good}");
        }
        for bad in ["", "Sex", "2nd", "_x", "age band", "naïve", &"x".repeat(65)] {
            assert!(bad.parse::<AttributeName>().is_err(), "{bad:?}");
        }
        for good in ["female", "25-34", "Côte d'Ivoire"] {
            assert!(good.parse::<GroupName>().is_ok(), "{good}");
        }
        for bad in ["", " female", "female ", "a\nb", "a\0", &"x".repeat(65)] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
        }
        assert!("evt-1".parse::<EventId>().is_ok() && "evt 1".parse::<EventId>().is_err());
    }

    #[test]
    fn a_group_never_prints() {
        let demographics = Demographics {
            application_id: "A-1".parse().unwrap(),
            attributes: vec![(
                "sex".parse().unwrap(),
                KnownGroup {
                    group: "female".parse().unwrap(),
                    source: Source::Observed,
                },
            )],
        };
        assert!(!format!("{demographics:?}").contains("female"));
    }

    #[test]
    fn words_round_trip() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
        }
        assert_eq!(Source::parse("guessed"), None);
    }

    #[test]
    fn probabilities_round_to_parts_per_million() {
        let ppm = |value: f64| parts_per_million(Probability::try_from(value).unwrap());
        assert_eq!(
            [ppm(0.0), ppm(0.29), ppm(0.123_456_7), ppm(1.0)],
            [0, 290_000, 123_457, 1_000_000]
        );
    }
}
