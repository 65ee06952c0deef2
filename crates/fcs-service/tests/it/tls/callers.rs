//! Who is let in, and to what.

use std::path::Path;

use fcs_service::Running;
use fcs_service::grpc::{Deadline, api_error, channel_with, request};
use fcs_service::settings::ClientTlsSettings;
use fcs_service::tls::ClientTls;
use fcs_testkit::certificates::{Authority, Identity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{ask, ask_for, client, client_tls, with_mutual_tls};
use crate::sample::{SOON, start};

/// The head of a TLS record and a ClientHello of version 1.1 with one old cipher suite and no extension.
fn client_hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_known_clients_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (good, revoked) = (clients.sign(&["gateway"]), clients.sign(&["gateway"]));
    let mut settings = with_mutual_tls(folder.path(), &servers, &clients);
    let revocations = folder.path().join("revoked.pem");
    std::fs::write(&revocations, clients.revoke(&[&revoked])).unwrap();
    settings.tls.client_revocations = Some(revocations);
    let running = start(settings).await;

    let answer = ask(running.http, client(&servers, Some(&good))).await;
    assert_eq!(answer.unwrap(), "HTTP/1.1 200 OK");
    let refused = [
        ("none", None, "CertificateRequired"),
        ("revoked", Some(revoked), "CertificateRevoked"),
        (
            "expired",
            Some(clients.sign_expired(&["gateway"])),
            "CertificateExpired",
        ),
        (
            "of another authority",
            Some(Authority::new("other").sign(&["gateway"])),
            "UnknownCA",
        ),
        (
            "of another authority with the same name",
            Some(Authority::new("clients").sign(&["gateway"])),
            "DecryptError",
        ),
    ];
    for (what, identity, alert) in refused {
        let answer = ask(running.http, client(&servers, identity.as_ref())).await;
        let error = answer.expect_err(what).to_string();
        assert!(error.contains(alert), "{what}: {error}");
    }
    let mut old = TcpStream::connect(running.http).await.unwrap();
    old.write_all(&client_hello_of_tls_1_1()).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, old.read_to_end(&mut answer))
        .await
        .expect("the connection is closed")
        .unwrap();
    // A fatal alert.
    assert_eq!((answer[0], answer[5]), (0x15, 2), "{answer:?}");
}

async fn check_health(running: &Running, tls: &ClientTlsSettings) -> Result<(), tonic::Status> {
    let tls = ClientTls::load(tls).unwrap();
    let url = format!("https://localhost:{}", running.http.port());
    let mut client = HealthClient::new(channel_with(&url, &tls).unwrap());
    let message = HealthCheckRequest::default();
    let asked = client.check(request(message, Deadline::after(SOON))).await;
    asked.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_with_rules_is_for_their_names_only() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let mut settings = with_mutual_tls(folder.path(), &authority, &authority);
    let rules = [
        "/grpc.health.v1.Health/Check=deployment-audit",
        "/grpc.health.v1.Health/Check=spiffe://faircredit/monitor",
        "/v1/items/=deployment-audit",
    ];
    settings.tls.callers = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    let levers = settings.service.levers.clone();
    let running = start(settings).await;
    let files = |name: &str| {
        let folder = folder.path().join(name.replace('/', "_"));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    let call = async |identity: &Identity, folder: &Path| {
        let tls = client_tls(folder, &authority, Some(identity));
        check_health(&running, &tls).await
    };
    for name in ["Deployment-Audit", "spiffe://faircredit/monitor"] {
        let identity = authority.sign(&["host.internal", name]);
        call(&identity, &files(name)).await.unwrap();
        let expected = ["host.internal".to_owned(), name.to_ascii_lowercase()];
        assert_eq!(levers.last_caller(), expected);
    }
    for name in ["bias-monitor", "spiffe://faircredit/Monitor"] {
        let identity = authority.sign(&[name]);
        let status = call(&identity, &files(name)).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{name}");
        assert_eq!(api_error(&status).reason, "CALLER_NOT_ALLOWED");
        let as_http = client(&authority, Some(&identity));
        let answer = ask_for("/v1/items/7", running.http, as_http.clone()).await;
        assert_eq!(answer.unwrap(), "HTTP/1.1 403 Forbidden");
        let answer = ask_for("/v1/items", running.http, as_http).await;
        assert_eq!(answer.unwrap(), "HTTP/1.1 404 Not Found", "no rule");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_optional_certificate_must_be_good_and_opens_no_path_with_rules() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let mut settings = with_mutual_tls(folder.path(), &authority, &authority);
    settings.tls.client_certificate_optional = true;
    settings.tls.callers = vec!["/v1/items/=deployment-audit".parse().unwrap()];
    let running = start(settings).await;

    let nobody = client(&authority, None);
    let answer = ask(running.http, nobody.clone()).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK", "a load balancer's probe");
    let answer = ask_for("/v1/items/1", running.http, nobody).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 403 Forbidden");
    let named = client(&authority, Some(&authority.sign(&["deployment-audit"])));
    let answer = ask_for("/v1/items/1", running.http, named).await.unwrap();
    assert_ne!(answer, "HTTP/1.1 403 Forbidden");
    let stranger = Authority::new("other").sign(&["deployment-audit"]);
    let refused = ask(running.http, client(&authority, Some(&stranger))).await;
    assert!(refused.is_err(), "a certificate that is shown must be good");
}
