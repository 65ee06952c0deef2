//! Clients of a tenant and their API keys: made, rotated with an overlap, revoked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fcs_core::{ApiError, Clock, Digest, ErrorCode, TenantId, UnixMicros};
use fcs_service::Random;
use fcs_service::auth::{
    ApiKey, Auth, ClientId, KeyDirectory, KeySecret, Principal, RegisteredClient, RegisteredKey,
    Role, Scope, Scopes,
};
use serde::{Deserialize, Serialize};

use super::store_unavailable;
use crate::store::ClientStore;

/// Keys of one client that are live at the same time, at most.
const LIVE_KEYS_MAX: usize = 2;
/// Clients of one list at most.
const CLIENTS_MAX: u32 = 1_000;
/// How long a key lives when its maker does not say.
pub const VALID_DAYS_DEFAULT: u32 = 90;
const VALID_DAYS_MAX: u32 = 1_095;
/// How long the former key lives on when who rotates does not say.
pub const OVERLAP_HOURS_DEFAULT: u32 = 168;
const OVERLAP_HOURS_MAX: u32 = 2_160;
const NAME_BYTES_MAX: usize = 64;
/// Hexadecimal digits that name one of a client's keys.
const FINGERPRINT_DIGITS: usize = 12;

/// A client and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The public part of its keys.
    pub id: ClientId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Its keys, oldest first; the revoked and the long expired are gone.
    pub keys: Vec<StoredKey>,
    /// When it was made.
    pub created_at: UnixMicros,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// A key as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredKey {
    /// Keyed hash of its text.
    pub mac: Digest,
    /// When it was made.
    pub created_at: UnixMicros,
    /// From when on it is refused.
    pub expires_at: UnixMicros,
}

impl StoredKey {
    /// What names the key without opening anything.
    pub fn fingerprint(&self) -> String {
        let mut digits = self.mac.to_string();
        digits.truncate(FINGERPRINT_DIGITS);
        digits
    }

    /// Whether the key opens something.
    pub fn is_live_at(&self, now: UnixMicros) -> bool {
        self.expires_at > now
    }
}

impl Client {
    /// Adds a key and lets the live one end after the overlap. Without room for a third one it changes nothing.
    fn rotate_at(
        &mut self,
        now: UnixMicros,
        overlap: Duration,
        key: StoredKey,
    ) -> Result<(), ApiError> {
        self.keys.retain(|key| key.is_live_at(now));
        if self.keys.len() >= LIVE_KEYS_MAX {
            let message = format!(
                "client {} has {LIVE_KEYS_MAX} live keys; revoke one, or wait until {}",
                self.id,
                self.keys
                    .iter()
                    .map(|key| key.expires_at)
                    .min()
                    .unwrap_or(now)
            );
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "TWO_LIVE_KEYS",
                message,
            ));
        }
        let end = after(now, overlap);
        for old in &mut self.keys {
            old.expires_at = old.expires_at.min(end);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Removes the key with this fingerprint, or every key; says how many.
    fn revoke(&mut self, fingerprint: &str) -> usize {
        let before = self.keys.len();
        self.keys
            .retain(|key| !fingerprint.is_empty() && key.fingerprint() != fingerprint);
        before - self.keys.len()
    }
}

fn after(now: UnixMicros, duration: Duration) -> UnixMicros {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    UnixMicros(now.0.saturating_add(micros))
}

/// A new client, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClient {
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Days until its key expires; 0 means 90.
    pub valid_days: u32,
}

/// The use cases.
pub struct Keys {
    /// Where clients are kept.
    pub store: Arc<dyn ClientStore>,
    /// What keys are stored under.
    pub secret: KeySecret,
    /// What remembers clients in this process.
    pub auth: Auth,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
}

impl Keys {
    /// Makes a client with its first key. The key's text is in the answer and nowhere else.
    pub async fn create(
        &self,
        caller: &Principal,
        tenant: Option<TenantId>,
        new: NewClient,
    ) -> Result<(Client, ApiKey), ApiError> {
        let tenant = reachable(caller, tenant)?;
        check_name(&new.name)?;
        grantable(caller, &new.roles)?;
        let id = ClientId::random(&*self.random);
        let (key, stored) = self.new_key(id, new.valid_days)?;
        let client = Client {
            id,
            tenant,
            name: new.name,
            roles: new.roles,
            keys: vec![stored],
            created_at: stored.created_at,
            revision: 1,
        };
        if !self
            .store
            .insert(&client)
            .await
            .map_err(store_unavailable)?
        {
            let message = format!(
                "tenant {} has a client {:?} already",
                client.tenant, client.name
            );
            return Err(ApiError::new(
                ErrorCode::AlreadyExists,
                "CLIENT_EXISTS",
                message,
            ));
        }
        tracing::info!(%caller, client = %client.id, tenant = %client.tenant, name = client.name, "a client was made");
        Ok((client, key))
    }

    /// The clients of a tenant, by name.
    pub async fn list(
        &self,
        caller: &Principal,
        tenant: Option<TenantId>,
    ) -> Result<Vec<Client>, ApiError> {
        let tenant = reachable(caller, tenant)?;
        let clients = self.store.clients(&tenant, CLIENTS_MAX).await;
        clients.map_err(store_unavailable)
    }

    /// Gives a client a further key; the former one lives on for the overlap.
    pub async fn rotate(
        &self,
        caller: &Principal,
        id: ClientId,
        valid_days: u32,
        overlap_hours: Option<u32>,
    ) -> Result<(Client, ApiKey), ApiError> {
        let hours = overlap_hours.unwrap_or(OVERLAP_HOURS_DEFAULT);
        if hours > OVERLAP_HOURS_MAX {
            let message = format!("overlap_hours is {hours}; write 0 to {OVERLAP_HOURS_MAX}");
            return Err(ApiError::invalid("OVERLAP_INVALID", message, vec![]));
        }
        let mut client = self.find(caller, id).await?;
        let (key, stored) = self.new_key(id, valid_days)?;
        let overlap = Duration::from_hours(hours.into());
        client.rotate_at(stored.created_at, overlap, stored)?;
        self.replace(&client).await?;
        tracing::info!(%caller, client = %client.id, "a client has a new key");
        Ok((client, key))
    }

    /// Revokes the key with this fingerprint; an empty one means every key.
    pub async fn revoke(
        &self,
        caller: &Principal,
        id: ClientId,
        fingerprint: &str,
    ) -> Result<Client, ApiError> {
        let mut client = self.find(caller, id).await?;
        let revoked = client.revoke(fingerprint);
        if revoked == 0 && !fingerprint.is_empty() {
            let message = format!("client {id} has no key {fingerprint:?}");
            return Err(ApiError::not_found("KEY_NOT_FOUND", message));
        }
        self.replace(&client).await?;
        tracing::info!(%caller, client = %client.id, revoked, "keys were revoked");
        Ok(client)
    }

    /// A client that the caller may change: of a tenant in reach, and with no role that the caller could not grant,
    /// because a new key is worth its roles.
    async fn find(&self, caller: &Principal, id: ClientId) -> Result<Client, ApiError> {
        let found = self.store.client(id).await.map_err(store_unavailable)?;
        let client = found
            .filter(|client| reachable(caller, Some(client.tenant.clone())).is_ok())
            .ok_or_else(|| {
                ApiError::not_found("CLIENT_NOT_FOUND", format!("there is no client {id}"))
            })?;
        grantable(caller, &client.roles)?;
        Ok(client)
    }

    async fn replace(&self, client: &Client) -> Result<(), ApiError> {
        let replaced = self.store.replace_keys(client).await;
        let replaced = replaced.map_err(store_unavailable)?;
        self.auth.forget(client.id);
        if replaced {
            return Ok(());
        }
        let message = format!(
            "client {} was changed at the same time; try again",
            client.id
        );
        Err(ApiError::new(ErrorCode::Aborted, "CLIENT_CHANGED", message).retry_after(1))
    }

    fn new_key(&self, id: ClientId, valid_days: u32) -> Result<(ApiKey, StoredKey), ApiError> {
        let days = match valid_days {
            0 => VALID_DAYS_DEFAULT,
            days @ 1..=VALID_DAYS_MAX => days,
            days => {
                let message = format!("valid_days is {days}; write 1 to {VALID_DAYS_MAX}");
                return Err(ApiError::invalid("VALIDITY_INVALID", message, vec![]));
            }
        };
        let key = ApiKey::random(id, &*self.random);
        let created_at = self.clock.now();
        let stored = StoredKey {
            mac: Digest::from_bytes(self.secret.mac(&key)),
            created_at,
            expires_at: after(created_at, Duration::from_hours(24 * u64::from(days))),
        };
        Ok((key, stored))
    }
}

/// The tenant that a request is about: the caller's, or another for who administers tenants.
fn reachable(caller: &Principal, tenant: Option<TenantId>) -> Result<TenantId, ApiError> {
    match tenant {
        None => Ok(caller.tenant.clone()),
        Some(tenant) if tenant == caller.tenant => Ok(tenant),
        Some(tenant) => caller.require(Scope::TenantsAdmin).map(|()| tenant),
    }
}

/// Nobody gives away more than they have.
fn grantable(caller: &Principal, roles: &[Role]) -> Result<(), ApiError> {
    if roles.is_empty() {
        let message = "a client needs a role";
        return Err(ApiError::invalid("ROLE_MISSING", message, vec![]));
    }
    if Scopes::of_roles(roles).is_within(caller.scopes) {
        return Ok(());
    }
    let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    let message = format!("{caller} may not do all that {} may", names.join(", "));
    Err(ApiError::new(
        ErrorCode::PermissionDenied,
        "ROLE_NOT_GRANTABLE",
        message,
    ))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message = "a client's name has 1 to 64 letters, digits, '.', '-' or '_'";
    Err(ApiError::invalid("CLIENT_NAME_INVALID", message, vec![]))
}

/// The clients, as the gate looks them up.
pub struct Directory(pub Arc<dyn ClientStore>);

#[async_trait]
impl KeyDirectory for Directory {
    async fn client(&self, id: ClientId) -> Result<Option<RegisteredClient>, ApiError> {
        let found = self.0.client(id).await.map_err(store_unavailable)?;
        Ok(found.map(|client| {
            let keys = client.keys.iter().map(|key| RegisteredKey {
                mac: *key.mac.as_bytes(),
                expires_at: key.expires_at,
            });
            RegisteredClient {
                keys: keys.collect(),
                tenant: client.tenant,
                name: client.name,
                roles: client.roles,
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMicros = UnixMicros(1_000_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn key(number: u8, expires_at: UnixMicros) -> StoredKey {
        StoredKey {
            mac: Digest::from_bytes([number; 32]),
            created_at: NOW,
            expires_at,
        }
    }

    fn client(keys: Vec<StoredKey>) -> Client {
        Client {
            id: "00112233445566aa".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            name: "origination".to_owned(),
            roles: vec![Role::Originator],
            keys,
            created_at: NOW,
            revision: 1,
        }
    }

    #[test]
    fn a_rotation_shortens_the_former_key_and_never_lengthens_it() {
        let late = after(NOW, 10 * HOUR);
        let mut long = client(vec![key(1, late)]);
        long.rotate_at(NOW, HOUR, key(2, late)).unwrap();
        assert_eq!(long.keys, [key(1, after(NOW, HOUR)), key(2, late)]);
        let soon = after(NOW, HOUR / 2);
        let mut short = client(vec![key(1, soon)]);
        short.rotate_at(NOW, HOUR, key(2, late)).unwrap();
        assert_eq!(short.keys[0].expires_at, soon);
        let mut at_once = client(vec![key(1, late)]);
        at_once
            .rotate_at(NOW, Duration::ZERO, key(2, late))
            .unwrap();
        let live: Vec<_> = at_once
            .keys
            .iter()
            .filter(|key| key.is_live_at(NOW))
            .collect();
        assert_eq!(live, [&key(2, late)]);
    }

    #[test]
    fn there_are_two_live_keys_at_most() {
        let late = after(NOW, 10 * HOUR);
        let mut full = client(vec![key(1, late), key(2, late)]);
        let error = full.rotate_at(NOW, HOUR, key(3, late)).unwrap_err();
        assert_eq!(error.reason, "TWO_LIVE_KEYS");
        assert_eq!(full.keys.len(), 2);
        full.rotate_at(late, HOUR, key(3, after(late, HOUR)))
            .unwrap();
        assert_eq!(full.keys.len(), 1, "expired keys make room");
    }

    #[test]
    fn one_key_or_all_are_revoked() {
        let late = after(NOW, HOUR);
        let mut two = client(vec![key(1, late), key(2, late)]);
        assert_eq!(two.revoke("000000000000"), 0);
        assert_eq!(two.revoke(&key(1, late).fingerprint()), 1);
        assert_eq!(two.keys, [key(2, late)]);
        assert_eq!(two.revoke(""), 1);
        assert_eq!(two.keys, []);
    }

    #[test]
    fn nobody_gives_away_more_than_they_have() {
        let tenant: TenantId = "acme".parse().unwrap();
        let of = |role| {
            let kind = fcs_service::auth::PrincipalKind::Person;
            Principal::new(kind, tenant.clone(), "ada".to_owned(), vec![role])
        };
        let admin = of(Role::TenantAdmin);
        assert!(grantable(&admin, &[Role::Originator, Role::Auditor]).is_ok());
        for more in [Role::Monitor, Role::Deployer, Role::PlatformAdmin] {
            let error = grantable(&admin, &[more]).unwrap_err();
            assert_eq!(error.reason, "ROLE_NOT_GRANTABLE");
        }
        assert!(grantable(&of(Role::PlatformAdmin), Role::ALL).is_ok());
        assert_eq!(grantable(&admin, &[]).unwrap_err().reason, "ROLE_MISSING");
        let other: TenantId = "other".parse().unwrap();
        assert!(reachable(&admin, Some(other.clone())).is_err());
        assert_eq!(
            reachable(&of(Role::PlatformAdmin), Some(other.clone())),
            Ok(other)
        );
    }
}
