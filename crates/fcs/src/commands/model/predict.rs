//! `fcs model predict`: margins, probabilities and contributions of the rows of a file.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use fcs_forest::{Attributor, Engine, Model, PathAttributor};
use serde_json::{Map, Number, Value};

use super::file::{Rows, read_model};
use crate::cli::{Format, PredictArguments};
use crate::exit::CliError;
use crate::progress;

/// Rows that are computed together.
const ROWS_AT_ONCE: usize = 256;

/// Runs the command.
pub(super) fn run(output: Format, arguments: &PredictArguments) -> anyhow::Result<()> {
    let model = read_model(&arguments.file, arguments.format.as_deref())?;
    let references = arguments.references.as_deref();
    let shares = arguments
        .contributions
        .then(|| Shares::prepare(&model, references))
        .transpose()?;
    let mut rows = Rows::open(&arguments.rows, &model)?;
    let mut sink = Sink::new(output, header(&model, shares.is_some()));
    let engine = Engine::new(&model);
    let progress = progress::spinner("predicting".to_owned());
    let written = predict(&engine, shares.as_ref(), &mut rows, &mut sink, |count| {
        progress.set_message(format!("{count} rows"));
    });
    progress.finish_and_clear();
    match written.and_then(|()| sink.finish()) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

fn header(model: &Model, with_contributions: bool) -> Vec<String> {
    let mut header = vec!["margin".to_owned(), "probability".to_owned()];
    if with_contributions {
        header.extend_from_slice(model.feature_names());
        header.push("base".to_owned());
    }
    header
}

fn predict(
    engine: &Engine,
    shares: Option<&Shares>,
    rows: &mut Rows,
    sink: &mut Sink,
    progress: impl Fn(usize),
) -> anyhow::Result<()> {
    let model = engine.model();
    let width = model.feature_names().len();
    let mut done = 0;
    loop {
        let mut values = Vec::with_capacity(ROWS_AT_ONCE * width);
        let mut count = 0;
        while count < ROWS_AT_ONCE && rows.next(&mut values)? {
            count += 1;
        }
        let mut margins = vec![0.0; count];
        engine.margins(&values, &mut margins);
        for (row, margin) in values.chunks(width).zip(margins) {
            let mut numbers = vec![margin, model.probability(margin)];
            if let Some(shares) = shares {
                numbers.extend(shares.of(row));
                numbers.push(shares.base());
            }
            sink.write(&numbers)?;
        }
        done += count;
        progress(done);
        if count < ROWS_AT_ONCE {
            return Ok(());
        }
    }
}

/// How a margin is shared out among the features.
enum Shares {
    Paths(Box<PathAttributor>),
    References(Box<Attributor>),
}

impl Shares {
    fn prepare(model: &Model, references: Option<&Path>) -> anyhow::Result<Self> {
        let width = model.feature_names().len();
        let references = match references {
            Some(path) => Rows::open(path, model)?.all()?,
            // Against a row of zeros a linear model's contributions are its weights times the values.
            None if model.tree_count() == 0 => vec![0.0; width],
            None => {
                let paths = PathAttributor::new(model).map_err(|error| {
                    CliError::Usage(format!(
                        "{error}; name a reference population with --references"
                    ))
                })?;
                return Ok(Self::Paths(Box::new(paths)));
            }
        };
        let references: Vec<Vec<f64>> = references.chunks(width).map(<[f64]>::to_vec).collect();
        Ok(Self::References(Box::new(Attributor::new(
            model,
            &references,
        )?)))
    }

    fn of(&self, row: &[f64]) -> Vec<f64> {
        match self {
            Self::Paths(attributor) => attributor.contributions(row),
            Self::References(attributor) => attributor.contributions(row),
        }
    }

    fn base(&self) -> f64 {
        match self {
            Self::Paths(attributor) => attributor.base_margin(),
            Self::References(attributor) => attributor.base_margin(),
        }
    }
}

/// Where the results go: CSV, or one JSON list of objects.
struct Sink {
    format: Format,
    header: Vec<String>,
    out: BufWriter<io::Stdout>,
    rows: usize,
}

impl Sink {
    fn new(format: Format, header: Vec<String>) -> Self {
        Self {
            format,
            header,
            out: BufWriter::new(io::stdout()),
            rows: 0,
        }
    }

    fn write(&mut self, numbers: &[f64]) -> anyhow::Result<()> {
        match self.format {
            Format::Table => {
                if self.rows == 0 {
                    self.write_header()?;
                }
                let cells: Vec<String> = numbers.iter().map(f64::to_string).collect();
                self.out.write_all(csv_line(&cells)?.as_slice())?;
            }
            Format::Json => {
                let object = self.object(numbers);
                let separator = if self.rows == 0 { "[\n" } else { ",\n" };
                self.out.write_all(separator.as_bytes())?;
                serde_json::to_writer(&mut self.out, &object)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Contributions stand by themselves, so that a feature may be called `margin`.
    fn object(&self, numbers: &[f64]) -> Map<String, Value> {
        // JSON has no NaN; a margin that is none stands as null.
        let value = |number: &f64| Number::from_f64(*number).map_or(Value::Null, Value::Number);
        let named = |columns: std::ops::Range<usize>| {
            let names = self.header[columns.clone()].iter().cloned();
            names.zip(numbers[columns].iter().map(value))
        };
        let mut object: Map<String, Value> = named(0..2).collect();
        if let Some(base) = numbers.len().checked_sub(1).filter(|last| *last > 2) {
            object.insert("contributions".into(), named(2..base).collect());
            object.insert("base".into(), value(&numbers[base]));
        }
        object
    }

    fn write_header(&mut self) -> anyhow::Result<()> {
        let line = csv_line(&self.header)?;
        Ok(self.out.write_all(&line)?)
    }

    fn finish(mut self) -> anyhow::Result<()> {
        match (self.format, self.rows) {
            (Format::Table, 0) => self.write_header()?,
            (Format::Table, _) => {}
            (Format::Json, 0) => self.out.write_all(b"[]\n")?,
            (Format::Json, _) => self.out.write_all(b"\n]\n")?,
        }
        Ok(self.out.flush()?)
    }
}

fn csv_line(cells: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    Ok(writer.into_inner()?)
}
