//! What a client of a running gateway sends and asks.

use std::collections::HashMap;

use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::feature_value::Kind;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, FeatureValue, ScoreRequest, TrafficArm, TrafficTable,
};
use serde_json::{Value, json};

use super::package::{self, MODEL};
use super::server::{Answer, Server};

/// Gives all traffic to version 1 of the test model.
pub(crate) async fn activate(server: &Server) {
    let model = ModelRef {
        name: MODEL.to_owned(),
        version: "1".to_owned(),
        manifest_digest: package::digest("1").to_string(),
    };
    let arm = TrafficArm {
        name: "stable".to_owned(),
        model: Some(model),
        weight_basis_points: 10_000,
        ..TrafficArm::default()
    };
    let table = TrafficTable {
        generation: 1,
        salt: "s".to_owned(),
        arms: vec![arm],
        ..TrafficTable::default()
    };
    let request = ApplyTrafficRequest {
        expected_generation: 0,
        table: Some(table),
    };
    let mut client = TrafficServiceClient::new(server.channel.clone());
    client.apply_traffic(request).await.unwrap();
}

/// A request over gRPC; an income of 20,000 is denied, one of 40,000 referred and one of 90,000 approved.
pub(crate) fn request(key: &str, application_id: &str, income: f64) -> ScoreRequest {
    let number = |value| FeatureValue {
        kind: Some(Kind::Number(value)),
        ..FeatureValue::default()
    };
    let category = FeatureValue {
        kind: Some(Kind::Category("own".to_owned())),
        ..FeatureValue::default()
    };
    let features = HashMap::from([
        ("income".to_owned(), number(income)),
        ("housing".to_owned(), category),
    ]);
    ScoreRequest {
        idempotency_key: key.to_owned(),
        application_id: application_id.to_owned(),
        features,
        ..ScoreRequest::default()
    }
}

/// The same as an item of a batch over HTTP.
pub(crate) fn item(key: &str, application_id: &str, income: f64) -> Value {
    json!({
        "idempotency_key": key,
        "application_id": application_id,
        "features": {"income": income, "housing": "own"},
    })
}

impl Server {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.http("GET", path, "", b"").await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = format!("idempotency-key: {key}\r\n");
        let body = body.to_string();
        self.http("POST", path, &headers, body.as_bytes()).await
    }

    /// Scores an application over HTTP and gives the id of the decision.
    pub(crate) async fn decide(&self, application_id: &str, income: f64) -> String {
        let body = json!({
            "application_id": application_id,
            "features": {"income": income, "housing": "own"},
        });
        let key = application_id.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let answer = self.post("/v1/applications/score", &key, &body).await;
        let json = answer.json();
        assert_eq!(answer.status, 200, "{json}");
        json["decision_id"].as_str().unwrap().to_owned()
    }
}
