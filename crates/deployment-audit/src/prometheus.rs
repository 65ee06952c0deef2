//! Counts from the HTTP API of Prometheus, behind [`MetricSource`].
//!
//! Source: Prometheus, "HTTP API", instant queries (`/api/v1/query`), result types `vector` and `scalar`.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use fcs_core::UnixMicros;
use fcs_rollout::rollout::Analysis;
use fcs_rollout::statistics::Tally;
use reqwest::{Client, Url};
use serde::Deserialize;

use crate::app::ports::{Asked, MetricError, MetricSource};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Longest answer in bytes; one number needs a few hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Greatest distance of an answer's time to the asked one, in seconds.
const AGE_MAX_S: f64 = 1.0;
/// Counts above it are not exact.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

/// Prometheus, or what speaks its API, at one address.
#[derive(Debug, Clone)]
pub struct Prometheus {
    client: Client,
    query_url: Url,
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
}

#[derive(Deserialize)]
struct Series {
    value: Point,
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
        let query_url = Url::parse(&format!("{}/api/v1/query", address.trim_end_matches('/')))
            .context("read deployment_audit.prometheus_url")?;
        Ok(Self { client, query_url })
    }

    /// One count; `None` without a series, and for what is not finite or negative.
    async fn count(&self, query: &str, at: UnixMicros) -> Result<Option<u64>, MetricError> {
        let mut url = self.query_url.clone();
        url.query_pairs_mut()
            .append_pair("query", query)
            .append_pair("time", &format!("{:.3}", at.0 as f64 / 1e6));
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
        let point = match answer.data {
            Data::Scalar(point) => point,
            Data::Vector(mut series) if series.len() <= 1 => match series.pop() {
                Some(one) => one.value,
                None => return Ok(None),
            },
            Data::Vector(series) => {
                let found = series.len();
                return Err(MetricError(format!("{found} series instead of one number")));
            }
        };
        Ok(counted(&point, at))
    }
}

/// The number as a count, unless it is one of another time, as from a cache. `increase` extrapolates to the ends of its
/// window, so counts come with fractions.
fn counted(Point(seconds, value): &Point, at: UnixMicros) -> Option<u64> {
    let is_of_now = (seconds - at.0 as f64 / 1e6).abs() <= AGE_MAX_S;
    let value: f64 = value.parse().ok()?;
    if !is_of_now || !(0.0..=COUNT_MAX).contains(&value) {
        return None;
    }
    format!("{value:.0}").parse().ok()
}

#[async_trait]
impl MetricSource for Prometheus {
    async fn tally(
        &self,
        analysis: &Analysis,
        asked: Asked<'_>,
    ) -> Result<Option<Tally>, MetricError> {
        let Asked {
            model,
            window_seconds,
            until,
        } = asked;
        let requests = analysis.requests.of(model, window_seconds);
        let Some(requests) = self.count(&requests, until).await? else {
            return Ok(None);
        };
        let bad = analysis.bad.of(model, window_seconds);
        let bad = self.count(&bad, until).await?;
        Ok(bad.and_then(|bad| Tally::new(requests, bad).ok()))
    }
}
