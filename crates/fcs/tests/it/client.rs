//! The Rust client through a gateway that is killed under it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fcs_client::{Client, ClientSettings};
use fcs_core::ErrorCode;
use fcs_proto::scoring::v1::feature_value::Kind;
use fcs_proto::scoring::v1::{FeatureValue, ListDecisionsRequest, ScoreRequest};
use fcs_service::grpc::Credential;
use fcs_testkit::process::free_port;
use futures::StreamExt as _;
use tokio::task::JoinSet;

use crate::system::{Store, System};

const REQUESTS: usize = 400;

fn request(number: usize) -> ScoreRequest {
    let numbers = [("dir", 0.3), ("hir", 0.25), ("lvr", 0.8), ("uria", 3.1)];
    let categories = [
        ("ccs", "no_slow_payments"),
        ("mcs", "no_late_payments"),
        ("pbcr", "no"),
        ("dmi", "no"),
        ("self", "no"),
        ("condominium", "no"),
    ];
    let numbers = numbers.map(|(name, value)| (name, Kind::Number(value)));
    let categories = categories.map(|(name, value)| (name, Kind::Category(value.to_owned())));
    let features: HashMap<String, FeatureValue> = numbers
        .into_iter()
        .chain(categories)
        .map(|(name, kind)| {
            (
                name.to_owned(),
                FeatureValue {
                    kind: Some(kind),
                    ..FeatureValue::default()
                },
            )
        })
        .collect();
    ScoreRequest {
        idempotency_key: String::new(),
        application_id: format!("A-{number}"),
        features,
        ..ScoreRequest::default()
    }
}

/// How often each application is in the log, read page by page.
async fn in_the_log(client: &Client) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut query = ListDecisionsRequest {
        page_size: 100,
        ..ListDecisionsRequest::default()
    };
    loop {
        let page = client.decisions(query.clone()).await.unwrap();
        for decision in page.decisions {
            *counts.entry(decision.application_id).or_default() += 1;
        }
        if page.next_page_token.is_empty() {
            return counts;
        }
        query.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_and_decided_once_though_the_gateway_is_killed() {
    let mut system = System::start(Store::Sqlite);
    system.activate("boston-hmda/1");
    // Every request in flight fails at the kill, which is more than a client of a healthy system retries.
    let settings = ClientSettings {
        deadline: Duration::from_mins(1),
        attempts_max: 100,
        ..ClientSettings::default()
    };
    let url = system.url("scoring-gateway");
    let clients: Vec<Client> = (0..8)
        .map(|_| Client::new(&url, Credential::default(), settings.clone()).unwrap())
        .collect();
    let reader = clients[0].clone();
    let mut load = JoinSet::new();
    load.spawn(async move {
        let ask = |number: usize| {
            let client = clients[number % clients.len()].clone();
            async move { client.score(request(number)).await }
        };
        futures::stream::iter(0..REQUESTS)
            .map(ask)
            .buffer_unordered(8)
            .collect::<Vec<_>>()
            .await
    });
    while system.highest_index() < 50 {
        std::thread::sleep(Duration::from_millis(5));
    }
    system.kill("scoring-gateway");
    system.start_one("scoring-gateway");
    let answers = load.join_next().await.unwrap().unwrap();
    let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let counts = in_the_log(&reader).await;
    assert_eq!(counts.len(), REQUESTS);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    let mut batch: Vec<ScoreRequest> = (0..10).map(|number| request(REQUESTS + number)).collect();
    batch[3]
        .features
        .insert("sex".to_owned(), FeatureValue::default());
    let answers = reader.score_batch(batch).await.unwrap();
    let refused = answers[3].as_ref().unwrap_err();
    assert_eq!(
        (refused.code, refused.reason),
        (ErrorCode::InvalidArgument, "PROTECTED_ATTRIBUTE")
    );
    let id = &answers[4]
        .as_ref()
        .unwrap()
        .decision
        .as_ref()
        .unwrap()
        .decision_id;
    assert_eq!(
        reader.decision(id).await.unwrap().application_id,
        format!("A-{}", REQUESTS + 4)
    );
    assert_eq!(reader.explain(id).await.unwrap().features.len(), 10);
}

#[tokio::test]
async fn a_call_to_nobody_ends_at_its_deadline_or_before() {
    let settings = ClientSettings {
        deadline: Duration::from_millis(500),
        ..ClientSettings::default()
    };
    let client = Client::new(
        &format!("http://127.0.0.1:{}", free_port()),
        Credential::default(),
        settings,
    )
    .unwrap();
    let call = tokio::time::timeout(Duration::from_secs(5), client.score(request(0)));
    let error = call.await.expect("within the deadline").unwrap_err();
    assert!(
        matches!(
            error.code,
            ErrorCode::Unavailable | ErrorCode::DeadlineExceeded
        ),
        "{error:?}"
    );
    assert!(Client::new("no url", Credential::default(), ClientSettings::default()).is_err());
}
