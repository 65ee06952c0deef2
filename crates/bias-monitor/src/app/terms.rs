//! What is watched, and by which numbers: a policy in the form that decisions are held against.

use std::collections::BTreeSet;

use fcs_core::InvalidId;
use fcs_fairness::anytime::gap::{InvalidTolerance, Tolerance};
use fcs_fairness::anytime::ratio::{Floor, InvalidFloor};
use fcs_fairness::policy::{AttributeSection, Channel, Policy};

use super::facts::{AttributeName, GroupName};

/// A policy whose attributes and groups have names that this monitor knows.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The policy.
    pub policy: Policy,
    /// The attributes that are watched, in the policy's order.
    pub attributes: Vec<AttributeTerms>,
}

/// What holds for one attribute.
#[derive(Debug, Clone)]
pub struct AttributeTerms {
    /// The attribute.
    pub name: AttributeName,
    /// Where membership is known from.
    pub channel: Channel,
    /// Whom others are compared with.
    pub reference: GroupName,
    /// Who is compared; empty for all that come.
    pub groups: BTreeSet<GroupName>,
    /// The lowest acceptable adverse impact ratio.
    pub floor: Floor,
    /// By how much a new model may widen the gap between approval rates.
    pub tolerance: Tolerance,
    /// A group with fewer decisions gets no answer.
    pub minimum_group_size: u64,
}

/// Why decisions cannot be held against a policy.
#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    /// No decision can have such an attribute or group.
    #[error("the policy names {name:?}")]
    Name {
        /// The name.
        name: String,
        /// What a name is.
        #[source]
        source: InvalidId,
    },
    /// A floor is no ratio.
    #[error(transparent)]
    Floor(#[from] InvalidFloor),
    /// A tolerance is no difference.
    #[error(transparent)]
    Tolerance(#[from] InvalidTolerance),
}

impl Terms {
    /// Reads a policy.
    pub fn new(policy: Policy) -> Result<Self, TermsError> {
        let sections = policy.document().attributes.iter();
        let attributes = sections
            .map(|section| AttributeTerms::new(section, &policy))
            .collect::<Result<_, _>>()?;
        Ok(Self { policy, attributes })
    }

    /// The size from which a group of an attribute gets an answer.
    pub fn minimum_of(&self, attribute: &AttributeName) -> u64 {
        let mut terms = self.attributes.iter();
        let found = terms.find(|terms| terms.name == *attribute);
        found.map_or(1, |terms| terms.minimum_group_size)
    }

    /// Whether an attribute is watched by this channel.
    pub fn uses(&self, channel: Channel) -> bool {
        self.attributes.iter().any(|terms| terms.channel == channel)
    }
}

impl AttributeTerms {
    fn new(section: &AttributeSection, policy: &Policy) -> Result<Self, TermsError> {
        Ok(Self {
            name: parsed(&section.name)?,
            channel: section.channel,
            reference: parsed(&section.reference)?,
            groups: section
                .groups
                .iter()
                .map(|name| parsed(name))
                .collect::<Result<_, _>>()?,
            floor: policy.floor(section)?,
            tolerance: policy.tolerance(section)?,
            minimum_group_size: policy.minimum_group_size(section),
        })
    }

    /// Whether a group is compared with the reference group.
    pub fn covers(&self, group: &GroupName) -> bool {
        self.groups.is_empty() || self.groups.contains(group)
    }
}

fn parsed<T: std::str::FromStr<Err = InvalidId>>(name: &str) -> Result<T, TermsError> {
    name.parse().map_err(|source| TermsError::Name {
        name: name.to_owned(),
        source,
    })
}
