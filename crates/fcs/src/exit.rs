//! Exit codes and the errors that lead to them.

use std::fmt::Write;
use std::process::ExitCode;

use fcs_core::{ApiError, ErrorCode};

/// An error with a documented exit code of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A service refused, or cannot be reached.
    #[error("{}", describe(.0))]
    Api(ApiError),
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// Something that was checked is not as it should be.
    #[error("{0}")]
    Verification(String),
    /// Something else is there already.
    #[error("{0}")]
    Conflict(String),
    /// A registry of packages failed.
    #[error("{0}")]
    Registry(String),
    /// The named thing does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Nothing came in time.
    #[error("{0}")]
    Timeout(String),
    /// The settings have problems; they are already printed.
    #[error("{0}")]
    Settings(String),
}

impl From<tonic::Status> for CliError {
    fn from(status: tonic::Status) -> Self {
        Self::Api(fcs_service::grpc::api_error(&status))
    }
}

/// The documented exit code of an error.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    let api = |error: &ApiError| match error.code {
        ErrorCode::NotFound | ErrorCode::Gone => 3,
        ErrorCode::Unauthenticated | ErrorCode::PermissionDenied => 4,
        ErrorCode::AlreadyExists
        | ErrorCode::Aborted
        | ErrorCode::FailedPrecondition
        | ErrorCode::IdempotencyMismatch => 5,
        ErrorCode::DeadlineExceeded => 8,
        ErrorCode::InvalidArgument
        | ErrorCode::ResourceExhausted
        | ErrorCode::Unavailable
        | ErrorCode::Internal => 1,
    };
    ExitCode::from(match error.downcast_ref::<CliError>() {
        Some(CliError::Api(error)) => api(error),
        Some(CliError::Usage(_)) => 2,
        Some(CliError::NotFound(_)) => 3,
        Some(CliError::Conflict(_)) => 5,
        Some(CliError::Verification(_)) => 7,
        Some(CliError::Timeout(_)) => 8,
        Some(CliError::Settings(_)) => 64,
        Some(CliError::Registry(_)) | None => 1,
    })
}

fn describe(error: &ApiError) -> String {
    let mut text = format!("{} ({})", error.message, error.reason);
    for violation in &error.violations {
        let _ = write!(text, "\n  {}: {}", violation.pointer, violation.description);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_code() {
        let api = |code| CliError::Api(ApiError::new(code, "X", "x"));
        for (error, expected) in [
            (api(ErrorCode::NotFound), 3),
            (api(ErrorCode::PermissionDenied), 4),
            (api(ErrorCode::FailedPrecondition), 5),
            (api(ErrorCode::DeadlineExceeded), 8),
            (api(ErrorCode::Internal), 1),
            (CliError::Usage(String::new()), 2),
            (CliError::Conflict(String::new()), 5),
            (CliError::Registry(String::new()), 1),
            (CliError::Verification(String::new()), 7),
            (CliError::Settings(String::new()), 64),
        ] {
            let text = error.to_string();
            assert_eq!(code(&error.into()), ExitCode::from(expected), "{text}");
        }
    }
}
