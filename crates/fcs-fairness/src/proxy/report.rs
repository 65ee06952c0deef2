use serde::Serialize;

use super::frechet::{self, Bounds};
use super::{Pair, ProxyCounts, linear, weighted};
use crate::{Confidence, Measured, Undefined};

/// What is asked of the sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The name of each group, in the order of the probabilities.
    pub groups: Vec<String>,
    /// The group to compare with; the default is the one of which most people are expected.
    pub reference: Option<String>,
    /// A group of which fewer people are expected is listed without numbers.
    pub minimum_cell_size: u32,
    /// Confidence of the limits for chance.
    pub confidence: Confidence,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The names are not those of the counted groups.
    #[error("{found} groups are named, but {expected} were counted")]
    Groups {
        /// Groups of the sums.
        expected: usize,
        /// Groups of the request.
        found: usize,
    },
    /// The group to compare with is none of the groups.
    #[error("no group is called {name:?}, but {}", groups.join(", "))]
    Reference {
        /// Its name.
        name: String,
        /// The names that there are.
        groups: Vec<String>,
    },
}

/// The estimates of every group, in the order of the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProxyReport {
    /// The group that others are compared with.
    pub reference: String,
    /// People counted.
    pub decisions: i64,
    /// As asked.
    pub minimum_cell_size: u32,
    /// As asked.
    pub confidence: Confidence,
    /// Each group.
    pub groups: Vec<GroupEstimates>,
}

/// The estimates of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupEstimates {
    /// Its name.
    pub group: String,
    /// The estimates, or that there are none.
    #[serde(flatten)]
    pub estimates: Estimates,
}

/// What is said of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Estimates {
    /// Enough people are expected.
    Shown {
        /// The sum of the probabilities, in people.
        expected_members: f64,
        /// How many known members would tell as much: [`ProxyCounts::effective_members`].
        effective_members: f64,
        /// The share of members who were approved.
        selection_rate: Bracket,
        /// That share over the reference group's; `None` for the reference group itself.
        adverse_impact_ratio: Option<Bracket>,
    },
    /// Fewer people are expected than the minimum size of a cell.
    Suppressed,
}

/// One value by three estimators. They belong together: see [`super`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bracket {
    /// By [`weighted`].
    pub weighted: Measured,
    /// By [`linear`].
    pub linear: Measured,
    /// By [`frechet`].
    pub frechet: Limits,
}

/// Bounds, or why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Limits {
    /// What the value cannot leave.
    Bounds(Bounds),
    /// No bounds.
    Undefined {
        /// Why.
        reason: Undefined,
    },
}

impl From<Result<Bounds, Undefined>> for Limits {
    fn from(result: Result<Bounds, Undefined>) -> Self {
        match result {
            Ok(bounds) => Self::Bounds(bounds),
            Err(reason) => Self::Undefined { reason },
        }
    }
}

/// Makes the estimates of all groups.
pub fn report(counts: &ProxyCounts, request: &Request) -> Result<ProxyReport, ReportError> {
    let (expected, found) = (counts.groups(), request.groups.len());
    if expected != found {
        return Err(ReportError::Groups { expected, found });
    }
    let reference = reference(counts, request)?;
    let groups = request.groups.iter().enumerate();
    Ok(ProxyReport {
        reference: request.groups[reference].clone(),
        decisions: counts.decisions(),
        minimum_cell_size: request.minimum_cell_size,
        confidence: request.confidence,
        groups: groups
            .map(|(group, name)| GroupEstimates {
                group: name.clone(),
                estimates: estimates(counts, Pair { group, reference }, request),
            })
            .collect(),
    })
}

/// The named group, or the first of the largest.
fn reference(counts: &ProxyCounts, request: &Request) -> Result<usize, ReportError> {
    let Some(name) = &request.reference else {
        let mut largest = 0;
        for group in 1..counts.groups() {
            if counts.members(group) > counts.members(largest) {
                largest = group;
            }
        }
        return Ok(largest);
    };
    let place = request.groups.iter().position(|group| group == name);
    place.ok_or_else(|| ReportError::Reference {
        name: name.clone(),
        groups: request.groups.clone(),
    })
}

fn estimates(counts: &ProxyCounts, pair: Pair, request: &Request) -> Estimates {
    let confidence = request.confidence;
    let is_small =
        |group: usize| counts.expected_members(group) < f64::from(request.minimum_cell_size);
    if is_small(pair.group) {
        return Estimates::Suppressed;
    }
    let ratio = if is_small(pair.reference) {
        Bracket::undefined(Undefined::ReferenceSuppressed)
    } else {
        Bracket {
            weighted: weighted::adverse_impact_ratio(counts, pair, confidence),
            linear: linear::adverse_impact_ratio(counts, pair, confidence),
            frechet: frechet::adverse_impact_ratio(counts, pair).into(),
        }
    };
    Estimates::Shown {
        expected_members: counts.expected_members(pair.group),
        effective_members: counts.effective_members(pair.group),
        selection_rate: Bracket {
            weighted: weighted::selection_rate(counts, pair.group, confidence).into(),
            linear: linear::selection_rates(counts, confidence)[pair.group].into(),
            frechet: frechet::selection_rate(counts, pair.group).into(),
        },
        adverse_impact_ratio: (pair.group != pair.reference).then_some(ratio),
    }
}

impl Bracket {
    fn undefined(reason: Undefined) -> Self {
        Self {
            weighted: Measured::Undefined { reason },
            linear: Measured::Undefined { reason },
            frechet: Limits::Undefined { reason },
        }
    }
}
