//! Examinations and overrides in the store, on both engines, and over HTTP.

use std::collections::BTreeSet;

use bias_monitor::app::change::Change;
use bias_monitor::app::examination::{ExaminationInput, ExaminationQuery, Found};
use bias_monitor::app::facts::{CreditOutcome, LoggedDecision, Outcome, Override, PersonsOutcome};
use bias_monitor::store::{self, ExaminationStore};
use fcs_core::UnixMicros;
use fcs_fairness::Confidence;
use fcs_fairness::sheet::{Request, Sheet, sheet};
use fcs_fairness::table::{Row, Table};
use fcs_fairness::tally::{Decision, Outcome as Known};
use serde_json::{Value, json};

use crate::feed::{reach, start, stop};
use crate::support::gateway::{Gateway, Manner};
use crate::support::{Engine, Opened, Place, decision, demographics, event, http};

#[tokio::test]
async fn decisions_are_read_again_on_sqlite() {
    Box::pin(decisions_are_read_again(&Place::new(Engine::Sqlite).await)).await;
}

#[tokio::test]
async fn decisions_are_read_again_on_postgresql() {
    Box::pin(decisions_are_read_again(
        &Place::new(Engine::Postgres).await,
    ))
    .await;
}

const DECISIONS: u64 = 600;
const OCTOBER: i64 = 1_791_936 * 16; // a minute in the autumn of 2024

fn sex(index: u64) -> &'static str {
    ["male", "female"][usize::from(index % 2 == 1)]
}

fn race(index: u64) -> Option<&'static str> {
    ["white", "black", "asian"]
        .get(usize::try_from(index % 4).unwrap())
        .copied()
}

fn outcome(index: u64) -> Outcome {
    match index % 5 {
        0 => Outcome::Deny,
        1 if index % 2 == 1 => Outcome::Refer,
        _ => Outcome::Approve,
    }
}

fn person(index: u64) -> Option<PersonsOutcome> {
    match index % 10 {
        0 => Some(PersonsOutcome::Approve),
        2 => Some(PersonsOutcome::Deny),
        _ => None,
    }
}

fn realised(index: u64) -> Option<&'static str> {
    let approved = outcome(index) == Outcome::Approve;
    approved
        .then_some(
            ["repaid", "defaulted", "repaid"]
                .get(usize::try_from(index % 7).unwrap())
                .copied(),
        )
        .flatten()
}

/// A day apart, so that they are of more than one month.
fn minute(index: u64) -> i64 {
    OCTOBER + 1_440 * i64::try_from(index % 60).unwrap()
}

fn log() -> Vec<LoggedDecision> {
    let decided = |index| {
        let mut logged = decision(index, &format!("A-{index}"), outcome(index));
        logged.decision.minute = minute(index);
        logged.decision.probability_ppm = i64::try_from(index % 13 * 50_000 + 49).unwrap();
        logged
    };
    (1..=DECISIONS).map(decided).collect()
}

fn overridden(index: u64, suffix: &str, outcome: PersonsOutcome, at: i64) -> Override {
    Override {
        event_id: format!("ev-{index}-{suffix}").parse().unwrap(),
        decision_id: decision(index, "A-1", Outcome::Deny).decision_id,
        outcome,
        reason: "income_verified".parse().unwrap(),
        occurred_at: UnixMicros(at),
    }
}

/// Every override, some before the decision, some corrected: the later event is in force.
fn overrides() -> Vec<Override> {
    let mut all = Vec::new();
    for index in 1..=DECISIONS {
        if let Some(outcome) = person(index) {
            let other = match outcome {
                PersonsOutcome::Approve => PersonsOutcome::Deny,
                PersonsOutcome::Deny => PersonsOutcome::Approve,
            };
            all.push(overridden(index, "b", outcome, 2_000));
            all.push(overridden(index, "a", other, 2_000));
            all.push(overridden(index, "c", other, 1_000));
        }
    }
    all
}

async fn fill(opened: &Opened) {
    let examinations = store::examinations_of(&opened.database);
    let all = overrides();
    let (first, rest) = all.split_at(100);
    let receipt = examinations.record(first).await.unwrap();
    assert_eq!((receipt.recorded, receipt.unchanged), (100, 0));
    opened.decide(&log()).await;
    let known = |index| {
        let mut attributes = vec![("sex", sex(index))];
        attributes.extend(race(index).map(|race| ("race", race)));
        demographics(&format!("A-{index}"), &attributes)
    };
    opened
        .write(Change::Demographics((1..=DECISIONS).map(known).collect()))
        .await;
    let events = (1..=DECISIONS).filter_map(|index| {
        let realised = CreditOutcome::parse(realised(index)?)?;
        let (id, application) = (format!("o-{index}"), format!("A-{index}"));
        Some(event(&id, &application, realised, 5))
    });
    opened.write(Change::Outcomes(events.collect())).await;
    for chunk in rest.chunks(400) {
        examinations.record(chunk).await.unwrap();
    }
    let again = examinations
        .record(&all[..1_000.min(all.len())])
        .await
        .unwrap();
    assert_eq!(again.recorded, 0, "each once");
}

/// The same sheet from the rows themselves.
fn by_hand(attributes: &[&str], within: Option<&str>, r#final: bool) -> Sheet {
    let names: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let mut table = Table::new(names.clone());
    for index in 1..=DECISIONS {
        let of = |name: &&str| match *name {
            "sex" => Some(sex(index).to_owned()),
            _ => race(index).map(str::to_owned),
        };
        let decided = match outcome(index) {
            Outcome::Approve => Decision::Approve,
            Outcome::Refer => Decision::Refer,
            _ => Decision::Deny,
        };
        let of_person = |outcome| match outcome {
            PersonsOutcome::Approve => Decision::Approve,
            PersonsOutcome::Deny => Decision::Deny,
        };
        let probability = i64::try_from(index % 13 * 500).unwrap();
        let month: String = UnixMicros(minute(index) * 60_000_000)
            .to_string()
            .chars()
            .take(7)
            .collect();
        let row = Row {
            groups: attributes.iter().map(of).collect(),
            decision: person(index).filter(|_| r#final).map_or(decided, of_person),
            outcome: realised(index).map(|word| match word {
                "repaid" => Known::Repaid,
                _ => Known::Defaulted,
            }),
            score: Some((10_000 - probability) as f64 / 10_000.0),
            stratum: within.map(|_| month),
        };
        table.push(row).unwrap();
    }
    let request = Request {
        attributes: names,
        stratum: within.map(str::to_owned),
        reference: None,
        minimum_cell_size: 10,
        confidence: Confidence::try_from(0.95).unwrap(),
        quantiles: vec![0.25, 0.5, 0.75],
    };
    sheet(&table, &request).unwrap()
}

async fn examined(store: &dyn ExaminationStore, input: &ExaminationInput) -> (i64, Sheet) {
    let query = ExaminationQuery::new(input, 10, Confidence::try_from(0.95).unwrap()).unwrap();
    let found: Found = store.examine(&query.scope).await.unwrap();
    let examined = query.examine(found).unwrap();
    assert_eq!(examined.last_index, DECISIONS);
    (examined.decisions, examined.sheet)
}

async fn decisions_are_read_again(place: &Place) {
    let opened = place.open().await;
    fill(&opened).await;
    let examinations = store::examinations_of(&opened.database);
    let input = |attributes: &[&str]| ExaminationInput {
        attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
        ..ExaminationInput::default()
    };
    let all = i64::try_from(DECISIONS).unwrap();
    for attributes in [&["sex"][..], &["race"], &["sex", "race"]] {
        let found = examined(&*examinations, &input(attributes)).await;
        assert_eq!(
            found,
            (all, by_hand(attributes, None, false)),
            "{attributes:?}"
        );
    }
    let ended = ExaminationInput {
        basis: "final".to_owned(),
        ..input(&["sex"])
    };
    let found = examined(&*examinations, &ended).await;
    assert_eq!(found, (all, by_hand(&["sex"], None, true)));
    let months: BTreeSet<String> = (1..=DECISIONS)
        .map(|index| UnixMicros(minute(index) * 60_000_000).to_string()[..7].to_owned())
        .collect();
    assert!(months.len() >= 2, "{months:?}");
    for month in &months {
        let vintage = ExaminationInput {
            stratify_by: "vintage".to_owned(),
            within: month.clone(),
            ..input(&["sex"])
        };
        let found = examined(&*examinations, &vintage).await;
        assert_eq!(found, (all, by_hand(&["sex"], Some(month), false)));
    }
    let within = ExaminationInput {
        stratify_by: "race".to_owned(),
        ..input(&["sex"])
    };
    let (_, sheet) = examined(&*examinations, &within).await;
    let text = serde_json::to_string(&sheet).unwrap();
    assert!(text.contains("conditional_demographic_disparity"), "{text}");
    scopes_are_kept(&*examinations, &input(&["sex"])).await;
    opened.database.close().await;
}

async fn scopes_are_kept(examinations: &dyn ExaminationStore, input: &ExaminationInput) {
    let count = async |change: fn(&mut ExaminationInput)| {
        let mut input = input.clone();
        change(&mut input);
        examined(examinations, &input).await.0
    };
    let all = i64::try_from(DECISIONS).unwrap();
    assert_eq!(count(|it| "demo/1".clone_into(&mut it.model)).await, all);
    assert_eq!(count(|it| "demo/2".clone_into(&mut it.model)).await, 0);
    assert_eq!(count(|it| "stable".clone_into(&mut it.arm)).await, all);
    assert_eq!(count(|it| "candidate".clone_into(&mut it.arm)).await, 0);
    let from =
        count(|it| it.from = UnixMicros((OCTOBER + 1_440 * 30) * 60_000_000).to_string()).await;
    let to = count(|it| it.to = UnixMicros((OCTOBER + 1_440 * 30) * 60_000_000).to_string()).await;
    assert_eq!((from, to), (all / 2, all / 2));
    let denied = count(|it| "low_side_overrides".clone_into(&mut it.basis)).await;
    let denials = (1..=DECISIONS).filter(|index| outcome(*index) == Outcome::Deny);
    assert_eq!(denied, i64::try_from(denials.count()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overrides_and_examinations_are_asked_for_over_http() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    gateway.decide(&log());
    reach(&running, DECISIONS).await;
    let items: Vec<Value> = (1..=DECISIONS)
        .map(|index| {
            json!({"application_id": format!("A-{index}"), "attributes": {"sex": sex(index)}, "source": "observed"})
        })
        .collect();
    let body = json!({ "items": items }).to_string();
    assert_eq!(
        http::post(running.http, "/v1/demographics", &body)
            .await
            .status,
        200
    );
    let items: Vec<Value> = overrides()
        .iter()
        .map(|it| {
            json!({
                "event_id": it.event_id.as_str(), "decision_id": it.decision_id.to_string(),
                "outcome": it.outcome.as_str(), "reason": it.reason.as_str(),
                "occurred_at": it.occurred_at.to_string(),
            })
        })
        .collect();
    for chunk in items.chunks(1_000) {
        let body = json!({ "items": chunk }).to_string();
        let answer = http::post(running.http, "/v1/overrides", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["recorded"], chunk.len());
    }
    let bad = json!({"items": [{"event_id": "e", "decision_id": "x", "outcome": "refer", "reason": "r", "occurred_at": "t"}]});
    let refused = http::post(running.http, "/v1/overrides", &bad.to_string()).await;
    assert_eq!(
        (refused.status, refused.json()["reason"].as_str()),
        (400, Some("OVERRIDES_INVALID"))
    );
    let path = "/v1/reports/examination?attribute=sex&basis=final&reference=male";
    let examined = http::get(running.http, path).await.json();
    assert_eq!(examined["decisions"], DECISIONS);
    assert_eq!(examined["sheet"]["reference"], json!(["male"]));
    assert_eq!(examined["sheet"]["minimum_cell_size"], 30);
    sheets_hold_the_intersections(&running).await;
    let refused = http::get(running.http, "/v1/reports/examination?model=demo/1").await;
    assert_eq!(
        (refused.status, refused.json()["reason"].as_str()),
        (400, Some("ATTRIBUTES_INVALID"))
    );
    stop(running).await;
}

/// A sheet that examines an attribute by month, in every format.
async fn sheets_hold_the_intersections(running: &fcs_service::Running) {
    let query = "attribute=sex&stratify_by=vintage&basis=final&reference=sex:male";
    let sheet = async |format: &str| {
        let path = format!("/v1/reports/sheet?{query}&format={format}");
        let answer = http::get(running.http, &path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let json: Value = serde_json::from_str(&sheet("json").await).unwrap();
    let examined = &json["examination"];
    assert_eq!(examined["sheet"]["reference"], json!(["male"]));
    let strata: Vec<_> = examined["strata"].as_array().unwrap().iter().collect();
    assert!(strata.len() >= 2, "{examined}");
    let overridden: i64 = json["overrides"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["decisions"].as_i64().unwrap())
        .sum();
    let wanted = (1..=DECISIONS).filter(|index| person(*index).is_some());
    assert_eq!(overridden, i64::try_from(wanted.count()).unwrap());
    let month = strata[0]["stratum"].as_str().unwrap();
    let html = sheet("html").await;
    for part in [month, "income_verified", "what a person decided"] {
        assert!(html.to_lowercase().contains(part), "no {part} in {html}");
    }
    let csv = sheet("csv").await;
    let lines = csv.lines().filter(|line| line.ends_with(month));
    assert_eq!(lines.count(), 2, "{csv}");
}
