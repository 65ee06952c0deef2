//! Places in the log that clients hand back: opaque, and signed, so that only those that this system gave out open.
//!
//! Form: version 1, the index of the last decision seen (8 bytes, big-endian) and the first 16 bytes of an
//! HMAC-SHA-256 over both and the list that the place is in; as base64url without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fcs_core::ApiError;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const VERSION: u8 = 1;
const TAG_LENGTH: usize = 16;
const LENGTH: usize = 1 + size_of::<u64>() + TAG_LENGTH;

/// The key that signs places. Every gateway on one store has the same one.
#[derive(Clone)]
pub struct PageTokens(Hmac<Sha256>);

impl PageTokens {
    /// Signs with a secret key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    /// The token of the place after an index. `list` names the list: what is listed, and for whom.
    pub fn seal(&self, list: &str, after_index: u64) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(after_index.to_be_bytes());
        let tag = self.mac(&bytes, list).finalize().into_bytes();
        bytes.extend(&tag[..TAG_LENGTH]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The index in a token that was given out for this list.
    pub fn open(&self, list: &str, token: &str) -> Result<u64, ApiError> {
        self.read(list, token).ok_or_else(|| {
            let message = "the page token is not one that was given out for this list; \
                           take it as it stands from the page before, or begin again without it";
            ApiError::invalid("PAGE_TOKEN_INVALID", message, vec![])
        })
    }

    fn read(&self, list: &str, token: &str) -> Option<u64> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (place, tag) = bytes.split_at(LENGTH - TAG_LENGTH);
        self.mac(place, list).verify_truncated_left(tag).ok()?;
        let (version, index) = place.split_first()?;
        (*version == VERSION).then_some(u64::from_be_bytes(index.try_into().ok()?))
    }

    fn mac(&self, place: &[u8], list: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(place);
        mac.update(list.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_where_it_was_given_out_and_nowhere_else() {
        let tokens = PageTokens::new(&[7; 32]);
        let token = tokens.seal("A-1", 42);
        assert_eq!(tokens.open("A-1", &token), Ok(42));
        assert!(tokens.open("A-2", &token).is_err(), "another list");
        assert!(
            PageTokens::new(&[8; 32]).open("A-1", &token).is_err(),
            "another system"
        );
    }

    #[test]
    fn no_changed_character_goes_through() {
        let tokens = PageTokens::new(&[7; 32]);
        let token = tokens.seal("", u64::MAX);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(tokens.open("", &changed).is_err(), "{changed}");
        }
        for strange in ["", "!", &token[1..], &format!("{token}AA")] {
            let error = tokens.open("", strange).unwrap_err();
            assert_eq!(error.reason, "PAGE_TOKEN_INVALID");
        }
    }
}
