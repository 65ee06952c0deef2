//! `fcs audit` on running services: proofs to keep, the log as files, a witness, a monitor, and the way back from an
//! older backup.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fcs_testkit::process::{Process, free_port, program};
use fcs_testkit::{postgres, redis_url};
use serde_json::Value;
use tempfile::TempDir;

use crate::system::{Store, System, fcs, json};

const LIMIT: Duration = Duration::from_secs(30);

/// A witness that follows a log, and the policy that asks for its cosignature.
struct Witnessed {
    folder: TempDir,
    _process: Process,
}

impl Witnessed {
    /// The log's key is not there yet, so it is given by its seed.
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let state = folder.path().join("witness");
        let identity = [
            "--name",
            "witness.example/w1",
            "--state",
            state.to_str().unwrap(),
        ];
        let arguments = [&["audit", "witness", "key", "-o", "json"][..], &identity].concat();
        let key = json(&fcs(folder.path(), &arguments).output().unwrap());
        fs::write(
            folder.path().join("log.key"),
            "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        )
        .unwrap();
        let origin = "faircredit.example/log";
        let log = fcs_tlog::note::SigningKey::from_seed(origin.parse().unwrap(), &[7; 32]);
        let policy = format!(
            "log {}\nwitness w1 {} http://127.0.0.1:{port}\nquorum w1\n",
            log.verifier_key(),
            key["verifier_key"].as_str().unwrap()
        );
        fs::write(folder.path().join("policy"), policy).unwrap();
        let mut command = Command::new(program("fcs"));
        command
            .args(["audit", "witness", "serve"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--policy")
            .arg(folder.path().join("policy"))
            .args(identity);
        let process = Process::start_command("witness", folder.path(), command);
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < LIMIT, "{}", process.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            folder,
            _process: process,
        }
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy")
    }

    fn configure(&self) -> impl Fn(&'static str, &mut Command) + 'static {
        let (policy, key) = (self.policy(), self.folder.path().join("log.key"));
        move |name, command| {
            if name == "deployment-audit" {
                command
                    .env("FCS__DEPLOYMENT_AUDIT__WITNESS_POLICY_FILE", &policy)
                    .env("FCS__DEPLOYMENT_AUDIT__SIGNING_KEY_FILE", &key);
            }
        }
    }
}

/// Exit code and JSON document of a command.
fn run(system: &System, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = system.fcs(arguments).args(["-o", "json"]).output().unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), document, errors)
}

fn good(system: &System, arguments: &[&str]) -> Value {
    let (code, document, errors) = run(system, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {errors}");
    document
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn proofs_files_and_a_monitor() {
    let witnessed = Witnessed::start();
    let system = System::start_configured(Store::Sqlite, witnessed.configure());
    json(&system.demo("boston-hmda").wait_with_output().unwrap());
    let folder = system.folder().join("auditor");
    fs::create_dir_all(&folder).unwrap();
    let policy = text(&witnessed.policy());
    proofs_verify_offline(&system, &folder, &policy);
    let size = published_logs_verify(&system, &folder, &policy);
    a_monitor_follows_and_finds_a_cut(&system, &folder, (&policy, &size));
}

fn proofs_verify_offline(system: &System, folder: &Path, policy: &str) {
    let listed = good(system, &["decision", "list", "--limit", "1"]);
    let decision = listed["decisions"][0]["decision_id"].as_str().unwrap();
    let deployments = good(system, &["deployment", "list"]);
    let deployment = deployments[0]["deployment_id"].as_str().unwrap();
    for (id, event) in [
        (decision, None),
        (deployment, None),
        (deployment, Some("1")),
    ] {
        let file = text(&folder.join("kept.tlog-proof"));
        let mut prove = vec!["audit", "prove", id, "--to", &file];
        if let Some(event) = event {
            prove.extend(["--event", event]);
        }
        let (code, _, errors) = run(system, &prove);
        assert_eq!(code, Some(0), "{errors}");
        let verify = ["audit", "verify", "--proof", &file, "--policy", policy];
        let verified = good(system, &verify);
        assert_eq!(verified["cosigned_by"], serde_json::json!(["w1"]));
        let kept = fs::read_to_string(&file).unwrap();
        fs::write(&file, kept.replacen("index ", "index 1", 1)).unwrap();
        assert_eq!(run(system, &verify).0, Some(7));
    }
    let missing = ["audit", "prove", deployment, "--event", "99"];
    assert_eq!(run(system, &missing).0, Some(3));
}

/// The size of the log.
fn published_logs_verify(system: &System, folder: &Path, policy: &str) -> Value {
    let out = text(&folder.join("tiles"));
    let export = ["audit", "export", "--out", &out, "--policy", policy];
    let exported = good(system, &export);
    let again = good(system, &export);
    assert_eq!(again["size"], exported["size"]);
    assert_eq!(again["files_written"], 0);
    let live = format!("{}/v1/log", system.url("deployment-audit"));
    let own = text(&system.folder().join("deployment-audit/tiles"));
    for place in [&out, &own, &live] {
        let verify = ["audit", "verify", "--tiles", place, "--policy", policy];
        let verified = good(system, &verify);
        assert_eq!(verified["size"], exported["size"]);
        assert_eq!(verified["last_decision_index"], 2_380);
    }
    good(system, &["audit", "verify", "--policy", policy]);
    exported["size"].clone()
}

fn a_monitor_follows_and_finds_a_cut(
    system: &System,
    folder: &Path,
    (policy, size): (&str, &Value),
) {
    let state = text(&folder.join("monitor"));
    let once = ["audit", "monitor", "--once", "--state", &state];
    let live = format!("{}/v1/log", system.url("deployment-audit"));
    let witnessed = |log: &str| {
        run(
            system,
            &[&once[..], &["--policy", policy, "--log", log]].concat(),
        )
    };
    for _ in 0..2 {
        let (code, seen, errors) = witnessed(&live);
        assert_eq!((code, &seen["size"]), (Some(0), size), "{errors}");
    }
    // Another log of this key, as one signs who holds it and cuts the past.
    let fork = folder.join("fork");
    let origin = "faircredit.example/log".parse().unwrap();
    let key = fcs_tlog::note::SigningKey::from_seed(origin, &[7; 32]);
    let head = fcs_tlog::TreeHead {
        size: 0,
        root: fcs_tlog::empty_root(),
    };
    let origin = key.name().clone();
    let note = fcs_tlog::Checkpoint { origin, head }.sign(&key).unwrap();
    fs::create_dir_all(&fork).unwrap();
    fs::write(fork.join("checkpoint"), note.to_string()).unwrap();
    let fork = text(&fork);
    assert_eq!(witnessed(&fork).0, Some(7), "no quorum");
    let vkey = key.verifier_key().to_string();
    let alone = [&once[..], &["--key", &vkey, "--log", &fork]].concat();
    let (code, _, errors) = run(system, &alone);
    assert_eq!(code, Some(7), "{errors}");
    assert!(errors.contains("fewer than were seen before"), "{errors}");
    assert!(folder.join("monitor/evidence/now.checkpoint").exists());
    assert_eq!(
        witnessed(&live).0,
        Some(0),
        "what was seen is not forgotten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_backup_is_refused_and_put_back_from_the_tiles() {
    let witnessed = Witnessed::start();
    let database = postgres::database().await;
    let store = Store::Postgres {
        database: database.url.clone(),
        redis: redis_url(),
    };
    let mut system = System::start_configured(store, witnessed.configure());
    system.activate("taiwan-default/1");
    let backup = text(&system.folder().join("backup.sql"));
    let schema = ["--schema", "deployment_audit"];
    postgres_program(
        "pg_dump",
        &[&schema[..], &["--file", &backup, &database.url]].concat(),
    );
    json(&system.demo("boston-hmda").wait_with_output().unwrap());
    let policy = text(&witnessed.policy());
    let before = good(&system, &["audit", "verify", "--policy", &policy]);

    system.terminate("deployment-audit");
    let drop = "DROP SCHEMA deployment_audit CASCADE";
    postgres_program("psql", &["--command", drop, &database.url]);
    postgres_program("psql", &["--file", &backup, &database.url]);
    system.launch("deployment-audit");
    wait_for_log(&system, "older than what was published");
    let (code, _, errors) = run(&system, &["audit", "verify", "--policy", &policy]);
    assert_ne!(code, Some(0), "{errors}");
    // The witness remembers too, when the folder is lost with the database.
    system.kill("deployment-audit");
    let tiles = system.folder().join("deployment-audit/tiles");
    let kept = system.folder().join("tiles-elsewhere");
    fs::rename(&tiles, &kept).unwrap();
    system.launch("deployment-audit");
    wait_for_log(&system, "witness w1 has cosigned");
    system.kill("deployment-audit");
    let _ = fs::remove_dir_all(&tiles);
    fs::rename(&kept, &tiles).unwrap();

    let recovered = recover(&system, &database.url, &witnessed);
    assert_eq!(recovered["leaves"], before["size"]);
    assert!(recovered["leaves_before"].as_u64() < recovered["leaves"].as_u64());
    system.start_one("deployment-audit");
    let after = good(&system, &["audit", "verify", "--policy", &policy]);
    assert_eq!(after["root"], before["root"]);
    assert_eq!(after["last_decision_index"], before["last_decision_index"]);
    assert_eq!(good(&system, &["deployment", "list"])[0]["state"], "active");
}

/// What an operator types, with the settings of the service.
fn recover(system: &System, database: &str, witnessed: &Witnessed) -> Value {
    let mut command = fcs(
        &system.folder().join("deployment-audit"),
        &["audit", "recover"],
    );
    command
        .args(["-o", "json"])
        .env("DATABASE_URL", database)
        .env(
            "FCS__DEPLOYMENT_AUDIT__GATEWAY_URL",
            system.url("scoring-gateway"),
        );
    witnessed.configure()("deployment-audit", &mut command);
    json(&command.output().unwrap())
}

fn postgres_program(name: &str, arguments: &[&str]) {
    let folder = std::env::var_os("FCS_TEST_POSTGRES_PROGRAMS").unwrap();
    let output = Command::new(Path::new(&folder).join(name))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
}

fn wait_for_log(system: &System, words: &str) {
    let start = Instant::now();
    while !system.log("deployment-audit").contains(words) {
        assert!(
            start.elapsed() < LIMIT,
            "{}",
            system.log("deployment-audit")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
