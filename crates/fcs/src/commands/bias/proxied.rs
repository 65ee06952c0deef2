//! `fcs bias compute --probabilities`: groups that are known only by probabilities.

use fcs_fairness::proxy::{
    GROUPS_MAX, InvalidMembership, Membership, ProxyCounts, ProxyReport, Request, report,
};
use fcs_fairness::tally::Decision;
use serde::Serialize;

use super::decisions::{ROWS_PER_CHECK, Rows};
use super::file::{CsvFile, Problems};
use super::proxied_text::text;
use super::spelling::{Spelled, is_missing};
use crate::cli::{ComputeArguments, Format};
use crate::exit::CliError;
use crate::output::print;
use crate::progress;

/// The shape of the document; fields may be added, but none changes its meaning under the same number.
const FORMAT: u32 = 1;

/// What is printed. It follows from the rows alone, in whatever order they stand.
#[derive(Serialize)]
pub(super) struct Document {
    format: u32,
    pub(super) read: Count,
    pub(super) values: Values,
    pub(super) proxy: ProxyReport,
}

/// How much was read; all but the rows are numbers of decisions.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Count {
    pub(super) rows: u64,
    pub(super) decisions: u64,
    /// Left out.
    pub(super) without_decision: u64,
    /// Left out as well, and no part of `decisions`.
    pub(super) without_probabilities: u64,
}

/// How cells were understood, each spelling with its decisions.
#[derive(Serialize)]
pub(super) struct Values {
    pub(super) decision: Spelled<Decision>,
}

/// Runs the command.
pub(super) fn run(
    output: Format,
    arguments: &ComputeArguments,
    columns: &str,
) -> anyhow::Result<()> {
    let spinner = progress::spinner("counting".to_owned());
    let document = compute(arguments, columns, |rows| {
        spinner.set_message(format!("{rows} rows"));
    });
    spinner.finish_and_clear();
    print(output, &document?, text)
}

fn compute(
    arguments: &ComputeArguments,
    columns: &str,
    progress: impl Fn(u64),
) -> anyhow::Result<Document> {
    let mut rows = Rows::open(arguments)?;
    let groups = Groups::find(&rows.file, columns)?;
    let mut counts = ProxyCounts::new(groups.places.len());
    let (mut problems, mut count) = (Problems::default(), Count::default());
    while rows.file.next(&mut problems)? {
        if let Err(problem) = add(&mut rows, &groups, &mut counts, &mut count) {
            problems.add(rows.file.line(), &problem);
        }
        if rows.file.rows().is_multiple_of(ROWS_PER_CHECK) {
            progress(rows.file.rows());
        }
    }
    rows.file.check(&problems)?;
    rows.check_decisions(count.decisions + count.without_probabilities)?;
    count.rows = rows.file.rows();
    let request = Request {
        groups: groups.names,
        reference: reference(arguments)?,
        minimum_cell_size: arguments.minimum_cell_size,
        confidence: arguments.confidence,
    };
    let proxy = report(&counts, &request)
        .map_err(|error| CliError::Usage(format!("--reference: {error}")))?;
    Ok(Document {
        format: FORMAT,
        read: count,
        values: Values {
            decision: rows.spelled_decisions(),
        },
        proxy,
    })
}

fn reference(arguments: &ComputeArguments) -> Result<Option<String>, CliError> {
    match arguments.references.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        more => Err(CliError::Usage(format!(
            "--reference: name one group; found {}",
            more.len()
        ))),
    }
}

/// Counts a row. Fails with what is wrong with it.
fn add(
    rows: &mut Rows,
    groups: &Groups,
    counts: &mut ProxyCounts,
    count: &mut Count,
) -> Result<(), String> {
    let times = rows.times()?;
    let Some(decision) = rows.decision(times)? else {
        count.without_decision += u64::from(times);
        return Ok(());
    };
    let Some(membership) = groups.membership(&rows.file)? else {
        count.without_probabilities += u64::from(times);
        return Ok(());
    };
    let approved = decision == Decision::Approve;
    counts
        .count(&membership, approved, times.into())
        .map_err(|error| error.to_string())?;
    count.decisions += u64::from(times);
    Ok(())
}

/// The columns of probabilities.
struct Groups {
    names: Vec<String>,
    places: Vec<usize>,
}

impl Groups {
    /// A list of columns with commas between them, whose names are the groups, or what the names of the
    /// columns begin with, before the group.
    fn find(file: &CsvFile, columns: &str) -> Result<Self, CliError> {
        let mut found = Self {
            names: Vec::new(),
            places: Vec::new(),
        };
        if columns.contains(',') {
            for name in columns.split(',').map(str::trim) {
                found.places.push(file.column(name)?);
                found.names.push(name.to_owned());
            }
        } else {
            for (place, name) in file.header().iter().enumerate() {
                if let Some(group) = name.strip_prefix(columns).filter(|rest| !rest.is_empty()) {
                    found.places.push(place);
                    found.names.push(group.to_owned());
                }
            }
        }
        found.check(columns)?;
        Ok(found)
    }

    fn check(&self, columns: &str) -> Result<(), CliError> {
        for (place, name) in self.names.iter().enumerate() {
            if self.names[..place].contains(name) {
                let problem = format!("--probabilities: {name:?} is named twice");
                return Err(CliError::Usage(problem));
            }
        }
        let count = self.places.len();
        if (2..=GROUPS_MAX).contains(&count) {
            return Ok(());
        }
        Err(CliError::Usage(format!(
            "--probabilities {columns}: found {count} columns, but there are 2 to {GROUPS_MAX} groups; name what the \
             columns begin with, or all of them with commas between"
        )))
    }

    /// The probabilities of the record; `None` if it has none. Fails with what is wrong.
    fn membership(&self, file: &CsvFile) -> Result<Option<Membership>, String> {
        let missing = |place: &&usize| is_missing(file.cell(**place));
        let without = self.places.iter().filter(missing).count();
        if without == self.places.len() {
            return Ok(None);
        }
        if let Some(place) = self.places.iter().find(missing) {
            let what = "is missing, but other groups have a probability";
            return Err(file.problem(*place, what));
        }
        let mut probabilities = Vec::with_capacity(self.places.len());
        for place in &self.places {
            let number = file.cell(*place).parse().ok();
            let number = number.ok_or_else(|| file.problem(*place, "is no number"))?;
            probabilities.push(number);
        }
        let membership = Membership::new(&probabilities);
        membership.map(Some).map_err(|error| match error {
            InvalidMembership::NotAProbability { place } => {
                file.problem(self.places[place], "is no probability from 0 to 1")
            }
            other => other.to_string(),
        })
    }
}
