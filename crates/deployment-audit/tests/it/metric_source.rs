//! Counts from the HTTP API of Prometheus.

use std::collections::HashMap;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use deployment_audit::app::ports::{Asked, MetricError, MetricSource as _};
use deployment_audit::prometheus::Prometheus;
use fcs_core::UnixMicros;
use fcs_rollout::statistics::Tally;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::rollout::analysis;

/// Answers bad requests with `bad` and all requests with `requests`; checks what is asked.
async fn serve(requests: &'static str, bad: &'static str) -> (SocketAddr, JoinSet<()>) {
    let answer = move |Query(asked): Query<HashMap<String, String>>| async move {
        assert_eq!(asked["time"], "1000.500");
        let body = match asked["query"].as_str() {
            r#"requests{model="taiwan-default/2"}[90s]"# => requests,
            r#"bad{model="taiwan-default/2"}[90s]"# => bad,
            other => panic!("{other}"),
        };
        let status = if body.starts_with('{') {
            StatusCode::OK
        } else {
            StatusCode::BAD_GATEWAY
        };
        (status, body)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    let router = Router::new().route("/api/v1/query", get(answer));
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, server)
}

async fn tally(requests: &'static str, bad: &'static str) -> Result<Option<Tally>, MetricError> {
    let (address, _server) = serve(requests, bad).await;
    let source = Prometheus::new(&format!("http://{address}/")).unwrap();
    let asked = Asked {
        model: &"taiwan-default/2".parse().unwrap(),
        window_seconds: 90,
        until: UnixMicros(1_000_500_000),
    };
    source.tally(&analysis(), asked).await
}

macro_rules! vector {
    ($seconds:literal, $value:literal) => {
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["#,
            $seconds,
            r#",""#,
            $value,
            r#""]}]}}"#
        )
    };
}

const NOTHING: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
const SCALAR: &str = r#"{"status":"success","data":{"resultType":"scalar","result":[1000.5,"3"]}}"#;
const TWO: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"a":"1"},"value":[1000.5,"1"]},{"metric":{"a":"2"},"value":[1000.5,"2"]}]}}"#;

#[tokio::test]
async fn counts_are_read_and_rounded() {
    let both = tally(vector!("1000.5", "41.7"), SCALAR).await;
    assert_eq!(both, Ok(Some(Tally::new(42, 3).unwrap())));
}

#[tokio::test]
async fn what_is_missing_old_or_no_count_is_no_data() {
    for none in [
        NOTHING,
        vector!("1000.5", "NaN"),
        vector!("1000.5", "+Inf"),
        vector!("1000.5", "-1"),
        vector!("900", "5"),
    ] {
        assert_eq!(tally(none, SCALAR).await, Ok(None), "{none}");
        assert_eq!(
            tally(vector!("1000.5", "9"), none).await,
            Ok(None),
            "{none}"
        );
    }
    let more_bad_than_all = tally(vector!("1000.5", "2"), SCALAR).await;
    assert_eq!(more_bad_than_all, Ok(None));
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    for broken in [TWO, "out of order", "{}", "{\"status\":\"error\"}"] {
        assert!(tally(broken, SCALAR).await.is_err(), "{broken}");
    }
    assert!(Prometheus::new("nonsense").is_err());
}
