//! Published vectors, properties of proofs, and verification by libraries that are not ours.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, a broken expectation is a failure"
)]

mod batches;
mod checkpoints;
mod notes;
mod peers;
mod proofs;
mod tiles;
mod vectors;
mod witnessing;

use fcs_core::Digest;
use fcs_tlog::note::SigningKey;
use fcs_tlog::{MerkleTree, leaf_hash};

/// Bytes of leaf number `index`; all different.
fn leaf_data(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

fn leaf(index: u64) -> Digest {
    leaf_hash(&leaf_data(index))
}

fn tree(size: u64) -> MerkleTree {
    (0..size).map(leaf).collect()
}

/// A digest with one of its 256 bits turned.
fn flip(digest: &Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), &[seed; 32])
}
