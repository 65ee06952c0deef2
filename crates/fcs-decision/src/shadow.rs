//! Shadow decisions: what another model would have decided on the same application, compared with what was decided.

use std::collections::{BTreeMap, BTreeSet};

use fcs_core::{Digest, ModelVersion, Probability};

use crate::decision::DecisionContext;
use crate::record::{DecisionRecord, Outcome, record_digest};

/// The salt by which a shadow arm samples applications. It differs from the one of the live arms, so that a sample
/// holds members of every live arm in their shares; a sample that grows keeps its members.
pub fn sample_salt(salt: &str, arm: &str) -> String {
    format!("{salt}\nshadow\n{arm}")
}

/// The context in which a shadow arm decides: that of the live decision under the name of the arm.
pub fn context(live: &DecisionRecord, arm: &str) -> DecisionContext {
    DecisionContext {
        arm: arm.to_owned(),
        ..live.context()
    }
}

/// What one side decided. It holds nothing personal.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The model that scored.
    pub model: ModelVersion,
    /// What was decided.
    pub outcome: Outcome,
    /// Scaled score; 0 for an incomplete application.
    pub score: i32,
    /// Probability of the adverse outcome; 0 for an incomplete application.
    pub probability: f64,
    /// Codes of the principal reasons, most important first.
    pub reason_codes: Vec<String>,
    /// SHA-256 of the record.
    pub record_digest: Digest,
}

impl Side {
    /// What a record says.
    ///
    /// # Panics
    /// Never: the name and version in a record come from a manifest, which has checked them.
    pub fn of(record: &DecisionRecord) -> Self {
        Self {
            model: ModelVersion::new(&record.model.name, &record.model.version)
                .expect("a record is made from a manifest, whose name and version are valid"),
            outcome: record.outcome,
            score: record.score.unwrap_or_default(),
            probability: record.probability.map_or(0.0, Probability::get),
            reason_codes: record
                .principal_reasons
                .iter()
                .map(|reason| reason.code.clone())
                .collect(),
            record_digest: record_digest(&record.to_canonical_bytes()),
        }
    }
}

/// Why a sampled decision has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The arm was too far behind the log.
    Backlog,
    /// The model server did not answer in time.
    Deadline,
    /// The model server did not answer, or the model could not be used.
    Unavailable,
    /// The application does not fit the schema or the texts of the arm's model.
    Inputs,
    /// Anything else.
    Failed,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Backlog,
        Self::Deadline,
        Self::Unavailable,
        Self::Inputs,
        Self::Failed,
    ];

    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Deadline => "deadline",
            Self::Unavailable => "unavailable",
            Self::Inputs => "inputs",
            Self::Failed => "failed",
        }
    }
}

/// Decisions in which only one side gave a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReasonChange {
    /// The shadow gave it and the live decision did not.
    pub added: u64,
    /// The live decision gave it and the shadow did not.
    pub removed: u64,
}

/// Live decisions compared with those of a shadow arm. Exact, and the same whatever the order of the pairs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Pairs of decisions by live and shadow outcome. Where these differ, they are the swap sets.
    pub outcomes: BTreeMap<(Outcome, Outcome), u64>,
    /// Sampled decisions without a result.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Pairs whose reason codes differ, or their order.
    pub reasons_changed: u64,
    /// Reasons that only one side gave, by code.
    pub reasons: BTreeMap<String, ReasonChange>,
    /// Pairs by shadow score minus live score; only those with both.
    differences: BTreeMap<i64, u64>,
}

impl Comparison {
    /// Counts one sampled decision.
    pub fn add(&mut self, live: &Side, shadow: &Result<Side, DropReason>) {
        let shadow = match shadow {
            Ok(shadow) => shadow,
            Err(reason) => {
                *self.dropped.entry(*reason).or_default() += 1;
                return;
            }
        };
        *self
            .outcomes
            .entry((live.outcome, shadow.outcome))
            .or_default() += 1;
        if live.outcome != Outcome::Incomplete && shadow.outcome != Outcome::Incomplete {
            let difference = i64::from(shadow.score) - i64::from(live.score);
            *self.differences.entry(difference).or_default() += 1;
        }
        self.add_reasons(&live.reason_codes, &shadow.reason_codes);
    }

    fn add_reasons(&mut self, live: &[String], shadow: &[String]) {
        if live == shadow {
            return;
        }
        self.reasons_changed += 1;
        let (live, shadow): (BTreeSet<_>, BTreeSet<_>) =
            (live.iter().collect(), shadow.iter().collect());
        for code in &shadow - &live {
            self.reasons.entry(code.clone()).or_default().added += 1;
        }
        for code in &live - &shadow {
            self.reasons.entry(code.clone()).or_default().removed += 1;
        }
    }

    /// Pairs that were compared.
    pub fn scored(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Pairs with a score on both sides.
    pub fn differences(&self) -> u64 {
        self.differences.values().sum()
    }

    /// The smallest score difference that at least so many per cent of the pairs do not exceed (the inverse of the
    /// empirical distribution function, type 1 of Hyndman and Fan, 1996); the smallest one of all for 0. `None` without
    /// a pair.
    pub fn difference_percentile(&self, percent: u8) -> Option<i64> {
        let wanted = u64::from(percent) * self.differences();
        let mut seen = 0;
        self.differences
            .iter()
            .find(|(_, count)| {
                seen += **count;
                seen * 100 >= wanted
            })
            .map(|(difference, _)| *difference)
    }

    /// Mean score difference; `None` without a pair.
    pub fn difference_mean(&self) -> Option<f64> {
        let sum = |(difference, count): (&i64, &u64)| *difference as f64 * *count as f64;
        let pairs = self.differences();
        (pairs > 0).then(|| self.differences.iter().map(sum).sum::<f64>() / pairs as f64)
    }
}
