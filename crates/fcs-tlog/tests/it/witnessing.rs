//! Cosignatures, policies, proof files and the witness protocol.

use fcs_tlog::note::{CosigningKey, NoteSignature, SignedNote, VerifierKey};
use fcs_tlog::policy::{Cosigner, Unmet};
use fcs_tlog::proof::LogProofError;
use fcs_tlog::witness::{AddCheckpoint, Refusal};
use fcs_tlog::{Checkpoint, LogProof, Policy, TreeHead, empty_root};

use crate::{flip, key, leaf, tree};

const ORIGIN: &str = "faircredit.example/log";

fn witness(name: &str, seed: u8) -> CosigningKey {
    CosigningKey::from_seed(name.parse().unwrap(), &[seed; 32])
}

fn head(size: u64) -> TreeHead {
    let root = tree(size).root();
    TreeHead { size, root }
}

fn signed(head: TreeHead) -> SignedNote {
    let origin = ORIGIN.parse().unwrap();
    Checkpoint { origin, head }.sign(&key(ORIGIN, 7)).unwrap()
}

/// A policy over the log's key and the keys of witnesses 1 to 3.
fn policy(rules: &str) -> Policy {
    let line = |seed: u8| {
        let key = witness(&format!("w{seed}.example"), seed);
        format!("witness w{seed} {}\n", key.verifier_key())
    };
    let witnesses: String = (1..=3).map(line).collect();
    let log = key(ORIGIN, 7).verifier_key().to_string();
    Policy::parse(format!("log {log}\n{witnesses}{rules}\n").as_bytes()).unwrap()
}

fn cosigned(by: &[u8]) -> String {
    let mut note = signed(head(5));
    for &seed in by {
        let key = witness(&format!("w{seed}.example"), seed);
        let line = key.cosign(note.text(), 1_679_315_147);
        note.push(line).unwrap();
    }
    note.to_string()
}

#[test]
fn a_cosignature_is_over_header_time_and_text() {
    use ed25519_dalek::Signer as _;
    let key = witness("w1.example", 1);
    let note = signed(head(5));
    let line = key.cosign(note.text(), 1_679_315_147);
    // The layout by hand, as the specification words it.
    let message = format!("cosignature/v1\ntime 1679315147\n{}", note.text());
    let secret = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let mut expected = 1_679_315_147_u64.to_be_bytes().to_vec();
    expected.extend(secret.sign(message.as_bytes()).to_bytes());
    assert_eq!(line.signature, expected);
    assert_eq!(line.cosigned_at(), Some(1_679_315_147));
    let typed = [&[4][..], secret.verifying_key().as_bytes()].concat();
    let id = sha2::Digest::finalize(sha2::Digest::chain_update(
        <sha2::Sha256 as sha2::Digest>::new(),
        [b"w1.example\n", typed.as_slice()].concat(),
    ));
    assert_eq!(line.key_id.0, id[..4]);
    let vkey = key.verifier_key().to_string();
    assert_eq!(vkey.parse::<VerifierKey>().unwrap(), *key.verifier_key());
    let lines = format!("{line}\n{line}\n");
    assert_eq!(
        NoteSignature::parse_lines(lines.as_bytes()),
        Ok(vec![line.clone(), line])
    );
    assert!(NoteSignature::parse_lines(b"").is_err());
}

/// Made by `aics-tlog` 0.2.1 (log) and `aics-witness` 0.1.0 (cosignature), PyPI.
const OUTSIDE: &str = "o.example/l\n1000\nNGxrnLicS3b6ydyyDNqG46AcCldBfBOQKOrNRTj96Vs=\n\n\
    \u{2014} o.example/l ew7tCbra68JxfEFEntbrup1cQ1DRmMGpOtst/LbfpoIFA//M+cXSo6GWbg7rHV1v6QdmvawPmmQWH097Kd+x/AbJGAs=\n\
    \u{2014} w.example/aics xPya8wAAAABrC1wzAXmqVHYeJ7/cHFD8HshkrsWxwqc38MLhEXmMnutxRsc3v83rD5h5lSmcrA+bp6nmRbDtzhoZZa5ATXwrjayLDg==\n";

#[test]
fn an_outside_log_and_its_outside_witness_are_accepted() {
    let policy = "log o.example/l+7b0eed09+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\n\
        witness aics w.example/aics+c4fc9af3+BCLluUGcu8iQjtj3+yd3Cy0NRlfjW6jHO+Y3WHl+gh/+\n\
        quorum aics\n";
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let accepted = policy.accept(OUTSIDE.as_bytes()).unwrap();
    assert_eq!(accepted.checkpoint.head.size, 1_000);
    assert_eq!(accepted.cosigners[0].at, 0x6b0b_5c33);
    let changed = OUTSIDE.replace("AAAABrC1wz", "AAAABrC1w0");
    assert!(policy.accept(changed.as_bytes()).is_err());
}

#[test]
fn a_cosignature_is_of_one_text_and_one_time() {
    let key = witness("w1.example", 1);
    let mut note = signed(head(5));
    let line = key.cosign(note.text(), 5);
    assert!(signed(head(6)).signature_by(key.verifier_key()).is_none());
    for byte in 0..line.signature.len() {
        let mut wrong = line.clone();
        wrong.signature[byte] ^= 1;
        let mut other = note.clone();
        other.push(wrong).unwrap();
        assert!(other.verify(&[key.verifier_key().clone()]).is_err());
        assert!(other.signature_by(key.verifier_key()).is_none());
    }
    note.push(line.clone()).unwrap();
    assert_eq!(note.signature_by(key.verifier_key()), Some(&line));
    // A witness is no log, whatever its name is.
    let impostor = witness(ORIGIN, 7);
    let mut text = signed(head(5));
    text.push(impostor.cosign(text.text(), 5)).unwrap();
    assert!(Checkpoint::open(text.to_string().as_bytes(), impostor.verifier_key()).is_err());
}

#[test]
fn the_quorum_of_two_levels_of_groups_decides() {
    let all = [
        &[][..],
        &[1],
        &[2],
        &[3],
        &[1, 2],
        &[1, 3],
        &[2, 3],
        &[1, 2, 3],
    ];
    let accepted = |rules: &str| {
        let policy = policy(rules);
        all.map(|by| policy.accept(cosigned(by).as_bytes()).is_ok())
    };
    let (t, f) = (true, false);
    assert_eq!(accepted("quorum none"), [t; 8]);
    assert_eq!(accepted("quorum w2"), [f, f, t, f, t, f, t, t]);
    assert_eq!(
        accepted("group g any w1 w2\nquorum g"),
        [f, t, t, f, t, t, t, t]
    );
    assert_eq!(
        accepted("group g 2 w1 w2 w3\nquorum g"),
        [f, f, f, f, t, t, t, t]
    );
    assert_eq!(
        accepted("group x any w1 w2 \n group\ty all x w3\nquorum y"),
        [f, f, f, f, f, t, t, t]
    );
}

#[test]
fn what_is_accepted_names_the_witnesses_and_their_times() {
    let policy = policy("quorum w3");
    let accepted = policy.accept(cosigned(&[3, 1]).as_bytes()).unwrap();
    assert_eq!(accepted.checkpoint.head, head(5));
    let cosigner = |name: &str| Cosigner {
        name: name.to_owned(),
        at: 1_679_315_147,
    };
    assert_eq!(accepted.cosigners, [cosigner("w1"), cosigner("w3")]);
    let unmet = policy.accept(cosigned(&[1]).as_bytes()).unwrap_err();
    assert_eq!(unmet, Unmet::Quorum(vec!["w1".to_owned()]));
    // A stranger's key, and a wrong signature of a known one.
    let strange = cosigned(&[3]).replace(ORIGIN, "other.example/log");
    assert!(matches!(
        policy.accept(strange.as_bytes()),
        Err(Unmet::OtherLog(_))
    ));
    let wrong = cosigned(&[3]).replace("\n5\n", "\n6\n");
    assert!(matches!(
        policy.accept(wrong.as_bytes()),
        Err(Unmet::Checkpoint(_))
    ));
    let mut note = signed(head(5));
    let stolen = witness("w1.example", 1).cosign(signed(head(6)).text(), 1);
    note.push(stolen).unwrap();
    let refused = Policy::accept(&self::policy("quorum none"), note.to_string().as_bytes());
    assert!(
        matches!(refused, Err(Unmet::Checkpoint(_))),
        "a known key must not fail"
    );
}

#[test]
fn policies_that_break_a_rule_are_refused_with_the_line() {
    let log = key(ORIGIN, 7).verifier_key().to_string();
    let (one, two) = (witness("w", 1), witness("other", 1));
    let (one, two) = (one.verifier_key(), two.verifier_key());
    for (text, line) in [
        (String::new(), 1),
        ("# only words\n\n".to_owned(), 3),
        ("quorum none".to_owned(), 1),
        ("quorum w\n".to_owned(), 1),
        ("quorum none\nquorum none\n".to_owned(), 2),
        (format!("log {log}\nlog {log}\n"), 2),
        (format!("log {one}\n"), 1),
        (format!("witness w {log}\n"), 1),
        (format!("witness none {one}\n"), 1),
        (format!("witness a {one}\nwitness b {two}\n"), 2),
        (format!("witness w {one}\ngroup w any w\n"), 2),
        (format!("witness w {one}\ngroup g 0 w\n"), 2),
        (format!("witness w {one}\ngroup g 2 w\n"), 2),
        (format!("witness w {one}\ngroup g 01 w\n"), 2),
        (format!("witness w {one}\ngroup g any w w\n"), 2),
        (
            format!("witness w {one}\ngroup g any w\ngroup h any w\n"),
            3,
        ),
        (format!("witness w {one}\ngroup g any g\n"), 2),
        (format!("witness w {one}\ngroup g any\n"), 2),
        (format!("witness w {one} http://one http://two\n"), 1),
        (format!("witness w {one}\r\n"), 1),
        ("logs x\n".to_owned(), 1),
        ("log x\n".to_owned(), 1),
    ] {
        let error = Policy::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
    }
    let text = format!(
        "\t# Whom we believe\n log  {log}\thttp://127.0.0.1:8030/v1/log\nwitness w {one} http://w\nquorum w\n"
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(
        policy.logs()[0].url.as_deref(),
        Some("http://127.0.0.1:8030/v1/log")
    );
    assert_eq!(policy.witnesses()[0].url.as_deref(), Some("http://w"));
    assert!(Policy::parse(b"# \xe2\x84\xaa and \xff\nquorum none\n").is_ok());
}

#[test]
fn proof_files_have_one_form_and_verify_offline() {
    let policy = policy("quorum w1");
    for (index, extra) in [
        (0, None),
        (3, Some(b"more".to_vec())),
        (4, Some(Vec::new())),
    ] {
        let proof = LogProof {
            extra,
            index,
            path: tree(5).inclusion_proof(index, 5).unwrap(),
            checkpoint: cosigned(&[1]),
        };
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"));
        assert_eq!(LogProof::parse(text.as_bytes()).as_ref(), Ok(&proof));
        assert_eq!(
            proof.verify(&leaf(index), &policy).unwrap().checkpoint.head,
            head(5)
        );
        let other = proof.verify(&leaf(index + 1), &policy);
        assert!(matches!(other, Err(LogProofError::Path(_))));
        let mut alone = proof.clone();
        alone.checkpoint = cosigned(&[2]);
        let alone = alone.verify(&leaf(index), &policy);
        assert!(matches!(
            alone,
            Err(LogProofError::Checkpoint(Unmet::Quorum(_)))
        ));
    }
    let good = LogProof {
        extra: Some(b"more".to_vec()),
        index: 1,
        path: vec![leaf(0)],
        checkpoint: cosigned(&[]),
    }
    .to_string();
    for (from, to) in [
        ("proof@v1", "proof@v2"),
        ("index 1", "index 01"),
        ("index 1", "index -1"),
        ("index 1\n", ""),
        ("extra ", "extra!"),
        ("\n\n", "\n"),
    ] {
        let text = good.replacen(from, to, if from == "\n\n" { 9 } else { 1 });
        assert!(LogProof::parse(text.as_bytes()).is_err(), "{from} as {to}");
    }
    let many = good.replacen(
        "index 1\n",
        &format!("index 1\n{}", "A".repeat(43) + "=\n").repeat(65),
        1,
    );
    assert!(LogProof::parse(many.as_bytes()).is_err());
}

fn request(old: u64, new: u64) -> AddCheckpoint {
    AddCheckpoint {
        old_size: old,
        proof: tree(new).consistency_proof(old.min(new), new).unwrap(),
        checkpoint: signed(head(new)).to_string(),
    }
}

/// What a witness says whose last checkpoint is of size `last`.
fn answer(request: &AddCheckpoint, last: u64) -> Result<u64, Refusal> {
    let read = AddCheckpoint::parse(request.to_string().as_bytes())?;
    assert_eq!(read, *request);
    let checkpoint = read.authenticate(&[key(ORIGIN, 7).verifier_key().clone()])?;
    read.check(&checkpoint, &head(last))?;
    Ok(checkpoint.head.size)
}

#[test]
fn a_witness_cosigns_what_extends_its_last_checkpoint_and_nothing_else() {
    for (old, new) in [(0, 0), (0, 5), (3, 3), (3, 8), (5, 70), (64, 70)] {
        assert_eq!(answer(&request(old, new), old), Ok(new), "{old} to {new}");
    }
    assert_eq!(
        answer(&request(3, 8), 5),
        Err(Refusal::OtherSize { size: 5 })
    );
    assert_eq!(
        answer(&request(0, 3), 8),
        Err(Refusal::OtherSize { size: 8 })
    );
    let mut reversed = request(3, 3);
    reversed.old_size = 4;
    assert_eq!(answer(&reversed, 4), Err(Refusal::SizesReversed));
    // A rewritten log: of the same size, and grown.
    let mut rewritten = head(5);
    rewritten.root = flip(&rewritten.root, 9);
    let fork = AddCheckpoint {
        checkpoint: signed(rewritten).to_string(),
        ..request(5, 5)
    };
    assert_eq!(answer(&fork, 5), Err(Refusal::OtherRoot { size: 5 }));
    let mut grown = request(5, 8);
    grown.proof[0] = flip(&grown.proof[0], 3);
    assert_eq!(answer(&grown, 5), Err(Refusal::Inconsistent));
    let mut from_nothing = request(0, 5);
    from_nothing.proof.push(leaf(0));
    assert_eq!(answer(&from_nothing, 0), Err(Refusal::Inconsistent));
    assert!(Refusal::Inconsistent.is_evidence() && Refusal::OtherRoot { size: 5 }.is_evidence());
}

#[test]
fn a_witness_believes_only_the_keys_of_the_log() {
    let asked = request(0, 5);
    let strangers = [key("other.example", 7).verifier_key().clone()];
    assert_eq!(asked.authenticate(&strangers), Err(Refusal::UnknownLog));
    let other_key = [key(ORIGIN, 8).verifier_key().clone()];
    assert_eq!(asked.authenticate(&other_key), Err(Refusal::NotSigned));
    let mut forged = asked.clone();
    forged.checkpoint = forged.checkpoint.replace("\n5\n", "\n6\n");
    let right_key = [key(ORIGIN, 7).verifier_key().clone()];
    assert_eq!(forged.authenticate(&right_key), Err(Refusal::NotSigned));
    let cosigner = [witness(ORIGIN, 7).verifier_key().clone()];
    assert_eq!(asked.authenticate(&cosigner), Err(Refusal::UnknownLog));
}

#[test]
fn malformed_requests_are_refused_as_such() {
    let good = request(5, 8).to_string();
    for text in [
        String::new(),
        good.replacen("old 5", "old 05", 1),
        good.replacen("old 5", "old -5", 1),
        good.replacen("old 5", "size 5", 1),
        good.replacen("\n\n", "\n", 1),
        good.replacen("old 5\n", &format!("old 5\n{}", "A\n".repeat(3)), 1),
        good.replacen("old 5\n", &format!("old 5\n{}=\n", "A".repeat(43)), 1) + "x",
        good.replacen(
            "old 5\n",
            &("old 5\n".to_owned() + &("A".repeat(43) + "=\n").repeat(63)),
            1,
        ),
    ] {
        let refusal = AddCheckpoint::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refusal.status(), 400, "{text}");
    }
    let statuses = [
        (Refusal::NotSigned, 403),
        (Refusal::UnknownLog, 404),
        (Refusal::OtherSize { size: 1 }, 409),
        (Refusal::OtherRoot { size: 1 }, 409),
        (Refusal::Inconsistent, 422),
        (Refusal::SizesReversed, 400),
    ];
    for (refusal, status) in statuses {
        assert_eq!(refusal.status(), status);
    }
    assert_eq!(empty_root(), head(0).root);
}
