//! Where the services of the embedded system listen.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::Global;

/// Base URLs of the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// The scoring gateway.
    pub(crate) gateway: String,
    /// The model server.
    pub(crate) model_server: String,
    /// The bias monitor.
    pub(crate) bias_monitor: String,
    /// Deployments and the transparency log.
    pub(crate) deployment_audit: String,
}

impl Endpoints {
    /// The addresses on the default ports of this machine.
    fn on_default_ports() -> Self {
        Self {
            gateway: "http://127.0.0.1:8000".into(),
            model_server: "http://127.0.0.1:8010".into(),
            bias_monitor: "http://127.0.0.1:8020".into(),
            deployment_audit: "http://127.0.0.1:8030".into(),
        }
    }

    /// What the flags say, else the running embedded system, else the default ports.
    pub(crate) fn resolve(global: &Global) -> Self {
        let mut endpoints = Self::read(&global.data_dir).unwrap_or_else(Self::on_default_ports);
        let overrides = [
            (&mut endpoints.gateway, &global.gateway),
            (&mut endpoints.bias_monitor, &global.bias_monitor),
            (&mut endpoints.deployment_audit, &global.deployment_audit),
        ];
        for (endpoint, flag) in overrides {
            if let Some(url) = flag {
                endpoint.clone_from(url);
            }
        }
        endpoints
    }

    fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file(data_dir)).ok()?).ok()
    }

    /// Leaves a note for other commands; it is removed with the returned value.
    pub(crate) fn publish(&self, data_dir: &Path) -> anyhow::Result<Published> {
        fs::write(file(data_dir), serde_json::to_vec_pretty(self)?)?;
        Ok(Published(file(data_dir)))
    }
}

/// The note that a system runs.
pub(crate) struct Published(PathBuf);

impl Drop for Published {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("endpoints.json")
}
