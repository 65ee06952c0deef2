//! Texts with a meaning, checked on construction.

use std::fmt;
use std::str::FromStr;

use fcs_core::InvalidId;
use serde::{Deserialize, Serialize};

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidId { what: $what, rule: $rule }) }
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

checked_text!(
    /// A person or a process that acts. Compare people with [`Principal::is_same_as`].
    Principal, "a principal",
    "1 to 128 characters without control characters and surrounding white space",
    |text| (1..=128).contains(&text.chars().count())
        && !text.contains(char::is_control)
        && text.trim() == text
);
checked_text!(
    /// The commit of the configuration that asks for a change.
    GitCommit, "a git commit", "7 to 64 lower-case hexadecimal digits",
    |text| (7..=64).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
);
checked_text!(
    /// What changes and why.
    Description, "a description", "1 to 2000 characters that say something", is_statement
);
checked_text!(
    /// Why a deployment is rolled back.
    Reason, "a reason", "1 to 2000 characters that say something", is_statement
);
checked_text!(
    /// What an approver adds; may be empty.
    Comment, "a comment", "at most 2000 characters", |text| text.is_empty() || is_free_text(text)
);

checked_text!(
    /// A question to a metric store about one model and one window.
    Query, "a metric query", "at most 2000 characters with {model} and {window} in it",
    |text| is_free_text(text) && text.contains("{model}") && text.contains("{window}")
);

checked_text!(
    /// A question to a metric store about one number, as a PromQL expression.
    Expression, "a metric expression", "1 to 2000 characters that ask something", is_statement
);
checked_text!(
    /// Name of a metric or a guard of a plan.
    Name, "a name", "1 to 64 lower-case letters, digits and underscores",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
);

impl Principal {
    /// Whether both name the same person. Letter case does not make another person.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// The form in which people are compared. Upper case first: some letters have a lower case only by way of it.
    pub fn folded(&self) -> String {
        self.0.to_uppercase().to_lowercase()
    }
}

fn is_statement(text: &str) -> bool {
    is_free_text(text) && !text.trim().is_empty()
}

fn is_free_text(text: &str) -> bool {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().count() <= 2_000 && !text.contains(forbidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_compared_without_letter_case() {
        let ada: Principal = "Ada@bank.example".parse().unwrap();
        assert!(ada.is_same_as(&"ADA@BANK.EXAMPLE".parse().unwrap()));
        assert!(!ada.is_same_as(&"bea@bank.example".parse().unwrap()));
        let long_s: Principal = "o\u{17f}car".parse().unwrap();
        assert!(long_s.is_same_as(&"Oscar".parse().unwrap()));
    }

    #[test]
    fn principals_have_no_disguise() {
        for bad in ["", " ada", "ada ", "a\nb", "a\u{7f}", &"x".repeat(129)] {
            assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(128).parse::<Principal>().is_ok());
    }

    #[test]
    fn commits_are_lower_hexadecimal() {
        assert!("0123abc".parse::<GitCommit>().is_ok());
        assert!("a".repeat(64).parse::<GitCommit>().is_ok());
        for bad in ["", "012345", "0123ABC", "0123abg", &"a".repeat(65)] {
            assert!(bad.parse::<GitCommit>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn statements_say_something_and_comments_may_not() {
        assert!("two\nlines".parse::<Description>().is_ok());
        for bad in ["", " \n\t", "a\0b", &"x".repeat(2_001)] {
            assert!(bad.parse::<Description>().is_err(), "{bad:?}");
            assert!(bad.parse::<Reason>().is_err(), "{bad:?}");
        }
        assert!("".parse::<Comment>().is_ok());
        assert!("x".repeat(2_001).parse::<Comment>().is_err());
    }

    #[test]
    fn stored_text_is_checked_again() {
        assert!(serde_json::from_str::<GitCommit>("\"nonsense\"").is_err());
        assert!(serde_json::from_str::<Reason>("\"\"").is_err());
    }
}
