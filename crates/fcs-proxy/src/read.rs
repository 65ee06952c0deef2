use csv::{ReaderBuilder, StringRecord, Trim};

use crate::group::{Group, Shares};

/// Rows that one table may have.
const ROWS_MAX: u64 = 2_000_000;
/// People that one cell may count, far beyond any country, so that sums stay finite.
const PEOPLE_MAX: f64 = 1e12;
/// What the Census Bureau writes where a number would say too much of few people.
const SUPPRESSED: &str = "(S)";
/// How far percentages of one name may be from 100 together, from rounding at the source.
const PERCENT_TOLERANCE: f64 = 1.0;

/// Why a table cannot be read. Names the table, the line and the column, never what a cell says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The table as a whole.
    #[error("{table}: {problem}")]
    Table {
        /// The name of its file.
        table: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// One row.
    #[error("{table} line {line}: {problem}")]
    Row {
        /// The name of its file.
        table: &'static str,
        /// The line that the row begins in, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// One cell.
    #[error("{table} line {line}, column {column}: {problem}")]
    Cell {
        /// The name of its file.
        table: &'static str,
        /// The line that the row begins in, from 1.
        line: u64,
        /// The name of the column.
        column: String,
        /// What is wrong.
        problem: String,
    },
}

/// The rows of a table, with columns that are found by name.
pub(crate) struct Rows<'a> {
    table: &'static str,
    reader: csv::Reader<&'a [u8]>,
    header: StringRecord,
    record: StringRecord,
    /// Where the key stands, and what else comes before the groups.
    leading: Vec<usize>,
    groups: [usize; Group::ALL.len()],
    rows: u64,
}

/// The columns of a table; each has one or more names, in upper or lower case.
pub(crate) struct Columns {
    pub(crate) leading: &'static [&'static [&'static str]],
    pub(crate) groups: [&'static str; Group::ALL.len()],
}

/// The columns of percentages, as the Census Bureau calls them.
pub(crate) const PERCENTAGES: [&str; Group::ALL.len()] = [
    "pctwhite",
    "pctblack",
    "pctapi",
    "pctaian",
    "pct2prace",
    "pcthispanic",
];

impl<'a> Rows<'a> {
    pub(crate) fn open(
        table: &'static str,
        bytes: &'a [u8],
        columns: &Columns,
    ) -> Result<Self, TableError> {
        let problem = |problem: String| TableError::Table { table, problem };
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| problem(structure(&error)));
        let header = header?.clone();
        let find = |names: &[&str]| find(&header, names).map_err(problem);
        let leading = columns.leading.iter().map(|names| find(names));
        let leading = leading.collect::<Result<_, _>>()?;
        let mut groups = [0; Group::ALL.len()];
        for (place, name) in groups.iter_mut().zip(columns.groups) {
            *place = find(&[name])?;
        }
        Ok(Self {
            table,
            reader,
            header,
            record: StringRecord::new(),
            leading,
            groups,
            rows: 0,
        })
    }

    /// Reads the next row; false after the last.
    pub(crate) fn next(&mut self) -> Result<bool, TableError> {
        let more = self.reader.read_record(&mut self.record);
        let more = more.map_err(|error| TableError::Row {
            table: self.table,
            line: error.position().map_or(0, csv::Position::line),
            problem: structure(&error),
        })?;
        self.rows += u64::from(more);
        if self.rows > ROWS_MAX {
            return Err(self.problem(format!("there are more than {ROWS_MAX} rows")));
        }
        if !more && self.rows == 0 {
            return Err(TableError::Table {
                table: self.table,
                problem: "there are no rows".to_owned(),
            });
        }
        Ok(more)
    }

    /// A cell before those of the groups.
    pub(crate) fn leading(&self, place: usize) -> &str {
        self.cell(self.leading[place])
    }

    /// A number of people, 0 or more, before the groups.
    pub(crate) fn leading_people(&self, place: usize) -> Result<f64, TableError> {
        self.people(self.leading[place])
    }

    /// The number of people of each group.
    pub(crate) fn group_people(&self) -> Result<Shares, TableError> {
        let mut found = [0.0; Group::ALL.len()];
        for (number, place) in found.iter_mut().zip(self.groups) {
            *number = self.people(place)?;
        }
        Ok(found)
    }

    /// The share of each group, from percentages. What is left to 100 is spread evenly over suppressed cells.
    pub(crate) fn shares(&self) -> Result<Shares, TableError> {
        let mut percent = [None; Group::ALL.len()];
        for (number, place) in percent.iter_mut().zip(self.groups) {
            *number = self.percent(place)?;
        }
        let known: f64 = percent.iter().flatten().sum();
        let suppressed = percent.iter().filter(|cell| cell.is_none()).count();
        let is_too_little = suppressed == 0 && known < 100.0 - PERCENT_TOLERANCE;
        if is_too_little || known > 100.0 + PERCENT_TOLERANCE {
            return Err(self.problem(format!(
                "the percentages add up to {known:.2}, not to 100 within {PERCENT_TOLERANCE}"
            )));
        }
        let each = (100.0 - known).max(0.0) / suppressed.max(1) as f64;
        let percent = percent.map(|cell| cell.unwrap_or(each));
        let total: f64 = percent.iter().sum();
        Ok(percent.map(|number| number / total))
    }

    /// An error about the whole row.
    pub(crate) fn problem(&self, problem: String) -> TableError {
        TableError::Row {
            table: self.table,
            line: self.line(),
            problem,
        }
    }

    /// An error about one of the cells before the groups.
    pub(crate) fn leading_problem(&self, place: usize, problem: String) -> TableError {
        self.cell_problem(self.leading[place], problem)
    }

    /// The line that the row begins in.
    pub(crate) fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn percent(&self, place: usize) -> Result<Option<f64>, TableError> {
        let cell = self.cell(place);
        if cell == SUPPRESSED {
            return Ok(None);
        }
        let number = cell.parse().ok();
        let number = number.filter(|number| (0.0..=100.0).contains(number));
        number.map(Some).ok_or_else(|| {
            let problem = format!("is neither a percentage from 0 to 100 nor {SUPPRESSED}");
            self.cell_problem(place, problem)
        })
    }

    fn people(&self, place: usize) -> Result<f64, TableError> {
        let number = self.cell(place).parse().ok();
        let number = number.filter(|number| (0.0..=PEOPLE_MAX).contains(number));
        number.ok_or_else(|| {
            let problem = "is no number of people: 0 or more, without separators".to_owned();
            self.cell_problem(place, problem)
        })
    }

    fn cell(&self, place: usize) -> &str {
        self.record.get(place).unwrap_or_default()
    }

    fn cell_problem(&self, place: usize, problem: String) -> TableError {
        TableError::Cell {
            table: self.table,
            line: self.line(),
            column: self.header.get(place).unwrap_or_default().to_owned(),
            problem,
        }
    }
}

fn find(header: &StringRecord, names: &[&str]) -> Result<usize, String> {
    let is_named = |own: &str| names.iter().any(|name| own.eq_ignore_ascii_case(name));
    let mut places = (0..header.len()).filter(|place| is_named(&header[*place]));
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(format!("two columns are called {}", names.join(" or "))),
        (None, _) => Err(format!("no column is called {}", names.join(" or "))),
    }
}

fn structure(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("the row has {len} of the header's {expected_len} cells"),
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => "this is not CSV".to_owned(),
    }
}
