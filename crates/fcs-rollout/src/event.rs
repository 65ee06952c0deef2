//! What happened to a deployment.

use std::fmt::Write;

use fcs_core::{DeploymentId, Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use crate::change::{Change, Environment};
use crate::text::{Comment, Principal, Reason};
use crate::traffic::TrafficTable;

/// A fact about a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A change was proposed; the actor is the requester.
    Registered {
        /// What is deployed.
        change: Change,
        /// Where.
        environment: Environment,
        /// Digest that approvals bind to.
        plan_digest: Digest,
    },
    /// A person approved the plan.
    Approved {
        /// Digest of the plan that the approver saw.
        plan_digest: Digest,
        /// What the approver adds.
        comment: Comment,
    },
    /// Traffic was asked for.
    ActivationRequested {
        /// The table that should be in force.
        desired: TrafficTable,
        /// The table that was in force.
        previous: TrafficTable,
    },
    /// The desired traffic was seen in force.
    Activated {
        /// Generation in force.
        observed_generation: u64,
    },
    /// The way back was asked for.
    RollbackRequested {
        /// Why.
        reason: Reason,
        /// The table that should be in force: the previous arms under a new generation.
        desired: TrafficTable,
        /// Whether the previous table was empty, so that nothing will be scored.
        leaves_no_traffic: bool,
    },
    /// The previous arms were seen in force.
    RolledBack {
        /// Generation in force.
        observed_generation: u64,
    },
}

impl Event {
    /// The stable name of the kind of event.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::Approved { .. } => "approved",
            Self::ActivationRequested { .. } => "activation_requested",
            Self::Activated { .. } => "activated",
            Self::RollbackRequested { .. } => "rollback_requested",
            Self::RolledBack { .. } => "rolled_back",
        }
    }

    /// The event as canonical JSON (RFC 8785).
    pub fn to_json(&self) -> String {
        let bytes = fcs_core::to_canonical_vec(self).expect("events have string keys only");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// Reads [`Event::to_json`].
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

/// An event with its place in the deployment's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Position in the history, from 1, without gaps.
    pub sequence: u64,
    /// When it happened; never before the event before it.
    pub at: UnixMicros,
    /// Who made it happen.
    pub actor: Principal,
    /// What happened.
    pub event: Event,
}

impl RecordedEvent {
    /// The event's leaf in the transparency log: canonical JSON (RFC 8785), time in RFC 3339.
    pub fn leaf_bytes(&self, deployment_id: &DeploymentId) -> Vec<u8> {
        #[derive(Serialize)]
        struct Leaf<'a> {
            r#type: &'static str,
            deployment_id: &'a DeploymentId,
            sequence: u64,
            at: String,
            actor: &'a Principal,
            event: &'a Event,
        }
        let Self {
            sequence,
            at,
            actor,
            event,
        } = self;
        let at = time_text(*at);
        let leaf = Leaf {
            r#type: "deployment-event",
            deployment_id,
            sequence: *sequence,
            at,
            actor,
            event,
        };
        fcs_core::to_canonical_vec(&leaf).expect("events have string keys only")
    }
}

/// RFC 3339, or bare microseconds for a moment beyond the calendar.
fn time_text(at: UnixMicros) -> String {
    let mut text = String::new();
    match write!(text, "{at}") {
        Ok(()) => text,
        Err(_) => at.0.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approved(at: UnixMicros) -> RecordedEvent {
        RecordedEvent {
            sequence: 2,
            at,
            actor: "bea".parse().unwrap(),
            event: Event::Approved {
                plan_digest: Digest::from_bytes([0xab; 32]),
                comment: "line\n\"two\"".parse().unwrap(),
            },
        }
    }

    #[test]
    fn leaf_bytes_are_canonical_and_stable() {
        let id = DeploymentId::new(UnixMicros(0), &[0; 10]);
        let leaf = approved(UnixMicros(1_795_385_965_000_001)).leaf_bytes(&id);
        let expected = format!(
            "{{\"actor\":\"bea\",\"at\":\"2026-11-22T22:19:25.000001Z\",\"deployment_id\":\"{id}\",\
             \"event\":{{\"comment\":\"line\\n\\\"two\\\"\",\"kind\":\"approved\",\
             \"plan_digest\":\"{}\"}},\"sequence\":2,\"type\":\"deployment-event\"}}",
            "ab".repeat(32)
        );
        assert_eq!(String::from_utf8(leaf).unwrap(), expected);
    }

    #[test]
    fn leaves_of_impossible_times_do_not_panic() {
        let id = DeploymentId::new(UnixMicros(0), &[0; 10]);
        let leaf = String::from_utf8(approved(UnixMicros(i64::MAX)).leaf_bytes(&id)).unwrap();
        assert!(leaf.contains("\"at\":\"9223372036854775807\""), "{leaf}");
    }

    #[test]
    fn events_round_trip_through_json() {
        let event = approved(UnixMicros(5)).event;
        assert!(event.to_json().contains("\"kind\":\"approved\""));
        assert_eq!(Event::from_json(&event.to_json()).unwrap(), event);
        assert!(Event::from_json(r#"{"kind":"unheard_of"}"#).is_err());
    }
}
