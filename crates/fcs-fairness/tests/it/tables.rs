//! The tables of decisions beside the golden numbers, and ways to count them.

use fcs_fairness::Evidence;
use fcs_fairness::scores::{Edges, Histogram, Score, Scores};
use fcs_fairness::table::{Key, Row, Table};
use fcs_fairness::tally::{Decision, Outcome, Tally};

/// The tables that `tests/golden/metrics/rows.py` writes.
const TABLES: [(&str, &str); 4] = [
    ("boston", include_str!("../golden/metrics/boston.csv")),
    ("german", include_str!("../golden/metrics/german.csv")),
    ("taiwan", include_str!("../golden/metrics/taiwan.csv")),
    ("seeded", include_str!("../golden/metrics/seeded.csv")),
];

/// A table's attributes and its rows.
pub(crate) struct Rows {
    pub(crate) attributes: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    /// Every row of a golden table, one per decision.
    pub(crate) fn read(name: &str) -> Self {
        let (_, text) = TABLES.iter().find(|(own, _)| *own == name).unwrap();
        let mut lines = text.lines();
        let attributes = lines.next().unwrap().split(',').take(2);
        let attributes = attributes.map(str::to_owned).collect();
        let mut rows = Vec::new();
        for line in lines {
            let (row, count) = row(line);
            rows.extend(std::iter::repeat_n(row, count));
        }
        Self { attributes, rows }
    }

    pub(crate) fn table(&self) -> Table {
        self.count(self.rows.iter())
    }

    pub(crate) fn count<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Table {
        let mut table = Table::new(self.attributes.clone());
        for row in rows {
            table.push(row.clone()).unwrap();
        }
        table
    }

    /// The rows counted as a store would: scores in hundredths.
    pub(crate) fn counted(&self) -> Table {
        let mut table = Table::new(self.attributes.clone());
        for row in &self.rows {
            let key = Key {
                groups: row.groups.clone(),
                stratum: row.stratum.clone(),
            };
            table.add(&key, &counters(row), 1).unwrap();
        }
        table
    }
}

fn counters(row: &Row) -> Evidence {
    let mut histogram = Histogram::new(Edges::hundredths());
    if let Some(score) = row.score {
        let score = fcs_core::Probability::try_from(score).unwrap();
        histogram.record(Score::from(score), row.decision, row.outcome, 1);
    }
    Evidence {
        tally: Tally::one(row.decision, row.outcome),
        scores: Scores::Binned(histogram),
    }
}

/// A row and how often it occurs.
fn row(line: &str) -> (Row, usize) {
    let fields: Vec<&str> = line.split(',').collect();
    let row = Row {
        groups: fields[..2]
            .iter()
            .map(|value| Some((*value).to_owned()))
            .collect(),
        stratum: Some(fields[2].to_owned()),
        decision: match fields[3] {
            "approve" => Decision::Approve,
            "refer" => Decision::Refer,
            "deny" => Decision::Deny,
            other => panic!("unknown decision {other}"),
        },
        outcome: match fields[4] {
            "repaid" => Some(Outcome::Repaid),
            "defaulted" => Some(Outcome::Defaulted),
            "" => None,
            other => panic!("unknown outcome {other}"),
        },
        score: (!fields[5].is_empty()).then(|| fields[5].parse().unwrap()),
    };
    (row, fields[6].parse().unwrap())
}
