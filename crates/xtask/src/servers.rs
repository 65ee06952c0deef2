//! Private PostgreSQL and Redis servers on free ports in a temporary folder.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{command, packages};

const START_LIMIT: Duration = Duration::from_secs(30);

/// Running servers; dropping them stops the processes and removes their files.
pub(crate) struct Servers {
    /// Administrative URL of the PostgreSQL server.
    pub(crate) postgres_url: String,
    /// Folder of the programs of PostgreSQL, for a test that starts a server of its own.
    pub(crate) postgres_programs: PathBuf,
    /// URL of the Redis server.
    pub(crate) redis_url: String,
    _servers: [Server; 2],
    _folder: TempDir,
}

/// A process that ends with the value.
struct Server(Child);

impl Servers {
    /// Starts both servers and waits until they accept connections.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let postgres_programs = packages::postgres_folder()?;
        let redis_program = packages::redis_program()?;
        let folder = tempfile::Builder::new().prefix("fcs-test-").tempdir()?;
        let (postgres_port, redis_port) = (free_port()?, free_port()?);
        let mut postgres = Server(start_postgres(
            &postgres_programs,
            folder.path(),
            postgres_port,
        )?);
        let redis = Command::new(redis_program)
            .args([
                "--port",
                &redis_port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args(["--appendonly", "no"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .context("start redis-server")?;
        let mut redis = Server(redis);
        wait_for_port("PostgreSQL", &mut postgres.0, postgres_port)?;
        wait_for_port("Redis", &mut redis.0, redis_port)?;
        Ok(Self {
            postgres_url: format!("postgresql://postgres@127.0.0.1:{postgres_port}/postgres"),
            postgres_programs,
            redis_url: format!("redis://127.0.0.1:{redis_port}"),
            _servers: [postgres, redis],
            _folder: folder,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // PostgreSQL's postmaster stops its children on SIGINT (fast shutdown); Redis keeps nothing.
        let _ = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}

fn start_postgres(programs: &Path, folder: &Path, port: u16) -> anyhow::Result<Child> {
    let data = folder.join("postgres");
    fs::create_dir(&data)?;
    let as_root = packages::is_root()?;
    if as_root {
        // PostgreSQL refuses to run as root.
        command::run(command::new("chown").arg("-R").arg("postgres").arg(folder))?;
    }
    let program = |name: &str| {
        let path = programs.join(name);
        let mut command = if as_root {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(folder);
        command
    };
    command::output(
        program("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "-D"])
            .arg(&data),
    )?;
    let log = fs::File::create(folder.join("postgres.log"))?;
    program("postgres")
        .arg("-D")
        .arg(&data)
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-c",
            "max_connections=300",
        ])
        .arg("-k")
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("start postgres")
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn wait_for_port(name: &str, child: &mut Child, port: u16) -> anyhow::Result<()> {
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("{name} ended with {status} while it started");
        }
        if start.elapsed() > START_LIMIT {
            bail!("{name} did not accept connections within {START_LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
