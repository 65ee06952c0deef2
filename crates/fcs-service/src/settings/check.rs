//! Rules between settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;

use super::{ClientTlsSettings, Environment, Settings, SettingsCheck as _, TlsSettings};
use crate::Service;
use crate::auth::{AuthMode, OidcSettings};
use crate::telemetry::parse_filter;

/// Every broken rule, each with what to write instead.
pub(super) fn problems<S: Service>(
    settings: &Settings<S::Settings>,
    debug_toolbar: bool,
) -> Vec<String> {
    let section = S::SECTION;
    let mut problems = Vec::new();
    limits(settings, &mut problems);
    addresses(settings.http.listen, settings.admin.listen, &mut problems);
    tls(&settings.tls, &mut problems);
    encrypted(settings, &mut problems);
    client_tls(&settings.client_tls, &mut problems);
    auth(settings, &mut problems);
    oidc(settings, &mut problems);
    rates(settings, &mut problems);
    telemetry(settings, &mut problems);
    if S::STORES {
        stores(settings, &mut problems);
    }
    cache(settings, &mut problems);
    shutdown(settings, &mut problems);
    if debug_toolbar && settings.environment != Environment::Development {
        problems.push(format!(
            "ENABLE_DEBUG_TOOLBAR: only in development; this is {} (unset it)",
            settings.environment.as_str(),
        ));
    }
    let own = settings.service.problems_in(settings.environment);
    problems.extend(own.into_iter().map(|problem| {
        if problem.starts_with(section) {
            problem
        } else {
            format!("{section}: {problem}")
        }
    }));
    problems
}

fn limits<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    let positive = [
        ("http.header_timeout_ms", settings.http.header_timeout_ms),
        ("http.idle_timeout_ms", settings.http.idle_timeout_ms),
        ("http.body_timeout_ms", settings.http.body_timeout_ms),
        ("http.write_timeout_ms", settings.http.write_timeout_ms),
        ("http.request_timeout_ms", settings.http.request_timeout_ms),
        (
            "http.max_connection_age_ms",
            settings.http.max_connection_age_ms,
        ),
        (
            "http.connection_age_grace_ms",
            settings.http.connection_age_grace_ms,
        ),
        ("http.max_connections", settings.http.max_connections as u64),
        (
            "http.max_connections_per_address",
            settings.http.max_connections_per_address as u64,
        ),
        ("http.max_body_bytes", settings.http.max_body_bytes as u64),
        (
            "database.max_connections",
            settings.database.max_connections.into(),
        ),
        (
            "database.acquire_timeout_ms",
            settings.database.acquire_timeout_ms,
        ),
        (
            "database.statement_timeout_ms",
            settings.database.statement_timeout_ms,
        ),
        ("admission.places", settings.admission.places as u64),
        ("redis.timeout_ms", settings.redis.timeout_ms),
        ("tls.reload_interval_ms", settings.tls.reload_interval_ms),
        ("auth.key_cache_ms", settings.auth.key_cache_ms),
        (
            "client_tls.reload_interval_ms",
            settings.client_tls.reload_interval_ms,
        ),
        (
            "shutdown.drain_deadline_ms",
            settings.shutdown.drain_deadline_ms,
        ),
    ];
    for (key, value) in positive {
        // A day is beyond every sensible limit and far from every overflow.
        if value == 0 || (key.ends_with("_ms") && value > 86_400_000) {
            problems.push(format!("{key}: must be from 1 to a day, got {value}"));
        }
    }
}

fn addresses(http: SocketAddr, admin: SocketAddr, problems: &mut Vec<String>) {
    if http == admin && http.port() != 0 {
        problems.push(format!(
            "http.listen and admin.listen: both are {http}; they must differ"
        ));
    }
}

fn tls(tls: &TlsSettings, problems: &mut Vec<String>) {
    if tls.certificate.is_some() != tls.key.is_some() {
        problems.push("tls: set certificate and key together".to_owned());
    }
    if tls.client_ca.is_some() && tls.certificate.is_none() {
        problems.push("tls.client_ca: needs tls.certificate and tls.key".to_owned());
    }
    if tls.client_ca.is_none() {
        let meaningless = [
            ("tls.client_revocations", tls.client_revocations.is_some()),
            ("tls.callers", !tls.callers.is_empty()),
            (
                "tls.client_certificate_optional",
                tls.client_certificate_optional,
            ),
        ];
        for (key, _) in meaningless.into_iter().filter(|(_, is_set)| *is_set) {
            problems.push(format!("{key}: needs tls.client_ca"));
        }
    }
    let files = [
        ("tls.certificate", &tls.certificate),
        ("tls.key", &tls.key),
        ("tls.client_ca", &tls.client_ca),
        ("tls.client_revocations", &tls.client_revocations),
    ];
    must_be_files(&files, problems);
}

fn encrypted<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    if settings.environment == Environment::Production && settings.tls.certificate.is_none() {
        problems.push(
            "tls.certificate: production speaks TLS only; name the files of tls.certificate and tls.key"
                .to_owned(),
        );
    }
}

fn client_tls(tls: &ClientTlsSettings, problems: &mut Vec<String>) {
    if tls.certificate.is_some() != tls.key.is_some() {
        problems.push("client_tls: set certificate and key together".to_owned());
    }
    if tls.certificate.is_some() && tls.ca.is_none() {
        problems.push("client_tls.certificate: needs client_tls.ca".to_owned());
    }
    let files = [
        ("client_tls.ca", &tls.ca),
        ("client_tls.certificate", &tls.certificate),
        ("client_tls.key", &tls.key),
    ];
    must_be_files(&files, problems);
}

fn must_be_files(files: &[(&str, &Option<PathBuf>)], problems: &mut Vec<String>) {
    for (key, path) in files {
        if let Some(path) = path
            && !path.is_file()
        {
            problems.push(format!("{key}: {} is not a file", path.display()));
        }
    }
}

fn auth<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    if !settings.auth.certificates.is_empty() && settings.tls.client_ca.is_none() {
        problems.push("auth.certificates: needs tls.client_ca".to_owned());
    }
    if settings.environment == Environment::Production && settings.auth.mode == AuthMode::Open {
        problems.push(
            "auth.mode: production needs \"required\"; \"open\" lets everyone do everything"
                .to_owned(),
        );
    }
}

fn oidc<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    let OidcSettings {
        issuer, audience, ..
    } = &settings.auth.oidc;
    if issuer.is_some() != audience.is_some() {
        problems.push("auth.oidc: set issuer and audience together".to_owned());
    }
    let Some(issuer) = issuer else { return };
    if !is_http_url(issuer) {
        problems.push("auth.oidc.issuer: must be a URL such as https://login.example".to_owned());
    } else if settings.environment == Environment::Production && !issuer.starts_with("https://") {
        problems.push("auth.oidc.issuer: production needs an address with https".to_owned());
    }
}

fn rates<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    let limits = &settings.limits;
    if !(1..=86_400).contains(&limits.window_s) {
        problems.push(format!(
            "limits.window_s: must be from 1 to 86400, got {}",
            limits.window_s
        ));
    }
    if limits.daily_requests > 0 && limits.requests == 0 {
        problems.push("limits.daily_requests: needs limits.requests as well".to_owned());
    }
}

fn telemetry<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    if let Err(error) = parse_filter(&settings.log.level) {
        problems.push(format!("log.level: {error:#} (LOG_LEVEL)"));
    }
    let ratio = settings.telemetry.trace_sample_ratio;
    if !(0.0..=1.0).contains(&ratio) {
        problems.push(format!(
            "telemetry.trace_sample_ratio: must be from 0 to 1, got {ratio}"
        ));
    }
    if let Some(endpoint) = &settings.telemetry.otlp_endpoint
        && !is_http_url(endpoint)
    {
        problems.push(
            "telemetry.otlp_endpoint: must be a URL such as http://127.0.0.1:4317".to_owned(),
        );
    }
    if let Some(dsn) = &settings.telemetry.sentry_dsn
        && !is_dsn(dsn.expose())
    {
        problems.push(
            "telemetry.sentry_dsn: must be a URL such as https://KEY@host/PROJECT (SENTRY_DSN)"
                .to_owned(),
        );
    }
}

fn is_http_url(text: &str) -> bool {
    text.parse::<Uri>()
        .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

fn is_dsn(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let key = uri
        .authority()
        .and_then(|it| it.as_str().split_once('@'))
        .map(|(key, _)| key);
    is_http_url(text) && key.is_some_and(|key| !key.is_empty()) && uri.path().len() > 1
}

fn stores<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    let url = settings.database.url.expose();
    let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !postgres && !url.starts_with("sqlite:") {
        problems.push(
            "database.url: must start with postgresql://, postgres:// or sqlite: (DATABASE_URL)"
                .to_owned(),
        );
    } else if postgres && url.parse::<sqlx::postgres::PgConnectOptions>().is_err() {
        problems.push(
            "database.url: not of the form postgresql://user:password@host:5432/name (DATABASE_URL)"
                .to_owned(),
        );
    } else if !postgres && settings.environment == Environment::Production {
        problems.push(
            "database.url: production needs PostgreSQL; set DATABASE_URL or DATABASE_URL_FILE to \
             postgresql://user:password@host:5432/name"
                .to_owned(),
        );
    }
}

fn cache<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    if let Some(url) = &settings.redis.url
        && deadpool_redis::redis::Client::open(url.expose().as_str()).is_err()
    {
        problems.push("redis.url: must be a URL such as redis://host:6379 (REDIS_URL)".to_owned());
    }
}

fn shutdown<T>(settings: &Settings<T>, problems: &mut Vec<String>) {
    let shutdown = &settings.shutdown;
    let needed_ms = shutdown
        .unready_delay_ms
        .saturating_add(shutdown.drain_deadline_ms);
    if let Some(grace_ms) = shutdown.termination_grace_ms
        && needed_ms >= grace_ms
    {
        problems.push(format!(
            "shutdown: unready_delay_ms + drain_deadline_ms is {needed_ms}, but the platform kills after \
             termination_grace_ms = {grace_ms}; lower the first two or raise the grace"
        ));
    }
}
