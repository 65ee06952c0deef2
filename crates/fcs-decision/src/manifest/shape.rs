//! From TOML to typed tables. Each table is read by itself, so that a slip in one does not hide those in others.

use fcs_core::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{
    Calibration, Category, EngineInfo, Evaluation, FileEntry, Lineage, MANIFEST_FORMATS,
    MissingRule, ModelInfo, Reason, ReferencePopulation, RiskDirection, ScoreDistribution,
    Training,
};
use crate::catalogue::Catalogue;
use crate::policy::{CreditKind, RuleTable};
use crate::score::ScoreScale;

/// Sections with the format that they came with.
const SINCE: [(&str, i64); 5] = [
    ("lineage", 2),
    ("engine", 2),
    ("calibration", 2),
    ("score_distribution", 2),
    ("catalogues", 3),
];
/// Keys of the policy that came with format 3.
const POLICY_SINCE_FORMAT_3: [&str; 5] =
    ["name", "version", "credit", "reasons_on_request", "rules"];

/// What could be read. An entry is `None` when its table has the wrong shape; a problem then says why.
pub(super) struct Draft {
    pub(super) format: i64,
    pub(super) model: Option<ModelInfo>,
    pub(super) files: Vec<Option<FileEntry>>,
    pub(super) features: Vec<Option<FeatureTable>>,
    pub(super) reasons: Vec<Option<Reason>>,
    pub(super) score: Option<ScoreScale>,
    pub(super) cut_offs: Option<CutOffs>,
    pub(super) policy_digest: Option<Digest>,
    pub(super) knock_outs: Vec<Option<KnockOutTable>>,
    pub(super) rules: Vec<Option<RuleTable>>,
    pub(super) catalogues: Vec<Option<Catalogue>>,
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
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) credit: Option<CreditKind>,
    pub(super) reasons_on_request: Option<bool>,
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
    for (key, since) in SINCE {
        if format < since && root.remove(key).is_some() {
            problems.push(format!("{key}: needs manifest_format = {since}"));
        }
    }
    let mut policy = policy(&mut root, format, problems);
    let policy_digest = policy
        .as_ref()
        .and_then(|policy| policy_digest(policy, problems));
    let (mut knock_outs, mut rules) = (Vec::new(), Vec::new());
    if let Some(policy) = &mut policy {
        if format < 3 || policy.contains_key("knock_outs") {
            knock_outs = list(policy, "knock_outs", "policy.knock_outs", problems);
        }
        rules = optional_list(policy, "rules", "policy.rules", problems);
    }
    let draft = Draft {
        format,
        model: table(&mut root, "model", problems),
        files: list(&mut root, "files", "files", problems),
        features: list(&mut root, "features", "features", problems),
        reasons: list(&mut root, "reasons", "reasons", problems),
        score: table(&mut root, "score", problems),
        cut_offs: policy.and_then(|policy| entry(Value::Table(policy), "policy", problems)),
        policy_digest,
        knock_outs,
        rules,
        catalogues: optional_list(&mut root, "catalogues", "catalogues", problems),
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

fn policy(root: &mut Table, format: i64, problems: &mut Vec<String>) -> Option<Table> {
    let mut policy = match root.remove("policy") {
        Some(Value::Table(policy)) => policy,
        other => {
            let problem = other.map_or("missing", |_| "expected a table");
            problems.push(format!("policy: {problem}"));
            return None;
        }
    };
    for key in POLICY_SINCE_FORMAT_3 {
        if format < 3 && policy.remove(key).is_some() {
            problems.push(format!("policy.{key}: needs manifest_format = 3"));
        }
    }
    Some(policy)
}

/// SHA-256 of the policy as canonical JSON: what it says, not how it is written down.
fn policy_digest(policy: &Table, problems: &mut Vec<String>) -> Option<Digest> {
    let canonical = fcs_core::to_canonical_vec(policy).ok();
    if canonical.is_none() {
        problems.push("policy: holds a number that is not finite".to_owned());
    }
    canonical.map(|bytes| super::sha256(&bytes))
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

fn optional_list<T: DeserializeOwned>(
    parent: &mut Table,
    key: &str,
    path: &str,
    problems: &mut Vec<String>,
) -> Vec<Option<T>> {
    if parent.contains_key(key) {
        list(parent, key, path, problems)
    } else {
        Vec::new()
    }
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
