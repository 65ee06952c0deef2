//! The settings of each environment in `config/`, read by each service as it would there.

use std::path::Path;
use std::process::{Command, Output};

use fcs_testkit::certificates::Authority;
use fcs_testkit::process::program;
use tempfile::TempDir;

use crate::system::{SERVICES, root};

/// Where containers have their certificates, secrets and trust policy.
const MOUNTED: &str = "/etc/fcs";

/// What the platform gives beside the files.
const VARIABLES: [(&str, &str); 4] = [
    ("REDIS_URL", "rediss://cache:6379"),
    ("FCS__MODEL_SERVER__REGISTRY", "s3://models/registry"),
    ("FCS__AUTH__OIDC__ISSUER", "https://login.example"),
    ("FCS__AUTH__OIDC__AUDIENCE", "fair-credit-scorer"),
];
const DATABASE: (&str, &str) = ("DATABASE_URL", "postgresql://fcs:pw@db:5432/fcs");

/// A copy of `config/` that names files of this machine, changed by `change`, beside those files.
fn mounted(environment: &str, change: impl Fn(String) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    for name in ["tls", "secrets", "trust"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    let authority = Authority::new("test");
    let identity = authority.sign(&["service"]);
    std::fs::write(at("tls/ca.crt"), authority.pem()).unwrap();
    std::fs::write(at("tls/tls.crt"), &identity.certificate).unwrap();
    std::fs::write(at("tls/tls.key"), &identity.key).unwrap();
    std::fs::copy(root().join("models/trust.toml"), at("trust/trust.toml")).unwrap();
    let file = format!("{environment}.toml");
    let text = std::fs::read_to_string(root().join("config").join(&file)).unwrap();
    let text = text.replace(MOUNTED, folder.path().to_str().unwrap());
    std::fs::write(at(&file), change(text)).unwrap();
    folder
}

fn check(service: &str, environment: &str, folder: &Path, more: &[(&str, &str)]) -> Output {
    let shared = environment != "development";
    let variables = VARIABLES.into_iter().filter(|_| shared);
    Command::new(program(service))
        .args(["config", "check"])
        .current_dir(root())
        .env("FCS_CONFIG_DIR", folder)
        .env("ENVIRONMENT", environment)
        .envs(variables)
        .envs(more.iter().copied())
        .output()
        .unwrap()
}

/// The problems that a service has with its settings; every line of them.
fn problems(service: &str, environment: &str, folder: &Path, more: &[(&str, &str)]) -> String {
    let output = check(service, environment, folder, more);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{service}: {text}");
    text
}

#[test]
fn every_service_takes_the_settings_of_every_environment() {
    for environment in ["development", "staging", "production"] {
        let folder = mounted(environment, |text| text);
        for service in SERVICES {
            let stores = environment != "development" && service != "model-server";
            let database: &[_] = if stores { &[DATABASE] } else { &[] };
            let output = check(service, environment, folder.path(), database);
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{service}, {environment}: {text}");
        }
    }
}

#[test]
fn production_does_not_start_without_what_keeps_it_safe() {
    let without = |key: &'static str| {
        mounted("production", move |text| {
            let kept = text.lines().filter(|line| !line.starts_with(key));
            kept.flat_map(|line| [line, "\n"]).collect()
        })
    };
    let plain = without("certificate =");
    for service in SERVICES {
        let text = problems(service, "production", plain.path(), &[DATABASE]);
        assert!(text.contains("tls"), "{service}: {text}");
    }
    let folder = without("key_file =");
    let text = problems("scoring-gateway", "production", folder.path(), &[DATABASE]);
    assert!(text.contains("gateway.privacy.key_file"), "{text}");

    let whole = mounted("production", |text| text);
    for (service, variable, value, named) in [
        ("scoring-gateway", "FCS__AUTH__MODE", "open", "auth.mode"),
        ("scoring-gateway", "DATABASE_URL", "sqlite:", "database.url"),
        (
            "scoring-gateway",
            "FCS__GATEWAY__MODEL_SERVER_URL",
            "http://model-server:8010",
            "gateway.model_server_url",
        ),
        (
            "bias-monitor",
            "FCS__BIAS_MONITOR__GATEWAY_URL",
            "http://scoring-gateway:8000",
            "bias_monitor.gateway_url",
        ),
        (
            "deployment-audit",
            "FCS__DEPLOYMENT_AUDIT__GATEWAY_URL",
            "http://scoring-gateway:8000",
            "deployment_audit.gateway_url",
        ),
        (
            "model-server",
            "FCS__AUTH__OIDC__ISSUER",
            "http://login.example",
            "auth.oidc.issuer",
        ),
        (
            "model-server",
            "ENABLE_DEBUG_TOOLBAR",
            "true",
            "ENABLE_DEBUG_TOOLBAR",
        ),
    ] {
        let more = [DATABASE, (variable, value)];
        let text = problems(service, "production", whole.path(), &more);
        assert!(text.contains(named), "{service}, {variable}: {text}");
    }
}
