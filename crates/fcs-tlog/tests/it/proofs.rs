//! Every proof verifies, and nothing that differs from it by a bit does.

use fcs_core::Digest;
use fcs_tlog::{
    MerkleTree, ProofError, TreeHead, VerifyError, empty_root, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use crate::{flip, leaf, tree};

/// Small sizes and powers of two with their neighbours, where the shape of the tree changes.
const EDGES: [u64; 22] = [
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257,
];

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![prop::sample::select(&EDGES[..]), 1..600u64]
}

/// The turns from a leaf to the root, by the recursion of RFC 9162 section 2.1.3.1.
fn inclusion_shape(index: u64, size: u64) -> String {
    if size <= 1 {
        return String::new();
    }
    let split = split(size);
    if index < split {
        inclusion_shape(index, split) + "R"
    } else {
        inclusion_shape(index - split, size - split) + "L"
    }
}

/// The start and the turns of a consistency proof, by the recursion of RFC 9162 section 2.1.4.1.
fn consistency_shape(old: u64, new: u64, from_old_root: bool) -> String {
    if old == new {
        return if from_old_root {
            "old root ".to_owned()
        } else {
            "first hash ".to_owned()
        };
    }
    let split = split(new);
    if old <= split {
        consistency_shape(old, split, from_old_root) + "R"
    } else {
        consistency_shape(old - split, new - split, false) + "L"
    }
}

/// The largest power of two below a size.
fn split(size: u64) -> u64 {
    let mut split = 1;
    while split < size - split {
        split *= 2;
    }
    split
}

fn head(tree: &MerkleTree, size: u64) -> TreeHead {
    TreeHead {
        size,
        root: tree.root_at(size).unwrap(),
    }
}

/// The proof with each one hash turned, missing or doubled, and with a hash too many.
fn damaged(proof: &[Digest], bit: usize) -> Vec<Vec<Digest>> {
    let mut all = vec![[proof, &[leaf(0)]].concat(), [&[leaf(0)], proof].concat()];
    for position in 0..proof.len() {
        let mut turned = proof.to_vec();
        turned[position] = flip(&proof[position], bit);
        let mut shorter = proof.to_vec();
        shorter.remove(position);
        let mut doubled = proof.to_vec();
        doubled.insert(position, proof[position]);
        all.extend([turned, shorter, doubled]);
    }
    all
}

proptest! {
    #[test]
    fn inclusion(
        (size, index) in size().prop_flat_map(|size| (Just(size), 0..size)),
        later in 0..70u64,
        bit in 0..256usize,
    ) {
        let tree = tree(size + later);
        let head = head(&tree, size);
        let proof = tree.inclusion_proof(index, size).unwrap();
        prop_assert_eq!(proof.len(), inclusion_shape(index, size).len());
        prop_assert_eq!(verify_inclusion(&leaf(index), index, &proof, &head), Ok(()));

        let turned = flip(&leaf(index), bit);
        prop_assert!(verify_inclusion(&turned, index, &proof, &head).is_err());
        let other = TreeHead { root: flip(&head.root, bit), ..head };
        prop_assert!(verify_inclusion(&leaf(index), index, &proof, &other).is_err());
        for damaged in damaged(&proof, bit) {
            prop_assert!(verify_inclusion(&leaf(index), index, &damaged, &head).is_err());
        }
        for bit in 0..64 {
            let other = index ^ (1 << bit);
            prop_assert!(verify_inclusion(&leaf(index), other, &proof, &head).is_err());
        }
    }

    #[test]
    fn an_inclusion_proof_fits_another_size_only_with_the_same_path(
        (size, index) in size().prop_flat_map(|size| (Just(size), 0..size)),
    ) {
        let tree = tree(size);
        let proof = tree.inclusion_proof(index, size).unwrap();
        for bit in 0..64 {
            let other = TreeHead { size: size ^ (1 << bit), root: tree.root() };
            let same_path = index < other.size
                && inclusion_shape(index, other.size) == inclusion_shape(index, size);
            let result = verify_inclusion(&leaf(index), index, &proof, &other);
            prop_assert_eq!(result.is_ok(), same_path, "size {} instead of {}", other.size, size);
        }
    }

    #[test]
    fn consistency(
        (new, old) in size().prop_flat_map(|new| (Just(new), 1..=new)),
        later in 0..70u64,
        bit in 0..256usize,
    ) {
        let tree = tree(new + later);
        let (old, new) = (head(&tree, old), head(&tree, new));
        let proof = tree.consistency_proof(old.size, new.size).unwrap();
        prop_assert_eq!(verify_consistency(&old, &new, &proof), Ok(()));

        let other = TreeHead { root: flip(&old.root, bit), ..old };
        prop_assert!(verify_consistency(&other, &new, &proof).is_err());
        let other = TreeHead { root: flip(&new.root, bit), ..new };
        prop_assert!(verify_consistency(&old, &other, &proof).is_err());
        for damaged in damaged(&proof, bit) {
            prop_assert!(verify_consistency(&old, &new, &damaged).is_err());
        }
        for bit in 0..64 {
            let shifted = TreeHead { size: old.size ^ (1 << bit), ..old };
            let expected = same_consistency_path((old.size, new.size), (shifted.size, new.size));
            prop_assert_eq!(verify_consistency(&shifted, &new, &proof).is_ok(), expected);
            let shifted = TreeHead { size: new.size ^ (1 << bit), ..new };
            let expected = same_consistency_path((old.size, new.size), (old.size, shifted.size));
            prop_assert_eq!(verify_consistency(&old, &shifted, &proof).is_ok(), expected);
        }
    }

    #[test]
    fn a_rewritten_log_has_no_consistency_proof(
        (new, old, rewritten) in size()
            .prop_flat_map(|new| (Just(new), 1..=new))
            .prop_flat_map(|(new, old)| (Just(new), Just(old), 0..old)),
    ) {
        let honest = tree(old);
        let forged: MerkleTree = (0..new)
            .map(|index| if index == rewritten { leaf(u64::MAX) } else { leaf(index) })
            .collect();
        let proof = forged.consistency_proof(old, new).unwrap();
        let result = verify_consistency(&head(&honest, old), &head(&forged, new), &proof);
        prop_assert_eq!(result, Err(VerifyError::OtherRoot));
    }

    #[test]
    fn verifiers_take_anything(
        sizes in any::<(u64, u64, u64)>(),
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Digest> = hashes.into_iter().map(Digest::from_bytes).collect();
        let (index, old, new) = sizes;
        let old = TreeHead { size: old, root: leaf(1) };
        let new = TreeHead { size: new, root: leaf(2) };
        prop_assert!(verify_inclusion(&leaf(0), index, &proof, &new).is_err());
        prop_assert!(verify_consistency(&old, &new, &proof).is_err());
    }
}

/// Whether a non-trivial proof of one pair of sizes has the path of another pair.
fn same_consistency_path(proved: (u64, u64), claimed: (u64, u64)) -> bool {
    let is_plain = |(old, new): (u64, u64)| 0 < old && old < new;
    is_plain(proved)
        && is_plain(claimed)
        && consistency_shape(proved.0, proved.1, true)
            == consistency_shape(claimed.0, claimed.1, true)
}

#[test]
fn every_proof_of_every_small_tree_verifies() {
    let tree = tree(70);
    for size in 0..=70 {
        let head = head(&tree, size);
        for index in 0..size {
            let proof = tree.inclusion_proof(index, size).unwrap();
            assert_eq!(verify_inclusion(&leaf(index), index, &proof, &head), Ok(()));
            assert!(verify_inclusion(&leaf(index + 1), index, &proof, &head).is_err());
        }
        for old in 0..=size {
            let proof = tree.consistency_proof(old, size).unwrap();
            let old = self::head(&tree, old);
            assert_eq!(verify_consistency(&old, &head, &proof), Ok(()));
        }
    }
}

#[test]
fn the_empty_tree_has_no_leaf_and_is_a_prefix_of_every_tree() {
    let empty = TreeHead {
        size: 0,
        root: empty_root(),
    };
    assert!(verify_inclusion(&empty_root(), 0, &[], &empty).is_err());
    let any = TreeHead {
        size: 5,
        root: leaf(1),
    };
    assert_eq!(verify_consistency(&empty, &any, &[]), Ok(()));
    assert_eq!(
        verify_consistency(&empty, &any, &[leaf(0)]),
        Err(VerifyError::WrongLength)
    );
    let forged = TreeHead {
        size: 0,
        root: leaf(1),
    };
    assert_eq!(
        verify_consistency(&forged, &any, &[]),
        Err(VerifyError::OtherRoot)
    );
    assert_eq!(
        verify_consistency(&forged, &forged, &[]),
        Err(VerifyError::OtherRoot)
    );
    assert_eq!(
        verify_consistency(&empty, &forged, &[]),
        Err(VerifyError::OtherRoot)
    );
}

#[test]
fn proofs_beyond_the_tree_are_errors() {
    let tree = tree(3);
    assert_eq!(
        tree.inclusion_proof(0, 4),
        Err(ProofError::SizeBeyondTree { size: 4, length: 3 })
    );
    assert_eq!(
        tree.inclusion_proof(2, 2),
        Err(ProofError::IndexBeyondSize { index: 2, size: 2 })
    );
    assert_eq!(
        tree.consistency_proof(3, 2),
        Err(ProofError::SizesReversed { old: 3, new: 2 })
    );
    assert_eq!(
        tree.consistency_proof(1, u64::MAX),
        Err(ProofError::SizeBeyondTree {
            size: u64::MAX,
            length: 3
        })
    );
    assert!(MerkleTree::new().inclusion_proof(0, 0).is_err());
}
