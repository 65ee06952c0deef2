//! The section `[auth]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::CertificateRole;
use crate::Environment;

/// Whether callers must show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Everyone may do everything; a credential that is shown must be good all the same.
    Open,
    /// Every route but the probes needs a credential.
    Required,
}

/// Who may call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// "open" or "required"; production refuses "open".
    pub mode: AuthMode,
    /// File with the secret that API keys are stored under, 64 hexadecimal digits; the same for every replica. The
    /// default is a file in the data folder, which is made outside production.
    pub key_secret: Option<PathBuf>,
    /// How long a looked-up API key is believed; a revocation elsewhere takes effect after this.
    pub key_cache_ms: u64,
    /// Roles of systems that show a client certificate, each as "NAME=ROLE"; needs `tls.client_ca`.
    pub certificates: Vec<CertificateRole>,
    /// The issuer of people's tokens.
    pub oidc: OidcSettings,
}

/// The OpenID Connect issuer whose tokens are taken. Without an issuer there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// Name of the issuer, a URL; its configuration is below it at `/.well-known/openid-configuration`.
    pub issuer: Option<String>,
    /// What the tokens' `aud` must name.
    pub audience: Option<String>,
    /// Claim that names the tenant.
    pub tenant_claim: String,
    /// Claim that lists the roles.
    pub roles_claim: String,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            tenant_claim: "tenant".to_owned(),
            roles_claim: "roles".to_owned(),
        }
    }
}

impl AuthSettings {
    pub(crate) fn defaults(environment: Environment) -> Self {
        Self {
            mode: if environment.is_shared() {
                AuthMode::Required
            } else {
                AuthMode::Open
            },
            key_secret: None,
            key_cache_ms: 1_000,
            certificates: Vec::new(),
            oidc: OidcSettings::default(),
        }
    }
}
