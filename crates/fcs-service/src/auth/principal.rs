//! The one who calls.

use std::fmt;

use axum::extract::FromRequestParts;
use fcs_core::{ApiError, ErrorCode, TenantId};
use http::Extensions;
use http::request::Parts;

use super::{Role, Scope, Scopes, reason};
use crate::problem::{Problem, internal};

/// How a principal showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A system with an API key.
    Key,
    /// A system with a client certificate.
    Certificate,
    /// A person with a token of the identity provider.
    Person,
    /// Nobody asked: the mode is "open".
    Anyone,
}

impl PrincipalKind {
    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Certificate => "certificate",
            Self::Person => "person",
            Self::Anyone => "anyone",
        }
    }
}

/// The one who calls: on behalf of which tenant, and with which scopes. Every request that reaches a handler has one
/// in its extensions; HTTP handlers take it as an argument, gRPC handlers call [`Principal::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// How it showed who it is.
    pub kind: PrincipalKind,
    /// Whose data it works on.
    pub tenant: TenantId,
    /// Who it is within the tenant: the name of the client, the certificate or the person.
    pub subject: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// What the roles allow.
    pub scopes: Scopes,
}

impl Principal {
    /// A principal with these roles.
    pub fn new(kind: PrincipalKind, tenant: TenantId, subject: String, roles: Vec<Role>) -> Self {
        let scopes = Scopes::of_roles(&roles);
        Self {
            kind,
            tenant,
            subject,
            roles,
            scopes,
        }
    }

    /// Who everyone is in the mode "open": the tenant "default", with every scope.
    pub fn anyone() -> Self {
        let roles = vec![Role::PlatformAdmin];
        Self::new(
            PrincipalKind::Anyone,
            Self::default_tenant(),
            "anyone".to_owned(),
            roles,
        )
    }

    /// The tenant of a system that has only one.
    pub fn default_tenant() -> TenantId {
        "default".parse().expect("the name is a valid tenant id")
    }

    /// The principal of a gRPC request.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<&Self, ApiError> {
        Self::in_extensions(request.extensions())
    }

    /// Refuses unless the principal has the scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::PermissionDenied,
            reason::SCOPE_MISSING,
            format!("this needs the scope {scope}, which {self} does not have"),
        ))
    }

    fn in_extensions(extensions: &Extensions) -> Result<&Self, ApiError> {
        extensions.get().ok_or_else(|| {
            let message = "a request reached its handler without a principal";
            internal("PRINCIPAL_MISSING", anyhow::Error::msg(message))
        })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            tenant,
            subject,
            ..
        } = self;
        write!(f, "{}:{tenant}/{subject}", kind.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self::in_extensions(&parts.extensions)?.clone())
    }
}
