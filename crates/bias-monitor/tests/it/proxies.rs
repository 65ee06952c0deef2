//! Probabilities of belonging to groups: how they are kept, counted and reported.

use std::collections::{BTreeMap, HashMap};

use bias_monitor::app::change::Change;
use bias_monitor::app::evidence::Turn;
use bias_monitor::app::facts::Outcome;
use bias_monitor::app::facts::Outcome::{Approve, Deny, Refer};
use bias_monitor::app::proxies::GroupProbabilities;
use bias_monitor::app::rollup::FineFrom;
use bias_monitor::app::terms::Terms;
use bias_monitor::store;
use fcs_core::UnixMicros;
use fcs_fairness::Confidence;
use fcs_fairness::anytime::watch::Verdict;
use fcs_fairness::policy::Policy;
use fcs_fairness::proxy::{self, Membership, ProxyCounts, ProxyReport};
use fcs_proto::monitoring::v1 as wire;
use fcs_proto::monitoring::v1::monitoring_service_client::MonitoringServiceClient;
use fcs_service::Running;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::feed::{reach, start, stop};
use crate::support::gateway::{Gateway, Manner};
use crate::support::{Engine, Opened, Place, decision, http, lines, probabilities};
use crate::transport::client;

async fn say(opened: &Opened, items: &[GroupProbabilities]) -> (u64, u64) {
    let change = Change::GroupProbabilities(items.to_vec());
    let receipt = opened.write(change).await;
    opened.assert_equals_recount().await;
    (receipt.recorded, receipt.unchanged)
}

async fn probabilities_count_in_any_order_and_are_corrected(place: &Place) {
    let opened = place.open().await;
    let early = probabilities("early", "1", &[("black", 0.25), ("white", 0.75)]);
    assert_eq!(say(&opened, std::slice::from_ref(&early)).await, (1, 0));
    opened
        .decide(&[
            decision(1, "early", Approve),
            decision(2, "late", Deny),
            decision(3, "never", Refer),
        ])
        .await;
    opened.assert_equals_recount().await;
    let late = probabilities("late", "1", &[("white", 0.5), ("black", 0.5)]);
    assert_eq!(say(&opened, &[early, late]).await, (1, 1));
    // A correction replaces; another version and other groups stand beside.
    let corrected = probabilities("early", "1", &[("black", 0.5), ("white", 0.5)]);
    assert_eq!(say(&opened, &[corrected.clone(), corrected]).await, (1, 1));
    let newer = probabilities("early", "2", &[("black", 0.125), ("white", 0.875)]);
    let more = [("asian", 0.25), ("black", 0.25), ("white", 0.5)];
    let wider = probabilities("late", "2", &more);
    assert_eq!(say(&opened, &[newer, wider]).await, (2, 0));
    let panels = "SELECT proxy_version || group_names FROM proxies";
    assert_eq!(
        lines(&opened.database, panels).await,
        [
            r#"1["black","white"]"#,
            r#"2["asian","black","white"]"#,
            r#"2["black","white"]"#
        ]
    );
    let tables = opened
        .store
        .tables(None, bias_monitor::store::EVER)
        .await
        .unwrap();
    assert!(tables.attributes.is_empty(), "never mixed with values");
}

#[tokio::test]
async fn probabilities_count_in_any_order_and_are_corrected_on_sqlite() {
    let place = Place::new(Engine::Sqlite).await;
    probabilities_count_in_any_order_and_are_corrected(&place).await;
}

#[tokio::test]
async fn probabilities_count_in_any_order_and_are_corrected_on_postgres() {
    let place = Place::new(Engine::Postgres).await;
    probabilities_count_in_any_order_and_are_corrected(&place).await;
}

async fn a_recount_mends_sums_of_probabilities(place: &Place) {
    let opened = place.open().await;
    opened
        .decide(&[decision(1, "A", Approve), decision(2, "B", Deny)])
        .await;
    let items = ["A", "B"].map(|id| probabilities(id, "1", &[("black", 0.3), ("white", 0.7)]));
    say(&opened, &items).await;
    let moved = probabilities("B", "1", &[("black", 0.2), ("other", 0.1), ("white", 0.7)]);
    say(&opened, &[moved]).await;
    let recount = store::rebuild_of(&opened.database);
    assert_eq!(
        recount
            .rebuild(true, FineFrom::ALWAYS)
            .await
            .unwrap()
            .different,
        0
    );
    for damage in [
        "DELETE FROM proxies",
        "UPDATE proxies SET counts = replace(counts, '[1,', '[2,')",
        "UPDATE proxies SET hour = hour + 1",
    ] {
        opened.execute(damage).await;
        let found = recount.rebuild(false, FineFrom::ALWAYS).await.unwrap();
        assert!(found.different > 0 && !found.applied, "{damage}");
        assert!(found.differences[0].contains("probabilities of demo/1"));
        assert!(!found.differences.concat().contains("black"));
        assert!(
            recount
                .rebuild(true, FineFrom::ALWAYS)
                .await
                .unwrap()
                .applied,
            "{damage}"
        );
        opened.assert_equals_recount().await;
    }
}

#[tokio::test]
async fn a_recount_mends_sums_of_probabilities_on_sqlite() {
    a_recount_mends_sums_of_probabilities(&Place::new(Engine::Sqlite).await).await;
}

#[tokio::test]
async fn a_recount_mends_sums_of_probabilities_on_postgres() {
    a_recount_mends_sums_of_probabilities(&Place::new(Engine::Postgres).await).await;
}

const DECISIONS: u64 = 400;

/// Hundredths of the probability that an applicant is black; `None` if no proxy says anything.
fn hundredths(number: u64) -> Option<u32> {
    (!number.is_multiple_of(10)).then(|| u32::try_from(number * 37 % 101).unwrap())
}

fn outcome(number: u64) -> Outcome {
    let is_denied_by_proxy =
        hundredths(number).is_some_and(|it| it > 60) && number.is_multiple_of(2);
    let denied = number.is_multiple_of(3) || is_denied_by_proxy;
    if denied { Deny } else { Approve }
}

fn shares(hundredths: u32) -> [(&'static str, f64); 2] {
    let black = f64::from(hundredths) / 100.0;
    [("black", black), ("white", 1.0 - black)]
}

/// Sends those of even numbers over gRPC and the others over HTTP.
async fn send(running: &Running, client: &mut MonitoringServiceClient<Channel>) {
    let said = |rest: u64| {
        let numbers = (1..=DECISIONS).filter(move |number| number % 2 == rest);
        numbers.filter_map(|number| Some((format!("A-{number}"), shares(hundredths(number)?))))
    };
    let items = said(0).map(|(application_id, shares)| wire::GroupProbabilities {
        application_id,
        attribute: "race".to_owned(),
        probabilities: shares
            .map(|(group, share)| (group.to_owned(), share))
            .into(),
        source: "bisg".to_owned(),
        proxy_version: "1".to_owned(),
    });
    let request = wire::RecordGroupProbabilitiesRequest {
        items: items.collect(),
    };
    for expected in [(160, 0), (0, 160)] {
        let answer = client.record_group_probabilities(request.clone()).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!((answer.recorded, answer.unchanged), expected);
    }
    let items: Vec<_> = said(1)
        .map(|(application_id, shares)| {
            json!({
                "application_id": application_id,
                "attribute": "race",
                "probabilities": BTreeMap::from(shares),
                "source": "bisg",
                "proxy_version": "1",
            })
        })
        .collect();
    let body = json!({ "items": items }).to_string();
    let answer = http::post(running.http, "/v1/group-probabilities", &body).await;
    assert_eq!(answer.json(), json!({ "recorded": 200, "unchanged": 0 }));
}

/// The same estimates, without the monitor.
fn expected(reference: &str) -> ProxyReport {
    let mut counts = ProxyCounts::new(2);
    for number in 1..=DECISIONS {
        if let Some(hundredths) = hundredths(number) {
            let membership = Membership::new(&shares(hundredths).map(|(_, share)| share)).unwrap();
            counts
                .count(&membership, outcome(number) == Approve, 1)
                .unwrap();
        }
    }
    let request = proxy::Request {
        groups: vec!["black".to_owned(), "white".to_owned()],
        reference: Some(reference.to_owned()),
        minimum_cell_size: 30,
        confidence: Confidence::try_from(0.95).unwrap(),
    };
    proxy::report(&counts, &request).unwrap()
}

#[tokio::test]
async fn a_panel_equals_the_fairness_library_on_the_same_probabilities() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let mut client = client(&running).await;
    let log: Vec<_> = (1..=DECISIONS)
        .map(|number| decision(number, &format!("A-{number}"), outcome(number)))
        .collect();
    gateway.decide(&log[..150]);
    send(&running, &mut client).await;
    gateway.decide(&log[150..]);
    reach(&running, DECISIONS).await;

    let path = "/v1/reports/groups?model=demo%2F1&reference=race:white";
    let body = http::get(running.http, path).await.json();
    assert_eq!(body["attributes"], json!([]), "no value is known");
    let mut panel = json!({
        "attribute": "race", "source": "bisg", "proxy_version": "1", "unknown": 40,
    });
    let estimates = serde_json::to_value(expected("white")).unwrap();
    panel
        .as_object_mut()
        .unwrap()
        .extend(estimates.as_object().unwrap().clone());
    assert_eq!(body["proxies"], json!([panel]));

    let request = wire::GetGroupReportRequest {
        model: "demo/1".to_owned(),
        reference_groups: HashMap::from([("race".to_owned(), "white".to_owned())]),
    };
    let report = client.get_group_report(request).await.unwrap().into_inner();
    assert_eq!((report.attributes.len(), report.proxies.len()), (0, 1));
    assert_panel(&report.proxies[0], &panel);
    stop(running).await;
}

/// Holds a panel of gRPC against that of HTTP.
fn assert_panel(panel: &wire::ProxyPanel, body: &Value) {
    assert_eq!(
        (panel.attribute.as_str(), panel.source.as_str()),
        ("race", "bisg")
    );
    assert_eq!(
        (panel.reference_group.as_str(), panel.decisions),
        ("white", 360)
    );
    let [black, white] = &panel.groups[..] else {
        panic!("two groups")
    };
    assert!(white.adverse_impact_ratio.is_none(), "the reference");
    let ratio = black.adverse_impact_ratio.as_ref().unwrap();
    let expected = &body["groups"][0]["adverse_impact_ratio"];
    let weighted = ratio.weighted.as_ref().unwrap();
    assert_eq!(json!(weighted.value), expected["weighted"]["value"]);
    assert_eq!(json!(weighted.lower), expected["weighted"]["lower"]);
    let linear = ratio.linear.as_ref().unwrap();
    assert_eq!(json!(linear.upper), expected["linear"]["upper"]);
    let bounds = ratio.frechet.as_ref().unwrap();
    assert_eq!(json!(bounds.lower), expected["frechet"]["lower"]);
    assert_eq!(bounds.value, None, "bounds are no value");
    assert!(linear.value < weighted.value, "the data are made so");
    assert!(black.effective_members > 30.0 && black.effective_members < 360.0);
}

#[tokio::test]
async fn bad_probabilities_and_references_are_refused() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    gateway.decide(&[decision(1, "A", Approve)]);
    reach(&running, 1).await;
    let item = |black: f64| {
        json!({ "items": [{
            "application_id": "A", "attribute": "race", "source": "bisg", "proxy_version": "1",
            "probabilities": { "black": black, "white": 0.5 },
        }] })
        .to_string()
    };
    let send = async |body: &str| http::post(running.http, "/v1/group-probabilities", body).await;
    let answer = send(&item(0.375)).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let problem = answer.json();
    assert_eq!(problem["reason"], "GROUP_PROBABILITIES_INVALID");
    assert_eq!(
        problem["violations"][0]["pointer"],
        "/items/0/probabilities"
    );
    assert!(!answer.body.contains("375") && !answer.body.contains("black"));
    assert_eq!(send(&item(0.5)).await.status, 200);
    for (reference, reason) in [
        ("race:green", "REFERENCE_GROUP_UNKNOWN"),
        ("sex:male", "ATTRIBUTE_UNKNOWN"),
    ] {
        let path = format!("/v1/reports/groups?reference={reference}");
        let answer = http::get(running.http, &path).await;
        assert_eq!(answer.json()["reason"], reason, "{}", answer.body);
    }
    let report = http::get(running.http, "/v1/reports/groups").await.json();
    assert_eq!(report["proxies"][0]["groups"][0]["state"], "suppressed");
    stop(running).await;
}

async fn evidence_by_probabilities_is_kept(place: &Place) {
    let opened = place.open().await;
    let policy = "format = 1\nname = 'test'\nversion = 1\njurisdiction = 'US'\neffective_from = '2026-01-01'\n\
                  rationale = 'a test'\n[[attributes]]\nname = 'race'\nreference = 'white'\nchannel = 'proxy'\n";
    let terms = Terms::new(Policy::from_toml(policy).unwrap()).unwrap();
    let turn = Turn {
        terms: &terms,
        now: UnixMicros(600_000_000),
        settle_micros: i64::MAX,
    };
    let log: Vec<_> = (1..=400)
        .map(|number| {
            let outcome = if number % 2 == 0 { Approve } else { Deny };
            decision(number, &format!("A-{number}"), outcome)
        })
        .collect();
    opened.decide(&log).await;
    let evidence = store::evidence_of(&opened.database);
    let first = evidence.take_turn(&turn).await.unwrap();
    assert_eq!(first.ledger.last_index, 0, "nothing is known yet");
    let items: Vec<_> = (1..=400)
        .map(|number| {
            let hundredths = if number % 2 == 0 { 5 } else { 95 };
            probabilities(&format!("A-{number}"), "1", &shares(hundredths))
        })
        .collect();
    opened.write(Change::GroupProbabilities(items)).await;
    let second = evidence.take_turn(&turn).await.unwrap();
    assert_eq!((second.ledger.last_index, second.news.len()), (400, 1));
    let standing = evidence.standing("demo/1").await.unwrap();
    let [(id, watched)] = &standing.watched[..] else {
        panic!("one group is watched")
    };
    assert_eq!(id.group.as_str(), "black");
    assert!(watched.is_by_proxy(), "it is read as it was");
    assert_eq!(watched, &second.ledger.watched[id]);
    assert_eq!(watched.judgement.as_ref().unwrap().verdict, Verdict::Breach);
}

#[tokio::test]
async fn evidence_by_probabilities_is_kept_on_sqlite() {
    evidence_by_probabilities_is_kept(&Place::new(Engine::Sqlite).await).await;
}

#[tokio::test]
async fn evidence_by_probabilities_is_kept_on_postgres() {
    evidence_by_probabilities_is_kept(&Place::new(Engine::Postgres).await).await;
}
