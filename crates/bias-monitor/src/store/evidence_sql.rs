//! The statements of evidence and alarms, and what their rows mean.

use std::time::Duration;

use fcs_fairness::alarm::Alarm;

use super::sql::StoreFailure;
use crate::app::evidence::{GroupWatch, Watched, WatchedGroup};

/// A turn that takes longer is given up with its connection; nothing of it is then stored, or all of it.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const MINUTE_MICROS: i64 = 60_000_000;

pub(super) const DECISIONS_AFTER: &str = "SELECT log_index, application_id, minute, model, outcome FROM decisions \
     WHERE log_index > $1 ORDER BY log_index LIMIT $2";
pub(super) const WATCHES: &str = "SELECT model, '' AS baseline, attribute, group_name, watch, proxy_watch, judgement, alarm \
     FROM watches WHERE $1 = '' OR model = $1 ORDER BY model, attribute, group_name";
/// What is known under another policy than the second parameter is left out, unless that is empty.
pub(super) const GAP_WATCHES: &str = "SELECT model, baseline, attribute, group_name, \
     CASE WHEN $2 IN ('', policy) THEN watch END AS watch, NULL AS proxy_watch, \
     CASE WHEN $2 IN ('', policy) THEN judgement END AS judgement, alarm \
     FROM gap_watches WHERE $1 = '' OR model = $1 ORDER BY model, baseline, attribute, group_name";
pub(super) const PUT_WATCH: &str = "INSERT INTO watches (model, attribute, group_name, watch, proxy_watch, judgement, alarm) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (model, attribute, group_name) DO UPDATE SET \
     watch = excluded.watch, proxy_watch = excluded.proxy_watch, judgement = excluded.judgement, alarm = excluded.alarm";
pub(super) const PUT_GAP_WATCH: &str = "INSERT INTO gap_watches (model, baseline, attribute, group_name, policy, watch, judgement, alarm) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (model, baseline, attribute, group_name) DO UPDATE SET \
     policy = excluded.policy, watch = excluded.watch, judgement = excluded.judgement, alarm = excluded.alarm";
/// Where the alarm of a group is: with its own model's ratio, or with the gap between two models.
pub(super) const fn alarm_of(id: &WatchedGroup) -> (&'static str, &'static str) {
    if id.baseline.is_none() {
        return (
            "SELECT alarm FROM watches WHERE model = $1 AND $2 = '' AND attribute = $3 AND group_name = $4",
            "UPDATE watches SET alarm = $5 WHERE model = $1 AND $2 = '' AND attribute = $3 AND group_name = $4",
        );
    }
    (
        "SELECT alarm FROM gap_watches WHERE model = $1 AND baseline = $2 AND attribute = $3 AND group_name = $4",
        "UPDATE gap_watches SET alarm = $5 WHERE model = $1 AND baseline = $2 AND attribute = $3 AND group_name = $4",
    )
}
pub(super) const DECISIONS_AMONG: &str =
    "SELECT log_index, application_id, minute, model, outcome FROM decisions WHERE log_index IN";
/// How far any arm of a model ever was: another one goes on from there, so that no applicant counts twice.
pub(super) const MODEL_INDEX: &str =
    "SELECT MAX(last_index) FROM shadow_arms WHERE model = $1 AND policy = $2";
pub(super) const PUT_ARM: &str = "INSERT INTO shadow_arms (arm, since_generation, model, policy, last_index) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (arm) DO UPDATE SET since_generation = excluded.since_generation, \
     model = excluded.model, policy = excluded.policy, last_index = excluded.last_index";
pub(super) const COUNTED_INDEX: &str = "SELECT last_index FROM state WHERE id = 1";
pub(super) const INSERT_ENTRY: &str = "INSERT INTO alarm_entries (sequence, model, baseline, attribute, group_name, entry) \
     VALUES ($1, $2, $3, $4, $5, $6)";
pub(super) const ENTRIES_AFTER: &str = "SELECT sequence, model, baseline, attribute, group_name, entry FROM alarm_entries \
     WHERE sequence > $1 ORDER BY sequence LIMIT $2";
pub(super) const LAST_INDEX: &str = "SELECT last_index FROM evidence WHERE id = 1";
pub(super) const ADVANCE: &str =
    "UPDATE evidence SET policy = $1, last_index = $2, last_entry = $3 WHERE id = 1";

/// What the locked row says.
pub(super) struct Progress {
    pub(super) policy: String,
    pub(super) last_index: u64,
    pub(super) last_entry: u64,
}

/// A row of `watches`, or of `gap_watches`.
pub(super) struct WatchColumns {
    pub(super) model: String,
    pub(super) baseline: String,
    pub(super) attribute: String,
    pub(super) group: String,
    pub(super) watch: Option<String>,
    pub(super) proxy_watch: Option<String>,
    pub(super) judgement: Option<String>,
    pub(super) alarm: String,
}

impl WatchColumns {
    pub(super) fn of(id: &WatchedGroup, watched: &Watched) -> Result<Self, StoreFailure> {
        let (watch, proxy_watch) = match &watched.watch {
            None => (None, None),
            Some(GroupWatch::Value(watch)) => (Some(serde_json::to_string(watch)?), None),
            Some(GroupWatch::Paired(watch)) => (Some(serde_json::to_string(watch)?), None),
            Some(GroupWatch::Proxy(watch)) => (None, Some(serde_json::to_string(watch)?)),
        };
        let judgement = watched.judgement.as_ref().map(serde_json::to_string);
        Ok(Self {
            model: id.model.to_string(),
            baseline: baseline_text(id),
            attribute: id.attribute.as_str().to_owned(),
            group: id.group.as_str().to_owned(),
            watch,
            proxy_watch,
            judgement: judgement.transpose()?,
            alarm: serde_json::to_string(&watched.alarm)?,
        })
    }
}

pub(super) fn watched(columns: &WatchColumns) -> Result<(WatchedGroup, Watched), StoreFailure> {
    let id = watched_group(
        &columns.model,
        &columns.baseline,
        &columns.attribute,
        &columns.group,
    )?;
    let watch = match (&columns.watch, &columns.proxy_watch) {
        (Some(text), _) if id.baseline.is_some() => {
            Some(GroupWatch::Paired(serde_json::from_str(text)?))
        }
        (Some(text), _) => Some(GroupWatch::Value(serde_json::from_str(text)?)),
        (None, Some(text)) => Some(GroupWatch::Proxy(serde_json::from_str(text)?)),
        (None, None) => None,
    };
    let judgement = columns.judgement.as_deref().map(serde_json::from_str);
    let alarm: Alarm = serde_json::from_str(&columns.alarm)?;
    let watched = Watched {
        watch,
        judgement: judgement.transpose()?,
        alarm,
    };
    Ok((id, watched))
}

/// The column that says which model a group's gap is compared with; empty where it is the model's own ratio.
pub(super) fn baseline_text(id: &WatchedGroup) -> String {
    let baseline = id.baseline.as_ref().map(ToString::to_string);
    baseline.unwrap_or_default()
}

/// The group that the columns of a row name.
pub(super) fn watched_group(
    model: &str,
    baseline: &str,
    attribute: &str,
    group: &str,
) -> Result<WatchedGroup, StoreFailure> {
    let baseline = Some(baseline).filter(|text| !text.is_empty());
    Ok(WatchedGroup {
        model: model.parse()?,
        baseline: baseline.map(str::parse).transpose()?,
        attribute: attribute.parse()?,
        group: group.parse()?,
    })
}
