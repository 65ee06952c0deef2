//! The requests: rows of the sample package `taiwan-default`, in turn, each under a key of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use flate2::read::GzDecoder;
use serde_json::{Map, Value};

/// Bodies without their end, which names the application.
#[derive(Debug, Clone)]
pub(crate) struct Rows(Vec<String>);

impl Rows {
    /// Reads the first rows.
    pub(crate) fn read(models: &Path, count: usize) -> anyhow::Result<Self> {
        let path = models.join("taiwan-default/data/applications.csv.gz");
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let mut lines = BufReader::new(GzDecoder::new(file)).lines();
        let head = lines.next().context("a head")??;
        let names: Vec<&str> = head.split(',').skip(1).collect();
        let rows = lines
            .take(count)
            .map(|line| {
                let line = line?;
                let values = line.split(',').skip(1);
                let features: Map<String, Value> = names
                    .iter()
                    .zip(values)
                    .map(|(name, value)| {
                        let number = value.parse::<f64>().ok();
                        ((*name).to_owned(), number.map_or(Value::Null, Value::from))
                    })
                    .collect();
                Ok(format!(
                    "{{\"features\":{},\"application_id\":\"",
                    Value::Object(features)
                ))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self(rows))
    }

    /// The body of a request; no two numbers and runs have the same application.
    pub(crate) fn body(&self, run: u64, number: u64) -> String {
        let row = &self.0[number as usize % self.0.len()];
        format!("{row}a-{run}-{number}\"}}")
    }
}
