//! The file with the keys of the gateway's store.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fcs_core::Secret;
use fcs_service::{Random, Settings};
use serde::Deserialize;

use crate::settings::GatewaySettings;

/// Its name in the data folder, where the settings name none.
const DEFAULT_FILE: &str = "privacy-keys.toml";
/// Key-encryption keys of one file at most.
const KEKS_MAX: usize = 32;
/// Bytes of the identifier of a key-encryption key at most.
const ID_MAX: usize = 64;

/// The keys: one for blind indices, and one or more that wrap data keys.
#[derive(Debug)]
pub struct KeyFile {
    /// The key of blind indices. It cannot be replaced, or nothing is found any more.
    pub(super) blind_index: Secret<[u8; 32]>,
    /// Identifier and bytes. The first one wraps, every one unwraps.
    pub(super) keks: Vec<(String, Secret<[u8; 32]>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    blind_index_key: Secret<String>,
    key_encryption_keys: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    key: Secret<String>,
}

impl KeyFile {
    /// Reads the file of `gateway.privacy.key_file`. An environment that other machines reach must name one; elsewhere
    /// a file in the data folder is made when there is none, readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be read or holds anything else than such keys.
    pub fn load(settings: &Settings<GatewaySettings>, random: &dyn Random) -> anyhow::Result<Self> {
        let named = settings.service.privacy.key_file.clone();
        let is_named = named.is_some();
        let path: PathBuf = named.unwrap_or_else(|| settings.data_dir.join(DEFAULT_FILE));
        let text = match fs::read_to_string(&path) {
            Ok(text) => Secret::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound && !is_named => {
                ensure!(
                    !settings.environment.is_shared(),
                    "gateway.privacy.key_file names no file"
                );
                create(&path, random)?
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot read the keys of applicants' data {}, which gateway.privacy.key_file names",
                        path.display()
                    )
                });
            }
        };
        Self::parse(text.expose()).with_context(|| {
            format!(
                "the keys of applicants' data in {} are not usable",
                path.display()
            )
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is anything else than such keys. The message never holds the text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        // The parser's message quotes the line, which may hold a key.
        let Ok(document) = toml::from_str::<Document>(text) else {
            bail!(
                "write TOML with blind_index_key and one or more [[key_encryption_keys]] with id and key, and nothing \
                 else"
            );
        };
        let entries = document.key_encryption_keys;
        ensure!(
            (1..=KEKS_MAX).contains(&entries.len()),
            "there are {} key-encryption keys; write 1 to {KEKS_MAX}",
            entries.len()
        );
        let mut keks: Vec<(String, Secret<[u8; 32]>)> = Vec::with_capacity(entries.len());
        for (number, entry) in (1..).zip(entries) {
            ensure!(
                is_id(&entry.id),
                "the id of key-encryption key {number} is not 1 to {ID_MAX} letters, digits, '.', '-' or '_'"
            );
            ensure!(
                keks.iter().all(|(id, _)| *id != entry.id),
                "two key-encryption keys have the id {}",
                entry.id
            );
            let key = parse_key(&entry.key)
                .with_context(|| format!("the key {} is not 32 bytes in base64", entry.id))?;
            keks.push((entry.id, key));
        }
        let blind_index = parse_key(&document.blind_index_key)
            .context("blind_index_key is not 32 bytes in base64")?;
        let shared = keks
            .iter()
            .any(|(_, key)| key.expose() == blind_index.expose());
        ensure!(!shared, "blind_index_key is also a key-encryption key");
        Ok(Self { blind_index, keks })
    }
}

fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(fits)
}

fn parse_key(text: &Secret<String>) -> Option<Secret<[u8; 32]>> {
    let bytes = STANDARD.decode(text.expose()).ok()?;
    bytes.try_into().ok().map(Secret::new)
}

/// Makes a file with fresh keys. It never replaces one.
fn create(path: &Path, random: &dyn Random) -> anyhow::Result<Secret<String>> {
    let key = || {
        let mut key = [0; 32];
        random.fill(&mut key);
        STANDARD.encode(key)
    };
    let text = format!(
        "# Keys of what is stored about applicants. Without this file none of it can be read again.\n\
         blind_index_key = \"{}\"\n\n\
         # The first one encrypts new data keys, every one decrypts.\n\
         [[key_encryption_keys]]\n\
         id = \"kek-1\"\n\
         key = \"{}\"\n",
        key(),
        key()
    );
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    // Written whole under another name first: a crash in between leaves no half file in its place.
    let draft = path.with_extension("toml.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::hard_link(&draft, path))
        .and_then(|()| fs::remove_file(&draft))
        .with_context(|| format!("create {}", path.display()))?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use fcs_service::OsRandom;
    use fcs_service::settings::Environment;

    use super::*;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    fn document(keks: &[(&str, &str)]) -> String {
        let keks = keks
            .iter()
            .map(|(id, key)| format!("[[key_encryption_keys]]\nid = \"{id}\"\nkey = \"{key}\"\n"));
        let keks = keks.collect::<Vec<_>>().concat();
        format!("blind_index_key = \"{}\"\n{keks}", key(9))
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_being_quoted() {
        let (one, two) = (key(1), key(2));
        assert!(KeyFile::parse(&document(&[("a", &one), ("b", &two)])).is_ok());
        for bad in [
            String::new(),
            document(&[]),
            document(&[("a", &one), ("a", &two)]),
            document(&[("a b", &one)]),
            document(&[("", &one)]),
            document(&[("a", "c2hvcnQ=")]),
            document(&[("a", &key(9))]),
            document(&[("a", &one)]).replace("id =", "name ="),
            document(&[("a", &format!("{one}{two}"))]),
            document(&[("a", &one)]).replace('=', "=="),
        ] {
            let error = format!("{:#}", KeyFile::parse(&bad).unwrap_err());
            for secret in [&one, &two] {
                assert!(!error.contains(secret.as_str()), "{error}");
            }
        }
    }

    #[test]
    fn a_file_is_made_once_and_never_where_others_reach_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings =
            Settings::embedded(&folder.path().join("new"), GatewaySettings::default());
        let first = KeyFile::load(&settings, &OsRandom).unwrap();
        let second = KeyFile::load(&settings, &OsRandom).unwrap();
        assert_eq!(first.keks, second.keks);
        assert_ne!(first.keks[0].1.expose(), first.blind_index.expose());
        let file = settings.data_dir.join(DEFAULT_FILE);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&file, "short").unwrap();
        assert!(KeyFile::load(&settings, &OsRandom).is_err(), "not replaced");
        fs::remove_file(&file).unwrap();
        settings.service.privacy.key_file = Some(file.clone());
        assert!(
            KeyFile::load(&settings, &OsRandom).is_err(),
            "named, so never made"
        );
        settings.service.privacy.key_file = None;
        settings.environment = Environment::Staging;
        assert!(KeyFile::load(&settings, &OsRandom).is_err());
        assert!(!file.exists());
    }
}
