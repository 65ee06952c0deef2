//! Our gateway and model server as two processes, on a PostgreSQL that confirms nothing before it is on the disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use fcs_proto::inference::RepositoryModelLoadRequest;
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_proto::scoring::v1::{ApplyTrafficRequest, TrafficArm, TrafficTable};
use fcs_testkit::postgres_server::PostgresServer;
use fcs_testkit::process::free_port;

use crate::grpc;
use crate::measure::{Contender, Requests, http};
use crate::processes::Program;
use crate::rows::{MODEL, Rows};

/// Where decisions are asked for.
pub(crate) const SCORE: &str = "/v1/applications/score";

/// The running system.
pub(crate) struct Ours {
    pub(crate) address: SocketAddr,
    pub(crate) postgres: PostgresServer,
    gateway: Program,
    models: Program,
}

impl Ours {
    /// Starts it with the sample package `taiwan-default/1` in the folder `models` of the current folder.
    pub(crate) async fn start(programs: &Path, folder: &Path) -> anyhow::Result<Self> {
        let postgres = PostgresServer::start(&["max_connections=100"]);
        let (model_server, gateway_address) = (local(), local());
        let models = service(programs, "model-server", folder, model_server)?;
        let mut gateway = command(programs, "scoring-gateway", folder, gateway_address);
        gateway
            .env("DATABASE_URL", postgres.url())
            .env("FCS__DATABASE__MIGRATE_ON_START", "true")
            .env(
                "FCS__GATEWAY__MODEL_SERVER_URL",
                format!("http://{model_server}"),
            );
        let log = folder.join("scoring-gateway.log");
        let gateway = Program::start(gateway, &log, gateway_address)?;
        activate(gateway_address).await?;
        Ok(Self {
            address: gateway_address,
            postgres,
            gateway,
            models,
        })
    }

    /// As who is measured, with all processes that a decision costs.
    pub(crate) fn contender(&self, name: &'static str, rows: &Arc<Rows>) -> Contender {
        Contender {
            name,
            address: self.address,
            processes: vec![self.gateway.id(), self.models.id(), self.postgres.id()],
            requests: http(rows, |rows, measurement, number| {
                rows.application(SCORE, measurement, number)
            }),
        }
    }

    /// The gateway alone.
    pub(crate) fn gateway(&self) -> u32 {
        self.gateway.id()
    }
}

/// The model server alone, with the sample package loaded.
pub(crate) struct ModelServer {
    address: SocketAddr,
    program: Program,
}

impl ModelServer {
    /// Starts it and loads the package.
    pub(crate) async fn start(programs: &Path, folder: &Path) -> anyhow::Result<Self> {
        let address = local();
        let program = service(programs, "model-server", folder, address)?;
        let request = RepositoryModelLoadRequest {
            model_name: MODEL.to_owned(),
            ..RepositoryModelLoadRequest::default()
        };
        let mut client = grpc::connect(address).await?;
        let loaded = client.repository_model_load(request).await;
        loaded.with_context(|| format!("load {MODEL}"))?;
        Ok(Self { address, program })
    }

    /// As who is measured.
    pub(crate) fn contender(&self, name: &'static str, requests: Requests) -> Contender {
        Contender {
            name,
            address: self.address,
            processes: vec![self.program.id()],
            requests,
        }
    }
}

pub(crate) fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

fn service(
    programs: &Path,
    name: &str,
    folder: &Path,
    listens: SocketAddr,
) -> anyhow::Result<Program> {
    let log = folder.join(format!("{name}.log"));
    Program::start(command(programs, name, folder, listens), &log, listens)
}

fn command(programs: &Path, name: &str, folder: &Path, listens: SocketAddr) -> Command {
    let mut command = Command::new(programs.join(name));
    command
        .env("ENVIRONMENT", "development")
        .env("LOG_LEVEL", "WARN")
        .env("FCS_DATA_DIR", folder.join(name))
        .env("FCS__HTTP__LISTEN", listens.to_string())
        .env("FCS__HTTP__MAX_CONNECTIONS_PER_ADDRESS", "4096")
        .env("FCS__ADMIN__LISTEN", local().to_string());
    command
}

/// Gives all traffic to the sample package.
async fn activate(gateway: SocketAddr) -> anyhow::Result<()> {
    let model = ModelRef {
        name: MODEL.to_owned(),
        version: "1".to_owned(),
        ..ModelRef::default()
    };
    let arm = TrafficArm {
        name: "stable".to_owned(),
        model: Some(model),
        weight_basis_points: 10_000,
        ..TrafficArm::default()
    };
    let table = TrafficTable {
        generation: 1,
        salt: "bench".to_owned(),
        arms: vec![arm],
        ..TrafficTable::default()
    };
    let request = ApplyTrafficRequest {
        expected_generation: 0,
        table: Some(table),
    };
    let mut client = TrafficServiceClient::connect(format!("http://{gateway}")).await?;
    client
        .apply_traffic(request)
        .await
        .context("give the traffic to the package")?;
    Ok(())
}
