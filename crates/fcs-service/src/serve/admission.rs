//! How many connections one address may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by address; an IPv6 client owns its whole /64.
pub(super) struct PerAddress {
    max: usize,
    counts: Counts,
}

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The place of one connection.
pub(super) struct Seat {
    address: IpAddr,
    counts: Counts,
}

impl PerAddress {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            counts: Counts::default(),
        }
    }

    /// `None` when the address has all the connections that it may have.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Seat {
            address,
            counts: Arc::clone(&self.counts),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_places() {
        let places = PerAddress::new(2);
        let enter = |text: &str| places.enter(text.parse().unwrap());
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::ffff:1").unwrap();
        assert!(enter("2001:db8::2").is_none(), "of the same /64");
        let _other = enter("2001:db8:0:1::1").unwrap();
        let _mapped = (
            enter("::ffff:10.0.0.1").unwrap(),
            enter("10.0.0.1").unwrap(),
        );
        assert!(enter("10.0.0.1").is_none());
        drop(first);
        assert!(enter("2001:db8::3").is_some());
        assert_eq!(places.counts.lock().unwrap().len(), 3);
    }
}
