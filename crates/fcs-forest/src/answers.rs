//! What every test of a model answers to every class of its column, asked once when the model is compiled.

use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::limits::COMPILE_STEPS_MAX;

/// The answers, by tree and node.
pub(crate) struct Answers {
    /// First answer of each node of each tree.
    starts: Vec<Vec<u32>>,
    /// Whether a class goes left: one entry per class of the node's column.
    goes_left: Vec<bool>,
}

impl Answers {
    /// Asks every test about every class; `None` when that is too much.
    pub(crate) fn new(ensemble: &Ensemble, classes: &Classes) -> Option<Self> {
        let nodes = ensemble.trees.iter().flat_map(|tree| &tree.nodes);
        let count = |column| classes.columns()[classes.slot(column)].count();
        let steps = nodes.map(|node| count(node.column)).sum::<usize>();
        if steps > COMPILE_STEPS_MAX {
            return None;
        }
        let mut goes_left = Vec::with_capacity(steps);
        let mut starts = Vec::with_capacity(ensemble.trees.len());
        for tree in &ensemble.trees {
            let mut starts_of_tree = Vec::with_capacity(tree.nodes.len());
            for node in &tree.nodes {
                starts_of_tree.push(u32::try_from(goes_left.len()).ok()?);
                let column = &classes.columns()[classes.slot(node.column)];
                for class in 0..=column.missing() {
                    goes_left.push(tree.goes_left(&node.test, column.representative(class)));
                }
            }
            starts.push(starts_of_tree);
        }
        Some(Self { starts, goes_left })
    }

    /// Whether each class goes left at a node, in the order of the classes; the last is that of NaN.
    pub(crate) fn of(&self, tree: usize, node: usize, class_count: usize) -> &[bool] {
        &self.goes_left[self.starts[tree][node] as usize..][..class_count]
    }
}

/// A test on ordered classes: the classes below `split` go left, the others right, and NaN to the side it says.
pub(crate) struct Split {
    pub(crate) split: u16,
    pub(crate) missing_left: bool,
}

impl Split {
    /// The split that gives these answers, if there is one.
    pub(crate) fn of(answers: &[bool]) -> Option<Self> {
        let (missing_left, ordered) = answers.split_last()?;
        let split = ordered.partition_point(|left| *left);
        if ordered[split..].contains(&true) || ordered[..split].contains(&false) {
            return None;
        }
        Some(Self {
            split: u16::try_from(split).ok()?,
            missing_left: *missing_left,
        })
    }
}
