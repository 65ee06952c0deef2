//! One error code, one HTTP status, one gRPC status.

use std::collections::BTreeSet;

use axum::response::IntoResponse as _;
use fcs_core::{ApiError, ErrorCode, Violation};
use fcs_service::grpc::{api_error, status, status_code};
use fcs_service::problem::{Problem, http_status};
use http_body_util::BodyExt as _;
use serde_json::Value as Json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

fn full(code: ErrorCode) -> ApiError {
    let violation = Violation {
        pointer: "/features/limit_bal".to_owned(),
        reason: "FEATURE_OUT_OF_RANGE",
        description: "must be at most 10".to_owned(),
    };
    ApiError {
        code,
        reason: "SOME_REASON",
        message: "what is wrong".to_owned(),
        violations: vec![violation],
        retry_after_s: Some(3),
    }
}

async fn problem(error: ApiError) -> (http::StatusCode, http::HeaderMap, Json) {
    let (parts, body) = Problem(error).into_response().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (
        parts.status,
        parts.headers,
        serde_json::from_slice(&bytes).unwrap(),
    )
}

#[tokio::test]
async fn every_code_is_an_error_in_both_protocols() {
    let mut names = BTreeSet::new();
    for code in ErrorCode::ALL {
        let http = http_status(code);
        assert!(http.is_client_error() || http.is_server_error(), "{code:?}");
        assert_ne!(status_code(code), Code::Ok, "{code:?}");
        let (shown, headers, body) = problem(full(code)).await;
        assert_eq!(shown, http);
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["retry-after"], "3");
        assert_eq!(body["status"], http.as_u16());
        assert_eq!(body["code"], code.as_str());
        assert_eq!(body["reason"], "SOME_REASON");
        names.insert(body["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        names.len(),
        ErrorCode::ALL.len(),
        "each code has a type of its own"
    );
}

#[test]
fn both_protocols_blame_the_same_side() {
    for code in ErrorCode::ALL {
        let server_fault_http = http_status(code).is_server_error();
        let server_fault_grpc = matches!(
            status_code(code),
            Code::Internal | Code::Unavailable | Code::DeadlineExceeded
        );
        assert_eq!(server_fault_http, server_fault_grpc, "{code:?}");
    }
}

#[test]
fn a_status_of_ours_comes_back_as_the_same_error() {
    for code in ErrorCode::ALL
        .into_iter()
        .filter(|code| *code != ErrorCode::Internal)
    {
        assert_eq!(api_error(&status(&full(code))), full(code), "{code:?}");
    }
}

#[tokio::test]
async fn the_text_of_a_defect_stays_inside() {
    let mut defect = full(ErrorCode::Internal);
    defect.message = "password=hunter2".to_owned();
    defect.violations[0].description = "password=hunter2".to_owned();
    let (_, _, body) = problem(defect.clone()).await;
    assert!(!body.to_string().contains("hunter2"), "{body}");
    let status = status(&defect);
    assert!(!format!("{status:?}").contains("hunter2"));
    assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
}

#[test]
fn the_text_of_a_stranger_stays_inside() {
    let codes = (0..=16).map(Code::from_i32);
    for code in codes {
        let error = api_error(&Status::new(code, "tcp connect error 10.0.0.1"));
        assert!(!error.message.contains("10.0.0.1"), "{code:?}");
    }
    let late = api_error(&Status::cancelled("Timeout expired"));
    assert_eq!(
        late.code,
        ErrorCode::DeadlineExceeded,
        "tonic's name for a passed deadline"
    );
    let gone = api_error(&Status::unavailable("connection refused"));
    assert_eq!(gone.code, ErrorCode::Unavailable);
}

#[tokio::test]
async fn a_full_queue_is_unavailable_over_grpc_and_429_over_http() {
    let busy = ApiError::new(
        ErrorCode::Unavailable,
        fcs_service::problem::reason::BUSY,
        "the queue is full",
    );
    let busy = busy.retry_after(1);
    assert_eq!(status(&busy).code(), Code::Unavailable);
    let (shown, headers, _) = problem(busy).await;
    assert_eq!(shown, http::StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers["retry-after"], "1");
}

#[test]
fn a_state_that_is_in_the_way_is_a_failed_precondition_in_the_details() {
    let error = ApiError::new(
        ErrorCode::FailedPrecondition,
        "NO_ACTIVE_MODEL",
        "no model is active",
    );
    let details = status(&error).get_error_details();
    let violation = &details.precondition_failure().unwrap().violations[0];
    assert_eq!(
        (violation.r#type.as_str(), violation.description.as_str()),
        ("NO_ACTIVE_MODEL", "no model is active")
    );
    let other = ApiError::not_found("NOTHING", "nothing");
    assert!(
        status(&other)
            .get_error_details()
            .precondition_failure()
            .is_none()
    );
}
