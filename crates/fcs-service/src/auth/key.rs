//! API keys: their text, and the form that is stored.
//!
//! A key is `fcs_`, the 16 hexadecimal digits of its client, `_` and 64 hexadecimal digits of 256 random bits. Only
//! HMAC-SHA-256 (RFC 2104) of the whole text under the server's secret is stored, so that a copy of the table opens
//! nothing and cannot be searched for keys.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use async_trait::async_trait;
use fcs_core::{ApiError, InvalidId, Secret, TenantId, UnixMicros};
use ring::hmac;

use super::Role;
use crate::seed_file::write_new;
use crate::{Environment, Random, Settings};

/// What every key begins with.
const PREFIX: &str = "fcs_";
const CLIENT_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const TEXT_LENGTH: usize = PREFIX.len() + 2 * CLIENT_BYTES + 1 + 2 * SECRET_BYTES;
/// File of the server's secret in the data folder.
const SECRET_FILE: &str = "api-key.secret";

/// The stored form of a key.
pub type KeyMac = [u8; 32];

/// Identifier of a client: the public part of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId([u8; CLIENT_BYTES]);

impl ClientId {
    /// A new identifier.
    pub fn random(random: &dyn Random) -> Self {
        let mut bytes = [0; CLIENT_BYTES];
        random.fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for ClientId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        parse_hex(text).map(Self).ok_or(InvalidId {
            what: "a client id",
            rule: "16 lower-case hexadecimal digits",
        })
    }
}

/// A key as its client holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    client: ClientId,
    text: Secret<String>,
}

impl ApiKey {
    /// A new key of a client.
    pub fn random(client: ClientId, random: &dyn Random) -> Self {
        let mut secret = [0; SECRET_BYTES];
        random.fill(&mut secret);
        let text = Secret::new(format!("{PREFIX}{client}_{}", Hex(&secret)));
        Self { client, text }
    }

    /// Whether a credential claims to be a key.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a key; says nothing of what is wrong with it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let (client, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        parse_hex::<SECRET_BYTES>(secret)?;
        Some(Self {
            client: client.parse().ok()?,
            text: Secret::new(text.to_owned()),
        })
    }

    /// Whose key it is.
    pub const fn client(&self) -> ClientId {
        self.client
    }

    /// The text, to hand it out once.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }
}

/// The server's secret.
#[derive(Clone)]
pub struct KeySecret(hmac::Key);

impl KeySecret {
    /// Wraps a secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Reads the file of `auth.key_secret`. Outside production a missing one is made, readable by its owner only.
    pub fn load<T>(settings: &Settings<T>, random: &dyn Random) -> anyhow::Result<Self> {
        let given = settings.auth.key_secret.clone();
        let path: PathBuf = given.unwrap_or_else(|| settings.data_dir.join(SECRET_FILE));
        let text = match fs::read_to_string(&path) {
            Ok(text) => Secret::new(text),
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && settings.environment != Environment::Production =>
            {
                create(&path, random)?
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot read the secret of the API keys {}: make one with `openssl rand -hex 32`, the same \
                         for every replica, and name it in auth.key_secret",
                        path.display()
                    )
                });
            }
        };
        let secret: [u8; 32] = parse_hex(text.expose().trim())
            .with_context(|| format!("{} must hold 64 hexadecimal digits", path.display()))?;
        Ok(Self::new(&secret))
    }

    /// The stored form of a key.
    pub fn mac(&self, key: &ApiKey) -> KeyMac {
        let tag = hmac::sign(&self.0, key.expose().as_bytes());
        tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }

    /// Whether the key is one of these, in a time that does not tell which or how nearly.
    pub fn is_one_of(&self, key: &ApiKey, macs: impl IntoIterator<Item = KeyMac>) -> bool {
        macs.into_iter().fold(false, |found, mac| {
            found | hmac::verify(&self.0, key.expose().as_bytes(), &mac).is_ok()
        })
    }
}

/// A key that a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisteredKey {
    /// Its stored form.
    pub mac: KeyMac,
    /// From when on it is refused.
    pub expires_at: UnixMicros,
}

/// A client as the keys' store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Its keys that are not revoked.
    pub keys: Vec<RegisteredKey>,
}

/// Where clients are looked up.
#[async_trait]
pub trait KeyDirectory: Send + Sync + 'static {
    /// A client; `None` when there is none or it may not call any more.
    async fn client(&self, id: ClientId) -> Result<Option<RegisteredClient>, ApiError>;
}

fn create(path: &Path, random: &dyn Random) -> anyhow::Result<Secret<String>> {
    let mut secret = [0; 32];
    random.fill(&mut secret);
    let text = Hex(&secret).to_string();
    write_new(path, &text)?;
    Ok(Secret::new(text))
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.0)
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * N || !digits.iter().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::OsRandom;

    fn key() -> ApiKey {
        ApiKey::random(ClientId::random(&OsRandom), &OsRandom)
    }

    #[test]
    fn a_key_round_trips_and_is_not_printed() {
        let key = key();
        assert_eq!(key.expose().len(), 85);
        assert_eq!(ApiKey::parse(key.expose()), Some(key.clone()));
        let secret = key.expose().rsplit_once('_').unwrap().1;
        assert!(!format!("{key:?}").contains(secret));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = key().expose().to_owned();
        let upper = good.to_uppercase().replacen("FCS_", "fcs_", 1);
        for bad in [
            "",
            "fcs_",
            &good[..84],
            &format!("{good}0"),
            &good.replacen("fcs_", "fcx_", 1),
            &format!("{}g", &good[..84]),
            &good.replacen('_', "-", 2),
            &upper,
            &"ü".repeat(42),
        ] {
            assert_eq!(ApiKey::parse(bad), None, "{bad}");
        }
    }

    /// RFC 4231, test case 2, shows that this is HMAC-SHA-256; ours is taken over the key's whole text.
    #[test]
    fn the_stored_form_is_hmac_sha_256() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = hmac::sign(&key, b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Hex(tag.as_ref()).to_string(), expected);
    }

    #[test]
    fn only_the_same_key_under_the_same_secret_fits() {
        let (secret, other) = (KeySecret::new(&[1; 32]), KeySecret::new(&[2; 32]));
        let (mine, theirs) = (key(), key());
        let macs = [secret.mac(&theirs), secret.mac(&mine)];
        assert!(secret.is_one_of(&mine, macs));
        assert!(!other.is_one_of(&mine, macs));
        assert!(!secret.is_one_of(&key(), macs));
        assert!(!secret.is_one_of(&mine, []));
    }

    #[test]
    fn a_secret_is_made_once_and_never_in_production() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::embedded(&folder.path().join("new"), ());
        let first = KeySecret::load(&settings, &OsRandom).unwrap();
        let second = KeySecret::load(&settings, &OsRandom).unwrap();
        let key = key();
        assert_eq!(first.mac(&key), second.mac(&key));
        let file = settings.data_dir.join(SECRET_FILE);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&file, "short").unwrap();
        assert!(KeySecret::load(&settings, &OsRandom).is_err());
        fs::remove_file(&file).unwrap();
        settings.environment = Environment::Production;
        let error = KeySecret::load(&settings, &OsRandom).err().unwrap();
        assert!(
            format!("{error:#}").contains("auth.key_secret"),
            "{error:#}"
        );
    }
}
