//! Answers as JSON. A record is put in as the bytes that it is stored as, so one decision has one answer for ever.

use crate::app::decisions::{Page, Replay};
use crate::store::StoredDecision;

/// The members of the record, then `log_index` and `record_digest`. Without these two it is the canonical record.
pub(super) fn decision(stored: &StoredDecision) -> Vec<u8> {
    let members = stored
        .record
        .strip_suffix(b"}")
        .expect("a record is a JSON object");
    let tail = format!(
        ",\"log_index\":{},\"record_digest\":\"{}\"}}",
        stored.log_index, stored.record_digest
    );
    [members, tail.as_bytes()].concat()
}

pub(super) fn page(page: &Page) -> Vec<u8> {
    let decisions: Vec<Vec<u8>> = page.decisions.iter().map(decision).collect();
    let tail = format!("],\"highest_index\":{}}}", page.highest_index);
    [
        &b"{\"decisions\":["[..],
        &decisions.join(&b','),
        tail.as_bytes(),
    ]
    .concat()
}

pub(super) fn replay(replay: &Replay) -> Vec<u8> {
    let head = format!(
        "{{\"identical\":{},\"stored_record\":",
        replay.is_identical()
    );
    [
        head.as_bytes(),
        &replay.stored,
        b",\"recomputed_record\":",
        replay.recomputed.as_slice(),
        b"}",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(log_index: u64) -> StoredDecision {
        let record_digest = fcs_core::Digest::from_bytes([0xab; 32]);
        StoredDecision {
            log_index,
            record: (*b"{\"a\":1e21}").into(),
            record_digest,
        }
    }

    #[test]
    fn the_record_keeps_its_bytes() {
        let digest = "ab".repeat(32);
        let expected = format!("{{\"a\":1e21,\"log_index\":3,\"record_digest\":\"{digest}\"}}");
        assert_eq!(decision(&stored(3)), expected.as_bytes());
    }

    #[test]
    fn pages_and_replays_are_json() {
        let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        let two = json(&page(&Page {
            decisions: vec![stored(1), stored(2)],
            highest_index: 9,
        }));
        assert_eq!(
            (
                two["decisions"][1]["log_index"].as_u64(),
                two["highest_index"].as_u64()
            ),
            (Some(2), Some(9))
        );
        assert_eq!(
            json(&page(&Page {
                decisions: vec![],
                highest_index: 0
            }))["decisions"],
            serde_json::json!([])
        );
        let same = Replay {
            stored: (*b"{}").into(),
            recomputed: b"{}".to_vec(),
        };
        assert_eq!(json(&replay(&same))["identical"], true);
    }
}
