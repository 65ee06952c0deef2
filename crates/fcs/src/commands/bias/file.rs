//! A CSV file with a header, read row by row, with every bad row found before it fails.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};

use crate::exit::CliError;

/// Bad rows that an error lists.
const PROBLEMS_SHOWN: usize = 10;

/// Cells that cannot be read.
#[derive(Default)]
pub(super) struct Problems {
    shown: Vec<String>,
    count: u64,
}

impl Problems {
    /// Keeps a problem, and the line that its row starts in.
    pub(super) fn add(&mut self, line: u64, problem: &str) {
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

/// A file, and the record that was read last.
pub(super) struct CsvFile {
    reader: Reader<Box<dyn Read>>,
    path: String,
    header: StringRecord,
    record: StringRecord,
    rows: u64,
}

impl CsvFile {
    /// Opens a file and reads its header. "-" is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path)
                .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
            Box::new(file)
        };
        let path = path.display().to_string();
        let mut reader = ReaderBuilder::new()
            .trim(csv::Trim::All)
            .buffer_capacity(1 << 16)
            .from_reader(source);
        let header = reader.headers();
        let header = header.map_err(|error| CliError::Usage(format!("{path}: {error}")))?;
        Ok(Self {
            header: header.clone(),
            reader,
            path,
            record: StringRecord::new(),
            rows: 0,
        })
    }

    /// Reads the next record that has as many cells as the header; false at the end of the file.
    pub(super) fn next(&mut self, problems: &mut Problems) -> Result<bool, CliError> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(more) => {
                    self.rows += u64::from(more);
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

    /// Fails with the bad rows, up to a number of them.
    pub(super) fn check(&self, problems: &Problems) -> Result<(), CliError> {
        problems.check(&self.path)
    }

    /// The place of the one column with a name.
    pub(super) fn column(&self, name: &str) -> Result<usize, CliError> {
        find_column(&self.header, name)
            .map_err(|problem| CliError::Usage(format!("{}: {problem}", self.path)))
    }

    /// What the file is called.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &StringRecord {
        &self.header
    }

    /// Records read.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The line that the record starts in.
    pub(super) fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// A cell of the record.
    pub(super) fn cell(&self, place: usize) -> &str {
        self.record.get(place).unwrap_or_default()
    }

    /// What is wrong with a cell, with what it holds.
    pub(super) fn problem(&self, place: usize, what: &str) -> String {
        let column = self.header.get(place).unwrap_or_default();
        format!("{column}: {:?} {what}", self.cell(place))
    }
}

/// The place of the one column with a name.
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
