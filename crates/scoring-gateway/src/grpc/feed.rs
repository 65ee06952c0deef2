//! `FeedService`.

use std::pin::Pin;

use fcs_proto::scoring::v1::feed_service_server::FeedService;
use fcs_proto::scoring::v1::{SubscribeRequest, SubscribeResponse};
use fcs_service::grpc::status;
use futures::Stream;
use futures::stream::unfold;
use tonic::{Request, Response, Status};

use super::convert;
use crate::app::feed::{Feed, FeedSource};

pub(super) struct FeedEndpoint {
    pub(super) source: FeedSource,
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
