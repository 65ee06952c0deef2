//! The policy of a jurisdiction: thresholds, floors, reference groups and minimum sizes, as a document.
//!
//! Law and practice change without the code changing. A document is TOML or JSON, has a name and a version,
//! is checked as a whole, and its digest goes into every verdict, so that a verdict can be traced to the
//! numbers it was judged by. The digest is of the meaning: writing a default out, ordering members otherwise
//! or using the other format does not change it.

use fcs_core::{CanonicalError, Digest, to_canonical_vec};
use sha2::{Digest as _, Sha256};

use crate::anytime::gap::{InvalidTolerance, Tolerance};
use crate::anytime::ratio::{Floor, InvalidFloor};
use crate::anytime::watch::Rules;
use crate::anytime::{Alpha, Starts};
use crate::drift;

mod check;
mod document;

pub use check::Problem;
pub use document::{
    AlarmSection, AttributeSection, Channel, DriftSection, EvidenceSection, PolicyDocument,
};

/// A document that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    document: PolicyDocument,
    digest: Digest,
    alpha: Alpha,
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not TOML, or a member is missing, unknown or of the wrong type.
    #[error("read a policy as TOML")]
    Toml(#[source] Box<toml::de::Error>),
    /// It is not JSON, or a member is missing, unknown or of the wrong type.
    #[error("read a policy as JSON")]
    Json(#[source] serde_json::Error),
    /// Numbers or names in it cannot be.
    #[error("check a policy: {}", join(.0))]
    Invalid(Vec<Problem>),
    /// It has no canonical form to digest.
    #[error("digest a policy")]
    Canonical(#[source] CanonicalError),
}

fn join(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("; ")
}

impl Policy {
    /// Reads and checks a document in TOML.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let document = toml::from_str(text).map_err(|error| PolicyError::Toml(Box::new(error)))?;
        Self::checked(document)
    }

    /// Reads and checks a document in JSON.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        let document = serde_json::from_str(text).map_err(PolicyError::Json)?;
        Self::checked(document)
    }

    /// Checks a document, and reports everything that is wrong with it at once.
    pub fn checked(document: PolicyDocument) -> Result<Self, PolicyError> {
        let problems = check::problems(&document);
        let alpha = Alpha::try_from(document.evidence.alpha);
        let (Ok(alpha), true) = (alpha, problems.is_empty()) else {
            return Err(PolicyError::Invalid(problems));
        };
        let canonical = to_canonical_vec(&document).map_err(PolicyError::Canonical)?;
        Ok(Self {
            document,
            digest: Digest::from_bytes(Sha256::digest(canonical).into()),
            alpha,
        })
    }

    /// The document, with every default filled in.
    pub fn document(&self) -> &PolicyDocument {
        &self.document
    }

    /// SHA-256 of the document in canonical JSON.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether bets are on a lifetime or on a run length.
    pub fn starts(&self) -> Starts {
        self.document.evidence.starts
    }

    /// What is said about an attribute; `None` if it is not watched.
    pub fn attribute(&self, name: &str) -> Option<&AttributeSection> {
        self.document
            .attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }

    /// The floor of the adverse impact ratio for an attribute.
    pub fn floor(&self, attribute: &AttributeSection) -> Result<Floor, InvalidFloor> {
        let floor = attribute
            .air_floor
            .unwrap_or(self.document.evidence.air_floor);
        Floor::try_from(floor)
    }

    /// By how much a new version may widen the approval gap for an attribute.
    pub fn tolerance(&self, attribute: &AttributeSection) -> Result<Tolerance, InvalidTolerance> {
        let tolerance = attribute
            .gap_tolerance
            .unwrap_or(self.document.evidence.gap_tolerance);
        Tolerance::try_from(tolerance)
    }

    /// How drift is judged at a look that compares this many features and groups.
    pub fn drift_rules(&self, comparisons: u32) -> drift::feature::Rules<'_> {
        drift::feature::Rules {
            policy: &self.document.drift,
            comparisons,
            digest: self.digest,
        }
    }

    /// The size from which a group of an attribute gets an answer.
    pub fn minimum_group_size(&self, attribute: &AttributeSection) -> u64 {
        attribute
            .minimum_group_size
            .unwrap_or(self.document.evidence.minimum_group_size)
    }

    /// What every verdict must satisfy.
    pub fn rules(&self) -> Rules {
        let evidence = &self.document.evidence;
        Rules {
            alpha: self.alpha,
            multiplicity: evidence.multiplicity,
            feed_stale_after_s: evidence.feed_stale_after_s,
            side_stale_after_s: evidence.side_stale_after_s,
            clear_valid_for_s: evidence.clear_valid_for_s,
            run_length_blocks: evidence.run_length_blocks,
            policy: self.digest,
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests;
