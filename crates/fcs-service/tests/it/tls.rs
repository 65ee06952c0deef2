//! TLS of the public listener and of the calls to other services, with certificates made here.

mod callers;
mod channels;
mod rotation;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use fcs_service::Settings;
use fcs_service::settings::{ClientTlsSettings, Sources, TlsSettings, load};
use fcs_testkit::certificates::{Authority, Identity};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::sample::{SOON, SampleSettings, settings, start};

/// Settings of a server whose certificate `authority` has signed for this machine.
fn with_tls(folder: &Path, authority: &Authority) -> Settings<SampleSettings> {
    let files = authority.sign(&["localhost"]).install(folder, "server");
    let mut settings = settings(folder);
    settings.tls = TlsSettings {
        certificate: Some(files.certificate),
        key: Some(files.key),
        reload_interval_ms: 20,
        ..TlsSettings::default()
    };
    settings
}

/// The same for a server that asks for certificates of `clients`.
fn with_mutual_tls(
    folder: &Path,
    authority: &Authority,
    clients: &Authority,
) -> Settings<SampleSettings> {
    let mut settings = with_tls(folder, authority);
    let roots = folder.join("clients.pem");
    std::fs::write(&roots, clients.pem()).unwrap();
    settings.tls.client_ca = Some(roots);
    settings
}

/// Settings of a client that trusts `authority` and shows `identity`.
fn client_tls(
    folder: &Path,
    authority: &Authority,
    identity: Option<&Identity>,
) -> ClientTlsSettings {
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let files = identity.map(|identity| identity.install(folder, "client"));
    let (certificate, key) = files.map(|it| (it.certificate, it.key)).unzip();
    ClientTlsSettings {
        ca: Some(ca),
        certificate,
        key,
        reload_interval_ms: 20,
    }
}

fn client(authority: &Authority, identity: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(identity) = identity else {
        return builder.with_no_client_auth();
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    builder
        .with_client_auth_cert(vec![certificate], key)
        .unwrap()
}

async fn connect(
    address: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// Asks for liveness; the first line of the answer.
async fn ask(address: SocketAddr, config: ClientConfig) -> std::io::Result<String> {
    ask_for("/health", address, config).await
}

async fn ask_for(path: &str, address: SocketAddr, config: ClientConfig) -> std::io::Result<String> {
    let mut stream = connect(address, config).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The server closes the connection without a farewell of TLS.
    let ended = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    match text.lines().next() {
        Some(line) => Ok(line.to_owned()),
        None => Err(ended
            .err()
            .unwrap_or_else(|| std::io::ErrorKind::UnexpectedEof.into())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_over_tls_and_not_without() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let running = start(with_tls(folder.path(), &authority)).await;
    let answer = ask(running.http, client(&authority, None)).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let stranger = ask(running.http, client(&Authority::new("other"), None)).await;
    assert!(stranger.is_err(), "the client does not know this authority");

    let mut plain = TcpStream::connect(running.http).await.unwrap();
    plain
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "no answer in plain text");

    let mut http2 = client(&authority, None);
    http2.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(running.http, http2).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    drop(stream);
    running.stop();
    timeout(SOON, running.wait()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_count_for_new_connections_once_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let running = start(with_tls(folder.path(), &old)).await;
    ask(running.http, client(&old, None)).await.unwrap();

    let identity = new.sign(&["localhost"]);
    std::fs::write(folder.path().join("server.pem"), identity.certificate).unwrap();
    let halfway = ask(running.http, client(&old, None)).await;
    assert!(
        halfway.is_ok(),
        "a certificate without its key changes nothing"
    );
    std::fs::write(folder.path().join("server.key"), identity.key).unwrap();
    let replaced = async {
        while ask(running.http, client(&new, None)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, replaced)
        .await
        .expect("the new certificate is used");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let variables = [
        ("FCS__TLS__CERTIFICATE", "/nowhere.pem"),
        ("FCS__TLS__CALLERS", "/a.B/C=x"),
        ("FCS__CLIENT_TLS__KEY", "/nowhere.key"),
    ];
    let sources = Sources {
        variables: variables
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..Sources::default()
    };
    let problems = load::<crate::sample::Sample>(&sources).unwrap_err().0;
    for part in [
        "tls: set certificate and key together",
        "tls.certificate: /nowhere.pem is not a file",
        "tls.callers: needs tls.client_ca",
        "client_tls: set certificate and key together",
        "client_tls.key: /nowhere.key is not a file",
    ] {
        assert!(
            problems.iter().any(|it| it.contains(part)),
            "{part}: {problems:?}"
        );
    }
    let sources = Sources {
        variables: [("FCS__TLS__CALLERS".into(), "everybody".into())].into(),
        ..Sources::default()
    };
    let problems = load::<crate::sample::Sample>(&sources).unwrap_err().0;
    assert!(problems[0].contains("tls.callers"), "{problems:?}");
}
