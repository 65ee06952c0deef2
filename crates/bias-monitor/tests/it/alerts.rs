//! Verdicts and alerts of the running monitor, over HTTP and gRPC.

use std::time::Duration;

use bias_monitor::app::facts::{LoggedDecision, Outcome};
use fcs_core::Clock as _;
use fcs_proto::monitoring::v1 as wire;
use fcs_proto::monitoring::v1::alert_service_client::AlertServiceClient;
use fcs_service::{Running, SystemClock};
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;

use crate::feed::{metric, reach, start, stop};
use crate::support::gateway::{Gateway, Manner};
use crate::support::{Engine, Place, decision, http};

const LIMIT: Duration = Duration::from_secs(30);
const DECISIONS: u64 = 400;

/// All men are approved and no woman is, just now.
fn log() -> Vec<LoggedDecision> {
    let minute = SystemClock.now().0 / 60_000_000;
    let decided = |index| {
        let outcome = [Outcome::Approve, Outcome::Deny][usize::from(index % 2 == 1)];
        let mut logged = decision(index, &format!("A-{index}"), outcome);
        logged.decision.minute = minute;
        logged
    };
    (1..=DECISIONS).map(decided).collect()
}

async fn know(running: &Running) {
    let item = |index: u64| {
        let sex = ["male", "female"][usize::from(index % 2 == 1)];
        json!({"application_id": format!("A-{index}"), "attributes": {"sex": sex}, "source": "self_reported"})
    };
    let items: Vec<Value> = (1..=DECISIONS).map(item).collect();
    let body = json!({ "items": items }).to_string();
    let answer = http::post(running.http, "/v1/demographics", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn client(running: &Running) -> AlertServiceClient<Channel> {
    AlertServiceClient::connect(format!("http://{}", running.http))
        .await
        .unwrap()
}

async fn next_entries(
    stream: &mut tonic::Streaming<wire::WatchAlertsResponse>,
) -> Vec<wire::AlertEntry> {
    let message = tokio::time::timeout(LIMIT, stream.message()).await;
    message.unwrap().unwrap().unwrap().entries
}

fn women() -> wire::WatchedGroup {
    wire::WatchedGroup {
        model: "demo/1".to_owned(),
        attribute: "sex".to_owned(),
        group: "female".to_owned(),
        baseline_model: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breach_is_told_and_people_act_on_it() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let mut client = client(&running).await;
    let watch = |after_sequence| wire::WatchAlertsRequest {
        after_sequence,
        model: "demo/1".to_owned(),
    };
    let mut stream = client.watch_alerts(watch(0)).await.unwrap().into_inner();
    gateway.decide(&log());
    reach(&running, DECISIONS).await;
    know(&running).await;
    let entries = next_entries(&mut stream).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let raised = &entries[0];
    assert_eq!((raised.sequence, raised.change.as_str()), (1, "raised"));
    assert!(raised.tell);
    assert_eq!(raised.watched, Some(women()));

    let list = wire::ListVerdictsRequest::default();
    let listed = client.list_verdicts(list).await.unwrap().into_inner();
    assert_eq!((listed.last_index, listed.verdicts.len()), (DECISIONS, 1));
    let verdict = &listed.verdicts[0];
    assert_eq!(verdict.verdict(), wire::WatchVerdict::Breach);
    assert_eq!(verdict.alert(), wire::AlertStatus::Firing);
    assert_eq!(
        (verdict.grounds.as_str(), verdict.more_decisions),
        ("shown", None)
    );
    assert_eq!(
        (verdict.reference_decisions, verdict.group_decisions),
        (200, 200)
    );
    let policy = client.get_policy(wire::GetPolicyRequest {}).await;
    let policy = policy.unwrap().into_inner();
    assert_eq!(verdict.policy_digest, policy.digest);
    assert_eq!(raised.policy_digest, policy.digest);
    let alerts = "bias_detection_alerts_total{model=\"demo/1\",attribute=\"sex\"}";
    assert!((metric(&running, alerts).await - 1.0).abs() < 0.1);

    people_act(&running, &mut client).await;
    let mut again = client.watch_alerts(watch(1)).await.unwrap().into_inner();
    for stream in [&mut stream, &mut again] {
        let mut changes = Vec::new();
        while changes.len() < 2 {
            changes.extend(next_entries(stream).await);
        }
        let told: Vec<_> = changes.iter().map(|it| it.change.as_str()).collect();
        assert_eq!(told, ["acknowledged", "muted"]);
        assert_eq!(changes[0].detail, "looking at it");
        assert!(!changes[0].by.is_empty());
    }
    let verdicts = http::get(running.http, "/v1/verdicts?model=demo/1")
        .await
        .json();
    assert_eq!(verdicts["verdicts"][0]["judgement"]["verdict"], "breach");
    assert_eq!(verdicts["verdicts"][0]["alarm"]["mute"]["reason"], "known");
    let entries = http::get(running.http, "/v1/alerts?after_sequence=2")
        .await
        .json();
    assert_eq!(
        entries["entries"][0]["entry"]["change"],
        json!({
            "change": "muted",
            "by": entries["entries"][0]["entry"]["change"]["by"],
            "reason": "known",
            "until": entries["entries"][0]["entry"]["change"]["until"],
        })
    );
    stop(running).await;
}

async fn people_act(running: &Running, client: &mut AlertServiceClient<Channel>) {
    let mut note = json!({
        "model": "demo/1", "attribute": "sex", "group": "female", "note": "looking at it",
    });
    let post =
        async |path: &str, body: &Value| http::post(running.http, path, &body.to_string()).await;
    let answer = post("/v1/alerts:acknowledge", &note).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    note["group"] = "divers".into();
    let unknown = post("/v1/alerts:acknowledge", &note).await;
    assert_eq!(
        (unknown.status, &unknown.json()["reason"]),
        (404, &json!("WATCHED_GROUP_UNKNOWN"))
    );
    note["group"] = "".into();
    let unnamed = post("/v1/alerts:acknowledge", &note).await;
    assert_eq!(unnamed.json()["reason"], "WATCHED_GROUP_INVALID");
    note["group"] = "female".into();
    note["note"] = " ".into();
    let silent = post("/v1/alerts:acknowledge", &note).await;
    assert_eq!(
        (silent.status, &silent.json()["reason"]),
        (400, &json!("ALERT_TEXT_INVALID"))
    );
    let mute = |for_s| wire::MuteAlertRequest {
        watched: Some(women()),
        reason: "known".to_owned(),
        for_s,
    };
    let unmute = wire::UnmuteAlertRequest {
        watched: Some(women()),
    };
    let refused = client.unmute_alert(unmute).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    for bad in [0, 30 * 86_400] {
        let refused = client.mute_alert(mute(bad)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    client.mute_alert(mute(3_600)).await.unwrap();
}

#[tokio::test]
async fn streams_end_with_the_service() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let mut client = client(&running).await;
    let request = wire::WatchAlertsRequest::default();
    let mut stream = client.watch_alerts(request).await.unwrap().into_inner();
    running.stop();
    let end = tokio::time::timeout(LIMIT, stream.message()).await.unwrap();
    assert_eq!(end.unwrap(), None);
    running.wait().await.unwrap();
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    for path in [
        "/v1/verdicts?models=x",
        "/v1/alerts?after_sequence=-1",
        "/v1/alerts?x=1",
    ] {
        let answer = http::get(running.http, path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
    }
    let policy = http::get(running.http, "/v1/policy").await.json();
    assert_eq!(policy["document"]["name"], "default");
    stop(running).await;
}
