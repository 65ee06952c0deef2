use fcs_decision::manifest::{FeatureKind, FileRole, Manifest};
use fcs_decision::policy::Condition;

use crate::fixture::{MANIFEST, manifest};

pub(crate) fn problems(text: &str) -> Vec<String> {
    Manifest::parse(text.as_bytes()).unwrap_err().problems
}

/// The fixture with each `(from, to)` applied to the first occurrence.
pub(crate) fn changed(changes: &[(&str, &str)]) -> String {
    changes
        .iter()
        .fold(MANIFEST.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the fixture holds {from:?}");
            text.replacen(from, to, 1)
        })
}

#[track_caller]
pub(crate) fn assert_refused(from: &str, to: &str, expected: &str) {
    let problems = problems(&changed(&[(from, to)]));
    assert!(
        problems.iter().any(|problem| problem.contains(expected)),
        "{from:?} -> {to:?}: expected {expected:?} in {problems:#?}"
    );
}

#[test]
fn reads_a_complete_manifest() {
    let manifest = manifest();
    assert_eq!(manifest.model_version().to_string(), "example-card/7");
    assert_eq!(manifest.features.len(), 7);
    assert_eq!(manifest.file(FileRole::Golden).path, "golden.csv");
    assert_eq!(
        manifest.policy.knock_outs[0].condition,
        Condition::AtLeast(4.0)
    );
    assert!(matches!(&manifest.features[4].kind, FeatureKind::Category(all) if all.len() == 3));
    assert_eq!(manifest.reason("BALANCE").unwrap().regb_ref, "09");
    assert_ne!(
        manifest.digest(),
        Manifest::parse(format!("{MANIFEST}\n").as_bytes())
            .unwrap()
            .digest()
    );
}

#[test]
fn lists_every_problem_at_once() {
    let text = changed(&[
        ("name = \"example-card\"", "name = \"Example Card\""),
        ("title = \"Made up for tests\"", "title = \" \""),
        ("format = \"csv\"", "format = \"parquet\""),
        ("path = \"model.txt\"", "path = \"../model.txt\""),
        ("maximum = 1000000.0", "maximum = -1000000.0"),
        ("missing = \"refuse\"", "misssing = \"refuse\""),
        ("name = \"utilization\"", "name = \"age\""),
        ("code = \"BALANCE\"", "code = \"BALANCES\""),
        ("base_odds = 20.0", "base_odds = 0.0"),
        ("value = 4", "value = \"four\""),
        ("auc = 0.77", "auc = 1.77"),
        ("[training]\nrows = 20000", "[trainings]\nrows = 20000"),
    ]);
    let found = problems(&text);
    for expected in [
        "model.name, model.version: ",
        "model.title: must not be empty",
        "files[1].format: must be \"csv\"",
        "files[0].path: must be a plain file name",
        "features[0]: unknown field `misssing`",
        "features[3].name: \"age\" names the protected attribute age",
        "features[3].reason: \"BALANCE\" is not in [[reasons]]",
        "score.base_odds: must be a finite number above 0",
        "policy.knock_outs[0].value: must be a number",
        "evaluation.auc: must be from 0 to 1",
        "training: missing",
        "trainings: unknown key",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(expected)),
            "{expected:?} is missing in {found:#?}"
        );
    }
    assert_eq!(found.len(), 12, "one problem for each mistake: {found:#?}");
}

#[test]
fn names_the_key_of_a_wrong_type() {
    assert_refused(
        "maximum = 9\n",
        "maximum = \"nine\"\n",
        "features[1].maximum: invalid type",
    );
    assert_refused(
        "1111",
        "111g",
        "model.training_data_sha256: expected a SHA-256 digest",
    );
    assert_refused("code = 3", "code = -3", "features[4].categories.code: ");
    assert_refused(
        "role = \"golden\"",
        "role = \"gold\"",
        "files[2].role: unknown variant `gold`",
    );
}

#[test]
fn refuses_what_is_not_a_manifest() {
    assert_eq!(
        Manifest::parse(b"\xff").unwrap_err().problems,
        ["manifest: not UTF-8"]
    );
    assert!(problems("a = 1\nb =")[0].starts_with("line 2: "));
    assert!(problems("").contains(&"model: missing".to_owned()));
    assert_refused(
        "manifest_format = 1",
        "manifest_format = 0",
        "manifest_format: expected a format from 1 to 3, found 0",
    );
    let padded = format!("{MANIFEST}#{}", "x".repeat(1024 * 1024));
    assert_eq!(problems(&padded), ["manifest: larger than 1048576 bytes"]);
}

#[test]
fn refuses_broken_model_and_file_tables() {
    assert_refused("link = \"logistic\"", "link = \"identity\"", "model.link: ");
    assert_refused("2026-11-22", "2026-02-30", "model.created: ");
    assert_refused("0123abc", "HEAD", "model.git_commit: ");
    assert_refused(
        "path = \"model.txt\"",
        "path = \"golden.csv\"",
        "files[2].path: ",
    );
    assert_refused("path = \"model.txt\"", "path = \"a/b\"", "files[0].path: ");
    assert_refused("path = \"model.txt\"", "path = \"..\"", "files[0].path: ");
    assert_refused(
        "role = \"golden\"",
        "role = \"reference\"",
        "role Golden must occur once",
    );
}

#[test]
fn refuses_broken_features() {
    assert_refused(
        "name = \"inquiries\"",
        "name = \"Inquiries\"",
        "features[5].name: ",
    );
    assert_refused(
        "name = \"inquiries\"",
        "name = \"utilization\"",
        "features[5].name: ",
    );
    assert_refused(
        "name = \"inquiries\"",
        "name = \"spouse_age\"",
        "protected attribute age",
    );
    assert_refused("unit = \"EUR\"", "unit = \"\"", "features[0].unit: ");
    assert_refused("minimum = -10.0\n", "", "features[0].minimum: missing");
    assert_refused(
        "minimum = -10.0",
        "minimum = -inf",
        "features[0].minimum: must be finite",
    );
    assert_refused(
        "minimum = -10.0",
        "minimum = nan",
        "features[0].minimum: must be finite",
    );
    assert_refused(
        "maximum = 9\n",
        "maximum = 9.5\n",
        "features[1].maximum: must be a whole",
    );
    assert_refused(
        "reason = \"INQUIRIES\"",
        "reason = \"WHY\"",
        "features[5].reason: ",
    );
    assert_refused(
        "type = \"category\"",
        "type = \"category\"\nminimum = 1",
        "features[4].minimum",
    );
    assert_refused(
        "name = \"clean\"",
        "name = \"collection\"",
        "features[4].categories[1].name",
    );
    assert_refused(
        "code = 3",
        "code = 0",
        "features[4].categories[1].code: occurs twice",
    );
    assert_refused(
        "type = \"category\"",
        "type = \"number\"",
        "features[4].categories: only for",
    );
}

#[test]
fn refuses_broken_bins() {
    assert_refused(
        "[1000.0, 5000.0]",
        "[5000.0, 1000.0]",
        "features[0].bin_edges: must ascend",
    );
    assert_refused(
        "[1000.0, 5000.0]",
        "[1000.0, nan]",
        "features[0].bin_edges: must be finite",
    );
    assert_refused(
        "bin_edges = [1000.0, 5000.0]\n",
        "",
        "features[0].bin_edges: missing",
    );
    assert_refused(
        "[0.25, 0.5, 0.25]",
        "[0.25, 0.75]",
        "bin_shares: must hold 3 shares",
    );
    assert_refused(
        "[0.25, 0.5, 0.25]",
        "[0.25, 0.5, 0.24]",
        "bin_shares: must sum to 1",
    );
    assert_refused(
        "[0.25, 0.5, 0.25]",
        "[-0.25, 1.0, 0.25]",
        "bin_shares: must each be",
    );
    assert_refused(
        "missing_share = 0.125",
        "missing_share = 1.5",
        "features[3].missing_share: ",
    );
    assert_refused(
        "missing_share = 0.0\n",
        "missing_share = 0.1\n",
        "features[0].missing_share: ",
    );
}

#[test]
fn refuses_broken_reasons_scores_and_policies() {
    assert_refused(
        "text = \"Bankruptcy\"",
        "text = \"\"",
        "reasons[6].text: must not be empty",
    );
    assert_refused(
        "regb_ref = \"21\"",
        "regb_ref = \"24\"",
        "reasons[6].regb_ref: ",
    );
    assert_refused(
        "regb_ref = \"21\"",
        "regb_ref = \"+1\"",
        "reasons[6].regb_ref: ",
    );
    assert_refused("hmda_code = 9", "hmda_code = 10", "reasons[0].hmda_code: ");
    assert_refused(
        "code = \"BANKRUPTCY\"",
        "code = \"BALANCE\"",
        "reasons[6].code: ",
    );
    assert_refused("minimum = 300", "minimum = 850", "score.minimum: ");
    assert_refused(
        "points_to_double_odds = 40",
        "points_to_double_odds = -40",
        "points_to_double",
    );
    assert_refused("base_score = 600", "base_score = nan", "score.base_score: ");
    assert_refused(
        "refer_at_least = 590",
        "refer_at_least = 621",
        "policy.refer_at_least: ",
    );
    assert_refused(
        "approve_at_least = 620",
        "approve_at_least = 851",
        "policy.approve_at_least: ",
    );
    assert_refused(
        "score_from = 620",
        "score_from = 619",
        "reference_population.score_from: ",
    );
    assert_refused(
        "score_to = 640",
        "score_to = 620",
        "reference_population.score_from: ",
    );
}

#[test]
fn refuses_broken_knock_outs() {
    assert_refused(
        "id = \"bankruptcy\"",
        "id = \"severe-delinquency\"",
        "knock_outs[1].id: ",
    );
    assert_refused(
        "value = 4",
        "value = 10",
        "knock_outs[0].value: must lie in the feature's",
    );
    assert_refused(
        "operator = \"equals\"",
        "operator = \"at_most\"",
        "knock_outs[1].operator: ",
    );
    assert_refused(
        "value = \"bankruptcy\"",
        "value = \"bankrupt\"",
        "knock_outs[1].value: ",
    );
    assert_refused(
        "value = \"bankruptcy\"",
        "value = 4",
        "knock_outs[1].value: must be the name",
    );
    assert_refused(
        "reason = \"BANKRUPTCY\"",
        "reason = \"B\"",
        "knock_outs[1].reason: ",
    );
    assert_refused(
        "feature = \"public_record\"",
        "feature = \"x\"",
        "knock_outs[1].feature: ",
    );
    let start = MANIFEST.rfind("[[policy.knock_outs]]").unwrap();
    let end = MANIFEST.find("[reference_population]").unwrap();
    let one_rule = format!("{}{}", &MANIFEST[..start], &MANIFEST[end..]);
    assert_eq!(
        problems(&one_rule),
        ["policy.knock_outs: must hold at least two rules"]
    );
}
