//! Fields of requests as texts, and the rules that they break.

use fcs_core::{ApiError, Violation};

/// Reads the fields of a request and keeps every broken rule.
#[derive(Default)]
pub(super) struct Fields {
    violations: Vec<Violation>,
}

impl Fields {
    pub(super) fn parse<T, E>(&mut self, pointer: &str, text: &str) -> Option<T>
    where
        T: std::str::FromStr<Err = E>,
        E: std::fmt::Display,
    {
        text.parse()
            .map_err(|error: E| self.refuse(pointer, error.to_string()))
            .ok()
    }

    pub(super) fn refuse(&mut self, pointer: &str, description: String) {
        self.violations.push(violation(pointer, description));
    }

    /// Fails with the error that `invalid` makes of a message and the broken rules, if there are any.
    pub(super) fn finish(
        self,
        invalid: fn(String, Vec<Violation>) -> ApiError,
    ) -> Result<(), ApiError> {
        if self.violations.is_empty() {
            return Ok(());
        }
        let listed: Vec<String> = self
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.pointer, violation.description))
            .collect();
        let message = format!(
            "the request breaks {} rules: {}",
            listed.len(),
            listed.join("; ")
        );
        Err(invalid(message, self.violations))
    }
}

pub(super) fn violation(pointer: &str, description: String) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        reason: "INVALID_FIELD",
        description,
    }
}
