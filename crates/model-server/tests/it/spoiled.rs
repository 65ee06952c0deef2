//! Copies of a real package that a key of the test signs again after a change.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use fcs_core::UnixMicros;
use fcs_decision::manifest::sha256;
use fcs_decision::trust::{DetachedSignature, TrustPolicy};
use tempfile::TempDir;

/// 2026-11-25T00:00:00Z.
pub(crate) const NOW: UnixMicros = UnixMicros(1_795_564_800_000_000);

/// Runs a future that needs no timer.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Folder of the real packages.
pub(crate) fn real_registry() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Trust policy of the real packages.
pub(crate) fn real_trust() -> TrustPolicy {
    TrustPolicy::parse(&fs::read_to_string(real_registry().join("trust.toml")).unwrap()).unwrap()
}

/// A registry with a copy of `boston-hmda/1`.
pub(crate) struct Copy {
    registry: TempDir,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let registry = TempDir::new().unwrap();
        let folder = registry.path().join("boston-hmda/1");
        fs::create_dir_all(&folder).unwrap();
        for entry in fs::read_dir(real_registry().join("boston-hmda/1")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        Self { registry }
    }

    pub(crate) fn registry(&self) -> &Path {
        self.registry.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.registry.path().join("boston-hmda/1").join(file)
    }

    /// Changes a file's text; the text must really change.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let old = fs::read_to_string(self.path(file)).unwrap();
        let new = change(old.clone());
        assert_ne!(old, new, "the edit of {file} changes nothing");
        fs::write(self.path(file), new).unwrap();
    }

    /// Puts a file's new digest into the manifest, in place of the old one.
    pub(crate) fn correct_digest(&self, file: &str) {
        let original = fs::read(real_registry().join("boston-hmda/1").join(file)).unwrap();
        let changed = fs::read(self.path(file)).unwrap();
        let (old, new) = (sha256(&original).to_string(), sha256(&changed).to_string());
        self.edit("model.toml", |text| text.replace(&old, &new));
    }

    /// Signs the manifest as it stands and returns a policy that trusts the signer.
    pub(crate) fn sign(&self) -> TrustPolicy {
        self.sign_as(&["test"]);
        TrustPolicy::parse(&key_table("test", "")).unwrap()
    }

    /// Signs the manifest as it stands by the test keys of these names.
    pub(crate) fn sign_as(&self, key_ids: &[&str]) {
        let manifest = fs::read(self.path("model.toml")).unwrap();
        let sign = |key_id: &&str| DetachedSignature {
            key_id: (*key_id).to_owned(),
            signature: key(key_id).sign(&manifest).to_bytes(),
        };
        let signatures: Vec<_> = key_ids.iter().map(sign).collect();
        let text = DetachedSignature::file_text(&signatures);
        fs::write(self.path("model.toml.sig"), text).unwrap();
    }
}

/// The test key of a name.
fn key(key_id: &str) -> SigningKey {
    let mut seed = [7; 32];
    seed[..key_id.len()].copy_from_slice(key_id.as_bytes());
    SigningKey::from_bytes(&seed)
}

/// The table of a test key in a trust policy, with further lines.
pub(crate) fn key_table(key_id: &str, more: &str) -> String {
    let public_key = STANDARD.encode(key(key_id).verifying_key().as_bytes());
    format!(
        "[[keys]]\nkey_id = \"{key_id}\"\npublic_key = \"{public_key}\"\nmodels = [\"boston-hmda\"]\n{more}\n"
    )
}
