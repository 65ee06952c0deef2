//! Numbers from the HTTP API of Prometheus.

use std::collections::HashMap;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use deployment_audit::app::ports::{MetricError, MetricSource as _, Span};
use deployment_audit::prometheus::Prometheus;
use fcs_core::UnixMicros;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const NOW: UnixMicros = UnixMicros(1_000_500_000);
const SPAN: Span = Span {
    from: UnixMicros(985_500_000),
    until: NOW,
    step_micros: 7_500_000,
};

/// Answers every question with `body`; checks what is asked.
async fn serve(body: &'static str) -> (SocketAddr, JoinSet<()>) {
    let answer = move |Query(asked): Query<HashMap<String, String>>| async move {
        assert_eq!(asked["query"], r#"x{model="taiwan-default/2"}[90s]"#);
        if let Some(time) = asked.get("time") {
            assert_eq!(time, "1000.500");
        } else {
            let span = ["start", "end", "step"].map(|key| asked[key].as_str());
            assert_eq!(span, ["985.500", "1000.500", "7.500"]);
        }
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
    let router = Router::new()
        .route("/api/v1/query", get(answer))
        .route("/api/v1/query_range", get(answer));
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, server)
}

const QUERY: &str = r#"x{model="taiwan-default/2"}[90s]"#;

async fn value(body: &'static str) -> Result<Option<f64>, MetricError> {
    let (address, _server) = serve(body).await;
    let source = Prometheus::new(&format!("http://{address}/")).unwrap();
    source.value(QUERY, NOW).await
}

async fn buckets(body: &'static str) -> Result<Vec<(f64, f64)>, MetricError> {
    let (address, _server) = serve(body).await;
    let source = Prometheus::new(&format!("http://{address}")).unwrap();
    source.buckets(QUERY, NOW).await
}

async fn range(body: &'static str) -> Result<Vec<(UnixMicros, f64)>, MetricError> {
    let (address, _server) = serve(body).await;
    let source = Prometheus::new(&format!("http://{address}")).unwrap();
    source.range(QUERY, SPAN).await
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
    {"metric":{"le":"+Inf"},"value":[1000.5,"9"]},{"metric":{"le":"0.5"},"value":[1000.5,"2"]},
    {"metric":{"le":"2.0"},"value":[1000.5,"NaN"]},{"metric":{},"value":[1000.5,"2"]}]}}"#;
const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{},"values":[[985.5,"1"],[993,"NaN"],[1000.5,"0.25"]]}]}}"#;
const NO_MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

#[tokio::test]
async fn numbers_are_read() {
    assert_eq!(value(vector!("1000.5", "41.7")).await, Ok(Some(41.7)));
    assert_eq!(value(SCALAR).await, Ok(Some(3.0)));
    assert_eq!(
        buckets(TWO).await,
        Ok(vec![(0.5, 2.0), (f64::INFINITY, 9.0)]),
        "in order, and only those with a number"
    );
    let points = vec![(UnixMicros(985_500_000), 1.0), (NOW, 0.25)];
    assert_eq!(range(MATRIX).await, Ok(points));
}

#[tokio::test]
async fn what_is_missing_old_or_no_number_is_no_data() {
    for none in [
        NOTHING,
        vector!("1000.5", "NaN"),
        vector!("1000.5", "+Inf"),
        vector!("900", "5"),
    ] {
        assert_eq!(value(none).await, Ok(None), "{none}");
    }
    assert_eq!(buckets(NOTHING).await, Ok(vec![]));
    assert_eq!(range(NO_MATRIX).await, Ok(vec![]));
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    for broken in [TWO, MATRIX, "out of order", "{}", "{\"status\":\"error\"}"] {
        assert!(value(broken).await.is_err(), "{broken}");
    }
    assert!(buckets(SCALAR).await.is_err());
    assert!(range(SCALAR).await.is_err());
    assert!(Prometheus::new("nonsense").is_err());
}
