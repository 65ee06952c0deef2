//! Decisions beside the same decisions made otherwise.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::Context;
use fcs_decision::record::{DecisionRecord, Outcome};
use fcs_fairness::GroupCounters;

use crate::exit::CliError;

/// Bins of the score for the population stability index.
const SCORE_BINS: usize = 10;

/// Attributes by application.
#[derive(Default)]
pub(crate) struct Demographics(HashMap<String, Vec<(String, String)>>);

impl Demographics {
    /// Reads a CSV file with the column `application_id` and one per attribute; an empty cell is unknown.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let mut reader = csv::Reader::from_path(path)
            .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
        let header = reader.headers()?.clone();
        let place = header.iter().position(|name| name == "application_id");
        let place = place.ok_or_else(|| {
            CliError::Usage(format!("{} has no column application_id", path.display()))
        })?;
        let mut attributes = HashMap::new();
        for row in reader.records() {
            let row = row.with_context(|| format!("read {}", path.display()))?;
            let cells = header.iter().zip(&row).enumerate();
            let known = cells.filter(|(column, (_, cell))| *column != place && !cell.is_empty());
            let known = known.map(|(_, (name, cell))| (name.to_owned(), cell.to_owned()));
            attributes.insert(row[place].to_owned(), known.collect());
        }
        Ok(Self(attributes))
    }
}

/// One side of a comparison.
#[derive(Default)]
pub(crate) struct Side {
    /// Decisions by outcome.
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    /// Principal reasons by code, whatever their rank.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// Counters by attribute and group.
    pub(crate) groups: BTreeMap<(String, String), GroupCounters>,
    /// Scores of the decisions that have one.
    pub(crate) scores: Vec<i32>,
}

/// Past decisions beside the ones made otherwise.
pub(crate) struct Comparison {
    demographics: Demographics,
    /// Decisions by the outcome that they had and the one that they would have.
    pub(crate) swaps: BTreeMap<(Outcome, Outcome), u64>,
    /// As they were.
    pub(crate) before: Side,
    /// As they would be.
    pub(crate) after: Side,
    /// Decisions whose most important reason changes, among those with a reason on both sides.
    pub(crate) first_reason_changed: u64,
    /// Decisions with a reason on both sides.
    pub(crate) with_reasons: u64,
    /// Decisions that could not be made again, by why.
    pub(crate) skipped: BTreeMap<String, u64>,
}

impl Comparison {
    /// Nothing compared yet.
    pub(crate) fn new(demographics: Demographics) -> Self {
        Self {
            demographics,
            swaps: BTreeMap::new(),
            before: Side::default(),
            after: Side::default(),
            first_reason_changed: 0,
            with_reasons: 0,
            skipped: BTreeMap::new(),
        }
    }

    /// Adds a decision.
    pub(crate) fn add(&mut self, before: &DecisionRecord, after: &DecisionRecord) {
        *self
            .swaps
            .entry((before.outcome, after.outcome))
            .or_default() += 1;
        let attributes = self.demographics.0.get(before.application_id.as_str());
        let attributes = attributes.map(Vec::as_slice).unwrap_or_default();
        self.before.add(before, attributes);
        self.after.add(after, attributes);
        let first =
            |record: &DecisionRecord| record.principal_reasons.first().map(|it| it.code.clone());
        if let (Some(was), Some(is)) = (first(before), first(after)) {
            self.with_reasons += 1;
            self.first_reason_changed += u64::from(was != is);
        }
    }

    /// Counts a decision that could not be made again.
    pub(crate) fn skip(&mut self, why: &str) {
        *self.skipped.entry(why.to_owned()).or_default() += 1;
    }

    /// Number of decisions compared.
    pub(crate) fn decisions(&self) -> u64 {
        self.swaps.values().sum()
    }

    /// Population stability index of the scores: `sum((a - b) ln(a / b))` over the deciles of the scores as they were
    /// (Siddiqi, Credit Risk Scorecards, 2006, chapter 8). An empty bin counts as half a decision. `None` without
    /// scores on both sides.
    pub(crate) fn score_drift(&self) -> Option<f64> {
        let mut sorted = self.before.scores.clone();
        sorted.sort_unstable();
        if sorted.is_empty() || self.after.scores.is_empty() {
            return None;
        }
        let mut edges: Vec<i32> = (1..SCORE_BINS)
            .map(|bin| sorted[bin * sorted.len() / SCORE_BINS])
            .collect();
        edges.dedup();
        let shares = |scores: &[i32]| {
            let mut counts = vec![0u64; edges.len() + 1];
            for score in scores {
                counts[edges.partition_point(|edge| edge <= score)] += 1;
            }
            let share = |count: &u64| (*count as f64).max(0.5) / scores.len() as f64;
            counts.iter().map(share).collect::<Vec<_>>()
        };
        let (was, is) = (shares(&self.before.scores), shares(&self.after.scores));
        Some(
            was.iter()
                .zip(&is)
                .map(|(was, is)| (is - was) * (is / was).ln())
                .sum(),
        )
    }
}

impl Side {
    fn add(&mut self, record: &DecisionRecord, attributes: &[(String, String)]) {
        *self.outcomes.entry(record.outcome).or_default() += 1;
        self.scores.extend(record.score);
        for reason in &record.principal_reasons {
            *self.reasons.entry(reason.code.clone()).or_default() += 1;
        }
        // No decision was made on an incomplete application.
        if record.outcome == Outcome::Incomplete {
            return;
        }
        for key in attributes {
            let counters = self.groups.entry(key.clone()).or_default();
            match record.outcome {
                Outcome::Approve => counters.approved += 1,
                Outcome::Refer | Outcome::Counteroffer => counters.referred += 1,
                Outcome::Deny | Outcome::Incomplete => counters.denied += 1,
            }
        }
    }

    /// Decisions with an outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(before: Vec<i32>, after: Vec<i32>) -> Option<f64> {
        let mut comparison = Comparison::new(Demographics::default());
        comparison.before.scores = before;
        comparison.after.scores = after;
        comparison.score_drift()
    }

    #[test]
    fn drift_is_nothing_between_equal_scores_and_known_between_shifted_ones() {
        let scores: Vec<i32> = (0..100).collect();
        assert_eq!(drift(scores.clone(), scores.clone()), Some(0.0));
        assert_eq!(drift(Vec::new(), scores.clone()), None);
        // Ten bins of 0.1. After: the lowest bin is empty (0.005), the highest holds 0.2.
        // (0.005 - 0.1) ln(0.05) + (0.2 - 0.1) ln(2) = 0.284594... + 0.069314...
        let shifted: Vec<i32> = (10..110).collect();
        let found = drift(scores, shifted).unwrap();
        assert!((found - 0.353_909_3).abs() < 1e-6, "{found}");
    }
}
