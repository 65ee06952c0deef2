//! Only what was signed, and works, is loaded.

use std::fs;
use std::path::Path;

use fcs_core::ModelVersion;
use fcs_decision::trust::TrustPolicy;
use model_server::app::models::describe;
use model_server::app::package::{self, LoadedModel, PackageError};
use model_server::registry::{Registry, S3Settings};

use crate::spoiled::{Copy, NOW, block_on, key_table, real_registry, real_trust};

fn registry(folder: &Path) -> Registry {
    Registry::open(folder.to_str().unwrap(), &S3Settings::default()).unwrap()
}

fn load(
    folder: &Path,
    model: &ModelVersion,
    trust: &TrustPolicy,
) -> Result<LoadedModel, PackageError> {
    block_on(package::load(&registry(folder), model, trust, NOW))
}

fn boston() -> ModelVersion {
    "boston-hmda/1".parse().unwrap()
}

/// Changes one file of a copy, signs everything again and loads it.
fn load_changed(file: &str, change: impl FnOnce(String) -> String) -> Result<(), PackageError> {
    let copy = Copy::new();
    copy.edit(file, change);
    copy.correct_digest(file);
    let trust = copy.sign();
    load(copy.registry(), &boston(), &trust).map(drop)
}

#[test]
fn every_real_package_loads() {
    let models = block_on(registry(&real_registry()).list()).unwrap();
    assert!(models.len() >= 2, "{models:?}");
    for model in models {
        let loaded = load(&real_registry(), &model, &real_trust()).unwrap();
        assert_eq!(*loaded.version(), model);
        assert!(loaded.forest.tree_count() > 0);
    }
}

#[test]
fn a_copy_signed_by_a_trusted_key_loads() {
    let copy = Copy::new();
    let trust = copy.sign();
    load(copy.registry(), &boston(), &trust).unwrap();
}

#[test]
fn an_unsigned_package_is_refused() {
    let copy = Copy::new();
    fs::remove_file(copy.path("model.toml.sig")).unwrap();
    let refused = load(copy.registry(), &boston(), &real_trust());
    assert!(
        matches!(&refused, Err(PackageError::Missing { file }) if file == "model.toml.sig"),
        "{:?}",
        refused.err()
    );
}

#[test]
fn an_altered_manifest_is_refused() {
    let copy = Copy::new();
    copy.edit("model.toml", |text| {
        text.replacen("approve_at_least = ", "approve_at_least = 1", 1)
    });
    let refused = load(copy.registry(), &boston(), &real_trust());
    assert!(matches!(refused, Err(PackageError::Signature(_))));
}

#[test]
fn a_package_of_an_untrusted_key_is_refused() {
    let copy = Copy::new();
    copy.sign();
    let refused = load(copy.registry(), &boston(), &real_trust());
    assert!(matches!(refused, Err(PackageError::Signature(_))));
}

#[test]
fn every_altered_file_is_refused() {
    for file in [
        "model.txt",
        "reference.csv",
        "golden.csv",
        "DATASHEET.md",
        "MODEL_CARD.md",
    ] {
        let copy = Copy::new();
        copy.edit(file, |text| text + "\n");
        let refused = load(copy.registry(), &boston(), &real_trust());
        assert!(
            matches!(&refused, Err(PackageError::Altered { file: named }) if named == file),
            "{file}: {:?}",
            refused.err()
        );
    }
}

#[test]
fn a_package_in_another_folder_is_refused() {
    let copy = Copy::new();
    let folder = copy.registry().join("boston-hmda/2");
    fs::rename(copy.registry().join("boston-hmda/1"), folder).unwrap();
    let refused = load(
        copy.registry(),
        &"boston-hmda/2".parse().unwrap(),
        &real_trust(),
    );
    assert!(matches!(refused, Err(PackageError::OtherModel { .. })));
}

#[test]
fn a_missing_package_is_not_found() {
    let refused = load(
        &real_registry(),
        &"boston-hmda/999".parse().unwrap(),
        &real_trust(),
    );
    assert!(matches!(refused, Err(PackageError::NotFound { .. })));
}

#[test]
fn golden_rows_must_come_out() {
    // The first margin below the header gets another sign.
    let flip = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut fields: Vec<String> = lines[1].split(',').map(str::to_owned).collect();
        let margin = fields.len() - 2;
        fields[margin] = format!("{}", -fields[margin].parse::<f64>().unwrap());
        lines[1] = fields.join(",");
        lines.join("\n") + "\n"
    };
    let refused = load_changed("golden.csv", flip);
    assert!(
        matches!(refused, Err(PackageError::Golden { row: 1, .. })),
        "{refused:?}"
    );
}

#[test]
fn golden_probabilities_and_blank_margins_count_too() {
    let edit = |column_from_end: usize, text: &'static str| {
        move |file: String| {
            let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
            let mut fields: Vec<String> = lines[1].split(',').map(str::to_owned).collect();
            let column = fields.len() - column_from_end;
            text.clone_into(&mut fields[column]);
            lines[1] = fields.join(",");
            lines.join("\n") + "\n"
        }
    };
    let wrong = load_changed("golden.csv", edit(1, "0.5000001"));
    assert!(
        matches!(wrong, Err(PackageError::Golden { row: 1, .. })),
        "{wrong:?}"
    );
    let blank = load_changed("golden.csv", edit(2, ""));
    assert!(matches!(blank, Err(PackageError::Rows { .. })), "{blank:?}");
}

#[test]
fn too_few_golden_rows_prove_nothing() {
    let few = |text: String| text.lines().take(10).collect::<Vec<_>>().join("\n") + "\n";
    assert!(matches!(
        load_changed("golden.csv", few),
        Err(PackageError::Rows { .. })
    ));
}

#[test]
fn a_model_file_with_other_features_is_refused() {
    let rename = |text: String| text.replace("feature_names=", "feature_names=x");
    let refused = load_changed("model.txt", rename);
    assert!(
        matches!(refused, Err(PackageError::Features)),
        "{refused:?}"
    );
}

#[test]
fn a_reference_population_of_another_size_is_refused() {
    let shorter = |text: String| text.lines().take(20).collect::<Vec<_>>().join("\n") + "\n";
    assert!(matches!(
        load_changed("reference.csv", shorter),
        Err(PackageError::Rows { .. })
    ));
}

/// What a trust policy of these tables says to a copy that these keys signed.
fn load_trusting(key_ids: &[&str], policy: &str) -> Result<(), String> {
    let copy = Copy::new();
    copy.sign_as(key_ids);
    let trust = TrustPolicy::parse(policy).unwrap();
    load(copy.registry(), &boston(), &trust)
        .map(drop)
        .map_err(|error| describe(&error))
}

#[test]
fn revoked_and_expired_keys_vouch_for_nothing() {
    let revoked = "revoked = { at = \"2026-05-04T03:02:01Z\", reason = \"laptop stolen\" }";
    let refused = load_trusting(&["old"], &key_table("old", revoked)).unwrap_err();
    assert!(
        refused.contains("revoked at 2026-05-04T03:02:01.000000Z: laptop stolen"),
        "{refused}"
    );
    let expired = "not_after = \"2026-11-24T23:59:59Z\"";
    let refused = load_trusting(&["old"], &key_table("old", expired)).unwrap_err();
    assert!(refused.contains("expired at 2026-11-24"), "{refused}");
    // The new key's signature beside the old one's carries the package over.
    let both =
        key_table("old", revoked) + &key_table("new", "not_before = \"2026-11-01T00:00:00Z\"");
    assert_eq!(load_trusting(&["old", "new"], &both), Ok(()));
}

#[test]
fn a_policy_may_ask_for_two_signatures() {
    let two = format!(
        "required_signatures = 2\n{}{}",
        key_table("a", ""),
        key_table("b", "")
    );
    assert_eq!(load_trusting(&["a", "b"], &two), Ok(()));
    let refused = load_trusting(&["a"], &two).unwrap_err();
    assert!(refused.contains("1 of 2 required signatures"), "{refused}");
}

/// A copy as format 2, with further text, signed again.
fn load_format_2(change: impl FnOnce(String) -> String) -> Result<(), String> {
    let copy = Copy::new();
    let raised = |text: String| text.replacen("manifest_format = 1", "manifest_format = 2", 1);
    copy.edit("model.toml", |text| change(raised(text)));
    let trust = copy.sign();
    load(copy.registry(), &boston(), &trust)
        .map(drop)
        .map_err(|error| describe(&error))
}

#[test]
fn packages_of_format_1_and_2_both_load() {
    // Format 1 is what every real package is.
    assert_eq!(load_format_2(|text| text), Ok(()));
    for kernel in ["class-masks", "arena", "plain"] {
        let pinned = format!("\n[engine]\nkernel = \"{kernel}\"\n");
        assert_eq!(load_format_2(|text| text + &pinned), Ok(()), "{kernel}");
    }
}

#[test]
fn a_package_of_an_xgboost_model_loads_by_its_own_tolerances() {
    let copy = Copy::new();
    let rows = fs::read_to_string(copy.path("golden.csv")).unwrap();
    let mut names: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    names.truncate(names.len() - 2);
    // A golden model of XGBoost that asks three features, with the package's ten.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fcs-forest/tests/golden/xgboost/v3_logistic.json");
    let mut document: serde_json::Value =
        serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let learner = &mut document["learner"];
    let count = serde_json::json!(names.len().to_string());
    learner["feature_names"] = serde_json::json!(names);
    learner["feature_types"] = serde_json::json!(vec!["float"; names.len()]);
    learner["learner_model_param"]["num_feature"] = count.clone();
    let trees = &mut learner["gradient_booster"]["model"]["trees"];
    for tree in trees.as_array_mut().unwrap() {
        tree["tree_param"]["num_feature"] = count.clone();
    }
    let bytes = document.to_string();
    let model = fcs_forest::Model::read(bytes.as_bytes(), fcs_forest::Format::XgBoostJson).unwrap();
    copy.edit("model.txt", |_| bytes);
    copy.edit("golden.csv", |text| {
        let mut lines: Vec<String> = text.lines().take(1).map(str::to_owned).collect();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').take(names.len()).collect();
            let row: Vec<f64> = cells
                .iter()
                .map(|it| it.parse().unwrap_or(f64::NAN))
                .collect();
            let margin = model.margin(&row);
            // XGBoost tells probabilities in single precision.
            #[expect(clippy::cast_possible_truncation, reason = "rounding is what is meant")]
            let probability = model.probability(margin) as f32;
            lines.push(format!("{},{margin},{probability}", cells.join(",")));
        }
        lines.join("\n") + "\n"
    });
    copy.edit("model.toml", |text| {
        let text = text.replacen("manifest_format = 1", "manifest_format = 2", 1);
        text.replacen("lightgbm-text", "xgboost-json", 1)
    });
    copy.correct_digest("model.txt");
    copy.correct_digest("golden.csv");
    let trust = copy.sign();
    let loaded = load(copy.registry(), &boston(), &trust);
    assert!(loaded.is_ok(), "{}", describe(&loaded.err().unwrap()));
}

#[test]
fn what_this_release_cannot_compute_is_refused() {
    let unknown = load_format_2(|text| text + "\n[engine]\nkernel = \"abacus\"\n");
    assert_eq!(
        unknown,
        Err("the kernel \"abacus\" cannot compute this model here".into())
    );
    let lied = load_format_2(|text| text.replacen("lightgbm-text", "onnx", 1));
    assert!(lied.is_err(), "LightGBM's text is no ONNX");
    let newer =
        load_format_2(|text| text.replacen("manifest_format = 2", "manifest_format = 4", 1));
    let newer = newer.unwrap_err();
    assert!(
        newer.contains("newer than this release, which reads 1 to 3"),
        "{newer}"
    );
}
