//! A CSV file of decisions, counted row by row: what is kept are counts, never rows.

use fcs_fairness::scores::Scores;
use fcs_fairness::table::{Row, Table};
use fcs_fairness::tally::{Decision, Outcome};
use serde::Serialize;

use super::file::{CsvFile, Problems};
use super::spelling::{Spelled, Spelling, is_missing};
use crate::cli::{ColumnArguments, ComputeArguments};
use crate::exit::CliError;

/// How often the size of what is kept is looked at.
pub(super) const ROWS_PER_CHECK: u64 = 1 << 16;
/// The most groups, each with its strata, that are kept.
const CELLS_MAX: usize = 100_000;
/// The most different scores that are kept, those of each group and stratum by themselves.
const SCORES_MAX: usize = 2_000_000;

/// What a file holds.
pub(super) struct Decisions {
    pub(super) table: Table,
    pub(super) read: Count,
    pub(super) values: Values,
}

/// How much was read; all but the rows are numbers of decisions.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Count {
    pub(super) rows: u64,
    pub(super) decisions: u64,
    /// Left out.
    pub(super) without_decision: u64,
    pub(super) without_label: u64,
    pub(super) without_score: u64,
}

/// How cells were understood, each spelling with its decisions.
#[derive(Serialize)]
pub(super) struct Values {
    pub(super) decision: Spelled<Decision>,
    pub(super) label: Spelled<Outcome>,
}

/// Reads a file. Fails with every bad cell, up to a number of them.
pub(super) fn read(
    arguments: &ComputeArguments,
    progress: impl Fn(u64),
) -> anyhow::Result<Decisions> {
    let mut rows = Rows::open(arguments)?;
    let mut table = Table::new(arguments.attributes.clone());
    let mut problems = Problems::default();
    while rows.file.next(&mut problems)? {
        match rows.row() {
            Ok(Some((row, times))) => table.count(row, times)?,
            Ok(None) => {}
            Err(problem) => problems.add(rows.file.line(), &problem),
        }
        if rows.file.rows().is_multiple_of(ROWS_PER_CHECK) {
            check_size(&table)?;
            progress(rows.file.rows());
        }
    }
    rows.file.check(&problems)?;
    rows.check_decisions(rows.count.decisions)?;
    Ok(Decisions {
        table,
        read: Count {
            rows: rows.file.rows(),
            ..rows.count
        },
        values: Values {
            decision: rows.decisions.spelled(),
            label: rows.outcomes.spelled(),
        },
    })
}

/// Fails before what is kept outgrows the memory.
fn check_size(table: &Table) -> Result<(), CliError> {
    let (mut cells, mut scores) = (0_usize, 0_usize);
    for (_, evidence) in table.cells() {
        cells += 1;
        if let Scores::Exact(own) = &evidence.scores {
            scores += own.len();
        }
    }
    if cells > CELLS_MAX {
        return Err(CliError::Usage(format!(
            "there are more than {CELLS_MAX} groups and strata; is one of the columns an identifier?"
        )));
    }
    if scores > SCORES_MAX {
        return Err(CliError::Usage(format!(
            "there are more than {SCORES_MAX} different scores; round them, for example with --score-decimals 4"
        )));
    }
    Ok(())
}

/// The places of the columns in the file.
struct Columns {
    attributes: Vec<usize>,
    decision: usize,
    label: Option<usize>,
    score: Option<usize>,
    stratum: Option<usize>,
    count: Option<usize>,
}

impl Columns {
    fn find(
        file: &CsvFile,
        attributes: &[String],
        names: &ColumnArguments,
    ) -> Result<Self, CliError> {
        let find = |name: &String| file.column(name);
        let option = |name: &Option<String>| name.as_ref().map(find).transpose();
        Ok(Self {
            attributes: attributes.iter().map(find).collect::<Result<_, _>>()?,
            decision: find(&names.decision)?,
            label: option(&names.label)?,
            score: option(&names.score)?,
            stratum: option(&names.stratum)?,
            count: option(&names.count)?,
        })
    }
}

/// The rows of a file.
pub(super) struct Rows {
    pub(super) file: CsvFile,
    columns: Columns,
    decisions: Spelling<Decision>,
    outcomes: Spelling<Outcome>,
    /// Ten to the power of the decimals that scores are rounded to.
    round: Option<f64>,
    count: Count,
}

impl Rows {
    /// Opens a file and finds the columns in its header. "-" is standard input.
    pub(super) fn open(arguments: &ComputeArguments) -> Result<Self, CliError> {
        let file = CsvFile::open(&arguments.file)?;
        Ok(Self {
            columns: Columns::find(&file, &arguments.attributes, &arguments.columns)?,
            file,
            decisions: Spelling::of_decisions(&arguments.values)?,
            outcomes: Spelling::of_outcomes(&arguments.values)?,
            round: arguments
                .score_decimals
                .map(|digits| 10_f64.powi(digits.into())),
            count: Count::default(),
        })
    }

    /// The decision of the record, and how often it counts; `None` if it has none. Fails with the bad cell.
    fn row(&mut self) -> Result<Option<(Row, i64)>, String> {
        let times = self.times()?;
        let Some(decision) = self.decision(times)? else {
            self.count.without_decision += u64::from(times);
            return Ok(None);
        };
        let outcome = self.outcome(times)?;
        let score = self.score()?;
        self.count.decisions += u64::from(times);
        if self.columns.label.is_some() && outcome.is_none() {
            self.count.without_label += u64::from(times);
        }
        if self.columns.score.is_some() && score.is_none() {
            self.count.without_score += u64::from(times);
        }
        let known = |place: &usize| {
            let cell = self.file.cell(*place);
            (!cell.is_empty()).then(|| cell.to_owned())
        };
        let row = Row {
            groups: self.columns.attributes.iter().map(known).collect(),
            decision,
            outcome,
            score,
            stratum: self.columns.stratum.as_ref().and_then(known),
        };
        Ok(Some((row, times.into())))
    }

    /// Fails if there was no decision.
    pub(super) fn check_decisions(&self, decisions: u64) -> Result<(), CliError> {
        if decisions > 0 {
            return Ok(());
        }
        let path = self.file.path();
        Err(CliError::Usage(format!("{path}: no row has a decision")))
    }

    /// How decisions were understood.
    pub(super) fn spelled_decisions(self) -> Spelled<Decision> {
        self.decisions.spelled()
    }

    /// How often the record counts.
    pub(super) fn times(&self) -> Result<u32, String> {
        let Some(place) = self.columns.count else {
            return Ok(1);
        };
        self.file.cell(place).parse().map_err(|_| {
            self.file
                .problem(place, "is no whole number from 0 to 4294967295")
        })
    }

    /// What was decided; `None` if the cell holds nothing.
    pub(super) fn decision(&mut self, times: u32) -> Result<Option<Decision>, String> {
        let place = self.columns.decision;
        let cell = self.file.cell(place);
        let decision = self.decisions.read(cell, times.into());
        decision.map_err(|problem| self.file.problem(place, &problem))
    }

    fn outcome(&mut self, times: u32) -> Result<Option<Outcome>, String> {
        let Some(place) = self.columns.label else {
            return Ok(None);
        };
        let cell = self.file.cell(place);
        let outcome = self.outcomes.read(cell, times.into());
        outcome.map_err(|problem| self.file.problem(place, &problem))
    }

    fn score(&self) -> Result<Option<f64>, String> {
        let Some(place) = self.columns.score else {
            return Ok(None);
        };
        let cell = self.file.cell(place);
        if is_missing(cell) {
            return Ok(None);
        }
        let score = cell.parse().ok().filter(|score: &f64| score.is_finite());
        let score = score.ok_or_else(|| {
            self.file
                .problem(place, "is not a finite number; leave a missing value empty")
        })?;
        Ok(Some(match self.round {
            Some(scale) => (score * scale).round() / scale,
            None => score,
        }))
    }
}
