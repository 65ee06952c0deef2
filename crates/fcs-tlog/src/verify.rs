//! Checking proofs against tree heads.

use fcs_core::Digest;

use crate::hash::{empty_root, node_hash};

/// A size and the root over that many leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

/// A proof does not show what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The leaf cannot be in a tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexBeyondSize {
        /// The zero-based leaf.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The earlier tree is the greater one.
    #[error("the old size {old} is greater than the new size {new}")]
    SizesReversed {
        /// Size of the tree that should be the earlier one.
        old: u64,
        /// Size of the tree that should be the later one.
        new: u64,
    },
    /// The proof has more or fewer hashes than the sizes need.
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    OtherRoot,
}

/// Checks that a leaf hash is at the zero-based `index` of the tree with this head (RFC 9162
/// section 2.1.3.2). The proof is lowest first.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    proof: &[Digest],
    head: &TreeHead,
) -> Result<(), VerifyError> {
    if index >= head.size {
        return Err(VerifyError::IndexBeyondSize {
            index,
            size: head.size,
        });
    }
    let mut climb = Climb {
        node: index,
        last: head.size - 1,
    };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match climb.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish()?;
    same_root(&hash, &head.root)
}

/// Checks that the tree with the `new` head extends the one with the `old` head (RFC 9162 section
/// 2.1.4.2). The proof is lowest first. Every tree extends the empty tree, so there the proof is
/// empty and nothing is shown about the new head.
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Digest],
) -> Result<(), VerifyError> {
    if old.size > new.size {
        return Err(VerifyError::SizesReversed {
            old: old.size,
            new: new.size,
        });
    }
    if old.size == 0 || old.size == new.size {
        if !proof.is_empty() {
            return Err(VerifyError::WrongLength);
        }
        let expected = if old.size == 0 {
            empty_root()
        } else {
            old.root
        };
        same_root(&old.root, &expected)?;
        return if new.size > old.size {
            Ok(())
        } else {
            same_root(&new.root, &expected)
        };
    }
    // The climb starts at the largest complete subtree that ends the old tree.
    let height = old.size.trailing_zeros();
    let mut climb = Climb {
        node: (old.size - 1) >> height,
        last: (new.size - 1) >> height,
    };
    let (seed, siblings) = if old.size.is_power_of_two() {
        (old.root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(VerifyError::WrongLength)?;
        (*first, rest)
    };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in siblings {
        match climb.step()? {
            Side::Left => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, sibling),
        }
    }
    climb.finish()?;
    same_root(&old_hash, &old.root)?;
    same_root(&new_hash, &new.root)
}

/// The side on which the sibling stands.
enum Side {
    Left,
    Right,
}

/// A climb from a node to the root, by positions on the present level.
struct Climb {
    node: u64,
    /// Position of the last node of the level. At the root it is zero.
    last: u64,
}

impl Climb {
    /// Goes up past the next sibling.
    fn step(&mut self) -> Result<Side, VerifyError> {
        if self.last == 0 {
            return Err(VerifyError::WrongLength);
        }
        let side = if self.node % 2 == 1 {
            Side::Left
        } else if self.node == self.last {
            // The last node of a level has no sibling until its position is odd.
            let height = self.node.trailing_zeros();
            self.up(height);
            Side::Left
        } else {
            Side::Right
        };
        self.up(1);
        Ok(side)
    }

    fn up(&mut self, levels: u32) {
        self.node >>= levels;
        self.last >>= levels;
    }

    fn finish(&self) -> Result<(), VerifyError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(VerifyError::WrongLength)
        }
    }
}

fn same_root(found: &Digest, expected: &Digest) -> Result<(), VerifyError> {
    if found == expected {
        Ok(())
    } else {
        Err(VerifyError::OtherRoot)
    }
}
