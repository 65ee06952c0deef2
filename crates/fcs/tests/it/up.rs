//! The embedded system with a model in traffic, for clients of its API.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use fcs_testkit::process::program;
use serde_json::Value;
use tempfile::TempDir;

use crate::system::{alone, fcs, json, root};

const LIMIT: Duration = Duration::from_secs(30);

/// A creditor for notices.
pub(crate) const CREDITOR: [(&str, &str); 3] = [
    ("FCS__GATEWAY__NOTICE__CREDITOR_NAME", "First Test Bank"),
    (
        "FCS__GATEWAY__NOTICE__CREDITOR_ADDRESS",
        "1 Main Street, Springfield, IL 62701",
    ),
    (
        "FCS__GATEWAY__NOTICE__AGENCY",
        "Bureau of Tests, 2 Agency Road, Washington, DC 20552",
    ),
];

/// A running `fcs up`; killed when dropped.
pub(crate) struct Up {
    child: Child,
    pub(crate) folder: TempDir,
    models: PathBuf,
    /// `host:port` of the gateway.
    pub(crate) gateway: String,
    _alone: MutexGuard<'static, ()>,
}

impl Up {
    /// Starts it on free ports and puts a model into traffic.
    pub(crate) fn start(model: &str) -> Self {
        Self::start_with(&root().join("models"), model)
    }

    /// The same with packages, and a trust policy, of another folder.
    pub(crate) fn start_with(models: &Path, model: &str) -> Self {
        let alone = alone();
        let folder = TempDir::new().unwrap();
        let child = Command::new(program("fcs"))
            .current_dir(root())
            .env("FCS_DATA_DIR", folder.path())
            .envs(CREDITOR)
            .args(["up", "--ports", "free", "--models-dir"])
            .arg(models)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut up = Self {
            child,
            folder,
            models: models.to_owned(),
            gateway: String::new(),
            _alone: alone,
        };
        up.gateway = up.address();
        up.activate(model);
        up
    }

    /// The note with the addresses is written when every service listens.
    fn address(&mut self) -> String {
        let start = Instant::now();
        let note = self.folder.path().join("endpoints.json");
        loop {
            let text = std::fs::read(&note).unwrap_or_default();
            if let Ok(note) = serde_json::from_slice::<Value>(&text) {
                let url = note["gateway"].as_str().unwrap();
                return url.trim_start_matches("http://").to_owned();
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended");
            assert!(start.elapsed() < LIMIT, "not up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The document that a command about this system prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        let mut command = fcs(self.folder.path(), arguments);
        command.arg("--models-dir").arg(&self.models);
        json(&command.args(["-o", "json"]).output().unwrap())
    }

    fn activate(&self, model: &str) {
        let run = |arguments: &[&str]| self.run(arguments);
        let who = ["--as", "rita", "--author", "ana", "--commit", "0123abc"];
        let what = ["deployment", "register", model, "--description", "test"];
        let deployment = run(&[&what[..], &who].concat());
        let id = deployment["deployment_id"].as_str().unwrap();
        run(&["deployment", "approve", id, "--as", "paul"]);
        run(&["deployment", "activate", id, "--as", "olga"]);
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
