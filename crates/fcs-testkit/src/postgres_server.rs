//! A PostgreSQL server of one test alone, which may be killed, frozen and replicated.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::free_port;

const START_LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(10);

/// A private server with trust authentication; killed when dropped, and its files removed.
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl PostgresServer {
    /// Makes a cluster and starts its server with these settings (`name=value`) besides the defaults.
    ///
    /// # Panics
    /// When the tests run without `cargo xtask test`, or the server does not start.
    pub fn start(settings: &[&str]) -> Self {
        let mut server = Self::empty(settings);
        let data = server.data();
        run(server
            .program("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "-D"])
            .arg(data));
        server.restart();
        server
    }

    /// A standby of this server that streams from it under the name `standby`.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn standby(&self) -> Self {
        let mut standby = Self::empty(&[]);
        let data = standby.data();
        let primary = format!(
            "host=127.0.0.1 port={} user=postgres application_name=standby",
            self.port
        );
        run(standby
            .program("pg_basebackup")
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "-d",
                &primary,
                "-D",
            ])
            .arg(data));
        standby.restart();
        standby
    }

    /// URL of the server's database `postgres`.
    pub fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Folder of everything that the server writes: its data with the write-ahead log, and its own log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a program of PostgreSQL that talks to the server prints, for example `pg_dump`.
    ///
    /// # Panics
    /// When it fails.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = self.program(program);
        command.args(["-d", &self.url()]).args(arguments);
        run(&mut command)
    }

    /// Process of the server, the parent of all others.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Kills every process of the server at once: what no process had handed to the operating system is lost.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        // A stopped postmaster makes no new processes while its present ones are counted.
        signal("STOP", &[child.id()]);
        let mut processes = children(child.id());
        processes.push(child.id());
        signal("KILL", &processes);
        child.wait().expect("the child is ours");
        let start = Instant::now();
        while processes.iter().any(|id| is_running(*id)) {
            assert!(start.elapsed() < START_LIMIT, "a killed server ends");
            std::thread::sleep(PAUSE);
        }
    }

    /// Starts the server again on its port and files, and waits until it accepts connections.
    ///
    /// # Panics
    /// When it runs already, or does not start.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("postgres.log"))
            .expect("a log file");
        let mut command = self.program("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"])
            .arg(self.folder.path());
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres starts");
        self.child = Some(child);
        self.wait_until_ready();
    }

    /// Stops every process of the server where it stands, as a machine that hangs.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn freeze(&self) {
        let id = self.id();
        signal("STOP", &[id]);
        signal("STOP", &children(id));
    }

    /// Lets a frozen server go on.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn thaw(&self) {
        let id = self.id();
        signal("CONT", &children(id));
        signal("CONT", &[id]);
    }

    fn empty(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("fcs-postgres-")
            .tempdir()
            .expect("a temporary folder");
        if is_root() {
            // PostgreSQL refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        Self {
            folder,
            port: free_port(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            child: None,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let path = PathBuf::from(crate::server_url("FCS_TEST_POSTGRES_PROGRAMS")).join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.folder.path());
        command
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        let port = self.port.to_string();
        loop {
            let ready = self
                .program("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .expect("pg_isready runs");
            if ready.success() {
                return;
            }
            let child = self.child.as_mut().expect("it was just started");
            let ended = child.try_wait().expect("the child is ours");
            assert!(ended.is_none(), "postgres ended: {}", self.log());
            assert!(start.elapsed() < START_LIMIT, "not ready: {}", self.log());
            std::thread::sleep(PAUSE);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("postgres.log")).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A process that has ended meanwhile needs no signal.
fn signal(name: &str, processes: &[u32]) {
    if processes.is_empty() {
        return;
    }
    Command::new("kill")
        .arg(format!("-{name}"))
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status()
        .expect("kill runs");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("a /proc");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| status_of(*id).is_some_and(|(_, of)| of == parent))
        .collect()
}

fn is_running(id: u32) -> bool {
    status_of(id).is_some_and(|(state, _)| state != 'Z')
}

/// State and parent of a process, from `/proc/ID/stat`, where both follow the name in parentheses.
fn status_of(id: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
