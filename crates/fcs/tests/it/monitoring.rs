//! Every query of the rules and dashboards in `deploy/monitoring`, and of rollout plans in `deploy/rollouts`, names
//! metrics, labels and values that running services expose.

mod exposed;
mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use fcs_service::tls::{ClientTls, Protocol};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::exposed::Exposed;
use self::query::{Known, Labels};
use crate::mtls::Certificates;
use crate::system::{Store, System, fcs, json, root};

/// Labels that come with the target of a scrape, not from a service.
const OF_TARGETS: [&str; 3] = ["job", "instance", "track"];
/// How long the services may take to show what they show after some traffic.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_about_something_that_exists() {
    let queries = queries();
    assert!(queries.len() > 100, "only {} queries", queries.len());
    let certificates = Certificates::new();
    // Nobody else may change the traffic.
    let deployer = certificates.flags("deployment-audit");
    let operator = certificates.client("operator");
    let system = System::start_over_tls(Store::Sqlite, certificates);
    json(&system.demo("boston-hmda").wait_with_output().unwrap());
    let shadow = ["traffic", "shadow", "rehearsal", "boston-hmda/1"];
    let shadow = fcs(system.folder(), &shadow)
        .args(["--gateway", &system.url("scoring-gateway")])
        .args(deployer)
        .output()
        .unwrap();
    assert!(shadow.status.success(), "{shadow:?}");
    ask_over_http(&system.url("scoring-gateway"), &operator).await;

    let start = Instant::now();
    let mut problems = problems_of(&queries, &Exposed::read(&system));
    while !problems.is_empty() && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(200));
        problems = problems_of(&queries, &Exposed::read(&system));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The demo speaks gRPC, and some metrics are of HTTP.
async fn ask_over_http(url: &str, tls: &ClientTls) {
    let (host, port) = url.trim_start_matches("https://").rsplit_once(':').unwrap();
    let connected = tls
        .connect(host, port.parse().unwrap(), Protocol::Http1)
        .await;
    let mut stream = connected.unwrap();
    let request = b"GET /v1/decisions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[test]
fn a_query_about_nothing_is_found() {
    let exposed = Exposed::parse(
        "scoring-gateway",
        "# TYPE a counter\na_total{code=\"OK\",le=\"2.0\"} 1 # {trace_id=\"x\"} 1\nb 2\n",
    );
    let mut known = known(&exposed);
    known.record("c", &["job"]);
    let check = |text: &str| known.problems("here", text).join("\n");
    for good in [
        r#"sum by (job, code) (rate(a_total{code="OK"}[5m])) / ignoring (code) group_left b"#,
        r#"histogram_quantile(0.9, sum by (le) (rate(a_total{le=~"2.0|9"}[5m])))"#,
        r"c and on (job) b",
    ] {
        assert_eq!(check(good), "", "{good}");
    }
    for (bad, expected) in [
        ("rate(a_totals[5m])", "a_totals"),
        (r#"a_total{codes="OK"}"#, "codes"),
        (r#"a_total{code="NO"}"#, "NO"),
        (r#"a_total{job="gateway"}"#, "gateway"),
        ("sum by (route) (b)", "route"),
        ("sum by (code) (sum by (job) (a_total))", "code"),
        ("sum by (code) (c)", "code"),
        ("c / on (code) b", "code"),
        ("rate(b", "here"),
    ] {
        assert!(check(bad).contains(expected), "{bad}: {}", check(bad));
    }
}

/// Where a query is, and its text. What a rule records is known by that name.
fn queries() -> Vec<(String, Option<String>, String)> {
    let folder = root().join("deploy/monitoring");
    let mut queries = Vec::new();
    for (file, document) in documents(&folder.join("rules"), "yml") {
        for rule in entries(&document["groups"], "rules") {
            let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
            let record = rule["record"].as_str().map(str::to_owned);
            let query = rule["expr"].as_str().unwrap().to_owned();
            queries.push((format!("{file}: {name}"), record, query));
        }
    }
    for (file, document) in documents(&folder.join("dashboards"), "json") {
        for panel in document["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{file}: {}", panel["title"].as_str().unwrap());
                queries.push((place, None, target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    for (file, document) in documents(&root().join("deploy/rollouts"), "toml") {
        let mut plans = Vec::new();
        texts(&document, &mut plans);
        let asked = plans
            .into_iter()
            .filter(|text| text.contains("{model}") || text.contains("{name}"));
        queries.extend(asked.map(|query| {
            let query = query
                .replace("{window}", "60s")
                .replace("{model}", "boston-hmda/1")
                .replace("{name}", "boston-hmda")
                .replace("{version}", "1");
            (file.clone(), None, query)
        }));
    }
    queries
}

/// Every text in a document.
fn texts<'a>(document: &'a Value, found: &mut Vec<&'a str>) {
    match document {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(entries) => entries.values().for_each(|entry| texts(entry, found)),
        _ => {}
    }
}

fn entries<'a>(groups: &'a Value, key: &str) -> Vec<&'a Value> {
    let groups = groups.as_array().unwrap().iter();
    groups
        .flat_map(|group| group[key].as_array().unwrap())
        .collect()
}

/// The documents of a folder by their names; none where there is no folder.
fn documents(folder: &Path, extension: &str) -> BTreeMap<String, Value> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let files = entries.map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|it| it == extension))
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let document = match extension {
                "yml" => serde_yaml_ng::from_str(&text).unwrap(),
                "toml" => toml::from_str(&text).unwrap(),
                _ => serde_json::from_str(&text).unwrap(),
            };
            (
                file.file_name().unwrap().to_str().unwrap().to_owned(),
                document,
            )
        })
        .collect()
}

/// What queries may name: the services' own series, and those of the exporters that `exporters.yml` lists.
fn known(exposed: &Exposed) -> Known<'_> {
    let mut known = Known::new(exposed);
    let exporters = root().join("deploy/monitoring/exporters.yml");
    let exporters: BTreeMap<String, Value> =
        serde_yaml_ng::from_str(&std::fs::read_to_string(exporters).unwrap()).unwrap();
    for (name, exporter) in &exporters {
        let labels = exporter["labels"].as_array().unwrap().iter();
        let labels: Vec<&str> = labels.map(|label| label.as_str().unwrap()).collect();
        known.record(name, &labels);
    }
    known
}

fn problems_of(queries: &[(String, Option<String>, String)], exposed: &Exposed) -> Vec<String> {
    let mut known = known(exposed);
    // A rule may use what another one records, whatever the order of their files.
    for (_, record, query) in queries {
        if let Some(record) = record {
            let mut labels: Labels = known.labels_of(query);
            labels.extend(["slo", "transport"].map(str::to_owned));
            let labels: BTreeSet<&str> = labels.iter().map(String::as_str).collect();
            known.record(record, &labels.into_iter().collect::<Vec<_>>());
        }
    }
    let problems = queries
        .iter()
        .flat_map(|(place, _, query)| known.problems(place, query));
    problems.collect()
}
