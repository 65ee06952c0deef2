//! TLS of the public listener: the certificate's files, read again while the service runs.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};

use crate::ServiceContext;
use crate::settings::TlsSettings;

/// HTTP/2 first: gRPC needs it.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate in use. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

/// What the files held when they were last read.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files and keeps them current; `None` when the settings name no certificate.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit the others.
    pub(crate) fn start<T>(
        settings: &TlsSettings,
        ctx: &ServiceContext<T>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(files) = Files::read(settings)? else {
            return Ok(None);
        };
        let tls = Self(Arc::new(RwLock::new(Arc::new(files.server_config()?))));
        let (settings, soft) = (settings.clone(), ctx.soft.clone());
        let current = tls.clone();
        ctx.spawn("tls-reload", async move {
            let kept = current.keep_current(&settings, files);
            soft.run_until_cancelled(kept).await;
            Ok(())
        });
        Ok(Some(tls))
    }

    /// Takes a connection through the handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Files that do not fit together, such as a new key beside an old certificate, change nothing.
    async fn keep_current(&self, settings: &TlsSettings, mut current: Files) {
        let mut interval =
            tokio::time::interval(Duration::from_millis(settings.reload_interval_ms));
        loop {
            interval.tick().await;
            let settings = settings.clone();
            let read = tokio::task::spawn_blocking(move || Files::read(&settings)).await;
            let files = match read {
                Ok(Ok(Some(files))) if files != current => files,
                Ok(Ok(_)) | Err(_) => continue,
                Ok(Err(error)) => {
                    warn!(
                        error = format!("{error:#}"),
                        "the certificate stays as it is"
                    );
                    continue;
                }
            };
            match files.server_config() {
                Ok(config) => {
                    *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                    current = files;
                    info!("new connections use the new certificate");
                }
                Err(error) => warn!(
                    error = format!("{error:#}"),
                    "the certificate stays as it is"
                ),
            }
        }
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> anyhow::Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) else {
            return Ok(None);
        };
        Ok(Some(Self {
            certificate: read(certificate)?,
            key: read(key)?,
            client_ca: settings.client_ca.as_deref().map(read).transpose()?,
        }))
    }

    fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.certificate).context("read tls.certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).context("read tls.key")?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context("choose the versions of TLS")?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(roots) => builder.with_client_cert_verifier(client_verifier(roots, provider)?),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .context("tls.key does not fit tls.certificate")?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(config)
    }
}

fn client_verifier(
    pem: &[u8],
    provider: Arc<CryptoProvider>,
) -> anyhow::Result<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).context("read tls.client_ca")? {
        roots.add(certificate).context("read tls.client_ca")?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .context("use tls.client_ca")
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        bail!("the file holds no certificate");
    }
    Ok(certificates)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}
