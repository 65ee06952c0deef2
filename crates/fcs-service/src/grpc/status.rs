//! One error code, one gRPC status, and back.

use std::collections::HashMap;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode, Violation};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, QuotaViolation, StatusExt as _};

use super::intern::interned;
use crate::problem::{INTERNAL_MESSAGE, reason};

/// Domain of our `ErrorInfo` details.
pub const DOMAIN: &str = "faircredit";
/// Metadata key of `ErrorInfo` that holds the exact error code.
const CODE_KEY: &str = "code";

/// The gRPC code of an error code.
pub const fn status_code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::InvalidArgument => Code::InvalidArgument,
        ErrorCode::Unauthenticated => Code::Unauthenticated,
        ErrorCode::PermissionDenied => Code::PermissionDenied,
        ErrorCode::NotFound | ErrorCode::Gone => Code::NotFound,
        ErrorCode::AlreadyExists => Code::AlreadyExists,
        ErrorCode::Aborted => Code::Aborted,
        ErrorCode::FailedPrecondition | ErrorCode::IdempotencyMismatch => Code::FailedPrecondition,
        ErrorCode::ResourceExhausted => Code::ResourceExhausted,
        ErrorCode::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::Internal => Code::Internal,
    }
}

/// The error as a status with `ErrorInfo`, and `BadRequest`, `QuotaFailure`, `PreconditionFailure` and `RetryInfo` where
/// they apply. The text of an internal error stays inside.
pub fn status(error: &ApiError) -> Status {
    let defect = error.code == ErrorCode::Internal;
    let metadata = HashMap::from([(CODE_KEY.to_owned(), error.code.as_str().to_owned())]);
    let mut details = ErrorDetails::with_error_info(error.reason, DOMAIN, metadata);
    // A limit is about no field.
    let is_quota = |violation: &&Violation| {
        error.code == ErrorCode::ResourceExhausted && violation.pointer.is_empty()
    };
    let (quotas, fields): (Vec<_>, Vec<_>) = error.violations.iter().partition(is_quota);
    if !quotas.is_empty() {
        details.set_quota_failure(quotas.into_iter().map(quota_violation).collect::<Vec<_>>());
    }
    if !fields.is_empty() && !defect {
        details.set_bad_request(fields.into_iter().map(field_violation).collect::<Vec<_>>());
    }
    if status_code(error.code) == Code::FailedPrecondition {
        details.add_precondition_failure_violation(error.reason, "", error.message.as_str());
    }
    if let Some(seconds) = error.retry_after_s {
        details.set_retry_info(Some(Duration::from_secs(seconds.into())));
    }
    let message = if defect {
        INTERNAL_MESSAGE
    } else {
        error.message.as_str()
    };
    Status::with_error_details(status_code(error.code), message, details)
}

fn quota_violation(violation: &Violation) -> QuotaViolation {
    QuotaViolation::new(violation.reason, &violation.description)
}

fn field_violation(violation: &Violation) -> FieldViolation {
    FieldViolation {
        field: violation.pointer.clone(),
        description: violation.description.clone(),
        reason: violation.reason.to_owned(),
        localized_message: None,
    }
}

/// What tonic and prost say of a message that they cannot read.
const UNREADABLE: [&str; 5] = [
    "failed to decode Protobuf message",
    "Error decompressing",
    "protocol error: received message",
    "Unexpected EOF decoding stream",
    "Missing request message",
];

/// The status of reading a request. A message that cannot be read is its sender's fault; tonic takes it for ours,
/// with `INTERNAL`, which no handler of ours says in these words.
pub fn unreadable_is_invalid(found: Status) -> Status {
    let text = found.message();
    let unreadable = UNREADABLE.iter().any(|start| text.starts_with(start));
    if found.code() != Code::Internal || !unreadable {
        return found;
    }
    let message = format!("the message cannot be read: {text}");
    status(&ApiError::new(
        ErrorCode::InvalidArgument,
        reason::MALFORMED_MESSAGE,
        message,
    ))
}

/// The status of a peer as our error: exact when the peer is one of our services, otherwise by its code and
/// with our own text, because the text of a stranger or of the transport is not safe to show.
pub fn api_error(status: &Status) -> ApiError {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN);
    let Some(info) = info else {
        return foreign(status);
    };
    let code = info
        .metadata
        .get(CODE_KEY)
        .and_then(|text| parse_code(text));
    let fields = details.bad_request().map(|bad| &bad.field_violations);
    let quotas = details.quota_failure().map(|failure| &failure.violations);
    let violations = fields
        .into_iter()
        .flatten()
        .map(violation)
        .chain(quotas.into_iter().flatten().map(exhausted))
        .collect();
    let retry_delay = details.retry_info().and_then(|info| info.retry_delay);
    ApiError {
        code: code.unwrap_or_else(|| error_code(status)),
        reason: interned(&info.reason),
        message: status.message().to_owned(),
        violations,
        retry_after_s: retry_delay.map(|it| u32::try_from(it.as_secs()).unwrap_or(u32::MAX)),
    }
}

fn violation(violation: &FieldViolation) -> Violation {
    Violation {
        pointer: violation.field.clone(),
        reason: interned(&violation.reason),
        description: violation.description.clone(),
    }
}

fn exhausted(quota: &QuotaViolation) -> Violation {
    Violation {
        pointer: String::new(),
        reason: interned(&quota.subject),
        description: quota.description.clone(),
    }
}

fn foreign(status: &Status) -> ApiError {
    let code = error_code(status);
    let (reason, message) = match code {
        ErrorCode::Unavailable => (
            "PEER_UNAVAILABLE",
            "a service that this needs does not answer",
        ),
        ErrorCode::DeadlineExceeded => (
            "PEER_TIMEOUT",
            "a service that this needs did not answer in time",
        ),
        ErrorCode::Internal => (reason::INTERNAL, INTERNAL_MESSAGE),
        _ => (
            "PEER_REFUSED",
            "a service that this needs refused the request",
        ),
    };
    ApiError::new(code, reason, message)
}

fn parse_code(text: &str) -> Option<ErrorCode> {
    ErrorCode::ALL
        .into_iter()
        .find(|code| code.as_str() == text)
}

/// The error code of a gRPC code. tonic reports a passed deadline of its own as `CANCELLED`.
fn error_code(status: &Status) -> ErrorCode {
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => ErrorCode::InvalidArgument,
        Code::Unauthenticated => ErrorCode::Unauthenticated,
        Code::PermissionDenied => ErrorCode::PermissionDenied,
        Code::NotFound => ErrorCode::NotFound,
        Code::AlreadyExists => ErrorCode::AlreadyExists,
        Code::Aborted => ErrorCode::Aborted,
        Code::FailedPrecondition => ErrorCode::FailedPrecondition,
        Code::ResourceExhausted => ErrorCode::ResourceExhausted,
        Code::DeadlineExceeded => ErrorCode::DeadlineExceeded,
        Code::Cancelled if status.message() == "Timeout expired" => ErrorCode::DeadlineExceeded,
        Code::Unavailable | Code::Cancelled => ErrorCode::Unavailable,
        Code::Unknown if status.message().contains("transport error") => ErrorCode::Unavailable,
        // tonic's words for a connection that broke, or that its server closed.
        Code::Internal if status.message().starts_with("h2 protocol error") => {
            ErrorCode::Unavailable
        }
        Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => {
            ErrorCode::Internal
        }
    }
}
