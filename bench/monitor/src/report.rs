//! A full report over a million decisions, beside the same of others on the same rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use fcs_fairness::Confidence;
use fcs_fairness::sheet::{Cell, Metric, Name, Request, Sheet, sheet};
use fcs_fairness::table::Table;
use serde::Serialize;

use crate::applicant::{ATTRIBUTES, Applicant};
use crate::clock;
use crate::peers::{Answer, Peer};
use crate::random::Random;
use crate::state::{Place, State};

/// Decisions in a minute of a busy lender; a report reads the counters of every minute.
const PER_MINUTE: usize = 30_000;
/// What a number of ours may differ from a peer's by.
const TOLERANCE: f64 = 1e-12;

/// The times of one contender, in turn with the others.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) contender: String,
    pub(crate) milliseconds: Vec<f64>,
    /// The greatest difference of the numbers that both have.
    pub(crate) difference: Option<f64>,
    /// How many numbers both have.
    pub(crate) compared: usize,
}

/// Writes the rows for the peers, and measures all in turn. The first lines are ours.
pub(crate) fn run(
    rows: usize,
    (repetitions, peer_repetitions): (usize, usize),
    folder: &Path,
    peers: &mut [Peer],
) -> anyhow::Result<Vec<Line>> {
    let applicants = applicants(rows);
    write(folder, &applicants)?;
    let state = counted(&applicants);
    let tables = tables(&state)?;
    let mut lines = vec![
        Line::new("fcs, report over counters"),
        Line::new("fcs, minutes joined, then the report"),
        Line::new("fcs, decisions counted, then the report"),
    ];
    let mut ours = BTreeMap::new();
    for peer in peers.iter_mut() {
        peer.load(folder)?;
        lines.push(Line::new(peer.name()));
    }
    for repetition in 0..repetitions {
        let sheets = lines[0].time(|| sheets(&tables))?;
        ours = numbers(&sheets);
        lines[1].time(|| sheets_of(&state))?;
        lines[2].time(|| sheets_of(&counted(&applicants)))?;
        if repetition >= peer_repetitions {
            continue;
        }
        for (peer, line) in peers.iter_mut().zip(&mut lines[3..]) {
            let answer = peer.run()?;
            line.milliseconds.push(answer.seconds * 1000.0);
            line.compare(&ours, &answer);
        }
    }
    for line in &lines {
        let difference = line.difference.unwrap_or_default();
        ensure!(
            difference <= TOLERANCE,
            "{} differs by {difference:e}",
            line.contender
        );
    }
    ensure!(!ours.is_empty(), "there are no numbers");
    Ok(lines)
}

impl Line {
    fn new(contender: &str) -> Self {
        Self {
            contender: contender.to_owned(),
            milliseconds: Vec::new(),
            difference: None,
            compared: 0,
        }
    }

    fn time<T>(&mut self, work: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (made, seconds) = clock::time(work)?;
        self.milliseconds.push(seconds * 1000.0);
        Ok(made)
    }

    fn compare(&mut self, ours: &BTreeMap<String, f64>, answer: &Answer) {
        self.compared = 0;
        for (key, value) in &answer.values {
            if let Some(own) = ours.get(key) {
                let difference = (own - value).abs();
                self.difference = Some(self.difference.unwrap_or_default().max(difference));
                self.compared += 1;
            }
        }
    }
}

fn applicants(rows: usize) -> Vec<Applicant> {
    let mut random = Random::new(3);
    (0..rows).map(|_| Applicant::random(&mut random)).collect()
}

/// A column each, as bytes: the peers read them into arrays.
fn write(folder: &Path, applicants: &[Applicant]) -> anyhow::Result<()> {
    let put = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(format!("{name}.bin"));
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))
    };
    for (place, (name, _)) in ATTRIBUTES.iter().enumerate() {
        put(name, applicants.iter().map(|it| it.groups[place]).collect())?;
    }
    let approved = |it: &Applicant| u8::from(it.decision == fcs_fairness::tally::Decision::Approve);
    put("approved", applicants.iter().map(approved).collect())?;
    let repaid = |it: &Applicant| u8::from(it.outcome == fcs_fairness::tally::Outcome::Repaid);
    put("repaid", applicants.iter().map(repaid).collect())?;
    let score = |it: &Applicant| (it.score.millionths() as f64 / 1e6).to_le_bytes();
    put("score", applicants.iter().flat_map(score).collect())
}

/// Every outcome is known, as in a back-test, because the peers know no other labels.
fn counted(applicants: &[Applicant]) -> State {
    let mut state = State::new();
    for (number, applicant) in applicants.iter().enumerate() {
        for (attribute, group) in applicant.cells() {
            if usize::from(attribute) < ATTRIBUTES.len() {
                let place = Place {
                    model: 0,
                    arm: 0,
                    attribute,
                    group,
                    minute: u32::try_from(number / PER_MINUTE).unwrap_or(u32::MAX),
                };
                let what = (applicant.decision, Some(applicant.outcome));
                state.count(place, applicant.score, what, 1);
            }
        }
    }
    state
}

fn tables(state: &State) -> anyhow::Result<Vec<Table>> {
    let attributes = (0..).zip(ATTRIBUTES);
    attributes
        .map(|(place, (name, _))| state.table(place, name))
        .collect()
}

fn sheets_of(state: &State) -> anyhow::Result<Vec<Sheet>> {
    sheets(&tables(state)?)
}

/// Every metric of every attribute.
fn sheets(tables: &[Table]) -> anyhow::Result<Vec<Sheet>> {
    let one = |table: &Table| {
        let request = Request {
            attributes: table.attributes().to_vec(),
            stratum: None,
            reference: None,
            minimum_cell_size: 30,
            confidence: Confidence::try_from(0.95)?,
            quantiles: vec![0.25, 0.5, 0.75],
        };
        Ok(sheet(table, &request)?)
    };
    tables.iter().map(one).collect()
}

/// The numbers that peers have too, by "attribute group metric".
fn numbers(sheets: &[Sheet]) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    for sheet in sheets {
        let attribute = sheet.attributes.join(" ");
        for cell in &sheet.cells {
            if let Cell::Shown {
                group,
                tally,
                metrics,
            } = cell
            {
                let place = format!("{attribute} {}", group.0.join(" "));
                numbers.insert(format!("{place} count"), tally.decisions() as f64);
                put(&mut numbers, &place, metrics);
            }
        }
        put(
            &mut numbers,
            &format!("{attribute} overall"),
            &sheet.overall,
        );
    }
    numbers
}

fn put(numbers: &mut BTreeMap<String, f64>, place: &str, metrics: &[Metric]) {
    for metric in metrics {
        let name = match metric.name {
            Name::SelectionRate => "selection_rate",
            Name::TruePositiveRate => "true_positive_rate",
            Name::FalsePositiveRate => "false_positive_rate",
            Name::DemographicParityDifference => "demographic_parity_difference",
            Name::DemographicParityRatio => "demographic_parity_ratio",
            Name::EqualisedOddsDifference => "equalised_odds_difference",
            Name::EqualisedOddsRatio => "equalised_odds_ratio",
            Name::AverageOddsDifference => "average_odds_difference",
            _ => continue,
        };
        if let Some(value) = metric.result.value() {
            numbers.insert(format!("{place} {name}"), value);
        }
    }
}
