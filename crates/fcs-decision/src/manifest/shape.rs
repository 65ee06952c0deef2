//! From TOML to typed tables. Each table is read by itself, so that a slip in one does not hide those in others.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{
    Calibration, Category, EngineInfo, Evaluation, FileEntry, Lineage, MANIFEST_FORMATS,
    MissingRule, ModelInfo, Reason, ReferencePopulation, RiskDirection, ScoreDistribution,
    Training,
};
use crate::score::ScoreScale;

/// Sections that came with format 2.
const SINCE_FORMAT_2: [&str; 4] = ["lineage", "engine", "calibration", "score_distribution"];

/// What could be read. An entry is `None` when its table has the wrong shape; a problem then says why.
pub(super) struct Draft {
    pub(super) format: i64,
    pub(super) model: Option<ModelInfo>,
    pub(super) files: Vec<Option<FileEntry>>,
    pub(super) features: Vec<Option<FeatureTable>>,
    pub(super) reasons: Vec<Option<Reason>>,
    pub(super) score: Option<ScoreScale>,
    pub(super) cut_offs: Option<CutOffs>,
    pub(super) knock_outs: Vec<Option<KnockOutTable>>,
    pub(super) reference_population: Option<ReferencePopulation>,
    pub(super) training: Option<Training>,
    pub(super) evaluation: Option<Evaluation>,
    pub(super) lineage: Option<Lineage>,
    pub(super) engine: Option<EngineInfo>,
    pub(super) calibration: Option<Calibration>,
    pub(super) score_distribution: Option<ScoreDistribution>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureTable {
    pub(super) name: String,
    pub(super) description: String,
    #[serde(rename = "type")]
    pub(super) feature_type: FeatureType,
    #[serde(default)]
    pub(super) unit: String,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) categories: Option<Vec<Category>>,
    pub(super) missing: MissingRule,
    pub(super) risk_direction: RiskDirection,
    pub(super) reason: String,
    pub(super) family: Option<String>,
    pub(super) bin_edges: Option<Vec<f64>>,
    pub(super) bin_shares: Vec<f64>,
    pub(super) missing_share: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FeatureType {
    Number,
    Integer,
    Category,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CutOffs {
    pub(super) approve_at_least: i32,
    pub(super) refer_at_least: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnockOutTable {
    pub(super) id: String,
    pub(super) feature: String,
    pub(super) operator: Operator,
    pub(super) value: KnockOutValue,
    pub(super) reason: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operator {
    AtLeast,
    AtMost,
    Equals,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number or the name of a category")]
pub(super) enum KnockOutValue {
    Number(f64),
    Category(String),
}

/// Reads the tables and adds a problem for each that has the wrong shape.
pub(super) fn read(text: &str, problems: &mut Vec<String>) -> Option<Draft> {
    let mut root: Table = match toml::from_str(text) {
        Ok(root) => root,
        Err(error) => {
            problems.push(syntax_problem(text, &error));
            return None;
        }
    };
    // The rest of another format cannot be judged: its unknown keys would only hide what to do.
    let format = format(&mut root, problems)?;
    if format < 2 {
        for key in SINCE_FORMAT_2 {
            if root.remove(key).is_some() {
                problems.push(format!("{key}: needs manifest_format = 2"));
            }
        }
    }
    let mut policy = match root.remove("policy") {
        Some(Value::Table(policy)) => Some(policy),
        Some(_) => {
            problems.push("policy: expected a table".to_owned());
            None
        }
        None => {
            problems.push("policy: missing".to_owned());
            None
        }
    };
    let knock_outs = policy
        .as_mut()
        .map(|policy| list(policy, "knock_outs", "policy.knock_outs", problems))
        .unwrap_or_default();
    let draft = Draft {
        format,
        model: table(&mut root, "model", problems),
        files: list(&mut root, "files", "files", problems),
        features: list(&mut root, "features", "features", problems),
        reasons: list(&mut root, "reasons", "reasons", problems),
        score: table(&mut root, "score", problems),
        cut_offs: policy.and_then(|policy| entry(Value::Table(policy), "policy", problems)),
        knock_outs,
        reference_population: table(&mut root, "reference_population", problems),
        training: table(&mut root, "training", problems),
        evaluation: table(&mut root, "evaluation", problems),
        lineage: optional(&mut root, "lineage", problems),
        engine: optional(&mut root, "engine", problems),
        calibration: optional(&mut root, "calibration", problems),
        score_distribution: optional(&mut root, "score_distribution", problems),
    };
    problems.extend(root.keys().map(|key| format!("{key}: unknown key")));
    Some(draft)
}

/// Takes the format out; `None` when it is newer than this release. Without a usable one the newest is assumed, so that
/// the other problems are found too.
fn format(root: &mut Table, problems: &mut Vec<String>) -> Option<i64> {
    let (oldest, newest) = (*MANIFEST_FORMATS.start(), *MANIFEST_FORMATS.end());
    let expected = format!("expected a format from {oldest} to {newest}");
    match root.remove("manifest_format") {
        Some(Value::Integer(format)) if MANIFEST_FORMATS.contains(&format) => return Some(format),
        Some(Value::Integer(format)) if format > newest => {
            problems.push(format!(
                "manifest_format: {format} is newer than this release, which reads {oldest} to {newest}; \
                 use a release that reads format {format}"
            ));
            return None;
        }
        Some(other) => problems.push(format!("manifest_format: {expected}, found {other}")),
        None => problems.push(format!("manifest_format: missing, {expected}")),
    }
    Some(newest)
}

fn optional<T: DeserializeOwned>(
    root: &mut Table,
    key: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    entry(root.remove(key)?, key, problems)
}

fn table<T: DeserializeOwned>(
    root: &mut Table,
    key: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let value = root.remove(key);
    if value.is_none() {
        problems.push(format!("{key}: missing"));
    }
    entry(value?, key, problems)
}

fn list<T: DeserializeOwned>(
    parent: &mut Table,
    key: &str,
    path: &str,
    problems: &mut Vec<String>,
) -> Vec<Option<T>> {
    match parent.remove(key) {
        Some(Value::Array(values)) => values
            .into_iter()
            .enumerate()
            .map(|(index, value)| entry(value, &format!("{path}[{index}]"), problems))
            .collect(),
        Some(_) => {
            problems.push(format!("{path}: expected an array of tables"));
            Vec::new()
        }
        None => {
            problems.push(format!("{path}: missing"));
            Vec::new()
        }
    }
}

fn entry<T: DeserializeOwned>(value: Value, path: &str, problems: &mut Vec<String>) -> Option<T> {
    value
        .try_into()
        .map_err(|error| problems.push(shape_problem(path, &error)))
        .ok()
}

/// The error of one table as `path.key: message`. The library offers the key only in its printed form.
fn shape_problem(path: &str, error: &toml::de::Error) -> String {
    let printed = error.to_string();
    let key = printed
        .rsplit_once("\nin `")
        .and_then(|(_, rest)| rest.trim_end().strip_suffix('`'))
        .map(|key| format!(".{key}"))
        .unwrap_or_default();
    format!("{path}{key}: {}", error.message())
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> String {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    format!("line {line}: {}", error.message())
}
