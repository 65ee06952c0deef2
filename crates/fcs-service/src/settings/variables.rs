//! Environment variables as settings: `FCS__SECTION__KEY`, and the short names of the product.

use std::collections::BTreeMap;
use std::fs;

use super::suggest;

/// Prefix of every variable that is ours.
const PREFIX: &str = "FCS_";
/// Prefix and separator of a variable that sets any key.
const KEY_PREFIX: &str = "FCS__";
const SEPARATOR: &str = "__";

/// Variables that have a meaning elsewhere: for the command line, where the files are, and in the tests.
const OTHER_VARIABLES: [&str; 3] = ["FCS_API_KEY_FILE", "FCS_CONFIG_DIR", "FCS_UPDATE_GENERATED"];
const OTHER_PREFIXES: [&str; 1] = ["FCS_TEST_"];

/// Short variables and the key that each sets.
const SHORT: [(&str, &str); 7] = [
    ("ENVIRONMENT", "environment"),
    ("LOG_LEVEL", "log.level"),
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("ENABLE_METRICS", "telemetry.metrics"),
    ("SENTRY_DSN", "telemetry.sentry_dsn"),
    ("FCS_DATA_DIR", "data_dir"),
];
/// Short variables whose value may come from a file that `NAME_FILE` names.
const SECRETS: [&str; 3] = ["DATABASE_URL", "REDIS_URL", "SENTRY_DSN"];
const DEBUG_TOOLBAR: &str = "ENABLE_DEBUG_TOOLBAR";

/// One key that a variable or a flag sets, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: String,
}

impl Assignment {
    fn new(key: impl Into<String>, value: impl Into<String>, origin: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            origin: origin.into(),
        }
    }
}

/// Reads the variables that are ours. Later assignments win; an empty variable counts as not set.
pub(super) fn read(
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Vec<Assignment> {
    let mut assignments = keyed(variables, problems);
    for (name, key) in SHORT {
        if let Some(value) = value_of(variables, name, problems) {
            let value = if name == "ENVIRONMENT" {
                value.to_lowercase()
            } else {
                value
            };
            assignments.push(Assignment::new(key, value, name));
        }
    }
    assignments.extend(debug_toolbar(variables, problems));
    assignments
}

/// `FCS__SECTION__KEY`, and a complaint about every other variable with our prefix.
fn keyed(variables: &BTreeMap<String, String>, problems: &mut Vec<String>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for (name, value) in variables
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
    {
        if let Some(rest) = name.strip_prefix(KEY_PREFIX) {
            let parts: Vec<&str> = rest.split(SEPARATOR).collect();
            if parts
                .iter()
                .any(|part| part.is_empty() || part.starts_with('_'))
            {
                problems.push(format!("{name}: not of the form FCS__SECTION__KEY"));
            } else if !value.is_empty() {
                assignments.push(Assignment::new(parts.join(".").to_lowercase(), value, name));
            }
        } else if !is_known(name) {
            problems.push(unknown(name));
        }
    }
    assignments
}

fn is_known(name: &str) -> bool {
    OTHER_VARIABLES.contains(&name)
        || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SHORT.iter().any(|(short, _)| *short == name)
}

fn unknown(name: &str) -> String {
    let short = SHORT.iter().map(|(name, _)| *name).chain(OTHER_VARIABLES);
    match suggest::closest(name, short) {
        Some(known) => format!("{name}: unknown variable; did you mean {known}?"),
        None => format!(
            "{name}: unknown variable; a key is set with two underscores, FCS__SECTION__KEY"
        ),
    }
}

/// The value of a short variable, or of the file that its `_FILE` variant names, without the last line break.
fn value_of(
    variables: &BTreeMap<String, String>,
    name: &str,
    problems: &mut Vec<String>,
) -> Option<String> {
    let direct = variables.get(name).filter(|value| !value.is_empty());
    if !SECRETS.contains(&name) {
        return direct.cloned();
    }
    let file_variable = format!("{name}_FILE");
    let Some(file) = variables
        .get(&file_variable)
        .filter(|value| !value.is_empty())
    else {
        return direct.cloned();
    };
    if direct.is_some() {
        problems.push(format!(
            "{name} and {file_variable} are both set; keep one of them"
        ));
        return None;
    }
    match fs::read_to_string(file) {
        Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => {
            problems.push(format!("{file_variable}: cannot read {file:?}: {error}"));
            None
        }
    }
}

/// Level names of other log systems, in ours.
pub(super) fn log_level(value: &str) -> String {
    match value.trim().to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        lower if !value.contains('=') => lower.to_owned(),
        _ => value.to_owned(),
    }
}

/// The toolbar of this product is its log: readable and detailed.
fn debug_toolbar(
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Vec<Assignment> {
    let Some(value) = variables
        .get(DEBUG_TOOLBAR)
        .filter(|value| !value.is_empty())
    else {
        return Vec::new();
    };
    match boolean(value) {
        Some(true) => vec![
            Assignment::new("log.format", "pretty", DEBUG_TOOLBAR),
            Assignment::new("log.level", "debug", DEBUG_TOOLBAR),
        ],
        Some(false) => Vec::new(),
        None => {
            problems.push(format!(
                "{DEBUG_TOOLBAR}: expected true or false, got {value:?}"
            ));
            Vec::new()
        }
    }
}

/// Whether the debug toolbar is asked for.
pub(super) fn wants_debug_toolbar(variables: &BTreeMap<String, String>) -> bool {
    variables
        .get(DEBUG_TOOLBAR)
        .and_then(|value| boolean(value))
        .unwrap_or(false)
}

/// Reads a boolean as people write them in environment variables.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}
