//! `fcs model diff`: every key of two manifests that differs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::cli::Format;
use crate::output::{print, table};

/// Keys that name an entry of a list, in the order in which they are tried.
const NAMES: [&str; 4] = ["name", "code", "id", "role"];

/// A value longer than this is cut off in a table; JSON has it whole.
const SHOWN_CHARACTERS_MAX: usize = 48;

/// One key that differs.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    key: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// Prints what differs between two manifests.
pub(super) fn run(format: Format, before: &Value, after: &Value) -> anyhow::Result<()> {
    let differences = differences(before, after);
    print(format, &differences, |differences| {
        if differences.is_empty() {
            return "the manifests say the same".to_owned();
        }
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "—".to_owned(), shown);
        let rows = differences
            .iter()
            .map(|it| vec![it.key.clone(), text(&it.before), text(&it.after)]);
        table(&["key", "before", "after"], rows)
    })
}

fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    flatten("", before, &mut left);
    flatten("", after, &mut right);
    let mut keys: Vec<String> = left.keys().chain(right.keys()).cloned().collect();
    keys.sort();
    keys.dedup();
    let difference = |key: String| {
        let (before, after) = (left.remove(&key), right.remove(&key));
        (before != after).then_some(Difference { key, before, after })
    };
    keys.into_iter().filter_map(difference).collect()
}

/// Keys down to plain values. An entry of a list of tables goes by its name, so that a new entry does not shift the
/// others; where the order itself counts, it is a value of its own.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                flatten(&below(key), value, into);
            }
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            let names: Vec<String> = entries.iter().enumerate().map(name_of).collect();
            for (entry, name) in entries.iter().zip(&names) {
                flatten(&below(name), entry, into);
            }
            into.insert(below("(order)"), names.into());
        }
        plain => {
            into.insert(path.to_owned(), plain.clone());
        }
    }
}

fn name_of((index, entry): (usize, &Value)) -> String {
    let named = NAMES.iter().find_map(|key| entry.get(key)?.as_str());
    named.map_or_else(|| format!("[{index}]"), str::to_owned)
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_go_by_name_and_their_order_counts() {
        let before =
            json!({"features": [{"name": "a", "maximum": 1}, {"name": "b", "maximum": 2}], "x": 1});
        let after =
            json!({"features": [{"name": "b", "maximum": 3}, {"name": "a", "maximum": 1}], "y": 1});
        let found: Vec<String> = differences(&before, &after)
            .into_iter()
            .map(|it| it.key)
            .collect();
        assert_eq!(found, ["features.(order)", "features.b.maximum", "x", "y"]);
        assert!(differences(&before, &before).is_empty());
    }
}
