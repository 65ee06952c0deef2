//! The conformance tool against our own server, which must not deviate, and against one that must.

use std::path::Path;
use std::process::Output;

use fcs_service::{Running, Settings, Shared, launch};
use fcs_testkit::process::program;
use model_server::{ModelServer, ModelServerSettings};
use serde_json::Value;
use tempfile::TempDir;

struct Server {
    running: Running,
    _folder: TempDir,
}

async fn serve(preload: &[&str]) -> Server {
    let registry = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let settings = ModelServerSettings {
        trust_policy: registry.join("trust.toml"),
        registry: registry.to_str().unwrap().to_owned(),
        preload: preload.iter().map(|it| (*it).to_owned()).collect(),
        ..ModelServerSettings::default()
    };
    let folder = TempDir::new().unwrap();
    let settings = Settings::embedded(folder.path(), settings);
    let running = launch::<ModelServer>(settings, &Shared::silent())
        .await
        .unwrap();
    Server {
        running,
        _folder: folder,
    }
}

async fn conformance(arguments: Vec<String>) -> Output {
    let run = move || {
        std::process::Command::new(program("fcs"))
            .args(["conformance", "-o", "json"])
            .args(arguments)
            .output()
    };
    tokio::task::spawn_blocking(run).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_does_not_deviate() {
    let server = serve(&["boston-hmda/1", "taiwan-default/1"]).await;
    let address = server.running.http.to_string();
    for model in ["boston-hmda", "taiwan-default"] {
        let arguments = ["--target", &address, "--http", &address, "--model", model];
        let output = conformance(arguments.map(str::to_owned).into()).await;
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let others: Vec<_> = findings
            .iter()
            .filter(|finding| finding["outcome"] != "pass")
            .collect();
        assert!(others.is_empty(), "{others:#?}");
        assert!(output.status.success());
        for transport in ["grpc", "http"] {
            let checks = findings.iter().filter(|it| it["transport"] == transport);
            assert!(checks.count() >= 20, "{transport}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deviations_are_told_and_give_exit_code_7() {
    let server = serve(&["boston-hmda/1"]).await;
    // Every check over HTTP deviates where nobody listens.
    let closed = format!("127.0.0.1:{}", fcs_testkit::process::free_port());
    let target = server.running.http.to_string();
    let arguments = ["--target", &target, "--http", &closed];
    let output = conformance(arguments.map(str::to_owned).into()).await;
    assert_eq!(output.status.code(), Some(7));
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let deviates = |transport: &str| {
        let mut checks = findings.iter().filter(|it| it["transport"] == transport);
        checks.any(|it| it["outcome"] == "deviation")
    };
    assert!(deviates("http") && !deviates("grpc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_model_is_told_as_such() {
    let server = serve(&[]).await;
    let target = server.running.http.to_string();
    let output = conformance(vec!["--target".to_owned(), target]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no model is ready"));
}
