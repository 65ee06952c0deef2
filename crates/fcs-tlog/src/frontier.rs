//! The right edge of a tree: enough to go on appending and to know the root, in 32 bytes per level.

use fcs_core::Digest;

use crate::hash::{empty_root, node_hash};
use crate::verify::TreeHead;

/// A tree of which only the complete subtrees at its right edge are kept. Following a log with one checks every
/// entry and costs no memory; it makes no proofs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One hash per set bit of the size, the greatest subtree first.
    hashes: Vec<Digest>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier that was kept; `None` when the number of hashes does not fit the size. Whether the hashes are those
    /// of a tree shows only when [`Self::head`] is compared with a trusted one.
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// The hashes to keep beside the size, at most 64.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash (see [`crate::leaf_hash`]).
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Each complete subtree of the new leaf's own height merges with it.
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().expect("one hash per set bit of the size");
            node = node_hash(&left, &node);
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        let root = self
            .hashes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root);
        TreeHead {
            size: self.size,
            root,
        }
    }
}
