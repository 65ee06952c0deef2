//! From layers to checked settings, with every problem on the way.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::layers::{self, Sources, Tree, join};
use super::sections::EMBEDDED_DATABASE_URL;
use super::{Environment, Settings, SettingsProblems, check, suggest, variables};
use crate::Service;

/// Sections of the services. They may share a file, so a service ignores those of the others.
const SERVICE_SECTIONS: [&str; 5] = [
    "gateway",
    "model_server",
    "bias_monitor",
    "deployment_audit",
    "console",
];
/// Name of the service's own section inside [`Settings`].
const OWN: &str = "service";

/// Reads, merges and checks the settings of a service. The error lists every problem.
pub fn load<S: Service>(sources: &Sources) -> Result<Settings<S::Settings>, SettingsProblems> {
    let mut problems = Vec::new();
    let mut tree = layers::merge(sources, &mut problems);
    let environment = environment(&mut tree, &mut problems);
    let defaults = Settings::<S::Settings>::defaults(environment, S::HTTP_PORT, S::ADMIN_PORT);
    let base = base::<S>(&defaults);
    let mut loader = Loader {
        base: &base,
        tree,
        problems,
    };
    loader.drop_unknown_keys();
    let mut settings = loader.settings::<S>();
    let mut problems = loader.problems;
    if let Some(settings) = &mut settings {
        settings.log.level = variables::log_level(&settings.log.level);
        let toolbar = variables::wants_debug_toolbar(&sources.variables);
        problems.extend(check::problems::<S>(settings, toolbar));
    }
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(SettingsProblems(problems)),
    }
}

/// Takes the environment first: the defaults depend on it.
fn environment(tree: &mut Tree, problems: &mut Vec<String>) -> Environment {
    let Some(value) = tree.values.get("environment") else {
        return Environment::Development;
    };
    if let Ok(environment) = serde_json::from_value(value.clone()) {
        return environment;
    }
    let origin = tree
        .origins
        .get("environment")
        .map_or("a file", String::as_str);
    problems.push(format!(
        "environment: expected development, staging, production or test, got {value} (from {origin})"
    ));
    remove(&mut tree.values, "environment");
    Environment::Development
}

/// The defaults as a tree. A secret serialises as "[redacted]" and must not come back as a value.
fn base<S: Service>(defaults: &Settings<S::Settings>) -> Json {
    let mut base = serde_json::to_value(defaults).expect("settings serialise as JSON");
    base["database"]["url"] = EMBEDDED_DATABASE_URL.into();
    if let Json::Object(sections) = &mut base
        && let Some(own) = sections.remove(OWN)
    {
        sections.insert(S::SECTION.to_owned(), own);
    }
    base
}

struct Loader<'a> {
    base: &'a Json,
    tree: Tree,
    problems: Vec<String>,
}

impl Loader<'_> {
    /// Complains about keys that do not exist and takes them out.
    fn drop_unknown_keys(&mut self) {
        let known = leaf_paths(self.base, "");
        let mut values = std::mem::take(&mut self.tree.values);
        if let Json::Object(sections) = &mut values {
            sections.retain(|name, _| {
                self.base.get(name).is_some() || !SERVICE_SECTIONS.contains(&name.as_str())
            });
        }
        self.prune(&mut values, self.base, "", &known);
        self.tree.values = values;
    }

    fn prune(&mut self, values: &mut Json, base: &Json, path: &str, known: &[String]) {
        let (Json::Object(values), Json::Object(base)) = (values, base) else {
            return;
        };
        // An empty object as a default is a map with free keys.
        if base.is_empty() {
            return;
        }
        let unknown: Vec<String> = values
            .keys()
            .filter(|key| !base.contains_key(*key))
            .cloned()
            .collect();
        for key in unknown {
            let value = values.remove(&key).unwrap_or_default();
            for path in leaf_paths(&value, &join(path, &key)) {
                self.complain_unknown(&path, known);
            }
        }
        for (key, value) in values {
            self.prune(value, &base[key], &join(path, key), known);
        }
    }

    fn complain_unknown(&mut self, path: &str, known: &[String]) {
        let origin = self.origin(path);
        let hint = suggest::closest(path, known.iter().map(String::as_str))
            .map(|known| format!("; did you mean {known}?"))
            .unwrap_or_default();
        self.problems
            .push(format!("{path}: unknown key (from {origin}){hint}"));
    }

    /// Reads the settings; each value that does not fit is a problem and gives way to its default.
    fn settings<S: Service>(&mut self) -> Option<Settings<S::Settings>> {
        for (path, text) in self.tree.textual.clone() {
            self.type_text(&path, &text);
        }
        // Each round removes a value or gives it a type, so the number of leaves bounds the rounds.
        let rounds = 2 * self.tree.origins.len() + 2;
        for _ in 0..rounds {
            match self.attempt::<Settings<S::Settings>>(S::SECTION) {
                Ok(settings) => return Some(settings),
                Err((path, message)) => {
                    let path = self.offending(&path)?;
                    if !self.retype(&path) {
                        self.complain(&path, &message);
                        remove(&mut self.tree.values, &path);
                    }
                }
            }
        }
        None
    }

    fn attempt<T: DeserializeOwned>(&self, section: &str) -> Result<T, (String, String)> {
        let mut whole = strip_redacted(self.base.clone());
        overlay(&mut whole, &self.tree.values);
        if let Json::Object(sections) = &mut whole {
            let own = sections
                .remove(section)
                .unwrap_or_else(|| Json::Object(Map::new()));
            sections.insert(OWN.to_owned(), own);
        }
        serde_path_to_error::deserialize(whole).map_err(|error| {
            let path = error.path().to_string();
            let path = match path.strip_prefix(OWN) {
                Some(rest) if rest.is_empty() || rest.starts_with('.') => {
                    format!("{section}{rest}")
                }
                _ => path,
            };
            (path, error.inner().to_string())
        })
    }

    /// The given value that an error is about: the path itself or the nearest one above it.
    /// `None` when the error is about no given value.
    fn offending(&mut self, path: &str) -> Option<String> {
        let mut candidate = Some(path);
        while let Some(path) = candidate {
            if lookup(&self.tree.values, path).is_some() {
                return Some(path.to_owned());
            }
            candidate = path.rfind(['.', '[']).map(|end| &path[..end]);
        }
        self.problems.push(format!("{path}: the value is missing"));
        None
    }

    /// Gives a text from a variable or a flag the type of its default.
    fn type_text(&mut self, path: &str, text: &str) {
        let typed = match lookup(self.base, path) {
            Some(Json::Bool(_)) => variables::boolean(text).map(Json::Bool),
            Some(Json::Number(_)) => number(text),
            Some(Json::Array(_)) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|it| !it.is_empty())
                    .map(Json::from)
                    .collect(),
            ),
            _ => return,
        };
        self.tree.textual.remove(path);
        if let Some(typed) = typed {
            replace(&mut self.tree.values, path, typed);
        }
    }

    /// Tries a text whose default has no type as a number or a boolean, once.
    fn retype(&mut self, path: &str) -> bool {
        let Some(text) = self.tree.textual.remove(path) else {
            return false;
        };
        let typed = number(&text).or_else(|| variables::boolean(&text).map(Json::Bool));
        typed.is_some_and(|typed| replace(&mut self.tree.values, path, typed))
    }

    fn complain(&mut self, path: &str, message: &str) {
        let origin = self.origin(path);
        let message = if is_secret(path) {
            "the value does not fit"
        } else {
            message
        };
        self.problems
            .push(format!("{path}: {message} (from {origin})"));
    }

    fn origin(&self, path: &str) -> String {
        let below = || self.tree.origins.range(path.to_owned()..).next();
        let exact = self.tree.origins.get(path);
        exact
            .or_else(|| {
                below()
                    .filter(|(key, _)| key.starts_with(path))
                    .map(|(_, origin)| origin)
            })
            .map_or_else(|| "a file".to_owned(), Clone::clone)
    }
}

/// Keys whose values must not show in a message.
fn is_secret(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    ["url", "dsn", "secret", "password", "token", "key"]
        .iter()
        .any(|part| name.contains(part))
}

fn number(text: &str) -> Option<Json> {
    let text = text.trim();
    text.parse::<i64>()
        .map(Json::from)
        .ok()
        .or_else(|| text.parse::<f64>().map(Json::from).ok())
}

fn leaf_paths(value: &Json, path: &str) -> Vec<String> {
    match value {
        Json::Object(entries) if !entries.is_empty() => entries
            .iter()
            .flat_map(|(key, value)| leaf_paths(value, &join(path, key)))
            .collect(),
        _ => vec![path.to_owned()],
    }
}

fn strip_redacted(value: Json) -> Json {
    match value {
        Json::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| value != "[redacted]")
            .map(|(key, value)| (key, strip_redacted(value)))
            .collect(),
        other => other,
    }
}

fn overlay(base: &mut Json, above: &Json) {
    match (base, above) {
        (Json::Object(base), Json::Object(above)) => {
            for (key, value) in above {
                overlay(base.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (base, above) => *base = above.clone(),
    }
}

fn lookup<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

fn parent<'a>(value: &'a mut Json, path: &str) -> Option<(&'a mut Map<String, Json>, String)> {
    let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
    let keys = above.split('.').filter(|key| !key.is_empty());
    let mut value = value;
    for key in keys {
        value = value.get_mut(key)?;
    }
    Some((value.as_object_mut()?, key.to_owned()))
}

fn replace(value: &mut Json, path: &str, new: Json) -> bool {
    parent(value, path).is_some_and(|(above, key)| above.insert(key, new).is_some())
}

fn remove(value: &mut Json, path: &str) {
    if let Some((above, key)) = parent(value, path) {
        above.remove(&key);
    }
}
