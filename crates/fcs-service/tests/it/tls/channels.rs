//! Calls to other services.

use std::error::Error as _;

use fcs_core::ErrorCode;
use fcs_service::grpc::{Deadline, api_error, channel, channel_with, request};
use fcs_service::settings::ClientTlsSettings;
use fcs_service::tls::{ClientTls, Protocol};
use fcs_testkit::certificates::Authority;
use tokio::io::AsyncReadExt as _;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{client_tls, with_mutual_tls, with_tls};
use crate::sample::{SOON, settings, start};

async fn call(url: &str, tls: &ClientTlsSettings) -> Result<(), Status> {
    let tls = ClientTls::load(tls).unwrap();
    let mut client = HealthClient::new(channel_with(url, &tls).unwrap());
    let message = HealthCheckRequest::default();
    let asked = client.check(request(message, Deadline::after(SOON))).await;
    asked.map(drop)
}

/// The causes of a failed call, for a person.
fn causes(status: &Status) -> String {
    let mut text = status.to_string();
    let mut cause = status.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_the_one_that_was_meant_gets_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let good = start(with_tls(folder.path(), &authority)).await;
    let tls = client_tls(folder.path(), &authority, None);
    let url = |name: &str, port: u16| format!("https://{name}:{port}");
    call(&url("localhost", good.http.port()), &tls)
        .await
        .unwrap();

    let expired = tempfile::tempdir().unwrap();
    let settings_of_expired = with_tls(expired.path(), &authority);
    authority
        .sign_expired(&["localhost"])
        .install(expired.path(), "server");
    let expired = start(settings_of_expired).await;
    let plain = start(settings(folder.path())).await;
    let strange = client_tls(
        tempfile::tempdir().unwrap().keep().as_path(),
        &Authority::new("other"),
        None,
    );
    let refused = [
        (
            url("127.0.0.1", good.http.port()),
            &tls,
            "not valid for name",
        ),
        (
            url("localhost", expired.http.port()),
            &tls,
            "certificate expired",
        ),
        (
            url("localhost", good.http.port()),
            &strange,
            "UnknownIssuer",
        ),
        (url("localhost", plain.http.port()), &tls, "corrupt message"),
    ];
    for (url, tls, cause) in refused {
        let status = call(&url, tls).await.expect_err(cause);
        assert_eq!(api_error(&status).code, ErrorCode::Unavailable, "{cause}");
        let causes = causes(&status);
        assert!(causes.contains(cause), "{cause}: {causes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_the_server_refuses_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let running = start(with_mutual_tls(folder.path(), &authority, &authority)).await;
    let url = format!("https://localhost:{}", running.http.port());
    let good = authority.sign(&["gateway"]);
    call(&url, &client_tls(folder.path(), &authority, Some(&good)))
        .await
        .unwrap();
    let nobody = tempfile::tempdir().unwrap();
    let nobody = client_tls(nobody.path(), &authority, None);
    let status = call(&url, &nobody).await.unwrap_err();
    assert_eq!(api_error(&status).code, ErrorCode::Unavailable);
    // The log of a channel tells what its connection reads.
    let tls = ClientTls::load(&nobody).unwrap();
    let connect = tls.connect("localhost", running.http.port(), Protocol::Http2);
    let told = connect.await.unwrap().read_u8().await.unwrap_err();
    assert!(told.to_string().contains("CertificateRequired"), "{told}");
}

#[test]
fn https_without_an_authority_to_trust_is_refused_at_once() {
    let error = channel("https://localhost:1").unwrap_err().to_string();
    assert!(error.contains("authorities to trust"), "{error}");
    let error = ClientTls::load(&ClientTlsSettings::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("client_tls.ca"), "{error}");
}
