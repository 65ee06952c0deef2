use fcs_core::Secret;
use fcs_service::OsRandom;

use super::*;

fn vault(keks: &[(&str, u8)]) -> Vault {
    let file = KeyFile {
        blind_index: Secret::new([9; 32]),
        keks: keks
            .iter()
            .map(|(id, byte)| ((*id).to_owned(), Secret::new([*byte; 32])))
            .collect(),
    };
    Vault::new(&file, Arc::new(OsRandom))
}

fn applicant(vault: &Vault, tenant: &str, id: &str) -> Applicant {
    vault.applicant(&tenant.parse().unwrap(), &id.parse().unwrap())
}

#[test]
fn a_value_opens_at_its_place_and_nowhere_else() {
    let vault = vault(&[("a", 1)]);
    let mine = applicant(&vault, "acme", "A-1");
    let key = vault.fresh_key(&mine, &"A-1".parse().unwrap()).key;
    let at = |table, row, column| Place { table, row, column };
    let place = at("t", &[b"row", b"1"], "c");
    let sealed = key.seal(&place, b"plain text");
    assert_eq!(key.open(&place, &sealed).unwrap(), b"plain text");
    assert_ne!(
        key.seal(&place, b"plain text"),
        sealed,
        "a nonce is used once"
    );
    for other in [
        at("u", &[b"row", b"1"], "c"),
        at("t", &[b"row1"], "c"),
        at("t", &[b"ro", b"w1"], "c"),
        at("t", &[b"row", b"1"], "d"),
    ] {
        assert!(key.open(&other, &sealed).is_err(), "{other:?}");
    }
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert!(key.open(&place, &changed).is_err(), "byte {position}");
    }
    for length in 0..sealed.len() {
        assert!(key.open(&place, &sealed[..length]).is_err());
    }
}

#[test]
fn a_data_key_opens_for_its_application_with_its_kek_only() {
    let vault_a = vault(&[("a", 1)]);
    let mine = applicant(&vault_a, "acme", "A-1");
    let id: ApplicationId = "A-1".parse().unwrap();
    let fresh = vault_a.fresh_key(&mine, &id);
    let key = vault_a.unwrap(&mine, &fresh.wrapped).unwrap();
    let found = vault_a.application_id(&mine, &key, &fresh.application_id);
    assert_eq!(found, Ok(id));
    for (tenant, id) in [("acme", "A-2"), ("bank", "A-1")] {
        let other = applicant(&vault_a, tenant, id);
        assert!(vault_a.unwrap(&other, &fresh.wrapped).is_err());
    }
    let unknown = vault(&[("b", 1)]).unwrap(&mine, &fresh.wrapped);
    assert_eq!(unknown.unwrap_err(), VaultError::UnknownKek("a".to_owned()));
    assert!(vault(&[("a", 2)]).unwrap(&mine, &fresh.wrapped).is_err());
}

#[test]
fn the_first_key_wraps_and_every_key_unwraps() {
    let old = vault(&[("a", 1)]);
    let mine = applicant(&old, "acme", "A-1");
    let fresh = old.fresh_key(&mine, &"A-1".parse().unwrap());
    let both = vault(&[("b", 2), ("a", 1)]);
    assert_eq!(both.former_keks().collect::<Vec<_>>(), ["a"]);
    let rewrapped = both.rewrap(&mine, &fresh.wrapped).unwrap();
    assert_eq!(rewrapped.kek_id, "b");
    let key = vault(&[("b", 2)]).unwrap(&mine, &rewrapped).unwrap();
    let found = both.application_id(&mine, &key, &fresh.application_id);
    assert_eq!(found, Ok("A-1".parse().unwrap()), "the same data key");
}

/// The digest is from Python's `hmac` module: key 32 times 9, over "application", "acme" and "A-1", each with its length.
#[test]
fn blind_indices_are_hmac_sha_256_over_prefixed_parts() {
    let vault = vault(&[("a", 1)]);
    let expected = "9df978250f10fbd68ca904e5eb7412e4264d6f1cd1ded809a9306a3759b22ac9";
    assert_eq!(applicant(&vault, "acme", "A-1").index.to_string(), expected);
    assert_ne!(
        applicant(&vault, "acm", "eA-1").index,
        applicant(&vault, "acme", "A-1").index
    );
}

/// Sealed by Python's `cryptography` 48.0.0 (OpenSSL): AES-256-GCM, key 32 times 1, nonce 12 times 2.
#[test]
fn the_form_is_that_of_another_implementation() {
    let sealed = "0102020202020202020202020277baa8202477b598abb88b166661ec58649f04dd24e671eafc1f";
    let bytes: Vec<u8> = (0..sealed.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap())
        .collect();
    let random = Arc::new(OsRandom) as Arc<dyn Random>;
    let place = Place {
        table: "t",
        row: &[b"row", b"1"],
        column: "c",
    };
    let opened = DataKey::new(&[1; 32], &random).open(&place, &bytes);
    assert_eq!(opened.unwrap(), b"plain text");
}
