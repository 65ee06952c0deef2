//! From what a request shows to who it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fcs_core::{ApiError, Clock, ErrorCode, UnixMicros};
use http::{HeaderMap, header};

use super::{
    ApiKey, AuthMode, AuthSettings, CertificateRole, ClientId, KeyDirectory, KeySecret, Principal,
    PrincipalKind, RegisteredClient, reason,
};
use crate::auth::token::Tokens;
use crate::tls::PeerIdentity;

/// Clients that are remembered at most; a storm of made-up keys must not fill the memory.
const REMEMBERED_MAX: usize = 10_000;

/// Tells who calls. Cloning shares it.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    mode: AuthMode,
    clock: Arc<dyn Clock>,
    key_cache_micros: i64,
    certificates: Vec<CertificateRole>,
    keys: OnceLock<Keys>,
    tokens: Option<Tokens>,
}

/// What knows API keys.
struct Keys {
    secret: KeySecret,
    directory: Arc<dyn KeyDirectory>,
    remembered: Mutex<HashMap<ClientId, Remembered>>,
}

#[derive(Clone)]
struct Remembered {
    client: Option<Arc<RegisteredClient>>,
    until: UnixMicros,
}

impl Auth {
    /// Tells who calls by these settings.
    pub fn new(settings: &AuthSettings, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let cache_ms = i64::try_from(settings.key_cache_ms).unwrap_or(i64::MAX);
        let tokens = Tokens::new(&settings.oidc, &clock)?;
        Ok(Self(Arc::new(Inner {
            mode: settings.mode,
            clock,
            key_cache_micros: cache_ms.saturating_mul(1_000),
            certificates: settings.certificates.clone(),
            keys: OnceLock::new(),
            tokens,
        })))
    }

    /// Accepts API keys of the clients in a directory. A service calls it once, while it starts.
    pub fn accept_keys(&self, secret: KeySecret, directory: Arc<dyn KeyDirectory>) {
        let keys = Keys {
            secret,
            directory,
            remembered: Mutex::default(),
        };
        assert!(self.0.keys.set(keys).is_ok(), "a service has one directory");
    }

    /// Looks a client up again at its next call: its keys have changed.
    pub fn forget(&self, client: ClientId) {
        if let Some(keys) = self.0.keys.get() {
            keys.remembered().remove(&client);
        }
    }

    /// Who sent a request: whoever its credential names, or else its client certificate.
    pub(crate) async fn principal(
        &self,
        headers: &HeaderMap,
        peer: Option<PeerIdentity>,
    ) -> Result<Principal, ApiError> {
        if let Some(credential) = bearer(headers)? {
            return self.of_bearer(credential).await;
        }
        let certificates = &self.0.certificates;
        let shown = peer.and_then(|peer| CertificateRole::principal(certificates, &peer));
        match shown {
            Some(principal) => Ok(principal),
            None if self.0.mode == AuthMode::Open => Ok(Principal::anyone()),
            None => Err(ApiError::new(
                ErrorCode::Unauthenticated,
                reason::CREDENTIALS_MISSING,
                "send an API key or a token as \"Authorization: Bearer ...\", or show a certificate that has a role",
            )),
        }
    }

    async fn of_bearer(&self, credential: &str) -> Result<Principal, ApiError> {
        let Inner { keys, tokens, .. } = &*self.0;
        if ApiKey::is_meant(credential) {
            let keys = keys
                .get()
                .ok_or_else(|| invalid("this service takes no API keys"))?;
            return self.of_key(keys, credential).await;
        }
        let tokens = tokens
            .as_ref()
            .ok_or_else(|| invalid("this service takes no tokens"))?;
        tokens.principal(credential).await
    }

    async fn of_key(&self, keys: &Keys, credential: &str) -> Result<Principal, ApiError> {
        let now = self.0.clock.now();
        let until = UnixMicros(now.0.saturating_add(self.0.key_cache_micros));
        keys.principal(credential, now, until).await
    }
}

impl Keys {
    /// Why a key is refused is not told: an outsider must not learn which clients exist.
    async fn principal(
        &self,
        text: &str,
        now: UnixMicros,
        until: UnixMicros,
    ) -> Result<Principal, ApiError> {
        let refused = || invalid("the API key is unknown, expired or revoked");
        let key = ApiKey::parse(text).ok_or_else(refused)?;
        let client = self.client(key.client(), now, until).await?;
        let client = client.ok_or_else(refused)?;
        let live = client.keys.iter().filter(|key| key.expires_at > now);
        if !self.secret.is_one_of(&key, live.map(|key| key.mac)) {
            return Err(refused());
        }
        let (tenant, name) = (client.tenant.clone(), client.name.clone());
        let roles = client.roles.clone();
        Ok(Principal::new(PrincipalKind::Key, tenant, name, roles))
    }

    async fn client(
        &self,
        id: ClientId,
        now: UnixMicros,
        until: UnixMicros,
    ) -> Result<Option<Arc<RegisteredClient>>, ApiError> {
        let remembered = self.remembered().get(&id).cloned();
        if let Some(remembered) = remembered.filter(|it| it.until > now) {
            return Ok(remembered.client);
        }
        let client = self.directory.client(id).await?.map(Arc::new);
        let mut all = self.remembered();
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        let fresh = Remembered {
            client: client.clone(),
            until,
        };
        all.insert(id, fresh);
        Ok(client)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<ClientId, Remembered>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Unauthenticated,
        reason::CREDENTIALS_INVALID,
        message,
    )
}

/// The credential of the one `Authorization` header, RFC 6750 section 2.1.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let credential = value.to_str().ok().and_then(|text| {
        let (scheme, credential) = text.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(credential.trim())
    });
    match (credential, values.next()) {
        (Some(credential), None) if !credential.is_empty() => Ok(Some(credential)),
        _ => Err(invalid(
            "send one header \"Authorization: Bearer ...\" with an API key or a token",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        let found = bearer(&headers);
        found
            .map(|found| found.map(str::to_owned))
            .map_err(|error| error.reason)
    }

    #[test]
    fn one_bearer_is_read_and_anything_else_refused() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["Bearer abc"]), Ok(Some("abc".to_owned())));
        assert_eq!(of(&["bearer  abc "]), Ok(Some("abc".to_owned())));
        for bad in [
            &["Bearer"][..],
            &["Bearer "],
            &["Basic dXNlcg=="],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(of(bad), Err(reason::CREDENTIALS_INVALID), "{bad:?}");
        }
    }
}
