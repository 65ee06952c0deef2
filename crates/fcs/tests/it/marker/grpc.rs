//! What a lender does over gRPC.

use fcs_client::{Client, ClientSettings};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::feature_value::Kind;
use fcs_proto::scoring::v1::notice_service_client::NoticeServiceClient;
use fcs_proto::scoring::v1::privacy_service_client::PrivacyServiceClient;
use fcs_proto::scoring::v1::review_service_client::ReviewServiceClient;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use serde_json::Value;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;

use super::forms::{NUMBER, NUMBER_OUT_OF_RANGE, TEXT};
use super::lender::{Lender, features};
use super::wire::call;

/// The same features as messages.
fn message(number: u32) -> wire::ScoreRequest {
    let kind = |value: &Value| match value {
        Value::String(name) => Kind::Category(name.clone()),
        other => Kind::Number(other.as_f64().unwrap()),
    };
    let features = features();
    let features = features.as_object().unwrap().iter().map(|(name, value)| {
        let value = wire::FeatureValue {
            kind: Some(kind(value)),
            ..wire::FeatureValue::default()
        };
        (name.clone(), value)
    });
    wire::ScoreRequest {
        idempotency_key: format!("k-{TEXT}-grpc-{number}"),
        application_id: format!("A-{TEXT}-{number}"),
        features: features.collect(),
        product: format!("{TEXT} card"),
        ..wire::ScoreRequest::default()
    }
}

fn bad_messages() -> Vec<wire::ScoreRequest> {
    let value = |kind| wire::FeatureValue {
        kind: Some(kind),
        ..wire::FeatureValue::default()
    };
    let with = |name: &str, kind| {
        let mut message = message(90);
        message.idempotency_key = format!("k-{TEXT}-bad");
        message.features.insert(name.to_owned(), value(kind));
        message
    };
    vec![
        with("dir", Kind::Number(NUMBER_OUT_OF_RANGE)),
        with("dir", Kind::Category(TEXT.to_owned())),
        with("pbcr", Kind::Category(TEXT.to_owned())),
        with(TEXT, Kind::Number(NUMBER)),
        with("sex", Kind::Category(TEXT.to_owned())),
        wire::ScoreRequest {
            application_id: format!("{TEXT}\u{1}"),
            ..message(91)
        },
        wire::ScoreRequest {
            idempotency_key: format!("{TEXT} {TEXT}"),
            ..message(92)
        },
        wire::ScoreRequest {
            language: TEXT.to_owned(),
            received_on: TEXT.to_owned(),
            ..message(93)
        },
    ]
}

impl Lender {
    /// Everything that can be done over gRPC.
    pub(crate) async fn talk_grpc(&self) {
        let settings = ClientSettings::default();
        let client = Client::on(self.channel.clone(), self.credential.clone(), settings);
        let scored = client.score(message(11)).await.unwrap();
        let id = scored.decision.unwrap().decision_id;
        for refused in bad_messages() {
            assert!(client.score(refused).await.is_err());
        }
        let batch = [vec![message(12)], bad_messages()].concat();
        let answers = client.score_batch(batch).await.unwrap();
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 1);
        client.explain(&id).await.unwrap();
        client.decision(&id).await.unwrap();
        assert!(client.decision(TEXT).await.is_err());
        self.stream(&id).await;
        self.cases(&id).await;
        for (path, message, status) in [
            (format!("/{TEXT}/{TEXT}"), TEXT.as_bytes(), "12"),
            (
                format!("/faircredit.scoring.v1.ScoringService/{TEXT}"),
                TEXT.as_bytes(),
                "12",
            ),
            (
                "/faircredit.scoring.v1.ScoringService/Score".to_owned(),
                TEXT.as_bytes(),
                "3",
            ),
        ] {
            assert_eq!(call(&self.gateway, &path, message).await, status, "{path}");
        }
    }

    async fn stream(&self, id: &str) {
        let mut scoring =
            ScoringServiceClient::with_interceptor(self.channel.clone(), self.credential.clone());
        let items = std::iter::once(message(13)).chain(bad_messages());
        let items: Vec<_> = items
            .map(|item| wire::ScoreStreamRequest { item: Some(item) })
            .collect();
        let count = items.len();
        let mut answers = scoring
            .score_stream(futures::stream::iter(items))
            .await
            .unwrap()
            .into_inner();
        for _ in 0..count {
            assert!(answers.message().await.unwrap().is_some());
        }
        let replay = wire::ReplayDecisionRequest {
            decision_id: id.to_owned(),
        };
        assert!(
            scoring
                .replay_decision(replay)
                .await
                .unwrap()
                .into_inner()
                .identical
        );
        let of = wire::GetDecisionRequest {
            application_id: format!("A-{TEXT}-13"),
            ..wire::GetDecisionRequest::default()
        };
        scoring.get_decision(of).await.unwrap();
        let page = wire::ListDecisionsRequest {
            page_token: TEXT.to_owned(),
            ..wire::ListDecisionsRequest::default()
        };
        let refused = scoring.list_decisions(page).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }

    async fn cases(&self, id: &str) {
        let (channel, credential) = (self.channel.clone(), self.credential.clone());
        let service = InterceptedService::new(channel, credential);
        let review = |code: &str| wire::RecordReviewRequest {
            idempotency_key: format!("{TEXT}-{code}"),
            decision_id: id.to_owned(),
            reviewer: format!("u-{TEXT}"),
            outcome: wire::ReviewOutcome::Deny.into(),
            reason_codes: vec![code.to_owned()],
            note: format!("{TEXT} {NUMBER}"),
        };
        let mut reviews = ReviewServiceClient::new(service.clone());
        reviews.record_review(review("C1-06")).await.unwrap();
        assert!(reviews.record_review(review(TEXT)).await.is_err());
        let mut notices = NoticeServiceClient::new(service.clone());
        let notice = wire::GetNoticeRequest {
            decision_id: id.to_owned(),
            format: wire::NoticeFormat::Pdf.into(),
        };
        notices.get_notice(notice).await.unwrap();
        let mut erasures = PrivacyServiceClient::new(service);
        let erasure = |id: &str| wire::EraseApplicationRequest {
            application_id: id.to_owned(),
            reason: "asked for by letter".to_owned(),
        };
        erasures
            .erase_application(erasure(&format!("A-{TEXT}-13")))
            .await
            .unwrap();
        assert!(erasures.erase_application(erasure(TEXT)).await.is_err());
    }
}
