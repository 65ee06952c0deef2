//! The error that a caller sees. Transports map its code once: see `fcs_service::problem` and `fcs_service::grpc`.

use serde::Serialize;

/// What went wrong, in the terms of the caller. Stable: clients match on the text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorCode {
    /// The request is malformed or breaks the schema.
    InvalidArgument,
    /// No valid credentials.
    Unauthenticated,
    /// Valid credentials that do not allow this.
    PermissionDenied,
    /// The named thing does not exist.
    NotFound,
    /// The named thing existed and was erased for good.
    Gone,
    /// The named thing exists already.
    AlreadyExists,
    /// Another request on the same thing is in flight or won; retry.
    Aborted,
    /// The system is not in the state that the request needs.
    FailedPrecondition,
    /// The idempotency key was used with another body.
    IdempotencyMismatch,
    /// A limit was reached; retry later.
    ResourceExhausted,
    /// The deadline passed before the work was done.
    DeadlineExceeded,
    /// A dependency does not answer; retry later.
    Unavailable,
    /// A defect of the service.
    Internal,
}

impl ErrorCode {
    /// Every code, for tables and zero-initialised counters.
    pub const ALL: [Self; 13] = [
        Self::InvalidArgument,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::Gone,
        Self::AlreadyExists,
        Self::Aborted,
        Self::FailedPrecondition,
        Self::IdempotencyMismatch,
        Self::ResourceExhausted,
        Self::DeadlineExceeded,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::AlreadyExists => "already_exists",
            Self::Aborted => "aborted",
            Self::FailedPrecondition => "failed_precondition",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::ResourceExhausted => "resource_exhausted",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// One broken rule of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Where: a JSON pointer into the body, for example `/features/limit_bal`.
    pub pointer: String,
    /// Stable reason in `UPPER_SNAKE_CASE`, for example `FEATURE_OUT_OF_RANGE`.
    pub reason: &'static str,
    /// What is wrong and what would be right.
    pub description: String,
}

/// An error as the caller sees it. Internal text stays in the source chain of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The kind of error.
    pub code: ErrorCode,
    /// Stable reason in `UPPER_SNAKE_CASE`, finer than the code.
    pub reason: &'static str,
    /// What is wrong and what to do, safe to show.
    pub message: String,
    /// Broken rules, when there are several.
    pub violations: Vec<Violation>,
    /// When a retry may succeed, in seconds.
    pub retry_after_s: Option<u32>,
}

impl ApiError {
    /// An error of a kind, with a stable reason and a message that is safe to show.
    pub fn new(code: ErrorCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            violations: Vec::new(),
            retry_after_s: None,
        }
    }

    /// A malformed request with its broken rules.
    pub fn invalid(
        reason: &'static str,
        message: impl Into<String>,
        violations: Vec<Violation>,
    ) -> Self {
        Self {
            violations,
            ..Self::new(ErrorCode::InvalidArgument, reason, message)
        }
    }

    /// Nothing has this name.
    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, reason, message)
    }

    /// The same error, with a hint when to retry.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}
