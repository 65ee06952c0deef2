//! Tokens of people: JSON Web Tokens (RFC 7519, RFC 9068) of one OpenID Connect issuer.

use std::sync::Arc;

use fcs_core::{ApiError, Clock, ErrorCode, TenantId};
use jsonwebtoken::{Algorithm, TokenData, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::issuer::Issuer;
use super::{OidcSettings, Principal, PrincipalKind, Role, reason, ring_jwt};

/// Longer tokens are refused unread.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Reads tokens.
pub(super) struct Tokens {
    issuer: Issuer,
    validation: Validation,
    clock: Arc<dyn Clock>,
    tenant_claim: String,
    roles_claim: String,
}

impl Tokens {
    /// The reader of the issuer that the settings name; `None` when they name none.
    pub(super) fn new(
        settings: &OidcSettings,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(issuer), Some(audience)) = (&settings.issuer, &settings.audience) else {
            return Ok(None);
        };
        ring_jwt::install();
        Ok(Some(Self {
            issuer: Issuer::new(issuer, Arc::clone(clock))?,
            validation: validation(issuer, audience),
            clock: Arc::clone(clock),
            tenant_claim: settings.tenant_claim.clone(),
            roles_claim: settings.roles_claim.clone(),
        }))
    }

    /// Whose token it is.
    pub(super) async fn principal(&self, token: &str) -> Result<Principal, ApiError> {
        let claims = self.claims(token).await?;
        self.check_times(&claims)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let tenant: TenantId = text(&self.tenant_claim)
            .and_then(|tenant| tenant.parse().ok())
            .ok_or_else(|| refused("the token names no tenant"))?;
        let subject = text("sub")
            .filter(|subject| is_subject(subject))
            .ok_or_else(|| refused("the token has no usable subject"))?;
        let roles = roles(claims.get(&self.roles_claim));
        let subject = subject.to_owned();
        Ok(Principal::new(
            PrincipalKind::Person,
            tenant,
            subject,
            roles,
        ))
    }

    /// The claims of a token with a good signature, issuer and audience.
    async fn claims(&self, token: &str) -> Result<Map<String, Value>, ApiError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused("the token is too long"));
        }
        let header = decode_header(token).map_err(|_| refused("the token cannot be read"))?;
        if !ring_jwt::ALGORITHMS.contains(&header.alg) {
            return Err(refused(
                "tokens are signed with RS256, PS256, ES256 or EdDSA",
            ));
        }
        let kid = header
            .kid
            .ok_or_else(|| refused("the token does not name its key"))?;
        let key = self.issuer.key(&kid).await?;
        let key = key.ok_or_else(|| refused("the token is signed with an unknown key"))?;
        // The key decides which algorithm is right, not the token.
        if key.algorithm != header.alg {
            return Err(refused("the token is not signed as its key is meant"));
        }
        let mut validation = self.validation.clone();
        validation.algorithms = vec![key.algorithm];
        let decoded: TokenData<Map<String, Value>> = decode(token, &key.key, &validation)
            .map_err(|_| refused("the token's signature, issuer or audience is wrong"))?;
        Ok(decoded.claims)
    }

    /// RFC 7519, sections 4.1.4 and 4.1.5, without leeway.
    fn check_times(&self, claims: &Map<String, Value>) -> Result<(), ApiError> {
        let now = self.clock.now().0 as f64 / 1e6;
        let expires = claims.get("exp").and_then(Value::as_f64);
        if !expires.is_some_and(|expires| now < expires) {
            return Err(refused("the token has expired"));
        }
        match claims.get("nbf").map(Value::as_f64) {
            None => Ok(()),
            Some(Some(begins)) if begins <= now => Ok(()),
            Some(_) => Err(refused("the token is not valid yet")),
        }
    }
}

/// Times are checked by our own clock.
fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A list or words between spaces; names that are no role of ours belong to other systems.
fn roles(claim: Option<&Value>) -> Vec<Role> {
    let names: Vec<&str> = match claim {
        Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names
        .into_iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

fn refused(message: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Unauthenticated,
        reason::CREDENTIALS_INVALID,
        message,
    )
}
