//! Decisions by group and stratum: what every sheet is made from.
//!
//! A table is filled from rows (scores kept exactly) or from counters (scores in bins), and gives the
//! same numbers for both wherever both are defined. It holds integers only, so rows in any order, in
//! any shards, taken back and counted again, lead to the same table.

use std::collections::{BTreeMap, BTreeSet};

use crate::Evidence;
use crate::scores::{DifferentBins, FiniteScore, InvalidScore};
use crate::tally::{Decision, Outcome};

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The applicant's value of each attribute of the table, in its order; `None` if not known.
    pub groups: Vec<Option<String>>,
    /// What was decided.
    pub decision: Decision,
    /// How the loan went, if known.
    pub outcome: Option<Outcome>,
    /// The score; higher is better. Within `[0, 1]` it counts as the probability of repayment.
    pub score: Option<f64>,
    /// What applicants are compared within, for example a product.
    pub stratum: Option<String>,
}

/// A row or counters that do not fit the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Another number of attribute values.
    #[error("expected {expected} attribute values, found {found}")]
    Attributes {
        /// The table's.
        expected: usize,
        /// The row's.
        found: usize,
    },
    /// The score is not finite.
    #[error("the score of a row cannot be counted")]
    Score(#[source] InvalidScore),
    /// The scores of the table were counted in another way.
    #[error("the scores cannot be added to the table")]
    Bins(#[source] DifferentBins),
}

/// Who is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The value of each attribute; `None` if not known.
    pub groups: Vec<Option<String>>,
    /// The stratum, if known.
    pub stratum: Option<String>,
}

/// Decisions by the values of some attributes and by stratum.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    attributes: Vec<String>,
    cells: BTreeMap<Key, Evidence>,
}

impl Table {
    /// An empty table with the given attributes, for example `sex` and `age_band`.
    pub fn new(attributes: Vec<String>) -> Self {
        Self {
            attributes,
            cells: BTreeMap::new(),
        }
    }

    /// Counts a row. Fails, and changes nothing, if it does not fit.
    pub fn push(&mut self, row: Row) -> Result<(), TableError> {
        self.count(row, 1)
    }

    /// Takes a row back that was counted, for example before its correction is counted.
    pub fn retract(&mut self, row: Row) -> Result<(), TableError> {
        self.count(row, -1)
    }

    /// Counts so many equal rows; a negative number takes them back.
    pub fn count(&mut self, row: Row, times: i64) -> Result<(), TableError> {
        let score = row.score.map(FiniteScore::try_from).transpose();
        let score = score.map_err(TableError::Score)?;
        let key = Key {
            groups: row.groups,
            stratum: row.stratum,
        };
        self.change(&key, |cell| {
            cell.record(row.decision, row.outcome, score, times)
        })
    }

    /// Adds counters so many times; a negative number takes them back. Fails, and changes nothing, if
    /// they do not fit.
    pub fn add(&mut self, key: &Key, evidence: &Evidence, times: i64) -> Result<(), TableError> {
        self.change(key, |cell| cell.add(evidence, times))
    }

    /// Changes one cell. Cells that nothing is left of are dropped, so that equal contents are equal
    /// tables.
    fn change(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Evidence) -> Result<(), DifferentBins>,
    ) -> Result<(), TableError> {
        if key.groups.len() != self.attributes.len() {
            return Err(TableError::Attributes {
                expected: self.attributes.len(),
                found: key.groups.len(),
            });
        }
        if let Some(cell) = self.cells.get_mut(key) {
            change(cell).map_err(TableError::Bins)?;
            if cell.is_empty() {
                self.cells.remove(key);
            }
            return Ok(());
        }
        let mut cell = Evidence::default();
        change(&mut cell).map_err(TableError::Bins)?;
        if !cell.is_empty() {
            self.cells.insert(key.clone(), cell);
        }
        Ok(())
    }

    /// Adds the decisions of another table with the same attributes.
    pub fn merge(&mut self, other: &Self) -> Result<(), TableError> {
        for (key, evidence) in &other.cells {
            self.add(key, evidence, 1)?;
        }
        Ok(())
    }

    /// The attributes.
    pub fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// The strata that occur, ascending.
    pub fn strata(&self) -> BTreeSet<&str> {
        let named = self.cells.keys().filter_map(|key| key.stratum.as_deref());
        named.collect()
    }

    /// Everything that was counted.
    pub fn cells(&self) -> impl Iterator<Item = (&Key, &Evidence)> {
        self.cells.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(score: f64) -> Row {
        Row {
            groups: vec![Some("a".to_owned())],
            decision: Decision::Approve,
            outcome: None,
            score: Some(score),
            stratum: None,
        }
    }

    #[test]
    fn a_row_that_does_not_fit_changes_nothing() {
        let mut table = Table::new(vec!["sex".to_owned(), "age".to_owned()]);
        let refused = table.push(row(0.5));
        assert_eq!(
            refused,
            Err(TableError::Attributes {
                expected: 2,
                found: 1
            })
        );
        let mut table = Table::new(vec!["sex".to_owned()]);
        assert_eq!(
            table.push(row(f64::NAN)),
            Err(TableError::Score(InvalidScore))
        );
        assert_eq!(table.cells().count(), 0);
    }

    #[test]
    fn a_row_taken_back_and_counted_again_is_one_row() {
        let mut once = Table::new(vec!["sex".to_owned()]);
        once.push(row(0.5)).unwrap();
        let mut again = once.clone();
        again.retract(row(0.5)).unwrap();
        assert_eq!(again, Table::new(vec!["sex".to_owned()]));
        again.push(row(0.5)).unwrap();
        assert_eq!(again, once);
    }
}
