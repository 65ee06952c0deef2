//! The traffic table: which model versions score which share of the applications.

use std::collections::BTreeSet;
use std::fmt;

use fcs_core::{ApiError, ApplicationId, Digest, ErrorCode, ModelVersion, Violation};
use fcs_decision::cohort::{self, BASIS_POINTS, Cohort};
use serde::{Deserialize, Serialize};

/// Arms of one table at most; each keeps a model in memory.
pub const ARMS_MAX: usize = 16;
/// Shadow arms of one table at most; each costs as much scoring as a live arm.
pub const SHADOWS_MAX: usize = 4;
/// Length of a salt at most, in bytes.
pub const SALT_LENGTH_MAX: usize = 128;
const GENERATION_MAX: u64 = 1 << 53;
const ARM_NAME_LENGTH_MAX: usize = 32;

/// Absolute desired state of the traffic, with every digest resolved. The cohorts of the arms hold every basis point
/// once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrafficTable {
    /// Rises with each change; 0 is the empty table of a new gateway.
    pub generation: u64,
    /// Salt of the cohort hash.
    pub salt: String,
    /// Empty, or weights that sum to 10,000 basis points.
    pub arms: Vec<Arm>,
    /// Models that look at decisions after they are made.
    pub shadows: Vec<ShadowArm>,
}

/// A model that scores a sample of the decisions once more, without an effect on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowArm {
    /// Differs from the name of every other arm, live or shadow.
    pub name: String,
    /// The model.
    pub model: PinnedModel,
    /// Share of the applications in basis points.
    pub sample_basis_points: u32,
    /// Generation of the table that brought this arm with this model; it looks at decisions from then on.
    pub since_generation: u64,
}

/// One share of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// For example "stable".
    pub name: String,
    /// The model that scores it.
    pub model: PinnedModel,
    /// Share of the traffic in basis points.
    pub weight_basis_points: u32,
    /// The basis points that it owns, as many as its weight.
    #[serde(default)]
    pub cohort: Cohort,
}

/// One model version, pinned by the digest of its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PinnedModel {
    /// Name and version.
    pub version: ModelVersion,
    /// SHA-256 of the manifest.
    pub manifest_digest: Digest,
}

impl fmt::Display for PinnedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (manifest {})", self.version, self.manifest_digest)
    }
}

/// A table as the caller gives it: a digest may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedTable {
    /// Generation of the new table.
    pub generation: u64,
    /// Salt of the cohort hash.
    pub salt: String,
    /// The arms.
    pub arms: Vec<ProposedArm>,
    /// The shadow arms; `None` keeps those in force.
    pub shadows: Option<Vec<ProposedArm>>,
}

/// An arm as the caller gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedArm {
    /// For example "stable".
    pub name: String,
    /// Name and version of the model.
    pub version: ModelVersion,
    /// The digest that the model's manifest must have, if the caller pins it.
    pub manifest_digest: Option<Digest>,
    /// Share of the traffic in basis points; of a shadow arm, share of the applications that it looks at.
    pub weight_basis_points: u32,
}

impl ProposedTable {
    /// Checks everything that needs no other service; lists every problem.
    pub fn check(&self, expected_generation: u64) -> Result<(), ApiError> {
        let mut problems = self.arm_problems();
        problems.extend(self.shadow_problems());
        if self.generation <= expected_generation {
            let rule =
                format!("must be greater than the expected generation {expected_generation}");
            problems.push(violation(
                "/table/generation",
                "GENERATION_NOT_GREATER",
                rule,
            ));
        }
        if self.generation > GENERATION_MAX {
            let rule = "must be at most 2^53, the largest number that a record keeps exactly";
            problems.push(violation("/table/generation", "GENERATION_TOO_LARGE", rule));
        }
        if self.salt.len() > SALT_LENGTH_MAX || self.salt.chars().any(char::is_control) {
            let rule = "at most 128 bytes without control characters";
            problems.push(violation("/table/salt", "SALT_INVALID", rule));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(
            "TRAFFIC_TABLE_INVALID",
            "the traffic table is not valid",
            problems,
        ))
    }

    fn arm_problems(&self) -> Vec<Violation> {
        let mut problems = Vec::new();
        let sum: u64 = self
            .arms
            .iter()
            .map(|arm| u64::from(arm.weight_basis_points))
            .sum();
        if !self.arms.is_empty() && sum != u64::from(BASIS_POINTS) {
            let rule = format!("the weights sum to {sum} basis points; they must sum to 10000");
            problems.push(violation("/table/arms", "WEIGHTS_SUM", rule));
        }
        if self.arms.len() > ARMS_MAX {
            problems.push(violation(
                "/table/arms",
                "TOO_MANY_ARMS",
                format!("at most {ARMS_MAX} arms"),
            ));
        }
        problems.extend(self.name_problems());
        problems
    }

    fn shadow_problems(&self) -> Vec<Violation> {
        let shadows = self.shadows.as_deref().unwrap_or_default();
        let mut problems = Vec::new();
        if shadows.len() > SHADOWS_MAX {
            let rule = format!("at most {SHADOWS_MAX} shadow arms");
            problems.push(violation("/table/shadows/arms", "TOO_MANY_ARMS", rule));
        }
        for (index, shadow) in shadows.iter().enumerate() {
            if !(1..=u32::from(BASIS_POINTS)).contains(&shadow.weight_basis_points) {
                let pointer = format!("/table/shadows/arms/{index}/sample_basis_points");
                problems.push(violation(
                    &pointer,
                    "SAMPLE_INVALID",
                    "1 to 10000 basis points",
                ));
            }
        }
        problems
    }

    fn name_problems(&self) -> Vec<Violation> {
        let live = self.arms.iter().enumerate();
        let live = live.map(|(index, arm)| (format!("/table/arms/{index}/name"), &arm.name));
        let shadows = self.shadows.iter().flatten().enumerate();
        let shadows =
            shadows.map(|(index, arm)| (format!("/table/shadows/arms/{index}/name"), &arm.name));
        let mut names = BTreeSet::new();
        let mut problems = Vec::new();
        for (pointer, name) in live.chain(shadows) {
            if !is_arm_name(name) {
                let rule = "1 to 32 lower-case letters, digits, '-' or '_'";
                problems.push(violation(&pointer, "ARM_NAME_INVALID", rule));
            } else if !names.insert(name) {
                let rule = "each arm needs a name of its own";
                problems.push(violation(&pointer, "ARM_NAME_DUPLICATE", rule));
            }
        }
        problems
    }
}

fn is_arm_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=ARM_NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

fn violation(pointer: &str, reason: &'static str, description: impl Into<String>) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        reason,
        description: description.into(),
    }
}

/// The arm of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// The arm.
    pub arm: &'a Arm,
    /// Place of the application in the cohort hash, `0..10_000`.
    pub basis_point: u16,
}

impl TrafficTable {
    /// The table that replaces `before`, whose arms keep as many of their members as their weights allow. Another salt
    /// places every application anew, so nobody is kept. A shadow arm that was there with the same model goes on.
    pub fn after(
        before: &Self,
        generation: u64,
        salt: String,
        mut arms: Vec<Arm>,
        mut shadows: Vec<ShadowArm>,
    ) -> Self {
        let known = if before.salt == salt {
            before.arms.as_slice()
        } else {
            &[]
        };
        let owned = |arm: &Arm| {
            let earlier = known.iter().find(|earlier| earlier.name == arm.name);
            earlier
                .map(|earlier| earlier.cohort.clone())
                .unwrap_or_default()
        };
        if !arms.is_empty() {
            let owned: Vec<Cohort> = arms.iter().map(owned).collect();
            let weights: Vec<u32> = arms.iter().map(|arm| arm.weight_basis_points).collect();
            for (arm, cohort) in arms.iter_mut().zip(cohort::allot(&owned, &weights)) {
                arm.cohort = cohort;
            }
        }
        for shadow in &mut shadows {
            let mut earlier = before.shadows.iter();
            let same = earlier.find(|it| it.name == shadow.name && it.model == shadow.model);
            shadow.since_generation = same.map_or(generation, |same| same.since_generation);
        }
        Self {
            generation,
            salt,
            arms,
            shadows,
        }
    }

    /// The table as the store holds it. One of a release without cohorts gets those that it was meant to have; `None`
    /// for a table that does not place every application.
    pub fn restored(
        generation: u64,
        salt: String,
        arms: Vec<Arm>,
        shadows: Vec<ShadowArm>,
    ) -> Option<Self> {
        let sum: u64 = arms
            .iter()
            .map(|arm| u64::from(arm.weight_basis_points))
            .sum();
        let whole = arms.is_empty() || sum == u64::from(BASIS_POINTS);
        if whole && arms.iter().all(|arm| arm.cohort == Cohort::default()) {
            let before = Self::default();
            let table = Self::after(&before, generation, salt, arms, Vec::new());
            return Some(Self { shadows, ..table });
        }
        cohort::is_partition(arms.iter().map(|arm| &arm.cohort)).then_some(Self {
            generation,
            salt,
            arms,
            shadows,
        })
    }

    /// The arm of an application, the same one each time. Fails while no model takes traffic.
    pub fn assign(&self, application_id: &ApplicationId) -> Result<Assignment<'_>, ApiError> {
        if self.arms.is_empty() {
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "NO_ACTIVE_MODEL",
                "no model takes traffic: register a deployment of a model, have it approved and activate it",
            ));
        }
        let basis_point = cohort::basis_point(&self.salt, application_id);
        let owner = self
            .arms
            .iter()
            .find(|arm| arm.cohort.contains(basis_point));
        let arm = owner.expect("a table is only made with cohorts that hold every basis point");
        Ok(Assignment { arm, basis_point })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, weight: u32) -> ProposedArm {
        ProposedArm {
            name: name.to_owned(),
            version: "taiwan-default/1".parse().unwrap(),
            manifest_digest: None,
            weight_basis_points: weight,
        }
    }

    fn table(arms: Vec<ProposedArm>) -> ProposedTable {
        ProposedTable {
            generation: 5,
            salt: "s".to_owned(),
            arms,
            shadows: None,
        }
    }

    fn reasons(table: &ProposedTable, expected: u64) -> Vec<&'static str> {
        let problems = table
            .check(expected)
            .err()
            .map(|error| error.violations)
            .unwrap_or_default();
        problems.iter().map(|violation| violation.reason).collect()
    }

    #[test]
    fn accepts_an_empty_table_and_whole_weights() {
        assert_eq!(table(vec![]).check(4), Ok(()));
        assert_eq!(
            table(vec![arm("stable", 9_999), arm("canary", 1)]).check(0),
            Ok(())
        );
    }

    #[test]
    fn lists_every_problem() {
        let broken = table(vec![
            arm("stable", 5_000),
            arm("stable", 4_999),
            arm("Bad Name", 0),
        ]);
        let expected = [
            "WEIGHTS_SUM",
            "ARM_NAME_DUPLICATE",
            "ARM_NAME_INVALID",
            "GENERATION_NOT_GREATER",
        ];
        assert_eq!(reasons(&broken, 5), expected);
        let huge = ProposedTable {
            generation: u64::MAX,
            salt: "\0".to_owned(),
            arms: vec![],
            shadows: None,
        };
        assert_eq!(reasons(&huge, 0), ["GENERATION_TOO_LARGE", "SALT_INVALID"]);
        let overflow = table(vec![arm("a", u32::MAX), arm("b", u32::MAX)]);
        assert_eq!(reasons(&overflow, 0), ["WEIGHTS_SUM"]);
    }

    #[test]
    fn shadow_arms_have_names_of_their_own_and_a_share() {
        let with = |shadows: Vec<ProposedArm>| ProposedTable {
            shadows: Some(shadows),
            ..table(vec![arm("stable", 10_000)])
        };
        assert_eq!(
            with(vec![arm("next", 1), arm("other", 10_000)]).check(0),
            Ok(())
        );
        let broken = with(vec![
            arm("stable", 1),
            arm("a", 0),
            arm("b", 10_001),
            arm("c", 1),
            arm("d", 1),
        ]);
        let expected = [
            "TOO_MANY_ARMS",
            "SAMPLE_INVALID",
            "SAMPLE_INVALID",
            "ARM_NAME_DUPLICATE",
        ];
        let mut found = reasons(&broken, 0);
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_empty_table_assigns_nothing() {
        let error = TrafficTable::default()
            .assign(&"A-1".parse().unwrap())
            .unwrap_err();
        assert_eq!(
            (error.code, error.reason),
            (ErrorCode::FailedPrecondition, "NO_ACTIVE_MODEL")
        );
    }
}
