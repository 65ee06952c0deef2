//! Four real services, a real Prometheus that scrapes them, load, and a candidate whose rows can be spoiled.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use fcs_testkit::load::{Load, Pace, post, run};
use fcs_testkit::prometheus::{self, PrometheusServer};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::faults::FaultyModels;
use crate::system::{SERVICES, Store, System, json};

pub(crate) const STABLE: &str = "boston-hmda/1";
pub(crate) const CANDIDATE: &str = "boston-hmda-rules/1";
/// Longest wait for anything, on a machine that is busy with other tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(24);
/// Applications a second.
const PER_SECOND: f64 = 100.0;

/// Half of the traffic, then all of it. Nothing but the times differs from the usual plan.
pub(crate) fn plan(bake_s: u64) -> Value {
    plan_from(5_000, bake_s)
}

/// The same from another first share on, in basis points.
pub(crate) fn plan_from(weight: u32, bake_s: u64) -> Value {
    let share = |weight: u32, seconds: u64| json!({"weight": weight, "bake_micros": seconds * 1_000_000, "gate": false});
    json!({
        "strategy": {"kind": "canary", "shares": [share(weight, bake_s), share(10_000, 20)]},
        "analysis": {"look_micros": 1_000_000, "fresh_micros": 5_000_000},
        "limits": {"final_bake_micros": 5_000_000, "tick_gap_micros": 5_000_000, "extensions_max": 6},
    })
}

/// A policy that watches one attribute, as the monitor reads it.
const POLICY: &str = r#"
format = 1
name = "test"
version = 1
jurisdiction = "US-MA"
effective_from = "2026-01-01"
rationale = "The four-fifths rule."

[[attributes]]
name = "race"
reference = "white"
"#;

pub(crate) struct Scene {
    pub(crate) prometheus: PrometheusServer,
    pub(crate) models: FaultyModels,
    pub(crate) system: System,
    load: JoinSet<()>,
}

impl Scene {
    /// The stable version has everything, and applications come.
    pub(crate) async fn set() -> Self {
        let prometheus = prometheus::server(&[]);
        let models = FaultyModels::start().await;
        let (url, models_url) = (prometheus.url(), models.url.clone());
        let pass_on_to = models.pass_on_to();
        let policy = tempfile::NamedTempFile::new().unwrap();
        fs::write(&policy, POLICY).unwrap();
        let system = System::start_configured(Store::Sqlite, move |name, command| match name {
            "scoring-gateway" => {
                const SERVER: &str = "FCS__GATEWAY__MODEL_SERVER_URL";
                let set = command.get_envs().find(|(key, _)| *key == SERVER);
                let real = set.and_then(|(_, url)| url).unwrap().to_str().unwrap();
                pass_on_to(real);
                command.env(SERVER, &models_url);
                // Slow answers shall be slow and no errors.
                command.env("FCS__GATEWAY__SCORE_TIMEOUT_MS", "10000");
            }
            "bias-monitor" => {
                command.env("FCS__BIAS_MONITOR__POLICY_FILE", policy.path());
                // Applicants are told of some seconds after they apply.
                command.env("FCS__BIAS_MONITOR__SETTLE_S", "60");
                command.env("FCS__BIAS_MONITOR__REPORT_INTERVAL_MS", "500");
            }
            "deployment-audit" => {
                command.env("FCS__DEPLOYMENT_AUDIT__PROMETHEUS_URL", &url);
                command.env("FCS__DEPLOYMENT_AUDIT__ROLLOUT_INTERVAL_MS", "500");
            }
            _ => {}
        });
        system.activate(STABLE);
        let mut scene = Self {
            prometheus,
            models,
            system,
            load: JoinSet::new(),
        };
        scene.prometheus.scrape(&scene.targets());
        let gateway = scene.address("scoring-gateway");
        scene.send(gateway, application);
        scene.until_counted();
        scene
    }

    /// What Prometheus scrapes.
    pub(crate) fn targets(&self) -> Vec<String> {
        let admin = SERVICES.iter().map(|name| self.system.admin(name));
        admin
            .map(|url| url.trim_start_matches("http://").to_owned())
            .collect()
    }

    /// Tells the monitor of the applicants, as they come.
    pub(crate) fn tell_demographics(&mut self) {
        let monitor = self.address("bias-monitor");
        self.send(monitor, demographics);
    }

    /// Has the candidate decide every application in the shadow.
    pub(crate) fn shadow(&self) {
        let shadow = ["traffic", "shadow", "next", CANDIDATE, "--sample", "10000"];
        let output = self.system.fcs(&shadow).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn send(&mut self, to: SocketAddr, request: fn(u64) -> Vec<u8>) {
        let load = Load {
            to,
            connections: 16,
            pace: Pace::Open(PER_SECOND),
            length: FOR_EVER,
        };
        self.load.spawn(async move {
            run(load, request).await;
        });
    }

    fn address(&self, service: &str) -> SocketAddr {
        let url = self.system.url(service);
        url.trim_start_matches("http://").parse().unwrap()
    }

    /// Waits until Prometheus knows of the applications that come now.
    pub(crate) fn until_counted(&self) {
        let come = r#"sum(increase(fcs_gateway_arm_requests_total{result="decided"}[5s]))"#;
        let start = Instant::now();
        while self.prometheus.value(come).is_none_or(|it| it < 50.0) {
            assert!(start.elapsed() < LIMIT, "no applications within {LIMIT:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Proposes the candidate and lets it go; gives the rollout's identifier.
    pub(crate) fn roll_out(&self, plan: &Value) -> String {
        let file = self.system.folder().join("plan.json");
        fs::write(&file, plan.to_string()).unwrap();
        let who = ["--as", "rita", "--author", "ana", "--commit", "0123abc"];
        let what = ["propose", CANDIDATE, "--description", "rules"];
        let plan = ["--plan", file.to_str().unwrap()];
        let proposed = self.rollout(&[&what[..], &who, &plan].concat());
        let id = proposed["rollout_id"].as_str().unwrap().to_owned();
        self.rollout(&["start", &id, "--as", "olga"]);
        id
    }

    pub(crate) fn rollout(&self, arguments: &[&str]) -> Value {
        let arguments = [&["rollout"], arguments, &["-o", "json"]].concat();
        json(&self.system.fcs(&arguments).output().unwrap())
    }

    /// The rollout, once it is so.
    pub(crate) fn once(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let rollout = self.rollout(&["get", id]);
            if is_so(&rollout) {
                return rollout;
            }
            let is_late = start.elapsed() > LIMIT;
            assert!(!is_late, "{what}: not within {LIMIT:?}\n{}", told(&rollout));
            std::thread::sleep(PAUSE);
        }
    }

    /// The candidate's share of the traffic in force, in basis points.
    pub(crate) fn weight(&self) -> u64 {
        let table = self.system.fcs(&["traffic", "show", "-o", "json"]).output();
        let table = json(&table.unwrap());
        let arms = table["arms"].as_array().unwrap();
        let arm = arms.iter().find(|arm| arm["model"] == CANDIDATE);
        arm.map_or(0, |arm| arm["weight_basis_points"].as_u64().unwrap())
    }
}

/// Kinds and details of a rollout's events, one per line.
pub(crate) fn told(rollout: &Value) -> String {
    let events = rollout["events"].as_array().unwrap();
    let dull = ["proposed", "bake_advanced"];
    let lines = events
        .iter()
        .filter(|event| !dull.contains(&event["kind"].as_str().unwrap()))
        .map(|event| format!("{} {}", event["occurred_at"], event["detail"]));
    lines.collect::<Vec<_>>().join("\n")
}

/// The last event of a kind.
pub(crate) fn last<'a>(rollout: &'a Value, kind: &str) -> Option<&'a Value> {
    let events = rollout["events"].as_array().unwrap();
    events.iter().rev().find(|event| event["kind"] == kind)
}

/// When an event happened.
pub(crate) fn at(event: &Value) -> SystemTime {
    humantime::parse_rfc3339(event["occurred_at"].as_str().unwrap()).unwrap()
}

/// Every second applicant is black; of these, six in ten carry much for their income, which the candidate's rules refer
/// and the stable version approves.
fn is_burdened(number: u64) -> bool {
    number.is_multiple_of(2) && number / 2 % 10 < 6
}

fn application(number: u64) -> Vec<u8> {
    let (dir, hir) = if is_burdened(number) {
        (0.40, 0.36)
    } else {
        (0.30, 0.25)
    };
    let body = json!({
        "application_id": format!("A-{number}"),
        "features": {
            "dir": dir, "hir": hir, "lvr": 0.7, "uria": 3.1, "ccs": "no_slow_payments",
            "mcs": "no_late_payments", "pbcr": "no", "dmi": "no", "self": "no", "condominium": "no",
        },
    });
    let key = format!("idempotency-key: k-{number}\r\n");
    post("/v1/applications/score", &key, &body.to_string())
}

fn demographics(number: u64) -> Vec<u8> {
    let race = if number.is_multiple_of(2) {
        "black"
    } else {
        "white"
    };
    let item = json!({
        "application_id": format!("A-{number}"),
        "attributes": {"race": race},
        "source": "self_reported",
    });
    let body = json!({"items": [item]}).to_string();
    post("/v1/demographics", "", &body)
}
