//! Rollouts through the whole service over HTTP and gRPC, with a gateway in memory.

use std::time::Duration;

use deployment_audit::DeploymentAudit;
use deployment_audit::settings::AuditSettings;
use fcs_proto::deployment::v1 as wire;
use fcs_proto::deployment::v1::rollout_service_client::RolloutServiceClient;
use fcs_service::{Running, Settings, Shared, launch};
use fcs_testkit::wait::until;
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;

use crate::support::gateway::Served;
use crate::support::http::{Answer, get, post};
use crate::support::rollout::{CANDIDATE, analysis};
use crate::support::{Backend, on_both};

on_both!(a_rollout_over_http, a_rollout_over_grpc,);

const LIMIT: Duration = Duration::from_secs(20);

/// The service on a backend, and its gateway. Nobody answers for Prometheus, so no time counts.
struct System {
    running: Running,
    gateway: Served,
}

impl System {
    async fn start(backend: &Backend) -> Self {
        let gateway = Served::start().await;
        gateway.force("taiwan-default/1", 1);
        let service = AuditSettings {
            gateway_url: format!("http://{}", gateway.address),
            prometheus_url: "http://127.0.0.1:9".to_owned(),
            ..AuditSettings::default()
        };
        let mut settings = Settings::embedded(backend.folder.path(), service);
        settings.database = backend.settings.clone();
        let running = launch::<DeploymentAudit>(settings, &Shared::silent())
            .await
            .unwrap();
        Self { running, gateway }
    }

    async fn post(&self, id: &str, action: &str, body: Value) -> Answer {
        let path = format!("/v1/rollouts/{id}/{action}");
        post(self.running.http, &path, &body).await
    }

    async fn found(&self, id: &str) -> Value {
        let path = format!("/v1/rollouts/{id}");
        get(self.running.http, &path).await.json()
    }

    /// Waits until the rollout stands there.
    async fn stands(&self, id: &str, phase: &str) -> Value {
        until(phase, LIMIT, || async {
            Some(self.found(id).await).filter(|it| it["phase"] == phase)
        })
        .await
    }

    fn rollouts(&self) -> RolloutServiceClient<Channel> {
        let address = format!("http://{}", self.running.http);
        RolloutServiceClient::new(fcs_service::grpc::channel(&address).unwrap())
    }

    /// Shares of the arms in force.
    fn weights(&self) -> Vec<u32> {
        let arms = self.gateway.table().arms;
        arms.iter().map(|arm| arm.weight_basis_points).collect()
    }

    async fn stop(self) {
        self.running.stop();
        self.running.wait().await.unwrap();
    }
}

fn body() -> Value {
    json!({
        "actor": "rita",
        "environment": "development",
        "committers": ["cleo"],
        "change": {
            "model": CANDIDATE,
            "manifest_digest": "02".repeat(32),
            "git_commit": "0123abc",
            "author": "ada",
            "description": "a better model",
        },
        "analysis": serde_json::to_value(analysis()).unwrap(),
    })
}

async fn a_rollout_over_http(backend: Backend) {
    let system = System::start(&backend).await;
    let address = system.running.http;
    let mut without_rate = body();
    without_rate["analysis"]["metrics"][0]["criteria"]["rate"] = Value::Null;
    let refused = post(address, "/v1/rollouts", &without_rate).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let proposed = post(address, "/v1/rollouts", &body()).await;
    assert_eq!(proposed.status, 201, "{}", proposed.body);
    let proposed = proposed.json();
    assert_eq!(proposed["phase"], "queued");
    assert_eq!(proposed["plan"]["baseline"]["model"], "taiwan-default/1");
    let id = proposed["rollout_id"].as_str().unwrap();
    let approval = json!({"actor": "bea", "plan_digest": proposed["plan_digest"]});
    let late = system.post(id, "approve", approval).await;
    assert_eq!(late.status, 409, "{}", late.body);
    let rita = json!({"actor": "rita"});
    let started = system.post(id, "start", rita.clone()).await;
    assert_eq!(started.status, 200, "{}", started.body);
    let baking = system.stands(id, "baking").await;
    assert_eq!(baking["weight_basis_points"], 500);
    assert_eq!(system.weights(), [9_500, 500]);
    let paused = system.post(id, "pause", rita).await.json();
    assert_eq!(paused["pause"], "manual");
    let why = json!({"actor": "rita", "reason": "seen to"});
    let resumed = system.post(id, "resume", why.clone()).await.json();
    assert_eq!(resumed["pause"], Value::Null);
    let early = system.post(id, "promote", json!({"actor": "bea"})).await;
    assert_eq!(early.status, 409, "{}", early.body);
    for action in ["rollback", "abort", "rollback"] {
        assert_eq!(system.post(id, action, why.clone()).await.status, 200);
    }
    let back = system.stands(id, "rolled_back").await;
    assert_eq!(system.weights(), [10_000]);
    assert_eq!(back["events"][0]["detail"]["kind"], "proposed");
    let listed = get(address, "/v1/rollouts?page_size=1").await.json();
    assert_eq!(listed["rollouts"][0]["phase"], "rolled_back");
    assert_eq!(
        system.found("rol_nonsense").await["reason"],
        "INVALID_ROLLOUT_ID"
    );
    system.stop().await;
}

async fn a_rollout_over_grpc(backend: Backend) {
    let system = System::start(&backend).await;
    let mut client = system.rollouts();
    let mut asked = wire::ProposeRolloutRequest {
        actor: "rita".to_owned(),
        environment: "development".to_owned(),
        change: Some(wire::Change {
            model: CANDIDATE.to_owned(),
            manifest_digest: "02".repeat(32),
            git_commit: "0123abc".to_owned(),
            author: "ada".to_owned(),
            description: "a better model".to_owned(),
        }),
        analysis: "nonsense".to_owned(),
        ..wire::ProposeRolloutRequest::default()
    };
    let refused = client.propose_rollout(asked.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    asked.analysis = serde_json::to_string(&analysis()).unwrap();
    let proposed = client.propose_rollout(asked).await.unwrap().into_inner();
    let rollout_id = proposed.rollout.unwrap().rollout_id;
    let start = wire::StartRolloutRequest {
        actor: "rita".to_owned(),
        rollout_id: rollout_id.clone(),
    };
    client.start_rollout(start).await.unwrap();
    system.stands(&rollout_id, "baking").await;
    let back = wire::RollBackRolloutRequest {
        actor: "otto".to_owned(),
        rollout_id: rollout_id.clone(),
        reason: "worse".to_owned(),
    };
    client.roll_back_rollout(back).await.unwrap();
    system.stands(&rollout_id, "rolled_back").await;
    let get = wire::GetRolloutRequest { rollout_id };
    let found = client.get_rollout(get).await.unwrap().into_inner();
    let found = found.rollout.unwrap();
    assert_eq!(
        (found.phase.as_str(), found.pause.as_str()),
        ("rolled_back", "")
    );
    assert!(found.plan.contains("\"traffic\""), "{}", found.plan);
    let listed = client
        .list_rollouts(wire::ListRolloutsRequest { page_size: 0 })
        .await;
    let listed = listed.unwrap().into_inner().rollouts;
    assert_eq!(listed[0].rollout_id, found.rollout_id);
    let get = wire::GetRolloutRequest {
        rollout_id: "rol_01981f6e-0000-7000-8000-000000000000".to_owned(),
    };
    let unknown = client.get_rollout(get).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    system.stop().await;
}
