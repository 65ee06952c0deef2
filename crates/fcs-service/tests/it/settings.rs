//! Settings: layers, names, and every problem at once.

use std::collections::BTreeMap;
use std::fs;

use fcs_service::settings::{LogFormat, Settings, Sources, load, shown_json, shown_toml};
use fcs_service::{Environment, SettingsProblems};
use fcs_testkit::certificates::Authority;

use crate::sample::{Sample, SampleSettings};

type Loaded = Result<Settings<SampleSettings>, SettingsProblems>;

fn variables(pairs: &[(&str, &str)]) -> Loaded {
    load::<Sample>(&with_variables(pairs))
}

fn with_variables(pairs: &[(&str, &str)]) -> Sources {
    let variables: BTreeMap<_, _> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Sources {
        variables,
        ..Sources::default()
    }
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    variables(pairs).expect_err("there are problems").0
}

/// The one problem of these variables.
fn problem(pairs: &[(&str, &str)]) -> String {
    let mut all = problems(pairs);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn nothing_set_gives_the_defaults_of_development() {
    let settings = variables(&[]).unwrap();
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(settings.database.url.expose(), "sqlite:");
    assert_eq!(settings.shutdown.unready_delay_ms, 0);
    assert_eq!(settings.log.format, LogFormat::Pretty);
    assert_eq!(settings.service.greeting, "hello");
}

#[test]
fn production_listens_everywhere_and_logs_json() {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new("ours")
        .sign(&["gateway"])
        .install(folder.path(), "gateway");
    let (certificate, key) = (files.certificate.to_str(), files.key.to_str());
    let settings = variables(&[
        ("ENVIRONMENT", "Production"),
        ("DATABASE_URL", "postgresql://fcs:pw@db:5432/fcs"),
        ("FCS__TLS__CERTIFICATE", certificate.unwrap()),
        ("FCS__TLS__KEY", key.unwrap()),
    ])
    .unwrap();
    assert_eq!(settings.http.listen.to_string(), "0.0.0.0:8090");
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.shutdown.unready_delay_ms, 5_000);
    let missing = variables(&[("ENVIRONMENT", "production")])
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("PostgreSQL") && missing.contains("DATABASE_URL"),
        "{missing}"
    );
    assert!(missing.contains("TLS only"), "{missing}");
}

#[test]
fn the_short_variables_work_as_they_stand() {
    let settings = variables(&[
        ("ENVIRONMENT", "staging"),
        ("LOG_LEVEL", "WARNING"),
        ("DATABASE_URL", "postgres://fcs:pw@db/fcs"),
        ("REDIS_URL", "redis://cache:6379/0"),
        ("ENABLE_METRICS", "False"),
        ("SENTRY_DSN", "https://key@errors.example/7"),
        ("ENABLE_DEBUG_TOOLBAR", "false"),
        ("FCS_DATA_DIR", "/var/lib/fcs"),
    ])
    .unwrap();
    assert_eq!(settings.environment, Environment::Staging);
    assert_eq!(settings.log.level, "warn");
    assert_eq!(settings.database.url.expose(), "postgres://fcs:pw@db/fcs");
    assert_eq!(settings.redis.url.unwrap().expose(), "redis://cache:6379/0");
    assert!(!settings.telemetry.metrics);
    assert!(settings.telemetry.sentry_dsn.is_some());
    assert_eq!(settings.data_dir.to_str(), Some("/var/lib/fcs"));
}

#[test]
fn texts_take_the_type_of_their_key() {
    let settings = variables(&[
        ("FCS__HTTP__LISTEN", "0.0.0.0:80"),
        ("FCS__HTTP__MAX_CONNECTIONS", "12"),
        ("FCS__SAMPLE__FLOOR", "0.5"),
        ("FCS__SAMPLE__NAMES", "a, b"),
        ("FCS__SAMPLE__LIMIT", "7"),
        ("FCS__SAMPLE__GREETING", "0123"),
        ("FCS__TELEMETRY__METRICS", ""),
    ])
    .unwrap();
    assert_eq!(settings.http.listen.port(), 80);
    assert_eq!(settings.http.max_connections, 12);
    assert!((settings.service.floor - 0.5).abs() < f64::EPSILON);
    assert_eq!(settings.service.names, ["a", "b"]);
    assert_eq!(settings.service.limit, Some(7));
    assert_eq!(
        settings.service.greeting, "0123",
        "a text is not read as a number"
    );
    assert!(
        settings.telemetry.metrics,
        "an empty variable counts as not set"
    );
}

#[test]
fn secrets_are_not_read_as_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    fs::write(&file, "postgresql://fcs:0123@db/1e5\n").unwrap();
    let path = file.to_str().unwrap();
    let settings = variables(&[("DATABASE_URL_FILE", path)]).unwrap();
    assert_eq!(
        settings.database.url.expose(),
        "postgresql://fcs:0123@db/1e5"
    );
    let both = problem(&[("DATABASE_URL_FILE", path), ("DATABASE_URL", "sqlite:")]);
    assert!(both.contains("both set"), "{both}");
    let missing = problem(&[("REDIS_URL_FILE", "/nonexistent/secret")]);
    assert!(
        missing.starts_with("REDIS_URL_FILE: cannot read"),
        "{missing}"
    );
}

#[test]
fn every_problem_is_listed_with_its_origin() {
    let all = problems(&[
        ("FCS__HTTP__LISTEN", "localhost"),
        ("FCS__HTTP__MAX_CONNECTIONS", "many"),
        ("FCS__HTTP__IDLE_TIMEOUT_MS", "0"),
        ("FCS__HTTP__MAXCONNECTIONS", "5"),
        ("FCS__SAMPLE__GREETNG", "hi"),
        ("FCS__SAMPLE__FLOOR", "1.5"),
        ("FCS__TELEMETRY__TRACE_SAMPLE_RATIO", "2"),
        ("FCS_HTTP_LISTEN", "127.0.0.1:1"),
        ("LOG_LEVEL", "loud"),
        ("ENVIRONMENT", "moon"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x"),
        ("SENTRY_DSN", "nonsense"),
    ]);
    let expected = [
        "http.listen:",
        "(from FCS__HTTP__LISTEN)",
        "(from FCS__HTTP__MAX_CONNECTIONS)",
        "http.idle_timeout_ms:",
        "did you mean http.max_connections?",
        "did you mean sample.greeting?",
        "sample: floor: must be at most 1",
        "telemetry.trace_sample_ratio:",
        "FCS_HTTP_LISTEN: unknown variable",
        "log.level:",
        "environment: expected development, staging, production or test",
        "database.url:",
        "telemetry.sentry_dsn:",
    ];
    for part in expected {
        assert!(
            all.iter().any(|problem| problem.contains(part)),
            "{part} is not in {all:#?}"
        );
    }
    assert_eq!(all.len(), 12, "{all:#?}");
    assert!(
        !format!("{all:?}").contains("hunter2"),
        "a problem shows no secret"
    );
}

#[test]
fn rules_between_settings() {
    let grace = problem(&[("FCS__SHUTDOWN__TERMINATION_GRACE_MS", "20000")]);
    assert!(grace.contains("termination_grace_ms = 20000"), "{grace}");
    assert!(variables(&[("FCS__SHUTDOWN__TERMINATION_GRACE_MS", "30000")]).is_ok());
    let same = [
        ("FCS__HTTP__LISTEN", "127.0.0.1:1"),
        ("FCS__ADMIN__LISTEN", "127.0.0.1:1"),
    ];
    assert!(problem(&same).contains("must differ"));
    let toolbar = problem(&[("ENVIRONMENT", "staging"), ("ENABLE_DEBUG_TOOLBAR", "true")]);
    assert!(toolbar.contains("only in development"), "{toolbar}");
    let settings = variables(&[("ENABLE_DEBUG_TOOLBAR", "1"), ("LOG_LEVEL", "error")]).unwrap();
    assert_eq!(
        settings.log.level, "debug",
        "the toolbar means a detailed log"
    );
}

#[test]
fn known_foreign_variables_are_left_alone() {
    let known = [("FCS_TEST_POSTGRES_URL", "x"), ("FCSX", "y"), ("PATH", "z")];
    assert!(variables(&known).is_ok());
    let near = problem(&[("FCS_DATADIR", "/tmp")]);
    assert!(near.contains("did you mean FCS_DATA_DIR?"), "{near}");
    for bad in ["FCS__", "FCS__HTTP____LISTEN", "FCS___HTTP"] {
        assert!(problem(&[(bad, "1")]).starts_with(bad), "{bad}");
    }
}

#[test]
fn files_are_layered_below_variables_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "default.toml",
        "environment = \"staging\"\n[sample]\ngreeting = \"default\"\nfloor = 0.1\n\
         names = [\"x\"]\n[gateway]\nanything = 1\n",
    );
    write(
        "staging.toml",
        "[sample]\ngreeting = \"staging\"\nfloor = 0.2\n",
    );
    write("extra.toml", "[sample]\nfloor = 0.3\n");
    let mut sources = with_variables(&[("FCS__SAMPLE__LIMIT", "1")]);
    sources.config_dir = Some(folder.path().to_path_buf());
    let settings = load::<Sample>(&sources).unwrap();
    assert_eq!(settings.environment, Environment::Staging);
    assert_eq!(settings.service.greeting, "staging");
    assert_eq!(
        (settings.service.names.len(), settings.service.limit),
        (1, Some(1))
    );
    sources.files = vec![folder.path().join("extra.toml")];
    sources.assignments = vec!["sample.limit=2".to_owned()];
    let settings = load::<Sample>(&sources).unwrap();
    assert!((settings.service.floor - 0.3).abs() < f64::EPSILON);
    assert_eq!(settings.service.limit, Some(2));
}

#[test]
fn broken_files_and_flags_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("default.toml"), "[http\n").unwrap();
    fs::write(
        folder.path().join("development.toml"),
        "[http]\nlisen = \"x\"\nlisten = 5\n",
    )
    .unwrap();
    let sources = Sources {
        config_dir: Some(folder.path().to_path_buf()),
        files: vec!["/nonexistent/extra.toml".into()],
        assignments: vec!["nonsense".to_owned(), "http.max_connections=x".to_owned()],
        ..Sources::default()
    };
    let all = load::<Sample>(&sources).unwrap_err().0;
    for part in [
        "default.toml",
        "development.toml",
        "did you mean http.listen?",
        "http.listen:",
        "/nonexistent/extra.toml",
        "--set nonsense",
        "(from --set http.max_connections)",
    ] {
        assert!(
            all.iter().any(|problem| problem.contains(part)),
            "{part} is not in {all:#?}"
        );
    }
}

#[test]
fn shown_settings_hide_secrets_and_can_be_read_back() {
    let url = "postgresql://fcs:hunter2@db/fcs";
    let settings = variables(&[("DATABASE_URL", url), ("FCS__SAMPLE__FLOOR", "0.25")]).unwrap();
    let shown = shown_toml::<Sample>(&settings);
    assert!(
        !shown.contains("hunter2") && shown.contains("url = \"[redacted]\""),
        "{shown}"
    );
    assert!(!format!("{settings:?}").contains("hunter2"));
    let table: toml::Table = shown.parse().unwrap();
    assert_eq!(table["sample"]["floor"].as_float(), Some(0.25));
    assert_eq!(
        shown_json::<Sample>(&settings)["sample"]["greeting"],
        "hello"
    );
}
