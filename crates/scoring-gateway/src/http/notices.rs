//! Adverse action notices and their deliveries.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fcs_core::{ApiError, Digest, ErrorCode, UnixMicros, redacted_debug};
use fcs_service::auth::Principal;
use fcs_service::problem::{Problem, ProblemJson, reason};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Http, decision_id, idempotency_key, marked, schema};
use crate::app::notice::{self, DeliveryCommand, DeliveryDraft};
use crate::document::{self, DocumentFormat};
use crate::store::{self, DeliveryChannel};

redacted_debug!(Notice);

/// What a notice says.
#[derive(Serialize, ToSchema)]
pub(super) struct Notice {
    decision_id: String,
    application_id: String,
    /// Date of the denial in UTC.
    #[schema(format = Date)]
    action_date: String,
    /// Last day for the notice, 30 days after the complete application was received, or else after the decision.
    #[schema(format = Date)]
    due_by: String,
    creditor_name: String,
    creditor_address: String,
    /// The statement of the action taken.
    statement: String,
    /// Most important first.
    reasons: Vec<Reason>,
    /// The notice of section 701(a) of the Equal Credit Opportunity Act.
    ecoa_notice: String,
    /// SHA-256 over the canonical JSON (RFC 8785) of the members before.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    digest: String,
}

/// One principal reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NoticeReason)]
struct Reason {
    code: String,
    /// Text for the applicant.
    text: String,
}

impl From<notice::Notice> for Notice {
    fn from(notice: notice::Notice) -> Self {
        let digest = notice.digest().to_string();
        let reasons = notice.reasons.into_iter().map(|reason| Reason {
            code: reason.code,
            text: reason.text,
        });
        Self {
            decision_id: notice.decision_id.to_string(),
            application_id: notice.application_id,
            action_date: notice.action_date,
            due_by: notice.due_by,
            creditor_name: notice.creditor_name,
            creditor_address: notice.creditor_address,
            statement: notice.statement,
            reasons: reasons.collect(),
            ecoa_notice: notice.ecoa_notice,
            digest,
        }
    }
}

/// Write the adverse action notice
///
/// Of a decision that is a denial by itself or by its latest review (12 CFR 1002.9). Counter-offers, incomplete
/// applications, acts on accounts that exist, and decisions with disclosures of 15 USC 1681m are refused with
/// `NOTICE_NOT_WRITTEN`. The `Accept` header chooses the
/// form: JSON, a page (`text/html`), or a file to print (`application/pdf`) that screen readers can read.
#[utoipa::path(
    get, path = "/v1/decisions/{decision_id}/notice", tag = "notices",
    params(schema::DecisionPath),
    responses(
        (status = 200, description = "The notice", content(
            (Notice = "application/json"),
            (String = "text/html"),
            (Vec<u8> = "application/pdf"),
        )),
        (status = 406, description = "There is no such form", body = schema::Problem, content_type = "application/problem+json"),
        schema::ReadProblems,
    )
)]
pub(super) async fn find(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = decision_id(&id)?;
    let form = accepted(&headers)?;
    let notice = http.app.notice(&caller.tenant, id).await?;
    let mut response = match form {
        None => ProblemJson(Notice::from(notice)).into_response(),
        Some(format) => {
            let content_type = HeaderValue::from_static(format.content_type());
            let document = document::write(&notice, format)?;
            ([(header::CONTENT_TYPE, content_type)], document).into_response()
        }
    };
    let vary = HeaderValue::from_static("accept");
    response.headers_mut().insert(header::VARY, vary);
    Ok(response)
}

/// The form that the caller likes best (RFC 9110, section 12.5.1); JSON where it does not matter.
fn accepted(headers: &HeaderMap) -> Result<Option<DocumentFormat>, ApiError> {
    let texts: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    if texts.is_empty() {
        return Ok(None);
    }
    let forms = [
        ("application/json", None),
        ("text/html", Some(DocumentFormat::Html)),
        ("application/pdf", Some(DocumentFormat::Pdf)),
    ];
    let accept = texts.join(",");
    let mut best = (0.0, None);
    for (media_type, form) in forms {
        let quality = quality(&accept, media_type);
        if quality > best.0 {
            best = (quality, Some(form));
        }
    }
    best.1.ok_or_else(|| {
        let message = "a notice comes as application/json, text/html or application/pdf";
        ApiError::new(ErrorCode::InvalidArgument, reason::NOT_ACCEPTABLE, message)
    })
}

/// The weight of a media type: that of the most specific range that it is in, 0 when it is in none.
fn quality(accept: &str, media_type: &str) -> f32 {
    let (kind, _) = media_type
        .split_once('/')
        .expect("a media type has a slash");
    let of = |range: &str| {
        accept.split(',').find_map(|part| {
            let mut parameters = part.split(';');
            if !parameters.next()?.trim().eq_ignore_ascii_case(range) {
                return None;
            }
            let weight = parameters.find_map(|parameter| parameter.trim().strip_prefix("q="));
            Some(weight.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
        })
    };
    of(media_type)
        .or_else(|| of(&format!("{kind}/*")))
        .or_else(|| of("*/*"))
        .unwrap_or(0.0)
}

/// How and when a notice went out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryRequest {
    #[schema(value_type = Channel)]
    channel: DeliveryChannel,
    /// RFC 3339; not before the denial and not in the future.
    #[serde(deserialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    sent_at: UnixMicros,
    /// The `digest` of the notice that went out.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    notice_digest: Digest,
}

/// How a notice went out.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
enum Channel {
    Mail,
    Email,
    Portal,
    InPerson,
}

fn rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMicros, D::Error> {
    let text = String::deserialize(deserializer)?;
    UnixMicros::parse_rfc3339(&text).map_err(serde::de::Error::custom)
}

/// One delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    decision_id: String,
    #[schema(value_type = Channel)]
    channel: DeliveryChannel,
    #[schema(format = DateTime)]
    sent_at: String,
    #[schema(pattern = "^[0-9a-f]{64}$")]
    notice_digest: String,
    #[schema(format = DateTime)]
    recorded_at: String,
}

/// The deliveries of a notice, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<Delivery>,
}

impl From<store::Delivery> for Delivery {
    fn from(delivery: store::Delivery) -> Self {
        Self {
            decision_id: delivery.decision_id.to_string(),
            channel: delivery.channel,
            sent_at: delivery.sent_at.to_string(),
            notice_digest: delivery.notice_digest.to_string(),
            recorded_at: delivery.recorded_at.to_string(),
        }
    }
}

/// Record that a notice went out
#[utoipa::path(
    post, path = "/v1/decisions/{decision_id}/notice/deliveries", tag = "notices",
    params(schema::DecisionPath, schema::IdempotencyKeyHeader),
    request_body = DeliveryRequest,
    responses(
        (status = 201, description = "The delivery", body = Delivery,
         headers(("Idempotency-Replayed" = String, description = "`true` when it was recorded before"))),
        schema::WriteProblems,
    )
)]
pub(super) async fn record(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<ProblemJson<DeliveryRequest>, Problem>,
) -> Result<Response, Problem> {
    let id = decision_id(&id)?;
    let key = idempotency_key(&headers)?;
    let ProblemJson(body) = body?;
    let draft = DeliveryDraft {
        channel: body.channel,
        sent_at: body.sent_at,
        notice_digest: body.notice_digest,
    };
    let command = DeliveryCommand::new(key, id, draft)?;
    let recorded = http.app.record_delivery(&caller, &command).await?;
    let answer = (
        StatusCode::CREATED,
        ProblemJson(Delivery::from(recorded.value)),
    );
    Ok(marked(answer.into_response(), recorded.replayed))
}

/// List the deliveries of a notice
#[utoipa::path(
    get, path = "/v1/decisions/{decision_id}/notice/deliveries", tag = "notices",
    params(schema::DecisionPath),
    responses(
        (status = 200, description = "The deliveries, the earliest first", body = Deliveries),
        schema::ReadProblems,
    )
)]
pub(super) async fn list(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<ProblemJson<Deliveries>, Problem> {
    let deliveries = http
        .app
        .deliveries(&caller.tenant, decision_id(&id)?)
        .await?;
    let deliveries = deliveries.into_iter().map(Delivery::from).collect();
    Ok(ProblemJson(Deliveries { deliveries }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &str) -> Result<Option<DocumentFormat>, &'static str> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        accepted(&headers).map_err(|error| error.reason)
    }

    #[test]
    fn the_accept_header_chooses_the_form() {
        use DocumentFormat::{Html, Pdf};

        for (accept, expected) in [
            ("", None),
            ("*/*", None),
            ("application/pdf", Some(Pdf)),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Some(Html),
            ),
            ("application/pdf;q=0.9, text/*;q=0.5", Some(Pdf)),
            ("application/*", None),
        ] {
            assert_eq!(form(accept), Ok(expected), "{accept}");
        }
        for accept in ["image/png", "application/json;q=0, text/plain", "nonsense"] {
            assert_eq!(form(accept), Err("NOT_ACCEPTABLE"), "{accept}");
        }
    }
}
