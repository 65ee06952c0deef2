//! The side of the client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::reload::{Current, Source};
use super::{certificates, read, roots};
use crate::ServiceContext;
use crate::settings::ClientTlsSettings;

/// What a client wants to speak over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// For gRPC.
    Http2,
    /// For everything else.
    Http1,
}

impl Protocol {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

/// Whom a client trusts, and what it shows of itself. Cloning shares it.
#[derive(Clone)]
pub struct ClientTls(Current<ClientConfig>);

impl ClientTls {
    /// Reads the files once.
    ///
    /// # Errors
    /// When no authority is named, or a file cannot be read or does not fit the others.
    pub fn load(settings: &ClientTlsSettings) -> anyhow::Result<Self> {
        Ok(Self(Current::new(Files::read(settings)?.build()?)))
    }

    /// Reads the files and keeps them current as long as the service runs.
    pub(crate) fn start<T>(ctx: &ServiceContext<T>) -> anyhow::Result<Self> {
        let settings = ctx.settings.client_tls.clone();
        let files = Files::read(&settings)?;
        let current = Current::new(files.build()?);
        let interval = Duration::from_millis(settings.reload_interval_ms);
        let followed = current.clone().follow(settings, interval, files);
        let soft = ctx.soft.clone();
        ctx.spawn("client-tls-reload", async move {
            soft.run_until_cancelled(followed).await;
            Ok(())
        });
        Ok(Self(current))
    }

    /// Connects to a server, whose certificate must be for the name `host`.
    ///
    /// # Errors
    /// When the server is not there, or is not the one that was meant, or does not speak the protocol.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        protocol: Protocol,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut config = ClientConfig::clone(&self.0.get());
        config.alpn_protocols = vec![protocol.name().to_vec()];
        let stream = TcpStream::connect((name, port)).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(server, stream)
            .await?;
        if protocol == Protocol::Http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("the server does not speak HTTP/2"));
        }
        Ok(stream)
    }
}

#[derive(PartialEq, Eq)]
struct Files {
    ca: Vec<u8>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Source for Files {
    type Paths = ClientTlsSettings;
    type Config = ClientConfig;

    fn read(paths: &ClientTlsSettings) -> anyhow::Result<Self> {
        let ca = paths.ca.as_deref();
        let ca = ca.context("https needs the authorities to trust (client_tls.ca)")?;
        let identity = match (&paths.certificate, &paths.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            _ => bail!("a client certificate and its key belong together"),
        };
        Ok(Self {
            ca: read(ca)?,
            identity,
        })
    }

    fn build(&self) -> anyhow::Result<ClientConfig> {
        let roots = roots(&self.ca).context("read the authorities to trust")?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("choose the versions of TLS")?
            .with_root_certificates(roots);
        let Some((certificate, key)) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate).context("read the client's certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).context("read the client's key")?;
        builder
            .with_client_auth_cert(chain, key)
            .context("the client's key does not fit its certificate")
    }
}
