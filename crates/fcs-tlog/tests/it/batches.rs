//! Decision batches, from the record to the checkpoint.

use fcs_core::Digest;
use fcs_tlog::batch::{self, BatchError, DecisionError, MAX_LOG_INDEX};
use fcs_tlog::{
    BatchLeaf, Checkpoint, DecisionClaim, DecisionProof, MerkleTree, TreeHead, VerifyError,
    leaf_hash, node_hash, verify_decision,
};
use proptest::prelude::*;

use crate::{flip, leaf};

/// Digest of the record at an index of the decision log.
fn record(log_index: u64) -> Digest {
    leaf(1_000_000 + log_index)
}

fn records(first_index: u64, count: u64) -> Vec<Digest> {
    (first_index..first_index + count).map(record).collect()
}

#[test]
fn the_leaf_is_canonical_json() {
    let leaf = BatchLeaf::new(65, &records(65, 2)).unwrap();
    let root = node_hash(
        &leaf_hash(record(65).as_bytes()),
        &leaf_hash(record(66).as_bytes()),
    );
    assert_eq!(leaf.head(), TreeHead { size: 2, root });
    let json =
        format!(r#"{{"first_index":65,"last_index":66,"root":"{root}","type":"decision-batch"}}"#);
    assert_eq!(leaf.to_bytes(), json.as_bytes());
    assert_eq!(leaf.leaf_hash(), leaf_hash(json.as_bytes()));
    assert_eq!(BatchLeaf::parse(json.as_bytes()), Ok(leaf));
    assert_eq!((leaf.first_index(), leaf.last_index()), (65, 66));
    assert_eq!(
        [64, 65, 66, 67].map(|i| leaf.position(i)),
        [None, Some(0), Some(1), None]
    );
}

#[test]
fn ranges_are_checked() {
    assert_eq!(BatchLeaf::new(1, &[]), Err(BatchError::Empty));
    let zero = BatchError::InvalidRange {
        first_index: 0,
        last_index: 0,
    };
    assert_eq!(BatchLeaf::new(0, &records(1, 1)), Err(zero));
    assert!(BatchLeaf::new(MAX_LOG_INDEX, &records(1, 1)).is_ok());
    assert!(BatchLeaf::new(MAX_LOG_INDEX, &records(1, 2)).is_err());
    assert!(BatchLeaf::new(u64::MAX, &records(1, 2)).is_err());
}

#[test]
fn only_the_canonical_text_is_a_leaf() {
    let leaf = BatchLeaf::new(1, &records(1, 3)).unwrap();
    let root = leaf.head().root.to_string();
    let good = String::from_utf8(leaf.to_bytes()).unwrap();
    let cases = [
        String::new(),
        "{}".to_owned(),
        format!("{good} "),
        format!(" {good}"),
        good.replace(":1,", ": 1,"),
        good.replace(":1,", ":01,"),
        good.replace(":1,", ":+1,"),
        good.replace(":1,", ":4,"),
        good.replace(":1,", ":0,"),
        good.replace(":3,", ":9007199254740992,"),
        good.replace(&root, &root.to_uppercase()),
        good.replace(&root, &root[2..]),
        good.replace("decision-batch", "deployment-event"),
        good.replace(r#""type""#, r#""extra":1,"type""#),
    ];
    for case in cases {
        assert_ne!(case, good);
        assert!(BatchLeaf::parse(case.as_bytes()).is_err(), "{case}");
    }
    assert_eq!(BatchLeaf::parse(&[0xff]), Err(BatchError::Malformed));
}

/// A log with other leaves around the batch, its checkpoint and the way from one decision.
struct Proved {
    claim: DecisionClaim,
    proof: DecisionProof,
    checkpoint: Checkpoint,
}

impl Proved {
    fn new(first_index: u64, count: u64, position: u64, around: (u64, u64)) -> Self {
        let digests = records(first_index, count);
        let batch = BatchLeaf::new(first_index, &digests).unwrap();
        let (before, after) = around;
        let log: MerkleTree = (0..before)
            .map(leaf)
            .chain([batch.leaf_hash()])
            .chain((0..after).map(|index| leaf(before + 1 + index)))
            .collect();
        Self {
            claim: DecisionClaim {
                record_digest: record(first_index + position),
                log_index: first_index + position,
            },
            proof: DecisionProof {
                batch,
                batch_proof: batch::prove(&digests, position).unwrap(),
                leaf_index: before,
                log_proof: log.inclusion_proof(before, log.len()).unwrap(),
            },
            checkpoint: Checkpoint {
                origin: "faircredit.example/log".parse().unwrap(),
                head: TreeHead {
                    size: log.len(),
                    root: log.root(),
                },
            },
        }
    }

    fn verify(&self) -> Result<(), DecisionError> {
        verify_decision(&self.claim, &self.proof, &self.checkpoint)
    }

    fn after(mut self, change: impl FnOnce(&mut Self)) -> Result<(), DecisionError> {
        assert_eq!(self.verify(), Ok(()));
        change(&mut self);
        self.verify()
    }
}

#[test]
fn each_broken_part_is_named() {
    let proved = || Proved::new(65, 64, 10, (3, 4));
    assert_eq!(
        proved().after(|it| it.claim.log_index = 129),
        Err(DecisionError::OutsideBatch {
            log_index: 129,
            first_index: 65,
            last_index: 128
        })
    );
    let in_batch = Err(DecisionError::Batch(VerifyError::OtherRoot));
    assert_eq!(
        proved().after(|it| it.claim.record_digest = record(1)),
        in_batch
    );
    assert_eq!(proved().after(|it| it.claim.log_index += 1), in_batch);
    let in_log = Err(DecisionError::Log(VerifyError::OtherRoot));
    assert_eq!(
        proved().after(|it| it.proof.log_proof[0] = record(1)),
        in_log
    );
    assert_eq!(proved().after(|it| it.proof.leaf_index = 2), in_log);
    assert_eq!(
        proved().after(|it| it.checkpoint.head.root = record(1)),
        in_log
    );
    // A batch that holds the record but is not the one in the log.
    let swap = |it: &mut Proved| {
        it.proof.batch = BatchLeaf::new(75, &records(75, 1)).unwrap();
        it.proof.batch_proof.clear();
    };
    assert_eq!(proved().after(swap), in_log);
}

proptest! {
    #[test]
    fn every_decision_of_a_batch_is_proved(
        first_index in 1..1_000u64,
        (count, position) in (1..100u64).prop_flat_map(|count| (Just(count), 0..count)),
        around in (0..40u64, 0..40u64),
        bit in 0..256usize,
    ) {
        let proved = || Proved::new(first_index, count, position, around);
        prop_assert_eq!(proved().verify(), Ok(()));
        let turned = |it: &mut Proved| it.claim.record_digest = flip(&it.claim.record_digest, bit);
        prop_assert!(proved().after(turned).is_err());
        for bit in 0..64 {
            prop_assert!(proved().after(|it| it.claim.log_index ^= 1 << bit).is_err());
            prop_assert!(proved().after(|it| it.proof.leaf_index ^= 1 << bit).is_err());
        }
    }

    #[test]
    fn parsing_takes_anything(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(BatchLeaf::parse(&bytes).is_err());
    }
}

#[test]
fn a_position_outside_the_batch_has_no_proof() {
    assert!(batch::prove(&records(1, 3), 3).is_err());
    assert!(batch::prove(&[], 0).is_err());
}
