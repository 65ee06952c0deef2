//! `fcs bias compute`: every group metric of the decisions in a file.

use std::collections::BTreeSet;

use fcs_fairness::sheet::{Group, Request, Sheet, sheet};
use fcs_fairness::table::Table;
use serde::Serialize;

use super::decisions::{self, Count, Values};
use super::proxied;
use super::text::text;
use crate::cli::{ComputeArguments, Format};
use crate::exit::CliError;
use crate::output::print;
use crate::progress;

/// The shape of the document; fields may be added, but none changes its meaning under the same number.
const FORMAT: u32 = 1;
/// Values that an error names.
const VALUES_SHOWN: usize = 20;

/// What is printed. It follows from the rows alone, in whatever order they stand.
#[derive(Serialize)]
pub(super) struct Document {
    pub(super) format: u32,
    pub(super) read: Count,
    pub(super) values: Values,
    pub(super) sheet: Sheet,
}

/// Runs the command.
pub(super) fn run(output: Format, arguments: &ComputeArguments) -> anyhow::Result<()> {
    if let Some(columns) = &arguments.probabilities {
        return proxied::run(output, arguments, columns);
    }
    let spinner = progress::spinner("counting".to_owned());
    let decisions = decisions::read(arguments, |rows| {
        spinner.set_message(format!("{rows} rows"));
    });
    spinner.finish_and_clear();
    let decisions = decisions?;
    let request = request(arguments, &decisions.table)?;
    let sheet = sheet(&decisions.table, &request);
    let document = Document {
        format: FORMAT,
        read: decisions.read,
        values: decisions.values,
        sheet: sheet.map_err(|error| CliError::Usage(error.to_string()))?,
    };
    print(output, &document, text)
}

fn request(arguments: &ComputeArguments, table: &Table) -> Result<Request, CliError> {
    if let Some(within) = &arguments.within {
        let strata = table.strata();
        if !strata.contains(within.as_str()) {
            return Err(unknown("--within", within, &strata));
        }
    }
    Ok(Request {
        attributes: arguments.attributes.clone(),
        stratum: arguments.within.clone(),
        reference: reference(arguments, table)?,
        minimum_cell_size: arguments.minimum_cell_size,
        confidence: arguments.confidence,
        quantiles: arguments.quantiles.clone(),
    })
}

/// The named group. Fails on a value that no row has: it is a slip, and would leave every comparison undefined.
fn reference(arguments: &ComputeArguments, table: &Table) -> Result<Option<Group>, CliError> {
    let (named, attributes) = (&arguments.references, &arguments.attributes);
    if named.is_empty() {
        return Ok(None);
    }
    if named.len() != attributes.len() {
        return Err(CliError::Usage(format!(
            "--reference: name one group for each --attribute, in their order; found {} for {}",
            named.len(),
            attributes.len()
        )));
    }
    for (place, value) in named.iter().enumerate() {
        let values: BTreeSet<&str> = table
            .cells()
            .filter_map(|(key, _)| key.groups[place].as_deref())
            .collect();
        if !values.contains(value.as_str()) {
            return Err(unknown("--reference", value, &values));
        }
    }
    Ok(Some(Group(named.clone())))
}

fn unknown(option: &str, value: &str, values: &BTreeSet<&str>) -> CliError {
    let shown: Vec<&str> = values.iter().copied().take(VALUES_SHOWN).collect();
    let more = match values.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = shown.join(", ");
    CliError::Usage(format!("{option}: no row has {value:?}, but {shown}{more}"))
}
