//! `TreeEnsemble` of version 5: graphs that are refused, and by what name.

use fcs_forest::{Format, Model};
use prost::Message;

use super::graph::{self, Attribute, Tensor, float_tensor, int, ints, node, small, tensor};

/// A regression of one tree with two nodes and three leaves: at most 0.5 in the first column, then a member of {2, 7} in
/// the second.
fn version5() -> graph::Model {
    let mut model = small();
    let modes = Tensor {
        dims: vec![2],
        data_type: 2,
        raw_data: vec![0, 6],
        ..Tensor::default()
    };
    model.opset_import[1].version = 5;
    model.graph().node[1] = node(
        "TreeEnsemble",
        &["scaled"],
        &["scores"],
        vec![
            ints("tree_roots", &[0]),
            tensor("nodes_modes", modes),
            ints("nodes_featureids", &[0, 1]),
            floats("nodes_splits", &[0.5, 0.0]),
            ints("nodes_truenodeids", &[1, 0]),
            ints("nodes_trueleafs", &[0, 1]),
            ints("nodes_falsenodeids", &[2, 1]),
            ints("nodes_falseleafs", &[1, 1]),
            ints("leaf_targetids", &[0; 3]),
            floats("leaf_weights", &[1.0, 2.0, 4.0]),
            floats("membership_values", &[2.0, 7.0, f32::NAN]),
        ],
    );
    model.graph().output.remove(0);
    model
}

fn floats(name: &str, numbers: &[f32]) -> Attribute {
    tensor(name, float_tensor("", numbers))
}

fn read(model: &graph::Model) -> Result<Model, fcs_forest::ReadError> {
    Model::read(&model.encode_to_vec(), Format::Onnx)
}

#[test]
fn the_small_model_is_read() {
    let model = read(&version5()).unwrap();
    for (row, margin, leaf) in [
        ([0.5, 2.0], 1.0, 0),
        ([0.5, 7.0], 1.0, 0),
        ([0.5, 2.5], 2.0, 1),
        ([0.5, f64::NAN], 2.0, 1),
        ([0.6, 2.0], 4.0, 2),
        ([f64::NAN, 2.0], 4.0, 2),
    ] {
        assert_eq!(model.margin(&row), margin, "{row:?}");
        assert_eq!(model.leaf_ids(&row), [leaf], "{row:?}");
    }
}

type Change = fn(&mut graph::Model);

#[rustfmt::skip]
const DEFECTS: &[(Change, &str)] = &[
    (|m| m.opset_import[1].version = 4, "op_type` asks for `TreeEnsemble`"),
    (|m| m.graph().node[1].op_type = "TreeEnsembleRegressor".into(), "op_type` asks for `TreeEnsembleRegressor`"),
    (|m| m.set(1, int("n_targets", 2)), "n_targets` must be 1"),
    (|m| m.set(1, int("aggregate_function", 2)), "aggregate_function` asks for `2`, which is not supported; supported: 0 (AVERAGE)"),
    (|m| m.set(1, int("post_transform", 2)), "post_transform` asks for `2`, which is not supported; supported: 0 (NONE)"),
    (|m| m.unset(1, "nodes_splits"), "nodes_splits` is missing"),
    (|m| m.unset(1, "nodes_modes"), "nodes_modes` is missing"),
    (|m| m.set(1, ints("nodes_modes", &[0, 6])), "nodes_modes` must be a tensor"),
    (|m| m.set(1, floats("nodes_modes", &[0.0, 6.0])), "nodes_modes` must be whole numbers"),
    (|m| m.set(1, floats("nodes_splits", &[f32::NAN, 0.0])), "nodes_splits[0]` must be a number"),
    (|m| m.set(1, floats("nodes_splits", &[0.0])), "has 2 values, expected 1"),
    (|m| m.set(1, floats("leaf_weights", &[1.0, f32::INFINITY, 1.0])), "leaf_weights[1]` must be a finite number"),
    (|m| m.set(1, floats("leaf_weights", &[1.0])), "leaf_targetids` has 3 values, expected 1"),
    (|m| m.set(1, ints("leaf_targetids", &[0, 1, 0])), "leaf_targetids[1]` must be 0: the only target"),
    (|m| m.set(1, ints("nodes_featureids", &[2, 0])), "nodes_featureids[0]` must be the index of a column"),
    (|m| m.set(1, ints("nodes_featureids", &[0, -1])), "nodes_featureids[1]` must be the index of a column"),
    (|m| m.set(1, ints("nodes_truenodeids", &[2, 0])), "nodes_truenodeids[0]` must be the index of a node or leaf"),
    (|m| m.set(1, ints("nodes_falsenodeids", &[3, 0])), "nodes_falsenodeids[0]` must be the index of a node or leaf"),
    (|m| m.set(1, ints("nodes_truenodeids", &[0, 0])), "tree_roots[0]` must be the root of nodes that have one place each"),
    (|m| m.set(1, ints("tree_roots", &[0, 1])), "tree_roots[1]` must be the root of nodes that have one place each"),
    (|m| m.set(1, ints("tree_roots", &[1])), "tree_roots` is not a tree: 1 nodes and leaves cannot be reached"),
    (|m| m.set(1, ints("tree_roots", &[2])), "tree_roots[0]` must be the index of a node"),
    (|m| m.set(1, ints("tree_roots", &[])), "cannot be reached"),
    (|m| m.set(1, ints("nodes_missing_value_tracks_true", &[1])), "nodes_missing_value_tracks_true` has 1 values, expected 2"),
    (|m| m.unset(1, "membership_values"), "membership_values` has 0 values, expected 1"),
    (|m| m.set(1, floats("membership_values", &[1.0, f32::NAN, 2.0])), "membership_values` has 2 values, expected 1"),
    (|m| m.set(1, floats("membership_values", &[f32::NAN, 2.0])), "membership_values` must be sets with members"),
    (|m| m.set(1, floats("membership_values", &[2.0; 600])), "tree_roots` is not a tree: a leaf lies deeper than 512 splits"),
];

#[test]
fn each_defect_is_refused_by_name() {
    for (change, message) in DEFECTS {
        let mut model = version5();
        change(&mut model);
        let found = read(&model).expect_err(message).to_string();
        assert!(found.contains(message), "{found}\nexpected {message}");
    }
}
