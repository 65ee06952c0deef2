//! Requests that no handler needs to see.

use axum::extract::Request;
use fcs_core::{ApiError, ErrorCode};

use crate::problem::reason;
use crate::serve::HEADERS_MAX;
use crate::settings::CallerRule;
use crate::tls::PeerIdentity;

/// Lets a request pass whose head is small enough and whose client may call this.
pub(super) fn admit(request: &Request, callers: &[CallerRule]) -> Result<(), ApiError> {
    if request.headers().len() > HEADERS_MAX {
        let message = format!("send at most {HEADERS_MAX} header fields");
        return Err(ApiError::new(
            ErrorCode::InvalidArgument,
            reason::TOO_MANY_HEADERS,
            message,
        ));
    }
    let caller = request.extensions().get::<PeerIdentity>();
    if CallerRule::allow(callers, request.uri().path(), caller) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::PermissionDenied,
        "CALLER_NOT_ALLOWED",
        "the names of your certificate may not call this",
    ))
}
