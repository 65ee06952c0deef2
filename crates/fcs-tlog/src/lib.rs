//! The append-only Merkle log: hashing, proofs, signed checkpoints and decision batches.
//!
//! For: computing and checking what makes the audit record tamper-evident. The hashing is RFC 9162
//! section 2.1 (the same as RFC 6962); checkpoints, tiles, cosignatures, the witness protocol, proofs and policies are
//! those of C2SP, so anyone can verify them with software that is not ours.
//! Not for: storing leaves, keeping keys, serving proofs. Nothing here does I/O.
//!
//! Invariants: a tree only grows; a proof that [`MerkleTree`] makes verifies against its root; a
//! verifier accepts nothing that a different tree of the same size could have produced; no input
//! makes a verifier or a parser panic.
//!
//! A path proof binds a leaf to a root, not to a size: sizes with the same path shape share proofs.
//! The signature of a [`Checkpoint`] is what binds a root to its size, so open the note first.

pub mod batch;
pub mod checkpoint;
mod frontier;
mod hash;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tile;
mod tree;
mod verify;
pub mod witness;

pub use batch::{BatchLeaf, DecisionClaim, DecisionError, DecisionProof, verify_decision};
pub use checkpoint::Checkpoint;
pub use frontier::Frontier;
pub use hash::{empty_root, leaf_hash, node_hash};
pub use policy::Policy;
pub use proof::LogProof;
pub use tile::Tile;
pub use tree::{MerkleTree, ProofError};
pub use verify::{TreeHead, VerifyError, verify_consistency, verify_inclusion};
