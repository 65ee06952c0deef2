//! Values against their definition, on random trees that ask for a feature several times on a path.
//!
//! Up to [`ENUMERATED_MAX`] features the game is enumerated: every coalition, by walking the tree. Trees with more
//! features are compared leaf by leaf: there a coalition is worth a product with a factor per feature, and coalitions
//! of one size are added up by multiplying out `(share + met t)` over the other features. Both ways are compared with
//! each other where both are possible.

mod definition;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use self::definition::{by_size, enumerated, worth};
use super::super::error::AttributionError;
use super::{PathAttributor, Plan, ROWS_TOGETHER_MIN, TWIG_BYTES_MAX, eight};
use crate::ensemble::{Ensemble, Summation};
use crate::format::Format;
use crate::front::Front;
use crate::model::{Body, Link, Model, Parts};
use crate::simd;
use crate::tree::{Child, Comparison, Cover, Missing, Node, Test, Tree, check_shape};

/// Features of a row.
const FEATURES: usize = 64;
/// Features of a tree whose coalitions are enumerated.
const ENUMERATED_MAX: usize = 9;
const TOLERANCE: f64 = 1e-10;

const THRESHOLDS: [f64; 3] = [-1.0, 0.0, 1.0];
const VALUES: [f64; 8] = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, f64::NAN];

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("test trees are small")
}

/// A question of any kind.
fn tests() -> impl Strategy<Value = Test> {
    let questions = (select(&THRESHOLDS[..]), any::<bool>(), 0..4_u32);
    questions.prop_map(|(threshold, missing_left, kind)| match kind {
        0 => Test::LightGbm {
            threshold,
            missing: Missing::Nan,
            default_left: missing_left,
        },
        1 => Test::Compare {
            comparison: Comparison::Below,
            threshold,
            missing_left,
        },
        2 => Test::Compare {
            comparison: Comparison::AtMost,
            threshold,
            missing_left,
        },
        _ => Test::Category {
            first_word: 0,
            word_count: 1,
            missing_left,
            truncates_to_zero: false,
        },
    })
}

fn rows() -> impl Strategy<Value = Vec<f64>> {
    vec(select(&VALUES[..]), FEATURES)
}

/// Trees with exactly so many features on their longest path: a chain of splits on different features, then splits of
/// any leaf on any of them. Shares are not taken as adding up to 1, for XGBoost's do not quite.
fn trees(features: impl Strategy<Value = usize>) -> impl Strategy<Value = Tree> {
    let order = Just((0..number(FEATURES)).collect::<Vec<_>>()).prop_shuffle();
    (features, order, 0..12_usize).prop_flat_map(|(features, order, more)| {
        let split = (any::<Index>(), any::<Index>(), tests());
        let covers = (1..100_u32, 0.999..1.001_f64);
        let count = features + more;
        (vec(split, count), vec((-2.0..2.0_f64, covers), count + 1)).prop_map(
            move |(splits, leaves)| {
                let mut tree = Tree {
                    nodes: Vec::new(),
                    leaf_values: leaves.iter().map(|(value, _)| *value).collect(),
                    leaf_ids: (0..=number(count)).collect(),
                    category_words: vec![0b101],
                    cover: None,
                };
                let mut end_of_chain = 0;
                for (at, (leaf, feature, test)) in splits.into_iter().enumerate() {
                    let (leaf, feature) = if at < features {
                        let before = end_of_chain;
                        end_of_chain = [before, number(at + 1)][leaf.index(2)];
                        (before, at)
                    } else {
                        (number(leaf.index(at + 1)), feature.index(features))
                    };
                    split_leaf(&mut tree, leaf, order[feature], test);
                }
                check_shape(&tree.nodes, tree.leaf_values.len()).expect("a tree");
                tree.cover = Some(cover(&tree, leaves.into_iter().map(|(_, cover)| cover)));
                tree
            },
        )
    })
}

/// Makes a leaf a node: its left child is the leaf, its right child the next new leaf.
fn split_leaf(tree: &mut Tree, leaf: u32, column: u32, test: Test) {
    let (leaf, node) = (Child::Leaf(leaf), number(tree.nodes.len()));
    for parent in &mut tree.nodes {
        for child in [&mut parent.left, &mut parent.right] {
            if *child == leaf {
                *child = Child::Node(node);
            }
        }
    }
    tree.nodes.push(Node {
        column,
        test,
        left: leaf,
        right: Child::Leaf(node + 1),
    });
}

/// The cover of each leaf as given, and of each node about the sum of its children's.
fn cover(tree: &Tree, leaves: impl Iterator<Item = (u32, f64)>) -> Cover {
    let (leaves, errors): (Vec<f64>, Vec<f64>) = leaves
        .map(|(cover, error)| (f64::from(cover), error))
        .unzip();
    let mut nodes = vec![0.0; tree.nodes.len()];
    for node in tree.children_first() {
        let node = node as usize;
        let of = |child| match child {
            Child::Leaf(leaf) => leaves[leaf as usize],
            Child::Node(node) => nodes[node as usize],
        };
        nodes[node] = errors[node] * (of(tree.nodes[node].left) + of(tree.nodes[node].right));
    }
    Cover { nodes, leaves }
}

fn model(trees: Vec<Tree>) -> Model {
    Model::new(Parts {
        format: Format::LightGbmText,
        feature_names: (0..FEATURES).map(|feature| format!("f{feature}")).collect(),
        category_names: Vec::new(),
        front: Front::Identity,
        body: Body::Trees(Ensemble {
            summation: Summation {
                divisor: trees.len() as f64,
                ..Summation::BOOSTED_DOUBLE
            },
            trees,
        }),
        link: Link::Identity,
        link_divisor: 1.0,
    })
}

/// The mean of the trees' values.
fn mean(trees: &[Tree], values: impl Fn(&Tree) -> Vec<f64>) -> Vec<f64> {
    let mut means = vec![0.0; FEATURES];
    for tree in trees {
        for (mean, value) in means.iter_mut().zip(values(tree)) {
            *mean += value / trees.len() as f64;
        }
    }
    means
}

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    let differences = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - other).abs());
    differences.fold(0.0, f64::max)
}

impl PathAttributor {
    /// Trees that are integrated with 4, 8, 16 and 32 points.
    fn tree_counts(&self) -> [usize; 4] {
        let plans = &self.plans;
        [
            plans.four.tree_count(),
            plans.eight.tree_count(),
            plans.sixteen.tree_count(),
            plans.thirty_two.tree_count(),
        ]
    }

    /// Trees that are integrated with 3, 4, 5, 6, 8, 16 and 32 points when rows come together.
    fn tree_counts_together(&self) -> [usize; 7] {
        let plans = &self.together;
        [
            plans.three.tree_count(),
            plans.four.tree_count(),
            plans.five.tree_count(),
            plans.six.tree_count(),
            plans.eight.tree_count(),
            plans.sixteen.tree_count(),
            plans.thirty_two.tree_count(),
        ]
    }

    fn twig_count(&self) -> usize {
        let plans = &self.plans;
        plans.four.twig_count()
            + plans.eight.twig_count()
            + plans.sixteen.twig_count()
            + plans.thirty_two.twig_count()
    }
}

impl<const N: usize> Plan<N> {
    fn tree_count(&self) -> usize {
        self.groups.iter().map(|group| group.roots.len()).sum()
    }

    fn twig_count(&self) -> usize {
        self.groups.iter().map(|group| group.twigs.len()).sum()
    }
}

impl<const N: usize> eight::Plan<N> {
    fn tree_count(&self) -> usize {
        let nodes = self.packs.iter().flat_map(|pack| &pack.nodes);
        nodes.filter(|node| node.state == 0).count()
    }
}

/// Bytes of a twig's table: none, a few, as usual, and as many as they like.
const TWIG_BYTES: [usize; 4] = [0, 600, TWIG_BYTES_MAX, usize::MAX];

/// The values of a row on its own, and of one among others.
fn alone_and_together(attributor: &PathAttributor, row: &[f64]) -> [Vec<f64>; 2] {
    let other: Vec<f64> = row.iter().map(|value| 0.5 - value).collect();
    let mut rows = vec![other; ROWS_TOGETHER_MIN];
    rows[1] = row.to_vec();
    let mut values = vec![f64::NAN; rows.len() * row.len()];
    attributor.contributions_of(&rows.concat(), &mut values);
    let together = values[row.len()..][..row.len()].to_vec();
    [attributor.contributions(row), together]
}

/// Checks a tree that must be integrated by the rules of two places in [`PathAttributor::tree_counts`] and
/// [`PathAttributor::tree_counts_together`].
fn check_order(tree: Tree, row: &[f64], order: usize, order_together: usize) {
    let expected = by_size(&tree, row);
    let model = model(vec![tree]);
    for twig_bytes in TWIG_BYTES {
        let attributor = PathAttributor::with_twigs(&model, twig_bytes).expect("covers");
        let (mut counts, mut together) = ([0; 4], [0; 7]);
        counts[order] = 1;
        together[order_together] = 1;
        assert_eq!(attributor.tree_counts(), counts);
        assert_eq!(attributor.tree_counts_together(), together);
        assert!(twig_bytes > 0 || attributor.twig_count() == 0);
        for found in alone_and_together(&attributor, row) {
            let difference = largest_difference(&found, &expected);
            assert!(difference < TOLERANCE, "{twig_bytes}: {difference:e}");
        }
    }
}

#[test]
fn a_twig_that_no_row_reaches_has_a_place_at_the_end_of_a_word() {
    // Below zero and not below one: the question at the end has the same answer for every row, none.
    let mut tree = Tree {
        nodes: Vec::new(),
        leaf_values: vec![1.0, 2.0, 3.0, 4.0, 5.0],
        leaf_ids: (0..5).collect(),
        category_words: Vec::new(),
        cover: None,
    };
    for (leaf, column, threshold) in [(0, 1, 0.0), (0, 1, 1.0), (2, 0, 0.0), (2, 1, -1.0)] {
        let test = Test::Compare {
            comparison: Comparison::Below,
            threshold,
            missing_left: true,
        };
        split_leaf(&mut tree, leaf, column, test);
    }
    tree.cover = Some(cover(&tree, (1..6).map(|count| (count, 1.0))));
    let rows = [-2.0, -0.5, 0.5, 2.0].map(|value| vec![value; FEATURES]);
    // Each tree has two nodes and, when larger tables are not allowed, a twig of one bit: of so many trees, one twig has
    // the last bit of the second word.
    let model = model(vec![tree; 22]);
    let attributor = PathAttributor::with_twigs(&model, 200).expect("covers");
    assert_eq!(attributor.twig_count(), 22);
    for row in rows {
        let expected = by_size(&model.trees()[0], &row);
        let difference = largest_difference(&attributor.contributions(&row), &expected);
        assert!(difference < TOLERANCE, "{difference:e}");
    }
}

/// A chain of splits at zero on different features, of which each passes a tenth to the power of `thinning` on to the
/// next.
fn thinning_chain(count: usize, thinning: i32) -> Tree {
    let covers: Vec<f64> = (0..=number(count))
        .map(|depth| 10_f64.powi(-thinning * i32::try_from(depth).expect("a short chain")))
        .collect();
    let nodes = (0..number(count)).map(|node| Node {
        column: node,
        test: Test::Compare {
            comparison: Comparison::Below,
            threshold: 0.0,
            missing_left: true,
        },
        left: Child::Leaf(node),
        right: if node + 1 == number(count) {
            Child::Leaf(node + 1)
        } else {
            Child::Node(node + 1)
        },
    });
    let leaf_covers = covers.windows(2).map(|pair| pair[0] - pair[1]);
    Tree {
        nodes: nodes.collect(),
        leaf_values: (0..=number(count)).map(f64::from).collect(),
        leaf_ids: (0..=number(count)).collect(),
        category_words: Vec::new(),
        cover: Some(Cover {
            nodes: covers[..count].to_vec(),
            leaves: leaf_covers.chain(covers.last().copied()).collect(),
        }),
    }
}

#[test]
fn covers_far_apart_are_attributed_as_far_as_numbers_reach_and_refused_beyond() {
    let reached = model(vec![thinning_chain(9, 21)]);
    let row = vec![1.0; FEATURES];
    for twig_bytes in TWIG_BYTES {
        let attributor = PathAttributor::with_twigs(&reached, twig_bytes).expect("covers");
        for contributions in alone_and_together(&attributor, &row) {
            let total = attributor.base_margin() + contributions.iter().sum::<f64>();
            assert!((total - 9.0).abs() < TOLERANCE, "{contributions:?}");
        }
    }
    let beyond = model(vec![thinning_chain(10, 21)]);
    assert_eq!(
        PathAttributor::new(&beyond).err(),
        Some(AttributionError::CoverSpread { tree: 0, leaf: 10 })
    );
}

proptest! {
    #[test]
    fn values_equal_the_enumerated_game(
        trees in vec(trees(1..=ENUMERATED_MAX), 1..4),
        row in rows(),
    ) {
        let model = model(trees);
        let trees = model.trees();
        let expected = mean(trees, |tree| enumerated(tree, &row));
        let base = trees.iter().map(|tree| worth(tree, tree.root(), &row, &[false; FEATURES])).sum::<f64>();
        let by_size = mean(trees, |tree| by_size(tree, &row));
        prop_assert!(largest_difference(&by_size, &expected) < TOLERANCE);
        for twig_bytes in TWIG_BYTES {
            let attributor = PathAttributor::with_twigs(&model, twig_bytes).expect("covers");
            prop_assert!(twig_bytes > 0 || attributor.twig_count() == 0);
            prop_assert!((attributor.base_margin() - base / trees.len() as f64).abs() < TOLERANCE);
            for found in alone_and_together(&attributor, &row) {
                let difference = largest_difference(&found, &expected);
                prop_assert!(difference < TOLERANCE, "{:e}", difference);
                let total = attributor.base_margin() + found.iter().sum::<f64>();
                prop_assert!((total - model.margin(&row)).abs() < TOLERANCE);
            }
        }
    }

    #[test]
    fn three_points_are_enough_for_6_features(tree in trees(1..=6_usize), row in rows()) {
        check_order(tree, &row, 0, 0);
    }

    #[test]
    fn four_points_are_enough_for_8_features(tree in trees(7..=8_usize), row in rows()) {
        check_order(tree, &row, 0, 1);
    }

    #[test]
    fn five_points_are_enough_for_10_features(tree in trees(9..=10_usize), row in rows()) {
        check_order(tree, &row, 1, 2);
    }

    #[test]
    fn six_points_are_enough_for_12_features(tree in trees(11..=12_usize), row in rows()) {
        check_order(tree, &row, 1, 3);
    }

    #[test]
    fn eight_points_are_enough_for_16_features(tree in trees(13..=16_usize), row in rows()) {
        check_order(tree, &row, 1, 4);
    }
}

proptest! {
    // By size, a long path takes its time.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sixteen_points_are_enough_for_32_features(tree in trees(17..=32_usize), row in rows()) {
        check_order(tree, &row, 2, 5);
    }

    #[test]
    fn thirty_two_points_are_enough_for_64_features(tree in trees(33..=64_usize), row in rows()) {
        check_order(tree, &row, 3, 6);
    }

    #[test]
    fn bits_depend_on_neither_the_processor_nor_the_neighbours(
        trees in (trees(1..=8_usize), trees(9..=16_usize), trees(17..=32_usize), trees(33..=64_usize)),
        rows in prop_oneof![vec(rows(), 2..20), vec(rows(), 64..67)],
    ) {
        let model = model(vec![trees.0.clone(), trees.0, trees.1, trees.2, trees.3]);
        for twig_bytes in TWIG_BYTES {
            let attributor = PathAttributor::with_twigs(&model, twig_bytes).expect("covers");
            prop_assert_eq!(attributor.tree_counts(), [2, 1, 1, 1]);
            let bits = |register_bits_max, rows: &[Vec<f64>]| {
                let mut values = vec![f64::NAN; rows.len() * FEATURES];
                let rows = rows.concat();
                simd::with_registers(register_bits_max, || attributor.contributions_of(&rows, &mut values));
                let rows = values.chunks_exact(FEATURES);
                rows.map(|row| row.iter().map(|value| value.to_bits()).collect()).collect::<Vec<Vec<u64>>>()
            };
            let (alone, together) = (bits(128, &rows[..1]), bits(128, &rows));
            for register_bits in [256, 512] {
                prop_assert_eq!(&bits(register_bits, &rows[..1]), &alone);
                prop_assert_eq!(&bits(register_bits, &rows), &together);
            }
            let reversed: Vec<Vec<f64>> = rows.iter().rev().cloned().collect();
            let mut found = bits(512, &reversed);
            found.reverse();
            prop_assert_eq!(found, together);
        }
    }
}
