//! The secrets of the system on one machine.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::command;

const FOLDER: &str = "deploy/compose/secrets";
/// A container reads its secrets as somebody else, so they are readable; the folder keeps others out.
const SECRET_MODE: u32 = 0o444;
const FOLDER_MODE: u32 = 0o700;

/// Makes those that are missing, and never another one in place of one that is there.
pub(crate) fn make() -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(command::workspace_root().join(FOLDER))
        .with_context(|| format!("create {FOLDER}"))?;
    let mut password_is_old = false;
    for (name, text) in random_secrets()? {
        // One password in two files: both are new, or neither.
        if name == "postgres_password" && password_is_old {
            continue;
        }
        let is_new = write_new(name, &text)?;
        password_is_old |= name == "database_url" && !is_new;
    }
    Ok(())
}

/// New secrets, by name: those of the services, and the password of the database.
pub(crate) fn random_secrets() -> anyhow::Result<[(&'static str, String); 7]> {
    let password = hex(&random()?);
    let database = format!("postgresql://fcs:{password}@postgres:5432/fairness");
    let keys = format!(
        "blind_index_key = \"{}\"\n\n[[key_encryption_keys]]\nid = \"first\"\nkey = \"{}\"\n",
        STANDARD.encode(random()?),
        STANDARD.encode(random()?)
    );
    Ok([
        ("database_url", database),
        ("postgres_password", password),
        ("privacy_keys", keys),
        ("api_key_secret", hex(&random()?)),
        ("report_signing_key", STANDARD.encode(random()?)),
        ("log_signing_key", STANDARD.encode(random()?)),
        ("grafana_password", hex(&random()?)),
    ])
}

/// Whether the file was not there.
fn write_new(name: &str, text: &str) -> anyhow::Result<bool> {
    let path = command::workspace_root().join(FOLDER).join(name);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(SECRET_MODE)
        .open(&path);
    match file {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .with_context(|| format!("write {FOLDER}/{name}"))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("create {FOLDER}/{name}")),
    }
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
