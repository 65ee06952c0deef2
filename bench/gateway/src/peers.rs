//! The peers: two servers of the same LightGBM file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::answer::ask;
use crate::measure::{Contender, http};
use crate::ours::local;
use crate::processes::Program;
use crate::rows::{MODEL, Rows};

const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// The running servers.
pub(crate) struct Peers {
    fastapi: Program,
    fastapi_address: SocketAddr,
    mlserver: Program,
    mlserver_http: SocketAddr,
    mlserver_grpc: SocketAddr,
}

/// The Python of each, and the folder of `peer.py`.
pub(crate) struct Places<'a> {
    pub(crate) fastapi: &'a Path,
    pub(crate) mlserver: &'a Path,
    pub(crate) scripts: &'a Path,
}

impl Peers {
    /// Starts them, and waits until they answer.
    pub(crate) fn start(places: &Places<'_>, folder: &Path, rows: &Rows) -> anyhow::Result<Self> {
        let [fastapi_address, mlserver_http, mlserver_grpc] = [local(), local(), local()];
        let command = fastapi(places, fastapi_address)?;
        let fastapi = Program::start(command, &folder.join("fastapi.log"), fastapi_address)?;
        let command = mlserver(places.mlserver, folder, (mlserver_http, mlserver_grpc))?;
        let mlserver = Program::start(command, &folder.join("mlserver.log"), mlserver_http)?;
        let start = Instant::now();
        // It listens before it has the model.
        while let Err(error) = ask(mlserver_http, &rows.tensor_request(0)) {
            ensure!(start.elapsed() < LOAD_LIMIT, "MLServer: {error:#}");
            sleep(Duration::from_millis(100));
        }
        Ok(Self {
            fastapi,
            fastapi_address,
            mlserver,
            mlserver_http,
            mlserver_grpc,
        })
    }

    /// FastAPI with applications.
    pub(crate) fn fastapi(
        &self,
        name: &'static str,
        path: &'static str,
        rows: &Arc<Rows>,
    ) -> Contender {
        Contender {
            name,
            address: self.fastapi_address,
            processes: vec![self.fastapi.id()],
            requests: http(rows, |rows, measurement, number| {
                rows.application(path, measurement, number)
            }),
        }
    }

    /// MLServer with tensors in JSON.
    pub(crate) fn mlserver_http(&self, name: &'static str, rows: &Arc<Rows>) -> Contender {
        Contender {
            name,
            address: self.mlserver_http,
            processes: vec![self.mlserver.id()],
            requests: http(rows, |rows, _, number| rows.tensor_request(number)),
        }
    }

    /// MLServer with tensors in bytes.
    pub(crate) fn mlserver_grpc(&self, name: &'static str, rows: &Rows) -> Contender {
        Contender {
            name,
            address: self.mlserver_grpc,
            processes: vec![self.mlserver.id()],
            requests: rows.messages(),
        }
    }
}

/// Two workers, one for each core of the smallest machine.
fn fastapi(places: &Places<'_>, address: SocketAddr) -> anyhow::Result<Command> {
    let mut command = Command::new(places.fastapi);
    command
        .args(["-m", "uvicorn", "peer:app", "--workers", "2"])
        .args(["--no-access-log", "--log-level", "warning"])
        .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
        .arg("--app-dir")
        .arg(places.scripts)
        .env("MODEL", model()?)
        .env("OMP_NUM_THREADS", "1");
    Ok(command)
}

/// Its own runtime for LightGBM.
fn mlserver(
    python: &Path,
    folder: &Path,
    (http, grpc): (SocketAddr, SocketAddr),
) -> anyhow::Result<Command> {
    let mut command = Command::new(python.with_file_name("mlserver"));
    command
        .arg("start")
        .arg(folder)
        .current_dir(folder)
        .env("MLSERVER_DEBUG", "false")
        .env("MLSERVER_HOST", "127.0.0.1")
        .env("MLSERVER_HTTP_PORT", http.port().to_string())
        .env("MLSERVER_GRPC_PORT", grpc.port().to_string())
        .env("MLSERVER_METRICS_PORT", local().port().to_string())
        .env("MLSERVER_PARALLEL_WORKERS", "0")
        .env("MLSERVER_MODEL_NAME", MODEL)
        .env("MLSERVER_MODEL_URI", model()?)
        .env(
            "MLSERVER_MODEL_IMPLEMENTATION",
            "mlserver_lightgbm.LightGBMModel",
        )
        .env("OMP_NUM_THREADS", "1");
    Ok(command)
}

fn model() -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(format!("models/{MODEL}/1/model.txt"))?)
}
