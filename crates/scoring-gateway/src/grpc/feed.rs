//! `FeedService`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fcs_core::ApiError;
use fcs_proto::scoring::v1::feed_service_server::FeedService;
use fcs_proto::scoring::v1::{
    GetModelProfileRequest, GetModelProfileResponse, SubscribeRequest, SubscribeResponse,
};
use fcs_service::grpc::{Deadline, status};
use futures::Stream;
use futures::stream::unfold;
use tonic::{Request, Response, Status};

use super::{answer, convert, invalid_id};
use crate::app::catalog::Catalog;
use crate::app::feed::{Feed, FeedSource};

pub(super) struct FeedEndpoint {
    pub(super) source: FeedSource,
    pub(super) catalog: Arc<Catalog>,
    pub(super) timeout: Duration,
}

impl FeedEndpoint {
    async fn profile(
        &self,
        request: &Request<GetModelProfileRequest>,
    ) -> Result<GetModelProfileResponse, ApiError> {
        let model = request.get_ref().model.parse();
        let model = model.map_err(|error| invalid_id("MODEL_INVALID", &error))?;
        let deadline = Deadline::from_metadata(request.metadata(), self.timeout);
        let manifest = deadline.run(self.catalog.described(&model)).await??;
        let variables = manifest.profile().into_iter().map(convert::variable);
        Ok(GetModelProfileResponse {
            variables: variables.collect(),
        })
    }
}

type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

#[async_trait::async_trait]
impl FeedService for FeedEndpoint {
    type SubscribeStream = SubscribeStream;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<SubscribeStream>, Status> {
        let feed = self.source.subscribe(request.into_inner().after_index);
        Ok(Response::new(Box::pin(messages(feed))))
    }

    async fn get_model_profile(
        &self,
        request: Request<GetModelProfileRequest>,
    ) -> Result<Response<GetModelProfileResponse>, Status> {
        answer(self.profile(&request).await)
    }
}

/// The stream ends after its first error.
fn messages(feed: Feed) -> impl Stream<Item = Result<SubscribeResponse, Status>> {
    unfold(Some(feed), async |feed| {
        let mut feed = feed?;
        match feed.next().await {
            Ok(entries) => {
                let entries = entries.into_iter().map(convert::feed_entry).collect();
                Some((Ok(SubscribeResponse { entries }), Some(feed)))
            }
            Err(error) => Some((Err(status(&error)), None)),
        }
    })
}
