//! The one command that HTTP and gRPC requests for a decision become.

use std::collections::BTreeMap;

use fcs_core::{ApiError, ApplicationId, Digest, IdempotencyKey, Violation, redacted_debug};
use fcs_decision::application::Application;
use fcs_decision::features::FeatureInput;
use fcs_decision::protected::protected_attribute;
use sha2::{Digest as _, Sha256};

redacted_debug!(ScoreCommand);

/// Reason code of a refused protected attribute.
pub const PROTECTED_ATTRIBUTE: &str = "PROTECTED_ATTRIBUTE";
/// Features of one request at most; a schema has far fewer.
pub const FEATURES_MAX: usize = 1_024;
/// Name of the fingerprint's form for a request of an id and features alone; a new form needs a new name.
const FINGERPRINT_FORM: &[u8] = b"faircredit/score-request/v1";
/// Name of the form for a request that says more.
const FINGERPRINT_FORM_2: &[u8] = b"faircredit/score-request/v2";

/// A checked request for a decision.
#[derive(Clone, PartialEq)]
pub struct ScoreCommand {
    /// The client's key for "the same request again".
    pub key: IdempotencyKey,
    /// The lender's identifier of the application.
    pub application_id: ApplicationId,
    /// Feature name to value.
    pub features: BTreeMap<String, FeatureInput>,
    /// What else the application says.
    pub application: Application,
}

impl ScoreCommand {
    /// Checks everything that needs no model. Protected attributes are refused by name, whatever their value is.
    pub fn new(
        key: &str,
        application_id: &str,
        features: BTreeMap<String, FeatureInput>,
        application: Application,
    ) -> Result<Self, ApiError> {
        let key = parse_key(key)?;
        let mut violations: Vec<Violation> = features
            .keys()
            .filter_map(|name| refuse_protected("/features", name))
            .collect();
        violations.extend(application.violations(features.keys().map(String::as_str)));
        if features.len() > FEATURES_MAX {
            violations.push(Violation {
                pointer: "/features".to_owned(),
                reason: "TOO_MANY_FEATURES",
                description: format!("at most {FEATURES_MAX} features"),
            });
        }
        match application_id.parse() {
            Ok(application_id) if violations.is_empty() => Ok(Self {
                key,
                application_id,
                features,
                application,
            }),
            Ok(_) => Err(invalid_request(violations)),
            Err(error) => {
                let description = error.to_string();
                let pointer = "/application_id".to_owned();
                violations.push(Violation {
                    pointer,
                    reason: "APPLICATION_ID_INVALID",
                    description,
                });
                Err(invalid_request(violations))
            }
        }
    }

    /// SHA-256 over the meaning of the request: application and features with a value, sorted by name. Two bodies
    /// that differ in key order, white space or spelled-out missing values have one fingerprint.
    ///
    /// Form: the form's name, then each text with its length in bytes as 8 bytes big-endian before it; after a
    /// feature's name, `n` and the number's 8 bytes (IEEE 754, big-endian, -0 as 0), or `c` and the category. What
    /// the application says besides comes, if it says anything, as canonical JSON (RFC 8785) after the application id.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = Sha256::new();
        let says_more = self.application != Application::default();
        text(
            &mut hasher,
            if says_more {
                FINGERPRINT_FORM_2
            } else {
                FINGERPRINT_FORM
            },
        );
        text(&mut hasher, self.application_id.as_str().as_bytes());
        if says_more {
            text(&mut hasher, &self.application.to_canonical_bytes());
        }
        for (name, value) in &self.features {
            match value {
                FeatureInput::Missing => {}
                FeatureInput::Number(number) => {
                    text(&mut hasher, name.as_bytes());
                    hasher.update(b"n");
                    hasher.update((number + 0.0).to_be_bytes());
                }
                FeatureInput::Category(category) => {
                    text(&mut hasher, name.as_bytes());
                    hasher.update(b"c");
                    text(&mut hasher, category.as_bytes());
                }
            }
        }
        Digest::from_bytes(hasher.finalize().into())
    }
}

/// Reads an idempotency key.
pub fn parse_key(key: &str) -> Result<IdempotencyKey, ApiError> {
    key.parse().map_err(|error: fcs_core::InvalidId| {
        ApiError::invalid("IDEMPOTENCY_KEY_INVALID", error.to_string(), vec![])
    })
}

/// SHA-256 over the name of a form and the texts of a request, each with its length in bytes as 8 bytes big-endian
/// before it.
pub fn fingerprint_of(form: &str, texts: &[&str]) -> Digest {
    let mut hasher = Sha256::new();
    text(&mut hasher, form.as_bytes());
    for part in texts {
        text(&mut hasher, part.as_bytes());
    }
    Digest::from_bytes(hasher.finalize().into())
}

fn text(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}

/// The violation of a field or feature that names a protected attribute.
pub fn refuse_protected(parent: &str, name: &str) -> Option<Violation> {
    let attribute = protected_attribute(name)?;
    Some(Violation {
        pointer: pointer(parent, name),
        reason: PROTECTED_ATTRIBUTE,
        description: format!(
            "{name:?} names the protected attribute {attribute:?}, which scoring never takes; \
             send demographics to the bias monitor"
        ),
    })
}

/// JSON pointer to a member (RFC 6901).
pub fn pointer(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The error of a request with broken rules. A protected attribute gives the error its reason.
pub fn invalid_request(violations: Vec<Violation>) -> ApiError {
    let protected = violations
        .iter()
        .find(|violation| violation.reason == PROTECTED_ATTRIBUTE);
    if let Some(protected) = protected {
        let message = protected.description.clone();
        return ApiError::invalid(PROTECTED_ATTRIBUTE, message, violations);
    }
    let message = match violations.as_slice() {
        [one] => format!("{}: {}", one.pointer, one.description),
        several => format!("the request breaks {} rules", several.len()),
    };
    ApiError::invalid("REQUEST_INVALID", message, violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(features: &[(&str, FeatureInput)]) -> Result<ScoreCommand, ApiError> {
        let features = features
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        ScoreCommand::new("key-1", "A-1", features, Application::default())
    }

    fn fingerprint(features: &[(&str, FeatureInput)]) -> Digest {
        command(features).unwrap().fingerprint()
    }

    #[test]
    fn the_fingerprint_is_over_the_meaning() {
        let number = |value| FeatureInput::Number(value);
        let category = |name: &str| FeatureInput::Category(name.to_owned());
        let base = fingerprint(&[("a", number(1.0)), ("b", category("x"))]);
        let spelled_out = [
            ("b", category("x")),
            ("a", number(1.0)),
            ("c", FeatureInput::Missing),
        ];
        assert_eq!(fingerprint(&spelled_out), base);
        assert_ne!(
            fingerprint(&[("a", number(2.0)), ("b", category("x"))]),
            base
        );
        assert_ne!(
            fingerprint(&[("a", number(1.0)), ("b", category("y"))]),
            base
        );
        assert_ne!(
            fingerprint(&[("a", number(1.0)), ("bx", category(""))]),
            base
        );
        assert_eq!(
            fingerprint(&[("a", number(-0.0))]),
            fingerprint(&[("a", number(0.0))])
        );
        let of = |key: &str, id: &str, application| {
            ScoreCommand::new(key, id, BTreeMap::new(), application)
                .unwrap()
                .fingerprint()
        };
        let one = of("key-2", "A-1", Application::default());
        assert_eq!(one, fingerprint(&[]), "the key is not part of it");
        assert_ne!(one, of("k", "A-2", Application::default()));
        let product = |name: &str| Application {
            product: Some(name.to_owned()),
            ..Application::default()
        };
        assert_ne!(one, of("key-2", "A-1", product("card")));
        assert_ne!(
            of("key-2", "A-1", product("loan")),
            of("key-2", "A-1", product("card"))
        );
    }

    #[test]
    fn a_protected_attribute_is_refused_by_name_even_without_a_value() {
        let error = command(&[("sex", FeatureInput::Missing)]).unwrap_err();
        assert_eq!(error.reason, PROTECTED_ATTRIBUTE);
        assert_eq!(error.violations[0].pointer, "/features/sex");
        assert!(error.message.contains("bias monitor"), "{error}");
    }

    #[test]
    fn broken_identifiers_are_refused() {
        let error =
            ScoreCommand::new("key", "a\0b", BTreeMap::new(), Application::default()).unwrap_err();
        assert_eq!(error.violations[0].reason, "APPLICATION_ID_INVALID");
        let error = ScoreCommand::new("two words", "A-1", BTreeMap::new(), Application::default())
            .unwrap_err();
        assert_eq!(error.reason, "IDEMPOTENCY_KEY_INVALID");
    }
}
