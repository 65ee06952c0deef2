//! Which scope each route needs.

use axum::Router;

use super::Scope;
use crate::admission::Class;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, without a credential.
    Public,
    /// Principals with the scope.
    Needs(Scope),
}

/// One row of a service's table: a route and who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The HTTP method, or [`Rule::CALL`].
    pub method: &'static str,
    /// The path as the router matches it, for example `/v1/decisions/{id}`; of a call, `/package.Service/Method`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The class of its requests, when each of them takes a place.
    pub class: Option<Class>,
}

impl Rule {
    /// The method of rules for gRPC.
    pub const CALL: &'static str = "CALL";

    /// `GET` and `HEAD` of a path.
    pub const fn get(path: &'static str, scope: Scope) -> Self {
        Self::new("GET", path, Access::Needs(scope))
    }

    /// `POST` to a path.
    pub const fn post(path: &'static str, scope: Scope) -> Self {
        Self::new("POST", path, Access::Needs(scope))
    }

    /// A gRPC method.
    pub const fn call(path: &'static str, scope: Scope) -> Self {
        Self::new(Self::CALL, path, Access::Needs(scope))
    }

    /// A route that needs no credential.
    pub const fn public(method: &'static str, path: &'static str) -> Self {
        Self::new(method, path, Access::Public)
    }

    const fn new(method: &'static str, path: &'static str, access: Access) -> Self {
        Self {
            method,
            path,
            access,
            class: None,
        }
    }

    /// The same rule for requests that take a place of this class: they are refused at once when there is no room for
    /// them.
    pub const fn takes_place(self, class: Class) -> Self {
        Self {
            class: Some(class),
            ..self
        }
    }
}

/// Routes that every service has: probes, the pages about problems, the health check of gRPC and reflection.
const STANDARD: &[Rule] = &[
    Rule::public("GET", "/health"),
    Rule::public("GET", "/ready"),
    Rule::public("GET", "/startup"),
    Rule::public("GET", "/problems"),
    Rule::public("GET", "/problems/{code}"),
    Rule::public(Rule::CALL, "/grpc.health.v1.Health/Check"),
    Rule::public(Rule::CALL, "/grpc.health.v1.Health/Watch"),
    Rule::public(
        Rule::CALL,
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ),
    Rule::public(
        Rule::CALL,
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ),
];

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The route has a rule.
    Ruled(&'static Rule),
    /// The path has rules, for these other methods.
    OtherMethods(Vec<&'static str>),
    /// There is no rule for the path.
    Unruled,
}

/// The rules of a service beside those of every service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table(pub(crate) &'static [Rule]);

impl Table {
    /// The rule of a gRPC method, whatever protocol the request speaks.
    pub(crate) fn call(self, path: &str) -> Option<&'static Rule> {
        self.rules()
            .find(|rule| rule.method == Rule::CALL && rule.path == path)
    }

    /// The rule of an HTTP route.
    pub(super) fn route(self, method: &str, path: &str) -> Finding {
        // The router answers HEAD with what GET would say.
        let method = if method == "HEAD" { "GET" } else { method };
        let of_path = || {
            self.rules()
                .filter(|rule| rule.method != Rule::CALL && rule.path == path)
        };
        if let Some(rule) = of_path().find(|rule| rule.method == method) {
            return Finding::Ruled(rule);
        }
        let others: Vec<_> = of_path().map(|rule| rule.method).collect();
        if others.is_empty() {
            Finding::Unruled
        } else {
            Finding::OtherMethods(others)
        }
    }

    /// The class of the requests of a route, when each of them takes a place.
    pub(crate) fn class(self, method: &str, path: &str) -> Option<Class> {
        let found = self
            .0
            .iter()
            .find(|rule| rule.method == method && rule.path == path);
        found.and_then(|rule| rule.class)
    }

    /// The paths of a router that no rule names. A service does not start with one.
    pub(super) fn unruled(self, routes: &Router) -> Vec<String> {
        let ruled = |path: &str| match path.strip_suffix(SERVICE_SUFFIX) {
            Some(service) => self.rules().any(|rule| {
                let method = rule.path.strip_prefix(service);
                rule.method == Rule::CALL && method.is_some_and(|rest| rest.starts_with('/'))
            }),
            None => self
                .rules()
                .any(|rule| rule.method != Rule::CALL && rule.path == path),
        };
        paths(routes)
            .into_iter()
            .filter(|path| !ruled(path))
            .collect()
    }

    fn rules(self) -> impl Iterator<Item = &'static Rule> {
        self.0.iter().chain(STANDARD)
    }
}

/// What follows the name of a gRPC service in the path that tonic routes by.
const SERVICE_SUFFIX: &str = "/{*rest}";

/// Where axum goes on with the fallback, which has paths of its own.
const FALLBACK: &str = ", fallback_router:";

/// The paths that a router has. axum shows them only to those who debug: `RouteId(7): "/v1/decisions"`.
fn paths(routes: &Router) -> Vec<String> {
    let shown = format!("{routes:?}");
    let own = shown.split(FALLBACK).next().unwrap_or_default();
    let entries = own.split("RouteId(").skip(1);
    entries
        .filter_map(|entry| {
            let (_, value) = entry.split_once("): \"")?;
            let (path, _) = value.split_once('"')?;
            entry
                .starts_with(|first: char| first.is_ascii_digit())
                .then(|| path.to_owned())
        })
        .filter(|path| path.starts_with('/'))
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};

    use super::*;

    const READ: Rule = Rule::get("/v1/decisions/{id}", Scope::DecisionsRead);
    const CALL: Rule = Rule::call("/a.B/C", Scope::DecisionsScore);
    const TABLE: Table = Table(&[READ, CALL]);

    #[test]
    fn what_has_no_rule_is_not_found() {
        let path = "/v1/decisions/{id}";
        assert_eq!(TABLE.route("GET", path), Finding::Ruled(&READ));
        assert_eq!(TABLE.route("HEAD", path), Finding::Ruled(&READ));
        assert_eq!(
            TABLE.route("DELETE", path),
            Finding::OtherMethods(vec!["GET"])
        );
        assert_eq!(TABLE.route("GET", "/v1/secrets"), Finding::Unruled);
        assert_eq!(
            TABLE.route("CALL", "/a.B/C"),
            Finding::Unruled,
            "a call's rule opens no route"
        );
    }

    #[test]
    fn every_path_of_a_router_needs_a_rule() {
        let inner = Router::new().route("/v1/secrets", get(async || ()));
        let routes = Router::new()
            .route("/v1/decisions/{id}", get(async || ()).post(async || ()))
            .route("/a.B/{*rest}", post(async || ()))
            .route("/a.Unknown/{*rest}", post(async || ()))
            .route("/health", get(async || ()))
            .merge(inner)
            .layer(axum::extract::DefaultBodyLimit::max(1))
            .fallback(async || ());
        let mut unruled = TABLE.unruled(&routes);
        unruled.sort();
        assert_eq!(unruled, ["/a.Unknown/{*rest}", "/v1/secrets"]);
    }

    #[test]
    fn calls_have_rules_of_their_own() {
        assert_eq!(TABLE.call("/a.B/C"), Some(&CALL));
        assert_eq!(TABLE.call("/a.B/D"), None);
        assert_eq!(TABLE.call("/v1/decisions/{id}"), None);
    }
}
