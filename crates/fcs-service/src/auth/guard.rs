//! The gate in front of the routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use fcs_core::{ApiError, ErrorCode};
use http::{HeaderValue, header};
use tracing::{Span, error};

use super::access::{Finding, Table};
use super::{Access, Auth, Principal, PrincipalKind, Rule, reason};
use crate::limit::{RateLimits, Refused, Standing};
use crate::problem::{self, Problem};
use crate::tls::PeerIdentity;

/// What the gate knows.
pub(crate) struct Guard {
    table: Table,
    auth: Auth,
    limits: Option<RateLimits>,
}

impl Guard {
    pub(crate) const fn new(
        rules: &'static [Rule],
        auth: Auth,
        limits: Option<RateLimits>,
    ) -> Self {
        Self {
            table: Table(rules),
            auth,
            limits,
        }
    }

    /// Counts a request of a client or a person. Our own services, which show certificates, are not limited.
    async fn take(&self, principal: &Principal) -> Result<Option<Standing>, Refused> {
        let limited = matches!(principal.kind, PrincipalKind::Key | PrincipalKind::Person);
        match &self.limits {
            Some(limits) if limited => limits.take(principal).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Fails when a route has no rule: it would answer nobody.
    pub(crate) fn check(&self, routes: &Router) -> anyhow::Result<()> {
        let unruled = self.table.unruled(routes);
        if unruled.is_empty() {
            return Ok(());
        }
        anyhow::bail!("no rule in ACCESS for {}", unruled.join(", "))
    }
}

/// Lets a request through with its principal, or answers it.
pub(crate) async fn guard(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_grpc = crate::edge::is_grpc(&request);
    let access = match route(guard.table, &request, is_grpc) {
        Route::Ruled(access) => access,
        // The fallback says so.
        Route::Missing => return next.run(request).await,
        Route::Refused(answer) => return answer,
    };
    let Access::Needs(scope) = access else {
        return next.run(request).await;
    };
    let peer = request.extensions().get::<PeerIdentity>().cloned();
    let principal = match guard.auth.principal(request.headers(), peer).await {
        Ok(principal) => principal,
        Err(error) => return refusal(error, is_grpc),
    };
    Span::current().record("principal", tracing::field::display(&principal));
    if let Err(error) = principal.require(scope) {
        return refusal(error, is_grpc);
    }
    let standing = match guard.take(&principal).await {
        Ok(standing) => standing,
        Err(Refused { error, standing }) => {
            let mut response = refusal(error, is_grpc);
            standing.tell(&mut response);
            return response;
        }
    };
    request.extensions_mut().insert(principal);
    let mut response = next.run(request).await;
    if let Some(standing) = standing {
        standing.tell(&mut response);
    }
    response
}

/// The route of a request.
enum Route {
    /// These may call it.
    Ruled(Access),
    /// There is none.
    Missing,
    /// Nobody may call it.
    Refused(Response),
}

fn route(table: Table, request: &Request, is_grpc: bool) -> Route {
    let path = request.uri().path();
    if let Some(rule) = table.call(path) {
        return Route::Ruled(rule.access);
    }
    let Some(route) = request.extensions().get::<MatchedPath>() else {
        return Route::Missing;
    };
    if is_grpc {
        let message = format!("there is no method {path}, or it has no access rule");
        return Route::Refused(tonic::Status::unimplemented(message).into_http::<Body>());
    }
    match table.route(request.method().as_str(), route.as_str()) {
        Finding::Ruled(rule) => Route::Ruled(rule.access),
        Finding::OtherMethods(methods) => Route::Refused(other_methods(request, &methods)),
        Finding::Unruled => {
            error!(route = route.as_str(), "a route has no access rule");
            let error = ApiError::new(
                ErrorCode::PermissionDenied,
                reason::NO_ACCESS_RULE,
                "nobody may call this route",
            );
            Route::Refused(refusal(error, false))
        }
    }
}

fn other_methods(request: &Request, methods: &[&'static str]) -> Response {
    let message = format!(
        "{} is not possible here; see the Allow header",
        request.method()
    );
    let error = ApiError::new(
        ErrorCode::InvalidArgument,
        problem::reason::METHOD_NOT_ALLOWED,
        message,
    );
    let mut allowed = methods.join(",");
    if methods.contains(&"GET") {
        allowed.push_str(",HEAD");
    }
    let mut response = Problem(error).into_response();
    let allowed = HeaderValue::try_from(allowed).expect("methods are visible ASCII");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

fn refusal(error: ApiError, is_grpc: bool) -> Response {
    if is_grpc {
        return crate::grpc::status(&error).into_http::<Body>();
    }
    let unauthenticated = error.code == ErrorCode::Unauthenticated;
    let mut response = Problem(error).into_response();
    if unauthenticated {
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
