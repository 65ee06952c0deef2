//! Random forests as LightGBM text, and random rows that meet their thresholds, missing values and categories.

use std::fmt::Write;

use proptest::prelude::*;

pub(crate) const FEATURES: usize = 6;
/// Values that occur both as thresholds and in rows, so that ties happen.
const NUMBERS: [f64; 9] = [
    -2.0,
    -1.0,
    -1e-35,
    0.0,
    1e-36,
    1.000_000_018_002_509_5e-35,
    0.5,
    1.0,
    3.0,
];
const CATEGORIES: [f64; 8] = [-1.0, -0.5, 2.0, 31.0, 32.5, 40.0, 64.0, 3e9];
const WORDS_PER_SET: usize = 2;

/// One split: it turns an existing leaf into a node.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    pub(crate) feature: usize,
    leaf: prop::sample::Index,
    threshold: usize,
    decision_type: u8,
    set: [u32; WORDS_PER_SET],
}

/// The splits of a tree in their order, and more leaf values than it needs.
#[derive(Debug, Clone)]
pub(crate) struct TreeSpec {
    pub(crate) splits: Vec<Split>,
    leaf_values: Vec<f64>,
}

pub(crate) fn forests() -> impl Strategy<Value = Vec<TreeSpec>> {
    // Bit 0 categorical, bit 1 default left, bits 2 and 3 the missing type: all combinations.
    let split = (
        0..FEATURES,
        any::<prop::sample::Index>(),
        0..NUMBERS.len(),
        0_u8..12,
        any::<[u32; WORDS_PER_SET]>(),
    )
        .prop_map(|(feature, leaf, threshold, decision_type, set)| Split {
            feature,
            leaf,
            threshold,
            decision_type,
            set,
        });
    let tree = prop::collection::vec(split, 0..10).prop_flat_map(|splits| {
        let count = splits.len() + 1;
        prop::collection::vec(-2.0..2.0_f64, count).prop_map(move |leaf_values| TreeSpec {
            splits: splits.clone(),
            leaf_values,
        })
    });
    prop::collection::vec(tree, 1..5)
}

pub(crate) fn row() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => prop::sample::select(&NUMBERS[..]),
        3 => prop::sample::select(&CATEGORIES[..]),
        1 => Just(f64::NAN),
        2 => -3.0..70.0_f64,
    ];
    prop::collection::vec(value, FEATURES)
}

/// The text of a model, as short as the format allows.
pub(crate) fn text(forest: &[TreeSpec]) -> String {
    let names: Vec<String> = (0..FEATURES).map(|feature| format!("f{feature}")).collect();
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={}\n\
         objective=binary sigmoid:1\nfeature_names={}\ntree_sizes={}\n\n",
        FEATURES - 1,
        names.join(" "),
        vec!["0"; forest.len()].join(" "),
    );
    for (number, tree) in forest.iter().enumerate() {
        write_tree(&mut text, number, tree);
    }
    text.push_str("end of trees\n\nparameters:\nend of parameters\n");
    text
}

fn write_tree(text: &mut String, number: usize, tree: &TreeSpec) {
    let leaf_count = tree.splits.len() + 1;
    let set_count = tree
        .splits
        .iter()
        .filter(|split| split.decision_type & 1 == 1)
        .count();
    writeln!(
        text,
        "Tree={number}\nnum_leaves={leaf_count}\nnum_cat={set_count}"
    )
    .unwrap();
    let (left, right) = children(&tree.splits);
    let mut sets = Vec::new();
    let mut thresholds = Vec::new();
    for split in &tree.splits {
        if split.decision_type & 1 == 1 {
            thresholds.push((sets.len() / WORDS_PER_SET).to_string());
            sets.extend(split.set);
        } else {
            thresholds.push(format!("{:e}", NUMBERS[split.threshold]));
        }
    }
    line(
        text,
        "split_feature",
        tree.splits.iter().map(|split| split.feature),
    );
    line(text, "threshold", thresholds);
    line(
        text,
        "decision_type",
        tree.splits.iter().map(|split| split.decision_type),
    );
    line(text, "left_child", left);
    line(text, "right_child", right);
    line(text, "leaf_value", &tree.leaf_values);
    if set_count > 0 {
        line(
            text,
            "cat_boundaries",
            (0..=set_count).map(|set| set * WORDS_PER_SET),
        );
        line(text, "cat_threshold", sets);
    }
    text.push_str("is_linear=0\nshrinkage=1\n\n\n");
}

fn line<T: ToString>(text: &mut String, name: &str, values: impl IntoIterator<Item = T>) {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    writeln!(text, "{name}={}", values.join(" ")).unwrap();
}

/// Splits leaf after leaf, as LightGBM does: node i keeps the leaf's number on its left and makes leaf i + 1 on its right.
fn children(splits: &[Split]) -> (Vec<i64>, Vec<i64>) {
    let (mut left, mut right): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for (node, split) in splits.iter().enumerate() {
        let leaf = -1 - i64::try_from(split.leaf.index(node + 1)).unwrap();
        let number = i64::try_from(node).unwrap();
        for child in left
            .iter_mut()
            .chain(&mut right)
            .filter(|child| **child == leaf)
        {
            *child = number;
        }
        left.push(leaf);
        right.push(-2 - number);
    }
    (left, right)
}
