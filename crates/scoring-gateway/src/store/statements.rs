//! The statements of the decision log, the same text on both engines.

/// What a row of a decision needs to be opened, with the row of its applicant's key.
macro_rules! decision_columns {
    () => {
        "d.log_index, d.tenant, d.decision_id, d.record, d.record_digest, d.applicant, k.kek_id, k.wrapped_key, \
         k.erased_at"
    };
}
macro_rules! with_key {
    () => {
        " LEFT JOIN applicant_keys k ON k.tenant = d.tenant AND k.applicant = d.applicant "
    };
}
pub(super) use with_key;

pub(super) const PAGE: &str = concat!(
    "SELECT ",
    decision_columns!(),
    " FROM decisions d",
    with_key!(),
    "WHERE d.tenant = $1 AND d.log_index > $2 ORDER BY d.log_index LIMIT $3"
);
/// Decisions of an application, by its blind index or, where they are from before encryption, by its identifier.
macro_rules! of_application {
    ($after:literal) => {
        concat!(
            "SELECT ",
            decision_columns!(),
            " FROM (SELECT * FROM decisions WHERE tenant = $1 AND applicant = $2",
            $after,
            " UNION ALL SELECT * FROM decisions WHERE tenant = $1 AND applicant IS NULL AND application_id = $3",
            $after,
            ") d",
            with_key!()
        )
    };
}
pub(super) const PAGE_OF: &str = concat!(
    of_application!(" AND log_index > $4"),
    "ORDER BY d.log_index LIMIT $5"
);
pub(super) const LATEST: &str = concat!(of_application!(""), "ORDER BY d.log_index DESC LIMIT 1");
pub(super) const DECISION: &str = concat!(
    "SELECT ",
    decision_columns!(),
    " FROM decisions d",
    with_key!(),
    "WHERE d.tenant = $1 AND d.decision_id = $2"
);
pub(super) const FEED: &str = concat!(
    "SELECT d.log_index, d.tenant, d.decision_id, d.application_id, d.decided_at, d.outcome, d.score, d.probability, \
     d.model, d.arm, d.record_digest, d.bins, d.applicant, k.kek_id, k.wrapped_key, k.erased_at, \
     k.application_id AS sealed_application_id FROM decisions d",
    with_key!(),
    "WHERE d.log_index > $1 ORDER BY d.log_index LIMIT $2"
);
pub(super) const HIGHEST: &str = "SELECT last_index FROM log_head WHERE id = 1";
pub(super) const HIGHEST_OF: &str =
    "SELECT COALESCE(MAX(log_index), 0) AS highest FROM decisions WHERE tenant = $1";
pub(super) const ADVANCE: &str = "UPDATE log_head SET last_index = $1 WHERE id = 1";
pub(super) const TOUCH: &str = "UPDATE log_head SET last_index = last_index WHERE id = 1";
macro_rules! claimed {
    () => {
        concat!(
            "SELECT i.client, i.key, i.fingerprint, ",
            decision_columns!(),
            " FROM idempotency i JOIN decisions d ON d.log_index = i.log_index",
            with_key!()
        )
    };
}
pub(super) const CLAIMED: &str = concat!(claimed!(), "WHERE (i.tenant, i.client, i.key) IN ");
pub(super) const CLAIMED_BY_KEY: &str = concat!(
    claimed!(),
    "WHERE i.tenant = $1 AND i.client = $2 AND i.key IN ($3, $4)"
);
/// The upsert gives the key that stands, and keeps it for as long as its latest decision must be kept.
pub(super) const INSERT_KEYS: &str = "INSERT INTO applicant_keys (tenant, applicant, kek_id, wrapped_key, \
                                      application_id, retain_until) ";
pub(super) const OR_KEEP_KEYS: &str = " ON CONFLICT (tenant, applicant) DO UPDATE SET retain_until = CASE \
                                       WHEN excluded.retain_until > applicant_keys.retain_until \
                                       THEN excluded.retain_until ELSE applicant_keys.retain_until END \
                                       RETURNING tenant, applicant, kek_id, wrapped_key";
pub(super) const INSERT_DECISIONS: &str = "INSERT INTO decisions (log_index, tenant, decision_id, application_id, \
                                           decided_at, outcome, score, probability, model, arm, record, record_digest, \
                                           applicant, bins) ";
pub(super) const INSERT_CLAIMS: &str = "INSERT INTO idempotency (tenant, client, key, fingerprint, decision_id, \
                                        log_index, created_at, in_the_clear) ";
pub(super) const TRAFFIC: &str = "SELECT generation, salt, arms, shadows FROM traffic WHERE id = 1";
pub(super) const SWAP_TRAFFIC: &str = "UPDATE traffic SET generation = $1, salt = $2, arms = $3, shadows = $4 \
     WHERE id = 1 AND generation = $5";
pub(super) const PURGE: &str = "DELETE FROM idempotency WHERE (tenant, client, key) IN \
                                (SELECT tenant, client, key FROM idempotency WHERE created_at < $1 \
                                ORDER BY created_at LIMIT $2) RETURNING key";
/// What a transaction names that looks at every tenant's rows.
pub(super) const EVERY_TENANT: &str = "*";
