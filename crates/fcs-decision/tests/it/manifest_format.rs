//! Format 2 of the manifest beside format 1, and what comes after.

use fcs_decision::manifest::Manifest;

use crate::fixture::manifest;
use crate::manifest::{assert_refused, changed, problems};

/// The fixture as format 2, with everything that format 2 adds.
fn format_2() -> String {
    let text = changed(&[
        ("manifest_format = 1", "manifest_format = 2"),
        (
            "reason = \"CREDIT-LIMIT\"",
            "reason = \"CREDIT-LIMIT\"\nfamily = \"capacity\"",
        ),
        ("format = \"lightgbm-text\"", "format = \"xgboost-ubj\""),
    ]);
    text + FORMAT_2_SECTIONS
}

const FORMAT_2_SECTIONS: &str = r#"
[lineage]
data_sha256 = "7777777777777777777777777777777777777777777777777777777777777777"
git_commit = "0123abcd"
training_script_sha256 = "8888888888888888888888888888888888888888888888888888888888888888"
parent = "example-card/6"
libraries = { xgboost = "3.1.0" }

[engine]
kernel = "heaps"

[calibration]
data = "5,000 held-out rows"
bins = [
    { mean_probability = 0.1, adverse_rate = 0.125, rows = 4000 },
    { mean_probability = 0.5, adverse_rate = 0.475, rows = 1000 },
]

[score_distribution]
data = "5,000 held-out rows"
edges = [300, 500, 700]
rows = [2000, 3000]
"#;

#[test]
fn format_2_adds_and_format_1_stays() {
    assert_eq!(manifest().format, 1);
    assert_eq!(manifest().lineage, None);
    let manifest = Manifest::parse(format_2().as_bytes()).unwrap();
    assert_eq!(manifest.format, 2);
    assert_eq!(manifest.features[0].family.as_deref(), Some("capacity"));
    assert_eq!(manifest.features[1].family, None);
    let contributions: Vec<f64> = (1..=manifest.features.len()).map(|it| it as f64).collect();
    let by_family = manifest.by_family(&contributions);
    assert_eq!(by_family[0], ("capacity", 1.0));
    assert_eq!(by_family[1], (manifest.features[1].name.as_str(), 2.0));
    assert_eq!(by_family.len(), manifest.features.len());
    assert!(manifest.by_family(&[]).is_empty());
    let lineage = manifest.lineage.unwrap();
    assert_eq!(lineage.parent.unwrap().to_string(), "example-card/6");
    assert_eq!(lineage.libraries["xgboost"], "3.1.0");
    assert_eq!(manifest.engine.unwrap().kernel, "heaps");
    assert_eq!(manifest.calibration.unwrap().bins[1].rows, 1000);
    assert_eq!(manifest.score_distribution.unwrap().edges, [300, 500, 700]);
    // All of it is optional.
    let bare = changed(&[("manifest_format = 1", "manifest_format = 2")]);
    assert!(Manifest::parse(bare.as_bytes()).is_ok());
}

#[test]
fn what_format_2_added_needs_format_2() {
    let text = format_2().replacen("manifest_format = 2", "manifest_format = 1", 1);
    assert_eq!(
        problems(&text),
        [
            "lineage: needs manifest_format = 2",
            "engine: needs manifest_format = 2",
            "calibration: needs manifest_format = 2",
            "score_distribution: needs manifest_format = 2",
            "files[0].format: must be \"lightgbm-text\" for this role",
            "features[0].family: needs manifest_format = 2",
        ]
    );
}

#[test]
fn a_newer_format_is_refused_with_what_to_do_and_nothing_else() {
    let text = format_2().replacen("manifest_format = 2", "manifest_format = 4\nnew = 1", 1);
    assert_eq!(
        problems(&text),
        [
            "manifest_format: 4 is newer than this release, which reads 1 to 3; use a release that reads format 4"
        ]
    );
}

#[test]
fn the_sections_of_format_2_keep_their_rules() {
    for (from, to, expected) in [
        (
            "parent = \"example-card/6\"",
            "parent = \"six\"",
            "lineage.parent: ",
        ),
        ("0123abcd", "HEAD", "lineage.git_commit: must be 7 to 64"),
        (
            "kernel = \"heaps\"",
            "kernel = \"\"",
            "engine.kernel: must not be empty",
        ),
        (
            "kernel = \"heaps\"",
            "kernels = \"heaps\"",
            "engine: unknown field `kernels`",
        ),
        (
            "adverse_rate = 0.125",
            "adverse_rate = 1.125",
            "calibration.bins[0].adverse_rate: must be from 0 to 1",
        ),
        (
            "mean_probability = 0.5,",
            "mean_probability = nan,",
            "calibration.bins[1].mean_probability: must be from 0 to 1",
        ),
        (
            "mean_probability = 0.1,",
            "mean_probability = 0.6,",
            "calibration.bins: mean_probability must ascend",
        ),
        (
            "[2000, 3000]",
            "[2000]",
            "score_distribution.edges: must hold 2 edges, found 3",
        ),
        (
            "[300, 500",
            "[500, 500",
            "score_distribution.edges: must ascend",
        ),
        (
            "[2000, 3000]",
            "[0, 0]",
            "score_distribution.rows: must hold at least one row",
        ),
        (
            "\"xgboost-ubj\"",
            "\"pickle\"",
            "files[0].format: must be \"lightgbm-text\" or ",
        ),
    ] {
        let text = format_2();
        assert!(text.contains(from), "{from}");
        let found = problems(&text.replacen(from, to, 1));
        assert!(
            found.iter().any(|problem| problem.starts_with(expected)),
            "{to}: {found:#?}"
        );
    }
}

#[test]
fn file_names_stay_inside_the_package() {
    for path in [
        "../model.txt",
        "/etc/passwd",
        "a/b",
        "..",
        ".hidden",
        "a\\\\b",
        "",
        "Model.toml",
        "model.toml.sig",
    ] {
        let (from, to) = ("path = \"model.txt\"", format!("path = \"{path}\""));
        assert_refused(from, &to, "files[0].path: ");
    }
}
