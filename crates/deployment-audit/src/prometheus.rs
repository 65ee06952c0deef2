//! Numbers from the HTTP API of Prometheus, behind [`MetricSource`].
//!
//! Source: Prometheus, "HTTP API", instant queries (`/api/v1/query`) and range queries (`/api/v1/query_range`), result
//! types `vector`, `scalar` and `matrix`.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use fcs_core::UnixMicros;
use reqwest::{Client, Url};
use serde::Deserialize;

use crate::app::ports::{MetricError, MetricSource, Span};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Longest answer in bytes: 2,000 moments of one series need 60 KiB.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// Greatest distance of an answer's time to the asked one, in seconds.
const AGE_MAX_S: f64 = 1.0;

/// Prometheus, or what speaks its API, at one address.
#[derive(Debug, Clone)]
pub struct Prometheus {
    client: Client,
    query_url: Url,
    range_url: Url,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "snake_case")]
enum Data {
    Scalar(Point),
    Vector(Vec<Series>),
    Matrix(Vec<Points>),
}

#[derive(Deserialize)]
struct Series {
    metric: Labels,
    value: Point,
}

#[derive(Deserialize)]
struct Labels {
    le: Option<String>,
}

#[derive(Deserialize)]
struct Points {
    values: Vec<Point>,
}

/// Seconds and value.
#[derive(Deserialize)]
struct Point(f64, String);

impl Prometheus {
    /// The server at an address such as `http://127.0.0.1:9090`. Fails if it is no address.
    pub fn new(address: &str) -> anyhow::Result<Self> {
        // Whichever call is first decides for the process, and all of them say the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("prepare the client of deployment_audit.prometheus_url")?;
        let url = |path: &str| {
            Url::parse(&format!("{}/api/v1/{path}", address.trim_end_matches('/')))
                .context("read deployment_audit.prometheus_url")
        };
        Ok(Self {
            client,
            query_url: url("query")?,
            range_url: url("query_range")?,
        })
    }

    /// The numbers at a moment, with their labels.
    async fn instant(&self, query: &str, at: UnixMicros) -> Result<Data, MetricError> {
        let mut url = self.query_url.clone();
        url.query_pairs_mut()
            .append_pair("query", query)
            .append_pair("time", &seconds(at));
        self.ask(url).await
    }

    async fn ask(&self, url: Url) -> Result<Data, MetricError> {
        let failed = |error: reqwest::Error| MetricError(error.without_url().to_string());
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(MetricError("the answer is too long".to_owned()));
            }
        }
        if !status.is_success() {
            return Err(MetricError(format!("status {}", status.as_u16())));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| MetricError(error.to_string()))?;
        Ok(answer.data)
    }
}

impl Point {
    /// The number, unless it is not finite.
    fn value(&self) -> Option<f64> {
        self.1.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The number, unless it is one of another time, as from a cache.
    fn value_at(&self, at: UnixMicros) -> Option<f64> {
        let is_of_now = (self.0 - at.0 as f64 / 1e6).abs() <= AGE_MAX_S;
        self.value().filter(|_| is_of_now)
    }
}

#[async_trait]
impl MetricSource for Prometheus {
    async fn value(&self, query: &str, at: UnixMicros) -> Result<Option<f64>, MetricError> {
        let point = match self.instant(query, at).await? {
            Data::Scalar(point) => point,
            Data::Vector(mut series) if series.len() <= 1 => match series.pop() {
                Some(one) => one.value,
                None => return Ok(None),
            },
            Data::Vector(series) => return Err(several(series.len())),
            Data::Matrix(_) => return Err(another_type()),
        };
        Ok(point.value_at(at))
    }

    async fn buckets(&self, query: &str, at: UnixMicros) -> Result<Vec<(f64, f64)>, MetricError> {
        let Data::Vector(series) = self.instant(query, at).await? else {
            return Err(another_type());
        };
        let bucket = |it: &Series| {
            let bound: f64 = it.metric.le.as_deref()?.parse().ok()?;
            Some((bound, it.value.value_at(at)?))
        };
        let mut buckets: Vec<_> = series.iter().filter_map(bucket).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(buckets)
    }

    async fn range(&self, query: &str, span: Span) -> Result<Vec<(UnixMicros, f64)>, MetricError> {
        let mut url = self.range_url.clone();
        url.query_pairs_mut()
            .append_pair("query", query)
            .append_pair("start", &seconds(span.from))
            .append_pair("end", &seconds(span.until))
            .append_pair("step", &format!("{:.3}", span.step_micros as f64 / 1e6));
        let Data::Matrix(mut series) = self.ask(url).await? else {
            return Err(another_type());
        };
        if series.len() > 1 {
            return Err(several(series.len()));
        }
        let points = series.pop().map_or_else(Vec::new, |it| it.values);
        let point = |point: &Point| Some((micros(point.0)?, point.value()?));
        Ok(points.iter().filter_map(point).collect())
    }
}

fn seconds(at: UnixMicros) -> String {
    format!("{:.3}", at.0 as f64 / 1e6)
}

/// Prometheus counts milliseconds.
fn micros(seconds: f64) -> Option<UnixMicros> {
    let millis: i64 = format!("{:.0}", seconds * 1e3).parse().ok()?;
    Some(UnixMicros(millis.checked_mul(1_000)?))
}

fn several(found: usize) -> MetricError {
    MetricError(format!("{found} series instead of one number"))
}

fn another_type() -> MetricError {
    MetricError("a result of another type".to_owned())
}
