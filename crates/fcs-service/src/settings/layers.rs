//! The layers, merged into one tree that remembers where each value came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, File, Map, Source, Value, ValueKind};
use serde_json::Value as Json;

use super::variables::{self, Assignment};

/// Where settings are read from. `Default` reads nothing, so that only built-in defaults apply.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Folder of `default.toml` and `{environment}.toml`; both may be missing.
    pub config_dir: Option<PathBuf>,
    /// Further files, later wins; they must exist.
    pub files: Vec<PathBuf>,
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// `section.key=value`, the strongest layer.
    pub assignments: Vec<String>,
}

impl Sources {
    /// The environment of this process, and the folder `FCS_CONFIG_DIR` or `config`.
    pub fn from_process() -> Self {
        // A variable that is not UTF-8 cannot be one of ours: our names and values are text.
        let variables: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let folder = variables
            .get("FCS_CONFIG_DIR")
            .map_or("config", String::as_str);
        Self {
            config_dir: Some(folder.into()),
            variables,
            ..Self::default()
        }
    }
}

/// Merged layers.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The values, as nested objects.
    pub(super) values: Json,
    /// Where each leaf came from, by its dotted path.
    pub(super) origins: BTreeMap<String, String>,
    /// Leaves that arrived as text and have no type of their own yet.
    pub(super) textual: BTreeMap<String, String>,
}

/// Merges every layer above the built-in defaults.
pub(super) fn merge(sources: &Sources, problems: &mut Vec<String>) -> Tree {
    let mut assignments = variables::read(&sources.variables, problems);
    assignments.extend(flags(&sources.assignments, problems));
    let mut layers = Vec::new();
    if let Some(folder) = &sources.config_dir {
        if sources.variables.contains_key("FCS_CONFIG_DIR") && !folder.is_dir() {
            problems.push(format!(
                "FCS_CONFIG_DIR: {} is not a folder",
                folder.display()
            ));
        }
        layers.extend(file(&folder.join("default.toml"), false, problems));
        let environment = environment(&layers, sources, &assignments);
        layers.extend(file(
            &folder.join(format!("{environment}.toml")),
            false,
            problems,
        ));
    }
    for path in &sources.files {
        layers.extend(file(path, true, problems));
    }
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let merged = match builder.add_source(Texts(assignments.clone())).build() {
        Ok(merged) => merged,
        Err(error) => {
            problems.push(format!("the settings cannot be merged: {error}"));
            return Tree {
                values: Json::Object(serde_json::Map::new()),
                ..Tree::default()
            };
        }
    };
    let mut tree = Tree::default();
    tree.values = tree.convert(merged.cache, "");
    for text in assignments {
        if tree.origins.get(&text.key) == Some(&text.origin) {
            tree.textual.insert(text.key, text.value);
        }
    }
    tree
}

/// Reads a file as a layer. A broken one is a problem and no layer.
fn file(path: &Path, required: bool, problems: &mut Vec<String>) -> Option<Config> {
    if !required && !path.exists() {
        return None;
    }
    match Config::builder().add_source(File::from(path)).build() {
        Ok(layer) => Some(layer),
        Err(error) => {
            problems.push(format!("{}: {error}", path.display()));
            None
        }
    }
}

/// The environment decides which file is read, so it is looked up before the layers are merged.
fn environment(layers: &[Config], sources: &Sources, assignments: &[Assignment]) -> String {
    let assigned = assignments.iter().rev().find(|it| it.key == "environment");
    if let Some(assigned) = assigned {
        return assigned.value.clone();
    }
    let mut ignored = Vec::new();
    let files: Vec<Config> = sources
        .files
        .iter()
        .filter_map(|path| file(path, true, &mut ignored))
        .collect();
    let mut from_files = files.iter().rev().chain(layers.iter().rev());
    from_files
        .find_map(|layer| layer.get_string("environment").ok())
        .unwrap_or_else(|| "development".to_owned())
}

fn flags(flags: &[String], problems: &mut Vec<String>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for flag in flags {
        match flag.split_once('=') {
            Some((key, value)) if is_key(key) => assignments.push(Assignment {
                key: key.to_owned(),
                value: value.to_owned(),
                origin: format!("--set {key}"),
            }),
            _ => problems.push(format!("--set {flag}: not of the form section.key=value")),
        }
    }
    assignments
}

fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    key.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(plain))
}

/// Assignments as a layer; each value remembers its variable or flag.
#[derive(Debug, Clone)]
struct Texts(Vec<Assignment>);

impl Source for Texts {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let value = |it: &Assignment| Value::new(Some(&it.origin), it.value.clone());
        Ok(self
            .0
            .iter()
            .map(|it| (it.key.clone(), value(it)))
            .collect())
    }
}

impl Tree {
    fn convert(&mut self, value: Value, path: &str) -> Json {
        let origin = value.origin().map(str::to_owned);
        let leaf = match value.kind {
            ValueKind::Table(table) => {
                let entries = table.into_iter().map(|(key, value)| {
                    let child = join(path, &key);
                    let value = self.convert(value, &child);
                    (key, value)
                });
                return Json::Object(entries.collect());
            }
            ValueKind::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| self.convert(item, &format!("{path}[{index}]")))
                .collect(),
            ValueKind::Nil => Json::Null,
            ValueKind::Boolean(it) => it.into(),
            ValueKind::I64(it) => it.into(),
            ValueKind::U64(it) => it.into(),
            ValueKind::I128(it) => i64::try_from(it).map_or(Json::Null, Json::from),
            ValueKind::U128(it) => u64::try_from(it).map_or(Json::Null, Json::from),
            ValueKind::Float(it) => it.into(),
            ValueKind::String(it) => it.into(),
        };
        let origin = origin.unwrap_or_else(|| "the defaults".to_owned());
        self.origins.insert(path.to_owned(), origin);
        leaf
    }
}

/// A dotted path one step deeper.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
