//! The table of every reason that an error can have: what is checked in is what the sources say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fcs_core::{ApiError, ErrorCode};
use fcs_service::grpc::status_code;
use fcs_service::problem::Problem;

/// `cargo xtask codegen` sets this variable to write the table instead of comparing it.
const UPDATE: &str = "FCS_UPDATE_GENERATED";
/// The crates whose errors callers see.
const CRATES: [&str; 6] = [
    "fcs-decision",
    "fcs-service",
    "scoring-gateway",
    "model-server",
    "bias-monitor",
    "deployment-audit",
];

/// Reason and code of an error, with the crates that give it.
type Errors = BTreeMap<(String, ErrorCode), BTreeSet<&'static str>>;
/// Reason of a broken rule in `violations`, with the crates that give it.
type Rules = BTreeMap<String, BTreeSet<&'static str>>;

#[test]
fn the_committed_table_of_errors_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut errors, mut rules) = (Errors::new(), Rules::new());
    for name in CRATES {
        for file in sources(&root.join("crates").join(name).join("src")) {
            let text = fs::read_to_string(file).unwrap();
            read(&text, name, &mut errors, &mut rules);
        }
    }
    let table = table(&errors, &rules);
    let path = root.join("docs/errors.md");
    if std::env::var(UPDATE).is_ok() {
        fs::write(&path, &table).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == table,
        "docs/errors.md is out of date: run `cargo xtask codegen`"
    );
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Finds reasons by what stands before them: the code of their error, or the name of the function that implies it. A
/// reason that stands elsewhere is that of a rule.
fn read(text: &str, name: &'static str, errors: &mut Errors, rules: &mut Rules) {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ");
    let is_word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut place = 0;
    while let Some(start) = code[place..]
        .find(|c: char| c.is_ascii_uppercase())
        .map(|at| at + place)
    {
        let end = code[start..]
            .find(|c| !is_word(c))
            .map_or(code.len(), |length| start + length);
        place = end.max(start + 1);
        let word = &code[start..end];
        let quoted = code[..start].ends_with('"') && code[end..].starts_with('"');
        let before = code[..start]
            .trim_end_matches('"')
            .trim_end_matches("reason::")
            .trim_end();
        let is_reason = word.len() > 3 && word.contains('_')
            || [
                "BUSY",
                "INTERNAL",
                "CONFLICT",
                "OVERLOADED",
                "FORBIDDEN",
                "UNAVAILABLE",
                "UNAUTHENTICATED",
            ]
            .contains(&word);
        let is_part = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            || code[end..].starts_with(|c: char| c.is_alphanumeric());
        if !is_reason || is_part {
            continue;
        }
        match implied(before) {
            Some(error) => {
                errors
                    .entry((word.to_owned(), error))
                    .or_default()
                    .insert(name);
            }
            None if quoted && !before.ends_with('=') && is_rule(word, name) => {
                rules.entry(word.to_owned()).or_default().insert(name);
            }
            None => {}
        }
    }
}

/// Whether a word in quotes is a reason. The shell's own words are names of variables and of gRPC codes, but for the
/// reasons that it gives to the failures of peers.
fn is_rule(word: &str, name: &str) -> bool {
    let is_name = ["CARGO_", "FCS_", "TYPE_"]
        .iter()
        .any(|start| word.starts_with(start));
    !is_name && (name != "fcs-service" || word.starts_with("PEER_"))
}

/// The code that the text before a reason implies.
fn implied(before: &str) -> Option<ErrorCode> {
    let named = before.strip_suffix(',').and_then(|text| {
        let variant = text.rsplit("ErrorCode::").next()?;
        ErrorCode::ALL
            .into_iter()
            .find(|code| format!("{code:?}") == variant)
    });
    let by_function = [
        ("ApiError::invalid(", ErrorCode::InvalidArgument),
        ("ApiError::not_found(", ErrorCode::NotFound),
        ("internal(", ErrorCode::Internal),
        ("exhausted(", ErrorCode::ResourceExhausted),
    ];
    let function = by_function
        .into_iter()
        .find(|(name, _)| before.ends_with(name));
    named.or(function.map(|(_, code)| code))
}

fn table(errors: &Errors, rules: &Rules) -> String {
    let mut text = String::from(
        "# Errors\n\
         Written by `cargo xtask codegen` from the sources; do not edit.\n\n\
         Over HTTP an error is a problem of RFC 9457: `type` leads to a page on the service that answered \
         (`/problems/CODE`), `code` is the kind, `reason` is one of this table. Over gRPC the same reason is that of \
         `ErrorInfo` in the status details, whose metadata hold the `code`. Codes and reasons are stable.\n\n\
         | reason | code | HTTP | gRPC | of |\n|---|---|---|---|---|\n",
    );
    for ((reason, code), crates) in errors {
        // The status depends on the reason too, so it is asked of the problem itself.
        let reason: &'static str = Box::leak(reason.clone().into_boxed_str());
        let status = Problem(ApiError::new(*code, reason, "")).status();
        let _ = writeln!(
            text,
            "| `{reason}` | `{}` | {} | `{:?}` | {} |",
            code.as_str(),
            status.as_u16(),
            status_code(*code),
            list(crates),
        );
    }
    text.push_str(
        "\n## Rules\nReasons of single broken rules in `violations` (over gRPC those of `BadRequest`), and those of errors \
         whose code depends on more than the place that gives them.\n\n| reason | of |\n|---|---|\n",
    );
    for (reason, crates) in rules {
        let _ = writeln!(text, "| `{reason}` | {} |", list(crates));
    }
    text
}

fn list(crates: &BTreeSet<&'static str>) -> String {
    crates.iter().copied().collect::<Vec<_>>().join(", ")
}

#[test]
fn a_reason_is_found_with_the_code_that_stands_before_it() {
    let (mut errors, mut rules) = (Errors::new(), Rules::new());
    let source = "// \"NOT_A_REASON\"\nApiError::new(\n ErrorCode::Aborted,\n \"IN_FLIGHT\", text);\n\
                  ApiError::invalid(reason::INVALID_BODY, m, v); internal(\"LOG_GAP\", e);\n\
                  Violation { reason: \"OUT_OF_RANGE\" }; var(\"FCS_HOME\"); const PLAIN_CONST: &str = \"PLAIN_CONST\";\n\
                  #[cfg(test)] ApiError::not_found(\"ONLY_A_TEST\", m);";
    read(source, "model-server", &mut errors, &mut rules);
    let found: Vec<_> = errors
        .keys()
        .map(|(reason, code)| (reason.as_str(), *code))
        .collect();
    let expected = [
        ("INVALID_BODY", ErrorCode::InvalidArgument),
        ("IN_FLIGHT", ErrorCode::Aborted),
        ("LOG_GAP", ErrorCode::Internal),
    ];
    assert_eq!(found, expected);
    assert_eq!(rules.keys().collect::<Vec<_>>(), ["OUT_OF_RANGE"]);
}
