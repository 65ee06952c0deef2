//! Errors of the use cases as the caller sees them.

use fcs_core::{ApiError, ErrorCode};
use fcs_service::problem::internal;

use super::log::LogError;
use super::ports::GatewayError;
use crate::store::StoreError;

/// Reason of an error that says that another writer was first.
pub const CONCURRENT_CHANGE: &str = "CONCURRENT_CHANGE";

/// What a caller is told of a failure of the store.
pub fn of_store(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict | StoreError::LeaseLost | StoreError::NotContiguous { .. } => {
            ApiError::new(
                ErrorCode::Aborted,
                CONCURRENT_CHANGE,
                "another change was recorded first; read the state again and retry",
            )
            .retry_after(1)
        }
        StoreError::Sealed => ApiError::new(
            ErrorCode::FailedPrecondition,
            "LOG_SEALED",
            "the stored log is not the one that was signed, so nothing is recorded in it; \
             the service's log says what differs",
        ),
        StoreError::LeafTooLong(_) => ApiError::invalid(
            "EVENT_TOO_LONG",
            "the event is longer than an entry of the log may be; say it in fewer words",
            Vec::new(),
        ),
        StoreError::Refused(_) => internal("DATABASE_RULE_BROKEN", error),
        StoreError::Damaged(_) => internal("STORE_DAMAGED", error),
        StoreError::Failed(_) => {
            internal("STORE_UNAVAILABLE", error);
            ApiError::new(
                ErrorCode::Unavailable,
                "STORE_UNAVAILABLE",
                "the database does not answer; retry",
            )
            .retry_after(1)
        }
    }
}

/// What a caller is told of a failure of the log.
pub fn of_log(error: LogError) -> ApiError {
    match error {
        LogError::Store(error) => of_store(error),
        LogError::Refused(_) => ApiError::new(
            ErrorCode::FailedPrecondition,
            "LOG_REFUSED",
            "the stored log is not the one that was signed, so no checkpoint is given; \
             the service's log says what differs",
        ),
        LogError::Sign(_) => internal("CHECKPOINT_NOT_SIGNED", error),
        LogError::Publish(_) => internal("LOG_NOT_PUBLISHED", error),
    }
}

/// What a caller is told of a failure of the gateway.
pub fn of_gateway(error: GatewayError) -> ApiError {
    match error {
        GatewayError::Unavailable(_) => ApiError::new(
            ErrorCode::Unavailable,
            "GATEWAY_UNAVAILABLE",
            error.to_string(),
        )
        .retry_after(1),
        GatewayError::Refused(_) => ApiError::new(
            ErrorCode::FailedPrecondition,
            "GATEWAY_REFUSED",
            error.to_string(),
        ),
        GatewayError::Malformed(_) => internal("GATEWAY_MALFORMED", error),
    }
}
