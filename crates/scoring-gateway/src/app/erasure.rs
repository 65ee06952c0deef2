//! Erasure of what is kept of an applicant.

use std::fmt;

use fcs_core::{ApiError, ApplicationId, ErrorCode, TenantId, Violation};
use fcs_service::auth::Principal;

use super::decisions::{INDEX_MAX, page_limit};
use super::{App, store_unavailable};
use crate::store::{Erasure, ErasureRequest, ExecutedErasure, Requested};

/// Characters of a reason at most.
const REASON_MAX: usize = 500;
/// Rows from before encryption are sealed every minute.
const SEALED_WITHIN_S: u32 = 60;

impl App {
    /// Asks for the erasure of an application of the caller's tenant. Asking again changes nothing.
    pub async fn erase(
        &self,
        caller: &Principal,
        application_id: &str,
        reason: &str,
    ) -> Result<Erasure, ApiError> {
        let application_id = parse(application_id, reason)?;
        let request = ErasureRequest {
            tenant: &caller.tenant,
            application_id: &application_id,
            actor: &caller.subject,
            reason,
            at: self.clock.now(),
        };
        match self.erasures.erase(&request).await {
            Err(error) => Err(store_unavailable(error)),
            Ok(Requested::Noted(erasure)) => Ok(erasure),
            Ok(Requested::Unknown) => Err(ApiError::not_found(
                "APPLICATION_NOT_FOUND",
                "there is no decision on this application",
            )),
            Ok(Requested::InTheClear) => {
                let message = "decisions from before encryption are still being encrypted; ask again in a minute";
                Err(
                    ApiError::new(ErrorCode::Unavailable, "ENCRYPTION_UNFINISHED", message)
                        .retry_after(SEALED_WITHIN_S),
                )
            }
        }
    }

    /// Erasures of every tenant whose key is destroyed, after a place.
    pub async fn executed_erasures(
        &self,
        after_place: u64,
        page_size: u32,
    ) -> Result<Vec<ExecutedErasure>, ApiError> {
        let limit = page_limit(page_size)?;
        check_place(after_place)?;
        let executed = self.erasures.executed_erasures(after_place, limit).await;
        executed.map_err(store_unavailable)
    }

    /// Erasures of a tenant, the earliest first.
    pub async fn erasures(
        &self,
        tenant: &TenantId,
        after_place: u64,
        page_size: u32,
    ) -> Result<Vec<Erasure>, ApiError> {
        let limit = page_limit(page_size)?;
        check_place(after_place)?;
        let erasures = self.erasures.erasures(tenant, after_place, limit).await;
        erasures.map_err(store_unavailable)
    }
}

fn check_place(after_place: u64) -> Result<(), ApiError> {
    if after_place <= INDEX_MAX {
        return Ok(());
    }
    let message = format!("after_place is at most {INDEX_MAX}");
    Err(ApiError::invalid("AFTER_PLACE_INVALID", message, vec![]))
}

fn parse(application_id: &str, reason: &str) -> Result<ApplicationId, ApiError> {
    let id = application_id.parse::<ApplicationId>();
    let mut violations = Vec::new();
    if let Err(error) = &id {
        violations.push(violation(
            "/application_id",
            "APPLICATION_ID_INVALID",
            error,
        ));
    }
    let length = reason.chars().count();
    if !(1..=REASON_MAX).contains(&length) || reason.chars().any(char::is_control) {
        let rule = format!("must be 1 to {REASON_MAX} characters without control characters");
        violations.push(violation("/reason", "REASON_INVALID", &rule));
    }
    if id.is_ok() && reason.contains(application_id) {
        let rule = "is kept for ever, so it must not name the application";
        violations.push(violation("/reason", "REASON_PERSONAL", &rule));
    }
    match id {
        Ok(id) if violations.is_empty() => Ok(id),
        _ => Err(ApiError::invalid(
            "ERASURE_INVALID",
            "the erasure is not described as it must be",
            violations,
        )),
    }
}

fn violation(pointer: &str, reason: &'static str, rule: &dyn fmt::Display) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        reason,
        description: rule.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_named() {
        assert!(parse("A-1", "asked by letter of 3 May").is_ok());
        let reasons = |id: &str, reason: &str| {
            let error = parse(id, reason).unwrap_err();
            assert_eq!(error.reason, "ERASURE_INVALID");
            let names = error.violations.iter().map(|violation| violation.reason);
            names.collect::<Vec<_>>()
        };
        let both = ["APPLICATION_ID_INVALID", "REASON_INVALID"];
        assert_eq!(reasons("", ""), both);
        assert_eq!(reasons("A-1", "two\nlines"), ["REASON_INVALID"]);
        assert_eq!(reasons("A-1", &"x".repeat(501)), ["REASON_INVALID"]);
        assert_eq!(
            reasons("A-1", "the lender wrote about A-1"),
            ["REASON_PERSONAL"]
        );
    }
}
