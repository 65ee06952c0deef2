//! Four real service processes, and the `fcs` command beside them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fcs_testkit::process::{Process, free_port, program};
use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::mtls::Certificates;

/// Names in the order in which they need each other.
pub(crate) const SERVICES: [&str; 4] = [
    "model-server",
    "scoring-gateway",
    "bias-monitor",
    "deployment-audit",
];

const START_LIMIT: Duration = Duration::from_secs(30);

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

static ALONE: Mutex<()> = Mutex::new(());

/// Whole systems run one after the other: together they would starve each other on two cores.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the services keep their data.
#[derive(Clone)]
pub(crate) enum Store {
    /// A file per service.
    Sqlite,
    /// A schema per service in the database of this URL, and a Redis.
    Postgres {
        /// URL of the database.
        database: String,
        /// URL of the Redis.
        redis: String,
    },
}

/// Changes how a service is started, by its name.
type Configure = Box<dyn Fn(&'static str, &mut Command)>;

/// Running services.
pub(crate) struct System {
    store: Store,
    folder: TempDir,
    certificates: Option<Certificates>,
    more: Configure,
    ports: BTreeMap<&'static str, (u16, u16)>,
    processes: BTreeMap<&'static str, Process>,
    _alone: MutexGuard<'static, ()>,
}

impl System {
    /// Starts all four and waits until they are ready.
    pub(crate) fn start(store: Store) -> Self {
        Self::start_with(store, None, Box::new(|_, _| ()))
    }

    /// The same, with every call over TLS and certificates on both sides.
    pub(crate) fn start_over_tls(store: Store, certificates: Certificates) -> Self {
        Self::start_with(store, Some(certificates), Box::new(|_, _| ()))
    }

    /// The same as [`System::start`], with further settings.
    pub(crate) fn start_configured(
        store: Store,
        more: impl Fn(&'static str, &mut Command) + 'static,
    ) -> Self {
        Self::start_with(store, None, Box::new(more))
    }

    fn start_with(store: Store, certificates: Option<Certificates>, more: Configure) -> Self {
        let folder = TempDir::new().unwrap();
        let ports = SERVICES
            .map(|name| (name, (free_port(), free_port())))
            .into();
        let mut system = Self {
            store,
            folder,
            certificates,
            more,
            ports,
            processes: BTreeMap::new(),
            _alone: alone(),
        };
        for name in SERVICES {
            system.start_one(name);
        }
        system
    }

    /// Starts one service on its own ports.
    pub(crate) fn start_one(&mut self, name: &'static str) {
        self.launch(name);
        let admin = self.ports[name].1;
        if let Some(process) = self.processes.get_mut(name) {
            wait_until_ready(process, admin);
        }
    }

    /// Starts one service without waiting for it.
    pub(crate) fn launch(&mut self, name: &'static str) {
        let (http, admin) = self.ports[name];
        let gateway = self.url("scoring-gateway");
        let data = self.folder.path().join(name);
        let process = Process::start(name, self.folder.path(), |command| {
            command
                .current_dir(root())
                .env("ENVIRONMENT", "development")
                .env("LOG_LEVEL", "DEBUG")
                .env("FCS__LOG__FORMAT", "json")
                .env("FCS_DATA_DIR", &data)
                .env("FCS__HTTP__LISTEN", format!("127.0.0.1:{http}"))
                .env("FCS__ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
            match name {
                "scoring-gateway" => {
                    command.env("FCS__GATEWAY__MODEL_SERVER_URL", self.url("model-server"));
                }
                "bias-monitor" => {
                    command.env("FCS__BIAS_MONITOR__GATEWAY_URL", &gateway);
                }
                "deployment-audit" => {
                    command
                        .env("FCS__DEPLOYMENT_AUDIT__GATEWAY_URL", &gateway)
                        .env(
                            "FCS__DEPLOYMENT_AUDIT__BIAS_MONITOR_URL",
                            self.url("bias-monitor"),
                        );
                }
                _ => {}
            }
            if let Some(certificates) = &self.certificates {
                certificates.configure(name, command);
            }
            if let (Store::Postgres { database, redis }, true) =
                (&self.store, name != "model-server")
            {
                command
                    .env("DATABASE_URL", database)
                    .env("REDIS_URL", redis);
                command.env("FCS__DATABASE__MIGRATE_ON_START", "true");
            }
            (self.more)(name, command);
        });
        self.processes.insert(name, process);
    }

    /// Ends a service at once, as a power cut would.
    pub(crate) fn kill(&mut self, name: &'static str) {
        let mut process = self.processes.remove(name).unwrap();
        process.signal("KILL");
        process.wait(Duration::from_secs(5));
    }

    /// Ends a service in order; it must exit with 0 within its deadline.
    pub(crate) fn terminate(&mut self, name: &'static str) {
        let mut process = self.processes.remove(name).unwrap();
        process.signal("TERM");
        let status = process.wait(Duration::from_secs(25));
        assert!(
            status.success(),
            "{name} ended with {status}:\n{}",
            tail(&process.log())
        );
    }

    /// Base URL of a service.
    pub(crate) fn url(&self, name: &str) -> String {
        let port = self.ports[name].0;
        match self.certificates {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        }
    }

    /// Base URL of a service's admin listener.
    pub(crate) fn admin(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[name].1)
    }

    /// What a service has logged, which may have ended.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap()
    }

    /// Folder of the logs, and in it of each service's own data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An `fcs` command that talks to these services.
    pub(crate) fn fcs(&self, arguments: &[&str]) -> Command {
        let mut command = fcs(self.folder.path(), arguments);
        command
            .args(["--gateway", &self.url("scoring-gateway")])
            .args(["--bias-monitor", &self.url("bias-monitor")])
            .args(["--deployment-audit", &self.url("deployment-audit")]);
        if let Some(certificates) = &self.certificates {
            command.args(certificates.flags("operator"));
        }
        command
    }

    /// Puts a model into traffic.
    pub(crate) fn activate(&self, model: &str) {
        let run =
            |arguments: &[&str]| json(&self.fcs(arguments).args(["-o", "json"]).output().unwrap());
        let who = ["--as", "rita", "--author", "ana", "--commit", "0123abc"];
        let what = ["deployment", "register", model, "--description", "test"];
        let deployment = run(&[&what[..], &who].concat());
        let id = deployment["deployment_id"].as_str().unwrap();
        run(&["deployment", "approve", id, "--as", "paul"]);
        run(&["deployment", "activate", id, "--as", "olga"]);
    }

    /// Drives the demo through these services, in the background.
    pub(crate) fn demo(&self, model: &str) -> std::process::Child {
        self.fcs(&["demo", "--attach", "--model", model, "-o", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Highest index of the decision log; 0 while the gateway is away.
    pub(crate) fn highest_index(&self) -> u64 {
        let output = self
            .fcs(&["decision", "list", "--limit", "1", "-o", "json"])
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        document["highest_index"].as_u64().unwrap_or(0)
    }
}

/// An `fcs` command in the root of the repository.
pub(crate) fn fcs(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program("fcs"));
    command
        .current_dir(root())
        .env("FCS_DATA_DIR", data_dir)
        .args(arguments);
    command
}

/// The JSON document that a successful command printed.
pub(crate) fn json(output: &Output) -> Value {
    let [errors, printed] = [&output.stderr, &output.stdout].map(|it| String::from_utf8_lossy(it));
    assert!(
        output.status.success(),
        "{}: {errors}{printed}",
        output.status
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Rows of a compressed CSV file below `models/`, without the header.
pub(crate) fn rows(path: &str) -> Vec<Vec<String>> {
    let mut text = String::new();
    let file = File::open(root().join("models").join(path)).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

fn wait_until_ready(process: &mut Process, admin: u16) {
    let start = std::time::Instant::now();
    while !is_ready(admin) {
        assert!(
            process.is_running(),
            "a service ended at its start:\n{}",
            process.log()
        );
        assert!(
            start.elapsed() < START_LIMIT,
            "not ready:\n{}",
            tail(&process.log())
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_ready(admin: u16) -> bool {
    use std::io::Write;
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", admin)) else {
        return false;
    };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /ready HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    asked.is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
