//! The growing tree and the proofs that it makes.

use fcs_core::Digest;

use crate::hash::{empty_root, node_hash};

/// An append-only Merkle tree in memory, made of leaf hashes.
///
/// It keeps the hash of every complete subtree: about 64 bytes per leaf. `push` costs one hash on
/// average and O(log n) at most; roots and proofs of any earlier size cost O(log n).
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    /// `levels[h][i]` covers the leaves `i * 2^h .. (i + 1) * 2^h`.
    levels: Vec<Vec<Digest>>,
}

/// A proof was asked for that the tree cannot give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The size lies in the future.
    #[error("the tree has {length} leaves, fewer than the size {size}")]
    SizeBeyondTree {
        /// The size asked for.
        size: u64,
        /// Leaves that the tree has.
        length: u64,
    },
    /// The leaf is not in the tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexBeyondSize {
        /// The zero-based leaf asked for.
        index: u64,
        /// The size asked for.
        size: u64,
    },
    /// The earlier size is the greater one.
    #[error("the old size {old} is greater than the new size {new}")]
    SizesReversed {
        /// The size that should be the earlier one.
        old: u64,
        /// The size that should be the later one.
        new: u64,
    },
}

impl MerkleTree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf by its hash (see [`crate::leaf_hash`]).
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for height in 0.. {
            if self.levels.len() == height {
                self.levels.push(Vec::new());
            }
            let level = &mut self.levels[height];
            level.push(node);
            if level.len() % 2 == 1 {
                return;
            }
            node = node_hash(&level[level.len() - 2], &level[level.len() - 1]);
        }
    }

    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Root over all leaves.
    pub fn root(&self) -> Digest {
        self.range_hash(0, self.len())
    }

    /// Root over the first `size` leaves; `None` when there are not that many.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        (size <= self.len()).then(|| self.range_hash(0, size))
    }

    /// Path from the zero-based leaf `index` to the root of the first `size` leaves, lowest first
    /// (RFC 9162 section 2.1.3.1).
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
        self.check_size(size)?;
        if index >= size {
            return Err(ProofError::IndexBeyondSize { index, size });
        }
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range_hash(middle, end));
                end = middle;
            } else {
                path.push(self.range_hash(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// Proof that the first `new` leaves extend the first `old` ones, lowest first (RFC 9162
    /// section 2.1.4.1). It is empty when the sizes are equal or the old tree is empty.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, ProofError> {
        self.check_size(new)?;
        if old > new {
            return Err(ProofError::SizesReversed { old, new });
        }
        let mut path = Vec::new();
        if old == 0 {
            return Ok(path);
        }
        let (mut start, mut end) = (0, new);
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.range_hash(middle, end));
                end = middle;
            } else {
                path.push(self.range_hash(start, middle));
                start = middle;
            }
        }
        // The old tree's own root is known to the verifier; any other meeting point is not.
        if start > 0 {
            path.push(self.range_hash(start, end));
        }
        path.reverse();
        Ok(path)
    }

    /// Hash of the zero-based leaf; `None` when there is none.
    pub fn leaf(&self, index: u64) -> Option<Digest> {
        self.complete(0, index, 1).map(|hashes| hashes[0])
    }

    /// Hashes of `count` complete subtrees of `2^height` leaves each, from the zero-based `start` on.
    pub(crate) fn complete(&self, height: u32, start: u64, count: u64) -> Option<&[Digest]> {
        let level = self.levels.get(height as usize)?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(count).ok()?)?;
        level.get(start..end)
    }

    fn check_size(&self, size: u64) -> Result<(), ProofError> {
        let length = self.len();
        if size > length {
            Err(ProofError::SizeBeyondTree { size, length })
        } else {
            Ok(())
        }
    }

    /// Hash over `start..end`, where `start` is a multiple of the largest power of two that is not
    /// above the length. Folds the complete subtrees of the range from right to left.
    fn range_hash(&self, start: u64, end: u64) -> Digest {
        let mut rest = end;
        let mut hash = None;
        while rest > start {
            let height = (rest - start).trailing_zeros();
            rest -= 1 << height;
            let subtree = self.subtree(height, rest >> height);
            hash = Some(hash.map_or(subtree, |right| node_hash(&subtree, &right)));
        }
        hash.unwrap_or_else(empty_root)
    }

    fn subtree(&self, height: u32, position: u64) -> Digest {
        let position = usize::try_from(position).expect("positions index a vector in memory");
        self.levels[height as usize][position]
    }
}

impl Extend<Digest> for MerkleTree {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Digest> for MerkleTree {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::new();
        tree.extend(leaves);
        tree
    }
}

/// The largest power of two below a length of at least two: where RFC 9162 splits a tree.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}
