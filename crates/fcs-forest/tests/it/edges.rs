//! Models whose shape is unusual but whose numbers must be right.

use std::fmt::Write;

use fcs_forest::{Attributor, Engine, Kernel, PathAttributor};

use crate::read;

const HEADER: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n\
    objective=binary sigmoid:1\nfeature_names=a b\ntree_sizes=1\n\n";
const END: &str = "\n\n\nend of trees\n\nparameters:\nend of parameters\n";

/// Whether base and contributions give the margin, by both attributions.
fn check_additivity(text: &str, rows: &[Vec<f64>]) {
    let model = read(text).unwrap();
    let paths = PathAttributor::new(&model).unwrap();
    let population = Attributor::new(&model, rows).unwrap();
    for row in rows {
        let margin = model.margin(row);
        let along_paths = paths.base_margin() + paths.contributions(row).iter().sum::<f64>();
        assert!(
            (along_paths - margin).abs() < 1e-12,
            "{row:?}: {along_paths} {margin}"
        );
        let of_population =
            population.base_margin() + population.contributions(row).iter().sum::<f64>();
        assert!(
            (of_population - margin).abs() < 1e-12,
            "{row:?}: {of_population} {margin}"
        );
        assert_eq!(Engine::new(&model).margin(row).to_bits(), margin.to_bits());
    }
}

#[test]
fn a_split_that_no_value_fails_has_its_share_of_the_training_data() {
    // Every value is at most infinity, yet three of ten training rows went right.
    let tree = "Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=inf 0.5\ndecision_type=10 10\n\
        left_child=1 -1\nright_child=-2 -3\nleaf_value=1 20 3\ninternal_count=10 7\nleaf_count=4 3 3\nshrinkage=1";
    let rows = [vec![0.0, 0.0], vec![5.0, 1.0], vec![f64::NAN, f64::NAN]];
    check_additivity(&format!("{HEADER}{tree}{END}"), &rows);
}

#[test]
fn one_column_with_hundreds_of_thresholds_is_attributed() {
    const NODES: usize = 300;
    let mut tree = format!("Tree=0\nnum_leaves={}\nnum_cat=0", NODES + 1);
    let mut line = |name: &str, entry: &dyn Fn(usize) -> String, count: usize| {
        let entries: Vec<String> = (0..count).map(entry).collect();
        write!(tree, "\n{name}={}", entries.join(" ")).unwrap();
    };
    line("split_feature", &|_| "0".into(), NODES);
    line("threshold", &|node| node.to_string(), NODES);
    line("decision_type", &|_| "10".into(), NODES);
    line("left_child", &|node| format!("-{}", node + 1), NODES);
    let right = |node: usize| {
        if node + 1 < NODES {
            (node + 1).to_string()
        } else {
            format!("-{}", NODES + 1)
        }
    };
    line("right_child", &right, NODES);
    line("leaf_value", &|leaf| (leaf % 7).to_string(), NODES + 1);
    line(
        "internal_count",
        &|node| (NODES + 1 - node).to_string(),
        NODES,
    );
    line("leaf_count", &|_| "1".into(), NODES + 1);
    let text = format!("{HEADER}{tree}{END}");
    let rows: Vec<Vec<f64>> = [-1.0, 0.0, 0.5, 150.0, 299.0, 1e9, f64::NAN]
        .map(|value| vec![value, 0.0])
        .into();
    check_additivity(&text, &rows);
    assert_eq!(Engine::new(&read(&text).unwrap()).kernel(), Kernel::Arena);
}
