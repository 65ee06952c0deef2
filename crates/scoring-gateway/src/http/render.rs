//! Answers as JSON. A record is put in as the bytes that it is stored as, so one decision has one answer for ever.

use std::fmt::Write as _;

use fcs_core::ApiError;
use fcs_service::problem::Problem;

use crate::app::decisions::{Page, PageQuery, Replay};
use crate::app::queue::Scored;
use crate::store::{Found, StoredDecision, Tombstone};

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

fn found(found: &Found) -> Vec<u8> {
    match found {
        Found::Kept(stored) => decision(stored),
        Found::Erased(tombstone) => erased(tombstone),
    }
}

/// What is left of a decision.
fn erased(tombstone: &Tombstone) -> Vec<u8> {
    // An identifier, a number, a digest and a time hold nothing that JSON escapes.
    format!(
        "{{\"decision_id\":\"{}\",\"erased_at\":\"{}\",\"log_index\":{},\"record_digest\":\"{}\"}}",
        tombstone.decision_id, tombstone.erased_at, tombstone.log_index, tombstone.record_digest
    )
    .into_bytes()
}

/// `next` is the path of the next page, when there is one.
pub(super) fn page(page: &Page, next: Option<&str>) -> Vec<u8> {
    let decisions: Vec<Vec<u8>> = page.decisions.iter().map(found).collect();
    let mut tail = format!("],\"highest_index\":{}", page.highest_index);
    for (name, text) in [
        ("next_page_token", page.next_page_token.as_deref()),
        ("next", next),
    ] {
        if let Some(text) = text {
            // Both hold only characters of URLs, which JSON takes as they are.
            let _ = write!(tail, ",\"{name}\":\"{text}\"");
        }
    }
    tail.push('}');
    [
        &b"{\"decisions\":["[..],
        &decisions.join(&b','),
        tail.as_bytes(),
    ]
    .concat()
}

/// The path of the next page of a list.
pub(super) fn next_page(query: &PageQuery, token: &str) -> String {
    let mut path = format!("/v1/decisions?page_token={token}");
    if query.page_size > 0 {
        let _ = write!(path, "&page_size={}", query.page_size);
    }
    if let Some(id) = &query.application_id {
        path.push_str("&application_id=");
        path.push_str(&percent_encoded(id.as_str()));
    }
    path
}

/// The text with every byte but letters, digits and `-._~` as `%XX` (RFC 3986, section 2.1).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// One item per request: `status`, and `decision` with `replayed` or `problem`.
pub(super) fn batch(answers: &[Result<Scored, ApiError>]) -> Vec<u8> {
    let items: Vec<Vec<u8>> = answers.iter().map(batch_item).collect();
    [&b"{\"items\":["[..], &items.join(&b','), b"]}"].concat()
}

fn batch_item(answer: &Result<Scored, ApiError>) -> Vec<u8> {
    match answer {
        Ok(scored) => {
            let head = format!(
                "{{\"status\":200,\"replayed\":{},\"decision\":",
                scored.replayed
            );
            [head.as_bytes(), &decision(&scored.decision), b"}"].concat()
        }
        Err(error) => {
            let problem = Problem(error.clone());
            let head = format!("{{\"status\":{},\"problem\":", problem.status().as_u16());
            [head.as_bytes(), &problem.to_json(), b"}"].concat()
        }
    }
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
    fn the_path_of_the_next_page_keeps_the_query() {
        let query = PageQuery {
            application_id: Some("A&1 ü".parse().unwrap()),
            page_size: 5,
            ..PageQuery::default()
        };
        let expected = "/v1/decisions?page_token=t&page_size=5&application_id=A%261%20%C3%BC";
        assert_eq!(next_page(&query, "t"), expected);
    }

    #[test]
    fn each_item_of_a_batch_has_its_status() {
        let scored = Scored {
            decision: stored(1),
            replayed: true,
        };
        let refused = ApiError::not_found("NOTHING", "there is nothing");
        let json: serde_json::Value =
            serde_json::from_slice(&batch(&[Ok(scored), Err(refused)])).unwrap();
        assert_eq!(
            (
                &json["items"][0]["status"],
                &json["items"][0]["decision"]["log_index"]
            ),
            (&200.into(), &1.into())
        );
        assert_eq!(
            (
                &json["items"][1]["status"],
                &json["items"][1]["problem"]["reason"]
            ),
            (&404.into(), &"NOTHING".into())
        );
    }

    #[test]
    fn pages_and_replays_are_json() {
        let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        let erased = Found::Erased(Tombstone {
            log_index: 2,
            decision_id: fcs_core::DecisionId::new(fcs_core::UnixMicros(0), &[1; 10]),
            record_digest: fcs_core::Digest::from_bytes([1; 32]),
            erased_at: fcs_core::UnixMicros(0),
        });
        let two = json(&page(
            &Page {
                decisions: vec![Found::Kept(stored(1)), erased],
                highest_index: 9,
                next_page_token: Some("t".to_owned()),
            },
            Some("/v1/decisions?page_token=t"),
        ));
        assert_eq!(
            (&two["next"], &two["next_page_token"]),
            (&"/v1/decisions?page_token=t".into(), &"t".into())
        );
        assert_eq!(
            (
                two["decisions"][1]["log_index"].as_u64(),
                two["highest_index"].as_u64()
            ),
            (Some(2), Some(9))
        );
        assert_eq!(
            two["decisions"][1]["erased_at"],
            "1970-01-01T00:00:00.000000Z"
        );
        assert_eq!(
            json(&page(
                &Page {
                    decisions: vec![],
                    highest_index: 0,
                    next_page_token: None,
                },
                None
            ))["decisions"],
            serde_json::json!([])
        );
        let same = Replay {
            stored: (*b"{}").into(),
            recomputed: b"{}".to_vec(),
        };
        assert_eq!(json(&replay(&same))["identical"], true);
    }
}
