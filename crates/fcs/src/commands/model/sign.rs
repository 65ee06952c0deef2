//! `fcs model keygen` and `fcs model sign`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use fcs_core::Secret;
use fcs_decision::manifest::{Manifest, sha256};
use fcs_decision::trust::DetachedSignature;
use fcs_service::{OsRandom, Random as _};
use model_server::registry::SIGNATURE_FILE;
use serde::Serialize;

use super::{Keys, folder_manifest, signers};
use crate::cli::{Global, SignArguments};
use crate::exit::CliError;
use crate::output::print;

#[derive(Serialize)]
struct NewKey<'a> {
    key_id: &'a str,
    public_key: String,
    private_key_file: String,
}

#[derive(Serialize)]
struct Signed {
    model: String,
    manifest_digest: String,
    signed_by: String,
    /// Why a server with this trust policy would refuse the package; null when it would not.
    problem: Option<String>,
}

/// Writes a new private key, readable by its owner only, and prints its entry in a trust policy.
pub(super) fn keygen(global: &Global, to: &Path, key_id: &str) -> anyhow::Result<()> {
    let mut seed = [0; 32];
    OsRandom.fill(&mut seed);
    let key = SigningKey::from_bytes(&seed);
    // Without the public key, which makes it PKCS#8 version 1: every reader knows that one.
    let pem = KeypairBytes {
        secret_key: key.to_bytes(),
        public_key: None,
    }
    .to_pkcs8_pem(LineEnding::LF)
    .context("encode the private key")?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| CliError::Conflict(format!("create {}: {error}", to.display())))?;
    file.write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", to.display()))?;
    let key = NewKey {
        key_id,
        public_key: BASE64.encode(key.verifying_key().as_bytes()),
        private_key_file: to.display().to_string(),
    };
    print(global.output, &key, |key| {
        format!(
            "# for trust.toml; the private key in {} stays with its owner\n[[keys]]\nkey_id = {:?}\npublic_key = {:?}\nmodels = [\"*\"]",
            key.private_key_file, key.key_id, key.public_key
        )
    })
}

/// Signs the package in a folder whose files are those of its manifest.
pub(super) fn sign(global: &Global, arguments: &SignArguments, keys: &Keys) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let (bytes, manifest) = folder_manifest(folder)?;
    check_files(folder, &manifest)?;
    let key = read_key(&arguments.key)?;
    let key_id = key_id(&key, arguments.key_id.as_deref(), keys)?;
    let path = folder.join(SIGNATURE_FILE);
    let mut signatures = Vec::new();
    if arguments.add {
        let text = fs::read(&path)
            .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
        signatures = DetachedSignature::parse_file(&text)?;
        signatures.retain(|signature| signature.key_id != key_id);
    }
    signatures.push(DetachedSignature {
        key_id,
        signature: key.sign(&bytes).to_bytes(),
    });
    let text = DetachedSignature::file_text(&signatures);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    let trusted = keys
        .trust
        .verify(&bytes, &signatures, &manifest.model.name, keys.now);
    let signed = Signed {
        model: manifest.model_version().to_string(),
        manifest_digest: manifest.digest().to_string(),
        signed_by: signers(&signatures),
        problem: trusted.err().map(|error| error.to_string()),
    };
    print(global.output, &signed, |signed| {
        let verdict = match &signed.problem {
            None => "trusted by this trust policy".to_owned(),
            Some(problem) => format!("not trusted by this trust policy: {problem}"),
        };
        format!(
            "{}: signed by {}\nmanifest digest {}\n{verdict}",
            signed.model, signed.signed_by, signed.manifest_digest
        )
    })
}

/// A signature over a manifest whose files differ would vouch for nothing.
fn check_files(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    for entry in &manifest.files {
        let path = folder.join(&entry.path);
        let bytes = fs::read(&path)
            .map_err(|error| CliError::Verification(format!("read {}: {error}", path.display())))?;
        let found = sha256(&bytes);
        if found != entry.sha256 {
            let problem = format!(
                "{} has the SHA-256 {found}, the manifest says {}",
                path.display(),
                entry.sha256
            );
            return Err(CliError::Verification(problem).into());
        }
    }
    Ok(())
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let text = fs::read_to_string(path)
        .map(Secret::new)
        .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
    SigningKey::from_pkcs8_pem(text.expose()).map_err(|error| {
        let problem = format!(
            "{} must hold an Ed25519 private key, PKCS#8 in PEM, as `fcs model keygen` writes it: {error}",
            path.display()
        );
        CliError::Usage(problem).into()
    })
}

/// The name of a key in the trust policy, which must agree with the one that was given.
fn key_id(key: &SigningKey, given: Option<&str>, keys: &Keys) -> Result<String, CliError> {
    let public_key = key.verifying_key().to_bytes();
    match (keys.trust.key_id_of(&public_key), given) {
        (Some(known), Some(given)) if known != given => Err(CliError::Usage(format!(
            "the trust policy knows this key as {known:?}, not {given:?}"
        ))),
        (Some(known), _) => Ok(known.to_owned()),
        (None, Some(given)) => Ok(given.to_owned()),
        (None, None) => Err(CliError::Usage(format!(
            "the trust policy does not hold this key, {}; name it with --key-id",
            BASE64.encode(public_key)
        ))),
    }
}
