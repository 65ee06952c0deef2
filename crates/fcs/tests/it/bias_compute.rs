//! `fcs bias compute`, against the golden numbers that the libraries of practice made of the same tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::system::{fcs, json as document};

const TOLERANCE: f64 = 1e-12;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fcs-fairness/tests/golden/metrics")
        .join(name)
}

fn compute(arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let arguments = [&["bias", "compute"], arguments].concat();
    fcs(folder.path(), &arguments).output().unwrap()
}

/// The columns of the golden tables.
const COLUMNS: [&str; 10] = [
    "--decision",
    "decision",
    "--label",
    "outcome",
    "--score",
    "score",
    "--stratum",
    "stratum",
    "--count",
    "count",
];

/// The options that ask for a golden sheet.
fn options(golden: &Value, sheet: &Value) -> Vec<String> {
    let mut options: Vec<String> = COLUMNS.iter().map(ToString::to_string).collect();
    let mut add = |option: &str, value: String| options.extend([option.to_owned(), value]);
    for (option, list) in [
        ("--attribute", &sheet["attributes"]),
        ("--reference", &sheet["reference"]),
    ] {
        for value in list.as_array().unwrap() {
            add(option, value.as_str().unwrap().to_owned());
        }
    }
    if let Some(stratum) = sheet["stratum"].as_str() {
        add("--within", stratum.to_owned());
    }
    let quantiles = golden["quantiles"].as_array().unwrap();
    let quantiles: Vec<String> = quantiles.iter().map(Value::to_string).collect();
    add("--quantiles", quantiles.join(","));
    add("--confidence", sheet["confidence"].to_string());
    add(
        "--minimum-cell-size",
        golden["minimum_cell_size"].to_string(),
    );
    options
}

/// What a metric is known by, and its value, limits, p-value and reason.
type Numbers = BTreeMap<String, ([Option<f64>; 4], Option<String>)>;

fn expected(metrics: &Value) -> Numbers {
    let of = |metric: &Value| {
        let key = format!("{} {} {}", metric[0], metric[1], metric[2]);
        let numbers = [3, 4, 5, 6].map(|place| metric[place].as_f64());
        (key, (numbers, metric[7].as_str().map(str::to_owned)))
    };
    metrics.as_array().unwrap().iter().map(of).collect()
}

fn found(metrics: &Value) -> Numbers {
    let of = |metric: &Value| {
        let result = &metric["result"];
        let key = format!(
            "{} {} {}",
            metric["name"], metric["population"], metric["share_asked"]
        );
        let value = result["value"].as_f64().or(result["statistic"].as_f64());
        let [lower, upper, p] = ["lower", "upper", "p_value"].map(|name| result[name].as_f64());
        let reason = result["reason"].as_str().map(str::to_owned);
        assert!(metric["group_count"].is_i64(), "{metric}");
        (key, ([value, lower, upper, p], reason))
    };
    metrics.as_array().unwrap().iter().map(of).collect()
}

fn assert_same(found: &Numbers, expected: &Numbers, place: &str) {
    assert!(found.keys().eq(expected.keys()), "{place}");
    for (key, (expected, reason)) in expected {
        let (found, found_reason) = &found[key];
        assert_eq!(found_reason, reason, "{place} {key}");
        for (found, expected) in found.iter().zip(expected) {
            let is_close = match (found, expected) {
                (Some(one), Some(other)) => (one - other).abs() <= TOLERANCE * other.abs().max(1.0),
                (one, other) => one == other,
            };
            assert!(is_close, "{place} {key}: {found:?}, expected {expected:?}");
        }
    }
}

#[test]
fn every_number_is_that_of_the_libraries() {
    let golden_numbers = fs::read(golden("golden.json")).unwrap();
    let golden_numbers: Value = serde_json::from_slice(&golden_numbers).unwrap();
    let mut groups = 0;
    for expected_sheet in golden_numbers["sheets"].as_array().unwrap() {
        let table = expected_sheet["table"].as_str().unwrap();
        let file = golden(&format!("{table}.csv"));
        let options = options(&golden_numbers, expected_sheet);
        let mut arguments = vec![file.to_str().unwrap(), "-o", "json"];
        arguments.extend(options.iter().map(String::as_str));
        let printed = document(&compute(&arguments));
        let sheet = &printed["sheet"];
        let place = options.join(" ");
        assert_same(
            &found(&sheet["overall"]),
            &expected(&expected_sheet["overall"]),
            &place,
        );
        let cells = sheet["cells"].as_array().unwrap();
        let expected_cells = expected_sheet["groups"].as_array().unwrap();
        assert_eq!(cells.len(), expected_cells.len(), "{place}");
        for (cell, wanted) in cells.iter().zip(expected_cells) {
            assert_eq!(cell["group"], wanted["group"], "{place}");
            let is_suppressed = wanted["suppressed"].is_i64();
            assert_eq!(cell["state"] == "suppressed", is_suppressed, "{place}");
            if !is_suppressed {
                let place = format!("{place}: {}", wanted["group"]);
                assert_same(
                    &found(&cell["metrics"]),
                    &expected(&wanted["metrics"]),
                    &place,
                );
            }
            groups += 1;
        }
    }
    assert!(groups > 40, "only {groups} groups were compared");
}

/// The lines after the first in another order.
fn shuffled(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (header, rows) = lines.split_first().unwrap();
    let halves = rows.split_at(rows.len() / 3);
    let order = halves.1.iter().rev().chain(halves.0);
    let order: Vec<&str> = order.copied().collect();
    format!("{header}\n{}\n", order.join("\n"))
}

#[test]
fn the_order_of_rows_changes_no_byte() {
    let folder = TempDir::new().unwrap();
    let file = golden("seeded.csv");
    let other = folder.path().join("other.csv");
    fs::write(&other, shuffled(&fs::read_to_string(&file).unwrap())).unwrap();
    for format in ["json", "table"] {
        let of = |file: &Path| {
            let file = [file.to_str().unwrap(), "-o", format];
            let attributes = ["--attribute", "letter", "--attribute", "side"];
            let output = compute(&[&file[..], &attributes, &COLUMNS].concat());
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        assert_eq!(of(&file), of(&other), "{format}");
    }
}

/// Writes a file and computes over it.
fn compute_text(text: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("rows.csv");
    fs::write(&file, text).unwrap();
    compute(&[&[file.to_str().unwrap()], arguments].concat())
}

#[test]
fn a_table_for_people_says_how_it_was_read_and_what_is_missing() {
    let mut text = "\u{feff}sex,approved,repaid\n".to_owned();
    for (row, count) in [
        ("male,Yes,1.0", 40),
        ("male,no,", 20),
        ("female,yes,0.0", 20),
        ("female,no,NaN", 20),
        ("other,yes,1.0", 7),
        (",yes,1.0", 3),
        ("male,,1.0", 2),
    ] {
        text.push_str(&format!("{row}\n").repeat(count));
    }
    let sex = ["--attribute", "sex", "--reference", "male"];
    let columns = ["--decision", "approved", "--label", "repaid"];
    let output = compute_text(&text, &[&sex[..], &columns].concat());
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in [
        "110 decisions in 112 rows; 2 left out without a decision; 40 without a label",
        "decision: Yes is approve (40), yes is approve (30), no is deny (40)",
        "label: 1.0 is repaid (50), 0.0 is defaulted (20)",
        "By sex (compared with male; 3 unknown)",
        "0.750 [",
        "5 to 9",
        "suppressed: fewer than 30 decisions",
        "– (selective labels)",
        "selective labels: outcomes are known for approved applicants only.",
    ] {
        assert!(printed.contains(part), "{part:?} in\n{printed}");
    }
}

#[test]
fn rows_come_from_standard_input_with_spellings_of_their_own() {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "bias",
        "compute",
        "-",
        "--attribute",
        "group",
        "--decision",
        "action",
        "--approve-value",
        "1",
        "--approve-value",
        "8",
        "--deny-value",
        "3",
        "--label",
        "default",
        "--defaulted-value",
        "1",
        "--repaid-value",
        "0",
        "--score",
        "score",
        "--score-decimals",
        "1",
        "--minimum-cell-size",
        "1",
        "-o",
        "json",
    ];
    let mut child = fcs(folder.path(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let rows = "action,group,default,score\n1,a,0,0.91\n8,a,1,0.84\n3,b,,0.11\n3,b,NA,\n1,\"b, c\",0,0.9\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), rows.as_bytes()).unwrap();
    let printed = document(&child.wait_with_output().unwrap());
    assert_eq!(printed["format"], 1);
    let read = json!({"rows": 5, "decisions": 5, "without_decision": 0, "without_label": 2, "without_score": 1});
    assert_eq!(printed["read"], read);
    let values = json!({
        "decision": {"approve": {"1": 2, "8": 1}, "deny": {"3": 2}},
        "label": {"repaid": {"0": 2}, "defaulted": {"1": 1}}
    });
    assert_eq!(printed["values"], values);
    assert_eq!(
        printed["sheet"]["reference"],
        json!(["a"]),
        "the first of the largest"
    );
    assert_eq!(printed["sheet"]["cells"][2]["group"], json!(["b, c"]));
    let tally = &printed["sheet"]["cells"][0]["tally"]["approved"];
    assert_eq!(*tally, json!({"repaid": 1, "defaulted": 1, "unknown": 0}));
}

#[test]
fn every_bad_row_is_named_with_what_is_accepted() {
    let rows = "sex,decision,score,label,n\nm,approve,0.5,1,1\nf,withdrawn,0.5,1,1\nf,deny,high,1,1\n\
                f,deny,inf,1,1\nf,deny,0.5,maybe,1\nf,deny,0.5,1,-1\nf,deny\n";
    let columns = [
        "--attribute",
        "sex",
        "--decision",
        "decision",
        "--score",
        "score",
        "--label",
        "label",
        "--count",
        "n",
    ];
    let output = compute_text(rows, &columns);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for part in [
        "rows.csv: 6 rows cannot be read",
        "line 3: decision: \"withdrawn\" is none of 0, 0.0, 1,",
        "other values are named with --approve-value",
        "line 4: score: \"high\" is not a finite number; leave a missing value empty",
        "line 5: score: \"inf\" is not a finite number",
        "line 6: label: \"maybe\" is none of",
        "line 7: n: \"-1\" is no whole number",
        "line 8: the row has 2 of the header's 5 cells",
    ] {
        assert!(errors.contains(part), "{part:?} in\n{errors}");
    }
    assert!(output.stdout.is_empty());
}

/// Fails with a usage error that holds a message.
fn assert_refused(rows: &str, arguments: &str, message: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = compute_text(rows, &arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
    assert!(errors.contains(message), "{arguments:?}: {errors}");
}

#[test]
fn what_cannot_be_computed_is_said_with_its_code() {
    let rows = "sex,sex,race,decision\nm,m,a,approve\nf,f,b,deny\n";
    for (options, message) in [
        ("--attribute race", "each once"),
        ("--reference c", "no row has \"c\", but a, b"),
        ("--reference a --reference b", "found 2 for 1"),
        ("--quantiles 0.5,1.5", "found 1.5"),
        ("--confidence 95", "above 0 and below 1"),
        ("--stratum race --within z", "no row has \"z\""),
        ("--approve-value x --deny-value X", "two meanings"),
        (
            "--label age",
            "no column \"age\", but sex, sex, race, decision",
        ),
        ("--label sex", "two columns \"sex\""),
    ] {
        let arguments = format!("--attribute race --decision decision {options}");
        assert_refused(rows, &arguments, message);
    }
    let race = "--attribute race --decision decision";
    for (rows, message) in [
        ("race,decision\n", "no row has a decision"),
        ("", "no column \"race\""),
        (
            "race,decision\n\"a",
            "the row has 1 of the header's 2 cells",
        ),
    ] {
        assert_refused(rows, race, message);
    }
    let missing = compute(&["nowhere.csv", "--attribute", "race", "--decision", "it"]);
    assert_eq!(missing.status.code(), Some(3));
}
