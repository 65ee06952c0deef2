//! Parameters of requests and tensors: which have a meaning here, and which would change the meaning.

use std::collections::BTreeMap;
use std::time::Duration;

use fcs_core::{ApiError, redacted_debug};

use super::{PARAMETERS_MAX, TEXT_BYTES_MAX, invalid};

redacted_debug!(Parameter);

/// The value of a parameter.
#[derive(Clone, PartialEq, serde::Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number beyond the signed ones.
    Unsigned(u64),
    /// A number.
    Double(f64),
    /// A text.
    Text(String),
}

/// Parameters by name.
pub type Parameters = BTreeMap<String, Parameter>;

/// Whether a parameter is there and true.
pub fn is_true(parameters: &Parameters, key: &str) -> bool {
    parameters.get(key) == Some(&Parameter::Bool(true))
}

/// The caller's limit in a request's parameters (`timeout`, in microseconds; 0 is none). Parameters that are
/// unknown have no effect, as the protocol says.
///
/// # Errors
/// `InvalidArgument` for a sequence, because nothing is remembered between requests, for a malformed limit, and
/// for too many parameters.
pub fn timeout(parameters: &Parameters) -> Result<Option<Duration>, ApiError> {
    check(parameters)?;
    let in_sequence = match parameters.get("sequence_id") {
        None | Some(Parameter::Integer(0) | Parameter::Unsigned(0)) => false,
        Some(Parameter::Text(text)) => !text.is_empty(),
        Some(_) => true,
    };
    if in_sequence {
        let message = "sequences are not offered: nothing is remembered between requests";
        return Err(invalid("SEQUENCE_UNSUPPORTED", message));
    }
    let micros = match parameters.get("timeout") {
        None => return Ok(None),
        Some(Parameter::Integer(micros)) => u64::try_from(*micros).ok(),
        Some(Parameter::Unsigned(micros)) => Some(*micros),
        Some(_) => None,
    };
    let micros = micros.ok_or_else(|| {
        let message = "the parameter timeout is a number of microseconds, not negative";
        invalid("TIMEOUT_INVALID", message)
    })?;
    Ok((micros > 0).then(|| Duration::from_micros(micros)))
}

/// Checks the parameters of an input or an output.
///
/// # Errors
/// `InvalidArgument` for those that would change where the elements are or what they mean.
pub fn check_tensor(parameters: &Parameters) -> Result<(), ApiError> {
    check(parameters)?;
    for key in ["shared_memory_region", "classification"] {
        if parameters.contains_key(key) {
            let message = format!("the parameter {key} is not offered");
            return Err(invalid("PARAMETER_UNSUPPORTED", message));
        }
    }
    Ok(())
}

fn check(parameters: &Parameters) -> Result<(), ApiError> {
    if parameters.len() > PARAMETERS_MAX {
        let message = format!("send at most {PARAMETERS_MAX} parameters");
        return Err(invalid("TOO_MANY_PARAMETERS", message));
    }
    if parameters.keys().any(|key| key.len() > TEXT_BYTES_MAX) {
        let message = format!("names of parameters have at most {TEXT_BYTES_MAX} bytes");
        return Err(invalid("TEXT_TOO_LONG", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: Parameter) -> Parameters {
        [(key.to_owned(), value)].into()
    }

    #[test]
    fn a_limit_is_microseconds() {
        let limit = |value| timeout(&one("timeout", value));
        assert_eq!(
            limit(Parameter::Integer(1_500)).unwrap(),
            Some(Duration::from_micros(1_500))
        );
        assert_eq!(limit(Parameter::Integer(0)).unwrap(), None);
        assert!(limit(Parameter::Integer(-1)).is_err());
        assert!(limit(Parameter::Text("1".into())).is_err());
    }

    #[test]
    fn what_would_change_the_meaning_is_refused() {
        assert!(timeout(&one("sequence_id", Parameter::Integer(7))).is_err());
        assert!(timeout(&one("sequence_id", Parameter::Integer(0))).is_ok());
        assert!(check_tensor(&one("classification", Parameter::Integer(1))).is_err());
        assert!(check_tensor(&one("binary_data", Parameter::Bool(true))).is_ok());
        let many = (0..=PARAMETERS_MAX).map(|n| (n.to_string(), Parameter::Bool(true)));
        assert!(timeout(&many.collect()).is_err());
    }
}
