//! `run`, as a real process: arguments, exit codes, signals, logs.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::sample::SOON;
use crate::wire::send;

/// Free ports.
const ADDRESSES: [(&str, &str); 2] = [
    ("FCS__HTTP__LISTEN", "127.0.0.1:0"),
    ("FCS__ADMIN__LISTEN", "127.0.0.1:0"),
];

/// The example service, which cargo builds with the tests.
fn greeter() -> Command {
    let tests = std::env::current_exe().unwrap();
    let profile: PathBuf = tests.ancestors().nth(2).unwrap().to_path_buf();
    let mut command = Command::new(profile.join("examples").join("greeter"));
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    greeter()
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A child that does not outlive its test.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that has started, and what it logs.
struct Process {
    child: Reaped,
    log: BufReader<std::process::ChildStderr>,
    http: SocketAddr,
    admin: SocketAddr,
    lines: Vec<Json>,
}

impl Process {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = greeter();
        command
            .envs(ADDRESSES)
            .env("FCS__LOG__FORMAT", "json")
            .envs(variables.iter().copied());
        let mut child = Reaped(command.spawn().unwrap());
        let mut log = BufReader::new(child.0.stderr.take().unwrap());
        let mut lines: Vec<Json> = Vec::new();
        loop {
            let mut line = String::new();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "it ended early: {lines:?}"
            );
            let line: Json = serde_json::from_str(&line).expect("a line of JSON");
            lines.push(line.clone());
            if line["message"] == "the service has started" {
                let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
                let (http, admin) = (address("http"), address("admin"));
                return Self {
                    child,
                    log,
                    http,
                    admin,
                    lines,
                };
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end; returns the exit code and every line of the log.
    fn end(mut self) -> (Option<i32>, Vec<Json>) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.lines
            .extend(rest.lines().map(|line| serde_json::from_str(line).unwrap()));
        (
            self.child.0.wait().unwrap().code(),
            std::mem::take(&mut self.lines),
        )
    }
}

#[test]
fn bad_settings_are_all_listed_and_nothing_starts() {
    let variables = [
        ("FCS__HTTP__LISTEN", "nowhere"),
        ("LOG_LEVEL", "loud"),
        ("FCS_HTPP", "1"),
    ];
    let ended = output(&["--set", "greeter.greeting="], &variables);
    assert_eq!(ended.status.code(), Some(64));
    let told = text(&ended.stderr);
    for part in [
        "http.listen",
        "log.level",
        "FCS_HTPP",
        "greeter.greeting",
        "config check",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!told.contains("starting"), "{told}");
    assert_eq!(
        output(&["config", "check"], &variables).status.code(),
        Some(64)
    );
}

#[test]
fn settings_can_be_looked_at() {
    let good = output(&["config", "check"], &[]);
    assert_eq!(
        (good.status.code(), text(&good.stdout).as_str()),
        (Some(0), "the settings are good\n")
    );
    let secret = [("DATABASE_URL", "postgresql://fcs:hunter2@db/fcs")];
    let shown = text(
        &output(
            &["config", "show", "--set", "greeter.greeting=moin"],
            &secret,
        )
        .stdout,
    );
    assert!(
        shown.contains("greeting = \"moin\"") && !shown.contains("hunter2"),
        "{shown}"
    );
    let json = output(&["config", "show", "-o", "json"], &secret).stdout;
    let json: Json = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["database"]["url"], "[redacted]");
}

#[test]
fn arguments_and_exit_codes() {
    assert!(text(&output(&["--version"], &[]).stdout).starts_with("greeter "));
    assert_eq!(output(&["--no-such-flag"], &[]).status.code(), Some(2));
    assert_eq!(output(&["migrate"], &[]).status.code(), Some(0));
    let nobody = [("FCS__ADMIN__LISTEN", "127.0.0.1:1")];
    assert_eq!(output(&["--health"], &nobody).status.code(), Some(1));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [
        ("FCS__ADMIN__LISTEN", "127.0.0.1:0"),
        ("FCS__HTTP__LISTEN", &address),
    ];
    let ended = output(&[], &variables);
    assert_eq!(ended.status.code(), Some(1), "the port is taken");
    assert!(
        text(&ended.stderr).contains("http.listen"),
        "{}",
        text(&ended.stderr)
    );
    drop(taken);
}

#[test]
fn a_drain_ends_readiness_and_not_life() {
    let process = Process::start(&[("FCS__SHUTDOWN__UNREADY_DELAY_MS", "60000")]);
    let admin = process.admin.to_string();
    let probe = |flag| {
        output(&[flag], &[("FCS__ADMIN__LISTEN", &admin)])
            .status
            .code()
    };
    assert_eq!(
        (probe("--ready"), probe("--health")),
        (Some(0), Some(0)),
        "it serves"
    );
    process.signal("TERM");
    let asked = std::time::Instant::now();
    while probe("--ready") == Some(0) {
        assert!(asked.elapsed() < SOON, "it drains and still says ready");
    }
    assert_eq!((probe("--ready"), probe("--health")), (Some(1), Some(0)));
    process.signal("TERM");
    assert_eq!(process.end().0, Some(0), "a second signal ends the wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_cleanly_whoever_is_connected() {
    let process = Process::start(&[("SENTRY_DSN", "https://key@errors.example/7")]);
    let admin = process.admin.to_string();
    assert_eq!(
        output(&["--health"], &[("FCS__ADMIN__LISTEN", &admin)])
            .status
            .code(),
        Some(0)
    );
    let headers = "Content-Type: application/json\r\nX-Request-Id: order-4711\r\n";
    let answer = send(
        process.http,
        "POST",
        "/v1/greetings",
        headers,
        r#"{"name":"Ada"}"#,
    )
    .await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"text":"hello Ada"}"#)
    );
    let _idle = TcpStream::connect(process.http).await.unwrap();
    let mut half_sent = TcpStream::connect(process.http).await.unwrap();
    half_sent
        .write_all(b"POST /v1/greetings HTT")
        .await
        .unwrap();
    process.signal("TERM");
    let ended = tokio::task::spawn_blocking(move || process.end());
    let (code, lines) = timeout(SOON, ended)
        .await
        .expect("within the deadline")
        .unwrap();
    assert_eq!(code, Some(0), "{lines:#?}");
    let with = |message: &str| lines.iter().find(|line| line["message"] == message);
    let starting = with("starting").expect("it says what starts");
    assert_eq!(
        (&starting["environment"], &starting["level"]),
        (&"development".into(), &"INFO".into())
    );
    assert!(
        lines
            .iter()
            .any(|line| line["message"].as_str().unwrap().contains("SENTRY_DSN"))
    );
    let greeted = with("somebody was greeted").expect("the service's own line");
    assert_eq!(greeted["spans"][0]["request_id"], "order-4711", "{greeted}");
    assert!(with("the service has ended").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_tells_its_place_and_nothing_of_the_request() {
    let process = Process::start(&[("LOG_LEVEL", "trace,h2=trace,hyper=trace")]);
    let body = r#"{"name":"panic c4n4ry"}"#;
    let headers = "Content-Type: application/json\r\nAuthorization: Bearer c4n4ry\r\n";
    let answer = send(process.http, "POST", "/v1/greetings", headers, body).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("c4n4ry"), "{}", answer.body);
    process.signal("TERM");
    let ended = tokio::task::spawn_blocking(move || process.end());
    let (code, lines) = timeout(SOON, ended).await.expect("it ends").unwrap();
    assert_eq!(code, Some(0));
    let told = format!("{lines:?}");
    assert!(!told.contains("c4n4ry"), "{told}");
    let with = |message: &str| lines.iter().find(|line| line["message"] == message);
    let panic = with("a thread panicked").expect("a line of the panic");
    assert_eq!(panic["panic"], "[redacted]", "{panic}");
    let location = panic["location"].as_str().unwrap();
    assert!(location.contains("greeter.rs:"), "{location}");
    assert!(with("a request handler panicked").is_some());
    let by_others = lines.iter().filter(|line| {
        let target = line["target"].as_str().unwrap();
        !target.starts_with("fcs_") && !target.starts_with("greeter")
    });
    assert_eq!(by_others.count(), 0, "{told}");
}
