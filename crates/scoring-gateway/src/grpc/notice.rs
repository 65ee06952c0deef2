//! `NoticeService`.

use std::sync::Arc;

use fcs_core::{ApiError, Digest, UnixMicros, Violation};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::notice_service_server::NoticeService;
use fcs_service::auth::Principal;
use tonic::{Request, Response, Status};

use super::{answer, caller, parse_decision_id};
use crate::app::App;
use crate::app::command::invalid_request;
use crate::app::notice::{DeliveryCommand, DeliveryDraft, Notice};
use crate::document::{self, DocumentFormat};
use crate::store::{Delivery, DeliveryChannel};

pub(super) struct Notices {
    pub(super) app: Arc<App>,
}

#[async_trait::async_trait]
impl NoticeService for Notices {
    async fn get_notice(
        &self,
        request: Request<wire::GetNoticeRequest>,
    ) -> Result<Response<wire::GetNoticeResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.find(&caller, &request.into_inner()).await)
    }

    async fn record_notice_delivery(
        &self,
        request: Request<wire::RecordNoticeDeliveryRequest>,
    ) -> Result<Response<wire::RecordNoticeDeliveryResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.record(&caller, &request.into_inner()).await)
    }

    async fn list_notice_deliveries(
        &self,
        request: Request<wire::ListNoticeDeliveriesRequest>,
    ) -> Result<Response<wire::ListNoticeDeliveriesResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.list(&caller, &request.into_inner().decision_id).await)
    }
}

impl Notices {
    async fn find(
        &self,
        caller: &Principal,
        request: &wire::GetNoticeRequest,
    ) -> Result<wire::GetNoticeResponse, ApiError> {
        let notice = self
            .app
            .notice(&caller.tenant, parse_decision_id(&request.decision_id)?)
            .await?;
        let format = match request.format() {
            wire::NoticeFormat::Unspecified => None,
            wire::NoticeFormat::Html => Some(DocumentFormat::Html),
            wire::NoticeFormat::Pdf => Some(DocumentFormat::Pdf),
        };
        let document = format
            .map(|format| document::write(&notice, format))
            .transpose()?;
        Ok(wire::GetNoticeResponse {
            notice: Some(to_wire(notice)),
            document: document.unwrap_or_default(),
            content_type: format
                .map(DocumentFormat::content_type)
                .unwrap_or_default()
                .to_owned(),
        })
    }

    async fn record(
        &self,
        caller: &Principal,
        request: &wire::RecordNoticeDeliveryRequest,
    ) -> Result<wire::RecordNoticeDeliveryResponse, ApiError> {
        let decision_id = parse_decision_id(&request.decision_id)?;
        let command = DeliveryCommand::new(&request.idempotency_key, decision_id, draft(request)?)?;
        let recorded = self.app.record_delivery(caller, &command).await?;
        Ok(wire::RecordNoticeDeliveryResponse {
            delivery: Some(delivery(&recorded.value)),
            replayed: recorded.replayed,
        })
    }

    async fn list(
        &self,
        caller: &Principal,
        decision_id: &str,
    ) -> Result<wire::ListNoticeDeliveriesResponse, ApiError> {
        let deliveries = self
            .app
            .deliveries(&caller.tenant, parse_decision_id(decision_id)?)
            .await?;
        Ok(wire::ListNoticeDeliveriesResponse {
            deliveries: deliveries.iter().map(delivery).collect(),
        })
    }
}

fn draft(request: &wire::RecordNoticeDeliveryRequest) -> Result<DeliveryDraft, ApiError> {
    let channel = match request.channel() {
        wire::DeliveryChannel::Mail => Some(DeliveryChannel::Mail),
        wire::DeliveryChannel::Email => Some(DeliveryChannel::Email),
        wire::DeliveryChannel::Portal => Some(DeliveryChannel::Portal),
        wire::DeliveryChannel::InPerson => Some(DeliveryChannel::InPerson),
        wire::DeliveryChannel::Unspecified => None,
    };
    let sent_at = UnixMicros::parse_rfc3339(&request.sent_at);
    let notice_digest = Digest::try_from(request.notice_digest.as_slice());
    let mut violations = Vec::new();
    let mut add = |pointer: &str, reason, description: String| {
        violations.push(Violation {
            pointer: pointer.to_owned(),
            reason,
            description,
        });
    };
    if channel.is_none() {
        add(
            "/channel",
            "CHANNEL_INVALID",
            "say how the notice went out".to_owned(),
        );
    }
    if let Err(error) = &sent_at {
        add("/sent_at", "SENT_AT_INVALID", error.to_string());
    }
    if let Err(error) = &notice_digest {
        add("/notice_digest", "DIGEST_INVALID", error.to_string());
    }
    match (channel, sent_at, notice_digest) {
        (Some(channel), Ok(sent_at), Ok(notice_digest)) => Ok(DeliveryDraft {
            channel,
            sent_at,
            notice_digest,
        }),
        _ => Err(invalid_request(violations)),
    }
}

fn to_wire(notice: Notice) -> wire::Notice {
    let digest = notice.digest().as_bytes().to_vec();
    let reasons = notice.reasons.into_iter().map(|reason| wire::NoticeReason {
        code: reason.code,
        text: reason.text,
    });
    wire::Notice {
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

fn delivery(delivery: &Delivery) -> wire::NoticeDelivery {
    let channel = match delivery.channel {
        DeliveryChannel::Mail => wire::DeliveryChannel::Mail,
        DeliveryChannel::Email => wire::DeliveryChannel::Email,
        DeliveryChannel::Portal => wire::DeliveryChannel::Portal,
        DeliveryChannel::InPerson => wire::DeliveryChannel::InPerson,
    };
    wire::NoticeDelivery {
        decision_id: delivery.decision_id.to_string(),
        channel: channel.into(),
        sent_at: delivery.sent_at.to_string(),
        notice_digest: delivery.notice_digest.as_bytes().to_vec(),
        recorded_at: delivery.recorded_at.to_string(),
    }
}
