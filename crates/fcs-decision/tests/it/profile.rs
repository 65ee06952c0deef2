use fcs_decision::features::FeatureInput;
use fcs_decision::manifest::Manifest;
use fcs_decision::profile::{NO_VALUE, SCORE, VariableBins};

use crate::fixture::{MANIFEST, inputs, manifest, with};

fn bins(inputs: &crate::fixture::Inputs, score: i32) -> Vec<u16> {
    let manifest = manifest();
    manifest.bins_of(&manifest.encode(inputs).unwrap(), score)
}

#[test]
fn a_variable_has_the_bins_and_the_counts_of_its_reference() {
    let profile = manifest().profile();
    let names: Vec<_> = profile.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), 8);
    assert_eq!(names[7], SCORE);
    let limit = &profile[0];
    let edges = vec![-10.0, 1000.0, 5000.0, 1_000_000.0];
    assert_eq!(limit.bins, VariableBins::Edges(edges));
    let rows = u64::from(manifest().training.rows);
    assert_eq!(limit.reference, [rows / 4, rows / 2, rows / 4]);
    let utilization = &profile[3];
    assert_eq!(utilization.reference_missing, rows / 8);
    let all = utilization.reference.iter().sum::<u64>() + utilization.reference_missing;
    assert_eq!(all, rows);
    let categories = ["clean", "collection", "bankruptcy"].map(str::to_owned);
    assert_eq!(
        profile[4].bins,
        VariableBins::Categories(categories.to_vec())
    );
}

#[test]
fn a_bin_holds_its_lower_limit() {
    let bin = |value| bins(&with("credit_limit", FeatureInput::Number(value)), 500)[0];
    assert_eq!(
        [-10.0, 999.9, 1000.0, 4999.0, 5000.0, 1_000_000.0].map(bin),
        [1, 1, 2, 2, 3, 3]
    );
}

#[test]
fn categories_and_missing_values_have_bins() {
    let mut inputs = inputs();
    inputs.remove("utilization");
    let name = FeatureInput::Category("bankruptcy".to_owned());
    inputs.insert("public_record".to_owned(), name);
    let bins = bins(&inputs, 500);
    assert_eq!((bins[3], bins[4]), (NO_VALUE, 3));
}

#[test]
fn the_score_has_the_bins_of_its_distribution_or_equal_ones() {
    let scale = manifest().score;
    let ends = [scale.minimum, scale.maximum];
    let places = ends.map(|score| bins(&inputs(), score)[7]);
    assert_eq!(places, [1, 100]);
    assert_eq!(manifest().profile()[7].reference, [0; 100]);

    let text = MANIFEST.replace("manifest_format = 1", "manifest_format = 2")
        + "\n[score_distribution]\ndata = \"held out\"\nedges = [300, 500, 700]\nrows = [2000, 3000]\n";
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let row = manifest.encode(&inputs()).unwrap();
    let place = |score| *manifest.bins_of(&row, score).last().unwrap();
    assert_eq!(
        [299, 300, 499, 500, 700, 850].map(place),
        [1, 1, 1, 2, 2, 2]
    );
    assert_eq!(manifest.profile()[7].reference, [2000, 3000]);
}
