//! The statements that follow erasures.

use std::time::Duration;

pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const PLACE: &str = "SELECT place FROM erasures_followed WHERE id = 1";
pub(super) const FOLLOW: &str =
    "UPDATE erasures_followed SET place = $1 WHERE id = 1 AND place < $1";
pub(super) const HAS_DECISIONS: &str =
    "SELECT EXISTS (SELECT 1 FROM decisions WHERE application_id = $1)";

/// The application ids of some decisions that are not the pseudonym yet.
pub(super) fn names(log_indices: &str) -> String {
    format!(
        "SELECT DISTINCT application_id FROM decisions WHERE application_id <> $1 AND log_index IN ({log_indices})"
    )
}

pub(super) fn rename_decisions(log_indices: &str) -> String {
    format!(
        "UPDATE decisions SET application_id = $1 WHERE application_id <> $1 AND log_index IN ({log_indices})"
    )
}

/// What is known of an applicant, under the pseudonym too: $1 is the id, $2 the pseudonym.
pub(super) const COPY: [&str; 3] = [
    "INSERT INTO demographics (application_id, attribute, group_name, source) \
     SELECT $2, attribute, group_name, source FROM demographics WHERE application_id = $1 ON CONFLICT DO NOTHING",
    "INSERT INTO outcomes (application_id, outcome, occurred_at, event_id) \
     SELECT $2, outcome, occurred_at, event_id FROM outcomes WHERE application_id = $1 ON CONFLICT DO NOTHING",
    "INSERT INTO group_probabilities (application_id, attribute, source, proxy_version, group_names, parts) \
     SELECT $2, attribute, source, proxy_version, group_names, parts FROM group_probabilities \
     WHERE application_id = $1 ON CONFLICT DO NOTHING",
];
/// What is left under the id after that: $1 is the id, and $2 the pseudonym.
pub(super) const FORGET: [&str; 4] = [
    "UPDATE outcome_events SET application_id = $2 WHERE application_id = $1",
    "DELETE FROM demographics WHERE application_id = $1 AND $2 <> ''",
    "DELETE FROM outcomes WHERE application_id = $1 AND $2 <> ''",
    "DELETE FROM group_probabilities WHERE application_id = $1 AND $2 <> ''",
];
