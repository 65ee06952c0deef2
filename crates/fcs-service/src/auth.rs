//! Who calls, and what they may do: one way for HTTP and gRPC.
//!
//! A request becomes a [`Principal`] at the edge, by its API key, its client certificate or its token, and passes
//! only when a [`Rule`] of the service names its route and the principal has the scope of that rule. A route
//! without a rule answers nobody.

mod access;
mod certificate;
mod credential;
mod guard;
mod issuer;
mod key;
mod principal;
mod ring_jwt;
mod role;
mod settings;
mod token;

pub(crate) use access::Table;
pub use access::{Access, Rule};
pub use certificate::{CertificateRole, InvalidCertificateRole};
pub use credential::Auth;
pub use key::{ApiKey, ClientId, KeyDirectory, KeyMac, KeySecret, RegisteredClient, RegisteredKey};
pub use principal::{Principal, PrincipalKind};
pub use role::{Role, Scope, Scopes, UnknownName};
pub use settings::{AuthMode, AuthSettings, OidcSettings};

pub(crate) use guard::{Guard, guard};

/// Reasons of refusals.
pub mod reason {
    /// There is no credential: 401.
    pub const CREDENTIALS_MISSING: &str = "CREDENTIALS_MISSING";
    /// The credential is unknown, wrong, expired or revoked: 401.
    pub const CREDENTIALS_INVALID: &str = "CREDENTIALS_INVALID";
    /// The principal lacks the scope of the route: 403.
    pub const SCOPE_MISSING: &str = "SCOPE_MISSING";
    /// The route has no rule: 403.
    pub const NO_ACCESS_RULE: &str = "NO_ACCESS_RULE";
}
