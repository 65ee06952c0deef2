//! The statements of examinations and overrides.

use std::fmt::Write as _;
use std::time::Duration;

use super::rows::{Find, Insert};
use super::sql::StoreFailure;
use crate::app::examination::{Scope, Strata};

/// An examination of some million decisions takes seconds; one that takes longer is given up.
pub(super) const EXAMINE_TIMEOUT: Duration = Duration::from_mins(2);
pub(super) const RECORD_TIMEOUT: Duration = Duration::from_secs(10);
/// Kinds of decisions that are kept in memory at most.
pub(super) const ROWS_MAX: usize = 2_000_000;
pub(super) const TOO_MANY: &str =
    "the decisions are of more than 2,000,000 kinds; ask for less time or fewer attributes";

pub(super) const LAST_INDEX: &str = "SELECT last_index FROM state WHERE id = 1";
/// The columns of the attributes' values.
pub(super) const GROUPS: [&str; 3] = ["group_1", "group_2", "group_3"];
pub(super) const OVERRIDES_AMONG: Find = Find("SELECT event_id FROM overrides WHERE event_id");
pub(super) static OVERRIDES: Insert = Insert {
    into: "overrides",
    columns: "event_id, decision_id, outcome, reason, occurred_at",
    on_conflict: "ON CONFLICT (event_id) DO NOTHING",
};

/// The override of a decision that is in force.
const IN_FORCE: &str = "NOT EXISTS (SELECT 1 FROM overrides later WHERE later.decision_id = p.decision_id \
                        AND (later.occurred_at, later.event_id) > (p.occurred_at, p.event_id))";

/// Counts overrides. Parameters: model, empty for all, and the minutes.
pub(super) fn overrides() -> String {
    format!(
        "SELECT d.outcome AS outcome, p.outcome AS person, p.reason AS reason, COUNT(*) AS decisions FROM overrides p \
         JOIN decisions d ON d.decision_id = p.decision_id WHERE {IN_FORCE} AND ($1 = '' OR d.model = $1) \
         AND d.minute >= $2 AND d.minute < $3 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
}

/// Counts the decisions of a scope by everything that is asked for. Parameters: model and arm, each empty for all, the
/// minutes, the attributes, and the attribute of the strata.
pub(super) fn select(scope: &Scope) -> String {
    let mut columns = String::new();
    let mut joins = String::new();
    let mut join = |name: &str, parameter: usize| {
        let _ = write!(
            joins,
            " LEFT JOIN demographics {name} ON {name}.application_id = d.application_id AND {name}.attribute = ${parameter}"
        );
    };
    let attributes = scope.attributes.len();
    for (place, name) in GROUPS.iter().enumerate().take(attributes) {
        let _ = write!(columns, "{name}.group_name AS {name}, ");
        join(name, 5 + place);
    }
    match &scope.strata {
        Strata::None => {}
        Strata::Vintage => columns.push_str("d.minute / 1440 AS stratum, "),
        Strata::Attribute(_) => {
            columns.push_str("stratum.group_name AS stratum, ");
            join("stratum", 5 + attributes);
        }
    }
    let keys = columns.matches(" AS ").count() + 4;
    let places: Vec<String> = (1..=keys).map(|place| place.to_string()).collect();
    format!(
        "SELECT {columns}d.outcome AS outcome, p.outcome AS person, o.outcome AS realised, \
         (d.probability_ppm + 50) / 100 AS probability, COUNT(*) AS decisions FROM decisions d{joins} \
         LEFT JOIN outcomes o ON o.application_id = d.application_id \
         LEFT JOIN overrides p ON p.decision_id = d.decision_id AND {IN_FORCE} \
         WHERE ($1 = '' OR d.model = $1) AND ($2 = '' OR d.arm = $2) AND d.minute >= $3 AND d.minute < $4 \
         GROUP BY {}",
        places.join(", ")
    )
}

/// A word that the store holds.
pub(super) fn word<T>(
    what: &str,
    text: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, StoreFailure> {
    parse(text).ok_or_else(|| format!("the store holds the {what} {text:?}").into())
}
