//! The log's signing key in its file.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fcs_core::Secret;
use fcs_service::{Random, Settings};
use fcs_tlog::note::{NoteKeyName, SigningKey};

use crate::settings::AuditSettings;

/// Reads the signing key. Outside shared environments a missing one is made, readable by its owner only.
pub(crate) fn load(
    settings: &Settings<AuditSettings>,
    random: &dyn Random,
) -> anyhow::Result<SigningKey> {
    let name: NoteKeyName = settings
        .service
        .log_origin
        .parse()
        .context("read log_origin")?;
    let path = path(settings);
    let text = match fs::read_to_string(&path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound && !settings.environment.is_shared() => {
            create(&path, random)?
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "cannot read the log's signing key {}: make one with \
                     `openssl rand -base64 32` (32 random bytes, base64), keep it readable by this \
                     service only and name it in deployment_audit.signing_key_file",
                    path.display()
                )
            });
        }
    };
    let seed: [u8; 32] = STANDARD
        .decode(text.expose().trim())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .with_context(|| format!("{} must hold 32 bytes in base64", path.display()))?;
    Ok(SigningKey::from_seed(name, &seed))
}

fn path(settings: &Settings<AuditSettings>) -> PathBuf {
    settings
        .service
        .signing_key_file
        .clone()
        .unwrap_or_else(|| settings.data_dir.join("log-signing.key"))
}

fn create(path: &Path, random: &dyn Random) -> anyhow::Result<Secret<String>> {
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let text = STANDARD.encode(seed);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("create {}", path.display()))?;
    writeln!(file, "{text}")
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", path.display()))?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use fcs_service::{Environment, OsRandom};

    use super::*;

    #[test]
    fn a_test_makes_its_key_once_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::embedded(&folder.path().join("new"), AuditSettings::default());
        let first = load(&settings, &OsRandom)
            .unwrap()
            .verifier_key()
            .to_string();
        let second = load(&settings, &OsRandom)
            .unwrap()
            .verifier_key()
            .to_string();
        assert_eq!(first, second);
        assert!(first.starts_with("faircredit.example/log+"), "{first}");
        let mode = fs::metadata(path(&settings)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn production_makes_no_key_and_says_how() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::embedded(folder.path(), AuditSettings::default());
        settings.environment = Environment::Production;
        let error = format!("{:#}", load(&settings, &OsRandom).unwrap_err());
        assert!(error.contains("openssl rand -base64 32"), "{error}");
        assert!(!path(&settings).exists());
    }

    #[test]
    fn a_short_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::embedded(folder.path(), AuditSettings::default());
        fs::write(path(&settings), "c2hvcnQ=").unwrap();
        assert!(load(&settings, &OsRandom).is_err());
    }
}
