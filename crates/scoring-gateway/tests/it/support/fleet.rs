//! Gateways as processes of their own on one PostgreSQL, which may be killed.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fcs_testkit::process::{Process, free_port};
use fcs_testkit::wait::until;
use tempfile::TempDir;
use tonic::transport::Channel;

use super::models::FakeModels;
use super::package;
use super::server::{http, serve_models};

const START_LIMIT: Duration = Duration::from_mins(1);
const NAME: &str = "scoring-gateway";

/// Gateways with one model server and one database.
pub(crate) struct Fleet {
    folder: TempDir,
    model_server_url: String,
    database_url: String,
    members: Vec<Member>,
}

struct Member {
    http: u16,
    admin: u16,
    process: Option<Process>,
}

impl Fleet {
    /// Starts so many gateways, one after the other, and waits until they are ready.
    pub(crate) async fn start(size: usize, database_url: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trust.toml"), package::trust_policy()).unwrap();
        std::fs::write(folder.path().join("keys.toml"), super::gateway::KEY_FILE).unwrap();
        let models = serve_models(Arc::new(FakeModels::default())).await;
        let mut fleet = Self {
            folder,
            model_server_url: format!("http://{models}"),
            database_url,
            members: Vec::new(),
        };
        for number in 0..size {
            fleet.members.push(Member {
                http: free_port(),
                admin: free_port(),
                process: None,
            });
            fleet.launch(number).await;
        }
        fleet
    }

    /// A client of each gateway.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let url = |member: &Member| format!("http://127.0.0.1:{}", member.http);
        let channel = |member| fcs_service::grpc::channel(&url(member)).unwrap();
        self.members.iter().map(channel).collect()
    }

    /// Kills one gateway as a power cut would.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut process = self.members[number].process.take().unwrap();
        process.signal("KILL");
        process.wait(START_LIMIT);
    }

    /// Starts a gateway on its ports and waits until it is ready.
    pub(crate) async fn launch(&mut self, number: usize) {
        let member = &mut self.members[number];
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let environment = [
            ("ENVIRONMENT", "test".to_owned()),
            ("DATABASE_URL", self.database_url.clone()),
            ("FCS_DATA_DIR", text(&folder)),
            ("FCS__DATABASE__MIGRATE_ON_START", "true".to_owned()),
            ("FCS__HTTP__LISTEN", format!("127.0.0.1:{}", member.http)),
            ("FCS__ADMIN__LISTEN", format!("127.0.0.1:{}", member.admin)),
            (
                "FCS__GATEWAY__MODEL_SERVER_URL",
                self.model_server_url.clone(),
            ),
            (
                "FCS__GATEWAY__TRUST_POLICY",
                text(&self.folder.path().join("trust.toml")),
            ),
            (
                "FCS__GATEWAY__PRIVACY__KEY_FILE",
                text(&self.folder.path().join("keys.toml")),
            ),
        ];
        let process = Process::start(NAME, &folder, |command| {
            command.envs(environment).current_dir(&folder);
        });
        let process = Mutex::new(member.process.insert(process));
        let admin = format!("127.0.0.1:{}", member.admin).parse().unwrap();
        until("the gateway is ready", START_LIMIT, async || {
            {
                let mut process = process.lock().unwrap();
                assert!(process.is_running(), "it ended: {}", process.log());
            }
            let reachable = tokio::net::TcpStream::connect(admin).await.is_ok();
            let ready = reachable && http(admin, "GET", "/ready", "", b"").await.status == 200;
            ready.then_some(())
        })
        .await;
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
