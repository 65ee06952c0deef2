//! Signatures, with the published vectors of RFC 8032, section 7.1 (TEST 2 and TEST 3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fcs_core::UnixMicros;
use fcs_decision::trust::{DetachedSignature, TrustError, TrustPolicy};

struct Vector {
    message: &'static [u8],
    public_key: &'static str,
    signature: &'static str,
}

const VECTORS: [Vector; 2] = [
    Vector {
        message: &[0x72],
        public_key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                    085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
    Vector {
        message: &[0xaf, 0x82],
        public_key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                    18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    },
];

fn base64_of(hexadecimal: &str) -> String {
    BASE64.encode(hex::decode(hexadecimal).unwrap())
}

fn policy() -> TrustPolicy {
    let text = format!(
        "[[keys]]\nkey_id = \"first\"\npublic_key = \"{}\"\nmodels = [\"card\"]\n\
         [[keys]]\nkey_id = \"second\"\npublic_key = \"{}\"\nmodels = [\"loan\", \"card\"]\n",
        base64_of(VECTORS[0].public_key),
        base64_of(VECTORS[1].public_key),
    );
    TrustPolicy::parse(&text).unwrap()
}

fn signature(key_id: &str, vector: &Vector) -> DetachedSignature {
    let text = format!(
        "{{\"key_id\": \"{key_id}\", \"signature\": \"{}\"}}",
        base64_of(vector.signature)
    );
    DetachedSignature::parse_file(text.as_bytes())
        .unwrap()
        .remove(0)
}

fn verify(
    policy: &TrustPolicy,
    message: &[u8],
    signatures: &[DetachedSignature],
    model: &str,
) -> Result<(), TrustError> {
    policy.verify(message, signatures, model, at("2026-06-15T12:00:00Z"))
}

fn at(text: &str) -> UnixMicros {
    UnixMicros::parse_rfc3339(text).unwrap()
}

#[test]
fn accepts_the_published_signatures() {
    let [first, second] = &VECTORS;
    assert_eq!(
        verify(
            &policy(),
            first.message,
            &[signature("first", first)],
            "card"
        ),
        Ok(())
    );
    assert_eq!(
        verify(
            &policy(),
            second.message,
            &[signature("second", second)],
            "loan"
        ),
        Ok(())
    );
}

#[test]
fn refuses_unknown_keys_and_other_models() {
    let [first, _] = &VECTORS;
    let unknown = verify(
        &policy(),
        first.message,
        &[signature("third", first)],
        "card",
    );
    assert_eq!(
        unknown,
        Err(TrustError::UnknownKey {
            key_id: "third".to_owned()
        })
    );
    let not_allowed = verify(
        &policy(),
        first.message,
        &[signature("first", first)],
        "loan",
    );
    let expected = TrustError::KeyNotAllowed {
        key_id: "first".to_owned(),
        model_name: "loan".to_owned(),
    };
    assert_eq!(not_allowed, Err(expected));
}

#[test]
fn refuses_every_altered_bit_and_the_key_of_another() {
    let [_, second] = &VECTORS;
    let sound = signature("second", second);
    let refused = |message: &[u8], signature: &DetachedSignature| {
        matches!(
            verify(&policy(), message, std::slice::from_ref(signature), "card"),
            Err(TrustError::BadSignature { .. })
        )
    };
    for bit in 0..512 {
        let mut altered = sound.clone();
        altered.signature[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(second.message, &altered), "bit {bit}");
    }
    assert!(refused(&[0xaf, 0x83], &sound));
    assert!(refused(&[0xaf, 0x82, 0x0a], &sound));
    assert!(refused(second.message, &signature("first", second)));
}

#[test]
fn refuses_broken_policies_with_every_problem() {
    let problems = |text: &str| match TrustPolicy::parse(text) {
        Err(TrustError::InvalidPolicy { problems }) => problems,
        other => panic!("expected an invalid policy, found {other:?}"),
    };
    let text = "[[keys]]\nkey_id = \"a\"\npublic_key = \"AAAA\"\nmodels = []\n\
                [[keys]]\nkey_id = \"a\"\npublic_key = \"\"\nmodels = [\"Card\"]\n\
                [[keys]]\nkey_id = \" \"\npublic_key = \"\"\nmodels = [\"card\"]\n";
    assert_eq!(
        problems(text),
        [
            "keys[0].models: must name at least one model",
            "keys[0].public_key: must be an Ed25519 key, 32 bytes in base64",
            "keys[1].models[0]: \"Card\" is not a model name",
            "keys[1].public_key: must be an Ed25519 key, 32 bytes in base64",
            "keys[1].key_id: occurs twice",
            "keys[2].public_key: must be an Ed25519 key, 32 bytes in base64",
            "keys[2].key_id: must not be empty",
        ]
    );
    assert_eq!(problems("keys = []"), ["keys: must hold at least one key"]);
    assert!(problems("[[keys]]\nowner = \"me\"")[0].contains("unknown field `owner`"));
    // The neutral element has small order: with it as the key, one signature fits every message.
    let neutral = base64_of(&format!("01{}", "00".repeat(31)));
    let weak = format!("[[keys]]\nkey_id = \"a\"\npublic_key = \"{neutral}\"\nmodels = [\"card\"]");
    assert!(problems(&weak)[0].starts_with("keys[0].public_key: "));
}

#[test]
fn refuses_broken_signature_files() {
    for text in [
        "",
        "{}",
        "{\"key_id\": \"a\", \"signature\": \"AAAA\"}",
        "{\"key_id\": \"a\", \"signature\": \"?\"}",
        "{\"key_id\": \"a\", \"signature\": \"\", \"algorithm\": \"none\"}",
        "[]",
        "[[]]",
    ] {
        let result = DetachedSignature::parse_file(text.as_bytes());
        assert!(
            matches!(result, Err(TrustError::InvalidSignatureFile { .. })),
            "{text}"
        );
    }
}

/// A policy of the first vector's key, which may sign every model, with further lines.
fn policy_with(more: &str) -> Result<TrustPolicy, TrustError> {
    TrustPolicy::parse(&format!(
        "[[keys]]\nkey_id = \"first\"\npublic_key = \"{}\"\nmodels = [\"*\"]\n{more}\n",
        base64_of(VECTORS[0].public_key)
    ))
}

#[test]
fn a_key_counts_from_its_first_to_before_its_last_moment() {
    let dates = "not_before = \"2026-01-01T00:00:00Z\"\nnot_after = \"2027-01-01T00:00:00Z\"";
    let policy = policy_with(dates).unwrap();
    let [first, _] = &VECTORS;
    let verify_at = |moment: &str| {
        policy.verify(
            first.message,
            &[signature("first", first)],
            "any-model",
            at(moment),
        )
    };
    assert_eq!(verify_at("2026-01-01T00:00:00Z"), Ok(()));
    assert_eq!(verify_at("2026-12-31T23:59:59.999999Z"), Ok(()));
    let too_early = verify_at("2025-12-31T23:59:59.999999Z");
    assert!(matches!(too_early, Err(TrustError::KeyNotYetValid { .. })));
    let too_late = verify_at("2027-01-01T00:00:00Z");
    assert!(matches!(too_late, Err(TrustError::KeyExpired { .. })));
}

#[test]
fn a_revoked_key_never_counts_whatever_its_dates() {
    let revoked = "revoked = { at = \"2030-01-01T00:00:00Z\", reason = \"left the company\" }";
    let [first, _] = &VECTORS;
    let refused = verify(
        &policy_with(revoked).unwrap(),
        first.message,
        &[signature("first", first)],
        "card",
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "key \"first\" was revoked at 2030-01-01T00:00:00.000000Z: left the company"
    );
}

#[test]
fn signers_are_counted_by_key_and_a_forged_signature_spoils_all() {
    let [first, second] = &VECTORS;
    let text = |required: &str| {
        let keys = [("first", first), ("second", second)].map(|(key_id, vector)| {
            let public_key = base64_of(vector.public_key);
            format!("[[keys]]\nkey_id = \"{key_id}\"\npublic_key = \"{public_key}\"\nmodels = [\"card\"]\n")
        });
        format!("{required}\n{}", keys.concat())
    };
    let two = TrustPolicy::parse(&text("required_signatures = 2")).unwrap();
    let good = signature("first", first);
    let stranger = signature("stranger", second);
    assert_eq!(
        verify(
            &two,
            first.message,
            &[good.clone(), good.clone(), stranger.clone()],
            "card"
        ),
        Err(TrustError::TooFewSignatures {
            required: 2,
            valid: 1,
            problems: vec![TrustError::UnknownKey {
                key_id: "stranger".to_owned()
            }],
        })
    );
    let one = TrustPolicy::parse(&text("")).unwrap();
    assert_eq!(
        verify(&one, first.message, &[stranger, good.clone()], "card"),
        Ok(())
    );
    let forged = signature("second", second);
    let refused = verify(&one, first.message, &[good, forged], "card");
    assert!(matches!(refused, Err(TrustError::BadSignature { .. })));
    let none = verify(&one, first.message, &[], "card");
    assert!(matches!(
        none,
        Err(TrustError::TooFewSignatures { valid: 0, .. })
    ));
}

#[test]
fn refuses_policies_that_cannot_be_kept() {
    let problem = |more: &str| policy_with(more).unwrap_err().to_string();
    let same = format!(
        "[[keys]]\nkey_id = \"alias\"\npublic_key = \"{}\"\nmodels = [\"card\", \"*\"]",
        base64_of(VECTORS[0].public_key)
    );
    assert!(problem(&same).contains("keys[1].public_key: occurs twice"));
    assert!(problem(&same).contains("keys[1].models[1]: \"*\" stands alone"));
    assert!(problem("not_after = \"soon\"").contains("keys[0].not_after: expected an RFC 3339"));
    let backwards = "not_before = \"2027-01-01T00:00:00Z\"\nnot_after = \"2026-01-01T00:00:00Z\"";
    assert!(problem(backwards).contains("keys[0].not_after: must be after not_before"));
    let silent = "revoked = { at = \"2026-01-01T00:00:00Z\", reason = \"\" }";
    assert!(problem(silent).contains("keys[0].revoked.reason: must not be empty"));
    for count in [0, 2, 17] {
        let text = format!(
            "required_signatures = {count}\n[[keys]]\nkey_id = \"a\"\npublic_key = \"{}\"\nmodels = [\"*\"]",
            base64_of(VECTORS[0].public_key)
        );
        let refused = TrustPolicy::parse(&text).unwrap_err().to_string();
        assert!(refused.contains("required_signatures: must"), "{refused}");
    }
}

#[test]
fn signature_files_are_written_as_they_are_read() {
    let [first, second] = &VECTORS;
    let both = [signature("first", first), signature("second", second)];
    for signatures in [&both[..1], &both[..]] {
        let text = DetachedSignature::file_text(signatures);
        assert_eq!(
            DetachedSignature::parse_file(text.as_bytes()).unwrap(),
            signatures
        );
    }
    assert!(DetachedSignature::file_text(&both[..1]).starts_with('{'));
    let twice = [both[0].clone(), both[0].clone()];
    let text = DetachedSignature::file_text(&twice);
    assert!(DetachedSignature::parse_file(text.as_bytes()).is_err());
}
