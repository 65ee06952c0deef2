//! A Redis of a test's own, which it may kill, freeze and flush.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::free_port;

const START_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server; killed when dropped.
pub struct RedisServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

/// Starts a server that keeps nothing but what [`RedisServer::dump`] asks for.
///
/// # Panics
/// When `redis-server` is missing (`cargo xtask test` installs it) or does not start.
pub fn server() -> RedisServer {
    let port = free_port();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--rdbcompression", "no"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts: run the tests with `cargo xtask test`");
    let mut server = RedisServer {
        port,
        folder,
        child,
    };
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let ended = server.child.try_wait().expect("the child is ours");
        assert!(ended.is_none(), "redis-server ended with {ended:?}");
        assert!(
            start.elapsed() < START_LIMIT,
            "redis-server does not listen"
        );
        std::thread::sleep(PAUSE);
    }
    server
}

impl RedisServer {
    /// URL of the server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
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
        assert!(status.success(), "redis-server takes {signal}");
    }

    /// Has it forget everything.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn flush(&self) {
        let answer = self.command("FLUSHALL");
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// Whether a key has this text in its name.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn holds(&self, text: &str) -> bool {
        self.command("KEYS *").contains(text)
    }

    /// Keeps a text under a key.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn set(&self, key: &str, text: &str) {
        let answer = self.command(&format!("SET {key} {text}"));
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// Every key and value as Redis writes them to its file, uncompressed.
    ///
    /// # Panics
    /// When it cannot write its file.
    pub fn dump(&self) -> Vec<u8> {
        let answer = self.command("SAVE");
        assert!(answer.starts_with("+OK"), "{answer}");
        std::fs::read(self.folder.path().join("dump.rdb")).expect("Redis wrote its file")
    }

    fn command(&self, command: &str) -> String {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the server listens");
        let limit = Some(ANSWER_LIMIT);
        stream.set_read_timeout(limit).expect("a limit is set");
        stream
            .write_all(format!("{command}\r\nQUIT\r\n").as_bytes())
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
