//! Models in the shadow: evidence on gaps in the store, on both engines, and alarms of the running monitor.

use std::time::Duration;

use bias_monitor::app::change::Change;
use bias_monitor::app::evidence::Turn;
use bias_monitor::app::facts::{LoggedDecision, Outcome};
use bias_monitor::app::gaps::{GapTurn, GapTurned, ShadowArm, ShadowOutcome, ShadowPage};
use bias_monitor::app::terms::Terms;
use bias_monitor::store::{self, GapStore};
use fcs_core::{Clock as _, UnixMicros};
use fcs_fairness::alarm::Event;
use fcs_fairness::anytime::watch::Verdict;
use fcs_fairness::policy::Policy;
use fcs_proto::monitoring::v1 as wire;
use fcs_proto::monitoring::v1::alert_service_client::AlertServiceClient;
use fcs_proto::scoring::v1::{self as scoring, ShadowArmProgress};
use fcs_service::SystemClock;
use serde_json::{Value, json};

use crate::feed::{metric, reach, start, stop};
use crate::support::gateway::{Gateway, Manner, Shadow};
use crate::support::{Engine, Place, decision, demographics, http};

const NOW: UnixMicros = UnixMicros(600_000_000);

#[tokio::test]
async fn gaps_are_kept_on_sqlite() {
    Box::pin(gaps_are_kept(&Place::new(Engine::Sqlite).await)).await;
}

#[tokio::test]
async fn gaps_are_kept_on_postgresql() {
    Box::pin(gaps_are_kept(&Place::new(Engine::Postgres).await)).await;
}

fn terms(version: u32) -> Terms {
    let text = format!(
        "format = 1\nname = 'test'\nversion = {version}\njurisdiction = 'US'\neffective_from = '2026-01-01'\n\
         rationale = 'a test'\n[[attributes]]\nname = 'sex'\nreference = 'male'\n"
    );
    Terms::new(Policy::from_toml(&text).unwrap()).unwrap()
}

const fn is_woman(index: u64) -> bool {
    index % 2 == 1
}

/// Everybody is approved.
fn log(indices: std::ops::RangeInclusive<u64>, minute: i64) -> Vec<LoggedDecision> {
    let decided = |index| {
        let mut logged = decision(index, &format!("A-{index}"), Outcome::Approve);
        logged.decision.minute = minute;
        logged
    };
    indices.map(decided).collect()
}

/// The shadow refuses every third woman.
const fn shadow_approves(index: u64) -> bool {
    !is_woman(index) || !index.is_multiple_of(3)
}

fn arm(since_generation: u64, after_index: u64) -> ShadowArm {
    ShadowArm {
        name: "next".to_owned(),
        model: "demo/2".parse().unwrap(),
        since_generation,
        after_index,
    }
}

fn page(indices: std::ops::RangeInclusive<u64>) -> ShadowPage {
    let outcome = |log_index| ShadowOutcome {
        log_index,
        approved: Some(shadow_approves(log_index)),
    };
    ShadowPage {
        after_index: indices.start() - 1,
        up_to_index: *indices.end(),
        outcomes: indices.map(outcome).collect(),
    }
}

async fn take(
    store: &dyn GapStore,
    terms: &Terms,
    arm: &ShadowArm,
    page: &ShadowPage,
) -> Option<GapTurned> {
    let turn = GapTurn {
        terms,
        now: NOW,
        settle_micros: i64::MAX,
        arm,
        page,
    };
    store.take_gap_turn(&turn).await.unwrap()
}

async fn gaps_are_kept(place: &Place) {
    let opened = place.open().await;
    opened.decide(&log(1..=400, 0)).await;
    let sex = |index| ["male", "female"][usize::from(is_woman(index))];
    let known = (1..=400).map(|index| demographics(&format!("A-{index}"), &[("sex", sex(index))]));
    opened.write(Change::Demographics(known.collect())).await;
    let gaps = store::gaps_of(&opened.database);
    let (policy, first) = (terms(1), arm(3, 0));
    let digest = policy.policy.digest();
    assert_eq!(gaps.position(&first, digest).await.unwrap(), 0);
    let turned = take(&*gaps, &policy, &first, &page(1..=40)).await.unwrap();
    assert_eq!((turned.last_index, turned.news.len()), (40, 0));
    assert_eq!(
        take(&*gaps, &policy, &first, &page(1..=40)).await,
        None,
        "it is taken"
    );
    opened.database.close().await;

    // Another process goes on where this one ended.
    let opened = place.open().await;
    let gaps = store::gaps_of(&opened.database);
    assert_eq!(gaps.position(&first, digest).await.unwrap(), 40);
    let turned = take(&*gaps, &policy, &first, &page(41..=400))
        .await
        .unwrap();
    assert_eq!((turned.last_index, turned.news.len()), (400, 1));
    let id = turned.news[0].watched.clone();
    assert_eq!(id.baseline, Some("demo/1".parse().unwrap()));
    alarms_of_both_kinds_live_side_by_side(&opened.database, &policy, &turned, &id).await;

    // Another policy begins with the arm's first outcome, an arm that began anew goes on with its evidence.
    let other = terms(2);
    let position = gaps.position(&first, other.policy.digest()).await;
    assert_eq!(position.unwrap(), 0);
    let anew = take(&*gaps, &other, &first, &page(1..=40)).await.unwrap();
    let judgement = anew.watched[&id].judgement.clone().unwrap();
    assert_eq!(judgement.policy, other.policy.digest());
    assert_eq!(judgement.reference_decisions, 20);
    let second = arm(5, 300);
    let position = gaps.position(&second, other.policy.digest()).await;
    assert_eq!(position.unwrap(), 300);
    let turned = take(&*gaps, &other, &second, &page(301..=400))
        .await
        .unwrap();
    let judgement = turned.watched[&id].judgement.clone().unwrap();
    assert_eq!(judgement.reference_decisions, 70);
    opened.database.close().await;
}

async fn alarms_of_both_kinds_live_side_by_side(
    database: &fcs_service::database::Database,
    policy: &Terms,
    turned: &GapTurned,
    id: &bias_monitor::app::evidence::WatchedGroup,
) {
    let evidence = store::evidence_of(database);
    let turn = Turn {
        terms: policy,
        now: NOW,
        settle_micros: i64::MAX,
    };
    let ratios = evidence.take_turn(&turn).await.unwrap();
    assert_eq!(ratios.ledger.last_index, 400);
    assert!(ratios.news.is_empty(), "the live model treats both alike");
    let standing = evidence.standing("demo/2").await.unwrap();
    assert_eq!(standing.watched.len(), 1);
    assert_eq!(
        standing.watched[0],
        (id.clone(), turned.watched[id].clone()),
        "it is read as it was"
    );
    let rules = policy.policy.document().alarm;
    let acknowledge = Event::Acknowledge {
        by: "person:default/ada".to_owned(),
        note: "looking at it".to_owned(),
    };
    let acted = evidence.act(id, acknowledge.clone(), NOW, &rules).await;
    assert_eq!(acted.unwrap(), Ok(()));
    let ratio = bias_monitor::app::evidence::WatchedGroup {
        baseline: None,
        ..id.clone()
    };
    let acted = evidence.act(&ratio, acknowledge, NOW, &rules).await;
    assert!(acted.unwrap().is_err(), "its own decisions are not watched");
    let news = evidence.news(0, 10).await.unwrap();
    let sequences: Vec<_> = news.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, [1, 2]);
    assert!(news.iter().all(|it| it.news.watched == *id));
}

const DECISIONS: u64 = 1_200;

/// The shadow arm at its end, over the whole log.
fn shadow() -> Shadow {
    let outcome = |log_index| scoring::ShadowOutcome {
        log_index,
        outcome: if shadow_approves(log_index) {
            scoring::Outcome::Approve.into()
        } else {
            scoring::Outcome::Deny.into()
        },
    };
    Shadow {
        arm: ShadowArmProgress {
            name: "next".to_owned(),
            model: "demo/2".to_owned(),
            since_generation: 3,
            after_index: 0,
            complete_up_to: DECISIONS,
        },
        outcomes: (1..=DECISIONS).map(outcome).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_widens_the_gap_is_told_of_before_it_decides() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    gateway.shadow(shadow());
    let running = start(&place, &gateway.url()).await;
    let address = format!("http://{}", running.http);
    let mut client = AlertServiceClient::connect(address).await.unwrap();
    let watch = wire::WatchAlertsRequest {
        after_sequence: 0,
        model: "demo/2".to_owned(),
    };
    let mut stream = client.watch_alerts(watch).await.unwrap().into_inner();
    gateway.decide(&log(1..=DECISIONS, SystemClock.now().minute()));
    reach(&running, DECISIONS).await;
    let item = |index: u64| {
        let sex = ["male", "female"][usize::from(is_woman(index))];
        json!({"application_id": format!("A-{index}"), "attributes": {"sex": sex}, "source": "self_reported"})
    };
    for chunk in (1..=DECISIONS).collect::<Vec<_>>().chunks(400) {
        let items: Vec<Value> = chunk.iter().map(|index| item(*index)).collect();
        let body = json!({ "items": items }).to_string();
        let answer = http::post(running.http, "/v1/demographics", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let message = tokio::time::timeout(Duration::from_secs(30), stream.message()).await;
    let entries = message.unwrap().unwrap().unwrap().entries;
    let watched = entries[0].watched.clone().unwrap();
    assert_eq!(entries[0].change, "raised");
    assert_eq!(watched.baseline_model, "demo/1");
    assert_eq!(
        (watched.attribute.as_str(), watched.group.as_str()),
        ("sex", "female")
    );
    let index = "fcs_monitor_shadow_index{arm=\"next\"}";
    fcs_testkit::wait::until("all is taken", Duration::from_secs(30), async || {
        (metric(&running, index).await >= DECISIONS as f64).then_some(())
    })
    .await;
    let alerts = "bias_detection_alerts_total{model=\"demo/2\",attribute=\"sex\"}";
    assert!((metric(&running, alerts).await - 1.0).abs() < 0.1);
    let mute = json!({
        "model": "demo/2", "baseline_model": "demo/1", "attribute": "sex", "group": "female",
        "reason": "the model is withdrawn", "for_s": 600,
    });
    let muted = http::post(running.http, "/v1/alerts:mute", &mute.to_string()).await;
    assert_eq!(muted.status, 204, "{}", muted.body);
    let verdicts = http::get(running.http, "/v1/verdicts?model=demo/2").await;
    let verdicts: Value = serde_json::from_str(&verdicts.body).unwrap();
    let verdict = &verdicts["verdicts"][0];
    assert_eq!(verdict["baseline_model"], "demo/1");
    assert_eq!(verdict["judgement"]["verdict"], "breach");
    assert_eq!(
        serde_json::from_value::<Verdict>(verdict["judgement"]["verdict"].clone()).unwrap(),
        Verdict::Breach
    );
    stop(running).await;
}
