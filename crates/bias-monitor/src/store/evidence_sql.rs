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
pub(super) const WATCHES: &str = "SELECT model, attribute, group_name, watch, proxy_watch, judgement, alarm FROM watches \
     WHERE $1 = '' OR model = $1 ORDER BY model, attribute, group_name";
pub(super) const PUT_WATCH: &str = "INSERT INTO watches (model, attribute, group_name, watch, proxy_watch, judgement, alarm) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (model, attribute, group_name) DO UPDATE SET \
     watch = excluded.watch, proxy_watch = excluded.proxy_watch, judgement = excluded.judgement, alarm = excluded.alarm";
pub(super) const ALARM: &str =
    "SELECT alarm FROM watches WHERE model = $1 AND attribute = $2 AND group_name = $3";
pub(super) const SET_ALARM: &str =
    "UPDATE watches SET alarm = $4 WHERE model = $1 AND attribute = $2 AND group_name = $3";
pub(super) const INSERT_ENTRY: &str = "INSERT INTO alarm_entries (sequence, model, attribute, group_name, entry) \
     VALUES ($1, $2, $3, $4, $5)";
pub(super) const ENTRIES_AFTER: &str = "SELECT sequence, model, attribute, group_name, entry FROM alarm_entries \
     WHERE sequence > $1 ORDER BY sequence LIMIT $2";
pub(super) const LAST_INDEX: &str = "SELECT last_index FROM evidence WHERE id = 1";
pub(super) const ADVANCE: &str =
    "UPDATE evidence SET policy = $1, last_index = $2, last_entry = $3 WHERE id = 1";

/// A row of `watches`.
pub(super) struct WatchColumns {
    pub(super) model: String,
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
            Some(GroupWatch::Proxy(watch)) => (None, Some(serde_json::to_string(watch)?)),
        };
        let judgement = watched.judgement.as_ref().map(serde_json::to_string);
        Ok(Self {
            model: id.model.to_string(),
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
    let id = WatchedGroup {
        model: columns.model.parse()?,
        attribute: columns.attribute.parse()?,
        group: columns.group.parse()?,
    };
    let watch = match (&columns.watch, &columns.proxy_watch) {
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
