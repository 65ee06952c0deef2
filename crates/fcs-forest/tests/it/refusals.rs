//! Texts and populations that are refused, and by what name.

use fcs_forest::{AttributionError, Attributor, Format, Model, limits};
use proptest::prelude::*;

use crate::golden;

/// A tree with a numeric root and a categorical node under it.
const SMALL: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n\
    objective=binary sigmoid:1\nfeature_names=a b\nfeature_infos=none none\ntree_sizes=1\n\n\
    Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 1\nthreshold=0.5 0\ndecision_type=10 1\nleft_child=1 -1\n\
    right_child=-2 -3\nleaf_value=1 2 3\ncat_boundaries=0 2\ncat_threshold=5 1\nis_linear=0\nshrinkage=1\n\n\n\
    end of trees\n\nparameters:\nend of parameters\n";

/// What of [`SMALL`] is replaced, by what, and a part of the message: one line each, whatever its length.
#[rustfmt::skip]
const DEFECTS: &[(&str, &str, &str)] = &[
    ("tree\nversion", "forest\nversion", "not a LightGBM text model"),
    ("version=v4\n", "", "model header: field `version` is missing"),
    ("version=v4", "version=v2", "line 2: `version=v2` is not supported; supported: v3 and v4"),
    ("num_class=1", "num_class=3", "line 3: `num_class=3` is not supported"),
    ("iteration=1", "iteration=3", "line 4: `num_tree_per_iteration=3` is not supported"),
    ("num_class=1", "num_class=one", "value 0 of `num_class` is not a valid number: `one`"),
    ("max_feature_idx=1", "max_feature_idx=2", "line 8: `feature_names` has 2 values, expected 3"),
    ("max_feature_idx=1", "max_feature_idx=10000", "`max_feature_idx` must be a model of at most"),
    ("feature_names=a b", "feature_names=a a", "value 1 of `feature_names` must be a name"),
    ("binary sigmoid:1", "multiclass num_class:3", "line 7: `objective=multiclass num_class:3` is not"),
    ("binary sigmoid:1", "multiclassova num_class:3 sigmoid:1", "`objective=multiclassova num_class:3 sigm"),
    ("binary sigmoid:1", "lambdarank", "line 7: `objective=lambdarank` is not supported"),
    ("binary sigmoid:1", "rank_xendcg", "line 7: `objective=rank_xendcg` is not supported"),
    ("binary sigmoid:1", "huber sqrt", "`objective=huber sqrt` is not supported"),
    ("binary sigmoid:1", "regression  sqrt", "`objective=regression  sqrt` is not supported"),
    ("binary sigmoid:1", "", "`objective=` is not supported"),
    ("binary sigmoid:1", "binary", "`objective=binary` is not supported"),
    ("binary sigmoid:1", "binary sigmoid:one", "`objective=binary sigmoid:one` is not supported"),
    ("sigmoid:1", "sigmoid:-1", "`objective` must be a finite sigmoid above zero"),
    ("sigmoid:1", "sigmoid:inf", "`objective` must be a finite sigmoid above zero"),
    ("label_index=0\n", "label_index=0\naverage_output=0\n", "line 6: `average_output=0` is not supported"),
    ("label_index=0\n", "label_index=0\nsecret=1\n", "line 6: field `secret` is unknown"),
    ("label_index=0\n", "label_index=0\nlabel_index=0\n", "line 6: field `label_index` is repeated"),
    ("tree_sizes=1", "tree_sizes=", "`tree_sizes` must be 1 to 10,000 trees"),
    ("tree_sizes=1", "tree_sizes=1 1", "the header announces 2 trees, the text has 1"),
    ("Tree=0", "Tree=1", "line 12: neither the next tree nor the end of the model"),
    ("num_leaves=3", "num_leaves=0", "tree 0: line 13: value 0 of `num_leaves` must be 1 to 65,536"),
    ("num_leaves=3", "num_leaves=65537", "`num_leaves` must be 1 to 65,536"),
    ("num_leaves=3", "num_leaves=4", "`leaf_value` has 3 values, expected 4"),
    ("num_cat=1", "num_cat=2", "`cat_boundaries` has 2 values, expected 3"),
    ("num_cat=1", "num_cat=0", "value 1 of `threshold` must be the number of a set"),
    ("num_cat=1", "num_cat=65536", "`num_cat` must be fewer sets than leaves"),
    ("split_feature=0 1", "split_feature=0 2", "value 1 of `split_feature` must be the index of a feature"),
    ("split_feature=0 1", "split_feature=0", "`split_feature` has 1 values, expected 2"),
    ("split_feature=0 1", "split_feature=0 -1", "value 1 of `split_feature` is not a valid number: `-1`"),
    ("threshold=0.5 0", "threshold=nan 0", "value 0 of `threshold` must be a number"),
    ("threshold=0.5 0", "threshold=0.5 0.5", "value 1 of `threshold` must be the number of a set"),
    ("threshold=0.5 0", "threshold=0.5 nan", "value 1 of `threshold` must be the number of a set"),
    ("threshold=0.5 0", "threshold=0.5 -1", "value 1 of `threshold` must be the number of a set"),
    ("decision_type=10 1", "decision_type=12 1", "value 0 of `decision_type` must be a known"),
    ("decision_type=10 1", "decision_type=10 17", "value 1 of `decision_type` must be a known"),
    ("left_child=1 -1", "left_child=2 -1", "value 0 of `left_child` must be the number of a node or leaf"),
    ("left_child=1 -1", "left_child=1 -4", "value 1 of `left_child` must be the number of a node or leaf"),
    ("left_child=1 -1", "left_child=1 -2147483648", "value 1 of `left_child` must be the number"),
    ("left_child=1 -1", "left_child=0 -1", "tree 0: node 0 leads to a node or leaf that is reached twice"),
    ("left_child=1 -1", "left_child=1 1", "node 1 leads to a node or leaf that is reached twice"),
    ("left_child=1 -1", "left_child=-3 -1", "2 nodes and leaves cannot be reached"),
    ("right_child=-2 -3", "right_child=-2 -1", "node 1 leads to a node or leaf that is reached twice"),
    ("leaf_value=1 2 3", "leaf_value=1 inf 3", "value 1 of `leaf_value` must be finite"),
    ("leaf_value=1 2 3", "leaf_value=1 2 nan", "value 2 of `leaf_value` must be finite"),
    ("leaf_value=1 2 3", "leaf_value=1 2 3 4", "`leaf_value` has 4 values, expected 3"),
    ("cat_boundaries=0 2", "cat_boundaries=1 2", "value 0 of `cat_boundaries` must be 0"),
    ("cat_boundaries=0 2", "cat_boundaries=0 0", "value 1 of `cat_boundaries` must be above the one"),
    ("cat_boundaries=0 2", "cat_boundaries=0 4000000", "`cat_threshold` has 2 values, expected 4000000"),
    ("cat_boundaries=0 2", "cat_boundaries=0 4000000000", "value 1 of `cat_boundaries` must be smaller: the sets"),
    ("threshold=0.5 0\ndecision_type=10 1", "threshold=0 0\ndecision_type=1 1", "value 1 of `threshold` must be the number of a set that no node before it has"),
    ("cat_threshold=5 1", "cat_threshold=5 4294967296", "value 1 of `cat_threshold` is not a valid number"),
    ("is_linear=0", "leaf_count=1 2 -3\ninternal_count=6 3", "value 2 of `leaf_count` is not a valid number: `-3`"),
    ("is_linear=0", "leaf_count=1 2 3\ninternal_count=6 nan", "value 1 of `internal_count` is not a valid number"),
    ("is_linear=0", "leaf_count=\ninternal_count=", "`internal_count` has 0 values, expected 2"),
    ("is_linear=0", "is_linear=1\nleaf_const=1 2 3", "tree 0: line 23: `is_linear=1` is not supported"),
    ("is_linear=0", "leaf_const=1 2 3", "tree 0: line 23: field `leaf_const` is unknown"),
    ("end of trees", "end of threes", "line 27: neither the next tree nor the end of the model"),
    ("end of parameters\n", "", "model text is cut off before `end of parameters`"),
    ("end of parameters\n", "end of parameters\nTree=1\n", "line 31: neither the next tree"),
    ("end of parameters\n", "end of parameters\npandas_categorical:null", "cut off before `the end of the last"),
];

fn refusal(text: &str) -> String {
    crate::read(text).expect_err(text).to_string()
}

#[test]
fn the_small_model_is_read() {
    let forest = crate::read(SMALL).unwrap();
    assert_eq!(forest.margin(&[0.5, 2.0]), 1.0);
    assert_eq!(forest.margin(&[0.5, 1.0]), 3.0);
    assert_eq!(forest.margin(&[0.6, 2.0]), 2.0);
    assert_eq!(forest.margin(&[f64::NAN, 32.0]), 1.0);
    let infinite = SMALL.replace("threshold=0.5 0", "threshold=inf 0");
    assert_eq!(crate::read(&infinite).unwrap().margin(&[1e308, 2.0]), 1.0);
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
    let long = " ".repeat(limits::FILE_BYTES_MAX + 1);
    assert!(refusal(&long).starts_with("model file has 67108865 bytes"));
    let fields: Vec<String> = (0..100).map(|number| format!("x{number}=1\n")).collect();
    let many = SMALL.replacen("num_leaves=3\n", &fields.concat(), 1);
    assert_eq!(refusal(&many), "tree 0: line 77: more than 64 fields");
    let long_name = SMALL.replacen("version", &"x".repeat(10_000), 1);
    assert!(refusal(&long_name).len() < 100);
    assert_eq!(
        refusal(&chain(limits::DEPTH_MAX + 1, 1)),
        "tree 0: a leaf lies deeper than 512 splits"
    );
    assert!(crate::read(&chain(limits::DEPTH_MAX, 1)).is_ok());
}

#[test]
fn category_sets_are_limited_in_a_model_and_shared_by_no_nodes() {
    // Every other category of a thousand words, for each of the nodes: 16 million edges.
    let words = vec!["1431655765"; 1_000].join(" ");
    let nodes = limits::DEPTH_MAX;
    let sets = format!("num_cat=1\ncat_boundaries=0 1000\ncat_threshold={words}\n");
    let types = |decision_type: &str| vec![decision_type; nodes].join(" ");
    let shared =
        chain(nodes, 1)
            .replacen("num_cat=0\n", &sets, 1)
            .replacen(&types("2"), &types("1"), 1);
    let found = refusal(&shared);
    assert!(
        found.ends_with(
            "value 1 of `threshold` must be the number of a set that no node before it has"
        ),
        "{found}"
    );

    // Two trees that are small enough one by one.
    let word_count = limits::CATEGORY_WORDS_MAX / 2 + 1;
    let words = vec!["1"; word_count].join(" ");
    let (start, end) = (
        SMALL.find("Tree=0").unwrap(),
        SMALL.find("end of trees").unwrap(),
    );
    let tree = SMALL[start..end]
        .replace(
            "cat_boundaries=0 2",
            &format!("cat_boundaries=0 {word_count}"),
        )
        .replace("cat_threshold=5 1", &format!("cat_threshold={words}"));
    let one = format!("{}{tree}{}", &SMALL[..start], &SMALL[end..]);
    assert_eq!(crate::read(&one).unwrap().margin(&[0.5, 32.0]), 1.0);
    let header = SMALL[..start].replace("tree_sizes=1", "tree_sizes=1 1");
    let second = tree.replace("Tree=0", "Tree=1");
    let found = refusal(&format!("{header}{tree}{second}{}", &SMALL[end..]));
    assert!(
        found.contains("tree 1: ") && found.contains("`cat_boundaries` must be smaller"),
        "{found}"
    );
}

/// A tree that is one long path: each node's left child is a leaf, its right child the next node.
fn chain(nodes: usize, features: usize) -> String {
    let join = |number: &dyn Fn(usize) -> String, count| {
        (0..count).map(number).collect::<Vec<_>>().join(" ")
    };
    let left = join(&|node| format!("-{}", node + 1), nodes);
    let right = join(
        &|node| {
            if node + 1 < nodes {
                (node + 1).to_string()
            } else {
                format!("-{}", nodes + 1)
            }
        },
        nodes,
    );
    let names = join(&|feature| format!("f{feature}"), features);
    format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx={}\nobjective=regression\n\
         feature_names={names}\ntree_sizes=1\n\nTree=0\nnum_leaves={}\nnum_cat=0\nsplit_feature={}\nthreshold={}\n\
         decision_type={}\nleft_child={left}\nright_child={right}\nleaf_value={}\n\nend of trees\nend of parameters\n",
        features - 1,
        nodes + 1,
        join(&|node| (node % features).to_string(), nodes),
        join(&|_| "0".to_owned(), nodes),
        join(&|_| "2".to_owned(), nodes),
        join(&|node| node.to_string(), nodes + 1),
    )
}

#[test]
fn a_text_cut_off_anywhere_in_the_model_is_refused() {
    for name in ["categories", "constant", "v3"] {
        let text = golden::text(name);
        let end = text.find("end of parameters\n").unwrap() + "end of parameters\n".len();
        for cut in 0..text.len() {
            let read = crate::read(&text[..cut]);
            // Without the line that the Python package adds, and the empty line before it, the text is what
            // LightGBM itself writes: complete.
            let complete = cut == end || cut == end + 1;
            assert_eq!(read.is_ok(), complete, "{name} cut at {cut}");
        }
        assert!(text[end..].starts_with("\npandas_categorical:"), "{name}");
    }
}

#[test]
fn a_flipped_bit_gives_an_error_or_a_model_that_predicts() {
    for name in ["categories", "random_forest", "v3_constant"] {
        let text = golden::text(name);
        let end = text.find("feature_importances").unwrap();
        for at in 0..end {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << (at % 8);
            if let Ok(model) = Model::read(&bytes, Format::LightGbmText) {
                for value in [f64::NAN, 0.0, -1.0, 1e300, f64::NEG_INFINITY] {
                    let row = vec![value; model.feature_names().len()];
                    assert!(!model.margin(&row).is_nan(), "{name} {at}");
                    assert_eq!(model.leaf_ids(&row).len(), model.tree_count());
                }
            }
        }
    }
}

#[test]
fn populations_are_refused_by_name() {
    let forest = crate::read(SMALL).unwrap();
    assert_eq!(
        Attributor::new(&forest, &[]).unwrap_err(),
        AttributionError::NoReferences
    );
    let short = AttributionError::RowLength {
        row: 1,
        expected: 2,
        found: 1,
    };
    assert_eq!(
        Attributor::new(&forest, &[vec![0.0, 0.0], vec![0.0]]).unwrap_err(),
        short
    );
}

#[test]
fn leaves_too_deep_for_a_table_are_attributed_by_pattern() {
    let deep = crate::read(&chain(40, 40)).unwrap();
    let reference = |number: usize| {
        let value = |bit: usize| if number >> bit & 1 == 1 { 1.0 } else { -1.0 };
        (0..40).map(value).collect::<Vec<f64>>()
    };
    let references: Vec<Vec<f64>> = (0..5_000).map(reference).collect();
    let attributor = Attributor::new(&deep, &references).unwrap();
    let total =
        attributor.base_margin() + attributor.contributions(&references[7]).iter().sum::<f64>();
    assert!((total - deep.margin(&references[7])).abs() < 1e-9);
}

#[test]
fn the_deepest_trees_are_attributed() {
    // With few features in tables, with many by pattern.
    for features in [3, 40] {
        let deepest = crate::read(&chain(limits::DEPTH_MAX, features)).unwrap();
        let references = [vec![1.0; features], vec![-1.0; features]];
        let attributor = Attributor::new(&deepest, &references).unwrap();
        let mut row = vec![1.0; features];
        row[2] = -1.0;
        let total = attributor.base_margin() + attributor.contributions(&row).iter().sum::<f64>();
        assert!((total - deepest.margin(&row)).abs() < 1e-9, "{features}");
    }
}

#[test]
fn paths_of_up_to_64_features_are_attributed() {
    let widest = crate::read(&chain(64, 64)).unwrap();
    let attributor = Attributor::new(&widest, &[vec![1.0; 64], vec![-1.0; 64]]).unwrap();
    let mut row = vec![1.0; 64];
    row[40] = -1.0;
    let total = attributor.base_margin() + attributor.contributions(&row).iter().sum::<f64>();
    assert!((total - widest.margin(&row)).abs() < 1e-9);

    let wider = crate::read(&chain(65, 65)).unwrap();
    let error = Attributor::new(&wider, &[vec![1.0; 65]]).unwrap_err();
    assert!(matches!(
        error,
        AttributionError::PathFeatures {
            tree: 0,
            features: 65,
            ..
        }
    ));
}

proptest! {
    #[test]
    fn damaged_text_never_panics(
        name in prop::sample::select(&["categories", "constant", "dart"][..]),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&b"0123456789-+.e =\nNainfTr"[..])), 1..8),
        removed in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let text = golden::text(name);
        // Damage before the parameters: past them nothing is read.
        let (model, tail) = text.split_at(text.find("feature_importances").unwrap());
        let mut bytes = model.as_bytes().to_vec();
        for (index, byte) in &damage {
            let at = index.index(bytes.len());
            bytes[at] = *byte;
        }
        let (one, other) = (removed.0.index(bytes.len()), removed.1.index(bytes.len()));
        let cut = [&bytes[..one.min(other)], &bytes[one.max(other)..]].concat();
        for damaged in [bytes, cut] {
            let text = String::from_utf8(damaged).unwrap() + tail;
            if let Ok(forest) = crate::read(&text) {
                let row = vec![0.5; forest.feature_names().len()];
                // Finite leaves can still add up to infinity, never to NaN from a single sign.
                let _ = forest.margin(&row);
                prop_assert!(Attributor::new(&forest, &[row]).is_ok());
            }
        }
    }
}
