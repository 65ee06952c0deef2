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

/// A tree whose left branches are leaves: value v goes past the nodes whose numbers are below it.
fn chain(node_count: usize) -> String {
    let mut tree = format!("Tree=0\nnum_leaves={}\nnum_cat=0", node_count + 1);
    let mut line = |name: &str, entry: &dyn Fn(usize) -> String, count: usize| {
        let entries: Vec<String> = (0..count).map(entry).collect();
        write!(tree, "\n{name}={}", entries.join(" ")).unwrap();
    };
    line("split_feature", &|_| "0".into(), node_count);
    line("threshold", &|node| node.to_string(), node_count);
    line("decision_type", &|_| "10".into(), node_count);
    line("left_child", &|node| format!("-{}", node + 1), node_count);
    let right = |node: usize| {
        if node + 1 < node_count {
            (node + 1).to_string()
        } else {
            format!("-{}", node_count + 1)
        }
    };
    line("right_child", &right, node_count);
    line("leaf_value", &|leaf| (leaf % 7).to_string(), node_count + 1);
    line(
        "internal_count",
        &|node| (node_count + 1 - node).to_string(),
        node_count,
    );
    line("leaf_count", &|_| "1".into(), node_count + 1);
    format!("{HEADER}{tree}{END}")
}

#[test]
fn one_column_with_hundreds_of_thresholds_is_attributed() {
    let text = chain(300);
    let rows: Vec<Vec<f64>> = [-1.0, 0.0, 0.5, 150.0, 299.0, 1e9, f64::NAN]
        .map(|value| vec![value, 0.0])
        .into();
    check_additivity(&text, &rows);
    assert_eq!(Engine::new(&read(&text).unwrap()).kernel(), Kernel::Arena);
}

#[test]
fn chains_around_the_limit_of_slices_give_the_bits_of_the_walk_to_many_rows() {
    for node_count in [254, 255, 256] {
        let model = read(&chain(node_count)).unwrap();
        let engine = Engine::new(&model);
        let values = (0..node_count + 2).map(|value| value as f64 - 0.5);
        let rows: Vec<[f64; 2]> = values.chain([f64::NAN]).map(|value| [value, 0.0]).collect();
        let mut margins = vec![f64::NAN; rows.len()];
        engine.margins(rows.as_flattened(), &mut margins);
        for (row, margin) in rows.iter().zip(margins) {
            assert_eq!(
                margin.to_bits(),
                model.margin(row).to_bits(),
                "{node_count} {row:?}"
            );
        }
    }
}
