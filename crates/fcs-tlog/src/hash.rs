//! The hashes of RFC 9162 section 2.1.1 over SHA-256.

use fcs_core::Digest;
use sha2::{Digest as _, Sha256};

/// Hash of a leaf: `SHA-256(0x00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Digest {
    digest_of(&[&[0x00], data])
}

/// Hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    digest_of(&[&[0x01], left.as_bytes(), right.as_bytes()])
}

/// Root of the tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Digest {
    digest_of(&[])
}

fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest::from_bytes(hasher.finalize().into())
}
