//! TLS of the public listener, with certificates made here.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use fcs_service::Settings;
use fcs_service::settings::{Sources, TlsSettings, load};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::sample::{SOON, SampleSettings, settings, start};

/// An authority that signs certificates of servers and clients.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// Certificate and key as PEM.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Puts a certificate for this machine into a folder.
    fn install(&self, folder: &Path) {
        let (certificate, key) = self.sign("localhost");
        std::fs::write(folder.join("server.pem"), certificate).unwrap();
        std::fs::write(folder.join("server.key"), key).unwrap();
    }

    fn client(&self, identity: Option<(String, String)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let Some((certificate, key)) = identity else {
            return builder.with_no_client_auth();
        };
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        builder
            .with_client_auth_cert(vec![certificate], key)
            .unwrap()
    }
}

fn with_tls(folder: &Path) -> Settings<SampleSettings> {
    let mut settings = settings(folder);
    settings.tls = TlsSettings {
        certificate: Some(folder.join("server.pem")),
        key: Some(folder.join("server.key")),
        client_ca: None,
        reload_interval_ms: 20,
    };
    settings
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
    let mut stream = connect(address, config).await?;
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
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
    let authority = Authority::new();
    authority.install(folder.path());
    let running = start(with_tls(folder.path())).await;
    let answer = ask(running.http, authority.client(None)).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let stranger = ask(running.http, Authority::new().client(None)).await;
    assert!(stranger.is_err(), "the client does not know this authority");

    let mut plain = TcpStream::connect(running.http).await.unwrap();
    plain
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "no answer in plain text");

    let mut http2 = authority.client(None);
    http2.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(running.http, http2).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    drop(stream);
    running.stop();
    timeout(SOON, running.wait()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_client_authority_every_client_shows_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.install(folder.path());
    let mut settings = with_tls(folder.path());
    let roots = folder.path().join("clients.pem");
    std::fs::write(&roots, &authority.pem).unwrap();
    settings.tls.client_ca = Some(roots);
    let running = start(settings).await;

    let known = authority.client(Some(authority.sign("gateway")));
    let answer = ask(running.http, known).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    assert!(
        ask(running.http, authority.client(None)).await.is_err(),
        "no certificate"
    );
    let stranger = authority.client(Some(Authority::new().sign("gateway")));
    assert!(
        ask(running.http, stranger).await.is_err(),
        "of another authority"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_count_for_new_connections_once_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    old.install(folder.path());
    let running = start(with_tls(folder.path())).await;
    ask(running.http, old.client(None)).await.unwrap();

    let (certificate, key) = new.sign("localhost");
    std::fs::write(folder.path().join("server.pem"), certificate).unwrap();
    let halfway = ask(running.http, old.client(None)).await;
    assert!(
        halfway.is_ok(),
        "a certificate without its key changes nothing"
    );
    std::fs::write(folder.path().join("server.key"), key).unwrap();
    let replaced = async {
        while ask(running.http, new.client(None)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, replaced)
        .await
        .expect("the new certificate is used");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let sources = Sources {
        variables: [("FCS__TLS__CERTIFICATE".into(), "/nowhere.pem".into())].into(),
        ..Sources::default()
    };
    let problems = load::<crate::sample::Sample>(&sources).unwrap_err().0;
    assert!(
        problems.iter().any(|it| it.contains("together"))
            && problems.iter().any(|it| it.contains("/nowhere.pem")),
        "{problems:?}"
    );
}
