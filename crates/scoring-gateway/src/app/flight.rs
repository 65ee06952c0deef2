//! The requests in flight in this process, by idempotency key.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use fcs_core::{ApiError, ErrorCode, IdempotencyKey};

/// The keys of requests in flight. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Flights(Arc<Mutex<HashSet<IdempotencyKey>>>);

/// One request in flight; dropping it lets the key go. It travels with the draft, so a client that disconnects does
/// not free the key while its decision is being written.
#[derive(Debug)]
pub struct Flight {
    flights: Flights,
    key: IdempotencyKey,
}

impl Flights {
    /// Takes a key, unless it is in flight already.
    pub fn enter(&self, key: &IdempotencyKey) -> Result<Flight, ApiError> {
        if self.keys().insert(key.clone()) {
            return Ok(Flight {
                flights: self.clone(),
                key: key.clone(),
            });
        }
        Err(ApiError::new(
            ErrorCode::Aborted,
            "REQUEST_IN_FLIGHT",
            "a request with this idempotency key is being decided; retry with the same key",
        )
        .retry_after(1))
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, HashSet<IdempotencyKey>> {
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
        let key: IdempotencyKey = "k".parse().unwrap();
        let flight = flights.enter(&key).unwrap();
        assert_eq!(flights.enter(&key).unwrap_err().code, ErrorCode::Aborted);
        assert!(flights.enter(&"other".parse().unwrap()).is_ok());
        drop(flight);
        assert!(flights.enter(&key).is_ok());
    }
}
