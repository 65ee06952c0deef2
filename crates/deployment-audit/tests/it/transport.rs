//! The whole service over HTTP and gRPC, with a gateway in memory.

use std::time::Duration;

use deployment_audit::DeploymentAudit;
use deployment_audit::settings::AuditSettings;
use fcs_core::Digest;
use fcs_proto::deployment::v1 as wire;
use fcs_proto::deployment::v1::audit_service_client::AuditServiceClient;
use fcs_proto::deployment::v1::deployment_service_client::DeploymentServiceClient;
use fcs_service::{Running, Settings, Shared, launch};
use fcs_testkit::wait::until;
use fcs_tlog::note::VerifierKey;
use fcs_tlog::{
    BatchLeaf, Checkpoint, DecisionClaim, DecisionProof, leaf_hash, verify_consistency,
    verify_decision, verify_inclusion,
};
use serde_json::json;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::gateway::Served;
use crate::support::http::{get, post};
use crate::support::{Backend, digest_of, on_both};

on_both!(
    a_deployment_over_http,
    a_deployment_over_grpc,
    decisions_are_proved_over_grpc,
    the_catalogue_is_shown,
    the_log_is_readable_over_http,
    problems_are_problems,
    a_changed_past_is_not_ready_and_not_signed,
    a_stop_under_an_open_feed_is_clean,
);

const LIMIT: Duration = Duration::from_secs(20);

/// The service on a backend, and its gateway.
struct System {
    running: Running,
    gateway: Served,
}

impl System {
    async fn start(backend: &Backend) -> Self {
        let gateway = Served::start().await;
        let running = Self::launch(backend, &gateway).await;
        Self { running, gateway }
    }

    async fn launch(backend: &Backend, gateway: &Served) -> Running {
        let service = AuditSettings {
            gateway_url: format!("http://{}", gateway.address),
            batch_entries: 4,
            batch_delay_ms: 20,
            ..AuditSettings::default()
        };
        let mut settings = Settings::embedded(backend.folder.path(), service);
        settings.database = backend.settings.clone();
        launch::<DeploymentAudit>(settings, &Shared::silent())
            .await
            .unwrap()
    }

    async fn stop(self) {
        self.running.stop();
        self.running.wait().await.unwrap();
    }

    fn channel(&self) -> Channel {
        fcs_service::grpc::channel(&format!("http://{}", self.running.http)).unwrap()
    }

    fn deployments(&self) -> DeploymentServiceClient<Channel> {
        DeploymentServiceClient::new(self.channel())
    }

    fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel())
    }

    /// A checkpoint that covers a decision, verified.
    async fn covering(&self, decision: u64) -> (Checkpoint, VerifierKey) {
        let answer = until("the decision is covered", LIMIT, || async {
            let asked = self
                .audit()
                .get_checkpoint(wire::GetCheckpointRequest {})
                .await;
            Some(asked.unwrap().into_inner()).filter(|it| it.last_decision_index >= decision)
        })
        .await;
        let vkey: VerifierKey = answer.verifier_key.parse().unwrap();
        let checkpoint = Checkpoint::open(answer.checkpoint.as_bytes(), &vkey).unwrap();
        assert_eq!(checkpoint.head.size, answer.size);
        (checkpoint, vkey)
    }
}

fn change() -> wire::Change {
    wire::Change {
        model: "taiwan-default/1".to_owned(),
        manifest_digest: "07".repeat(32),
        git_commit: "0123abc".to_owned(),
        author: "ada".to_owned(),
        description: "first model".to_owned(),
    }
}

fn register() -> wire::RegisterDeploymentRequest {
    wire::RegisterDeploymentRequest {
        actor: "rita".to_owned(),
        environment: "development".to_owned(),
        change: Some(change()),
    }
}

fn hashes(proof: &[Vec<u8>]) -> Vec<Digest> {
    proof
        .iter()
        .map(|hash| Digest::try_from(hash.as_slice()).unwrap())
        .collect()
}

fn body() -> serde_json::Value {
    json!({
        "actor": "rita",
        "environment": "development",
        "change": {
            "model": "taiwan-default/1",
            "manifest_digest": "07".repeat(32),
            "git_commit": "0123abc",
            "author": "ada",
            "description": "first model",
        },
    })
}

async fn a_deployment_over_http(backend: Backend) {
    let system = System::start(&backend).await;
    let address = system.running.http;
    let created = post(address, "/v1/deployments", &body()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let created = created.json();
    assert_eq!(created["state"], "registered");
    let id = created["deployment_id"].as_str().unwrap().to_owned();
    let approval =
        json!({"actor": "bea", "plan_digest": created["plan_digest"], "comment": "fine"});
    let approved = post(address, &format!("/v1/deployments/{id}/approve"), &approval).await;
    assert_eq!(
        (approved.status, &approved.json()["state"]),
        (200, &json!("approved"))
    );
    let path = format!("/v1/deployments/{id}/activate");
    let active = post(address, &path, &json!({"actor": "rita"})).await;
    assert_eq!(
        (active.status, &active.json()["state"]),
        (200, &json!("active"))
    );
    assert_eq!(system.gateway.table().generation, 1);
    let path = format!("/v1/deployments/{id}/rollback");
    let back = post(address, &path, &json!({"actor": "rita", "reason": "worse"})).await;
    assert_eq!(
        (back.status, &back.json()["state"]),
        (200, &json!("rolled_back"))
    );
    let found = get(address, &format!("/v1/deployments/{id}")).await.json();
    let kinds: Vec<_> = found["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["kind"])
        .collect();
    assert_eq!(
        kinds,
        [
            "registered",
            "approved",
            "activation_requested",
            "activated",
            "rollback_requested",
            "rolled_back"
        ]
    );
    assert_eq!(found["events"][4]["detail"]["reason"], "worse");
    let list = get(address, "/v1/deployments?page_size=1").await.json();
    assert_eq!(list["deployments"][0], found);
    system.stop().await;
}

async fn a_deployment_over_grpc(backend: Backend) {
    let system = System::start(&backend).await;
    let mut client = system.deployments();
    let registered = client
        .register_deployment(register())
        .await
        .unwrap()
        .into_inner();
    let deployment_id = registered.deployment.unwrap().deployment_id;
    system
        .gateway
        .refuse("model taiwan-default/1 is not signed");
    let asked = wire::ActivateDeploymentRequest {
        actor: "rita".to_owned(),
        deployment_id: deployment_id.clone(),
    };
    let refused = client.activate_deployment(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("taiwan-default/1 is not signed"),
        "{refused}"
    );
    let asked = wire::GetDeploymentRequest {
        deployment_id: deployment_id.clone(),
    };
    let found = client
        .get_deployment(asked)
        .await
        .unwrap()
        .into_inner()
        .deployment
        .unwrap();
    assert_eq!(found.state(), wire::DeploymentState::Activating);
    assert_eq!(found.events[1].kind, "activation_requested");
    let listed = client
        .list_deployments(wire::ListDeploymentsRequest { page_size: 0 })
        .await;
    assert_eq!(listed.unwrap().into_inner().deployments, [found]);
    let elsewhere = wire::RegisterDeploymentRequest {
        environment: "production".to_owned(),
        ..register()
    };
    let refused = client.register_deployment(elsewhere).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    system.stop().await;
}

async fn decisions_are_proved_over_grpc(backend: Backend) {
    let system = System::start(&backend).await;
    system.gateway.decide_up_to(3);
    let (old, _) = system.covering(3).await;
    system.gateway.decide_up_to(11);
    let (_, vkey) = system.covering(11).await;
    let mut audit = system.audit();
    for log_index in 1..=11 {
        let proved = audit
            .prove_decision(wire::ProveDecisionRequest { log_index })
            .await;
        let proved = proved.unwrap().into_inner();
        let leaf = proved.leaf.unwrap();
        let batch = BatchLeaf::parse(&leaf.data).unwrap();
        assert_eq!(
            (batch.first_index(), batch.last_index()),
            (proved.first_index, proved.last_index)
        );
        let proof = DecisionProof {
            batch,
            batch_proof: hashes(&proved.batch_proof),
            leaf_index: leaf.index,
            log_proof: hashes(&proved.log_proof),
        };
        let checkpoint = Checkpoint::open(proved.checkpoint.as_bytes(), &vkey).unwrap();
        let claim = DecisionClaim {
            record_digest: digest_of(log_index),
            log_index,
        };
        verify_decision(&claim, &proof, &checkpoint).unwrap();
    }
    let early = audit
        .prove_decision(wire::ProveDecisionRequest { log_index: 12 })
        .await;
    assert_eq!(early.unwrap_err().code(), Code::NotFound);
    let asked = wire::ProveConsistencyRequest {
        old_size: old.head.size,
        new_size: 0,
    };
    let grown = audit.prove_consistency(asked).await.unwrap().into_inner();
    let new = Checkpoint::open(grown.checkpoint.as_bytes(), &vkey).unwrap();
    verify_consistency(&old.head, &new.head, &hashes(&grown.proof)).unwrap();
    let asked = wire::ListLeavesRequest {
        after_count: 1,
        page_size: 2,
    };
    let leaves = audit.list_leaves(asked).await.unwrap().into_inner().leaves;
    assert_eq!(leaves[0].index, 1);
    let proved = audit
        .prove_leaf(wire::ProveLeafRequest { leaf_index: 1 })
        .await
        .unwrap();
    let proved = proved.into_inner();
    assert_eq!(proved.leaf.unwrap(), leaves[0]);
    let head = Checkpoint::open(proved.checkpoint.as_bytes(), &vkey)
        .unwrap()
        .head;
    verify_inclusion(
        &leaf_hash(&leaves[0].data),
        1,
        &hashes(&proved.proof),
        &head,
    )
    .unwrap();
    system.stop().await;
}

async fn the_catalogue_is_shown(backend: Backend) {
    let system = System::start(&backend).await;
    system.gateway.decide_up_to(11);
    system.covering(11).await;
    let metrics = get(system.running.admin, "/metrics").await.body;
    for line in [
        "fcs_audit_last_decision_index 11",
        "fcs_audit_feed_entries_total{outcome=\"gap\"} 0",
        "fcs_deployments_total{state=\"rolled_back\"} 0",
        "fcs_audit_log_refused 0",
    ] {
        assert!(
            metrics.lines().any(|shown| shown == line),
            "{line} in {metrics}"
        );
    }
    system.stop().await;
}

async fn the_log_is_readable_over_http(backend: Backend) {
    let system = System::start(&backend).await;
    let address = system.running.http;
    system.gateway.decide_up_to(5);
    let (checkpoint, vkey) = system.covering(5).await;
    let note = get(address, "/v1/log/checkpoint").await;
    assert!(
        note.head.contains("content-type: text/plain"),
        "{}",
        note.head
    );
    assert_eq!(
        Checkpoint::open(note.body.as_bytes(), &vkey).unwrap(),
        checkpoint
    );
    assert_eq!(
        get(address, "/v1/log/verifier-key").await.body,
        format!("{vkey}\n")
    );
    let proved = get(address, "/v1/log/proof/decision/5").await.json();
    assert_eq!(proved["record_digest"], digest_of(5).to_string());
    let index = proved["leaf"]["index"].as_u64().unwrap();
    let leaf = get(address, &format!("/v1/log/proof/leaf/{index}"))
        .await
        .json();
    assert_eq!(leaf["leaf"], proved["leaf"]);
    let path: Vec<Digest> = serde_json::from_value(leaf["proof"].clone()).unwrap();
    let data = leaf["leaf"]["data"].as_str().unwrap();
    verify_inclusion(&leaf_hash(data.as_bytes()), index, &path, &checkpoint.head).unwrap();
    let leaves = get(address, "/v1/log/leaves?after_count=0&page_size=1")
        .await
        .json();
    assert_eq!(leaves["leaves"].as_array().unwrap().len(), 1);
    let size = checkpoint.head.size;
    let grown = get(
        address,
        &format!("/v1/log/consistency?old={size}&new={size}"),
    )
    .await
    .json();
    assert_eq!(grown["proof"], json!([]));
    system.stop().await;
}

async fn problems_are_problems(backend: Backend) {
    let system = System::start(&backend).await;
    let address = system.running.http;
    let mut unknown = body();
    unknown["change"]["age"] = json!(44);
    let refused = post(address, "/v1/deployments", &unknown).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.head.contains("application/problem+json"),
        "{}",
        refused.head
    );
    assert!(refused.body.contains("/change/age"), "{}", refused.body);
    let mut broken = body();
    broken["change"]["git_commit"] = json!("HEAD");
    let refused = post(address, "/v1/deployments", &broken).await.json();
    assert_eq!(refused["violations"][0]["pointer"], "/change/git_commit");
    for (path, status) in [
        (
            "/v1/deployments/dep_01981f6e-0000-7000-8000-000000000000",
            404,
        ),
        ("/v1/deployments/nonsense", 400),
        ("/v1/deployments?page_size=5000", 400),
        ("/v1/deployments?colour=red", 400),
        ("/v1/log/proof/decision/1", 404),
        ("/v1/log/proof/decision/0", 400),
        ("/v1/log/proof/decision/-1", 400),
        ("/v1/log/proof/leaf/99", 404),
        ("/v1/log/consistency?old=1&new=0", 400),
        ("/v1/log/consistency", 400),
        ("/v1/nothing", 404),
    ] {
        let answer = get(address, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(
            answer.head.contains("application/problem+json"),
            "{path}: {}",
            answer.head
        );
    }
    assert_eq!(
        backend.store.log_size().await.unwrap(),
        0,
        "nothing was recorded"
    );
    system.stop().await;
}

async fn a_changed_past_is_not_ready_and_not_signed(backend: Backend) {
    let system = System::start(&backend).await;
    system.gateway.decide_up_to(8);
    system.covering(8).await;
    assert_eq!(get(system.running.admin, "/ready").await.status, 200);
    let System { running, gateway } = system;
    running.stop();
    running.wait().await.unwrap();
    let signed = backend.store.last_checkpoint().await.unwrap();
    let rewritten = "UPDATE leaves SET data = (SELECT l.data FROM leaves l WHERE l.leaf_index = 1) \
                     WHERE leaf_index = 0";
    assert_eq!(backend.execute(rewritten).await.unwrap(), 1);
    let running = System::launch(&backend, &gateway).await;
    let system = System { running, gateway };
    let ready = get(system.running.admin, "/ready").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let refused = system
        .audit()
        .get_checkpoint(wire::GetCheckpointRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(
        get(system.running.http, "/v1/log/checkpoint").await.status,
        409
    );
    // The log takes no more leaves: what is missing could not be put back in their places.
    let sealed = system
        .deployments()
        .register_deployment(register())
        .await
        .unwrap_err();
    assert_eq!(sealed.code(), Code::FailedPrecondition);
    system.stop().await;
    assert_eq!(backend.store.last_checkpoint().await.unwrap(), signed);
}

async fn a_stop_under_an_open_feed_is_clean(backend: Backend) {
    let system = System::start(&backend).await;
    system.gateway.decide_up_to(2);
    system.covering(2).await;
    system.gateway.decide_up_to(3);
    system.stop().await;
    // Whatever the stop caught half way, the next start goes on from there.
    let system = System::start(&backend).await;
    system.gateway.decide_up_to(4);
    system.covering(4).await;
    system.stop().await;
}
