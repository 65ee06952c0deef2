//! The endpoints of the running monitor, over HTTP and gRPC.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bias_monitor::app::facts::{CreditOutcome, Outcome};
use fcs_core::{ErrorCode, Probability};
use fcs_fairness::calibration::CalibrationBins;
use fcs_fairness::report::{AttributeReport, attribute_report};
use fcs_fairness::{Confidence, GroupCounters, Interval, Thresholds, Verdict};
use fcs_proto::monitoring::v1 as wire;
use fcs_proto::monitoring::v1::monitoring_service_client::MonitoringServiceClient;
use fcs_service::Running;
use fcs_service::grpc::api_error;
use fcs_testkit::wait::until;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::feed::{metric, reach, start, stop};
use crate::support::gateway::{Gateway, Manner};
use crate::support::{Engine, Place, decision, http};

const DECISIONS: u64 = 1_000;

/// Everything about one decision, by its number.
struct Case {
    application: String,
    outcome: Outcome,
    sex: Option<&'static str>,
    paid: Option<CreditOutcome>,
}

fn case(number: u64) -> Case {
    let sex = match number % 10 {
        0 => None,
        1..=6 => Some("male"),
        _ => Some("female"),
    };
    let outcome = match (sex, number % 7) {
        (Some("female"), 0..=3) | (_, 0) => Outcome::Deny,
        (_, 1) => Outcome::Refer,
        _ => Outcome::Approve,
    };
    let paid = match number % 5 {
        0 => None,
        1 => Some(CreditOutcome::Defaulted),
        _ => Some(CreditOutcome::Repaid),
    };
    Case {
        application: format!("A-{number}"),
        outcome,
        sex,
        paid,
    }
}

fn thresholds() -> Thresholds {
    let confidence = Confidence::try_from(0.95).unwrap();
    Thresholds {
        air_floor: 0.8,
        minimum_group_size: 30,
        confidence,
    }
}

/// The same counts, without the monitor.
fn expected() -> (BTreeMap<String, GroupCounters>, CalibrationBins) {
    let (mut groups, mut bins) = (
        BTreeMap::<String, GroupCounters>::new(),
        CalibrationBins::default(),
    );
    for number in 1..=DECISIONS {
        let case = case(number);
        let decision = decision(number, &case.application, case.outcome).decision;
        let approved = case.outcome == Outcome::Approve;
        let one = GroupCounters {
            approved: u64::from(approved),
            referred: u64::from(case.outcome == Outcome::Refer),
            denied: u64::from(case.outcome == Outcome::Deny),
            score_sum: decision.score,
            score_square_sum: decision.score * decision.score,
            approved_repaid: u64::from(approved && case.paid == Some(CreditOutcome::Repaid)),
            approved_defaulted: u64::from(approved && case.paid == Some(CreditOutcome::Defaulted)),
        };
        if let Some(sex) = case.sex {
            groups.entry(sex.to_owned()).or_default().merge(&one);
        }
        if let (true, Some(paid)) = (approved, case.paid) {
            let ppm = u32::try_from(decision.probability_ppm).unwrap();
            let probability = Probability::try_from(f64::from(ppm) / 1e6).unwrap();
            bins.record(probability, paid == CreditOutcome::Defaulted);
        }
    }
    (groups, bins)
}

pub(crate) async fn client(running: &Running) -> MonitoringServiceClient<Channel> {
    MonitoringServiceClient::connect(format!("http://{}", running.http))
        .await
        .unwrap()
}

/// Sends demographics over gRPC and outcomes over HTTP.
async fn send_facts(running: &Running, client: &mut MonitoringServiceClient<Channel>) {
    let cases: Vec<_> = (1..=DECISIONS).map(case).collect();
    let items = cases.iter().filter_map(|case| {
        Some(wire::Demographics {
            application_id: case.application.clone(),
            attributes: HashMap::from([("sex".to_owned(), case.sex?.to_owned())]),
            source: wire::DemographicsSource::SelfReported.into(),
        })
    });
    let request = wire::RecordDemographicsRequest {
        items: items.collect(),
    };
    let response = client
        .record_demographics(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((response.recorded, response.unchanged), (900, 0));
    let response = client
        .record_demographics(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((response.recorded, response.unchanged), (0, 900));

    let items: Vec<Value> = cases
        .iter()
        .filter_map(|case| {
            Some(json!({
                "event_id": format!("e-{}", case.application),
                "application_id": case.application,
                "outcome": case.paid?.as_str(),
                "occurred_at": "2026-11-22T21:59:25Z",
            }))
        })
        .collect();
    let answer = http::post(
        running.http,
        "/v1/outcomes",
        &json!({ "items": items }).to_string(),
    )
    .await;
    assert_eq!(answer.json(), json!({ "recorded": 800, "unchanged": 0 }));
}

fn assert_estimate(estimate: Option<&wire::Estimate>, interval: Option<Interval>) {
    let estimate = estimate.expect("an estimate is never absent");
    let expected = interval.map_or_else(wire::Estimate::default, |interval| wire::Estimate {
        defined: true,
        value: interval.value,
        lower: interval.lower,
        upper: interval.upper,
    });
    assert_eq!(*estimate, expected);
}

#[tokio::test]
async fn a_report_equals_the_fairness_library_on_the_same_counts() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let mut client = client(&running).await;
    let log: Vec<_> = (1..=DECISIONS)
        .map(|number| {
            let case = case(number);
            decision(number, &case.application, case.outcome)
        })
        .collect();
    gateway.decide(&log[..500]);
    send_facts(&running, &mut client).await;
    gateway.decide(&log[500..]);
    reach(&running, DECISIONS).await;

    let reference_groups = HashMap::from([("sex".to_owned(), "male".to_owned())]);
    let request = wire::GetGroupReportRequest {
        model: "demo/1".to_owned(),
        reference_groups,
    };
    let report = client.get_group_report(request).await.unwrap().into_inner();
    let (groups, bins) = expected();
    let sheet = attribute_report("sex", &groups, Some("male"), &thresholds()).unwrap();
    assert_eq!(
        (report.last_index, report.decisions, report.attributes.len()),
        (DECISIONS, DECISIONS, 1)
    );
    let sex = &report.attributes[0];
    assert_eq!(
        (
            sex.attribute.as_str(),
            sex.reference_group.as_str(),
            sex.unknown
        ),
        ("sex", "male", 100)
    );
    assert_attribute(sex, &sheet);
    assert_eq!(
        sheet.groups[0].comparison.unwrap().verdict,
        Verdict::Breach,
        "the data are made so"
    );
    assert_eq!(sex.groups[0].verdict(), wire::Verdict::Breach);
    assert_eq!(sex.groups[1].verdict(), wire::Verdict::Unspecified);
    assert!(!sex.groups[1].adverse_impact_ratio.unwrap().defined);
    assert_calibration(report.calibration.as_ref().unwrap(), &bins);
    assert_http_report_is_the_same(&running, &report).await;
    assert_published(
        &running,
        sheet.groups[0]
            .comparison
            .unwrap()
            .adverse_impact_ratio
            .unwrap()
            .value,
    )
    .await;
    stop(running).await;
}

fn assert_attribute(actual: &wire::AttributeReport, expected: &AttributeReport) {
    assert_eq!(actual.groups.len(), 2);
    for (actual, expected) in actual.groups.iter().zip(&expected.groups) {
        assert_eq!(actual.group, expected.group);
        let counters = expected.counters;
        assert_eq!(
            (
                actual.decisions,
                actual.approved,
                actual.referred,
                actual.denied
            ),
            (
                expected.decisions,
                counters.approved,
                counters.referred,
                counters.denied
            )
        );
        assert_eq!(
            actual.approved_with_outcome,
            counters.approved_with_outcome()
        );
        assert_eq!(actual.approved_defaulted, counters.approved_defaulted);
        assert_estimate(actual.approval_rate.as_ref(), expected.approval_rate);
        assert_estimate(
            actual.default_rate_among_approved.as_ref(),
            expected.default_rate_among_approved,
        );
        let comparison = expected.comparison;
        assert_estimate(
            actual.adverse_impact_ratio.as_ref(),
            comparison.and_then(|it| it.adverse_impact_ratio),
        );
        let difference = comparison.and_then(|it| it.approval_rate_difference);
        assert_estimate(actual.approval_rate_difference.as_ref(), difference);
        let difference = comparison.and_then(|it| it.standardised_mean_difference);
        assert_estimate(actual.standardised_mean_difference.as_ref(), difference);
    }
}

fn assert_calibration(actual: &wire::Calibration, bins: &CalibrationBins) {
    let expected = bins.report(thresholds().confidence);
    assert_eq!(actual.labelled, expected.labelled);
    assert_eq!(Some(actual.mean_predicted), expected.mean_predicted);
    assert_eq!(
        Some(actual.mean_realised),
        expected.mean_realised.map(|it| it.value)
    );
    assert_eq!(
        Some(actual.expected_calibration_error),
        expected.expected_calibration_error
    );
    assert_eq!((actual.bins.len(), expected.bins.len()), (10, 10));
    for (actual, expected) in actual.bins.iter().zip(&expected.bins) {
        assert_eq!(
            (actual.lower, actual.upper, actual.labelled),
            (expected.from, expected.to, expected.labelled)
        );
        assert_eq!(
            Some(actual.mean_predicted),
            expected.mean_predicted.or(Some(0.0))
        );
        assert_estimate(actual.realised.as_ref(), expected.realised);
    }
}

async fn assert_http_report_is_the_same(running: &Running, report: &wire::GetGroupReportResponse) {
    let path = "/v1/reports/groups?model=demo%2F1&reference=sex:male";
    let answer = http::get(running.http, path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["last_index"], json!(report.last_index));
    let group = &report.attributes[0].groups[0];
    let ratio = group.adverse_impact_ratio.unwrap();
    let actual = &body["attributes"][0]["groups"][0];
    assert_eq!(actual["group"], "female");
    assert_eq!(actual["verdict"], "breach");
    assert_eq!(actual["approved"], json!(group.approved));
    let expected = json!({
        "defined": true, "value": ratio.value, "lower": ratio.lower, "upper": ratio.upper,
    });
    assert_eq!(actual["adverse_impact_ratio"], expected);
    let reference = &body["attributes"][0]["groups"][1];
    assert_eq!(
        (&reference["group"], &reference["verdict"]),
        (&json!("male"), &json!("unspecified"))
    );
    assert_eq!(reference["adverse_impact_ratio"]["defined"], json!(false));
    assert_eq!(body["calibration"]["bins"].as_array().unwrap().len(), 10);
}

async fn assert_published(running: &Running, ratio: f64) {
    let name = "fcs_monitor_adverse_impact_ratio{attribute=\"sex\",group=\"female\"}";
    until("the published ratio", Duration::from_secs(10), || async {
        let text = http::get(running.admin, "/metrics").await.body;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))?
            .trim()
            .parse::<f64>()
            .ok()?;
        ((line - ratio).abs() < 1e-12).then_some(())
    })
    .await;
}

#[tokio::test]
async fn metrics_start_at_zero() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    for name in [
        "fcs_monitor_evidence_index",
        "fcs_monitor_gaps_total",
        "fcs_monitor_invalid_entries_total",
        "fcs_monitor_last_index",
        "fcs_monitor_lag",
        "fcs_monitor_decisions_total{result=\"recorded\"}",
        "fcs_monitor_demographics_total{result=\"unchanged\"}",
        "fcs_monitor_outcomes_total{result=\"recorded\"}",
    ] {
        assert!(metric(&running, name).await.abs() < 0.1, "{name}");
    }
    stop(running).await;
}

#[tokio::test]
async fn bad_requests_over_http_are_problems() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let refused = async |path: &str, body: &str, reason: &str| {
        let answer = http::post(running.http, path, body).await;
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.body);
        assert!(
            answer
                .head
                .contains("content-type: application/problem+json"),
            "{}",
            answer.head
        );
        assert_eq!(answer.json()["reason"], reason, "{}", answer.body);
        answer.json()["violations"][0]["pointer"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let body = r#"{"items":[{"application_id":"A","attributes":{"Sex":"x"},"source":"observed"}]}"#;
    assert_eq!(
        refused("/v1/demographics", body, "DEMOGRAPHICS_INVALID").await,
        "/items/0/attributes"
    );
    let body = r#"{"items":[{"application_id":"A","attributes":{"sex":"x"},"source":"guessed"}]}"#;
    assert_eq!(
        refused("/v1/demographics", body, "DEMOGRAPHICS_INVALID").await,
        "/items/0/source"
    );
    let body =
        r#"{"items":[{"application_id":"A","attributes":{},"source":"observed","weight":1}]}"#;
    assert_eq!(
        refused("/v1/demographics", body, "INVALID_BODY").await,
        "/items/0/weight"
    );
    let body =
        r#"{"items":[{"event_id":"e","application_id":"A","outcome":"late","occurred_at":"now"}]}"#;
    assert_eq!(
        refused("/v1/outcomes", body, "OUTCOMES_INVALID").await,
        "/items/0/outcome"
    );
    refused("/v1/outcomes", "{", "MALFORMED_JSON").await;

    for (query, reason) in [
        ("model=demo", "MODEL_INVALID"),
        ("reference=sex", "INVALID_REQUEST"),
        ("reference=sex:male", "ATTRIBUTE_UNKNOWN"),
        ("colour=blue", "INVALID_REQUEST"),
    ] {
        let answer = http::get(running.http, &format!("/v1/reports/groups?{query}")).await;
        assert_eq!(
            (answer.status, &answer.json()["reason"]),
            (400, &json!(reason)),
            "{query}"
        );
    }
    let status = http::get(running.http, "/v1/status").await.json();
    let nothing = json!({ "last_index": 0, "decisions": 0, "demographics": 0, "outcomes": 0 });
    assert_eq!(status, nothing);
    let report = http::get(running.http, "/v1/reports/groups").await.json();
    assert_eq!(report["attributes"], json!([]));
    stop(running).await;
}

#[tokio::test]
async fn bad_requests_over_grpc_are_statuses_with_violations() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner::default()).await;
    let running = start(&place, &gateway.url()).await;
    let mut client = client(&running).await;
    let items = vec![wire::Demographics::default(); 1_001];
    let status = client
        .record_demographics(wire::RecordDemographicsRequest { items })
        .await
        .unwrap_err();
    assert_eq!(api_error(&status).reason, "BATCH_TOO_LARGE");
    let items = vec![wire::OutcomeEvent::default(); 1_000];
    let status = client
        .record_outcomes(wire::RecordOutcomesRequest { items })
        .await
        .unwrap_err();
    let error = api_error(&status);
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::InvalidArgument, "OUTCOMES_INVALID")
    );
    assert_eq!(error.violations.len(), 20);
    assert!(error.message.contains("3980 more"), "{}", error.message);
    let reference_groups = HashMap::from([("race".to_owned(), "white".to_owned())]);
    let request = wire::GetGroupReportRequest {
        model: String::new(),
        reference_groups,
    };
    let error = api_error(&client.get_group_report(request).await.unwrap_err());
    assert_eq!(error.reason, "ATTRIBUTE_UNKNOWN");
    let known = client
        .get_status(wire::GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(known, wire::GetStatusResponse::default());
    stop(running).await;
}
