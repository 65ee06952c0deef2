//! Four processes that speak TLS to each other and show who they are, and the command line beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use fcs_proto::scoring::v1::SubscribeRequest;
use fcs_proto::scoring::v1::feed_service_client::FeedServiceClient;
use fcs_service::grpc::{api_error, channel_with};
use fcs_service::settings::ClientTlsSettings;
use fcs_service::tls::ClientTls;
use fcs_testkit::certificates::Authority;
use tempfile::TempDir;

use crate::demo::check;
use crate::system::{SERVICES, Store, System, json};

/// Who may call what, by service.
const CALLERS: [(&str, &str); 2] = [
    (
        "scoring-gateway",
        "/faircredit.scoring.v1.TrafficService/ApplyTraffic=deployment-audit,\
         /faircredit.scoring.v1.FeedService/=deployment-audit,\
         /faircredit.scoring.v1.FeedService/=bias-monitor",
    ),
    (
        "model-server",
        "/faircredit.model.v1.ModelService/=scoring-gateway",
    ),
];

/// What the certificates stand for, at every service: all of them ask for credentials.
const ROLES: &str = "scoring-gateway=gateway,bias-monitor=monitor,deployment-audit=deployer,\
                     operator=platform-admin";

/// Certificates of one authority, for every service and an operator.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new("test");
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        for name in SERVICES.into_iter().chain(["operator"]) {
            authority
                .sign(&[name, "localhost"])
                .install(folder.path(), name);
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Gives a service its own certificate, for both sides.
    pub(crate) fn configure(&self, service: &str, command: &mut Command) {
        let (certificate, key) = (
            self.file(&format!("{service}.pem")),
            self.file(&format!("{service}.key")),
        );
        command
            .env("FCS__TLS__CERTIFICATE", &certificate)
            .env("FCS__TLS__KEY", &key)
            .env("FCS__TLS__CLIENT_CA", self.file("ca.pem"))
            .env("FCS__AUTH__MODE", "required")
            .env("FCS__AUTH__CERTIFICATES", ROLES)
            .env("FCS__CLIENT_TLS__CA", self.file("ca.pem"))
            .env("FCS__CLIENT_TLS__CERTIFICATE", certificate)
            .env("FCS__CLIENT_TLS__KEY", key);
        if let Some((_, rules)) = CALLERS.iter().find(|(name, _)| *name == service) {
            command.env("FCS__TLS__CALLERS", rules);
        }
    }

    /// Flags of `fcs` for this identity.
    pub(crate) fn flags(&self, name: &str) -> [String; 6] {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        [
            "--ca".to_owned(),
            path(&self.file("ca.pem")),
            "--cert".to_owned(),
            path(&self.file(&format!("{name}.pem"))),
            "--cert-key".to_owned(),
            path(&self.file(&format!("{name}.key"))),
        ]
    }

    pub(crate) fn client(&self, name: &str) -> ClientTls {
        ClientTls::load(&ClientTlsSettings {
            ca: Some(self.file("ca.pem")),
            certificate: Some(self.file(&format!("{name}.pem"))),
            key: Some(self.file(&format!("{name}.key"))),
            ..ClientTlsSettings::default()
        })
        .unwrap()
    }
}

async fn subscribe(url: &str, tls: &ClientTls) -> Result<(), tonic::Status> {
    let mut feed = FeedServiceClient::new(channel_with(url, tls).unwrap());
    let asked = feed.subscribe(SubscribeRequest { after_index: 0 }).await;
    asked.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_that_ask_for_credentials_trust_each_other_and_nobody_else() {
    let certificates = Certificates::new();
    let (operator, monitor) = (
        certificates.client("operator"),
        certificates.client("bias-monitor"),
    );
    let system = System::start_over_tls(Store::Sqlite, certificates);
    let summary = json(&system.demo("boston-hmda").wait_with_output().unwrap());
    check(&summary, 2_380);

    let gateway = system.url("scoring-gateway");
    subscribe(&gateway, &monitor).await.unwrap();
    let refused = subscribe(&gateway, &operator).await.unwrap_err();
    assert_eq!(api_error(&refused).reason, "CALLER_NOT_ALLOWED");

    let mut without = Command::new(fcs_testkit::process::program("fcs"));
    without.args(["decision", "list", "--gateway", &gateway]);
    let output = without.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("--ca"), "{told}");
    let model_server = system.url("model-server").replace("https://", "");
    let output = system
        .fcs(&[
            "conformance",
            "--target",
            &model_server,
            "--http",
            &model_server,
            "-o",
            "json",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
