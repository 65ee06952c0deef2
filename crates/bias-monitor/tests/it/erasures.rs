//! Applications that the gateway erased: their ids are forgotten, what is counted stays. On both engines, and in the
//! running monitor.

use std::time::Duration;

use bias_monitor::app::change::Change;
use bias_monitor::app::erasure::Erased;
use bias_monitor::app::facts::CreditOutcome::Repaid;
use bias_monitor::app::facts::LoggedDecision;
use bias_monitor::app::facts::Outcome::{Approve, Deny};
use bias_monitor::store;
use fcs_proto::scoring::v1::ExecutedErasure;
use fcs_testkit::wait::until;
use serde_json::json;

use crate::feed::{reach, start, stop};
use crate::store::conformance;
use crate::support::gateway::{Gateway, Manner};
use crate::support::{
    Engine, Opened, Place, decision, demographics, event, http, lines, probabilities,
};

conformance!(
    an_erased_application_is_forgotten_and_stays_counted,
    an_id_of_two_tenants_is_forgotten_for_one,
);

const PSEUDONYM: &str = "erased:00ff";
/// Every place where an application id stands.
const IDS: &str = "SELECT application_id FROM decisions UNION SELECT application_id FROM demographics \
                   UNION SELECT application_id FROM outcome_events UNION SELECT application_id FROM outcomes \
                   UNION SELECT application_id FROM group_probabilities";

fn log() -> Vec<LoggedDecision> {
    let decisions = [("A", Approve), ("B", Deny), ("A", Deny), ("B", Approve)];
    let decided = |(index, (id, outcome))| decision(index, id, outcome);
    (1..).zip(decisions).map(decided).collect()
}

async fn fill(opened: &Opened) {
    opened.decide(&log()).await;
    let known = ["A", "B"].map(|id| demographics(id, &[("sex", "female"), ("race", "black")]));
    opened.write(Change::Demographics(known.to_vec())).await;
    let outcomes = ["A", "B"].map(|id| event(&format!("e-{id}"), id, Repaid, 5));
    opened.write(Change::Outcomes(outcomes.to_vec())).await;
    let of_groups = [("black", 0.25), ("white", 0.75)];
    let probable = ["A", "B"].map(|id| probabilities(id, "1", &of_groups));
    opened
        .write(Change::GroupProbabilities(probable.to_vec()))
        .await;
}

fn erased(place: u64, log_indices: &[u64]) -> Erased {
    Erased {
        place,
        pseudonym: PSEUDONYM.parse().unwrap(),
        log_indices: log_indices.to_vec(),
    }
}

async fn an_erased_application_is_forgotten_and_stays_counted(place: &Place) {
    let opened = place.open().await;
    fill(&opened).await;
    let erasures = store::erasures_of(&opened.database);
    assert_eq!(erasures.place().await.unwrap(), 0);
    // An index that is not read yet comes with the pseudonym later.
    let all = [erased(7, &[1, 3, 9])];
    assert_eq!(erasures.follow(&all).await.unwrap(), 1);
    assert_eq!(erasures.place().await.unwrap(), 7);
    assert_eq!(lines(&opened.database, IDS).await, ["B", PSEUDONYM]);
    opened.assert_equals_recount().await;
    assert_eq!(erasures.follow(&all).await.unwrap(), 0, "it is forgotten");
    assert_eq!(erasures.follow(&[erased(5, &[])]).await.unwrap(), 0);
    assert_eq!(erasures.place().await.unwrap(), 7, "never back");
    opened.assert_equals_recount().await;
}

async fn an_id_of_two_tenants_is_forgotten_for_one(place: &Place) {
    let opened = place.open().await;
    fill(&opened).await;
    let erasures = store::erasures_of(&opened.database);
    // The decisions 1 and 3 have one id, and are of two tenants.
    assert_eq!(erasures.follow(&[erased(1, &[1])]).await.unwrap(), 1);
    assert_eq!(lines(&opened.database, IDS).await, ["A", "B", PSEUDONYM]);
    let known = opened.store.tables(None, store::EVER).await.unwrap();
    assert_eq!(known.attributes["sex"]["female"].decisions(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_monitor_follows_erasures() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    gateway.decide(&log());
    reach(&running, 4).await;
    let body = json!({"items": [{"application_id": "A", "attributes": {"sex": "female"}, "source": "observed"}]});
    let answer = http::post(running.http, "/v1/demographics", &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    gateway.erase(ExecutedErasure {
        place: 3,
        pseudonym: PSEUDONYM.to_owned(),
        log_indices: vec![1, 3],
    });
    let database = place.database().await;
    until("the id is forgotten", Duration::from_secs(30), async || {
        (lines(&database, IDS).await == ["B", PSEUDONYM]).then_some(())
    })
    .await;
    let report = http::get(running.http, "/v1/reports/groups").await.json();
    assert_eq!(report["attributes"][0]["groups"][0]["decisions"], 2);
    stop(running).await;
}
