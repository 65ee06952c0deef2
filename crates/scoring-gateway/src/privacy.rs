//! Encryption of what the gateway keeps about applicants.
//!
//! Each application of a tenant has a data key of its own, which encrypts everything that is stored about it and is
//! itself stored encrypted ("wrapped") by a key-encryption key from a file. Who destroys the wrapped key has destroyed
//! what it encrypts, in every copy. Look-ups by application id go by a blind index: a keyed hash of it.
//!
//! Sealed form: version 1, a random nonce of 12 bytes, then AES-256-GCM's ciphertext and tag. Nonces may be random,
//! because a data key seals a handful of values, and a key-encryption key is replaced long before 2^32 of them.

mod key_file;
mod vault;

pub use key_file::KeyFile;
pub use vault::{Applicant, DataKey, FreshKey, Place, Vault, VaultError, WrappedKey};
