//! The log's signing key in its file.

use std::path::PathBuf;

use anyhow::Context as _;
use fcs_service::{Random, Settings, seed_file};
use fcs_tlog::note::{NoteKeyName, SigningKey};

use crate::settings::AuditSettings;

/// Reads the signing key. Outside shared environments a missing one is made, readable by its owner only.
pub(crate) fn load(
    settings: &Settings<AuditSettings>,
    random: &dyn Random,
) -> anyhow::Result<SigningKey> {
    let origin = &settings.service.log_origin;
    let name: NoteKeyName = origin.parse().context("read log_origin")?;
    let setting = "deployment_audit.signing_key_file";
    let seed = seed_file::load(&path(settings), setting, settings.environment, random)?;
    Ok(SigningKey::from_seed(name, seed.expose()))
}

fn path(settings: &Settings<AuditSettings>) -> PathBuf {
    settings
        .service
        .signing_key_file
        .clone()
        .unwrap_or_else(|| settings.data_dir.join("log-signing.key"))
}

#[cfg(test)]
mod tests {
    use std::fs;
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
