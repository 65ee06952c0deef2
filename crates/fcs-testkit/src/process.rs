//! Real programs of the workspace as child processes.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Path of a program that `cargo build --workspace --bins` made; tests run from `target/<profile>/deps`.
///
/// # Panics
/// When the program has not been built.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests run from target/<profile>/deps");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{name} is not built: run the tests with `cargo xtask test`"
    );
    path
}

/// A port that was free a moment ago; no two calls of one process give the same.
///
/// # Panics
/// When the machine has no free port.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().expect("no panic under the lock");
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        if given.insert(port) {
            return port;
        }
    }
}

/// A running program; killed when dropped.
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts a program; both its outputs go to `<folder>/<name>.log`.
    ///
    /// # Panics
    /// When the program does not start.
    pub fn start(name: &str, folder: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(program(name));
        command
            .env_clear()
            .envs(std::env::vars_os().filter(|(key, _)| key == "PATH"));
        configure(&mut command);
        Self::start_command(name, folder, command)
    }

    /// Starts a command, which may be somebody else's program.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_command(name: &str, folder: &Path, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log file"))
            .stderr(file);
        let child = command.spawn().expect("the program starts");
        Self {
            name: name.to_owned(),
            log,
            child,
        }
    }

    /// Sends a signal by name, for example `"TERM"`.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "{} takes {signal}", self.name);
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When the program is still running at the limit.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status;
            }
            assert!(
                start.elapsed() < limit,
                "{} still runs after {limit:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the program has not ended.
    ///
    /// # Panics
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// What the program has printed so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log is readable")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
