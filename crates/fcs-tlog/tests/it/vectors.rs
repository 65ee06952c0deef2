//! The eight-leaf test tree of Certificate Transparency, as published with transparency-dev/merkle,
//! and the seven-leaf example of RFC 6962 section 2.1.3.

use fcs_core::Digest;
use fcs_tlog::{
    MerkleTree, TreeHead, empty_root, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Roots over the first 0, 1, ..., 8 leaves.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

// Inner hashes, named by the leaves that they cover.
const L0: &str = ROOTS[1];
const L01: &str = ROOTS[2];
const L03: &str = ROOTS[4];
const L1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const L23: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const L4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const L45: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const L67: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const L47: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

/// Leaf, size, path.
const INCLUSION: [(u64, u64, &[&str]); 7] = [
    (0, 1, &[]),
    (0, 2, &[L1]),
    (1, 2, &[L0]),
    (2, 3, &[L01]),
    (1, 5, &[L0, L23, L4]),
    (0, 8, &[L1, L23, L47]),
    (5, 8, &[L4, L67, L03]),
];

/// Old size, new size, path.
const CONSISTENCY: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (1, 8, &[L1, L23, L47]),
    (2, 5, &[L23, L4]),
    (6, 8, &[L45, L67, L03]),
];

fn digests(hex: &[&str]) -> Vec<Digest> {
    hex.iter().map(|text| text.parse().unwrap()).collect()
}

fn published_tree() -> MerkleTree {
    LEAVES
        .iter()
        .map(|data| leaf_hash(&hex::decode(data).unwrap()))
        .collect()
}

fn published_head(size: u64) -> TreeHead {
    let root = ROOTS[usize::try_from(size).unwrap()].parse().unwrap();
    TreeHead { size, root }
}

#[test]
fn roots_are_the_published_ones() {
    let tree = published_tree();
    assert_eq!(empty_root().to_string(), ROOTS[0]);
    assert_eq!(MerkleTree::new().root().to_string(), ROOTS[0]);
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(tree.root_at(size).unwrap().to_string(), root, "size {size}");
    }
    assert_eq!(tree.root_at(9), None);
    assert_eq!(
        (tree.len(), tree.root().to_string().as_str()),
        (8, ROOTS[8])
    );
}

#[test]
fn inclusion_paths_are_the_published_ones() {
    let tree = published_tree();
    for (index, size, path) in INCLUSION {
        let proof = tree.inclusion_proof(index, size).unwrap();
        assert_eq!(proof, digests(path), "leaf {index} of {size}");
        let data = hex::decode(LEAVES[usize::try_from(index).unwrap()]).unwrap();
        let leaf = leaf_hash(&data);
        assert_eq!(
            verify_inclusion(&leaf, index, &proof, &published_head(size)),
            Ok(())
        );
    }
}

#[test]
fn consistency_paths_are_the_published_ones() {
    let tree = published_tree();
    for (old, new, path) in CONSISTENCY {
        let proof = tree.consistency_proof(old, new).unwrap();
        assert_eq!(proof, digests(path), "{old} to {new}");
        let (old, new) = (published_head(old), published_head(new));
        assert_eq!(verify_consistency(&old, &new, &proof), Ok(()));
    }
}

/// The tree of RFC 6962 section 2.1.3 has leaves d0 to d6, their hashes a, b, c, d, e, f, j, and
/// inner nodes g, h, i, k, l.
#[test]
#[expect(clippy::many_single_char_names, reason = "the letters are the RFC's")]
fn paths_of_the_rfc_example() {
    let tree: MerkleTree = (0..7).map(super::leaf).collect();
    let [a, b, c, d, e, f, j] = [0, 1, 2, 3, 4, 5, 6].map(super::leaf);
    let (g, h, i) = (node_hash(&a, &b), node_hash(&c, &d), node_hash(&e, &f));
    let (k, l) = (node_hash(&g, &h), node_hash(&i, &j));
    assert_eq!(tree.root(), node_hash(&k, &l));
    assert_eq!(tree.inclusion_proof(0, 7), Ok(vec![b, h, l]));
    assert_eq!(tree.inclusion_proof(3, 7), Ok(vec![c, g, l]));
    assert_eq!(tree.inclusion_proof(4, 7), Ok(vec![f, j, k]));
    assert_eq!(tree.inclusion_proof(6, 7), Ok(vec![i, k]));
    assert_eq!(tree.consistency_proof(3, 7), Ok(vec![c, d, g, l]));
    assert_eq!(tree.consistency_proof(4, 7), Ok(vec![l]));
    assert_eq!(tree.consistency_proof(6, 7), Ok(vec![i, j, k]));
}
