//! Settings for people: effective values, secrets redacted.

use serde_json::Value as Json;

use super::Settings;
use crate::Service;

/// The effective settings as JSON, under the names of the files; secrets are redacted.
pub fn shown_json<S: Service>(settings: &Settings<S::Settings>) -> Json {
    let mut shown = serde_json::to_value(settings).expect("settings serialise as JSON");
    if let Json::Object(sections) = &mut shown
        && let Some(own) = sections.remove("service")
        && !own.is_null()
    {
        sections.insert(S::SECTION.to_owned(), own);
    }
    without_nulls(shown)
}

/// The effective settings as TOML; secrets are redacted, keys without a value are left out.
pub fn shown_toml<S: Service>(settings: &Settings<S::Settings>) -> String {
    let shown = shown_json::<S>(settings);
    let table = toml::Table::try_from(&shown).expect("settings serialise as TOML");
    toml::to_string(&table).expect("a table serialises as TOML")
}

/// TOML has no null.
fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        other => other,
    }
}
