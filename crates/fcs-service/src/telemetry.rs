//! Logs to standard error and traces over OTLP, once per process.
//!
//! Crates of others print what goes through them when they trace: paths, headers, statements. Their lines are let
//! through from `info` upwards at most, whatever the filter says, and so are spans of everybody.

use std::io::IsTerminal as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::panics;
use crate::settings::{LogFormat, LogSettings, TelemetrySettings};

/// Crates whose lines are ours, with `::` or nothing behind. What they print they print by types of ours.
const OWN_CRATES: [&str; 5] = [
    "bias_monitor",
    "deployment_audit",
    "fcs",
    "model_server",
    "scoring_gateway",
];
/// Ours begin with this too.
const OWN_PREFIX: &str = "fcs_";

const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

static PROCESS: OnceLock<Telemetry> = OnceLock::new();

/// Logs and traces of the process. Cloning shares them.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logs and traces; a second call returns what the first one started.
    pub(crate) fn init(
        process: &'static str,
        log: &LogSettings,
        settings: &TelemetrySettings,
    ) -> anyhow::Result<Self> {
        if let Some(started) = PROCESS.get() {
            return Ok(started.clone());
        }
        let filter = parse_filter(&log.level).context("the log level is not a filter")?;
        let (filter, handle) = reload::Layer::new(filter);
        let traces = settings
            .otlp_endpoint
            .as_deref()
            .map(|endpoint| trace_provider(process, endpoint, settings.trace_sample_ratio))
            .transpose()?;
        // Traces have a filter of their own: a quiet log must not switch them off.
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("fcs"))
                .with_filter(LevelFilter::INFO)
        });
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        tracing_subscriber::registry()
            .with(lines(log.format).with_filter(filter.and(printable())))
            .with(spans)
            .try_init()
            .context("another subscriber takes the logs of this process already")?;
        panics::log_panics();
        let telemetry = Self(Arc::new(Inner {
            filter: Some(handle),
            traces,
        }));
        Ok(PROCESS.get_or_init(|| telemetry).clone())
    }

    /// No logs and no traces.
    pub(crate) fn silent() -> Self {
        Self(Arc::new(Inner {
            filter: None,
            traces: None,
        }))
    }

    /// Replaces the log filter while the process runs.
    pub fn set_log_filter(&self, directives: &str) -> anyhow::Result<()> {
        let filter = parse_filter(directives)?;
        let handle = self
            .0
            .filter
            .as_ref()
            .context("this process keeps no log")?;
        handle
            .reload(filter)
            .context("the log filter cannot be replaced")
    }

    /// Sends what is left of the traces, for at most three seconds. It runs on a blocking thread: on a runtime
    /// with one worker the exporter would otherwise wait for the thread that waits for it.
    pub async fn shutdown(&self) {
        let Some(traces) = self.0.traces.clone() else {
            return;
        };
        let flush = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(FLUSH_LIMIT));
        match tokio::time::timeout(FLUSH_LIMIT, flush).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "some traces were not sent"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the traces were not sent in time"),
        }
    }
}

/// Lets through what holds nothing of a request.
fn printable() -> FilterFn {
    FilterFn::new(is_printable as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::TRACE)
}

fn is_printable(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || is_own(metadata.target())
}

fn is_own(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    name.starts_with(OWN_PREFIX) || OWN_CRATES.contains(&name)
}

/// How lines are written.
fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Pretty => fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .boxed(),
    }
}

/// Reads a log filter. A lone word must be a level, because as a target it would silence everything.
pub(crate) fn parse_filter(directives: &str) -> anyhow::Result<EnvFilter> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in directives.split(',') {
        let word = directive.trim();
        anyhow::ensure!(
            word.contains('=') || LEVELS.contains(&word.to_ascii_lowercase().as_str()),
            "{word:?} is neither a level ({}) nor target=level",
            LEVELS.join(", "),
        );
    }
    EnvFilter::builder()
        .parse(directives)
        .context("not a filter such as info,sqlx=warn")
}

fn trace_provider(
    process: &'static str,
    endpoint: &str,
    sample_ratio: f64,
) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .context("the OTLP exporter cannot be built; see telemetry.otlp_endpoint")?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(Resource::builder().with_service_name(process).build())
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crates_of_ours_may_trace() {
        for own in [
            "fcs_service::edge",
            "scoring_gateway",
            "fcs::demo",
            "fcs_core",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "h2::codec",
            "hyper",
            "sqlx::query",
            "fcsx",
            "tonic::fcs_service",
            "",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for good in [
            "info",
            "WARN",
            "info,sqlx=warn",
            "off",
            "fcs_service[request]=debug",
        ] {
            assert!(parse_filter(good).is_ok(), "{good}");
        }
        for bad in ["", "inof", "info,sqlx", "info,sqlx=loud"] {
            assert!(parse_filter(bad).is_err(), "{bad:?}");
        }
    }
}
