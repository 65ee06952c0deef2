//! The side of the server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::reload::{Current, Source};
use super::{PeerIdentity, certificates, read, roots};
use crate::ServiceContext;
use crate::settings::TlsSettings;

/// HTTP/2 first: gRPC needs it.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate in use. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Tls(Current<Served>);

/// What new connections are served with.
pub(super) struct Served {
    config: Arc<ServerConfig>,
    /// When the first certificate of the chain ends, in seconds since the Unix epoch.
    ends: i64,
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
        if settings.certificate.is_none() {
            return Ok(None);
        }
        let files = Files::read(settings)?;
        let current = Current::new(files.build()?);
        ctx.metrics.register(|registry| {
            registry.register_collector(Box::new(Expiry(current.clone())));
        });
        let interval = Duration::from_millis(settings.reload_interval_ms);
        let followed = current.clone().follow(settings.clone(), interval, files);
        let soft = ctx.soft.clone();
        ctx.spawn("tls-reload", async move {
            soft.run_until_cancelled(followed).await;
            Ok(())
        });
        Ok(Some(Self(current)))
    }

    /// Takes a connection through the handshake. The client has an identity when it showed a certificate.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<PeerIdentity>)> {
        let stream = TlsAcceptor::from(Arc::clone(&self.0.get().config))
            .accept(stream)
            .await?;
        let certificate = stream.get_ref().1.peer_certificates();
        let identity = certificate
            .and_then(|chain| chain.first())
            .and_then(PeerIdentity::of);
        Ok((stream, identity))
    }
}

#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_certificate_optional: bool,
    client_revocations: Option<Vec<u8>>,
}

impl Source for Files {
    type Paths = TlsSettings;
    type Config = Served;

    fn read(paths: &TlsSettings) -> anyhow::Result<Self> {
        let certificate = paths.certificate.as_deref();
        let key = paths.key.as_deref();
        Ok(Self {
            certificate: read(certificate.context("tls.certificate is not set")?)?,
            key: read(key.context("tls.key is not set")?)?,
            client_ca: paths.client_ca.as_deref().map(read).transpose()?,
            client_certificate_optional: paths.client_certificate_optional,
            client_revocations: paths.client_revocations.as_deref().map(read).transpose()?,
        })
    }

    fn build(&self) -> anyhow::Result<Served> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.certificate).context("read tls.certificate")?;
        let ends = first_end(&chain).context("read tls.certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).context("read tls.key")?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context("choose the versions of TLS")?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                builder.with_client_cert_verifier(self.client_verifier(authorities, provider)?)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .context("tls.key does not fit tls.certificate")?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Served {
            config: Arc::new(config),
            ends,
        })
    }
}

/// When the first certificate of a chain ends: from then on clients refuse the whole chain.
fn first_end(chain: &[CertificateDer<'_>]) -> anyhow::Result<i64> {
    let mut first = i64::MAX;
    for certificate in chain {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate)?;
        first = first.min(certificate.validity().not_after.timestamp());
    }
    Ok(first)
}

/// Tells when the certificate in use ends. It follows the files: a renewal shows without a restart.
struct Expiry(Current<Served>);

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expiry").field(&self.0.get().ends).finish()
    }
}

impl Collector for Expiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let name = "tls_certificate_expiry_timestamp_seconds";
        let help = "When the first certificate of the listener's chain ends, since the Unix epoch";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(self.0.get().ends).encode(metric)
    }
}

impl Files {
    fn client_verifier(
        &self,
        authorities: &[u8],
        provider: Arc<CryptoProvider>,
    ) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
        let roots = roots(authorities).context("read tls.client_ca")?;
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        if let Some(pem) = &self.client_revocations {
            let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .context("read tls.client_revocations")?;
            anyhow::ensure!(!lists.is_empty(), "tls.client_revocations holds no list");
            // A list must speak for the authority that signed the client's certificate; lists about
            // authorities between it and the root are seldom published.
            builder = builder.with_crls(lists).only_check_end_entity_revocation();
        }
        if self.client_certificate_optional {
            builder = builder.allow_unauthenticated();
        }
        builder.build().context("use tls.client_ca")
    }
}
