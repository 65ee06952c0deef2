//! The traffic table: which model takes which share of the applications.

use fcs_core::{Digest, ModelVersion};
use serde::{Deserialize, Serialize};

/// All of the traffic, in basis points.
pub const WHOLE_BASIS_POINTS: u32 = 10_000;

/// Most arms that a table may have.
pub const MAX_ARMS: usize = 16;

/// Greatest generation: the greatest integer that canonical JSON (RFC 8785) prints exactly.
pub const MAX_GENERATION: u64 = (1 << 53) - 1;

/// Name of the arm that an activation makes.
pub const STABLE_ARM: &str = "stable";

/// Longest salt, in bytes.
const MAX_SALT_BYTES: usize = 128;

/// Longest name of an arm, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// One model's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficArm {
    /// Name of the arm, for example "stable".
    pub name: String,
    /// The model that it leads to.
    pub model: ModelVersion,
    /// SHA-256 of that model's manifest.
    pub manifest_digest: Digest,
    /// Share of the applications, in basis points.
    pub weight_basis_points: u32,
}

/// A whole traffic table. Either it is empty (nothing is scored) or its weights sum to 10,000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TrafficTable {
    generation: u64,
    salt: String,
    arms: Vec<TrafficArm>,
}

/// A traffic table cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTraffic {
    /// The generation leaves the range of exact JSON numbers.
    #[error("generation {0} is above 2^53 - 1")]
    Generation(u64),
    /// The salt is too long or has control characters.
    #[error("the salt must be at most 128 bytes without control characters")]
    Salt,
    /// There are too many arms.
    #[error("{0} arms, at most 16 are allowed")]
    TooManyArms(usize),
    /// The name of an arm is empty, too long, has characters that no gateway takes, or is used twice.
    #[error("arm name {0:?} must be unique, 1 to 32 lower-case letters, digits, '-' or '_'")]
    ArmName(String),
    /// The weights are not all of the traffic.
    #[error("the weights sum to {0} basis points instead of 10000")]
    Weights(u64),
}

impl TrafficTable {
    /// Checks and makes a table. Generation 0 without arms is the table of a new gateway.
    pub fn new(
        generation: u64,
        salt: String,
        arms: Vec<TrafficArm>,
    ) -> Result<Self, InvalidTraffic> {
        if generation > MAX_GENERATION {
            return Err(InvalidTraffic::Generation(generation));
        }
        if salt.len() > MAX_SALT_BYTES || salt.contains(char::is_control) {
            return Err(InvalidTraffic::Salt);
        }
        check_arms(&arms)?;
        Ok(Self {
            generation,
            salt,
            arms,
        })
    }

    /// Rises with every change of the table in force.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Salt of the cohort hash; empty only while there has been no traffic.
    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// The arms; empty, or with weights that sum to 10,000 basis points.
    pub fn arms(&self) -> &[TrafficArm] {
        &self.arms
    }

    /// Whether no model takes traffic.
    pub fn is_empty(&self) -> bool {
        self.arms.is_empty()
    }
}

fn check_arms(arms: &[TrafficArm]) -> Result<(), InvalidTraffic> {
    if arms.len() > MAX_ARMS {
        return Err(InvalidTraffic::TooManyArms(arms.len()));
    }
    for (position, arm) in arms.iter().enumerate() {
        let name = &arm.name;
        let repeated = arms[..position].iter().any(|earlier| earlier.name == *name);
        if repeated || !is_arm_name(name) {
            return Err(InvalidTraffic::ArmName(name.clone()));
        }
    }
    let sum: u64 = arms
        .iter()
        .map(|arm| u64::from(arm.weight_basis_points))
        .sum();
    if !arms.is_empty() && sum != u64::from(WHOLE_BASIS_POINTS) {
        return Err(InvalidTraffic::Weights(sum));
    }
    Ok(())
}

/// What gateways take for the name of an arm.
fn is_arm_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}

/// The table as stored, before its checks.
#[derive(Deserialize)]
struct Unchecked {
    generation: u64,
    salt: String,
    arms: Vec<TrafficArm>,
}

impl TryFrom<Unchecked> for TrafficTable {
    type Error = InvalidTraffic;

    fn try_from(table: Unchecked) -> Result<Self, InvalidTraffic> {
        Self::new(table.generation, table.salt, table.arms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, weight_basis_points: u32) -> TrafficArm {
        TrafficArm {
            name: name.to_owned(),
            model: "m/1".parse().unwrap(),
            manifest_digest: Digest::from_bytes([1; 32]),
            weight_basis_points,
        }
    }

    fn table(arms: Vec<TrafficArm>) -> Result<TrafficTable, InvalidTraffic> {
        TrafficTable::new(1, "salt".to_owned(), arms)
    }

    #[test]
    fn weights_are_all_or_nothing() {
        assert!(table(vec![]).unwrap().is_empty());
        assert!(table(vec![arm("a", 9_999), arm("b", 1)]).is_ok());
        assert_eq!(
            table(vec![arm("a", 9_999)]),
            Err(InvalidTraffic::Weights(9_999))
        );
        assert_eq!(
            table(vec![arm("a", u32::MAX), arm("b", 10_001)]),
            Err(InvalidTraffic::Weights(4_294_977_296)),
            "the sum does not wrap around"
        );
    }

    #[test]
    fn names_are_unique_and_printable() {
        for arms in [
            vec![arm("a", 5_000), arm("a", 5_000)],
            vec![arm("", 10_000)],
            vec![arm("a\n", 10_000)],
        ] {
            assert!(matches!(table(arms), Err(InvalidTraffic::ArmName(_))));
        }
    }

    #[test]
    fn limits_hold() {
        let many = (0..17).map(|i| arm(&i.to_string(), 0)).collect();
        assert_eq!(table(many), Err(InvalidTraffic::TooManyArms(17)));
        assert!(TrafficTable::new(MAX_GENERATION, String::new(), vec![]).is_ok());
        assert!(TrafficTable::new(MAX_GENERATION + 1, String::new(), vec![]).is_err());
        assert!(TrafficTable::new(0, "x".repeat(129), vec![]).is_err());
    }

    #[test]
    fn stored_tables_are_checked_again() {
        let good = table(vec![arm("a", 10_000)]).unwrap();
        let json = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<TrafficTable>(&json).unwrap(), good);
        assert!(serde_json::from_str::<TrafficTable>(&json.replace("10000", "9000")).is_err());
    }
}
