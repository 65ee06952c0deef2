//! Reads linear models and scorecards: one schema, written as TOML or as JSON. `docs/guides/model-formats.md`
//! describes it for the people who write such files.

mod linear;
mod scorecard;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{FieldError, FieldProblem};
use crate::format::Format;
use crate::limits;
use crate::model::{Link, Parts};

/// Characters of a parser's message, or of a path, that an error repeats.
const QUOTED_CHARACTERS_MAX: usize = 200;

/// How far into a file its kind is looked for.
const DETECTED_BYTES_MAX: usize = 4096;

/// How a margin becomes an output, as a file says it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LinkName {
    Logistic,
    Identity,
    Exponential,
}

impl LinkName {
    fn link(self) -> Link {
        match self {
            Self::Logistic => Link::Logistic { sigmoid: 1.0 },
            Self::Identity => Link::Identity,
            Self::Exponential => Link::Exponential,
        }
    }
}

/// A field that is refused, before the format is added to it.
struct Refusal {
    field: String,
    problem: FieldProblem,
}

impl Refusal {
    fn out_of_range(field: impl Into<String>, expected: &'static str) -> Self {
        Self {
            field: field.into(),
            problem: FieldProblem::OutOfRange { expected },
        }
    }

    fn in_format(self, format: Format) -> FieldError {
        FieldError {
            format,
            field: self.field,
            problem: self.problem,
        }
    }

    fn refused(field: &str, why: &str) -> Self {
        Self {
            field: shortened(field),
            problem: FieldProblem::Refused {
                why: shortened(why),
            },
        }
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Syntax {
    Toml,
    Json,
}

/// Reads a linear model.
pub(crate) fn linear(bytes: &[u8], syntax: Syntax) -> Result<Parts, FieldError> {
    let format = match syntax {
        Syntax::Toml => Format::LinearToml,
        Syntax::Json => Format::LinearJson,
    };
    parse::<linear::Document>(bytes, syntax)
        .and_then(|document| document.into_parts(format))
        .map_err(|refusal| refusal.in_format(format))
}

/// Reads a scorecard.
pub(crate) fn scorecard(bytes: &[u8], syntax: Syntax) -> Result<Parts, FieldError> {
    let format = match syntax {
        Syntax::Toml => Format::ScorecardToml,
        Syntax::Json => Format::ScorecardJson,
    };
    parse::<scorecard::Document>(bytes, syntax)
        .and_then(|document| document.into_parts(format))
        .map_err(|refusal| refusal.in_format(format))
}

/// The format of a file whose first key is `kind`.
pub(crate) fn detect(bytes: &[u8]) -> Option<Format> {
    let head = &bytes[..bytes.len().min(DETECTED_BYTES_MAX)];
    // A character may be cut at the end of the head.
    let text = head.utf8_chunks().next()?.valid();
    if let Some(members) = text.trim_start().strip_prefix('{') {
        return match kind(members.trim_start().strip_prefix("\"kind\"")?, ':')? {
            "linear" => Some(Format::LinearJson),
            "scorecard" => Some(Format::ScorecardJson),
            _ => None,
        };
    }
    let is_content = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let first = text.lines().map(str::trim).find(is_content)?;
    match kind(first.strip_prefix("kind")?, '=')? {
        "linear" => Some(Format::LinearToml),
        "scorecard" => Some(Format::ScorecardToml),
        _ => None,
    }
}

/// The text between quotes after a key.
fn kind(after_key: &str, separator: char) -> Option<&str> {
    let value = after_key.trim_start().strip_prefix(separator)?.trim_start();
    let (kind, _) = value.strip_prefix('"')?.split_once('"')?;
    Some(kind)
}

fn parse<T: DeserializeOwned>(bytes: &[u8], syntax: Syntax) -> Result<T, Refusal> {
    if bytes.len() > limits::PLAIN_FILE_BYTES_MAX {
        return Err(Refusal::out_of_range("document", "at most 4 MiB long"));
    }
    match syntax {
        Syntax::Toml => toml(bytes),
        Syntax::Json => json(bytes),
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let document = with_path(&mut deserializer, ToString::to_string)?;
    let end = deserializer.end();
    end.map_err(|error| Refusal::refused("document", &error.to_string()))?;
    Ok(document)
}

fn toml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal {
        field: "document".to_owned(),
        problem: FieldProblem::Syntax {
            offset: error.valid_up_to(),
            what: "not UTF-8",
        },
    })?;
    let deserializer = toml::Deserializer::parse(text).map_err(|error| Refusal {
        field: "document".to_owned(),
        problem: FieldProblem::Refused {
            why: shortened(&match error.span() {
                Some(span) => format!("{} at byte {}", error.message(), span.start),
                None => error.message().to_owned(),
            }),
        },
    })?;
    with_path(deserializer, |error: &toml::de::Error| {
        error.message().to_owned()
    })
}

/// Deserialises, naming the key of the first problem.
fn with_path<'de, D, T>(
    deserializer: D,
    message: impl FnOnce(&D::Error) -> String,
) -> Result<T, Refusal>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "document" } else { &path };
        Refusal::refused(field, &message(error.inner()))
    })
}

/// Refuses a document that says it is something else.
fn check_kind(found: &str, expected: &'static str) -> Result<(), Refusal> {
    if found == expected {
        return Ok(());
    }
    Err(Refusal {
        field: "kind".to_owned(),
        problem: FieldProblem::Unsupported {
            value: shortened(found),
            supported: expected,
        },
    })
}

fn check_finite(value: f64, field: impl FnOnce() -> String) -> Result<(), Refusal> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range(field(), "a finite number"))
}

/// The names of the features: at least one, none twice.
fn check_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Result<Vec<String>, Refusal> {
    if names.len() == 0 || names.len() > limits::FEATURES_MAX {
        return Err(Refusal::out_of_range("features", "1 to 10,000 features"));
    }
    let mut seen = std::collections::HashSet::with_capacity(names.len());
    let mut checked = Vec::with_capacity(names.len());
    for (index, name) in names.enumerate() {
        if name.is_empty() || !seen.insert(name) {
            let field = format!("features[{index}].name");
            return Err(Refusal::out_of_range(
                field,
                "a name that no other feature has",
            ));
        }
        checked.push(name.to_owned());
    }
    Ok(checked)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
