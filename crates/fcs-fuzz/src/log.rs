//! Readers of the transparency log's notes, leaves and proofs.

use fcs_core::Digest;
use fcs_tlog::note::SignedNote;
use fcs_tlog::{BatchLeaf, Checkpoint, TreeHead, verify_consistency, verify_inclusion};

/// A note and a checkpoint have one text form; a checkpoint that was read can be written.
pub(crate) fn note(bytes: &[u8]) {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        assert!(note.verify(&[]).is_err());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        let written = checkpoint.to_note_text();
        assert!(text.starts_with(&written));
        assert_eq!(Checkpoint::parse(&written), Ok(checkpoint));
    }
}

/// A leaf has one byte form.
pub(crate) fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = BatchLeaf::parse(bytes) {
        assert_eq!(leaf.to_bytes(), bytes);
        assert_eq!(leaf.position(0), None);
        assert!(leaf.head().size > 0);
    }
}

/// Bytes as a proof: two sizes of eight bytes, then digests, the first two of which are the roots. What the digests
/// of a fuzzer prove is only ever trivial.
pub(crate) fn proof(bytes: &[u8]) {
    let Some((sizes, rest)) = bytes.split_first_chunk::<16>() else {
        return;
    };
    let numbers = u128::from_be_bytes(*sizes);
    let size = |shift: u32| u64::try_from(numbers >> shift & u128::from(u64::MAX));
    let (Ok(first), Ok(second)) = (size(64), size(0)) else {
        return;
    };
    let digests: Vec<Digest> = rest
        .chunks_exact(32)
        .filter_map(|chunk| Digest::try_from(chunk).ok())
        .collect();
    let [one, other, proof @ ..] = digests.as_slice() else {
        return;
    };
    let head = |size, root: &Digest| TreeHead { size, root: *root };
    let (old, new) = (head(first, one), head(second, other));
    if verify_inclusion(one, first, proof, &new).is_ok() {
        assert!(first < second && proof.len() <= 64);
        assert!(second > 1 || one == other);
    }
    if verify_consistency(&old, &new, proof).is_ok() {
        assert!(first <= second && proof.len() <= 65);
        assert!(first < second || one == other);
    }
}
