//! Who a client is, by its certificate.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The names of a client's certificate, which an authority of `tls.client_ca` vouches for. Requests of such a client
/// carry it as an extension; requests without it come from nobody known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity(Arc<Names>);

#[derive(Debug, PartialEq, Eq)]
struct Names {
    dns: Vec<String>,
    uris: Vec<String>,
}

impl PeerIdentity {
    /// The alternative names of a verified certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        Some(Self(Arc::new(Names {
            dns: certificate
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect(),
            uris: certificate.valid_uri_names().map(str::to_owned).collect(),
        })))
    }

    /// Whether one of its names is this: a DNS name in any case, or a URI as it stands.
    pub fn is(&self, name: &str) -> bool {
        let Names { dns, uris } = &*self.0;
        uris.iter().any(|uri| uri == name) || dns.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Its DNS names, in lower case, and then its URIs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let Names { dns, uris } = &*self.0;
        dns.iter().chain(uris).map(String::as_str)
    }
}
