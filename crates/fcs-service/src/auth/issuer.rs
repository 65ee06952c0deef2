//! The issuer of tokens: its keys, found through its configuration and kept.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fcs_core::{ApiError, Clock, ErrorCode, UnixMicros};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tracing::{info, warn};

const TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Keys of one issuer at most.
const KEYS_MAX: usize = 64;
/// A token with an unknown key makes us ask again, but not more often.
const REFETCH_MICROS: i64 = 60_000_000;
/// While there are no keys at all, we ask again sooner.
const RETRY_MICROS: i64 = 2_000_000;
/// Keys are asked for again after this, so that withdrawn ones go.
const KEEP_MICROS: i64 = 3_600_000_000;

/// A key that tokens are signed with.
#[derive(Clone)]
pub(super) struct TokenKey {
    kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// One issuer.
pub(super) struct Issuer {
    name: String,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Arc<[TokenKey]>,
    asked: Option<UnixMicros>,
}

/// What of OpenID Connect Discovery 1.0, section 3, matters here.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub(super) fn new(name: &str, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        // Whichever call is first decides for the process, and all of them say the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()
            .context("prepare the client of auth.oidc.issuer")?;
        Ok(Self {
            name: name.to_owned(),
            client,
            clock,
            known: Mutex::default(),
        })
    }

    /// The key with this name. An unknown one makes the issuer be asked again, at most once a minute, whoever asks.
    pub(super) async fn key(&self, kid: &str) -> Result<Option<TokenKey>, ApiError> {
        let mut known = self.known.lock().await;
        let found = find(&known.keys, kid);
        let age = known.asked.map(|asked| self.clock.now().0 - asked.0);
        let limit = match (&found, known.keys.is_empty()) {
            (_, true) => RETRY_MICROS,
            (None, false) => REFETCH_MICROS,
            (Some(_), false) => KEEP_MICROS,
        };
        if age.is_some_and(|age| (0..limit).contains(&age)) {
            return answer(&known, found);
        }
        known.asked = Some(self.clock.now());
        match self.fetch().await {
            Ok(keys) => {
                info!(
                    issuer = self.name,
                    keys = keys.len(),
                    "the issuer's keys were read"
                );
                known.keys = keys.into();
            }
            Err(error) => {
                let error = format!("{error:#}");
                warn!(
                    issuer = self.name,
                    error, "the issuer's keys stay as they are"
                );
            }
        }
        let found = find(&known.keys, kid);
        answer(&known, found)
    }

    async fn fetch(&self) -> anyhow::Result<Vec<TokenKey>> {
        let base = self.name.trim_end_matches('/');
        let configuration: Configuration = self
            .document(&format!("{base}/.well-known/openid-configuration"))
            .await?;
        ensure!(
            configuration.issuer == self.name,
            "the issuer calls itself {:?}",
            configuration.issuer
        );
        ensure!(
            !self.name.starts_with("https://") || configuration.jwks_uri.starts_with("https://"),
            "the issuer has its keys at {:?}, without TLS",
            configuration.jwks_uri
        );
        let set: JwkSet = self.document(&configuration.jwks_uri).await?;
        Ok(set.keys.iter().take(KEYS_MAX).filter_map(usable).collect())
    }

    async fn document<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let attempt = || format!("read {url}");
        let answer = self.client.get(url).send().await.with_context(attempt)?;
        let mut answer = answer.error_for_status().with_context(attempt)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(attempt)? {
            body.extend_from_slice(&chunk);
            ensure!(body.len() <= ANSWER_BYTES_MAX, "{url} is too long");
        }
        serde_json::from_slice(&body).with_context(attempt)
    }
}

fn answer(known: &Known, found: Option<TokenKey>) -> Result<Option<TokenKey>, ApiError> {
    if known.keys.is_empty() {
        let message = "the identity provider does not answer; try again";
        let code = ErrorCode::Unavailable;
        return Err(ApiError::new(code, "IDENTITY_PROVIDER_UNAVAILABLE", message).retry_after(2));
    }
    Ok(found)
}

fn find(keys: &[TokenKey], kid: &str) -> Option<TokenKey> {
    keys.iter().find(|key| key.kid == kid).cloned()
}

/// A key that signs tokens with an algorithm of ours, with that algorithm: its own, or the usual one of its kind.
fn usable(jwk: &Jwk) -> Option<TokenKey> {
    let common = &jwk.common;
    if common
        .public_key_use
        .as_ref()
        .is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
    {
        return None;
    }
    let algorithm = match (&jwk.algorithm, common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Algorithm::PS256,
        (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES256))
            if key.curve == EllipticCurve::P256 =>
        {
            Algorithm::ES256
        }
        (AlgorithmParameters::OctetKeyPair(key), None | Some(KeyAlgorithm::EdDSA))
            if key.curve == EllipticCurve::Ed25519 =>
        {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    Some(TokenKey {
        kid: common.key_id.clone()?,
        algorithm,
        key: DecodingKey::from_jwk(jwk).ok()?,
    })
}
