//! The identifier of a request: taken from the caller when sane, made otherwise, and told everywhere.

use std::fmt;
use std::future::Future;

use http::HeaderMap;

use crate::Random;

/// Header that carries the identifier, in and out.
pub(crate) const HEADER: &str = "x-request-id";

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The identifier of a request; handlers read it as `Extension<RequestId>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier of the request that this task works on.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The caller's identifier when it is short and harmless in a log, else 16 random bytes in hexadecimal.
    pub(crate) fn of(headers: &HeaderMap, random: &dyn Random) -> Self {
        headers
            .get(HEADER)
            .and_then(|value| value.to_str().ok())
            .filter(|text| is_sane(text))
            .map_or_else(|| Self::make(random), |text| Self(text.to_owned()))
    }

    fn make(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// Runs a future as work on this request.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_sane(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (8..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    fn of(value: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().unwrap());
        RequestId::of(&headers, &OsRandom)
    }

    #[test]
    fn keeps_a_sane_identifier_and_replaces_others() {
        assert_eq!(of("order-2026.11_22").as_str(), "order-2026.11_22");
        for bad in [
            "short",
            &"x".repeat(65),
            "a b c d e f",
            "{\"json\":1}",
            "line%0a\tbreak",
        ] {
            let made = of(bad);
            assert_ne!(made.as_str(), bad);
            assert_eq!(made.as_str().len(), 32);
        }
    }
}
