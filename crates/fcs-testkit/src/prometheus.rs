//! A Prometheus of a test's own, which it may kill, freeze, start again and point elsewhere.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::free_port;

const START_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Scrapes twice a second; the file of targets is read again when it changes.
const CONFIGURATION: &str = "\
global:
  scrape_interval: 500ms
  scrape_timeout: 400ms
scrape_configs:
  - job_name: services
    file_sd_configs:
      - files: [targets.json]
        refresh_interval: 500ms
";

/// A running server; killed when dropped.
pub struct PrometheusServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

/// Starts a server that scrapes `/metrics` of these addresses.
///
/// # Panics
/// When the tests run without `cargo xtask test`, which finds the program, or when it does not start.
pub fn server(targets: &[String]) -> PrometheusServer {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("prometheus.yml");
    std::fs::write(path, CONFIGURATION).expect("a file");
    write_targets(folder.path(), targets);
    let port = free_port();
    let child = spawn(folder.path(), port);
    let mut server = PrometheusServer {
        port,
        folder,
        child,
    };
    server.wait_until_ready();
    server
}

impl PrometheusServer {
    /// URL of the server.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Has it scrape other addresses.
    ///
    /// # Panics
    /// When the file of targets cannot be written.
    pub fn scrape(&self, targets: &[String]) {
        write_targets(self.folder.path(), targets);
    }

    /// The value of a query that has one series; `None` without a series.
    ///
    /// # Panics
    /// When it does not answer, or with something else.
    pub fn value(&self, query: &str) -> Option<f64> {
        let encoded = query.bytes().fold(String::new(), |mut encoded, byte| {
            let _ = write!(encoded, "%{byte:02x}");
            encoded
        });
        let answer = get(self.port, &format!("/api/v1/query?query={encoded}"));
        let answer = answer.expect("it answers");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        let body: Value = serde_json::from_str(body).expect("JSON");
        let series = body["data"]["result"].as_array().expect("a vector");
        assert!(series.len() < 2, "{body}");
        let value = series.first()?["value"][1].as_str().expect("a value");
        Some(value.parse().expect("a number"))
    }

    /// Ends the server at once.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Starts it again after [`PrometheusServer::kill`], with what it had written.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), self.port);
        self.wait_until_ready();
    }

    /// Sends a signal by name: `"STOP"` freezes it, `"CONT"` lets it go on.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "prometheus takes {signal}");
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        let is_ready = |port| get(port, "/-/ready").is_some_and(|it| it.contains(" 200 OK"));
        while !is_ready(self.port) {
            let ended = self.child.try_wait().expect("the child is ours");
            assert!(ended.is_none(), "prometheus ended with {ended:?}");
            assert!(start.elapsed() < START_LIMIT, "prometheus is not ready");
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for PrometheusServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    Command::new(crate::server_url("FCS_TEST_PROMETHEUS"))
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts")
}

/// In one step, so that it never reads half a file.
fn write_targets(folder: &Path, targets: &[String]) {
    let document = json!([{ "targets": targets }]).to_string();
    std::fs::write(folder.join("targets.new"), document).expect("a file");
    std::fs::rename(folder.join("targets.new"), folder.join("targets.json")).expect("a rename");
}

/// The whole answer; `None` when nobody answers.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    // HTTP/1.0, so that the body comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
