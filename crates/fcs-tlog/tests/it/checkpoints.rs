//! Checkpoints: text form, signature, origin.

use fcs_tlog::checkpoint::CheckpointError;
use fcs_tlog::note::{NoteError, SignedNote};
use fcs_tlog::{Checkpoint, TreeHead, empty_root};
use proptest::prelude::*;

use crate::{key, tree};

const ORIGIN: &str = "faircredit.example/log";

fn checkpoint(size: u64) -> Checkpoint {
    let root = tree(size).root();
    Checkpoint {
        origin: ORIGIN.parse().unwrap(),
        head: TreeHead { size, root },
    }
}

#[test]
fn the_text_has_three_lines() {
    let empty = Checkpoint {
        origin: ORIGIN.parse().unwrap(),
        head: TreeHead {
            size: 0,
            root: empty_root(),
        },
    };
    let expected = "faircredit.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    assert_eq!(empty.to_note_text(), expected);
    assert_eq!(Checkpoint::parse(expected), Ok(empty));
}

#[test]
fn what_is_signed_opens() {
    let log = key(ORIGIN, 1);
    for size in [0, 1, 2, 3, 255, 256, 257] {
        let note = checkpoint(size).sign(&log).unwrap().to_string();
        assert_eq!(
            Checkpoint::open(note.as_bytes(), log.verifier_key()),
            Ok(checkpoint(size))
        );
    }
}

#[test]
fn extension_lines_are_read_over() {
    let log = key(ORIGIN, 1);
    let text = checkpoint(3).to_note_text() + "extension one\nextension two\n";
    let note = SignedNote::sign(&text, &log).unwrap().to_string();
    assert_eq!(
        Checkpoint::open(note.as_bytes(), log.verifier_key()),
        Ok(checkpoint(3))
    );
}

#[test]
fn another_key_does_not_open() {
    let note = checkpoint(3).sign(&key(ORIGIN, 1)).unwrap().to_string();
    let other = key(ORIGIN, 2);
    assert_eq!(
        Checkpoint::open(note.as_bytes(), other.verifier_key()),
        Err(CheckpointError::Note(NoteError::Unverified))
    );
}

#[test]
fn a_key_signs_and_opens_only_its_own_log() {
    let other = key("other.example/log", 1);
    let refused = CheckpointError::OtherOrigin {
        origin: ORIGIN.parse().unwrap(),
        key: other.name().clone(),
    };
    assert_eq!(checkpoint(3).sign(&other), Err(refused.clone()));
    let note = SignedNote::sign(&checkpoint(3).to_note_text(), &other)
        .unwrap()
        .to_string();
    assert_eq!(
        Checkpoint::open(note.as_bytes(), other.verifier_key()),
        Err(refused)
    );
}

#[test]
fn malformed_texts_are_refused() {
    let good = checkpoint(3).to_note_text();
    let root = good.lines().nth(2).unwrap();
    let cases = [
        String::new(),
        "\n".to_owned(),
        format!("{ORIGIN}\n3\n"),
        format!("{ORIGIN}\n3\n{root}"),
        format!("{ORIGIN}\n03\n{root}\n"),
        format!("{ORIGIN}\n+3\n{root}\n"),
        format!("{ORIGIN}\n-3\n{root}\n"),
        format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
        format!("{ORIGIN}\n0\n{root}\n"),
        format!("{ORIGIN}\n3\n{}\n", &root[4..]),
        format!("{ORIGIN}\n3\n{}\n", root.trim_end_matches('=')),
        format!("\n3\n{root}\n"),
        format!("{good}\n"),
        format!("{good}extension\n\n"),
    ];
    for case in cases {
        assert!(Checkpoint::parse(&case).is_err(), "{case:?}");
    }
}

proptest! {
    #[test]
    fn no_turned_bit_survives(position in any::<prop::sample::Index>(), bit in 0..8u8) {
        let log = key(ORIGIN, 1);
        let mut bytes = checkpoint(300).sign(&log).unwrap().to_string().into_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        prop_assert!(Checkpoint::open(&bytes, log.verifier_key()).is_err());
    }
}
