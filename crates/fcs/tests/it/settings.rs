//! Bad settings: exit 64, every problem listed with what to do, nothing started.

use std::process::{Command, Output};

use fcs_testkit::process::program;
use tempfile::TempDir;

use crate::system::{SERVICES, root};

fn run(name: &str, variables: &[(&str, &str)]) -> Output {
    let folder = TempDir::new().unwrap();
    Command::new(program(name))
        .current_dir(root())
        .env("FCS_DATA_DIR", folder.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn every_service_lists_every_problem_and_exits_64() {
    for name in SERVICES {
        let output = run(
            name,
            &[
                ("ENVIRONMENT", "development"),
                ("LOG_LEVEL", "LOUD"),
                ("FCS__HTTP__LISTEN", "nowhere"),
                ("FCS__HTTP__LISTENS", "127.0.0.1:1"),
                ("FCS_HTTP_LISTEN", "127.0.0.1:1"),
            ],
        );
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{name}: {text}");
        for named in [
            "log.level",
            "http.listen",
            "FCS__HTTP__LISTENS",
            "FCS_HTTP_LISTEN",
        ] {
            assert!(text.contains(named), "{name} does not name {named}: {text}");
        }
    }
}

#[test]
fn production_needs_a_shared_database() {
    let output = run("scoring-gateway", &[("ENVIRONMENT", "production")]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("DATABASE_URL"), "{text}");
}

#[test]
fn fcs_up_refuses_bad_settings_too() {
    let folder = TempDir::new().unwrap();
    let output = crate::system::fcs(folder.path(), &["up", "--ports", "free"])
        .env("FCS__GATEWAY__BATCH_MAXIMUM", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("batch_max"), "{text}");
}
