//! The requests in flight in this process, by idempotency key.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use fcs_core::{ApiError, ErrorCode, IdempotencyKey, TenantId};

use crate::store::Claim;

/// A key is one within its client's scope.
type FullKey = (TenantId, String, IdempotencyKey);

/// The keys of requests in flight. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Flights(Arc<Mutex<HashSet<FullKey>>>);

/// One request in flight; dropping it lets the key go. It travels with the draft, so a client that disconnects does
/// not free the key while its decision is being written.
#[derive(Debug)]
pub struct Flight {
    flights: Flights,
    key: FullKey,
}

impl Flights {
    /// Takes the key of a claim, unless it is in flight already.
    pub fn enter(&self, claim: &Claim) -> Result<Flight, ApiError> {
        let key = (
            claim.tenant.clone(),
            claim.client.clone(),
            claim.key.clone(),
        );
        if self.keys().insert(key.clone()) {
            return Ok(Flight {
                flights: self.clone(),
                key,
            });
        }
        Err(ApiError::new(
            ErrorCode::Aborted,
            "REQUEST_IN_FLIGHT",
            "a request with this idempotency key is being decided; retry with the same key",
        )
        .retry_after(1))
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, HashSet<FullKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.keys().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_flight_once() {
        let flights = Flights::default();
        let claim = |tenant: &str, client: &str, key: &str| Claim {
            tenant: tenant.parse().unwrap(),
            client: client.to_owned(),
            key: key.parse().unwrap(),
            fingerprint: fcs_core::Digest::from_bytes([0; 32]),
        };
        let mine = claim("acme", "a", "k");
        let flight = flights.enter(&mine).unwrap();
        assert_eq!(flights.enter(&mine).unwrap_err().code, ErrorCode::Aborted);
        for other in [
            claim("acme", "a", "other"),
            claim("acme", "b", "k"),
            claim("bank", "a", "k"),
        ] {
            assert!(flights.enter(&other).is_ok(), "{other:?}");
        }
        drop(flight);
        assert!(flights.enter(&mine).is_ok());
    }
}
