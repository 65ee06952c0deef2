//! Which traffic arm an application belongs to: a salted hash, so that the same application always meets the same arm.

use fcs_core::ApplicationId;
use sha2::{Digest as _, Sha256};

/// Number of basis points in the whole traffic.
pub const BASIS_POINTS: u16 = 10_000;

/// The place of an application in `0..10_000`, fixed by the salt of the traffic table.
///
/// The first eight bytes of `SHA-256(length of salt as 8 bytes big-endian || salt || application id)` are read as a
/// big-endian `u64` and mapped to the range by multiply-shift: `(hash * 10_000) >> 64`. The length prefix keeps
/// `("ab", "c")` and `("a", "bc")` apart; multiply-shift keeps the bias below `10_000 / 2^64`.
pub fn basis_point(salt: &str, application_id: &ApplicationId) -> u16 {
    let mut hasher = Sha256::new();
    hasher.update((salt.len() as u64).to_be_bytes());
    hasher.update(salt);
    hasher.update(application_id.as_str());
    let hash = hasher.finalize();
    let head = hash.first_chunk().expect("a SHA-256 digest has 32 bytes");
    let scaled = (u128::from(u64::from_be_bytes(*head)) * u128::from(BASIS_POINTS)) >> 64;
    u16::try_from(scaled).expect("the product of a u64 and 10,000, shifted by 64, is below 10,000")
}

/// The index of the arm that owns a basis point. Arms own consecutive ranges in the order given, so an arm that is
/// listed first keeps all its members when its weight grows.
///
/// # Panics
/// If the weights do not sum to 10,000 or the basis point is not below 10,000; both are checked where they enter.
pub fn pick(weights: &[u32], basis_point: u16) -> usize {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    assert_eq!(
        total,
        u64::from(BASIS_POINTS),
        "arm weights sum to 10,000 basis points"
    );
    assert!(basis_point < BASIS_POINTS, "a basis point is below 10,000");
    let mut end = 0;
    weights
        .iter()
        .position(|weight| {
            end += weight;
            u32::from(basis_point) < end
        })
        .expect("weights that sum to 10,000 cover every basis point")
}
