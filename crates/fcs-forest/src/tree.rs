//! One decision tree: flat nodes, and the decisions that LightGBM takes at them.

/// LightGBM's `kZeroThreshold`: the float `1e-35f`, widened. Numbers this near to zero are zero.
const ZERO_BAND: f64 = 1.000_000_018_002_509_5e-35;

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

/// What a numeric split treats as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nothing: NaN is read as zero.
    None,
    /// Zero, and NaN, which is read as zero.
    Zero,
    /// NaN.
    Nan,
}

/// The question that a node asks about its feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Test {
    /// Left when the value is at most the threshold; missing values take the default branch.
    Number {
        threshold: f64,
        missing: Missing,
        default_left: bool,
    },
    /// Left when the category is in the set: `word_count` words of [`Tree::category_words`] from `first_word`,
    /// one bit per category. Missing, negative, too large and unknown categories go right.
    Category { first_word: u32, word_count: u32 },
}

/// A split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) feature: u32,
    pub(crate) test: Test,
    pub(crate) left: Child,
    pub(crate) right: Child,
}

/// A tree whose shape has been checked: from the root, each node and each leaf is reached exactly once.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The root is the first; empty when the tree is a single leaf.
    pub(crate) nodes: Vec<Node>,
    /// At least one; all finite.
    pub(crate) leaf_values: Vec<f64>,
    /// The bit sets of all categorical splits.
    pub(crate) category_words: Vec<u32>,
}

impl Tree {
    /// The value of the leaf that the row falls into.
    pub(crate) fn value(&self, row: &[f64]) -> f64 {
        let mut child = self.root();
        loop {
            match child {
                Child::Leaf(leaf) => return self.leaf_values[leaf as usize],
                Child::Node(index) => {
                    let node = &self.nodes[index as usize];
                    child = if self.goes_left(node, row) {
                        node.left
                    } else {
                        node.right
                    };
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

    /// The branch that a row takes at a node, whether or not the row reaches it.
    /// These are `Tree::NumericalDecision` and `Tree::CategoricalDecision` of LightGBM 4.6, on a row as its
    /// predictor sees it: values in the zero band are left out of the row, and so are zero to every split.
    pub(crate) fn goes_left(&self, node: &Node, row: &[f64]) -> bool {
        let value = row[node.feature as usize];
        match node.test {
            Test::Number {
                threshold,
                missing,
                default_left,
            } => {
                let is_zero =
                    value.abs() <= ZERO_BAND || (value.is_nan() && missing != Missing::Nan);
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
            Test::Category {
                first_word,
                word_count,
            } => {
                let words = &self.category_words[first_word as usize..][..word_count as usize];
                contains_category(words, value)
            }
        }
    }
}

/// Whether the bit set holds the category that a value stands for.
fn contains_category(words: &[u32], value: f64) -> bool {
    // The comparison is false for NaN. Values in (-1, 0) truncate to category 0, as in C.
    if !(value > -1.0 && value < CATEGORY_END) {
        return false;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range by the check above; truncation toward zero is what is meant"
    )]
    let category = value as u32;
    words
        .get(category as usize / 32)
        .is_some_and(|word| (word >> (category % 32)) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_left(test: Test, value: f64) -> bool {
        let node = Node {
            feature: 0,
            test,
            left: Child::Leaf(0),
            right: Child::Leaf(1),
        };
        let tree = Tree {
            nodes: vec![node],
            leaf_values: vec![1.0, 2.0],
            category_words: vec![0b101, 2],
        };
        let is_first_leaf = tree.value(&[value]) < 1.5;
        assert_eq!(is_first_leaf, tree.goes_left(&node, &[value]));
        is_first_leaf
    }

    #[test]
    fn a_threshold_is_inclusive_and_missing_takes_the_default() {
        let number = |threshold, missing, default_left| Test::Number {
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
        };
        assert!(goes_left(second, 1.0) && !goes_left(second, 33.0));
    }

    #[test]
    fn the_zero_band_is_lightgbm_s_float_constant() {
        assert_eq!(ZERO_BAND.to_bits(), f64::from(1e-35_f32).to_bits());
    }
}
