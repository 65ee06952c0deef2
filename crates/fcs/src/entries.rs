//! What the entries of our log say, one after the other: each of a known kind, in its one form, and next in its line.

use std::collections::BTreeMap;

use fcs_core::Digest;
use fcs_rollout::leaf::{Leaf, read};
use fcs_rollout::rollout::{NO_EVENT, leaf_digest};
use fcs_tlog::BatchLeaf;
use serde::{Deserialize, Serialize};

/// What the next entries must follow. It is kept by a monitor between two looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lines {
    /// Highest decision index of the batches.
    pub(crate) last_decision_index: u64,
    /// Last sequence of each deployment.
    deployments: BTreeMap<String, u64>,
    /// Last sequence of each rollout, and the digest of its leaf.
    rollouts: BTreeMap<String, (u64, Digest)>,
}

impl Lines {
    /// Takes the next entry, or says what is wrong with it.
    pub(crate) fn take(&mut self, entry: &[u8]) -> Result<(), String> {
        if let Ok(batch) = BatchLeaf::parse(entry) {
            let expected = self.last_decision_index + 1;
            if batch.first_index() != expected {
                let found = batch.first_index();
                return Err(format!(
                    "a batch begins at decision {found}, not at {expected}"
                ));
            }
            self.last_decision_index = batch.last_index();
            return Ok(());
        }
        match read(entry).map_err(|error| error.to_string())? {
            Leaf::Deployment { id, recorded } => {
                let last = self.deployments.entry(id.to_string()).or_default();
                next(&id.to_string(), *last, recorded.sequence)?;
                *last = recorded.sequence;
            }
            Leaf::Rollout {
                id,
                previous,
                recorded,
            } => {
                let last = self.rollouts.entry(id.to_string()).or_insert((0, NO_EVENT));
                next(&id.to_string(), last.0, recorded.sequence)?;
                if previous != last.1 {
                    return Err(format!(
                        "event {} of {id} breaks its chain",
                        recorded.sequence
                    ));
                }
                *last = (recorded.sequence, leaf_digest(entry));
            }
        }
        Ok(())
    }
}

fn next(id: &str, last: u64, sequence: u64) -> Result<(), String> {
    if sequence == last + 1 {
        Ok(())
    } else {
        Err(format!("event {sequence} of {id} follows event {last}"))
    }
}

#[cfg(test)]
mod tests {
    use fcs_core::{DeploymentId, UnixMicros};
    use fcs_rollout::{Event, RecordedEvent};

    use super::*;

    fn batch(first: u64, decisions: u64) -> Vec<u8> {
        let digests: Vec<Digest> = (0..decisions).map(|_| NO_EVENT).collect();
        BatchLeaf::new(first, &digests).unwrap().to_bytes()
    }

    #[test]
    fn batches_leave_no_decision_out() {
        let mut lines = Lines::default();
        lines.take(&batch(1, 3)).unwrap();
        lines.take(&batch(4, 1)).unwrap();
        assert!(lines.take(&batch(6, 1)).unwrap_err().contains("not at 5"));
        assert!(
            lines.take(&batch(4, 1)).is_err(),
            "no decision is there twice"
        );
        assert!(lines.take(b"{}").is_err());
        assert_eq!(lines.last_decision_index, 4);
    }

    #[test]
    fn events_follow_each_other() {
        let id = DeploymentId::new(UnixMicros(0), &[0; 10]);
        let event = |sequence| {
            let recorded = RecordedEvent {
                sequence,
                at: UnixMicros(1_795_385_965_000_001),
                actor: "bea".parse().unwrap(),
                event: Event::Approved {
                    plan_digest: NO_EVENT,
                    comment: "good".parse().unwrap(),
                },
            };
            recorded.leaf_bytes(&id)
        };
        let mut lines = Lines::default();
        assert!(lines.take(&event(2)).is_err());
        lines.take(&event(1)).unwrap();
        assert!(lines.take(&event(1)).is_err());
        lines.take(&event(2)).unwrap();
    }
}
