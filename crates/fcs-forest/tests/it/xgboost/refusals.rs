//! Documents that are refused, and by what name.

use fcs_forest::{Format, Model, limits};
use proptest::prelude::*;

use super::{NAMES, bytes};

/// A tree of a numeric root, a categorical split on its left, and two nodes that pruning has deleted.
const SMALL: &str = r#"{"learner": {"attributes": {"best_iteration": "0"}, "feature_names": ["a", "b"],
"feature_types": ["q", "c"], "gradient_booster": {"model": {"gbtree_model_param": {"num_trees": "1"},
"iteration_indptr": [0, 1], "tree_info": [0], "trees": [{"base_weights": [NaN, 0, 0, 0, 0, 0, 0],
"categories": [0, 33], "categories_nodes": [1], "categories_segments": [0], "categories_sizes": [2],
"default_left": [false, true, 0, 0, 0, 0, 0], "id": 0, "left_children": [1, 3, -1, -1, -1, -1, -1],
"loss_changes": [1E0, -Infinity, 0, 0, 0, 0, 0], "parents": [2147483647, 0, 0, 1, 1, 2, 2],
"right_children": [2, 4, -1, -1, -1, -1, -1], "split_conditions": [5E-1, NaN, 1.0E0, 2, 3, 9, 9],
"split_indices": [0, 1, 0, 0, 0, 2147483647, 2147483647], "split_type": [0, 1, 0, 0, 0, 0, 0],
"sum_hessian": [6, 5, 1, 2, 3, 0, 0], "tree_param": {"num_deleted": "2", "num_feature": "2", "num_nodes": "7",
"size_leaf_vector": "1"}}]}, "name": "gbtree"}, "learner_model_param": {"base_score": "[5E-1]",
"boost_from_average": "1", "num_class": "0", "num_feature": "2", "num_target": "1"}, "objective":
{"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}}}, "version": [3, 2, 0]}"#;

/// What of [`SMALL`] is replaced, by what, and a part of the message: one line each, whatever its length.
#[rustfmt::skip]
const DEFECTS: &[(&str, &str, &str)] = &[
    (r#"{"learner""#, r#"["learner""#, "xgboost-json: `document` must be a map"),
    (r#""version": [3, 2, 0]"#, r#""version": [3, 2, 0"#, "`version` cannot be read at byte"),
    ("}, \"version\": [3, 2, 0]}", "}}", "`version` is missing"),
    ("[3, 2, 0]}", "[3, 2, 0]} {", "`document` cannot be read at byte"),
    ("[3, 2, 0]", "[1, 6, 2]", "`version` asks for `1.6.2`, which is not supported; supported: 1.7 to 3"),
    ("[3, 2, 0]", "[4, 0, 0]", "`version` asks for `4.0.0`"),
    ("[3, 2, 0]", "[-1]", "`version[0]` must be a version"),
    (r#""learner":"#, r#""Model":"#, "`Model` is unknown"),
    (r#""attributes""#, r#""secret""#, "`learner.secret` is unknown"),
    (r#"["a", "b"]"#, r#"["a", "a"]"#, "`learner.feature_names[1]` must be a name that no other feature has"),
    (r#"["a", "b"]"#, r#"["a"]"#, "`learner.feature_names` has 1 values, expected 2"),
    (r#"["a", "b"]"#, r#"["a", 1]"#, "`learner.feature_names[1]` must be a text"),
    (r#"["a", "b"]"#, r#"["a", "\ud800"]"#, "half a surrogate pair"),
    (r#"["a", "b"]"#, r#"["a", "\x"]"#, "unknown escape"),
    ("binary:logistic", "multi:softprob", "`learner.objective.name` asks for `multi:softprob`, which is not"),
    ("binary:logistic", "survival:aft", "asks for `survival:aft`"),
    ("binary:logistic", "survival:cox", "asks for `survival:cox`"),
    ("binary:logistic", "rank:ndcg", "asks for `rank:ndcg`"),
    ("binary:logistic", "reg:quantileerror", "asks for `reg:quantileerror`"),
    (r#""name": "gbtree""#, r#""name": "gbforest""#, "`learner.gradient_booster.name` asks for `gbforest`, which is not"),
    (r#""name": "gbtree""#, r#""name": "gblinear""#, "`learner.gradient_booster.model.gbtree_model_param` is unknown"),
    (r#""name": "gbtree""#, r#""name": "dart""#, "`learner.gradient_booster.model` is unknown"),
    (r#""name": "gbtree""#, r#""weight_drop": [1], "name": "gbtree""#, "`learner.gradient_booster.weight_drop` is unknown"),
    ("[5E-1]", "[5E-1,1E0]", "`learner.learner_model_param.base_score` asks for `[5E-1,1E0]`"),
    ("[5E-1]", "nan", "`learner.learner_model_param.base_score` must be a finite number"),
    ("[5E-1]", "[5E-1", "base_score` must be a finite number"),
    ("[5E-1]", "1.1E0", "base_score` must be a score that the objective turns into a finite margin"),
    ("[5E-1]", "-1E0", "base_score` must be a score that the objective"),
    (r#""num_class": "0""#, r#""num_class": "3""#, "`learner.learner_model_param.num_class` asks for `3`"),
    (r#""num_target": "1""#, r#""num_target": "2""#, "`learner.learner_model_param.num_target` asks for `2`"),
    (r#""num_class": "0""#, r#""num_class": 0"#, "num_class` must be a text"),
    (r#""num_class": "0""#, r#""num_class": "one""#, "num_class` must be a text with a whole number"),
    (r#""num_feature": "2", "num_target""#, r#""num_feature": "10001", "num_target""#, "num_feature` must be 1 to 10,000"),
    (r#""num_feature": "2", "num_target""#, r#""num_target""#, "`learner.learner_model_param.num_feature` is missing"),
    (r#""num_class""#, r#""num_magic""#, "`learner.learner_model_param.num_magic` is unknown"),
    ("iteration_indptr", "tree_weights", "`learner.gradient_booster.model.tree_weights` is unknown"),
    ("iteration_indptr\": [0, 1]", "tree_info\": [0]", "`learner.gradient_booster.model.tree_info` is repeated"),
    ("\"tree_info\": [0]", "\"tree_info\": [1]", "model.tree_info[0]` must be 0: the only output"),
    ("\"tree_info\": [0]", "\"tree_info\": [0, 0]", "model.tree_info` has 2 values, expected 1"),
    (r#""id": 0"#, r#""leaf_weights": []"#, "model.trees[0].leaf_weights` is unknown"),
    (r#""size_leaf_vector": "1""#, r#""size_leaf_vector": "3""#, "trees[0].tree_param.size_leaf_vector` asks for `3`"),
    (r#""num_nodes": "7""#, r#""num_nodes": "8""#, "trees[0].left_children` has 7 values, expected 8"),
    (r#""num_nodes": "7""#, r#""num_nodes": "0""#, "trees[0].tree_param.num_nodes` must be at least 1"),
    (r#""num_nodes": "7""#, r#""num_nodes": "99999999999999999999""#, "num_nodes` must be a text with a whole number"),
    ("[1, 3, -1", "[1, 7, -1", "trees[0].left_children[1]` must be the number of a node, or -1"),
    ("[1, 3, -1", "[1, -2, -1", "trees[0].left_children[1]` must be the number of a node, or -1"),
    ("[1, 3, -1", "[1, -1, -1", "trees[0].left_children[1]` must be the number of a node, or -1"),
    ("[2, 4, -1", "[2, -1, -1", "trees[0].right_children[1]` must be the number of a node, or -1"),
    ("[1, 3, -1", "[1, 3000000000, -1", "trees[0].left_children[1]` must be the number of a node"),
    ("[1, 3, -1", "[1, 3.5, -1", "trees[0].left_children[1]` must be an integer"),
    ("[1, 3, -1", "[1, 0, -1", "trees[0]` is not a tree: node 1 leads to a node or leaf that is reached twice"),
    ("[1, 3, -1", "[1, 4, -1", "trees[0]` is not a tree: node 1 leads to a node or leaf that is reached twice"),
    ("[0, 1, 0, 0, 0, 2147483647, 2147483647]", "[0, 1, 0, 0, 0, 0, 2147483647]", "1 nodes and leaves cannot be reached"),
    ("[0, 1, 0, 0, 0, 2147483647, 2147483647]", "[2, 1, 0, 0, 0, 2147483647, 2147483647]", "split_indices[0]` must be the index"),
    ("[false, true", "[2, true", "trees[0].default_left[0]` must be true or false"),
    ("\"split_type\": [0, 1", "\"split_type\": [2, 1", "trees[0].split_type[0]` must be 0 or 1"),
    ("\"split_type\": [0, 1", "\"split_type\": [1, 1", "trees[0].split_type[0]` must be 0 where `categories_nodes` has no"),
    ("[5E-1, NaN, 1.0E0", "[NaN, NaN, 1.0E0", "trees[0].split_conditions[0]` must be a number"),
    ("[5E-1, NaN, 1.0E0", "[5E-1, NaN, Infinity", "trees[0].split_conditions[2]` must be finite"),
    ("[5E-1, NaN, 1.0E0", "[5E-1, NaN, 1.0E99", "trees[0].split_conditions[2]` must be finite"),
    ("[5E-1, NaN, 1.0E0", "[inf, NaN, 1.0E0", "trees[0].split_conditions[0]` must be a number"),
    ("[6, 5, 1", "[6, -5, 1", "trees[0].sum_hessian[1]` must be finite and not negative"),
    ("\"categories\": [0, 33]", "\"categories\": [0, 16777216]", "trees[0].categories[1]` must be below 16,777,216"),
    ("\"categories\": [0, 33]", "\"categories\": [0, -1]", "trees[0].categories[1]` must be a category"),
    ("\"categories\": [0, 33]", "\"categories\": [0, 33, 1]", "trees[0].categories` has 3 values, expected 2"),
    ("\"categories_nodes\": [1]", "\"categories_nodes\": [0]", "trees[0].split_type[1]` must be 0 where"),
    ("\"categories_segments\": [0]", "\"categories_segments\": [1]", "trees[0].categories_segments[0]` must be the end"),
    ("\"categories_sizes\": [2]", "\"categories_sizes\": [0]", "trees[0].categories_sizes[0]` must be the length of a set"),
    ("\"categories_sizes\": [2]", "\"categories_sizes\": [3]", "trees[0].categories_sizes[0]` must be the length of a set"),
    ("\"categories_sizes\": [2]", "\"categories_sizes\": []", "trees[0].categories_sizes` has 0 values, expected 1"),
    ("\"loss_changes\": [1E0", "\"loss_changes\": [1E0 2", "neither a comma nor the end"),
    ("\"loss_changes\": [1E0", "\"loss_changes\": [nul", "loss_changes[0]` must be a number"),
];

/// The beginning of a UBJSON model, up to a value that is skipped.
const INSIDE_UBJ: &[u8] = b"{L\0\0\0\0\0\0\0\x07learner{L\0\0\0\0\0\0\0\x0dfeature_types";

fn refusal(text: &str) -> String {
    let read = Model::read(text.as_bytes(), Format::XgBoostJson);
    read.expect_err(text).to_string()
}

#[test]
fn the_small_model_is_read() {
    let read = |text: &str| Model::read(text.as_bytes(), Format::XgBoostJson).unwrap();
    let model = read(SMALL);
    for (row, margin, leaf) in [
        ([0.4, 1.0], 2.0, 3),
        ([0.4, 0.5], 3.0, 4),
        ([0.4, 33.0], 3.0, 4),
        ([0.4, -0.5], 2.0, 3),
        ([0.4, f64::NAN], 2.0, 3),
        ([0.5, 0.0], 1.0, 2),
        ([f64::NAN, 0.0], 1.0, 2),
    ] {
        assert_eq!(model.margin(&row), margin, "{row:?}");
        assert_eq!(model.leaf_ids(&row), [leaf], "{row:?}");
    }
    let scalar = read(&SMALL.replace("[5E-1]", "5.0E-1"));
    assert_eq!(scalar.margin(&[0.5, 0.0]), 1.0);
    let escaped = read(&SMALL.replace(r#"["a", "b"]"#, r#"["\u00e4\n", "\ud83d\ude00\/"]"#));
    assert_eq!(escaped.feature_names(), ["ä\n", "😀/"]);
    let dart = SMALL.replace(
        r#""gradient_booster": {"#,
        r#""gradient_booster": {"weight_drop": [0.5], "name": "dart", "gbtree": {"#,
    );
    let dart = dart.replace(r#""name": "gbtree"}"#, r#""name": "gbtree"}}"#);
    assert_eq!(read(&dart).margin(&[0.5, 0.0]), 0.5);
    for (weights, message) in [
        (
            "[1, 1]",
            "`learner.gradient_booster.weight_drop` has 2 values, expected 1",
        ),
        (
            "[NaN]",
            "`learner.gradient_booster.weight_drop[0]` must be a weight with which",
        ),
    ] {
        let found = refusal(&dart.replace("[0.5]", weights));
        assert!(found.contains(message), "{found}");
    }
}

#[test]
fn each_defect_is_refused_by_name() {
    for (from, to, message) in DEFECTS {
        assert!(SMALL.contains(from), "{from}");
        let found = refusal(&SMALL.replacen(from, to, 1));
        assert!(found.contains(message), "{from} -> {to}: {found}");
    }
}

#[test]
fn limits_are_checked_before_the_work() {
    let deep = SMALL.replacen(
        r#"{"best_iteration": "0"}"#,
        &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        1,
    );
    let found = refusal(&deep);
    assert!(found.contains("nested too deep"), "{found}");
    let deep = [INSIDE_UBJ, &vec![b'['; 100_000]].concat();
    let found = Model::read(&deep, Format::XgBoostUbj)
        .unwrap_err()
        .to_string();
    assert!(found.contains("nested too deep"), "{found}");

    let long_name = refusal(&SMALL.replacen("attributes", &"x".repeat(10_000), 1));
    assert!(long_name.len() < 200, "{long_name}");

    let start = SMALL.find(r#"{"base_weights""#).unwrap();
    let end = SMALL.find("]}, \"name\"").unwrap();
    let tree = &SMALL[start..end];
    let trees = vec![tree; limits::TREES_MAX + 1].join(",");
    let found = refusal(&format!("{}{trees}{}", &SMALL[..start], &SMALL[end..]));
    assert!(
        found.contains("trees[10000]` must be one of at most 10,000 trees"),
        "{found}"
    );

    let large = tree.replace("[0, 33]", "[0, 16777215]");
    let trees = [large.as_str(); 9].join(",");
    let found = refusal(&format!("{}{trees}{}", &SMALL[..start], &SMALL[end..]));
    assert!(
        found.contains("trees[8].categories[0]` must be smaller"),
        "{found}"
    );
}

#[test]
fn lists_are_read_up_to_their_limit() {
    let ones = |count: usize| vec!["1"; count].join(",");
    let names = vec![r#""""#; limits::FEATURES_MAX + 1].join(",");
    for (from, to, message) in [
        (
            r#""a", "b""#,
            names,
            "`learner.feature_names[10000]` is one too many: at most 10000 values are read",
        ),
        (
            "[3, 2, 0]",
            "[3, 2, 0, 0]".to_owned(),
            "`version[3]` is one too many",
        ),
        (
            r#""tree_info": [0]"#,
            format!(r#""tree_info": [{}]"#, ones(limits::TREES_MAX + 1)),
            "tree_info[10000]` is one too many",
        ),
        (
            "[6, 5, 1, 2, 3, 0, 0]",
            format!("[{}]", ones(limits::LISTED_NODES_MAX + 1)),
            "trees[0].sum_hessian[262144]` is one too many",
        ),
        (
            "[2, 4, -1",
            format!("[{}, 2, 4, -1", ones(limits::LISTED_NODES_MAX)),
            "trees[0].right_children[262144]` is one too many",
        ),
        (
            "[0, 33]",
            format!("[{}]", ones(limits::LISTED_CATEGORIES_MAX + 1)),
            "trees[0].categories[4194304]` is one too many",
        ),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let found = refusal(&SMALL.replacen(from, &to, 1));
        assert!(found.contains(message), "{found}");
    }
    // As many as are allowed are read, and then refused for another reason.
    let most = SMALL.replacen(
        "[6, 5, 1, 2, 3, 0, 0]",
        &format!("[{}]", ones(limits::LISTED_NODES_MAX)),
        1,
    );
    let found = refusal(&most);
    assert!(
        found.contains("sum_hessian` has 262144 values, expected 7"),
        "{found}"
    );

    // A list of one type, whose values take a byte each.
    let count = 1_u32 << 20;
    let mut list = b"{L\0\0\0\0\0\0\0\x07version[$U#l".to_vec();
    list.extend(count.to_be_bytes());
    list.resize(list.len() + count as usize, 1);
    let found = Model::read(&list, Format::XgBoostUbj)
        .unwrap_err()
        .to_string();
    assert!(found.contains("`version[3]` is one too many"), "{found}");
}

#[test]
fn lying_lengths_are_refused() {
    for (tail, message) in [
        (
            &b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
            "a length past the end",
        ),
        (
            b"[#L\xff\xff\xff\xff\xff\xff\xff\xff",
            "a length past the end",
        ),
        (b"[$d#l\x7f\xff\xff\xff", "a length past the end"),
        (b"[$L#i\x02\0\0\0\0\0\0\0\0", "a length past the end"),
        (
            b"[$Z#l\x7f\xff\xff\xff",
            "a list of one type that is not a number",
        ),
        (b"[$d]", "a list of one type without a count"),
        (b"SL\0\0\0\0\xff\xff\xff\xff", "a length past the end"),
        (b"Sd\0\0\0\0", "a length that is no integer"),
        (b"Si\x01\xff", "not UTF-8"),
        (b"?", "an unknown type"),
        (b"N", "cut off"),
    ] {
        let bytes = [INSIDE_UBJ, tail].concat();
        let found = Model::read(&bytes, Format::XgBoostUbj)
            .unwrap_err()
            .to_string();
        assert!(found.contains(message), "{tail:?}: {found}");
    }
}

#[test]
fn a_document_cut_off_anywhere_is_refused() {
    for name in ["v1_pruned", "v3_constant", "v3_partition"] {
        for (extension, format) in [("json", Format::XgBoostJson), ("ubj", Format::XgBoostUbj)] {
            let bytes = bytes(name, extension);
            for cut in 0..bytes.len() {
                assert!(
                    Model::read(&bytes[..cut], format).is_err(),
                    "{name} {extension} {cut}"
                );
            }
        }
    }
}

/// Reads damaged bytes: an error or a model that can be asked.
fn survives(bytes: &[u8], format: Format) {
    if let Ok(model) = Model::read(bytes, format) {
        let row = vec![0.5; model.feature_names().len()];
        // Finite leaves can still add up to infinity, never to NaN from a single sign.
        let _ = model.margin(&row);
        assert_eq!(model.leaf_ids(&row).len(), model.tree_count());
    }
}

proptest! {
    #[test]
    fn damaged_documents_never_panic(
        name in prop::sample::select(&NAMES[..]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4),
        moved in any::<(prop::sample::Index, prop::sample::Index, prop::sample::Index)>(),
    ) {
        for (extension, format) in [("json", Format::XgBoostJson), ("ubj", Format::XgBoostUbj)] {
            let whole = bytes(name, extension);
            let mut flipped = whole.clone();
            for (index, bit) in &flips {
                let at = index.index(whole.len());
                flipped[at] ^= 1 << bit;
                let mut once = whole.clone();
                once[at] ^= 1 << bit;
                survives(&once, format);
            }
            survives(&flipped, format);
            // A piece is cut out and put in elsewhere.
            let (one, other) = (moved.0.index(whole.len()), moved.1.index(whole.len()));
            let (start, end) = (one.min(other), one.max(other));
            let mut rest = [&whole[..start], &whole[end..]].concat();
            survives(&rest, format);
            let at = moved.2.index(rest.len() + 1);
            rest.splice(at..at, whole[start..end].iter().copied());
            survives(&rest, format);
        }
    }
}
