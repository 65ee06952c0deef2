//! Turns the fields of one tree into nodes, and checks that they form a tree.

use super::error::Problem;
use super::fields::{Field, Fields};
use crate::limits;
use crate::tree::{Child, Cover, Missing, Node, Test, Tree, check_shape};

/// Names of a tree's lines. Those that no prediction needs are only known, not read.
const TREE_FIELDS: [&str; 18] = [
    "num_leaves",
    "num_cat",
    "split_feature",
    "split_gain",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_value",
    "leaf_weight",
    "leaf_count",
    "internal_value",
    "internal_weight",
    "internal_count",
    "cat_boundaries",
    "cat_threshold",
    "is_linear",
    "shrinkage",
];

// Bits of a node's `decision_type` (LightGBM `include/LightGBM/tree.h`).
const CATEGORICAL_BIT: u8 = 1;
const DEFAULT_LEFT_BIT: u8 = 2;
const MISSING_TYPE_SHIFT: u8 = 2;

/// One tree of a model with `feature_count` features. `category_words_left` is what the model's category sets may
/// still take.
pub(super) fn tree(
    fields: &Fields<'_>,
    feature_count: usize,
    category_words_left: &mut usize,
) -> Result<Tree, Problem> {
    // Before the unknown fields, because a linear tree also brings some of those.
    if let Some(field) = fields.optional("is_linear")
        && field.value != "0"
    {
        return Err(field.unsupported("0: leaves with a constant value"));
    }
    fields.refuse_unknown(&TREE_FIELDS)?;

    let leaves = fields.required("num_leaves")?;
    let leaf_count = leaves.number::<usize>()?;
    if leaf_count == 0 || leaf_count > limits::LEAVES_PER_TREE_MAX {
        return Err(leaves.out_of_range(0, "1 to 65,536 leaves"));
    }
    let leaf_value = fields.required("leaf_value")?;
    let leaf_values: Vec<f64> = leaf_value.list(leaf_count)?;
    if let Some(position) = leaf_values.iter().position(|value| !value.is_finite()) {
        return Err(leaf_value.out_of_range(position, "finite"));
    }
    if leaf_count == 1 {
        return Ok(Tree {
            nodes: Vec::new(),
            leaf_values,
            leaf_ids: vec![0],
            category_words: Vec::new(),
            cover: cover(fields, leaf_count)?,
        });
    }

    let mut category_sets = CategorySets::read(fields, category_words_left)?;
    let nodes = nodes(fields, leaf_count, feature_count, &mut category_sets)?;
    check_shape(&nodes, leaf_count).map_err(Problem::Shape)?;
    Ok(Tree {
        nodes,
        leaf_values,
        leaf_ids: (0..).take(leaf_count).collect(),
        category_words: category_sets.words,
        cover: cover(fields, leaf_count)?,
    })
}

/// Training rows per node and leaf, when the text tells both. LightGBM 3 leaves the line of a single leaf empty.
fn cover(fields: &Fields<'_>, leaf_count: usize) -> Result<Option<Cover>, Problem> {
    let (Some(nodes), Some(leaves)) = (
        fields.optional("internal_count"),
        fields.optional("leaf_count"),
    ) else {
        return Ok(None);
    };
    if leaf_count == 1 && leaves.value.is_empty() {
        return Ok(None);
    }
    Ok(Some(Cover {
        nodes: row_counts(nodes, leaf_count - 1)?,
        leaves: row_counts(leaves, leaf_count)?,
    }))
}

fn row_counts(field: Field<'_>, expected: usize) -> Result<Vec<f64>, Problem> {
    let counts: Vec<u32> = field.list(expected)?;
    Ok(counts.into_iter().map(f64::from).collect())
}

/// The bit sets of a tree's categorical splits.
struct CategorySets {
    /// First word of each set, then the end of the last: strictly ascending, within `words`.
    boundaries: Vec<u32>,
    words: Vec<u32>,
    /// By the number of the set.
    is_taken: Vec<bool>,
}

impl CategorySets {
    fn read(fields: &Fields<'_>, words_left: &mut usize) -> Result<Self, Problem> {
        let count_field = fields.required("num_cat")?;
        let set_count = count_field.number::<usize>()?;
        if set_count == 0 {
            return Ok(Self {
                boundaries: vec![0],
                words: Vec::new(),
                is_taken: Vec::new(),
            });
        }
        if set_count >= limits::LEAVES_PER_TREE_MAX {
            return Err(count_field.out_of_range(0, "fewer sets than leaves"));
        }
        let field = fields.required("cat_boundaries")?;
        let boundaries: Vec<u32> = field.list(set_count + 1)?;
        if boundaries[0] != 0 {
            return Err(field.out_of_range(0, "0"));
        }
        for position in 1..boundaries.len() {
            if boundaries[position] <= boundaries[position - 1] {
                return Err(field.out_of_range(position, "above the one before it"));
            }
        }
        let word_count = boundaries[set_count] as usize;
        let Some(left) = words_left.checked_sub(word_count) else {
            let expected = "smaller: the sets of the model have too many words";
            return Err(field.out_of_range(set_count, expected));
        };
        *words_left = left;
        Ok(Self {
            boundaries,
            words: fields.required("cat_threshold")?.list(word_count)?,
            is_taken: vec![false; set_count],
        })
    }

    /// The test of a categorical node: its `threshold` is the number of its set. LightGBM gives each node a set of its
    /// own; many nodes with one large set would be far more work than the text has bytes.
    fn test(&mut self, threshold: f64) -> Option<Test> {
        let set_count = self.is_taken.len();
        if threshold.fract() != 0.0 || !(0.0..set_count as f64).contains(&threshold) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number below the number of sets"
        )]
        let set = threshold as usize;
        if std::mem::replace(&mut self.is_taken[set], true) {
            return None;
        }
        let first_word = self.boundaries[set];
        Some(Test::Category {
            first_word,
            word_count: self.boundaries[set + 1] - first_word,
            missing_left: false,
            truncates_to_zero: true,
        })
    }
}

fn nodes(
    fields: &Fields<'_>,
    leaf_count: usize,
    feature_count: usize,
    category_sets: &mut CategorySets,
) -> Result<Vec<Node>, Problem> {
    let node_count = leaf_count - 1;
    let feature_field = fields.required("split_feature")?;
    let features: Vec<u32> = feature_field.list(node_count)?;
    let threshold_field = fields.required("threshold")?;
    let thresholds: Vec<f64> = threshold_field.list(node_count)?;
    let type_field = fields.required("decision_type")?;
    let decision_types: Vec<u8> = type_field.list(node_count)?;
    let left_children = children(fields.required("left_child")?, leaf_count)?;
    let right_children = children(fields.required("right_child")?, leaf_count)?;

    let mut nodes = Vec::with_capacity(node_count);
    for index in 0..node_count {
        if features[index] as usize >= feature_count {
            return Err(feature_field.out_of_range(index, "the index of a feature"));
        }
        let (decision_type, threshold) = (decision_types[index], thresholds[index]);
        let missing = missing_type(decision_type)
            .ok_or_else(|| type_field.out_of_range(index, "a known decision type"))?;
        let test = if decision_type & CATEGORICAL_BIT == 0 {
            // LightGBM writes thresholds within +-1e300; infinite ones still have a meaning.
            if threshold.is_nan() {
                return Err(threshold_field.out_of_range(index, "a number"));
            }
            let default_left = decision_type & DEFAULT_LEFT_BIT != 0;
            Test::LightGbm {
                threshold,
                missing,
                default_left,
            }
        } else {
            // The other bits play no part: whatever is not in the set goes right.
            category_sets.test(threshold).ok_or_else(|| {
                let expected = "the number of a set that no node before it has";
                threshold_field.out_of_range(index, expected)
            })?
        };
        let (left, right) = (left_children[index], right_children[index]);
        nodes.push(Node {
            column: features[index],
            test,
            left,
            right,
        });
    }
    Ok(nodes)
}

fn missing_type(decision_type: u8) -> Option<Missing> {
    match decision_type >> MISSING_TYPE_SHIFT {
        0 => Some(Missing::None),
        1 => Some(Missing::Zero),
        2 => Some(Missing::Nan),
        _ => None,
    }
}

/// Children as LightGBM numbers them: a node by its index, a leaf by the bitwise complement of its index.
fn children(field: Field<'_>, leaf_count: usize) -> Result<Vec<Child>, Problem> {
    let numbers: Vec<i32> = field.list(leaf_count - 1)?;
    let mut children = Vec::with_capacity(numbers.len());
    for (position, number) in numbers.into_iter().enumerate() {
        let (child, count) = match u32::try_from(number) {
            Ok(node) => (Child::Node(node), leaf_count - 1),
            Err(_) => (Child::Leaf((!number).cast_unsigned()), leaf_count),
        };
        let (Child::Node(index) | Child::Leaf(index)) = child;
        if index as usize >= count {
            return Err(field.out_of_range(position, "the number of a node or leaf"));
        }
        children.push(child);
    }
    Ok(children)
}
