//! One decision tree: flat nodes, the questions they ask, and the check that they form a tree.

use crate::limits;

/// LightGBM's `kZeroThreshold`: the float `1e-35f`, widened. Numbers this near to zero are zero.
pub(crate) const ZERO_BAND: f64 = 1.000_000_018_002_509_5e-35;

/// First value past the categories: they are numbered by a C `int`.
const CATEGORY_END: f64 = 2_147_483_648.0;

/// Where a branch of a node leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    /// Index into [`Tree::nodes`].
    Node(u32),
    /// Index into [`Tree::leaf_values`].
    Leaf(u32),
}

/// What a numeric split of LightGBM treats as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nothing: NaN is read as zero.
    None,
    /// Zero, and NaN, which is read as zero.
    Zero,
    /// NaN.
    Nan,
}

/// How a plain split compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The value is below the threshold (XGBoost; ONNX `BRANCH_LT`).
    Below,
    /// The value is at most the threshold (ONNX `BRANCH_LEQ`).
    AtMost,
    /// The value is the threshold (ONNX `BRANCH_EQ`).
    Equal,
}

/// The question that a node asks about its column. "Greater" and "not equal" are these with the branches exchanged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Test {
    /// LightGBM's numeric split: left when the value is at most the threshold; missing values take the default
    /// branch.
    LightGbm {
        threshold: f64,
        missing: Missing,
        default_left: bool,
    },
    /// A plain comparison; NaN goes left when `missing_left`.
    Compare {
        comparison: Comparison,
        threshold: f64,
        missing_left: bool,
    },
    /// Left when the category is in the set: `word_count` words of [`Tree::category_words`] from `first_word`,
    /// one bit per category. NaN goes left when `missing_left`; negative, too large and unknown categories go right,
    /// and a fraction counts as the category that it truncates to.
    Category {
        first_word: u32,
        word_count: u32,
        missing_left: bool,
        /// Whether values in (-1, 0) are category 0 (LightGBM) or none (XGBoost).
        truncates_to_zero: bool,
    },
}

/// A split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) column: u32,
    pub(crate) test: Test,
    pub(crate) left: Child,
    pub(crate) right: Child,
}

/// How much of the training data passed each node and each leaf: rows (LightGBM) or the sum of hessians (XGBoost).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cover {
    pub(crate) nodes: Vec<f64>,
    pub(crate) leaves: Vec<f64>,
}

/// A tree whose shape has been checked: from the root, each node and each leaf is reached exactly once.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// The root is the first; empty when the tree is a single leaf.
    pub(crate) nodes: Vec<Node>,
    /// At least one; all finite.
    pub(crate) leaf_values: Vec<f64>,
    /// What the training library calls each leaf.
    pub(crate) leaf_ids: Vec<u32>,
    /// The bit sets of all categorical splits.
    pub(crate) category_words: Vec<u32>,
    /// Absent when the format does not tell.
    pub(crate) cover: Option<Cover>,
}

/// Why nodes and leaves are not a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A child is reached twice: the nodes share it or form a cycle.
    #[error("node {node} leads to a node or leaf that is reached twice")]
    ReachedTwice {
        /// The second parent.
        node: usize,
    },
    /// A node or leaf has no parent.
    #[error("{count} nodes and leaves cannot be reached from the root")]
    Unreachable {
        /// How many.
        count: usize,
    },
    /// A leaf lies deeper than [`limits::DEPTH_MAX`].
    #[error("a leaf lies deeper than {} splits", limits::DEPTH_MAX)]
    TooDeep,
}

impl Tree {
    /// The index of the leaf that a row of columns falls into.
    pub(crate) fn leaf(&self, columns: &[f64]) -> usize {
        let mut child = self.root();
        loop {
            match child {
                Child::Leaf(leaf) => return leaf as usize,
                Child::Node(index) => {
                    let node = &self.nodes[index as usize];
                    let goes_left = self.goes_left(&node.test, columns[node.column as usize]);
                    child = if goes_left { node.left } else { node.right };
                }
            }
        }
    }

    /// Where a row starts.
    pub(crate) fn root(&self) -> Child {
        if self.nodes.is_empty() {
            Child::Leaf(0)
        } else {
            Child::Node(0)
        }
    }

    /// The nodes in an order in which every node comes after the nodes below it.
    pub(crate) fn children_first(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending: Vec<u32> = self.nodes.first().map(|_| 0).into_iter().collect();
        while let Some(node) = pending.pop() {
            order.push(node);
            let branches = &self.nodes[node as usize];
            for child in [branches.left, branches.right] {
                if let Child::Node(child) = child {
                    pending.push(child);
                }
            }
        }
        order.reverse();
        order
    }

    /// The nodes on the way to a leaf from the root, each with its child on that way.
    pub(crate) fn path_to(&self, leaf: u32) -> Vec<(u32, Child)> {
        let mut path = Vec::new();
        let mut wanted = Child::Leaf(leaf);
        for node in self.children_first() {
            let branches = &self.nodes[node as usize];
            if branches.left == wanted || branches.right == wanted {
                path.push((node, wanted));
                wanted = Child::Node(node);
            }
        }
        path.reverse();
        path
    }

    /// Splits between the root and the deepest leaf.
    pub(crate) fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for node in self.children_first() {
            let below = |child| match child {
                Child::Leaf(_) => 0,
                Child::Node(node) => depths[node as usize],
            };
            let branches = &self.nodes[node as usize];
            depths[node as usize] = 1 + below(branches.left).max(below(branches.right));
        }
        depths.first().copied().unwrap_or(0)
    }

    /// Whether a value goes left at a test of this tree.
    pub(crate) fn goes_left(&self, test: &Test, value: f64) -> bool {
        match *test {
            Test::LightGbm {
                threshold,
                missing,
                default_left,
            } => number_goes_left(value, threshold, missing, default_left),
            Test::Compare {
                missing_left: true, ..
            } if value.is_nan() => true,
            // Comparisons with NaN are false.
            Test::Compare {
                comparison,
                threshold,
                ..
            } => match comparison {
                Comparison::Below => value < threshold,
                Comparison::AtMost => value <= threshold,
                Comparison::Equal => is_equal(value, threshold),
            },
            Test::Category { missing_left, .. } if value.is_nan() => missing_left,
            Test::Category {
                first_word,
                word_count,
                truncates_to_zero,
                ..
            } => {
                let is_negative = if truncates_to_zero {
                    value <= -1.0
                } else {
                    value < 0.0
                };
                let words = &self.category_words[first_word as usize..][..word_count as usize];
                !is_negative && contains_category(words, value)
            }
        }
    }
}

/// `Tree::NumericalDecision` of LightGBM 4.6, on a value as its predictor sees it: values in the zero band are left
/// out of the row, and so are zero to every split.
fn number_goes_left(value: f64, threshold: f64, missing: Missing, default_left: bool) -> bool {
    let is_zero = value.abs() <= ZERO_BAND || (value.is_nan() && missing != Missing::Nan);
    let value = if is_zero { 0.0 } else { value };
    let is_missing = match missing {
        Missing::None => false,
        Missing::Zero => is_zero,
        Missing::Nan => value.is_nan(),
    };
    if is_missing {
        default_left
    } else {
        value <= threshold
    }
}

#[expect(clippy::float_cmp, reason = "the split asks for exactly this number")]
fn is_equal(value: f64, threshold: f64) -> bool {
    value == threshold
}

/// Whether the bit set holds the category that a value above -1 truncates to.
fn contains_category(words: &[u32], value: f64) -> bool {
    if value >= CATEGORY_END {
        return false;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above -1 and below the end by the checks above; truncation toward zero is what is meant"
    )]
    let category = value as u32;
    words
        .get(category as usize / 32)
        .is_some_and(|word| (word >> (category % 32)) & 1 == 1)
}

/// Walks from the root: every node and every leaf must be met exactly once, and not too deep. Children are within
/// the nodes and leaves.
pub(crate) fn check_shape(nodes: &[Node], leaf_count: usize) -> Result<(), ShapeError> {
    if nodes.is_empty() {
        return match leaf_count {
            1 => Ok(()),
            _ => Err(ShapeError::Unreachable {
                count: leaf_count.saturating_sub(1),
            }),
        };
    }
    let mut node_met = vec![false; nodes.len()];
    let mut leaf_met = vec![false; leaf_count];
    let mut pending = vec![(0_usize, 1_usize)];
    node_met[0] = true;
    let mut met_count = 1;
    while let Some((node, depth)) = pending.pop() {
        if depth > limits::DEPTH_MAX {
            return Err(ShapeError::TooDeep);
        }
        for child in [nodes[node].left, nodes[node].right] {
            let met = match child {
                Child::Node(index) => {
                    pending.push((index as usize, depth + 1));
                    &mut node_met[index as usize]
                }
                Child::Leaf(index) => &mut leaf_met[index as usize],
            };
            // Stopping at the first repetition also bounds this walk.
            if std::mem::replace(met, true) {
                return Err(ShapeError::ReachedTwice { node });
            }
            met_count += 1;
        }
    }
    match nodes.len() + leaf_count - met_count {
        0 => Ok(()),
        count => Err(ShapeError::Unreachable { count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_left(test: Test, value: f64) -> bool {
        let node = Node {
            column: 0,
            test,
            left: Child::Leaf(0),
            right: Child::Leaf(1),
        };
        let tree = Tree {
            nodes: vec![node],
            leaf_values: vec![1.0, 2.0],
            leaf_ids: vec![0, 1],
            category_words: vec![0b101, 2],
            cover: None,
        };
        let is_first_leaf = tree.leaf(&[value]) == 0;
        assert_eq!(is_first_leaf, tree.goes_left(&test, value));
        is_first_leaf
    }

    #[test]
    fn a_threshold_is_inclusive_and_missing_takes_the_default() {
        let number = |threshold, missing, default_left| Test::LightGbm {
            threshold,
            missing,
            default_left,
        };
        assert!(goes_left(number(1.5, Missing::Nan, false), 1.5));
        assert!(!goes_left(
            number(1.5, Missing::Nan, true),
            1.500_000_000_000_000_2
        ));
        assert!(goes_left(number(-1.0, Missing::Nan, true), f64::NAN));
        assert!(!goes_left(number(1.0, Missing::Nan, false), f64::NAN));
        // Without missing values NaN is zero, and the default plays no part.
        assert!(goes_left(number(0.0, Missing::None, false), f64::NAN));
        assert!(!goes_left(number(-0.5, Missing::None, true), f64::NAN));
        // Zero itself is above the lower edge of its band, and so is all of the band.
        assert!(!goes_left(
            number(-ZERO_BAND, Missing::None, true),
            -ZERO_BAND
        ));
        for zero in [0.0, -0.0, 1e-36, -1e-36, ZERO_BAND, -ZERO_BAND, f64::NAN] {
            assert!(goes_left(number(-5.0, Missing::Zero, true), zero), "{zero}");
            assert!(
                !goes_left(number(5.0, Missing::Zero, false), zero),
                "{zero}"
            );
        }
        assert!(goes_left(number(5.0, Missing::Zero, false), 2e-35));
        assert!(!goes_left(number(5.0, Missing::Zero, true), f64::INFINITY));
        assert!(goes_left(
            number(f64::INFINITY, Missing::None, false),
            f64::INFINITY
        ));
    }

    #[test]
    fn a_category_is_truncated_and_everything_unknown_goes_right() {
        let set = Test::Category {
            first_word: 0,
            word_count: 2,
            missing_left: false,
            truncates_to_zero: true,
        };
        for inside in [0.0, -0.0, -0.999, 0.5, 2.0, 2.9, 33.0] {
            assert!(goes_left(set, inside), "{inside}");
        }
        for outside in [
            1.0,
            -1.0,
            -2.0,
            32.0,
            34.0,
            64.0,
            1e9,
            2_147_483_648.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
        ] {
            assert!(!goes_left(set, outside), "{outside}");
        }
        assert!(!goes_left(set, f64::NEG_INFINITY));
        // The second word alone: category 1 is its bit 1, and category 33 is past its end.
        let second = Test::Category {
            first_word: 1,
            word_count: 1,
            missing_left: false,
            truncates_to_zero: true,
        };
        assert!(goes_left(second, 1.0) && !goes_left(second, 33.0));
    }

    #[test]
    fn the_zero_band_is_lightgbm_s_float_constant() {
        assert_eq!(ZERO_BAND.to_bits(), f64::from(1e-35_f32).to_bits());
    }
}
