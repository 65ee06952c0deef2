//! A CSV file of decisions, counted row by row: what is kept are counts, never rows.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};
use fcs_fairness::scores::Scores;
use fcs_fairness::table::{Row, Table};
use fcs_fairness::tally::{Decision, Outcome};
use serde::Serialize;

use super::spelling::{Spelled, Spelling, is_missing};
use crate::cli::{ColumnArguments, ComputeArguments};
use crate::exit::CliError;

/// Bad cells that an error lists.
const PROBLEMS_SHOWN: usize = 10;
/// How often the size of what is kept is looked at.
const ROWS_PER_CHECK: u64 = 1 << 16;
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
    let mut file = Rows::open(arguments)?;
    let mut table = Table::new(arguments.attributes.clone());
    let mut problems = Problems::default();
    while file.next(&mut problems)? {
        match file.row() {
            Ok(Some((row, times))) => table.count(row, times)?,
            Ok(None) => {}
            Err(problem) => problems.add(file.line(), &problem),
        }
        if file.count.rows.is_multiple_of(ROWS_PER_CHECK) {
            check_size(&table)?;
            progress(file.count.rows);
        }
    }
    problems.check(&file.path)?;
    if file.count.decisions == 0 {
        return Err(CliError::Usage(format!("{}: no row has a decision", file.path)).into());
    }
    Ok(Decisions {
        table,
        read: file.count,
        values: Values {
            decision: file.decisions.spelled(),
            label: file.outcomes.spelled(),
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

/// Cells that cannot be read.
#[derive(Default)]
struct Problems {
    shown: Vec<String>,
    count: u64,
}

impl Problems {
    fn add(&mut self, line: u64, problem: &str) {
        self.count += 1;
        if self.shown.len() < PROBLEMS_SHOWN {
            self.shown.push(format!("line {line}: {problem}"));
        }
    }

    fn check(&self, path: &str) -> Result<(), CliError> {
        match self.shown.as_slice() {
            [] => Ok(()),
            [problem] => Err(CliError::Usage(format!("{path} {problem}"))),
            shown => {
                let list = shown.join("\n  ");
                let more = match self.count - shown.len() as u64 {
                    0 => String::new(),
                    more => format!("\n  and {more} more"),
                };
                let count = self.count;
                Err(CliError::Usage(format!(
                    "{path}: {count} rows cannot be read\n  {list}{more}"
                )))
            }
        }
    }
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
        header: &StringRecord,
        attributes: &[String],
        names: &ColumnArguments,
    ) -> Result<Self, String> {
        let find = |name: &String| find_column(header, name);
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

fn find_column(header: &StringRecord, name: &str) -> Result<usize, String> {
    let mut places = header.iter().enumerate().filter(|(_, own)| *own == name);
    match (places.next(), places.next()) {
        (Some((place, _)), None) => Ok(place),
        (Some(_), Some(_)) => Err(format!("the header has two columns {name:?}")),
        (None, _) => {
            let names: Vec<&str> = header.iter().collect();
            Err(format!(
                "the header has no column {name:?}, but {}",
                names.join(", ")
            ))
        }
    }
}

/// The rows of a file.
struct Rows {
    reader: Reader<Box<dyn Read>>,
    path: String,
    columns: Columns,
    header: StringRecord,
    record: StringRecord,
    decisions: Spelling<Decision>,
    outcomes: Spelling<Outcome>,
    /// Ten to the power of the decimals that scores are rounded to.
    round: Option<f64>,
    count: Count,
}

impl Rows {
    /// Opens a file and finds the columns in its header. "-" is standard input.
    fn open(arguments: &ComputeArguments) -> Result<Self, CliError> {
        let path = arguments.file.display().to_string();
        let source: Box<dyn Read> = if arguments.file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&arguments.file)
                .map_err(|error| CliError::NotFound(format!("read {path}: {error}")))?;
            Box::new(file)
        };
        let mut reader = ReaderBuilder::new()
            .trim(csv::Trim::All)
            .buffer_capacity(1 << 16)
            .from_reader(source);
        let usage = |problem: String| CliError::Usage(format!("{path}: {problem}"));
        let header = reader.headers().map_err(|error| usage(error.to_string()))?;
        let header = header.clone();
        let columns = Columns::find(&header, &arguments.attributes, &arguments.columns);
        Ok(Self {
            columns: columns.map_err(usage)?,
            reader,
            path,
            header,
            record: StringRecord::new(),
            decisions: Spelling::of_decisions(&arguments.values)?,
            outcomes: Spelling::of_outcomes(&arguments.values)?,
            round: arguments
                .score_decimals
                .map(|digits| 10_f64.powi(digits.into())),
            count: Count::default(),
        })
    }

    /// Reads the next record that has as many cells as the header; false at the end of the file.
    fn next(&mut self, problems: &mut Problems) -> Result<bool, CliError> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(more) => {
                    self.count.rows += u64::from(more);
                    return Ok(more);
                }
                Err(error) if error.is_io_error() => {
                    return Err(CliError::Usage(format!("{}: {error}", self.path)));
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    problems.add(line, &structure(&error, self.header.len()));
                }
            }
        }
    }

    /// The line that the record starts in.
    fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
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
            let cell = self.cell(*place);
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

    fn times(&self) -> Result<u32, String> {
        let Some(place) = self.columns.count else {
            return Ok(1);
        };
        self.cell(place)
            .parse()
            .map_err(|_| self.problem(place, "is no whole number from 0 to 4294967295"))
    }

    fn decision(&mut self, times: u32) -> Result<Option<Decision>, String> {
        let place = self.columns.decision;
        let cell = self.record.get(place).unwrap_or_default();
        let decision = self.decisions.read(cell, times.into());
        decision.map_err(|problem| self.problem(place, &problem))
    }

    fn outcome(&mut self, times: u32) -> Result<Option<Outcome>, String> {
        let Some(place) = self.columns.label else {
            return Ok(None);
        };
        let cell = self.record.get(place).unwrap_or_default();
        let outcome = self.outcomes.read(cell, times.into());
        outcome.map_err(|problem| self.problem(place, &problem))
    }

    fn score(&self) -> Result<Option<f64>, String> {
        let Some(place) = self.columns.score else {
            return Ok(None);
        };
        let cell = self.cell(place);
        if is_missing(cell) {
            return Ok(None);
        }
        let score = cell.parse().ok().filter(|score: &f64| score.is_finite());
        let score = score.ok_or_else(|| {
            self.problem(place, "is not a finite number; leave a missing value empty")
        })?;
        Ok(Some(match self.round {
            Some(scale) => (score * scale).round() / scale,
            None => score,
        }))
    }

    fn cell(&self, place: usize) -> &str {
        self.record.get(place).unwrap_or_default()
    }

    fn problem(&self, place: usize, what: &str) -> String {
        let column = self.header.get(place).unwrap_or_default();
        format!("{column}: {:?} {what}", self.cell(place))
    }
}

/// What is wrong with a line as such.
fn structure(error: &csv::Error, columns: usize) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { len, .. } => {
            format!("the row has {len} of the header's {columns} cells")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
