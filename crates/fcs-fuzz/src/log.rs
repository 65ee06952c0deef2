//! Readers of the transparency log's notes, leaves and proofs.

use fcs_core::Digest;
use fcs_tlog::note::{NoteSignature, SignedNote};
use fcs_tlog::tile::{encode_entries, parse_entries, parse_hashes};
use fcs_tlog::witness::AddCheckpoint;
use fcs_tlog::{
    BatchLeaf, Checkpoint, LogProof, Policy, Tile, TreeHead, verify_consistency, verify_inclusion,
};

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

/// A path has one tile, a bundle one run of entries, a hash tile at most 256 hashes.
pub(crate) fn tile(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(tile) = text.parse::<Tile>()
    {
        assert_eq!(tile.to_string(), text);
        assert!(!text.contains(".."));
        assert!(tile.width() >= 1 && tile.start().checked_add(tile.width()).is_some());
    }
    if let Ok(entries) = parse_entries(bytes) {
        assert_eq!(encode_entries(entries).as_deref(), Ok(bytes));
    }
    if let Ok(hashes) = parse_hashes(bytes) {
        assert_eq!(hashes.len() * 32, bytes.len());
    }
}

/// A policy that was read decides about any checkpoint, and asks for no witness that it does not have.
pub(crate) fn policy(bytes: &[u8]) {
    if let Ok(policy) = Policy::parse(bytes) {
        let _ = policy.is_quorum(&[]);
        assert!(policy.accept(bytes).is_err());
        assert!(policy.witnesses().iter().all(|it| it.key.is_cosigner()));
        assert!(policy.logs().iter().all(|it| !it.key.is_cosigner()));
    }
}

/// A proof file has one text form, and proves nothing under a policy without its log.
pub(crate) fn proof_file(bytes: &[u8]) {
    if let Ok(proof) = LogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        assert!(proof.path.len() <= 64);
        if let Ok(policy) = Policy::parse(b"quorum none\n") {
            assert!(proof.verify(&fcs_tlog::leaf_hash(b""), &policy).is_err());
        }
    }
}

/// A request to a witness has one form and is never authentic without a key; signature lines have one form.
pub(crate) fn witness(bytes: &[u8]) {
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
        assert!(request.authenticate(&[]).is_err());
    }
    if let Ok(lines) = NoteSignature::parse_lines(bytes) {
        let written = lines
            .iter()
            .fold(String::new(), |text, line| text + &line.to_string() + "\n");
        assert_eq!(written.as_bytes(), bytes);
    }
}
