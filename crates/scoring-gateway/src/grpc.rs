//! The gRPC services: parse, call one function of the application, convert the answer.

mod application;
mod batch;
mod convert;
mod erasure_feed;
mod explain;
mod feed;
mod gather;
mod hedge;
pub(crate) mod keys;
pub(crate) mod model_client;
pub(crate) mod model_servers;
mod notice;
mod privacy;
mod review;
mod scoring;
mod shadow;
mod shadow_feed;
mod traffic;

use std::sync::Arc;

use axum::Router;
use fcs_core::{ApiError, DecisionId, InvalidId};
use fcs_proto::scoring::v1::erasure_feed_service_server::{self, ErasureFeedServiceServer};
use fcs_proto::scoring::v1::feed_service_server::{self, FeedServiceServer};
use fcs_proto::scoring::v1::key_service_server::{self, KeyServiceServer};
use fcs_proto::scoring::v1::notice_service_server::{self, NoticeServiceServer};
use fcs_proto::scoring::v1::privacy_service_server::{self, PrivacyServiceServer};
use fcs_proto::scoring::v1::review_service_server::{self, ReviewServiceServer};
use fcs_proto::scoring::v1::scoring_service_server::{self, ScoringServiceServer};
use fcs_proto::scoring::v1::shadow_feed_service_server::{self, ShadowFeedServiceServer};
use fcs_proto::scoring::v1::shadow_service_server::{self, ShadowServiceServer};
use fcs_proto::scoring::v1::traffic_service_server::{self, TrafficServiceServer};
use fcs_service::ServiceContext;
use fcs_service::auth::Principal;
use fcs_service::grpc::{add_standard_services, status};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::app::batch::BATCH_BYTES_MAX;
use crate::app::decisions::REPLAY_TIMEOUT;
use crate::app::feed::FeedSource;
use crate::app::keys::Keys;
use crate::app::shadow::Shadows;
use crate::settings::GatewaySettings;

/// Bytes of one request that holds no batch: one small table, a review.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// The services that health and reflection name.
const SERVICES: [&str; 10] = [
    scoring_service_server::SERVICE_NAME,
    review_service_server::SERVICE_NAME,
    notice_service_server::SERVICE_NAME,
    privacy_service_server::SERVICE_NAME,
    feed_service_server::SERVICE_NAME,
    traffic_service_server::SERVICE_NAME,
    shadow_service_server::SERVICE_NAME,
    shadow_feed_service_server::SERVICE_NAME,
    erasure_feed_service_server::SERVICE_NAME,
    key_service_server::SERVICE_NAME,
];

/// The services as routes.
pub(crate) fn routes(
    ctx: &ServiceContext<GatewaySettings>,
    app: &Arc<App>,
    shadows: &Arc<Shadows>,
    keys: Arc<Keys>,
    feed: FeedSource,
) -> anyhow::Result<Router> {
    let scoring = scoring::Scoring {
        app: Arc::clone(app),
        score_timeout: ctx.settings.service.score_timeout(),
        draining: ctx.draining.clone(),
    };
    let reviews = review::Reviews {
        app: Arc::clone(app),
        timeout: REPLAY_TIMEOUT,
    };
    let notices = notice::Notices {
        app: Arc::clone(app),
    };
    let privacy = privacy::PrivacyEndpoint {
        app: Arc::clone(app),
    };
    let traffic = traffic::Traffic {
        control: Arc::clone(&app.traffic),
    };
    let shadow = shadow::ShadowEndpoint {
        shadows: Arc::clone(shadows),
    };
    let erasure_feed = erasure_feed::ErasureFeedEndpoint {
        app: Arc::clone(app),
    };
    let shadow_feed = shadow_feed::ShadowFeedEndpoint {
        shadows: Arc::clone(shadows),
        control: Arc::clone(&app.traffic),
    };
    let feed = feed::FeedEndpoint {
        source: feed,
        catalog: Arc::clone(&app.catalog),
        timeout: REPLAY_TIMEOUT,
    };
    let keys = keys::KeyEndpoint { keys };
    let scoring = ScoringServiceServer::new(scoring).max_decoding_message_size(BATCH_BYTES_MAX);
    let routes = Routes::new(scoring)
        .add_service(ReviewServiceServer::new(reviews).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(NoticeServiceServer::new(notices).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(
            PrivacyServiceServer::new(privacy).max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(FeedServiceServer::new(feed).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(
            TrafficServiceServer::new(traffic).max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(ShadowServiceServer::new(shadow).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(
            ShadowFeedServiceServer::new(shadow_feed).max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            ErasureFeedServiceServer::new(erasure_feed)
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(KeyServiceServer::new(keys).max_decoding_message_size(REQUEST_BYTES_MAX));
    let routes = add_standard_services(routes, ctx, &SERVICES, fcs_proto::DESCRIPTORS)?;
    Ok(routes.prepare().into_axum_router())
}

fn caller<T>(request: &Request<T>) -> Result<Principal, Status> {
    Principal::of(request)
        .cloned()
        .map_err(|error| status(&error))
}

fn parse_decision_id(text: &str) -> Result<DecisionId, ApiError> {
    text.parse()
        .map_err(|error| invalid_id("DECISION_ID_INVALID", &error))
}

fn invalid_id(reason: &'static str, error: &InvalidId) -> ApiError {
    ApiError::invalid(reason, error.to_string(), vec![])
}

fn answer<T>(result: Result<T, ApiError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| status(&error))
}
