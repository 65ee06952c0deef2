//! Clients that retry by key until they are answered, and what may be said of the log afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fcs_decision::record::DecisionRecord;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::{Decision, FeatureValue, ScoreRequest, feature_value::Kind};
use fcs_service::auth::Principal;
use fcs_service::grpc::{Deadline, request};
use fcs_testkit::wait::until;
use scoring_gateway::store::DecisionStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

const ATTEMPT_LIMIT: Duration = Duration::from_secs(8);
const PROGRESS_LIMIT: Duration = Duration::from_mins(1);
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// A client asks again for one in so many of its answers.
const REPLAY_EVERY: u64 = 10;

/// Running clients.
pub(crate) struct Load {
    clients: JoinSet<()>,
    stop: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicU64,
    retries: AtomicU64,
    /// What clients were answered, by application, which is named as its key is.
    answers: Mutex<BTreeMap<String, (u64, Vec<u8>)>>,
    /// Keys that got two different answers.
    changed: Mutex<BTreeSet<String>>,
}

/// What the clients saw, against what the log holds.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Keys with an answer.
    pub(crate) answered: usize,
    /// Attempts that got no answer.
    pub(crate) retries: u64,
    /// Answers whose decision is not in the log as it was given.
    pub(crate) missing: usize,
    /// Applications, each of them one key, with two decisions.
    pub(crate) doubled: usize,
    /// Decisions of keys that no client has an answer to.
    pub(crate) unanswered: usize,
    /// Whether the indices are 1 to the number of decisions.
    pub(crate) is_gap_free: bool,
    /// Keys that were given two different answers.
    pub(crate) changed: usize,
}

impl Verdict {
    /// Everything that was promised.
    pub(crate) fn assert_kept(&self) {
        assert!(self.answered > 0, "there was load");
        let found = (self.missing, self.doubled, self.unanswered, self.changed);
        assert_eq!((found, self.is_gap_free), ((0, 0, 0, 0), true), "{self:?}");
    }
}

impl Load {
    /// Starts clients that go round the gateways.
    pub(crate) fn start(gateways: &[Channel], clients: usize) -> Self {
        let mut load = Self {
            clients: JoinSet::new(),
            stop: CancellationToken::new(),
            shared: Arc::default(),
        };
        for number in 0..clients {
            let mut client = Client {
                number,
                gateways: gateways
                    .iter()
                    .cloned()
                    .map(ScoringServiceClient::new)
                    .collect(),
                next: number,
                shared: Arc::clone(&load.shared),
            };
            let stop = load.stop.clone();
            load.clients.spawn(async move { client.run(stop).await });
        }
        load
    }

    /// Waits until the clients have got so many more answers.
    pub(crate) async fn answers(&self, more: u64) {
        let goal = self.shared.answered.load(Ordering::SeqCst) + more;
        until("the clients get answers", PROGRESS_LIMIT, async || {
            (self.shared.answered.load(Ordering::SeqCst) >= goal).then_some(())
        })
        .await;
    }

    /// Ends each client with an answer to its last key, and compares what they were told with the log.
    pub(crate) async fn finish(mut self, store: &dyn DecisionStore) -> Verdict {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        let answers = self.shared.answers.lock().unwrap().clone();
        let mut verdict = Verdict {
            answered: answers.len(),
            retries: self.shared.retries.load(Ordering::SeqCst),
            is_gap_free: true,
            changed: self.shared.changed.lock().unwrap().len(),
            ..Verdict::default()
        };
        let mut logged = BTreeMap::new();
        let mut last = 0;
        loop {
            let page = store
                .page(&Principal::default_tenant(), last, 1_000)
                .await
                .unwrap();
            if page.is_empty() {
                break;
            }
            for found in page {
                let decision = found.kept().unwrap();
                verdict.is_gap_free &= decision.log_index == last + 1;
                last = decision.log_index;
                let record = DecisionRecord::from_bytes(&decision.record).unwrap();
                let value = (decision.log_index, decision.record.to_vec());
                let earlier = logged.insert(record.application_id.as_str().to_owned(), value);
                verdict.doubled += usize::from(earlier.is_some());
            }
        }
        verdict.is_gap_free &= store.highest_index().await.unwrap() == last;
        let is_missing = |(key, answer)| logged.get(key) != Some(answer);
        verdict.missing = answers.iter().filter(|&answer| is_missing(answer)).count();
        verdict.unanswered = logged
            .keys()
            .filter(|key| !answers.contains_key(*key))
            .count();
        verdict
    }
}

struct Client {
    number: usize,
    gateways: Vec<ScoringServiceClient<Channel>>,
    next: usize,
    shared: Arc<Shared>,
}

impl Client {
    async fn run(&mut self, stop: CancellationToken) {
        let mut round = 0;
        while !stop.is_cancelled() {
            let key = format!("{}-{round}", self.number);
            self.ask(&key).await;
            if round % REPLAY_EVERY == REPLAY_EVERY - 1 {
                self.ask(&key).await;
            }
            round += 1;
        }
    }

    /// Asks the gateways in turn, with one key, until there is an answer.
    async fn ask(&mut self, key: &str) {
        let decision = loop {
            self.next = (self.next + 1) % self.gateways.len();
            match score(&mut self.gateways[self.next], key).await {
                Ok(decision) => break decision,
                Err(status) => assert_may_be_retried(&status),
            }
            self.shared.retries.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(RETRY_PAUSE).await;
        };
        assert_eq!(decision.application_id, key);
        let answer = (decision.log_index, decision.record);
        let earlier = self
            .shared
            .answers
            .lock()
            .unwrap()
            .insert(key.to_owned(), answer.clone());
        if earlier.is_some_and(|earlier| earlier != answer) {
            self.shared.changed.lock().unwrap().insert(key.to_owned());
        }
        self.shared.answered.fetch_add(1, Ordering::SeqCst);
    }
}

async fn score(gateway: &mut ScoringServiceClient<Channel>, key: &str) -> Result<Decision, Status> {
    let value = |name: &str, kind| {
        let kind = Some(kind);
        let value = FeatureValue {
            kind,
            ..FeatureValue::default()
        };
        (name.to_owned(), value)
    };
    let features = [
        value("income", Kind::Number(90_000.0)),
        value("delinquencies", Kind::Number(0.0)),
        value("housing", Kind::Category("own".to_owned())),
    ];
    let message = ScoreRequest {
        idempotency_key: key.to_owned(),
        application_id: key.to_owned(),
        features: features.into(),
        ..ScoreRequest::default()
    };
    let deadline = Deadline::after(ATTEMPT_LIMIT);
    let call = gateway.score(request(message, deadline));
    match deadline.run(call).await {
        Ok(answer) => Ok(answer?.into_inner().decision.unwrap()),
        Err(error) => Err(fcs_service::grpc::status(&error)),
    }
}

/// A refusal of the gateway has details and must be one that may pass; one without is of a connection that broke.
fn assert_may_be_retried(status: &Status) {
    let may_pass = [
        Code::Unavailable,
        Code::Aborted,
        Code::DeadlineExceeded,
        Code::ResourceExhausted,
    ];
    assert!(
        status.details().is_empty() || may_pass.contains(&status.code()),
        "{status}"
    );
}
