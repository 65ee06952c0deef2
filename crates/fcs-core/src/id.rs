//! Typed identifiers. A valid value is the only kind there is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{UnixMicros, redacted_debug};

/// Ten random bytes, the part of a version 7 UUID that is not time.
pub type RandomBytes = [u8; 10];

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidId {
    /// Kind of identifier, for example "application id".
    pub what: &'static str,
    /// The rule that was broken.
    pub rule: &'static str,
}

macro_rules! time_ordered_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an identifier that sorts by time (UUID version 7, RFC 9562).
            pub fn new(at: UnixMicros, random: &RandomBytes) -> Self {
                let millis = u64::try_from(at.0.div_euclid(1_000)).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|uuid| uuid.len() == 36)
                    .and_then(|uuid| Uuid::try_parse(uuid).ok())
                    .map(Self)
                    .ok_or(InvalidId {
                        what: $what,
                        rule: concat!("\"", $prefix, "_\" followed by a UUID"),
                    })
            }
        }

        try_from_text!($name);

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

macro_rules! try_from_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
    };
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
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

        try_from_text!($name);

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

/// Prints them as they are.
macro_rules! displayed {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

time_ordered_id!(
    /// Identifier of a decision.
    DecisionId, "dec", "a decision id"
);
time_ordered_id!(
    /// Identifier of a deployment.
    DeploymentId, "dep", "a deployment id"
);
time_ordered_id!(
    /// Identifier of a rollout.
    RolloutId, "rol", "a rollout id"
);
time_ordered_id!(
    /// Identifier of a review of a decision.
    ReviewId, "rev", "a review id"
);
checked_text!(
    /// The lender's identifier of an application: personal, so nothing prints it.
    ApplicationId, "an application id", "1 to 128 characters without control characters",
    |text| (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control)
);
checked_text!(
    /// The client's key for "the same request again". Clients make it of application ids, so nothing prints it.
    IdempotencyKey, "an idempotency key", "1 to 128 visible ASCII characters",
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
);
checked_text!(
    /// A lender on a shared system. Everything that is stored of decisions belongs to one.
    #[derive(Debug)]
    TenantId, "a tenant id",
    "1 to 64 lower-case letters, digits, '.', '-' or '_', not starting with '.'",
    is_name
);
checked_text!(
    /// A model version in its text form, `name/version`.
    #[derive(Debug)]
    ModelVersion, "a model version",
    "\"name/version\": lower-case letters, digits, '.', '-' or '_', at most 64 each, not starting with '.'",
    |text| text.split_once('/').is_some_and(|(name, version)| is_name(name) && is_name(version))
);

displayed!(TenantId, ModelVersion);
redacted_debug!(ApplicationId, IdempotencyKey);

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed)
}

impl ModelVersion {
    /// Joins a name and a version.
    pub fn new(name: &str, version: &str) -> Result<Self, InvalidId> {
        format!("{name}/{version}").parse()
    }

    /// The package name.
    pub fn name(&self) -> &str {
        self.parts().0
    }

    /// The version of the package.
    pub fn version(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0
            .split_once('/')
            .expect("a model version holds one slash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decision_ids_sort_by_time_and_round_trip() {
        let early = DecisionId::new(UnixMicros(1_000_000), &[255; 10]);
        let late = DecisionId::new(UnixMicros(2_000_000), &[0; 10]);
        assert!(early < late);
        assert!(early.to_string().starts_with("dec_"));
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let decision = DecisionId::new(UnixMicros(0), &[1; 10]).to_string();
        assert!(decision.parse::<DeploymentId>().is_err());
        assert!("dec_nonsense".parse::<DecisionId>().is_err());
    }

    #[test]
    fn application_ids_hold_no_control_characters() {
        assert!("A-1 ü".parse::<ApplicationId>().is_ok());
        for bad in ["", "a\0b", "line\nbreak", &"x".repeat(129)] {
            assert!(bad.parse::<ApplicationId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn personal_identifiers_are_serialised_and_not_printed() {
        let id: ApplicationId = "A-17".parse().unwrap();
        assert_eq!(format!("{id:?}"), "ApplicationId([redacted])");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"A-17\"");
        assert_eq!(String::from(id), "A-17");
    }

    #[test]
    fn idempotency_keys_are_visible_ascii() {
        assert!("4f1c-2".parse::<IdempotencyKey>().is_ok());
        for bad in ["", "with space", "ü"] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tenant_ids_are_plain_names() {
        assert!("acme-bank.2".parse::<TenantId>().is_ok());
        for bad in ["", "Acme", "a b", ".acme", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn model_versions_never_leave_their_folder() {
        let model: ModelVersion = "taiwan-default/1".parse().unwrap();
        assert_eq!((model.name(), model.version()), ("taiwan-default", "1"));
        for bad in ["taiwan", "a/b/c", "../x", "a/..", "/1", "a/", "A/1"] {
            assert!(bad.parse::<ModelVersion>().is_err(), "{bad:?}");
        }
    }
}
