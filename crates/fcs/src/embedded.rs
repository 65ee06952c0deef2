//! Every service in this process, on loopback ports and SQLite.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bias_monitor::BiasMonitor;
use deployment_audit::DeploymentAudit;
use fcs_core::{ApiError, ErrorCode};
use fcs_service::settings::{Sources, load};
use fcs_service::{Running, Service, Settings, SettingsProblems, Shared, launch};
use model_server::ModelServer;
use scoring_gateway::Gateway;

use crate::cli::Ports;
use crate::endpoints::{Endpoints, Published};
use crate::exit::CliError;

/// Variables that name servers of separate services.
const SERVER_VARIABLES: [&str; 6] = [
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "REDIS_URL",
    "REDIS_URL_FILE",
    "FCS__DATABASE__URL",
    "FCS__REDIS__URL",
];

/// Where the embedded system keeps its data and finds its models.
pub(crate) struct Place {
    /// Folder of databases and keys.
    pub(crate) data_dir: PathBuf,
    /// Folder where other commands look for the addresses.
    pub(crate) note_dir: PathBuf,
    /// Folder of model packages.
    pub(crate) models_dir: PathBuf,
    /// Which ports to listen on.
    pub(crate) ports: Ports,
}

/// A running system.
pub(crate) struct System {
    /// The addresses.
    pub(crate) endpoints: Endpoints,
    /// Health and metrics addresses, by service name.
    pub(crate) admin: Vec<(&'static str, SocketAddr)>,
    services: Vec<Running>,
    _published: Published,
    _lock: File,
}

impl System {
    /// Starts the services in the order in which they need each other.
    ///
    /// # Errors
    /// [`CliError::Settings`] with every problem before anything starts; else what failed.
    pub(crate) async fn start(place: &Place) -> anyhow::Result<Self> {
        let model_server = settings::<ModelServer>(place, &model_settings(place))?;
        // The first pass only checks: later services learn the addresses of earlier ones.
        let trust = trust_setting::<Gateway>(place);
        let gateway = settings::<Gateway>(place, std::slice::from_ref(&trust))?;
        settings::<BiasMonitor>(place, &[])?;
        settings::<DeploymentAudit>(place, &[])?;
        fs::create_dir_all(&place.data_dir)
            .with_context(|| format!("create {}", place.data_dir.display()))?;
        let lock = lock(&place.data_dir)?;
        let shared = Shared::init("fcs", &gateway.log, &gateway.telemetry)?;

        let models = launch::<ModelServer>(model_server, &shared).await?;
        let url = format!("gateway.model_server_url={}", base_url(models.http));
        let gateway =
            launch::<Gateway>(settings::<Gateway>(place, &[trust, url])?, &shared).await?;
        let url = base_url(gateway.http);
        let monitor = settings::<BiasMonitor>(place, &[format!("bias_monitor.gateway_url={url}")])?;
        let monitor = launch::<BiasMonitor>(monitor, &shared).await?;
        let audit = [
            format!("deployment_audit.gateway_url={url}"),
            format!(
                "deployment_audit.bias_monitor_url={}",
                base_url(monitor.http)
            ),
        ];
        let audit = settings::<DeploymentAudit>(place, &audit)?;
        let audit = launch::<DeploymentAudit>(audit, &shared).await?;

        let endpoints = Endpoints {
            gateway: url,
            model_server: base_url(models.http),
            bias_monitor: base_url(monitor.http),
            deployment_audit: base_url(audit.http),
        };
        let admin = vec![
            (Gateway::NAME, gateway.admin),
            (ModelServer::NAME, models.admin),
            (BiasMonitor::NAME, monitor.admin),
            (DeploymentAudit::NAME, audit.admin),
        ];
        fs::create_dir_all(&place.note_dir)?;
        let published = endpoints.publish(&place.note_dir)?;
        // Readers of the gateway's log stop before the gateway, and the model server last.
        let services = vec![audit, monitor, gateway, models];
        Ok(Self {
            endpoints,
            admin,
            services,
            _published: published,
            _lock: lock,
        })
    }

    /// Drains the services one after the other.
    ///
    /// # Errors
    /// When a service failed or its deadline cut off work.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for service in &self.services {
            service.stop();
            result = result.and(service.wait().await);
        }
        result
    }

    /// The addresses for people.
    pub(crate) fn describe(&self) -> String {
        let Endpoints {
            gateway,
            model_server,
            bias_monitor,
            deployment_audit,
        } = &self.endpoints;
        let mut text = format!(
            "scoring-gateway   {gateway}  (HTTP and gRPC)\n\
             model-server      {model_server}\n\
             bias-monitor      {bias_monitor}\n\
             deployment-audit  {deployment_audit}\n\
             health, metrics  "
        );
        for (name, address) in &self.admin {
            let _ = write!(text, " {name} http://{address}/metrics");
        }
        text
    }
}

/// The settings of an embedded service.
fn settings<S: Service>(
    place: &Place,
    assignments: &[String],
) -> Result<Settings<S::Settings>, CliError> {
    let port = |default: u16| match place.ports {
        Ports::Default => default,
        Ports::Free => 0,
    };
    let mut sources = Sources::from_process();
    // The terminal belongs to the command's own messages unless someone asks for more.
    if !sources.variables.contains_key("FCS__LOG__LEVEL") {
        sources
            .variables
            .entry("LOG_LEVEL".into())
            .or_insert_with(|| "WARN".into());
    }
    // Embedded means no server, whatever the environment names for the separate services.
    for variable in SERVER_VARIABLES {
        sources.variables.remove(variable);
    }
    sources.assignments = vec![
        format!("http.listen=127.0.0.1:{}", port(S::HTTP_PORT)),
        format!("admin.listen=127.0.0.1:{}", port(S::ADMIN_PORT)),
        format!("data_dir={}", place.data_dir.display()),
    ];
    sources.assignments.extend_from_slice(assignments);
    load::<S>(&sources)
        .map_err(|SettingsProblems(problems)| CliError::Settings(list(S::NAME, &problems)))
}

fn model_settings(place: &Place) -> [String; 2] {
    let registry = format!("model_server.registry={}", place.models_dir.display());
    [registry, trust_setting::<ModelServer>(place)]
}

fn trust_setting<S: Service>(place: &Place) -> String {
    format!(
        "{}.trust_policy={}",
        S::SECTION,
        place.models_dir.join("trust.toml").display()
    )
}

fn list(service: &str, problems: &[String]) -> String {
    format!(
        "bad settings of {service}:\n  - {}",
        problems.join("\n  - ")
    )
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Holds the data folder for this process; the system lets go when the process ends, however it ends.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    file.try_lock().map_err(|_| {
        let message = format!(
            "another process uses the data in {}: stop it, or name another folder with FCS_DATA_DIR",
            data_dir.display()
        );
        CliError::Api(ApiError::new(ErrorCode::FailedPrecondition, "DATA_FOLDER_IN_USE", message))
    })?;
    Ok(file)
}

/// Whether every default port is free now.
pub(crate) fn default_ports_are_free() -> bool {
    let ports = [
        Gateway::HTTP_PORT,
        Gateway::ADMIN_PORT,
        ModelServer::HTTP_PORT,
        ModelServer::ADMIN_PORT,
        BiasMonitor::HTTP_PORT,
        BiasMonitor::ADMIN_PORT,
        DeploymentAudit::HTTP_PORT,
        DeploymentAudit::ADMIN_PORT,
    ];
    ports
        .into_iter()
        .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// Refuses a folder that cannot take the data, with what to do.
pub(crate) fn check_models_dir(models_dir: &Path) -> Result<(), CliError> {
    if models_dir.join("trust.toml").is_file() {
        return Ok(());
    }
    Err(CliError::NotFound(format!(
        "{} holds no model packages (no trust.toml): run from the root of the repository, or name the folder with --models-dir",
        models_dir.display()
    )))
}
