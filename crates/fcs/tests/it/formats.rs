//! A package of each kind of model: signed, pushed, activated, and decided with reasons.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::Digest as _;
use tempfile::TempDir;

use crate::system::{fcs, json};
use crate::up::Up;

/// Fewer golden rows are refused.
const GOLDEN_ROWS: usize = 64;
/// Applications that are decided.
const APPLICATIONS: usize = 6;

/// What a package is made from.
struct Kind {
    name: &'static str,
    format: &'static str,
    model: Vec<u8>,
    /// Features, each with the codes of its categories; none for a number.
    features: [(&'static str, &'static [i32]); 3],
    rows: Vec<Row>,
    /// How far contributions may be from the margin: these libraries add up in single precision.
    tolerance: f64,
}

/// Values of the features, and what the model's own library says about them.
struct Row {
    values: [f64; 3],
    margin: f64,
    probability: f64,
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fcs-forest/tests/golden")
        .join(name)
}

/// Rows of a golden table that begins with three features and has the margin in a column. Those with huge values are
/// left out: in single precision, the margins of a reference population with them are far from their exact sums. So are
/// probabilities near 0 or 1, of which the library keeps few digits.
fn golden_rows(name: &str, margin: usize) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(golden(name)).unwrap();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let number = |at: usize| record[at].parse().unwrap_or(f64::NAN);
        Row {
            values: [number(0), number(1), number(2)],
            margin: number(margin),
            probability: number(margin + 1),
        }
    });
    rows.filter(|row| row.values.iter().all(|value| value.abs() < 1e3) && row.margin.abs() < 4.0)
        .collect()
}

/// The scorecard by hand: its weights are such that every sum is exact.
fn scorecard_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (tenure, by_tenure) in [(18.0, 0.75), (25.0, 0.25), (60.0, -0.125), (60.5, -0.5)] {
        for (region, by_region) in [(3.0, 0.5), (7.0, -0.25), (5.0, 1.0), (2.0, 0.03125)] {
            for channel in [-1.0, 0.0, 1.5, 8.0] {
                let margin: f64 = -2.0 + by_tenure + by_region + 0.015_625;
                rows.push(Row {
                    values: [tenure, region, channel],
                    margin,
                    probability: 1.0 / (1.0 + (-margin).exp()),
                });
            }
        }
    }
    rows
}

fn xgboost() -> Kind {
    Kind {
        name: "xgboost-json",
        format: "xgboost-json",
        model: fs::read(golden("xgboost/v1_logistic.json")).unwrap(),
        features: [("first", &[]), ("second", &[]), ("third", &[])],
        rows: golden_rows("xgboost/v1_logistic.csv", 3),
        tolerance: 1e-4,
    }
}

fn onnx() -> Kind {
    let model = fs::read(golden("onnx/named_inputs.onnx")).unwrap();
    Kind {
        name: "onnx",
        format: "onnx",
        model: renamed(&model, *b"age", *b"own"),
        features: [("own", &[]), ("income", &[]), ("region", &[])],
        rows: golden_rows("onnx/named_inputs.csv", 3),
        tolerance: 1e-4,
    }
}

/// A model with another name, of the same length, of a feature: an age is a protected attribute, which no manifest may
/// name.
fn renamed(model: &[u8], name: [u8; 3], other: [u8; 3]) -> Vec<u8> {
    let mut model = model.to_vec();
    for at in 0..model.len() - name.len() {
        if model[at..].starts_with(&name) {
            model[at..at + name.len()].copy_from_slice(&other);
        }
    }
    model
}

fn scorecard() -> Kind {
    let text = fs::read_to_string(golden("scorecard/hand.toml")).unwrap();
    Kind {
        name: "scorecard",
        format: "scorecard-toml",
        model: text.replace("\"age\"", "\"tenure\"").into_bytes(),
        features: [
            ("tenure", &[]),
            ("region", &[0, 1, 2, 3, 4, 5, 7]),
            ("channel", &[]),
        ],
        rows: scorecard_rows(),
        tolerance: 1e-9,
    }
}

impl Kind {
    /// Rows as a table, with margins and probabilities or without.
    fn table(&self, rows: &[Row], is_golden: bool) -> String {
        let mut table = self.features.map(|(name, _)| name).join(",");
        table.push_str(if is_golden {
            ",margin,probability\n"
        } else {
            "\n"
        });
        for row in rows {
            let cells = row.values.map(|value| value.to_string()).join(",");
            table.push_str(&cells);
            if is_golden {
                write!(table, ",{},{}", row.margin, row.probability).unwrap();
            }
            table.push('\n');
        }
        table
    }

    /// Writes the package but for the signature. Nobody is approved, so that everybody has reasons.
    fn write(&self, package: &Path) {
        fs::create_dir(package).unwrap();
        let mut manifest = format!(
            "manifest_format = 2\n[model]\nname = \"{}\"\nversion = \"1\"\ntitle = \"A test\"\n\
             created = \"2026-11-22\"\nadverse_outcome = \"denial\"\nlink = \"logistic\"\n\
             training_data_sha256 = \"{}\"\n",
            self.name,
            "0".repeat(64)
        );
        assert!(!self.rows.is_empty());
        let golden: Vec<Row> = (0..GOLDEN_ROWS.max(self.rows.len()))
            .map(|at| Row {
                ..self.rows[at % self.rows.len()]
            })
            .collect();
        for (role, path, format, bytes) in [
            ("model", "model.bin", self.format, self.model.clone()),
            (
                "reference",
                "reference.csv",
                "csv",
                self.table(&self.rows, false).into_bytes(),
            ),
            (
                "golden",
                "golden.csv",
                "csv",
                self.table(&golden, true).into_bytes(),
            ),
            (
                "data_sheet",
                "DATASHEET.md",
                "markdown",
                b"None.\n".to_vec(),
            ),
            (
                "model_card",
                "MODEL_CARD.md",
                "markdown",
                b"None.\n".to_vec(),
            ),
        ] {
            let digest = hex::encode(sha2::Sha256::digest(&bytes));
            fs::write(package.join(path), bytes).unwrap();
            write!(
                manifest,
                "[[files]]\nrole = \"{role}\"\npath = \"{path}\"\nformat = \"{format}\"\nsha256 = \"{digest}\"\n"
            )
            .unwrap();
        }
        for (name, codes) in self.features {
            write_feature(&mut manifest, name, codes);
        }
        let cut_off = "990";
        write!(
            manifest,
            "[score]\nminimum = 0\nmaximum = 1000\nbase_score = 500\nbase_odds = 1.0\n\
             points_to_double_odds = 20\n[policy]\napprove_at_least = {cut_off}\n\
             refer_at_least = {cut_off}\n[reference_population]\nid = \"test\"\n\
             description = \"Golden rows\"\nrows = {}\nscore_from = {cut_off}\nscore_to = 1000\n\
             [training]\nrows = 100\n[evaluation]\nrows = 100\nauc = 0.7\nbrier = 0.1\n",
            self.rows.len()
        )
        .unwrap();
        self.write_rules(&mut manifest);
        fs::write(package.join("model.toml"), manifest).unwrap();
    }

    /// Two rules, as every policy has, which no application meets.
    fn write_rules(&self, manifest: &mut String) {
        for (name, _) in [self.features[0], self.features[2]] {
            write!(
                manifest,
                "[[policy.knock_outs]]\nid = \"{name}-limit\"\nfeature = \"{name}\"\n\
                 operator = \"at_least\"\nvalue = 9e8\nreason = \"{}\"\n",
                name.to_uppercase()
            )
            .unwrap();
        }
    }

    /// The document of an application's features: categories by their names.
    fn application(&self, row: &Row) -> Value {
        let cell = |((name, codes), value): (&(&str, &[i32]), f64)| {
            let value = if codes.is_empty() {
                value.into()
            } else {
                format!("code_{value}").into()
            };
            ((*name).to_owned(), value)
        };
        let cells = self.features.iter().zip(row.values).map(cell);
        cells.collect::<Map<String, Value>>().into()
    }
}

fn write_feature(manifest: &mut String, name: &str, codes: &[i32]) {
    let reason = name.to_uppercase();
    let shape = if codes.is_empty() {
        "type = \"number\"\nunit = \"points\"\nminimum = -1e9\nmaximum = 1e9\nbin_edges = [0.0]\n\
         bin_shares = [0.5, 0.5]\n"
            .to_owned()
    } else {
        let categories = codes
            .iter()
            .map(|code| format!("{{ name = \"code_{code}\", code = {code} }}"));
        let categories = categories.collect::<Vec<_>>().join(", ");
        let mut shares = vec![0.0; codes.len()];
        shares[0] = 1.0;
        format!("type = \"category\"\ncategories = [{categories}]\nbin_shares = {shares:?}\n")
    };
    write!(
        manifest,
        "[[features]]\nname = \"{name}\"\ndescription = \"A test\"\n{shape}missing = \"allow\"\n\
         risk_direction = \"none\"\nreason = \"{reason}\"\nmissing_share = 0.0\n\
         [[reasons]]\ncode = \"{reason}\"\nregb_ref = \"other\"\nhmda_code = 9\ntext = \"About {name}\"\n"
    )
    .unwrap();
}

/// A models folder with the package of a kind, signed and pushed, and the policy that trusts its key.
fn models_of(kind: &Kind) -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    kind.write(Path::new(&path("package")));
    fs::create_dir(path("models")).unwrap();
    let (key, trust) = (path("key.pem"), path("models/trust.toml"));
    let keygen = ["model", "keygen", "--to", &key, "--key-id", "test"];
    let policy = fcs(folder.path(), &keygen).output().unwrap();
    assert!(policy.status.success(), "{policy:?}");
    fs::write(&trust, policy.stdout).unwrap();
    let (package, models) = (path("package"), path("models"));
    for arguments in [
        ["model", "sign", &package, "--key", &key],
        ["model", "push", &package, "--to", &models],
    ] {
        let more = ["--trust", &trust, "-o", "json"];
        let mut command = fcs(folder.path(), &arguments);
        json(&command.args(more).output().unwrap());
    }
    folder
}

/// What `fcs model predict` makes of the model file and some rows, with contributions against all rows.
fn predicted(kind: &Kind, folder: &Path, rows: &[Row]) -> Value {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (model, table, references) = (
        path("package/model.bin"),
        path("rows.csv"),
        path("package/reference.csv"),
    );
    fs::write(&table, kind.table(rows, false)).unwrap();
    let arguments = [
        "model",
        "predict",
        &model,
        "--rows",
        &table,
        "--format",
        kind.format,
        "--contributions",
        "--references",
        &references,
        "-o",
        "json",
    ];
    json(&fcs(folder, &arguments).output().unwrap())
}

/// The rows with the highest margins: above the mean of all, each has an adverse contribution and so a reason.
fn riskiest(kind: &Kind) -> Vec<Row> {
    let mut rows: Vec<Row> = kind.rows.iter().map(|row| Row { ..*row }).collect();
    rows.sort_by(|left, right| right.margin.total_cmp(&left.margin));
    rows.truncate(APPLICATIONS);
    rows
}

/// Contributions by feature.
fn contributions(document: &Value) -> BTreeMap<&str, f64> {
    let members = document["contributions"].as_object().unwrap().iter();
    members
        .map(|(name, value)| (name.as_str(), value.as_f64().unwrap()))
        .collect()
}

/// Codes of the features that made it worse, the worst first.
fn adverse(contributions: &BTreeMap<&str, f64>) -> Vec<String> {
    let mut adverse: Vec<_> = contributions.iter().filter(|(_, it)| **it > 1e-9).collect();
    adverse.sort_by(|left, right| right.1.total_cmp(left.1));
    adverse
        .iter()
        .map(|(name, _)| name.to_uppercase())
        .collect()
}

fn check(kind: &Kind) {
    let folder = models_of(kind);
    let up = Up::start_with(&folder.path().join("models"), &format!("{}/1", kind.name));
    let rows = riskiest(kind);
    let predicted = predicted(kind, folder.path(), &rows);
    let file = folder.path().join("application.json");
    for (number, row) in rows.iter().enumerate() {
        fs::write(&file, kind.application(row).to_string()).unwrap();
        let decision = up.run(&[
            "decision",
            "score",
            "--application-id",
            &format!("A-{number}"),
            "--features",
            file.to_str().unwrap(),
        ]);
        let of = |name: &str| decision[name].as_f64().unwrap();
        let prediction = &predicted[number];
        assert_eq!(decision["margin"], prediction["margin"], "{decision}");
        assert_eq!(decision["probability"], prediction["probability"]);
        assert!((of("margin") - row.margin).abs() < kind.tolerance);
        assert_eq!(decision["base_margin"], prediction["base"]);
        let parts = contributions(&decision);
        assert_eq!(parts, contributions(prediction));
        assert_eq!(parts.len(), kind.features.len(), "{decision}");
        let margin = of("base_margin") + parts.values().sum::<f64>();
        assert!((margin - row.margin).abs() < kind.tolerance, "{decision}");
        assert_eq!(decision["outcome"], "deny");
        let reasons = decision["principal_reasons"].as_array().unwrap();
        let codes: Vec<&str> = reasons
            .iter()
            .map(|it| it["code"].as_str().unwrap())
            .collect();
        assert!(!codes.is_empty(), "{decision}");
        assert_eq!(codes, adverse(&parts), "{decision}");
    }
}

#[test]
fn an_xgboost_model_decides_with_reasons() {
    check(&xgboost());
}

#[test]
fn an_onnx_model_decides_with_reasons() {
    check(&onnx());
}

#[test]
fn a_scorecard_decides_with_reasons() {
    check(&scorecard());
}
