//! Graphs that are refused, and by what name; and bytes that are no graph.

use fcs_forest::Format;
use proptest::prelude::*;
use prost::Message;

use super::graph::{
    Model, float, float_tensor, floats, info, int, ints, modes, node, small, string, strings,
    whole_tensor,
};

type Change = fn(&mut Model);

fn read(model: &Model) -> Result<fcs_forest::Model, fcs_forest::ReadError> {
    fcs_forest::Model::read(&model.encode_to_vec(), Format::Onnx)
}

#[test]
fn the_small_model_is_read() {
    let model = read(&small()).unwrap();
    assert_eq!(model.margin(&[0.5, 1.5]), 1.25);
    assert_eq!(model.margin(&[f64::NAN, 1.6]), 2.25);
    assert_eq!(model.margin(&[0.0, f64::NAN]), 2.25);
    assert_eq!(model.margin(&[0.6, 0.0]), 4.25);
    // The base is a tree of one leaf.
    assert_eq!((model.tree_count(), model.leaf_count()), (2, 4));
}

#[rustfmt::skip]
const DEFECTS: &[(Change, &str)] = &[
    (|m| m.graph = None, "onnx: `graph` is missing"),
    (|m| m.opset_import.clear(), "`opset_import` is missing"),
    (|m| m.opset_import[1].version = 6, "`opset_import[1]` asks for `6`, which is not supported"),
    (|m| m.opset_import[0].version = 0, "`opset_import[0]` asks for `0`"),
    (|m| m.functions.push(m.opset_import[0].clone()), "`functions` asks for"),
    (|m| m.graph().node[0].op_type = "Softplus".into(), "`graph.node[0] (Softplus).op_type` asks for `Softplus`, which is not supported; supported: ArrayFeatureExtractor"),
    (|m| m.graph().node[0].op_type = "SVMClassifier".into(), "`graph.node[0] (SVMClassifier).op_type` asks for `SVMClassifier`"),
    (|m| m.graph().node[1].op_type = "TreeEnsemble".into(), "`graph.node[1] (TreeEnsemble).op_type` asks for `TreeEnsemble`"),
    (|m| m.graph().node[0].domain = "com.example".into(), "`graph.node[0] (Scaler).domain` asks for `com.example`"),
    (|m| m.put_first(node("MatMul", &["x", "x"], &[], vec![])), "`graph.node[0] (MatMul).input[1]` must be a constant"),
    (|m| m.put_first(node("Normalizer", &["x"], &[], vec![string("norm", "L1")])), "`graph.node[0] (Normalizer).input[0]` must be two probabilities"),
    (|m| m.put_first(node("Add", &["x", "x"], &[], vec![])), "`graph.node[0] (Add).input` must be columns of one feature each, and a constant"),
    (|m| { m.constant(float_tensor("c", &[1.0; 3])); m.put_first(node("Add", &["x", "c"], &[], vec![])); }, "`graph.node[0] (Add).input[1]` has 3 values, expected 2"),
    (|m| { m.constant(whole_tensor("c", &[1])); m.put_first(node("Add", &["x", "c"], &[], vec![])); }, "`graph.node[0] (Add).input` must be float or double"),
    (|m| { m.constant(whole_tensor("c", &[2])); m.put_first(node("Gather", &["x", "c"], &[], vec![int("axis", 1)])); }, "`graph.node[0] (Gather).input[1]` must be indices of the columns"),
    (|m| { m.constant(whole_tensor("c", &[2])); m.put_first(node("Gather", &["x", "c"], &[], vec![int("axis", 0)])); }, "`graph.node[0] (Gather).axis` asks for `0`"),
    (|m| { m.constant(whole_tensor("c", &[1, -1])); m.put_first(node("Reshape", &["x", "c"], &[], vec![])); }, "`graph.node[0] (Reshape).input[1]` must be [-1, columns]"),
    (|m| m.put_first(node("Cast", &["x"], &[], vec![int("to", 8)])), "`graph.node[0] (Cast).to` asks for `8`"),
    (|m| m.put_first(node("Concat", &["x", "x"], &[], vec![int("axis", 1)])), "`graph.node[1] (Scaler).offset` has 2 values, expected 4"),
    (|m| m.put_first(node("Concat", &["x", "x"], &[], vec![])), "`graph.node[0] (Concat).axis` is missing"),
    (|m| m.put_first(node("Imputer", &["x"], &[], vec![])), "`graph.node[0] (Imputer).imputed_value` is missing"),
    (|m| m.put_first(node("Imputer", &["x"], &[], vec![floats("imputed_value_floats", &[0.0; 3])])), "`graph.node[0] (Imputer).imputed_value` has 3 values, expected 2"),
    (|m| m.put_first(node("OneHotEncoder", &["x"], &[], vec![])), "`graph.node[0] (OneHotEncoder).cats_int64s` is missing"),
    (|m| m.put_first(node("OneHotEncoder", &["x"], &[], vec![ints("cats_int64s", &[1]), int("zeros", 0)])), "`graph.node[0] (OneHotEncoder).zeros` asks for `0`"),
    (|m| m.put_first(node("LabelEncoder", &["x"], &[], vec![floats("keys_floats", &[1.0, 1.0]), floats("values_floats", &[1.0, 1.0])])), "`graph.node[0] (LabelEncoder).keys` must be numbers that occur once"),
    (|m| m.put_first(node("LabelEncoder", &["x"], &[], vec![ints("keys_int64s", &[1]), ints("values_int64s", &[1])])), "`graph.node[0] (LabelEncoder).keys` must be numbers of the input's type"),
    (|m| m.put_first(node("Binarizer", &["x"], &[], vec![float("limit", 1.0)])), "`graph.node[0] (Binarizer).limit` is refused: an attribute that is not known"),
    (|m| m.put_first(node("Binarizer", &["x"], &[], vec![int("threshold", 1)])), "`graph.node[0] (Binarizer).threshold` must be a float"),
    (|m| m.put_first(node("FeatureVectorizer", &["x"], &[], vec![ints("inputdimensions", &[3])])), "`graph.node[0] (FeatureVectorizer).inputdimensions` must be the widths"),
    (|m| m.graph().node[0].input[0] = "y".into(), "`graph.node[0] (Scaler).input[0]` must be the name of an earlier value"),
    (|m| m.graph().node[0].input.clear(), "`graph.node[0] (Scaler).input[0]` is missing"),
    (|m| m.graph().node[0].output.push("z".into()), "`graph.node[0] (Scaler).output` has 2 values, expected 1"),
    (|m| m.graph().node[0].output[0] = "x".into(), "`graph.node[0] (Scaler)` is repeated"),
    (|m| { let copy = m.graph().node[0].attribute[0].clone(); m.graph().node[0].attribute.push(copy); }, "`graph.node[0] (Scaler).offset` is repeated"),
    (|m| m.unset(0, "scale"), "`graph.node[0] (Scaler).scale` is missing"),
    (|m| m.graph().input[0] = info("x", 9, Some(2)), "`graph.input[0].type` asks for `9`"),
    (|m| m.graph().input[0] = info("x", 8, Some(2)), "`graph.node[0] (Scaler).input[0]` must be columns of numbers"),
    (|m| m.graph().input[0] = info("x", 1, None), "`graph.input[0].type.shape` must be 1 to 10,000 columns"),
    (|m| m.graph().input[0] = info("x", 1, Some(0)), "`graph.input[0].type.shape` must be 1 to 10,000 columns"),
    (|m| m.graph().input[0].kind = None, "`graph.input[0].type` must be a tensor"),
    (|m| m.graph().input.push(info("y", 1, Some(1))), "`graph.input[0]` must be one input of at most 10,000 columns"),
    (|m| m.graph().input.clear(), "`graph.input` must be features of different names"),
    (|m| m.graph().output[1].name = "scaled".into(), "`graph.output[1]` must be the scores of the model"),
    (|m| m.graph().output[0].name = "scores".into(), "`graph.output[1]` must be the scores of the model, once"),
    (|m| { m.graph().output.pop(); }, "`graph.output` is missing"),
    (|m| { let mut c = float_tensor("c", &[1.0]); c.dims = vec![2]; m.constant(c); }, "`graph.initializer[0].data` has 1 values, expected 2"),
    (|m| { let mut c = float_tensor("c", &[1.0]); c.dims = vec![1 << 40, 1 << 40]; m.constant(c); }, "`graph.initializer[0].dims` must be lengths from 0"),
    (|m| { let mut c = float_tensor("c", &[]); c.raw_data = vec![0; 5]; m.constant(c); }, "`graph.initializer[0].raw_data` must be whole numbers"),
    (|m| { let mut c = float_tensor("c", &[]); c.data_location = 1; m.constant(c); }, "`graph.initializer[0].data_location` asks for `external`"),
    (|m| { let mut c = float_tensor("c", &[]); c.data_type = 10; m.constant(c); }, "`graph.initializer[0].data_type` asks for `10`"),
    (|m| { m.constant(float_tensor("c", &[2.0])); m.put_last(node("Mul", &["scores", "c"], &["p"], vec![])); }, "`graph.node[2] (Mul)` must be scores before their link"),
    (|m| m.put_last(node("Sigmoid", &["scores"], &["p"], vec![])), "`graph.node[2] (Sigmoid).input[0]` must be the scores of a model, which have no link yet"),
    (|m| m.put_last(node("Normalizer", &["scores"], &["p"], vec![string("norm", "L2")])), "`graph.node[2] (Normalizer).norm` asks for `L2`"),
    (|m| { m.set(1, string("post_transform", "NONE")); m.put_last(node("Normalizer", &["scores"], &["p"], vec![string("norm", "L1")])); }, "`graph.node[2] (Normalizer).input[0]` must be two probabilities"),
    (|m| m.set(1, string("post_transform", "PROBIT")), "post_transform` asks for `PROBIT`, which is not supported; supported: NONE and LOGISTIC"),
    (|m| m.set(1, ints("classlabels_int64s", &[0, 1, 2])), "classlabels` has 3 values, expected 2"),
    (|m| m.set(1, ints("class_ids", &[0, 1, 2])), "class_ids` must be 0 and 1"),
    (|m| m.set(1, ints("class_ids", &[1, 1, 1])), "base_values` must be one number, with weights of class 0 alone"),
    (|m| m.set(1, ints("class_ids", &[0, 0])), "class_ids` has 2 values, expected 3"),
    (|m| m.set(1, floats("base_values", &[0.1, 0.2])), "base_values` must be one number"),
    (|m| m.set(1, floats("base_values", &[f32::NAN])), "base_values[0]` must be a finite number"),
    (|m| m.set(1, floats("class_weights", &[1.0, f32::INFINITY, 1.0])), "class_weights[1]` must be a finite number"),
    (|m| m.set(1, ints("class_nodeids", &[2, 3, 3])), "class_nodeids[2]` must be a leaf that has no weight yet"),
    (|m| m.set(1, ints("class_nodeids", &[2, 3, 1])), "class_nodeids` must be leaves of the trees"),
    (|m| m.set(1, ints("class_treeids", &[0, 0, 1])), "class_nodeids` must be leaves of the trees"),
    (|m| m.set(1, floats("nodes_values", &[0.5])), "nodes_values` has 1 values, expected 5"),
    (|m| m.set(1, floats("nodes_values", &[f32::NAN, 1.0, 0.0, 0.0, 0.0])), "nodes_values[0]` must be a number"),
    (|m| m.set(1, ints("nodes_featureids", &[2, 0, 0, 0, 0])), "nodes_featureids[0]` must be the index of a column"),
    (|m| m.set(1, ints("nodes_featureids", &[-1, 0, 0, 0, 0])), "nodes_featureids[0]` must be the index of a column"),
    (|m| m.set(1, ints("nodes_truenodeids", &[9, 2, 0, 0, 0])), "nodes_truenodeids[0]` must be the id of a node of the tree"),
    (|m| m.set(1, ints("nodes_truenodeids", &[0, 2, 0, 0, 0])), "nodes_treeids[0]` is not a tree: a leaf lies deeper than 512 splits"),
    (|m| m.set(1, ints("nodes_falsenodeids", &[3, 3, 0, 0, 0])), "nodes_treeids[0]` is not a tree: 1 nodes and leaves cannot be reached"),
    (|m| m.set(1, ints("nodes_nodeids", &[0, 1, 2, 3, 3])), "nodes_nodeids[4]` must be a number that is new in its tree"),
    (|m| { m.set(1, ints("nodes_nodeids", &[0, 1, 2, 3, -4])); m.set(1, ints("nodes_falsenodeids", &[-4, 3, 0, 0, 0])); m.set(1, ints("class_nodeids", &[2, 3, -4])); }, "nodes_nodeids[4]` must be a number from 0"),
    (|m| m.set(1, ints("nodes_treeids", &[0, 1, 0, 0, 0])), "graph.node[1] (TreeEnsembleClassifier)."),
    (|m| m.set(1, ints("nodes_missing_value_tracks_true", &[1])), "nodes_missing_value_tracks_true` has 1 values, expected 5"),
    (|m| m.set(1, modes(&["BRANCH_MEMBER", "LEAF", "LEAF", "LEAF", "LEAF"])), "nodes_modes[0]` asks for `BRANCH_MEMBER`"),
    (|m| m.set(1, modes(&["LEAF", "LEAF", "LEAF", "LEAF", "LEAF"])), "nodes_treeids[0]` is not a tree: 4 nodes and leaves cannot be reached"),
    (|m| m.set(1, int("n_supports", 1)), "n_supports` is refused: an attribute that is not known"),
];

#[test]
fn each_defect_is_refused_by_name() {
    for (number, (change, message)) in DEFECTS.iter().enumerate() {
        let mut model = small();
        change(&mut model);
        let found = read(&model).expect_err(message).to_string();
        assert!(
            found.contains(message),
            "{number}: {found}\nexpected {message}"
        );
        assert!(found.len() < 600, "{found}");
    }
}

#[test]
fn copies_of_a_model_are_limited() {
    // A model that is added to itself again and again: 2^n copies.
    let mut model = small();
    model.set(1, string("post_transform", "NONE"));
    for index in 0..30 {
        let (from, to) = (format!("s{index}"), format!("s{}", index + 1));
        let from = if index == 0 { "scores" } else { &from };
        model.put_last(node("Add", &[from, from], &[&to], vec![]));
    }
    let found = read(&model).unwrap_err().to_string();
    assert!(found.contains("at most 10,000 trees in all"), "{found}");
}

#[test]
fn texts_are_read_by_their_encoders_alone() {
    let texts = |cats: &[&str]| {
        let mut model = small();
        model.graph().input[0] = info("x", 8, Some(1));
        let encoder = vec![strings("cats_strings", cats)];
        model.put_first(node("OneHotEncoder", &["x"], &[], encoder));
        let width = vec![int("axis", 1)];
        let flat = node("Flatten", &["first"], &["flat"], width);
        let graph = model.graph();
        graph.node.insert(1, flat);
        graph.node[1].domain = String::new();
        graph.node[2].input[0] = "flat".to_owned();
        model
    };
    let model = read(&texts(&["north", "south"])).unwrap();
    assert_eq!(model.category_names(0), ["north", "south"]);
    // The first column is "is north", the second "is south".
    for (code, margin) in [(0.0, 4.25), (1.0, 1.25), (2.0, 1.25), (f64::NAN, 1.25)] {
        assert_eq!(model.margin(&[code]), margin, "{code}");
    }
    let found = read(&texts(&["north", "north"])).unwrap_err().to_string();
    assert!(
        found.contains("cats_strings` must be texts that occur once"),
        "{found}"
    );
    let mut numbers = texts(&["north", "south"]);
    numbers.set(0, ints("cats_int64s", &[1, 2]));
    numbers.unset(0, "cats_strings");
    let found = read(&numbers).unwrap_err().to_string();
    assert!(found.contains("cats_strings` is missing"), "{found}");
}

#[test]
fn steps_are_limited() {
    let mut model = small();
    let threshold = || vec![floats("offset", &[0.0]), floats("scale", &[1.0])];
    for _ in 0..40 {
        model.put_first(node("Scaler", &["x"], &[], threshold()));
        let graph = model.graph();
        graph.node[1].input[0] = "first".to_owned();
        for (index, node) in graph.node.iter_mut().enumerate() {
            if node.op_type == "Scaler" {
                node.output[0] = format!("v{index}");
                node.input[0] = if index == 0 {
                    "x".to_owned()
                } else {
                    format!("v{}", index - 1)
                };
            } else {
                node.input[0] = format!("v{}", index - 1);
            }
        }
    }
    let found = read(&model).unwrap_err().to_string();
    assert!(found.contains("at most 64 steps per column"), "{found}");
    let categories: Vec<i64> = (0..10_000).collect();
    let mut model = small();
    model.graph().input[0] = info("x", 1, Some(10_000));
    model.put_first(node(
        "OneHotEncoder",
        &["x"],
        &[],
        vec![ints("cats_int64s", &categories)],
    ));
    let found = read(&model).unwrap_err().to_string();
    assert!(found.contains("and a million in all"), "{found}");
}

#[test]
fn shared_branches_are_copied_up_to_a_limit() {
    // A ladder of 24 nodes, both of whose sides lead to the next: 2^24 leaves.
    let mut model = small();
    let rungs: Vec<i64> = (0..24).collect();
    let next: Vec<i64> = (1..25).chain([0]).collect();
    let ladder: Vec<&str> = rungs.iter().map(|_| "BRANCH_LEQ").chain(["LEAF"]).collect();
    let nodes: Vec<i64> = (0..25).collect();
    model.set(1, ints("nodes_treeids", &[0; 25]));
    model.set(1, ints("nodes_nodeids", &nodes));
    model.set(1, ints("nodes_featureids", &[0; 25]));
    model.set(1, modes(&ladder));
    model.set(1, floats("nodes_values", &[0.0; 25]));
    model.set(1, ints("nodes_truenodeids", &next));
    model.set(1, ints("nodes_falsenodeids", &next));
    model.set(1, ints("nodes_missing_value_tracks_true", &[0; 25]));
    model.set(1, ints("class_treeids", &[0]));
    model.set(1, ints("class_nodeids", &[24]));
    model.set(1, ints("class_ids", &[0]));
    model.set(1, floats("class_weights", &[1.0]));
    let found = read(&model).unwrap_err().to_string();
    assert!(found.contains("at most 65,536 leaves per tree"), "{found}");
}

#[test]
fn every_cut_is_refused() {
    let bytes = small().encode_to_vec();
    for end in 0..bytes.len() {
        // The last set of operators and what it holds may be lost without a loss of meaning.
        if let Ok(model) = fcs_forest::Model::read(&bytes[..end], Format::Onnx) {
            assert_eq!(model.margin(&[0.5, 1.5]), 1.25);
        }
    }
    for bytes in [
        &b""[..],
        b"tree\n",
        &[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x0b; 10_000],
    ] {
        assert!(fcs_forest::Model::read(bytes, Format::Onnx).is_err());
    }
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(
        which in 0..super::MODELS,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4),
    ) {
        let mut bytes = super::bytes(&super::names()[which]);
        for (position, bit) in flips {
            let position = position.index(bytes.len());
            bytes[position] ^= 1 << bit;
        }
        if let Ok(model) = fcs_forest::Model::read(&bytes, Format::Onnx) {
            let row = vec![0.5; model.feature_names().len()];
            let _ = model.margin(&row);
        }
    }

    #[test]
    fn cut_files_never_panic(which in 0..super::MODELS, end in any::<prop::sample::Index>()) {
        let bytes = super::bytes(&super::names()[which]);
        let end = end.index(bytes.len());
        if let Ok(model) = fcs_forest::Model::read(&bytes[..end], Format::Onnx) {
            prop_assert!(model.feature_names().len() <= 3);
        }
    }
}
