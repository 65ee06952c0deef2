//! Other people's libraries accept what we make, and we accept what they make.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ct_merkle::digest::array::Array;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use fcs_core::Digest;
use fcs_tlog::note::SignedNote;
use fcs_tlog::{Checkpoint, MerkleTree, TreeHead, verify_consistency, verify_inclusion};
use sha2::Sha256;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader};

use crate::{key, leaf, leaf_data, tree};

const SIZES: [u64; 16] = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 63, 64, 65, 130];
const ORIGIN: &str = "faircredit.example/log";

fn bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|digest| *digest.as_bytes()).collect()
}

fn digests(bytes: &[u8]) -> Vec<Digest> {
    bytes
        .chunks(32)
        .map(|chunk| Digest::try_from(chunk).unwrap())
        .collect()
}

fn index(value: u64) -> usize {
    usize::try_from(value).unwrap()
}

fn ct_tree(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for index in 0..size {
        tree.push(leaf_data(index));
    }
    tree
}

fn ct_root(head: &TreeHead) -> RootHash<Sha256> {
    RootHash::new(Array::from(*head.root.as_bytes()), head.size)
}

fn head(tree: &MerkleTree, size: u64) -> TreeHead {
    TreeHead {
        size,
        root: tree.root_at(size).unwrap(),
    }
}

#[test]
fn ct_merkle_agrees_on_roots_and_inclusion_in_both_directions() {
    let ours = tree(130);
    for size in SIZES {
        let theirs = ct_tree(size);
        let head = head(&ours, size);
        assert_eq!(
            theirs.root().as_bytes().as_slice(),
            head.root.as_bytes(),
            "size {size}"
        );
        for leaf_index in 0..size {
            let their_proof = theirs.prove_inclusion(index(leaf_index));
            let our_proof = ours.inclusion_proof(leaf_index, size).unwrap();
            assert_eq!(their_proof.as_bytes(), bytes(&our_proof));
            let their_digests = digests(their_proof.as_bytes());
            assert_eq!(
                verify_inclusion(&leaf(leaf_index), leaf_index, &their_digests, &head),
                Ok(())
            );
            let our_proof = InclusionProof::try_from_bytes(bytes(&our_proof)).unwrap();
            ct_root(&head)
                .verify_inclusion(&leaf_data(leaf_index), leaf_index, &our_proof)
                .unwrap();
        }
    }
}

#[test]
fn ct_merkle_agrees_on_consistency_in_both_directions() {
    let ours = tree(130);
    for new in SIZES {
        let theirs = ct_tree(new);
        for old in 1..=new {
            let their_proof = theirs.prove_consistency(index(new - old));
            let our_proof = ours.consistency_proof(old, new).unwrap();
            assert_eq!(their_proof.as_bytes(), bytes(&our_proof), "{old} to {new}");
            let (old, new) = (head(&ours, old), head(&ours, new));
            let their_digests = digests(their_proof.as_bytes());
            assert_eq!(verify_consistency(&old, &new, &their_digests), Ok(()));
            let our_proof = ConsistencyProof::try_from_bytes(bytes(&our_proof)).unwrap();
            ct_root(&new)
                .verify_consistency(&ct_root(&old), &our_proof)
                .unwrap();
        }
    }
}

/// The hashes of a log in the order that `tlog_tiles` wants them.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|&position| self.0[index(position)])
            .collect())
    }
}

fn hashes(proof: &[Digest]) -> Vec<Hash> {
    proof
        .iter()
        .map(|digest| Hash(*digest.as_bytes()))
        .collect()
}

#[test]
fn tlog_tiles_agrees_on_roots_and_proofs_in_both_directions() {
    let ours = tree(70);
    let mut stored = Stored(Vec::new());
    for size in 1..=70 {
        let data = leaf_data(size - 1);
        let added = tlog_tiles::stored_hashes(size - 1, &data, &stored).unwrap();
        stored.0.extend(added);
        let new = head(&ours, size);
        let root = tlog_tiles::tree_hash(size, &stored).unwrap();
        assert_eq!(&root.0, new.root.as_bytes(), "size {size}");
        for other in 0..size {
            let record = leaf(other);
            let path = ours.inclusion_proof(other, size).unwrap();
            let record_hash = Hash(*record.as_bytes());
            tlog_tiles::check_record(&hashes(&path), size, root, other, record_hash).unwrap();
            let theirs = tlog_tiles::prove_record(size, other, &stored).unwrap();
            let theirs: Vec<_> = theirs
                .iter()
                .map(|hash| Digest::from_bytes(hash.0))
                .collect();
            assert_eq!(verify_inclusion(&record, other, &theirs, &new), Ok(()));

            let old = head(&ours, other + 1);
            let path = ours.consistency_proof(old.size, size).unwrap();
            let old_root = Hash(*old.root.as_bytes());
            tlog_tiles::check_tree(&hashes(&path), size, root, old.size, old_root).unwrap();
            let theirs = tlog_tiles::prove_tree(size, old.size, &stored).unwrap();
            let theirs: Vec<_> = theirs
                .iter()
                .map(|hash| Digest::from_bytes(hash.0))
                .collect();
            assert_eq!(verify_consistency(&old, &new, &theirs), Ok(()));
        }
    }
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.parse().unwrap(),
        head: head(&tree(size), size),
    }
}

fn their_verifier(vkey: &str) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(vkey).unwrap())])
}

#[test]
fn our_checkpoint_verifies_with_signed_note_and_tlog_tiles() {
    let log = key(ORIGIN, 7);
    for size in [0, 1, 2, 3, 70] {
        let mut ours = checkpoint(size).sign(&log).unwrap();
        ours.add_signature(&key("witness.example", 8)).unwrap();
        let note = Note::from_bytes(ours.to_string().as_bytes()).unwrap();
        let vkey = log.verifier_key().to_string();
        let (verified, unverified) = note.verify(&their_verifier(&vkey)).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 1));
        assert_eq!(verified[0].name(), ORIGIN);

        let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        let head = checkpoint(size).head;
        assert_eq!((theirs.origin(), theirs.size()), (ORIGIN, head.size));
        assert_eq!(&theirs.hash().0, head.root.as_bytes());
        assert_eq!(theirs.extension(), "");
    }
}

#[test]
fn a_changed_checkpoint_fails_with_signed_note() {
    let log = key(ORIGIN, 7);
    let ours = checkpoint(70)
        .sign(&log)
        .unwrap()
        .to_string()
        .replace("\n70\n", "\n71\n");
    let note = Note::from_bytes(ours.as_bytes()).unwrap();
    assert!(
        note.verify(&their_verifier(&log.verifier_key().to_string()))
            .is_err()
    );
}

#[test]
fn we_open_a_checkpoint_that_signed_note_and_tlog_tiles_made() {
    let log = key(ORIGIN, 7);
    let head = checkpoint(70).head;
    let root = Hash(*head.root.as_bytes());
    let theirs = tlog_tiles::Checkpoint::new(ORIGIN, 70, root, "").unwrap();
    let key_id = log.verifier_key().key_id();
    let secret = STANDARD.encode([&[0x01][..], &[7; 32]].concat());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{key_id}+{secret}")).unwrap();
    let mut note = Note::new(&theirs.to_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();

    let opened = Checkpoint::open(&note.to_bytes(), log.verifier_key()).unwrap();
    assert_eq!(opened, checkpoint(70));
    let ours = checkpoint(70).sign(&log).unwrap();
    assert_eq!(
        ours.to_string().into_bytes(),
        note.to_bytes(),
        "Ed25519 is deterministic"
    );
    assert_eq!(SignedNote::parse(&note.to_bytes()), Ok(ours));
}
