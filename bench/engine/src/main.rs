//! Measures the tree engine beside its peers: the same rows, in the same run, in one thread.
//!
//! `cargo xtask bench engine` prepares everything that this program needs and runs it. Every engine is called from
//! one loop, through its C interface where it has one; engines take turns, so that a busy machine hits all alike;
//! time is the CPU time of the calling thread; and each answer is compared with that of the model's own library.

mod clock;
mod contest;
mod interventional;
mod peers;
mod report;
mod shape;
mod targets;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use fcs_forest::Engine;

use contest::{Contestant, Outcome, Plan, Scale};
use interventional::Shap;
use peers::{Entrant, Peers};
use report::{Contest, Report};
use shape::Shape;
use targets::{Measure, SHAP};

#[derive(Parser)]
struct Arguments {
    /// Folder that models.py and peers.py filled.
    #[arg(long)]
    data: PathBuf,
    /// Folder of the Python packages of the peers.
    #[arg(long)]
    packages: PathBuf,
    /// The Python that has those packages.
    #[arg(long)]
    python: PathBuf,
    /// Folder with interventional.py.
    #[arg(long)]
    scripts: PathBuf,
    /// Shapes to measure.
    #[arg(long, value_delimiter = ',', required = true)]
    shapes: Vec<String>,
    /// Fewer repetitions, and no large populations.
    #[arg(long)]
    quick: bool,
    /// What to print.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// A peer that brings its own thread pool works in this thread.
fn work_in_this_thread() -> anyhow::Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global()
        .context("make this thread the only one of the pool")
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    work_in_this_thread()?;
    let run = Run {
        peers: Peers::open(&arguments.packages)?,
        shap: Shap {
            python: arguments.python,
            script: arguments.scripts.join("interventional.py"),
            data: arguments.data.clone(),
        },
        quick: arguments.quick,
    };
    let mut builds = serde_json::Map::new();
    let mut contests = Vec::new();
    for name in &arguments.shapes {
        eprintln!("measuring {name}");
        let shape = Shape::open(&arguments.data, name)?;
        builds.insert(name.clone(), peers::build_notes(&shape)?);
        run.measure(&shape, &mut contests)?;
    }
    let report = Report {
        processor: processor(),
        quick: arguments.quick,
        unit: "microseconds of thread CPU time per row",
        builds: builds.into(),
        contests,
    };
    match arguments.output {
        Output::Table => print!("{}", report.tables()),
        Output::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    Ok(())
}

/// The processor's own name, where the system tells it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.unwrap_or_else(|| "unknown processor".to_owned())
}

struct Run {
    peers: Peers,
    shap: Shap,
    quick: bool,
}

impl Run {
    /// The growth series asks for single rows only; the other shapes for everything.
    fn measure(&self, shape: &Shape, contests: &mut Vec<Contest>) -> anyhow::Result<()> {
        let grows = shape.name.starts_with("trees_") || shape.name.starts_with("depth_");
        let kernel = match shape.model() {
            Ok(model) => Engine::new(&model).kernel().to_string(),
            Err(_) => "model not read".to_owned(),
        };
        let batches: &[usize] = if grows { &[1] } else { &[1, 16, 256, 4_096] };
        for batch in batches {
            contests.push(self.predict(shape, *batch, &kernel)?);
        }
        let batches: &[usize] = if grows { &[1] } else { &[1, 256] };
        for batch in batches {
            contests.push(self.attribute(shape, *batch, &kernel)?);
        }
        let populations: &[usize] = match (shape.name.as_str(), self.quick) {
            ("300x31" | "300x31_num", false) => &[100, 1_000, 10_000, 100_000],
            ("300x31" | "300x31_num", true) => &[100, 1_000],
            _ => &[1_000],
        };
        let references = self.shap.references(shape)?;
        for count in populations {
            let entrants = interventional::entrants(shape, &references, *count);
            let plan = self.plan(64, 1, shape.rows.width);
            let mut outcomes = contest(entrants, plan)?;
            if !grows {
                outcomes.push(self.shap.explain(shape, *count)?);
            }
            let asked = (shape.name.as_str(), Measure::ReferenceContributions, *count);
            contests.push(Contest::new(asked, (plan.rows, &kernel), &outcomes, SHAP));
        }
        contests.push(self.load(shape, &kernel)?);
        Ok(())
    }

    fn plan(&self, rows: usize, batch: usize, numbers_per_row: usize) -> Plan {
        Plan {
            rows,
            batch,
            numbers_per_row,
            repetitions: if self.quick { 3 } else { 7 },
        }
    }

    fn predict(&self, shape: &Shape, batch: usize, kernel: &str) -> anyhow::Result<Contest> {
        let plan = self.plan(shape.rows.count(), batch, 1);
        let outcomes = contest(self.peers.predictors(shape), plan)?;
        let asked = (shape.name.as_str(), Measure::Predict, batch);
        Ok(Contest::new(
            asked,
            (plan.rows, kernel),
            &outcomes,
            Peers::own_library(shape),
        ))
    }

    fn attribute(&self, shape: &Shape, batch: usize, kernel: &str) -> anyhow::Result<Contest> {
        let plan = self.plan(256, batch, shape.rows.width);
        let outcomes = contest(self.peers.attributors(shape), plan)?;
        let asked = (shape.name.as_str(), Measure::PathContributions, batch);
        Ok(Contest::new(
            asked,
            (plan.rows, kernel),
            &outcomes,
            Peers::own_library(shape),
        ))
    }

    /// Here the work is to load the model and to score one row with it.
    fn load(&self, shape: &Shape, kernel: &str) -> anyhow::Result<Contest> {
        let mut engines: Vec<contest::Engine<'_>> = Vec::new();
        for (name, load) in self.peers.predictors(shape) {
            engines.push((
                name.to_owned(),
                Box::new(Loading {
                    load,
                    scale: Scale::Margin,
                }),
            ));
        }
        let plan = self.plan(1, 1, 1);
        let outcomes = contest::run(&mut engines, plan)?;
        let asked = (shape.name.as_str(), Measure::Load, 1);
        Ok(Contest::new(
            asked,
            (plan.rows, kernel),
            &outcomes,
            Peers::own_library(shape),
        ))
    }
}

/// Loads the engines and lets them work in turns; those that refuse keep their place in the list.
fn contest(entrants: Vec<Entrant<'_>>, plan: Plan) -> anyhow::Result<Vec<Outcome>> {
    let names: Vec<&str> = entrants.iter().map(|(name, _)| *name).collect();
    let (mut engines, refused) = peers::load(entrants);
    let mut outcomes = contest::run(&mut engines, plan)?;
    outcomes.extend(refused);
    outcomes.sort_by_key(|outcome| names.iter().position(|name| *name == outcome.engine));
    Ok(outcomes)
}

/// An engine that loads its model anew for each call.
struct Loading<'a> {
    load: Box<dyn Fn() -> anyhow::Result<Box<dyn Contestant>> + 'a>,
    scale: Scale,
}

impl Contestant for Loading<'_> {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let mut engine = (self.load)()?;
        self.scale = engine.scale();
        engine.answer(first, answers)
    }

    fn scale(&self) -> Scale {
        self.scale
    }
}
