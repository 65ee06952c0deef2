//! Rows to write and to find, many at a time. What they hold is decided here for both engines; each engine says in
//! its own file how it takes them fastest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::ParseIntError;

use fcs_fairness::proxy::ProxyCounts;

use super::sql::{self, StoreFailure, index_to_i64};
use crate::app::change::Effects;
use crate::app::counts::Increments;
use crate::app::facts::GroupName;
use crate::app::profiles::{ProfileCounts, ProfileIncrements, ProfileKey};
use crate::app::proxies::{ProxyIncrements, ProxyKey, ProxyName};

/// An engine's own way with many rows at a time.
pub(super) trait Engine: sqlx::Database {
    /// Inserts rows, or merges them into those that are there. No two rows have the same key.
    fn insert(
        connection: &mut Self::Connection,
        insert: &Insert,
        columns: &[Column<'_>],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Finds the rows that have one of the identifiers.
    fn find(
        connection: &mut Self::Connection,
        find: &Find,
        ids: &[&str],
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;
}

/// A statement that inserts rows, in its parts.
pub(super) struct Insert {
    pub(super) into: &'static str,
    pub(super) columns: &'static str,
    /// What to do with a row that is there.
    pub(super) on_conflict: &'static str,
}

/// A statement that finds rows, up to the column that has one of several identifiers.
pub(super) struct Find(pub(super) &'static str);

/// The values of a column, one per row.
pub(super) enum Column<'a> {
    Integers(Vec<i64>),
    Texts(Vec<Cow<'a, str>>),
}

impl<'a> Column<'a> {
    fn integers(values: impl Iterator<Item = i64>) -> Self {
        Self::Integers(values.collect())
    }

    fn texts(values: impl Iterator<Item = &'a str>) -> Self {
        Self::Texts(values.map(Cow::Borrowed).collect())
    }

    /// How many rows there are.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }
}

/// Everything that a batch inserts and merges, in an order that both engines accept.
pub(super) fn of(
    effects: &Effects,
) -> Result<Vec<(&'static Insert, Vec<Column<'_>>)>, StoreFailure> {
    let mut all = vec![
        (&sql::DECISIONS, decisions(effects)?),
        (&sql::DEMOGRAPHICS, demographics(effects)),
        (&sql::GROUP_PROBABILITIES, probabilities(effects)?),
        (&sql::OUTCOME_EVENTS, outcome_events(effects)),
        (&sql::OUTCOMES, outcomes(effects)),
        (&sql::COUNTERS, counters(&effects.increments)),
        (&sql::CALIBRATION, calibration(&effects.increments)),
    ];
    all.retain(|(_, columns)| columns.iter().any(|column| column.len() > 0));
    Ok(all)
}

fn decisions(effects: &Effects) -> Result<Vec<Column<'_>>, StoreFailure> {
    let logged = || effects.decisions.iter();
    let decided = || logged().map(|it| &it.decision);
    let indices: Result<_, _> = logged().map(|it| index_to_i64(it.log_index)).collect();
    Ok(vec![
        Column::Integers(indices?),
        Column::Texts(
            logged()
                .map(|it| it.decision_id.to_string().into())
                .collect(),
        ),
        Column::texts(decided().map(|it| it.application_id.as_str())),
        Column::integers(decided().map(|it| it.minute)),
        Column::texts(decided().map(|it| it.model.as_str())),
        Column::texts(decided().map(|it| it.arm.as_str())),
        Column::texts(decided().map(|it| it.outcome.as_str())),
        Column::integers(decided().map(|it| it.score)),
        Column::integers(decided().map(|it| it.probability_ppm)),
        Column::Texts(decided().map(|it| bins_to_text(&it.bins).into()).collect()),
    ])
}

/// The places of a decision's bins, with commas between them.
fn bins_to_text(bins: &[u16]) -> String {
    let mut text = String::with_capacity(3 * bins.len());
    for bin in bins {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{bin}");
    }
    text
}

pub(super) fn bins_from_text(text: &str) -> Result<Vec<u16>, ParseIntError> {
    let bins = text.split(',').filter(|bin| !bin.is_empty());
    bins.map(str::parse).collect()
}

/// The rows of bins that a batch touches, by their primary key.
pub(super) fn profile_places(profiles: &ProfileIncrements) -> Vec<String> {
    profiles.0.keys().map(profile_place).collect()
}

fn profile_place(key: &ProfileKey) -> String {
    let (attribute, group) = key.cell.columns();
    serde_json::json!([key.model.as_str(), key.arm, attribute, group, key.hour]).to_string()
}

/// The bins after a batch, given those before it.
pub(super) fn profiles<'a>(
    profiles: &'a ProfileIncrements,
    places: &'a [String],
    stored: &BTreeMap<String, ProfileCounts>,
) -> Result<Vec<Column<'a>>, StoreFailure> {
    let keys = || profiles.0.keys();
    let mut texts = Vec::with_capacity(places.len());
    for (place, counts) in places.iter().zip(profiles.0.values()) {
        let mut after = stored.get(place).cloned().unwrap_or_default();
        after.merge(counts);
        texts.push(serde_json::to_string(&after)?.into());
    }
    Ok(vec![
        Column::texts(places.iter().map(String::as_str)),
        Column::texts(keys().map(|key| key.model.as_str())),
        Column::texts(keys().map(|key| key.arm.as_str())),
        Column::texts(keys().map(|key| key.cell.columns().0)),
        Column::texts(keys().map(|key| key.cell.columns().1)),
        Column::integers(keys().map(|key| key.hour)),
        Column::Texts(texts),
    ])
}

/// The rows of sums of probabilities that a batch touches, by their primary key.
pub(super) fn proxy_places(proxies: &ProxyIncrements) -> Vec<String> {
    proxies.0.keys().map(proxy_place).collect()
}

fn proxy_place(key: &ProxyKey) -> String {
    let (proxy, groups) = (&key.panel.proxy, groups_to_text(&key.panel.groups));
    let (attribute, source, version) = proxy_columns(proxy);
    serde_json::json!([
        key.model.as_str(),
        key.arm,
        attribute,
        source,
        version,
        groups,
        key.hour
    ])
    .to_string()
}

fn proxy_columns(proxy: &ProxyName) -> (&str, &str, &str) {
    (
        proxy.attribute.as_str(),
        proxy.source.as_str(),
        proxy.version.as_str(),
    )
}

/// Sums of probabilities after a batch, given those before it.
pub(super) fn proxies<'a>(
    proxies: &'a ProxyIncrements,
    places: &'a [String],
    stored: &BTreeMap<String, ProxyCounts>,
) -> Result<Vec<Column<'a>>, StoreFailure> {
    let keys = || proxies.0.keys();
    let named = || keys().map(|key| proxy_columns(&key.panel.proxy));
    let mut texts = Vec::with_capacity(places.len());
    for (place, counts) in places.iter().zip(proxies.0.values()) {
        let mut after = counts.clone();
        if let Some(before) = stored.get(place) {
            after.merge(before)?;
        }
        texts.push(serde_json::to_string(&after)?.into());
    }
    Ok(vec![
        Column::texts(places.iter().map(String::as_str)),
        Column::texts(keys().map(|key| key.model.as_str())),
        Column::texts(keys().map(|key| key.arm.as_str())),
        Column::texts(named().map(|(attribute, _, _)| attribute)),
        Column::texts(named().map(|(_, source, _)| source)),
        Column::texts(named().map(|(_, _, version)| version)),
        Column::Texts(
            keys()
                .map(|key| groups_to_text(&key.panel.groups).into())
                .collect(),
        ),
        Column::integers(keys().map(|key| key.hour)),
        Column::Texts(texts),
    ])
}

/// Groups as a JSON array.
fn groups_to_text(groups: &[GroupName]) -> String {
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    serde_json::json!(names).to_string()
}

pub(super) fn groups_from_text(text: &str) -> Result<Vec<GroupName>, StoreFailure> {
    let names: Vec<String> = serde_json::from_str(text)?;
    names.iter().map(|name| Ok(name.parse()?)).collect()
}

fn probabilities(effects: &Effects) -> Result<Vec<Column<'_>>, StoreFailure> {
    let rows = || effects.memberships.iter();
    let named = || rows().map(|((_, proxy), _)| proxy_columns(proxy));
    let mut parts = Vec::with_capacity(effects.memberships.len());
    for (_, known) in rows() {
        parts.push(serde_json::to_string(&known.membership)?.into());
    }
    Ok(vec![
        Column::texts(rows().map(|((id, _), _)| id.as_str())),
        Column::texts(named().map(|(attribute, _, _)| attribute)),
        Column::texts(named().map(|(_, source, _)| source)),
        Column::texts(named().map(|(_, _, version)| version)),
        Column::Texts(
            rows()
                .map(|(_, known)| groups_to_text(&known.groups).into())
                .collect(),
        ),
        Column::Texts(parts),
    ])
}

fn demographics(effects: &Effects) -> Vec<Column<'_>> {
    let groups = || effects.groups.iter();
    vec![
        Column::texts(groups().map(|((id, _), _)| id.as_str())),
        Column::texts(groups().map(|((_, attribute), _)| attribute.as_str())),
        Column::texts(groups().map(|(_, known)| known.group.as_str())),
        Column::texts(groups().map(|(_, known)| known.source.as_str())),
    ]
}

fn outcome_events(effects: &Effects) -> Vec<Column<'_>> {
    let events = || effects.events.iter();
    vec![
        Column::texts(events().map(|event| event.event_id.as_str())),
        Column::texts(events().map(|event| event.application_id.as_str())),
        Column::texts(events().map(|event| event.outcome.as_str())),
        Column::integers(events().map(|event| event.occurred_at.0)),
    ]
}

fn outcomes(effects: &Effects) -> Vec<Column<'_>> {
    let outcomes = || effects.outcomes.iter();
    vec![
        Column::texts(outcomes().map(|(id, _)| id.as_str())),
        Column::texts(outcomes().map(|(_, known)| known.outcome.as_str())),
        Column::integers(outcomes().map(|(_, known)| known.occurred_at.0)),
        Column::texts(outcomes().map(|(_, known)| known.event_id.as_str())),
    ]
}

pub(super) fn counters(increments: &Increments) -> Vec<Column<'_>> {
    let keys = || increments.counters.keys();
    let counts = || increments.counters.values();
    vec![
        Column::texts(keys().map(|key| key.model.as_str())),
        Column::texts(keys().map(|key| key.arm.as_str())),
        Column::texts(keys().map(|key| key.cell.columns().0)),
        Column::texts(keys().map(|key| key.cell.columns().1)),
        Column::integers(keys().map(|key| key.minute)),
        Column::integers(counts().map(|it| it.approved)),
        Column::integers(counts().map(|it| it.referred)),
        Column::integers(counts().map(|it| it.denied)),
        Column::integers(counts().map(|it| it.score_sum)),
        Column::integers(counts().map(|it| it.score_square_sum)),
        Column::integers(counts().map(|it| it.approved_repaid)),
        Column::integers(counts().map(|it| it.approved_defaulted)),
    ]
}

pub(super) fn calibration(increments: &Increments) -> Vec<Column<'_>> {
    let keys = || increments.bins.keys();
    let counts = || increments.bins.values();
    vec![
        Column::texts(keys().map(|key| key.model.as_str())),
        Column::integers(keys().map(|key| key.bin)),
        Column::integers(counts().map(|it| it.labelled)),
        Column::integers(counts().map(|it| it.defaulted)),
        Column::integers(counts().map(|it| it.predicted_sum_ppm)),
    ]
}
