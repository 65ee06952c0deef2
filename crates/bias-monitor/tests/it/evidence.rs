//! Evidence and alarms in the store, on both engines.

use bias_monitor::app::change::Change;
use bias_monitor::app::evidence::{Turn, Turned, WatchedGroup};
use bias_monitor::app::facts::{LoggedDecision, Outcome};
use bias_monitor::app::terms::Terms;
use bias_monitor::store::{self, ActError, EvidenceStore};
use fcs_core::UnixMicros;
use fcs_fairness::alarm::{Change as AlarmChange, Event, Rejection};
use fcs_fairness::anytime::watch::Verdict;
use fcs_fairness::policy::Policy;

use crate::support::{Engine, Opened, Place, decision, demographics};

#[tokio::test]
async fn turns_are_kept_on_sqlite() {
    Box::pin(turns_are_kept(&Place::new(Engine::Sqlite).await)).await;
}

#[tokio::test]
async fn turns_are_kept_on_postgresql() {
    Box::pin(turns_are_kept(&Place::new(Engine::Postgres).await)).await;
}

const NOW: UnixMicros = UnixMicros(600_000_000);

fn terms(version: u32) -> Terms {
    let text = format!(
        "format = 1\nname = 'test'\nversion = {version}\njurisdiction = 'US'\neffective_from = '2026-01-01'\n\
         rationale = 'a test'\n[[attributes]]\nname = 'sex'\nreference = 'male'\n"
    );
    Terms::new(Policy::from_toml(&text).unwrap()).unwrap()
}

/// All men are approved and no woman is.
fn log(indices: std::ops::RangeInclusive<u64>) -> Vec<LoggedDecision> {
    let outcome = |index| match index % 2 {
        0 => Outcome::Approve,
        _ => Outcome::Deny,
    };
    indices
        .map(|index| decision(index, &format!("A-{index}"), outcome(index)))
        .collect()
}

async fn know(opened: &Opened, indices: std::ops::RangeInclusive<u64>) {
    let sex = |index| ["male", "female"][usize::from(index % 2 == 1)];
    let items = indices.map(|index| demographics(&format!("A-{index}"), &[("sex", sex(index))]));
    opened.write(Change::Demographics(items.collect())).await;
}

async fn turn(store: &dyn EvidenceStore, terms: &Terms) -> Turned {
    let turn = Turn {
        terms,
        now: NOW,
        settle_micros: i64::MAX,
    };
    store.take_turn(&turn).await.unwrap()
}

fn women() -> WatchedGroup {
    WatchedGroup {
        model: "demo/1".parse().unwrap(),
        baseline: None,
        attribute: "sex".parse().unwrap(),
        group: "female".parse().unwrap(),
    }
}

async fn turns_are_kept(place: &Place) {
    let opened = place.open().await;
    let evidence = store::evidence_of(&opened.database);
    opened.decide(&log(1..=20)).await;
    know(&opened, 1..=20).await;
    opened.decide(&log(21..=400)).await;
    let first = turn(&*evidence, &terms(1)).await;
    assert_eq!(first.ledger.last_index, 20, "the next is not known yet");
    know(&opened, 21..=400).await;
    opened.database.close().await;

    // Another process goes on where this one ended.
    let opened = place.open().await;
    let evidence = store::evidence_of(&opened.database);
    let second = turn(&*evidence, &terms(1)).await;
    assert_eq!((second.ledger.last_index, second.news.len()), (400, 1));
    let standing = evidence.standing("demo/1").await.unwrap();
    assert_eq!(standing.last_index, 400);
    let (id, watched) = standing.watched.first().unwrap();
    assert_eq!(*id, women());
    assert_eq!(watched, &second.ledger.watched[id], "it is read as it was");
    assert_eq!(watched.judgement.as_ref().unwrap().verdict, Verdict::Breach);
    assert!(
        evidence
            .standing("demo/2")
            .await
            .unwrap()
            .watched
            .is_empty()
    );
    people_act(&*evidence).await;

    // Another policy judges the whole log anew, and finds the same.
    let third = turn(&*evidence, &terms(2)).await;
    let judgement = third.ledger.watched[&women()].judgement.clone().unwrap();
    assert_eq!(judgement.policy, terms(2).policy.digest());
    assert_eq!(judgement.verdict, Verdict::Breach);
    assert!(third.news.is_empty(), "the alarm fires already");
    opened.database.close().await;
}

async fn people_act(evidence: &dyn EvidenceStore) {
    let rules = terms(1).policy.document().alarm;
    let act = async |id: &WatchedGroup, event| evidence.act(id, event, NOW, &rules).await.unwrap();
    let by = || "person:default/ada".to_owned();
    let unmute = Event::Unmute { by: by() };
    let not_muted = ActError::Rejected(Rejection::NotMuted);
    assert_eq!(act(&women(), unmute.clone()).await, Err(not_muted));
    let nobody = WatchedGroup {
        group: "divers".parse().unwrap(),
        ..women()
    };
    assert_eq!(act(&nobody, unmute).await, Err(ActError::Unknown));
    let note = "looking at it".to_owned();
    let acknowledge = Event::Acknowledge { by: by(), note };
    assert_eq!(act(&women(), acknowledge).await, Ok(()));
    let news = evidence.news(0, 10).await.unwrap();
    let sequences: Vec<_> = news.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, [1, 2]);
    assert_eq!(news[0].news.entry.change, AlarmChange::Raised);
    let AlarmChange::Acknowledged(acknowledged) = &news[1].news.entry.change else {
        panic!("{news:?}");
    };
    assert_eq!(acknowledged.by, by());
    assert_eq!(evidence.news(1, 10).await.unwrap(), news[1..]);
    assert_eq!(evidence.news(0, 1).await.unwrap(), news[..1]);
}
