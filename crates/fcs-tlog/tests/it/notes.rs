//! The format of signed notes, byte for byte.

use fcs_tlog::note::{MAX_SIGNATURES, NoteError, NoteKeyName, SignedNote, VerifierKey};
use proptest::prelude::*;

use crate::key;

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn parse(text: &str) -> Result<SignedNote, NoteError> {
    SignedNote::parse(text.as_bytes())
}

#[test]
fn the_published_note_verifies() {
    let key: VerifierKey = VKEY.parse().unwrap();
    assert_eq!(key.to_string(), VKEY);
    assert_eq!(
        (key.name().as_str(), key.key_id().0),
        ("example.com/foo", [0x53, 0x0d, 0x90, 0x3a])
    );
    let note = parse(NOTE).unwrap();
    assert_eq!(note.to_string(), NOTE);
    let known = [key];
    let verified = note.verify(&known).unwrap();
    assert_eq!(verified.text, "This is an example message.\n");
    assert_eq!(verified.signers, [&known[0]]);
}

#[test]
fn a_changed_text_is_refused() {
    let key: VerifierKey = VKEY.parse().unwrap();
    let note = parse(&NOTE.replace("example message", "Example message")).unwrap();
    let refused = note.verify(std::slice::from_ref(&key)).unwrap_err();
    assert_eq!(refused, NoteError::BadSignature(key.name().clone()));
}

#[test]
fn unknown_keys_are_ignored_and_a_wrong_known_key_refuses_the_note() {
    let (log, witness, stranger) = (key("log", 1), key("witness", 2), key("stranger", 3));
    let mut note = SignedNote::sign("text\n", &stranger).unwrap();
    note.add_signature(&log).unwrap();
    let known = [log.verifier_key().clone(), witness.verifier_key().clone()];
    assert_eq!(note.verify(&known).unwrap().signers, [log.verifier_key()]);
    assert_eq!(note.verify(&known[1..]), Err(NoteError::Unverified));
    assert_eq!(note.verify(&[]), Err(NoteError::Unverified));

    // A witness line over another text, next to the log's good one.
    let elsewhere = SignedNote::sign("another text\n", &witness).unwrap();
    let forged = parse(&format!("{note}{}\n", elsewhere.signatures()[0])).unwrap();
    let refused = Err(NoteError::BadSignature("witness".parse().unwrap()));
    assert_eq!(forged.verify(&known), refused);
    assert!(
        forged.verify(&known[..1]).is_ok(),
        "who does not know the witness ignores it"
    );
}

#[test]
fn sixteen_signatures_and_more_are_accepted_up_to_the_limit() {
    let log = key("log", 1);
    let mut note = SignedNote::sign("text\n", &log).unwrap();
    for seed in 0..99 {
        note.add_signature(&key("witness", seed)).unwrap();
    }
    assert_eq!(note.signatures().len(), MAX_SIGNATURES);
    assert!(matches!(
        note.add_signature(&log),
        Err(NoteError::Malformed(_))
    ));
    let read = parse(&note.to_string()).unwrap();
    assert_eq!(read, note);
    assert!(
        read.verify(std::slice::from_ref(log.verifier_key()))
            .is_ok()
    );
    let too_many = format!("{note}{}\n", note.signatures()[0]);
    assert_eq!(
        parse(&too_many),
        Err(NoteError::Malformed("too many signatures"))
    );
}

#[test]
fn a_text_may_hold_blank_lines_and_other_scripts() {
    let log = key("log", 1);
    let text = "första\n\nдруга\n\n";
    let note = SignedNote::sign(text, &log).unwrap();
    let read = parse(&note.to_string()).unwrap();
    assert_eq!(read.text(), text);
    assert!(
        read.verify(std::slice::from_ref(log.verifier_key()))
            .is_ok()
    );
}

#[test]
fn texts_that_cannot_be_notes_are_not_signed() {
    let log = key("log", 1);
    for text in ["", "no line end", "tab\t\n", "nul\0\n", "return\r\n"] {
        assert!(SignedNote::sign(text, &log).is_err(), "{text:?}");
    }
    assert!(SignedNote::sign(&("x".repeat(1_000_000) + "\n"), &log).is_err());
}

#[test]
fn malformed_notes_are_refused() {
    let line = NOTE.lines().last().unwrap();
    let cases = [
        String::new(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n\n{line}"),
        format!("text\n{line}\n"),
        format!("text\n\n{line}\n\n"),
        format!("text\n\n{}\n", line.replace('\u{2014}', "-")),
        format!("text\n\n{}\n", line.replace("\u{2014} ", "\u{2014}")),
        format!("text\n\n{}\n", line.replace("example.com/foo ", "")),
        format!("text\n\n{}\n", line.replace("example.com/foo", "a+b")),
        format!("text\n\n{}\n", line.trim_end_matches('=')),
        format!("text\n\n{line} \n"),
        format!("text\n\n{line}\r\n"),
        "text\n\n\u{2014} name Uw2QOg==\n".to_owned(),
        "text\n\n\u{2014} name \n".to_owned(),
        format!("te\0xt\n\n{line}\n"),
    ];
    for case in cases {
        assert!(parse(&case).is_err(), "{case:?}");
    }
    let mut not_text = NOTE.as_bytes().to_vec();
    not_text[0] = 0xff;
    assert_eq!(
        SignedNote::parse(&not_text),
        Err(NoteError::Malformed("not UTF-8"))
    );
}

#[test]
fn malformed_verifier_keys_are_refused() {
    let weak = "example.com/foo+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let cases = [
        ("", NoteError::InvalidKeyName),
        ("example.com/foo", NoteError::InvalidVerifierKey),
        ("example.com/foo+530d903a", NoteError::InvalidVerifierKey),
        (
            &VKEY.replace("530d903a", "530d903b"),
            NoteError::KeyIdMismatch,
        ),
        (
            &VKEY.replace("530d903a", "530D903A"),
            NoteError::KeyIdMismatch,
        ),
        (&VKEY.replace("foo", "bar"), NoteError::KeyIdMismatch),
        (
            &VKEY.replace("+Aek", "+Bek"),
            NoteError::UnsupportedKeyType(0x05),
        ),
        (&VKEY.replace("3U2k", ""), NoteError::InvalidVerifierKey),
        (
            &VKEY.replace("example.com", "exam ple"),
            NoteError::InvalidKeyName,
        ),
        (weak, NoteError::InvalidVerifierKey),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<VerifierKey>(), Err(expected), "{text}");
    }
}

#[test]
fn names_are_checked() {
    assert!("faircredit.example/log".parse::<NoteKeyName>().is_ok());
    for bad in ["", "a b", "a\u{a0}b", "a+b", "a\nb", "a\0"] {
        assert_eq!(
            bad.parse::<NoteKeyName>(),
            Err(NoteError::InvalidKeyName),
            "{bad:?}"
        );
    }
}

#[test]
fn a_signing_key_does_not_print_its_seed() {
    let signing = key("log", 0xab);
    assert!(!format!("{signing:?}").contains("abab"));
    assert_eq!(
        format!("{signing:?}"),
        format!("SigningKey({})", signing.verifier_key())
    );
}

proptest! {
    #[test]
    fn no_turned_bit_survives(position in 0..NOTE.len(), bit in 0..8u8) {
        let mut bytes = NOTE.as_bytes().to_vec();
        bytes[position] ^= 1 << bit;
        let known: [VerifierKey; 1] = [VKEY.parse().unwrap()];
        let accepted = SignedNote::parse(&bytes).is_ok_and(|note| note.verify(&known).is_ok());
        prop_assert!(!accepted);
    }

    #[test]
    fn parsing_takes_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SignedNote::parse(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<VerifierKey>();
    }

    #[test]
    fn what_is_read_is_written_the_same(text in "[ -~\n\u{e0}-\u{ff}]{0,60}\n") {
        let note = SignedNote::sign(&text, &key("log", 1)).unwrap();
        prop_assert_eq!(parse(&note.to_string()), Ok(note));
    }
}
