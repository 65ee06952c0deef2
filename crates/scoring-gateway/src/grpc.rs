//! The gRPC services: parse, call one function of the application, convert the answer.

mod application;
mod convert;
mod feed;
pub(crate) mod keys;
pub(crate) mod model_client;
mod scoring;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fcs_proto::scoring::v1::feed_service_server::FeedServiceServer;
use fcs_proto::scoring::v1::key_service_server::KeyServiceServer;
use fcs_proto::scoring::v1::scoring_service_server::ScoringServiceServer;
use fcs_proto::scoring::v1::traffic_service_server::TrafficServiceServer;
use tonic::service::Routes;

use crate::app::App;
use crate::app::feed::FeedSource;
use crate::app::keys::Keys;

/// Bytes of one request. A request holds one application or one small table.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// The services as routes.
pub(crate) fn routes(
    app: &Arc<App>,
    keys: Arc<Keys>,
    feed: FeedSource,
    score_timeout: Duration,
) -> Router {
    let scoring = scoring::Scoring {
        app: Arc::clone(app),
        score_timeout,
    };
    let traffic = traffic::Traffic {
        control: Arc::clone(&app.traffic),
    };
    Routes::new(ScoringServiceServer::new(scoring).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(
            FeedServiceServer::new(feed::FeedEndpoint { source: feed })
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            TrafficServiceServer::new(traffic).max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            KeyServiceServer::new(keys::KeyEndpoint { keys })
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .prepare()
        .into_axum_router()
}
