//! The scoring gateway over gRPC, behind the ports of [`crate::app::ports`].

use std::time::Duration;

use async_trait::async_trait;
use fcs_core::Digest;
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::feed_service_client::FeedServiceClient;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_rollout::{TrafficArm, TrafficTable};
use fcs_service::grpc::{Deadline, api_error, request};
use futures::StreamExt as _;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::app::ports::{DecisionStream, Feed, FeedDecision, GatewayError, Traffic};

/// Longest wait for the table in force, and for a subscription to be accepted.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// Longest wait for a new table: the gateway verifies every model of it first.
const APPLY_LIMIT: Duration = Duration::from_secs(30);
/// Longest answer of the feed in bytes.
const FEED_MESSAGE_BYTES: usize = 16 << 20;

/// The gateway at one address. Cloning shares the connection.
#[derive(Debug, Clone)]
pub struct Gateway {
    feed: FeedServiceClient<Channel>,
    traffic: TrafficServiceClient<Channel>,
}

impl Gateway {
    /// The gateway at the other end.
    pub fn over(channel: Channel) -> Self {
        Self {
            feed: FeedServiceClient::new(channel.clone())
                .max_decoding_message_size(FEED_MESSAGE_BYTES),
            traffic: TrafficServiceClient::new(channel),
        }
    }
}

#[async_trait]
impl Feed for Gateway {
    async fn subscribe(&self, after_index: u64) -> Result<DecisionStream, GatewayError> {
        // A subscription lives on: the limit is on its acceptance, not on the call.
        let mut feed = self.feed.clone();
        let accepted = feed.subscribe(wire::SubscribeRequest { after_index });
        let answer = tokio::time::timeout(READ_LIMIT, accepted)
            .await
            .map_err(|_| GatewayError::Unavailable("no answer in time".to_owned()))?
            .map_err(|status| refused(&status))?;
        let runs = answer.into_inner().map(|run| {
            let run = run.map_err(|status| refused(&status))?;
            run.entries.iter().map(decision).collect()
        });
        Ok(runs.boxed())
    }
}

#[async_trait]
impl Traffic for Gateway {
    async fn table(&self) -> Result<TrafficTable, GatewayError> {
        let mut traffic = self.traffic.clone();
        let asked = request(
            wire::GetTrafficRequest::default(),
            Deadline::after(READ_LIMIT),
        );
        let answer = traffic
            .get_traffic(asked)
            .await
            .map_err(|status| refused(&status))?;
        table(answer.into_inner().table)
    }

    async fn apply(
        &self,
        expected_generation: u64,
        desired: &TrafficTable,
    ) -> Result<TrafficTable, GatewayError> {
        let mut traffic = self.traffic.clone();
        let message = wire::ApplyTrafficRequest {
            expected_generation,
            table: Some(to_wire(desired)),
        };
        let asked = request(message, Deadline::after(APPLY_LIMIT));
        let answer = traffic
            .apply_traffic(asked)
            .await
            .map_err(|status| refused(&status))?;
        table(answer.into_inner().table)
    }

    async fn is_everywhere(&self, generation: u64) -> Result<bool, GatewayError> {
        let mut traffic = self.traffic.clone();
        let asked = request(
            wire::ListGatewayInstancesRequest::default(),
            Deadline::after(READ_LIMIT),
        );
        let answer = traffic
            .list_gateway_instances(asked)
            .await
            .map_err(|status| refused(&status))?;
        let fleet = answer.into_inner();
        Ok(fleet.confirmed && fleet.generation >= generation)
    }
}

/// Tells a refusal, which stays, from everything that a later call may get past. `ABORTED` is such a
/// thing: the table changed in between, and the next observation decides.
fn refused(status: &Status) -> GatewayError {
    let error = api_error(status);
    let mut told = format!("{} ({:?})", status.message(), status.code());
    for violation in &error.violations {
        told = format!("{told}; {}: {}", violation.pointer, violation.description);
    }
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => GatewayError::Refused(told),
        _ => GatewayError::Unavailable(told),
    }
}

fn decision(entry: &wire::FeedEntry) -> Result<FeedDecision, GatewayError> {
    let record_digest = Digest::try_from(entry.record_digest.as_slice()).map_err(|error| {
        GatewayError::Malformed(format!("decision {}: {error}", entry.log_index))
    })?;
    Ok(FeedDecision {
        log_index: entry.log_index,
        record_digest,
    })
}

fn table(wire: Option<wire::TrafficTable>) -> Result<TrafficTable, GatewayError> {
    let wire = wire.ok_or_else(|| GatewayError::Malformed("no traffic table".to_owned()))?;
    let arms = wire.arms.iter().map(arm).collect::<Result<_, _>>()?;
    TrafficTable::new(wire.generation, wire.salt, arms)
        .map_err(|error| GatewayError::Malformed(error.to_string()))
}

fn arm(wire: &wire::TrafficArm) -> Result<TrafficArm, GatewayError> {
    let malformed = |what: &dyn std::fmt::Display| {
        GatewayError::Malformed(format!("traffic arm {:?}: {what}", wire.name))
    };
    let model = wire.model.as_ref().ok_or_else(|| malformed(&"no model"))?;
    Ok(TrafficArm {
        model: fcs_core::ModelVersion::new(&model.name, &model.version)
            .map_err(|error| malformed(&error))?,
        manifest_digest: model
            .manifest_digest
            .parse()
            .map_err(|error: fcs_core::ParseDigestError| malformed(&error))?,
        weight_basis_points: wire.weight_basis_points,
        name: wire.name.clone(),
    })
}

fn to_wire(table: &TrafficTable) -> wire::TrafficTable {
    let arm = |arm: &TrafficArm| wire::TrafficArm {
        name: arm.name.clone(),
        model: Some(ModelRef {
            name: arm.model.name().to_owned(),
            version: arm.model.version().to_owned(),
            manifest_digest: arm.manifest_digest.to_string(),
        }),
        weight_basis_points: arm.weight_basis_points,
        ..wire::TrafficArm::default()
    };
    wire::TrafficTable {
        generation: table.generation(),
        salt: table.salt().to_owned(),
        arms: table.arms().iter().map(arm).collect(),
        // Shadow arms are not a deployment's; those in force stay.
        shadows: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_survive_the_wire() {
        let arm = TrafficArm {
            name: "stable".to_owned(),
            model: "taiwan-default/1".parse().unwrap(),
            manifest_digest: Digest::from_bytes([7; 32]),
            weight_basis_points: 10_000,
        };
        let sent = TrafficTable::new(3, "salt".to_owned(), vec![arm]).unwrap();
        assert_eq!(table(Some(to_wire(&sent))), Ok(sent));
    }

    #[test]
    fn a_malformed_table_is_an_error() {
        assert!(matches!(table(None), Err(GatewayError::Malformed(_))));
        let arm = wire::TrafficArm {
            name: "stable".to_owned(),
            ..wire::TrafficArm::default()
        };
        let without_model = wire::TrafficTable {
            generation: 1,
            salt: "s".to_owned(),
            arms: vec![arm],
            ..wire::TrafficTable::default()
        };
        assert!(matches!(
            table(Some(without_model)),
            Err(GatewayError::Malformed(_))
        ));
    }

    #[test]
    fn a_digest_of_another_length_is_an_error() {
        let entry = wire::FeedEntry {
            log_index: 1,
            record_digest: vec![1; 31],
            ..Default::default()
        };
        assert!(matches!(decision(&entry), Err(GatewayError::Malformed(_))));
    }

    #[test]
    fn refusals_are_told_apart_from_outages() {
        let unsigned = Status::failed_precondition("model x/1 is not signed");
        assert_eq!(
            refused(&unsigned).to_string(),
            "the gateway refused: model x/1 is not signed (FailedPrecondition)"
        );
        for passing in [
            Status::unavailable(""),
            Status::cancelled(""),
            Status::aborted(""),
        ] {
            assert!(matches!(refused(&passing), GatewayError::Unavailable(_)));
        }
    }
}
