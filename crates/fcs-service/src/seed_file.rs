//! The seed of a signing key in a file: 32 random bytes in base64, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fcs_core::Secret;

use crate::{Environment, Random};

/// Reads a seed. Outside shared environments a missing file is made.
///
/// # Errors
/// The file cannot be read or made, or holds something else; `setting` is where people name the file.
pub fn load(
    path: &Path,
    setting: &str,
    environment: Environment,
    random: &dyn Random,
) -> anyhow::Result<Secret<[u8; 32]>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound && !environment.is_shared() => {
            create(path, random)?
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "cannot read the signing key {}: make one with `openssl rand -base64 32` (32 random bytes, \
                     base64), keep it readable by this service only and name it in {setting}",
                    path.display()
                )
            });
        }
    };
    STANDARD
        .decode(text.expose().trim())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(Secret::new)
        .with_context(|| {
            let path = path.display();
            format!("{path} ({setting}) must hold 32 bytes in base64, as `openssl rand -base64 32` makes them")
        })
}

fn create(path: &Path, random: &dyn Random) -> anyhow::Result<Secret<String>> {
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let text = STANDARD.encode(seed);
    write_new(path, &text)?;
    Ok(Secret::new(text))
}

/// Writes a secret into a file that is not there yet, readable by its owner only; makes the folder.
pub(crate) fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
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
        .with_context(|| format!("write {}", path.display()))
}
