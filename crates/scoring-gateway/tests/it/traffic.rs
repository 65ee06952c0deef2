//! Several arms and several gateways: who meets which arm, and which gateway serves which table.

use std::collections::BTreeMap;
use std::time::Duration;

use fcs_decision::record::DecisionRecord;
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, GetTrafficRequest, ListGatewayInstancesRequest,
    ListGatewayInstancesResponse, TrafficArm, TrafficTable,
};
use fcs_testkit::wait::until;
use scoring_gateway::app::traffic::{ProposedArm, ProposedTable};
use tonic::Code;
use tonic::transport::Channel;

use crate::support::fleet::Fleet;
use crate::support::gateway::{Gateway, stores};
use crate::support::package::{self, MODEL};
use crate::support::{TestStore, applicant};

const LIMIT: Duration = Duration::from_secs(30);
const ARMS: [&str; 3] = ["canary", "challenger", "stable"];

fn proposed(generation: u64, weights: [u32; 3]) -> ProposedTable {
    let arm = |(name, weight_basis_points): (&str, u32)| ProposedArm {
        name: name.to_owned(),
        version: package::version(if name == "stable" { "1" } else { "2" }),
        manifest_digest: None,
        weight_basis_points,
    };
    ProposedTable {
        generation,
        salt: "test".to_owned(),
        arms: ARMS.into_iter().zip(weights).map(arm).collect(),
        shadows: None,
    }
}

/// Two arms grow at once beside a third one. Each record names its arm, its place and its table, and that table, asked
/// for by its generation, gives the place to the arm.
#[tokio::test]
async fn members_of_arms_that_grow_stay_and_records_say_why() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let tables = [
        [1_000, 1_000, 8_000],
        [2_500, 2_000, 5_500],
        [2_500, 6_000, 1_500],
        [0, 10_000, 0],
    ];
    let mut met: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (generation, weights) in (1..).zip(tables) {
        let traffic = &gateway.app.traffic;
        traffic
            .apply(generation - 1, proposed(generation, weights))
            .await
            .unwrap();
        for applicant_number in 0..60 {
            let key = format!("{generation}-{applicant_number}");
            let id = format!("A-{applicant_number}");
            let scored = gateway
                .score_as(&key, &id, applicant(90_000.0, 0.0))
                .await
                .unwrap();
            let record = DecisionRecord::from_bytes(&scored.decision.record).unwrap();
            assert_eq!(record.traffic_generation, generation);
            let table = traffic.table_of(record.traffic_generation).await.unwrap();
            let arm = table
                .arms
                .iter()
                .find(|arm| arm.name == record.arm)
                .unwrap();
            assert!(arm.cohort.contains(record.cohort_basis_point));
            assert_eq!(record.model.version, arm.model.version.version());
            met.entry(id).or_default().push(record.arm);
        }
    }
    for (id, arms) in &met {
        for (step, pair) in arms.windows(2).enumerate() {
            let place = ARMS.iter().position(|arm| *arm == pair[0]).unwrap();
            if tables[step + 1][place] >= tables[step][place] {
                assert_eq!(pair[1], pair[0], "{id} leaves an arm that did not shrink");
            }
        }
    }
    let canaries = met.values().filter(|arms| arms[0] == "canary").count();
    assert!(canaries > 0, "the first table has somebody in each arm");
    let error = gateway.app.traffic.table_of(9).await.unwrap_err();
    assert_eq!(error.reason, "TRAFFIC_TABLE_NOT_FOUND");
}

fn wire_table(generation: u64) -> TrafficTable {
    let model = ModelRef {
        name: MODEL.to_owned(),
        version: "1".to_owned(),
        ..ModelRef::default()
    };
    let arm = TrafficArm {
        name: "stable".to_owned(),
        model: Some(model),
        weight_basis_points: 10_000,
        ..TrafficArm::default()
    };
    TrafficTable {
        generation,
        salt: "s".to_owned(),
        arms: vec![arm],
        ..TrafficTable::default()
    }
}

async fn apply(channel: &Channel, generation: u64) {
    let request = ApplyTrafficRequest {
        expected_generation: generation - 1,
        table: Some(wire_table(generation)),
    };
    TrafficServiceClient::new(channel.clone())
        .apply_traffic(request)
        .await
        .unwrap();
}

async fn fleet_of(channel: &Channel) -> ListGatewayInstancesResponse {
    let mut client = TrafficServiceClient::new(channel.clone());
    let asked = client.list_gateway_instances(ListGatewayInstancesRequest {});
    asked.await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_acknowledges_a_table_and_a_dead_one_does_not_count() {
    let test = TestStore::postgres().await;
    let mut fleet = Fleet::start(2, test.postgres_url()).await;
    let channels = fleet.channels();
    apply(&channels[0], 1).await;
    let both = async || {
        let state = fleet_of(&channels[1]).await;
        let serves = |it: &&_| -> bool {
            matches!(
                it,
                fcs_proto::scoring::v1::GatewayInstance {
                    generation: 1,
                    stale: false,
                    ..
                }
            )
        };
        let serving = state.instances.iter().filter(serves).count();
        assert_eq!(
            state.confirmed && state.generation == 1,
            serving == 2,
            "{state:?}"
        );
        (serving == 2).then_some(())
    };
    until("both gateways serve the table", LIMIT, both).await;
    fleet.kill(1);
    until(
        "the dead gateway is shown as such, and the other one is enough",
        LIMIT,
        async || {
            let state = fleet_of(&channels[0]).await;
            let stale = state.instances.iter().filter(|it| it.stale).count();
            assert_eq!(state.instances.len(), 2);
            (stale == 1 && state.confirmed).then_some(())
        },
    )
    .await;
    apply(&channels[0], 2).await;
    until(
        "the gateway that is left serves the next table",
        LIMIT,
        async || {
            let state = fleet_of(&channels[0]).await;
            (state.generation == 2 && state.confirmed).then_some(())
        },
    )
    .await;
    fleet.launch(1).await;
    until("the new process serves it too", LIMIT, async || {
        let state = fleet_of(&channels[1]).await;
        let live = state
            .instances
            .iter()
            .filter(|it| !it.stale && it.generation == 2);
        (live.count() == 2 && state.confirmed).then_some(())
    })
    .await;
    let mut client = TrafficServiceClient::new(channels[1].clone());
    let earlier = client
        .get_traffic(GetTrafficRequest { generation: 1 })
        .await;
    assert_eq!(earlier.unwrap().into_inner().table.unwrap().generation, 1);
    let never = client
        .get_traffic(GetTrafficRequest { generation: 7 })
        .await;
    assert_eq!(never.unwrap_err().code(), Code::NotFound);
}
