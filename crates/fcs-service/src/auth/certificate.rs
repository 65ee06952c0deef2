//! Systems that show a client certificate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Principal, PrincipalKind, Role, UnknownName};
use crate::tls::PeerIdentity;

/// The role of whoever shows a certificate with a name: `NAME=ROLE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateRole {
    name: String,
    role: Role,
}

/// A text that gives no certificate a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificateRole {
    /// It has no name or no role.
    #[error("{0:?} is not of the form NAME=ROLE")]
    Form(String),
    /// There is no such role.
    #[error(transparent)]
    Role(#[from] UnknownName),
}

impl CertificateRole {
    /// Who shows a certificate, with the roles of all its names; `None` when none of them has a role. Such a system
    /// belongs to whoever runs the services, so its tenant is the default one.
    pub(super) fn principal(roles: &[Self], peer: &PeerIdentity) -> Option<Principal> {
        let own: Vec<&Self> = roles.iter().filter(|own| peer.is(&own.name)).collect();
        let subject = own.first()?.name.clone();
        Some(Principal::new(
            PrincipalKind::Certificate,
            Principal::default_tenant(),
            subject,
            own.iter().map(|own| own.role).collect(),
        ))
    }
}

impl FromStr for CertificateRole {
    type Err = InvalidCertificateRole;

    fn from_str(text: &str) -> Result<Self, InvalidCertificateRole> {
        // A URI may hold an equals sign, a role does not.
        let parts = text.rsplit_once('=');
        match parts.map(|(name, role)| (name.trim(), role.trim())) {
            Some((name, role)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                role: role.parse()?,
            }),
            _ => Err(InvalidCertificateRole::Form(text.to_owned())),
        }
    }
}

impl TryFrom<String> for CertificateRole {
    type Error = InvalidCertificateRole;

    fn try_from(text: String) -> Result<Self, InvalidCertificateRole> {
        text.parse()
    }
}

impl From<CertificateRole> for String {
    fn from(role: CertificateRole) -> Self {
        role.to_string()
    }
}

impl fmt::Display for CertificateRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_role() {
        let role: CertificateRole = "spiffe://x/y=z = monitor".parse().unwrap();
        assert_eq!(role.to_string(), "spiffe://x/y=z=monitor");
        for bad in ["", "gateway", "=monitor", "gateway=root", "gateway="] {
            assert!(bad.parse::<CertificateRole>().is_err(), "{bad}");
        }
    }
}
