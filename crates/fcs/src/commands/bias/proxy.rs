//! `fcs bias proxy`: probabilities of groups from names and places.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use fcs_proxy::{Files, Group, Person, Place, Placed, Tables, Unplaced};
use serde::Serialize;

use super::file::{CsvFile, Problems};
use crate::cli::{Format, ProxyArguments};
use crate::exit::CliError;
use crate::progress;

/// What the columns of probabilities begin with.
const PREFIX: &str = "probability_";
/// The columns after the probabilities.
const BASIS: &str = "proxy_basis";
const VERSION: &str = "proxy_version";
/// How often the number of rows is shown.
const ROWS_PER_UPDATE: u64 = 1 << 14;

/// Runs the command.
pub(super) fn run(output: Format, arguments: &ProxyArguments) -> anyhow::Result<()> {
    let tables = read_tables(arguments)?;
    let spinner = progress::spinner("reading".to_owned());
    let result = check(arguments).and_then(|()| {
        write(output, arguments, &tables, |rows| {
            spinner.set_message(format!("{rows} rows"));
        })
    });
    spinner.finish_and_clear();
    match result {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(summary) => {
            eprint!("{summary}");
            Ok(())
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

fn read_tables(arguments: &ProxyArguments) -> Result<Tables, CliError> {
    let folder = &arguments.tables;
    let surnames = needed_table(folder, "surnames.csv")?;
    let first_names = arguments.first_name.as_ref();
    let first_names = first_names.map(|_| needed_table(folder, "first_names.csv"));
    let first_names = first_names.transpose()?;
    let [block_groups, tracts, zctas] =
        ["block_groups.csv", "tracts.csv", "zctas.csv"].map(|name| read_table(folder, name));
    let (block_groups, tracts, zctas) = (block_groups?, tracts?, zctas?);
    let files = Files {
        surnames: &surnames,
        first_names: first_names.as_deref(),
        block_groups: block_groups.as_deref(),
        tracts: tracts.as_deref(),
        zctas: zctas.as_deref(),
    };
    Tables::read(&files)
        .map_err(|error| CliError::Usage(format!("tables in {}: {error}", folder.display())))
}

/// A table; `None` if there is no such file.
fn read_table(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, CliError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::Usage(format!("read {}: {error}", path.display()))),
    }
}

fn needed_table(folder: &Path, name: &str) -> Result<Vec<u8>, CliError> {
    read_table(folder, name)?
        .ok_or_else(|| CliError::NotFound(format!("there is no {name} in {}", folder.display())))
}

/// The file of people, with the places of its columns.
struct People {
    file: CsvFile,
    surname: usize,
    first_name: Option<usize>,
    geography: usize,
    keep: Vec<usize>,
}

impl People {
    fn open(arguments: &ProxyArguments) -> Result<Self, CliError> {
        let file = CsvFile::open(&arguments.file)?;
        let first_name = arguments.first_name.as_ref();
        let keep = arguments.keep.iter().map(|name| file.column(name));
        let people = Self {
            surname: file.column(&arguments.surname)?,
            first_name: first_name.map(|name| file.column(name)).transpose()?,
            geography: file.column(&arguments.geography)?,
            keep: keep.collect::<Result<_, _>>()?,
            file,
        };
        for (name, place) in arguments.keep.iter().zip(&people.keep) {
            let is_name = *place == people.surname || Some(*place) == people.first_name;
            if is_name {
                return Err(CliError::Usage(format!(
                    "--keep {name}: names are not written"
                )));
            }
            if name.starts_with(PREFIX) || name == BASIS || name == VERSION {
                return Err(CliError::Usage(format!(
                    "--keep {name}: a column of the result is called so"
                )));
            }
        }
        Ok(people)
    }

    /// The place of the record. Fails without saying what the cell holds.
    fn place(&self) -> Result<Option<Place>, String> {
        let column = self.file.header().get(self.geography).unwrap_or_default();
        Place::read(self.file.cell(self.geography)).map_err(|error| format!("{column}: {error}"))
    }
}

/// Fails with the rows that cannot be read, before anything is written.
fn check(arguments: &ProxyArguments) -> anyhow::Result<()> {
    let mut people = People::open(arguments)?;
    let mut problems = Problems::default();
    while people.file.next(&mut problems)? {
        if let Err(problem) = people.place() {
            problems.add(people.file.line(), &problem);
        }
    }
    Ok(people.file.check(&problems)?)
}

fn write(
    output: Format,
    arguments: &ProxyArguments,
    tables: &Tables,
    progress: impl Fn(u64),
) -> anyhow::Result<String> {
    let mut people = People::open(arguments)?;
    let mut problems = Problems::default();
    let mut sink = Sink::new(output, tables.version(), &arguments.keep)?;
    let mut bases: BTreeMap<String, u64> = BTreeMap::new();
    while people.file.next(&mut problems)? {
        let place = people.place().map_err(CliError::Usage)?;
        let found = tables.probabilities(&Person {
            surname: people.file.cell(people.surname),
            first_name: people.first_name.map(|column| people.file.cell(column)),
            place: place.as_ref(),
        });
        let kept: Vec<&str> = people.keep.iter().map(|k| people.file.cell(*k)).collect();
        sink.write(&kept, found)?;
        *bases.entry(basis(found)).or_default() += 1;
        if people.file.rows().is_multiple_of(ROWS_PER_UPDATE) {
            progress(people.file.rows());
        }
    }
    people.file.check(&problems)?;
    sink.finish()?;
    let mut summary = format!("{} rows, {}\n", people.file.rows(), tables.version());
    for (basis, count) in bases {
        writeln!(summary, "  {count} by {basis}")?;
    }
    Ok(summary)
}

/// What probabilities rest on, or why there are none.
fn basis(found: Result<Placed, Unplaced>) -> String {
    match found {
        Ok(placed) => placed.basis.to_string(),
        Err(Unplaced::Unknown) => "none: unknown".to_owned(),
        Err(Unplaced::Contradiction) => "none: contradiction".to_owned(),
    }
}

/// Where the results go: CSV, or one JSON list of objects.
struct Sink<'a> {
    version: &'a str,
    keep: &'a [String],
    rows: u64,
    out: Out,
}

enum Out {
    Csv(Box<csv::Writer<io::Stdout>>),
    Json(BufWriter<io::Stdout>),
}

/// One person in JSON.
#[derive(Serialize)]
struct Row<'a> {
    kept: BTreeMap<&'a str, &'a str>,
    probabilities: Option<BTreeMap<&'static str, f64>>,
    basis: String,
    version: &'a str,
}

impl<'a> Sink<'a> {
    fn new(format: Format, version: &'a str, keep: &'a [String]) -> anyhow::Result<Self> {
        let out = match format {
            Format::Json => Out::Json(BufWriter::new(io::stdout())),
            Format::Table => {
                let mut writer = csv::Writer::from_writer(io::stdout());
                let groups = Group::ALL.map(|group| format!("{PREFIX}{}", group.name()));
                let names = keep.iter().cloned().chain(groups);
                write_record(
                    &mut writer,
                    names.chain([BASIS, VERSION].map(str::to_owned)),
                )?;
                Out::Csv(Box::new(writer))
            }
        };
        Ok(Self {
            version,
            keep,
            rows: 0,
            out,
        })
    }

    fn write(&mut self, kept: &[&str], found: Result<Placed, Unplaced>) -> anyhow::Result<()> {
        match &mut self.out {
            Out::Csv(writer) => {
                let shares = match found {
                    Ok(placed) => placed.probabilities.map(|share| share.to_string()),
                    Err(_) => Default::default(),
                };
                let kept = kept.iter().map(|cell| (*cell).to_owned());
                let own = kept.chain(shares);
                write_record(writer, own.chain([basis(found), self.version.to_owned()]))?;
            }
            Out::Json(out) => {
                let groups = Group::ALL.map(Group::name);
                let keep = self.keep.iter().map(String::as_str);
                let row = Row {
                    kept: keep.zip(kept.iter().copied()).collect(),
                    probabilities: found
                        .ok()
                        .map(|placed| groups.into_iter().zip(placed.probabilities).collect()),
                    basis: basis(found),
                    version: self.version,
                };
                let separator = if self.rows == 0 { "[\n" } else { ",\n" };
                out.write_all(separator.as_bytes())?;
                serde_json::to_writer(out, &row).map_err(io::Error::from)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        match self.out {
            Out::Csv(mut writer) => writer.flush()?,
            Out::Json(mut out) => {
                let end: &[u8] = if self.rows == 0 { b"[]\n" } else { b"\n]\n" };
                out.write_all(end)?;
                out.flush()?;
            }
        }
        Ok(())
    }
}

/// Writes a record; an error of the pipe stays one.
fn write_record(
    writer: &mut csv::Writer<io::Stdout>,
    cells: impl Iterator<Item = String>,
) -> io::Result<()> {
    writer
        .write_record(cells.map(String::into_bytes))
        .map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            _ => io::Error::other("the columns of the result do not match"),
        })
}
