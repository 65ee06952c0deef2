//! `fcs policy` and `fcs model backtest` on records in a file.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use fcs_core::{DecisionId, Probability, UnixMicros};
use fcs_decision::application::Application;
use fcs_decision::decision::{DecisionContext, ModelOutput, decide};
use fcs_decision::manifest::FileRole;
use fcs_decision::record::{DecisionRecord, Outcome, RECORD_FORMAT};
use fcs_decision::rows::read_golden;
use fcs_decision::trust::TrustPolicy;
use model_server::app::package::{self, LoadedModel};
use model_server::registry::{Registry, S3Settings};
use serde_json::Value;
use tempfile::TempDir;

use crate::system::{fcs, json, root};

const NOW: UnixMicros = UnixMicros(1_795_385_965_000_001);
const MODEL: &str = "boston-hmda-rules/1";

async fn model() -> LoadedModel {
    let models = root().join("models");
    let registry = Registry::open(models.to_str().unwrap(), &S3Settings::default()).unwrap();
    let trust = fs::read_to_string(models.join("trust.toml")).unwrap();
    let trust = TrustPolicy::parse(&trust).unwrap();
    package::load(&registry, &MODEL.parse().unwrap(), &trust, NOW)
        .await
        .unwrap()
}

/// A decision on each golden row.
fn decided(model: &LoadedModel) -> Vec<DecisionRecord> {
    let manifest = &model.manifest;
    let golden = root()
        .join("models")
        .join(MODEL)
        .join(&manifest.file(FileRole::Golden).path);
    let rows = read_golden(&fs::read(golden).unwrap(), manifest).unwrap();
    let record = |(number, values): (usize, Vec<f64>)| {
        let row = manifest.encode(&manifest.inputs_of(&values)).unwrap();
        let margin = model.engine.margin(row.values());
        let output = ModelOutput {
            margin,
            probability: Probability::try_from(manifest.model.link.probability(margin)).unwrap(),
            base_margin: model.attributor.base_margin(),
            contributions: model.attributor.contributions(row.values()),
        };
        let context = DecisionContext {
            record_format: RECORD_FORMAT,
            application: Application::default(),
            decision_id: DecisionId::new(NOW, &[u8::try_from(number).unwrap(); 10]),
            application_id: format!("A-{number}").parse().unwrap(),
            decided_at: NOW,
            salt: [7; 16],
            arm: "stable".to_owned(),
            cohort_basis_point: 1,
            traffic_generation: 1,
        };
        decide(manifest, &row, &output, &context).unwrap()
    };
    rows.into_iter()
        .map(|row| row.values)
        .enumerate()
        .map(record)
        .collect()
}

struct Desk {
    folder: TempDir,
    records: Vec<DecisionRecord>,
}

impl Desk {
    async fn new() -> Self {
        let desk = Self {
            folder: TempDir::new().unwrap(),
            records: decided(&model().await),
        };
        let mut lines = Vec::new();
        for record in &desk.records {
            lines.extend(record.to_canonical_bytes());
            lines.push(b'\n');
        }
        fs::write(desk.path("records.jsonl"), lines).unwrap();
        let mut demographics = "application_id,parity\n".to_owned();
        for number in 0..desk.records.len() {
            let group = if number % 3 == 0 { "third" } else { "rest" };
            writeln!(demographics, "A-{number},{group}").unwrap();
        }
        fs::write(desk.path("demographics.csv"), demographics).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = fcs(self.folder.path(), arguments);
        command.args(["--records", self.path("records.jsonl").to_str().unwrap()]);
        command.args([
            "--demographics",
            self.path("demographics.csv").to_str().unwrap(),
        ]);
        command.args(["-o", "json"]).output().unwrap()
    }

    fn count(&self, wanted: impl Fn(&DecisionRecord) -> bool) -> usize {
        self.records.iter().filter(|record| wanted(record)).count()
    }
}

fn swap(report: &Value, before: &str, after: &str) -> usize {
    let swaps = report["swaps"].as_array().unwrap();
    let found = swaps
        .iter()
        .find(|it| it["before"] == before && it["after"] == after);
    found.map_or(0, |it| {
        usize::try_from(it["decisions"].as_u64().unwrap()).unwrap()
    })
}

#[tokio::test]
async fn a_backtest_with_the_same_package_changes_nothing() {
    let desk = Desk::new().await;
    let report = json(&desk.run(&["model", "backtest", MODEL]));
    assert_eq!(report["decisions"], desk.records.len());
    assert_eq!(report["skipped"], serde_json::json!({}));
    for swap in report["swaps"].as_array().unwrap() {
        assert_eq!(swap["before"], swap["after"]);
    }
    assert_eq!(
        (&report["score_psi"], &report["first_reason_changed"]),
        (&0.0.into(), &0.into())
    );
    let other = json(&desk.run(&["model", "backtest", "taiwan-default/1"]));
    assert_eq!(
        other["decisions"], 0,
        "features of another model do not fit"
    );
    assert_eq!(other["skipped"].as_object().unwrap().len(), 1, "{other}");
}

#[tokio::test]
async fn a_simulation_counts_who_would_be_decided_otherwise() {
    let desk = Desk::new().await;
    let manifest =
        fs::read_to_string(root().join("models").join(MODEL).join("model.toml")).unwrap();
    let stricter = manifest.replace("approve_at_least = 620", "approve_at_least = 650");
    fs::write(desk.path("new.toml"), &stricter).unwrap();
    let new = desk.path("new.toml");
    let report = json(&desk.run(&["policy", "simulate", "--policy", new.to_str().unwrap()]));
    let lost = desk.count(|it| it.outcome == Outcome::Approve && it.score.unwrap() < 650);
    assert!(lost > 0, "the golden rows hold some");
    assert_eq!(swap(&report, "approve", "refer"), lost);
    let approved = desk.count(|it| it.outcome == Outcome::Approve);
    assert_eq!(swap(&report, "approve", "approve"), approved - lost);
    let total = desk.records.len() as f64;
    let change = report["approval_rate_after"].as_f64().unwrap()
        - report["approval_rate_before"].as_f64().unwrap();
    assert!((change + lost as f64 / total).abs() < 1e-12, "{change}");
    let third = report["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["group"] == "third")
        .unwrap();
    let rate = |of_third: bool| {
        let mut of = desk
            .records
            .iter()
            .enumerate()
            .filter(|(number, _)| (number % 3 == 0) == of_third);
        let all = of.clone().count() as f64;
        of.by_ref()
            .filter(|(_, it)| it.outcome == Outcome::Approve)
            .count() as f64
            / all
    };
    let ratio = third["adverse_impact_ratio_before"].as_f64().unwrap();
    assert!((ratio - rate(true) / rate(false)).abs() < 1e-12, "{ratio}");
    assert_eq!(third["reference"], "rest");
}

#[test]
fn a_check_says_what_is_known_how() {
    let folder = TempDir::new().unwrap();
    let package = root().join("models").join(MODEL);
    let check = |file: &str, more: &[&str]| {
        fcs(folder.path(), &["policy", "check", file, "-o", "json"])
            .args(more)
            .output()
            .unwrap()
    };
    let checked = json(&check(package.to_str().unwrap(), &[]));
    assert_eq!(checked["reference_rows"], 136);
    let findings = checked["findings"].as_array().unwrap();
    let finding = |rule: &str, kind: &str| {
        findings
            .iter()
            .find(|it| it["rule"] == rule && it["kind"] == kind)
            .unwrap()
    };
    assert_eq!(
        finding("debt-to-income-limit", "reachable")["method"]["by"],
        "exact"
    );
    assert_eq!(
        finding("combined-burden", "reachable")["method"]["by"],
        "sampled"
    );
    let policy = folder.path().join("policy.toml");
    let rules = |action: &str| {
        format!(
            "[policy]\nname = \"p\"\nversion = \"1\"\napprove_at_least = 620\nrefer_at_least = 570\n\
             [[policy.rules]]\nid = \"a\"\nwhen = \"features.dir > 0.5\"\naction = \"deny\"\nreason = \"NEW-REASON\"\n\
             [[policy.rules]]\nid = \"b\"\nwhen = \"features.dir > 0.4 && score < 600\"\naction = \"{action}\"\n\
             reason = \"NEW-REASON\"\n\
             [[reasons]]\ncode = \"NEW-REASON\"\nregb_ref = \"09\"\nhmda_code = 1\ntext = \"Debts are high\"\n"
        )
    };
    let file = policy.to_str().unwrap();
    fs::write(&policy, rules("deny")).unwrap();
    let checked = json(&check(file, &["--model", MODEL]));
    assert_eq!(
        (&checked["policy"], &checked["rules"]),
        (&"p 1".into(), &2.into())
    );
    fs::write(&policy, rules("refer")).unwrap();
    let refused = check(file, &["--model", MODEL]);
    assert_eq!(refused.status.code(), Some(7));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(
        text.contains("policy.rules[0].when: overlaps a later rule"),
        "{text}"
    );
    let alone = check(file, &[]);
    assert_eq!(
        alone.status.code(),
        Some(2),
        "a file of its own needs a schema"
    );
}
