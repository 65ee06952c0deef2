//! Reading events back from their leaves in the transparency log.

use fcs_core::{DeploymentId, Digest, RolloutId, UnixMicros};
use serde::Deserialize;
use serde_json::Value;

use crate::{Event, RecordedEvent, rollout};

/// An event with what its leaf says of its place.
#[derive(Debug, Clone, PartialEq)]
pub enum Leaf {
    /// An event of a deployment.
    Deployment {
        /// The deployment.
        id: DeploymentId,
        /// The event.
        recorded: RecordedEvent,
    },
    /// An event of a rollout.
    Rollout {
        /// The rollout.
        id: RolloutId,
        /// Digest of the leaf of the event before it.
        previous: Digest,
        /// The event.
        recorded: rollout::Recorded,
    },
}

/// The bytes are no leaf that this crate writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the leaf of an event: {0}")]
pub struct LeafError(String);

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum Shape {
    DeploymentEvent {
        deployment_id: String,
        sequence: u64,
        at: String,
        actor: String,
        event: Value,
    },
    RolloutEvent {
        rollout_id: String,
        previous: Digest,
        sequence: u64,
        at: String,
        actor: String,
        event: Value,
    },
}

/// Reads a leaf. Only the exact bytes that the event is written as are its leaf.
pub fn read(bytes: &[u8]) -> Result<Leaf, LeafError> {
    let shape: Shape = serde_json::from_slice(bytes).map_err(other)?;
    let (leaf, written) = match shape {
        Shape::DeploymentEvent {
            deployment_id,
            sequence,
            at,
            actor,
            event,
        } => {
            let id: DeploymentId = deployment_id.parse().map_err(other)?;
            let recorded = RecordedEvent {
                sequence,
                at: UnixMicros::parse_rfc3339(&at).map_err(other)?,
                actor: actor.parse().map_err(other)?,
                event: Event::from_json(&event.to_string()).map_err(other)?,
            };
            let written = recorded.leaf_bytes(&id);
            (Leaf::Deployment { id, recorded }, written)
        }
        Shape::RolloutEvent {
            rollout_id,
            previous,
            sequence,
            at,
            actor,
            event,
        } => {
            let id: RolloutId = rollout_id.parse().map_err(other)?;
            let recorded = rollout::Recorded {
                sequence,
                at: UnixMicros::parse_rfc3339(&at).map_err(other)?,
                actor: actor.parse().map_err(other)?,
                event: rollout::Event::from_json(&event.to_string()).map_err(other)?,
            };
            let written = recorded.leaf_bytes(&id, previous);
            let leaf = Leaf::Rollout {
                id,
                previous,
                recorded,
            };
            (leaf, written)
        }
    };
    if written == bytes {
        Ok(leaf)
    } else {
        Err(LeafError("it is not in canonical form".to_owned()))
    }
}

fn other(error: impl std::fmt::Display) -> LeafError {
    LeafError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_reads_back_and_has_one_form() {
        let id = DeploymentId::new(UnixMicros(0), &[0; 10]);
        let recorded = RecordedEvent {
            sequence: 2,
            at: UnixMicros(1_795_385_965_000_001),
            actor: "bea".parse().unwrap(),
            event: Event::Approved {
                plan_digest: Digest::from_bytes([0xab; 32]),
                comment: "line\n\"two\"".parse().unwrap(),
            },
        };
        let bytes = recorded.leaf_bytes(&id);
        assert_eq!(read(&bytes), Ok(Leaf::Deployment { id, recorded }));
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("\"sequence\":2", "\"sequence\": 2"),
            ("deployment-event", "rollout-event"),
            ("deployment-event", "decision-batch"),
            ("\"actor\":\"bea\",", ""),
            ("\"actor\":\"bea\",", "\"actor\":\"bea\",\"more\":1,"),
            ("\"kind\":\"approved\"", "\"kind\":\"unheard_of\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(read(changed.as_bytes()).is_err(), "{changed}");
        }
        assert!(read(b"").is_err());
    }
}
