//! Drift of the running monitor: bins come with the feed, the profile from the gateway.

use std::time::Duration;

use bias_monitor::app::change::Change;
use bias_monitor::app::facts::{LoggedDecision, Outcome};
use fcs_core::UnixMicros;
use fcs_proto::monitoring::v1::{DriftLevel, DriftReference, GetDriftRequest};
use fcs_service::Running;
use fcs_testkit::wait::until;

use crate::feed::{reach, start, stop};
use crate::support::gateway::{Gateway, Manner, entry};
use crate::support::{Engine, Place, decision, demographics, http};
use crate::transport::client;

const LIMIT: Duration = Duration::from_secs(30);
const DECISIONS: u64 = 1_200;

/// A decision of now, every tenth of the candidate.
fn decided(log_index: u64) -> LoggedDecision {
    let mut logged = decision(log_index, &format!("a-{log_index}"), Outcome::Approve);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    logged.decision.minute = UnixMicros(i64::try_from(now.as_micros()).unwrap()).minute();
    if log_index.is_multiple_of(10) {
        "candidate".clone_into(&mut logged.decision.arm);
    }
    logged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_reported_over_http_grpc_and_metrics() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let store = place.open().await;
    for number in (2..=DECISIONS).step_by(2) {
        let known = demographics(&format!("a-{number}"), &[("sex", "female")]);
        store.write(Change::Demographics(vec![known])).await;
    }
    let running = start(&place, &gateway.url()).await;
    for number in 1..=DECISIONS {
        gateway.push(entry(&decided(number)));
    }
    reach(&running, DECISIONS).await;

    // The profile has nine tenths of the incomes in the first bin; decisions have half in each.
    let path = "/v1/drift?model=demo/1";
    let sheet = until("the profile", LIMIT, || async {
        let answer = http::get(running.http, path).await;
        (answer.status == 200).then(|| answer.json())
    });
    let sheet = sheet.await;
    let find = |arm: &str, group: &str, variable: &str, against: &str| {
        let lines = sheet["lines"].as_array().unwrap();
        let mut lines = lines.iter().filter(|line| {
            let is = |key: &str, value: &str| line[key] == *value;
            is("arm", arm)
                && is("group", group)
                && is("variable", variable)
                && is("against", against)
        });
        lines.next().cloned().unwrap()
    };
    assert_eq!(find("stable", "", "income", "reference")["level"], "act");
    let debt = find("stable", "", "debt", "reference");
    assert_eq!(debt["drift"]["psi"]["level"], "stable");
    let of_group = find("candidate", "female", "income", "stable");
    assert_eq!(of_group["drift"]["psi"]["level"], "insufficient_evidence");
    assert_eq!(find("candidate", "", "debt", "stable")["against"], "stable");

    let mut client = client(&running).await;
    let request = GetDriftRequest {
        model: "demo/1".to_owned(),
        hours: 1,
    };
    let response = client.get_drift(request).await.unwrap().into_inner();
    assert_eq!(
        response.lines.len(),
        sheet["lines"].as_array().unwrap().len()
    );
    let income = response.lines.iter().find(|line| {
        line.arm == "stable" && line.attribute.is_empty() && line.variable == "income"
    });
    let income = income.unwrap();
    assert_eq!(
        (income.level(), income.reference()),
        (DriftLevel::Act, DriftReference::BuiltOn)
    );
    let psi = income.psi.as_ref().unwrap().value;

    let series = "model_drift_score{model=\"demo\",version=\"1\",arm=\"stable\"} ";
    let published = until("the metric", LIMIT, || async {
        let text = http::get(running.admin, "/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        line.parse::<f64>()
            .ok()
            .filter(|value| value.total_cmp(&psi).is_eq())
    });
    published.await;

    refusals_say_why(&running).await;
    store.assert_equals_recount().await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_of_a_day_has_its_decisions_and_a_note() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let long_ago = decision(1, "a-1", Outcome::Deny);
    for logged in [long_ago, decided(2), decided(3)] {
        gateway.push(entry(&logged));
    }
    reach(&running, 3).await;
    let count = async |query: &str| {
        let answer = http::get(running.http, &format!("/v1/reports/sheet?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["decisions"].as_u64().unwrap()
    };
    assert_eq!(count("model=demo/1").await, 3);
    assert_eq!(count("day=1970-01-01").await, 1);
    assert_eq!(count("day=1970-01-02&model=demo/1").await, 0);
    let html = http::get(running.http, "/v1/reports/sheet?format=html").await;
    assert!(html.body.starts_with("<!DOCTYPE html>"), "{}", html.body);
    for bad in [
        "day=today",
        "format=pdf",
        "day=1970-01-01&day=1970-01-01",
        "colour=red",
    ] {
        let answer = http::get(running.http, &format!("/v1/reports/sheet?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    stop(running).await;
}

async fn refusals_say_why(running: &Running) {
    for (path, status) in [
        ("/v1/drift", 400),
        ("/v1/drift?model=demo/1&hours=9999", 400),
        ("/v1/drift?model=other/1", 404),
    ] {
        assert_eq!(http::get(running.http, path).await.status, status, "{path}");
    }
}
