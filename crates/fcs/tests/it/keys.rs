//! API keys by the command line: the first one from the store, the others from a gateway that lets nobody else in.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::Duration;

use fcs_testkit::process::{Process, free_port};
use fcs_testkit::wait::until;
use serde_json::Value;
use tempfile::TempDir;

use crate::system::{fcs, json, root};

const SOON: Duration = Duration::from_secs(30);

/// A gateway that requires keys, with its data in a folder of its own.
struct Guarded {
    folder: TempDir,
    port: u16,
    _process: Process,
}

impl Guarded {
    async fn start(folder: TempDir) -> Self {
        let port = free_port();
        let process = Process::start("scoring-gateway", folder.path(), |command| {
            command
                .current_dir(root())
                .env("FCS_DATA_DIR", folder.path())
                .env("FCS__AUTH__MODE", "required")
                .env("FCS__HTTP__LISTEN", format!("127.0.0.1:{port}"))
                .env("FCS__ADMIN__LISTEN", "127.0.0.1:0");
        });
        let guarded = Self {
            folder,
            port,
            _process: process,
        };
        until("the gateway answers", SOON, async || {
            let output = guarded.fcs(&["key", "list"]).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            text.contains("CREDENTIALS_MISSING").then_some(())
        })
        .await;
        guarded
    }

    fn fcs(&self, arguments: &[&str]) -> Command {
        let mut command = fcs(self.folder.path(), arguments);
        command.args(["--gateway", &format!("http://127.0.0.1:{}", self.port)]);
        command
    }

    fn with_key(&self, key: &str, arguments: &[&str]) -> Output {
        let key = self.folder.path().join(key);
        let mut command = self.fcs(arguments);
        command.env("FCS_API_KEY_FILE", key).output().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_comes_from_the_store_and_the_others_from_the_gateway() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("admin.key");
    let made = fcs(
        folder.path(),
        &[
            "key",
            "create",
            "admin",
            "--role",
            "platform-admin",
            "--local",
        ],
    )
    .arg("--to")
    .arg(&file)
    .output()
    .unwrap();
    assert!(made.status.success(), "{made:?}");
    let key = std::fs::read_to_string(&file).unwrap();
    let shown = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(!shown.contains(key.trim()), "it is in its file alone");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let guarded = Guarded::start(folder).await;
    let missing = guarded.fcs(&["key", "list"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(4));
    let arguments = [
        "key",
        "create",
        "origination",
        "--tenant",
        "acme",
        "--role",
        "originator",
        "-o",
        "json",
    ];
    let created = json(&guarded.with_key("admin.key", &arguments));
    let client = created["client_id"].as_str().unwrap();
    let secret = created["key"].as_str().unwrap();
    std::fs::write(guarded.folder.path().join("acme.key"), secret).unwrap();
    let forbidden = guarded.with_key("acme.key", &["key", "list"]);
    assert_eq!(forbidden.status.code(), Some(4));
    let decisions = guarded.with_key("acme.key", &["decision", "list", "-o", "json"]);
    assert!(decisions.status.success(), "{decisions:?}");

    let rotate = [
        "key",
        "rotate",
        client,
        "--overlap-hours",
        "1",
        "-o",
        "json",
    ];
    let rotated = json(&guarded.with_key("admin.key", &rotate));
    assert_eq!(rotated["keys"].as_array().unwrap().len(), 2);
    let full = guarded.with_key("admin.key", &rotate);
    assert_eq!(full.status.code(), Some(5));
    let revoke = ["key", "revoke", client, "--all"];
    assert!(guarded.with_key("admin.key", &revoke).status.success());
    let list = ["key", "list", "--tenant", "acme", "-o", "json"];
    let listed: Value = json(&guarded.with_key("admin.key", &list));
    assert_eq!(listed[0]["keys"], Value::Array(vec![]));
    until("the revoked key is refused", SOON, async || {
        let refused = guarded.with_key("acme.key", &["decision", "list"]);
        (refused.status.code() == Some(4)).then_some(())
    })
    .await;
}
