//! A gateway of which there is only the feed, and which can misbehave.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bias_monitor::app::facts::{LoggedDecision, Outcome};
use fcs_proto::scoring::v1::erasure_feed_service_server::{
    ErasureFeedService, ErasureFeedServiceServer,
};
use fcs_proto::scoring::v1::feed_service_server::{FeedService, FeedServiceServer};
use fcs_proto::scoring::v1::shadow_feed_service_server::{
    ShadowFeedService, ShadowFeedServiceServer,
};
use fcs_proto::scoring::v1::{
    ExecutedErasure, FeedEntry, GetModelProfileRequest, GetModelProfileResponse,
    ListExecutedErasuresRequest, ListExecutedErasuresResponse, ListShadowArmsRequest,
    ListShadowArmsResponse, ListShadowOutcomesRequest, ListShadowOutcomesResponse,
    Outcome as WireOutcome, ShadowArmProgress, ShadowOutcome, SubscribeRequest, SubscribeResponse,
    Variable,
};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// How the feed is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Entries of one message.
    pub(crate) run: usize,
    /// How many entries before the asked one are sent again.
    pub(crate) repeat: u64,
    /// After how many messages the stream breaks off.
    pub(crate) break_after: Option<usize>,
    /// An index that is left out.
    pub(crate) skip: Option<u64>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            run: 64,
            repeat: 0,
            break_after: None,
            skip: None,
        }
    }
}

/// The running gateway; it ends when dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    log: watch::Sender<Vec<FeedEntry>>,
    manner: Arc<Mutex<Manner>>,
    subscriptions: Arc<Mutex<Vec<u64>>>,
    shadow: Arc<Mutex<Option<Shadow>>>,
    erasures: Arc<Mutex<Vec<ExecutedErasure>>>,
    _server: JoinSet<()>,
}

/// A shadow arm and all its outcomes.
#[derive(Debug, Clone)]
pub(crate) struct Shadow {
    pub(crate) arm: ShadowArmProgress,
    pub(crate) outcomes: Vec<ShadowOutcome>,
}

impl Gateway {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), manner)
    }

    pub(crate) fn listen(listener: TcpListener, manner: Manner) -> Self {
        let address = listener.local_addr().unwrap();
        let log = watch::Sender::new(Vec::new());
        let manner = Arc::new(Mutex::new(manner));
        let subscriptions = Arc::new(Mutex::new(Vec::new()));
        let erasures = Arc::new(Mutex::new(Vec::new()));
        let erasure_feed = ErasureFeed(Arc::clone(&erasures));
        let shadow = Arc::new(Mutex::new(None));
        let shadow_feed = ShadowFeed(Arc::clone(&shadow));
        let feed = Feed {
            log: log.subscribe(),
            manner: Arc::clone(&manner),
            subscriptions: Arc::clone(&subscriptions),
        };
        let mut server = JoinSet::new();
        let incoming = TcpListenerStream::new(listener);
        server.spawn(async move {
            let router = Server::builder()
                .add_service(FeedServiceServer::new(feed))
                .add_service(ErasureFeedServiceServer::new(erasure_feed))
                .add_service(ShadowFeedServiceServer::new(shadow_feed));
            router.serve_with_incoming(incoming).await.unwrap();
        });
        Self {
            address,
            log,
            manner,
            subscriptions,
            shadow,
            erasures,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn decide(&self, decisions: &[LoggedDecision]) {
        self.log
            .send_modify(|log| log.extend(decisions.iter().map(entry)));
    }

    pub(crate) fn push(&self, entry: FeedEntry) {
        self.log.send_modify(|log| log.push(entry));
    }

    pub(crate) fn forget_last(&self) {
        self.log.send_modify(|log| drop(log.pop()));
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub(crate) fn shadow(&self, shadow: Shadow) {
        *self.shadow.lock().unwrap() = Some(shadow);
    }

    pub(crate) fn erase(&self, erasure: ExecutedErasure) {
        self.erasures.lock().unwrap().push(erasure);
    }

    /// The indices that were asked for, in order.
    pub(crate) fn subscriptions(&self) -> Vec<u64> {
        self.subscriptions.lock().unwrap().clone()
    }
}

/// An entry of the feed as the real gateway sends it.
pub(crate) fn entry(logged: &LoggedDecision) -> FeedEntry {
    let decision = &logged.decision;
    let outcome = match decision.outcome {
        Outcome::Approve => WireOutcome::Approve,
        Outcome::Refer => WireOutcome::Refer,
        Outcome::Deny => WireOutcome::Deny,
        Outcome::Incomplete => WireOutcome::Incomplete,
    };
    let ppm = u32::try_from(decision.probability_ppm).unwrap();
    FeedEntry {
        log_index: logged.log_index,
        tenant: "default".to_owned(),
        decision_id: logged.decision_id.to_string(),
        application_id: decision.application_id.as_str().to_owned(),
        decided_at_micros: decision.minute * 60_000_000,
        outcome: outcome.into(),
        score: i32::try_from(decision.score).unwrap(),
        probability: f64::from(ppm) / 1_000_000.0,
        model: decision.model.to_string(),
        arm: decision.arm.clone(),
        record_digest: vec![0; 32],
        bins: decision.bins.iter().map(|bin| u32::from(*bin)).collect(),
    }
}

struct Feed {
    log: watch::Receiver<Vec<FeedEntry>>,
    manner: Arc<Mutex<Manner>>,
    subscriptions: Arc<Mutex<Vec<u64>>>,
}

#[tonic::async_trait]
impl FeedService for Feed {
    type SubscribeStream = BoxStream<'static, Result<SubscribeResponse, Status>>;

    async fn get_model_profile(
        &self,
        _: Request<GetModelProfileRequest>,
    ) -> Result<Response<GetModelProfileResponse>, Status> {
        Ok(Response::new(profile()))
    }

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let after = request.into_inner().after_index;
        self.subscriptions.lock().unwrap().push(after);
        let manner = *self.manner.lock().unwrap();
        let start = after.saturating_sub(manner.repeat);
        let messages = stream::unfold(
            (start, self.log.clone()),
            move |(after, mut log)| async move {
                let entries = next_run(after, &mut log, manner).await?;
                let last = entries.last()?.log_index;
                Some((Ok(SubscribeResponse { entries }), (last, log)))
            },
        );
        Ok(Response::new(match manner.break_after {
            None => messages.boxed(),
            Some(count) => {
                let broken = stream::once(async { Err(Status::unavailable("the wire was cut")) });
                messages.take(count).chain(broken).boxed()
            }
        }))
    }
}

/// The profile of every model: variables like those of [`super::decision`], of which the first has drifted.
fn profile() -> GetModelProfileResponse {
    let variable = |name: &str, reference: &[u64], missing: u64| Variable {
        name: name.to_owned(),
        edges: (0..=reference.len()).map(|edge| edge as f64).collect(),
        categories: Vec::new(),
        reference: reference.to_vec(),
        reference_missing: missing,
    };
    GetModelProfileResponse {
        variables: vec![
            variable("income", &[9_000, 1_000], 5_000),
            variable("debt", &[2_500; 4], 0),
            variable("(score)", &[2_000; 5], 0),
        ],
    }
}

/// Waits until there are entries after an index.
async fn next_run(
    after: u64,
    log: &mut watch::Receiver<Vec<FeedEntry>>,
    manner: Manner,
) -> Option<Vec<FeedEntry>> {
    loop {
        let next =
            |entry: &&FeedEntry| entry.log_index > after && manner.skip != Some(entry.log_index);
        let entries: Vec<_> = log
            .borrow_and_update()
            .iter()
            .filter(next)
            .take(manner.run)
            .cloned()
            .collect();
        if !entries.is_empty() {
            return Some(entries);
        }
        log.changed().await.ok()?;
    }
}

struct ShadowFeed(Arc<Mutex<Option<Shadow>>>);

#[tonic::async_trait]
impl ShadowFeedService for ShadowFeed {
    async fn list_shadow_arms(
        &self,
        _: Request<ListShadowArmsRequest>,
    ) -> Result<Response<ListShadowArmsResponse>, Status> {
        let shadow = self.0.lock().unwrap().clone();
        let arms = shadow.into_iter().map(|it| it.arm).collect();
        Ok(Response::new(ListShadowArmsResponse { arms }))
    }

    async fn list_shadow_outcomes(
        &self,
        request: Request<ListShadowOutcomesRequest>,
    ) -> Result<Response<ListShadowOutcomesResponse>, Status> {
        let request = request.into_inner();
        let Some(shadow) = self.0.lock().unwrap().clone() else {
            return Err(Status::not_found("no arm"));
        };
        if request.since_generation != shadow.arm.since_generation {
            return Err(Status::failed_precondition("the arm began anew"));
        }
        let mut outcomes = shadow.outcomes;
        outcomes.retain(|it| it.log_index > request.after_index);
        outcomes.truncate(usize::try_from(request.page_size).unwrap());
        let is_full = outcomes.len() >= usize::try_from(request.page_size).unwrap();
        let last = outcomes.last().map(|it| it.log_index);
        let up_to_index = match last {
            Some(last) if is_full => last,
            _ => shadow.arm.complete_up_to,
        };
        Ok(Response::new(ListShadowOutcomesResponse {
            outcomes,
            up_to_index,
        }))
    }
}

struct ErasureFeed(Arc<Mutex<Vec<ExecutedErasure>>>);

#[tonic::async_trait]
impl ErasureFeedService for ErasureFeed {
    async fn list_executed_erasures(
        &self,
        request: Request<ListExecutedErasuresRequest>,
    ) -> Result<Response<ListExecutedErasuresResponse>, Status> {
        let after = request.into_inner().after_place;
        let mut erasures = self.0.lock().unwrap().clone();
        erasures.retain(|it| it.place > after);
        Ok(Response::new(ListExecutedErasuresResponse { erasures }))
    }
}
