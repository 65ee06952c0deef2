//! Engines that do the same work in turns, so that whatever else the machine does hits all of them alike.

use anyhow::ensure;

use crate::clock::CpuTime;

/// The scale of an engine's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Margins, or contributions to margins.
    Margin,
    /// `1 / (1 + exp(-margin))`.
    Probability,
}

/// An engine that is ready to work on the rows of a shape.
pub(crate) trait Contestant {
    /// Answers for the rows from `first` on, as many as fit into `answers`.
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()>;

    /// The scale of the answers.
    fn scale(&self) -> Scale {
        Scale::Margin
    }
}

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Different rows per repetition: all of them once, so that no row's way through the trees is remembered.
    pub(crate) rows: usize,
    /// Rows per call.
    pub(crate) batch: usize,
    /// Numbers that answer one row.
    pub(crate) numbers_per_row: usize,
    /// How often all rows are worked through.
    pub(crate) repetitions: usize,
}

/// What an engine did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The engine.
    pub(crate) engine: String,
    /// Thread CPU time of each repetition in microseconds per row; empty when it refused.
    pub(crate) microseconds_per_row: Vec<f64>,
    /// CPU time of other threads, as a share of the engine's own; a fair contest has 0.
    pub(crate) helpers_share: f64,
    /// All answers, row by row.
    pub(crate) answers: Vec<f64>,
    /// Their scale.
    pub(crate) scale: Scale,
    /// Why there are no times.
    pub(crate) refused: Option<String>,
    /// Why its answers are no measure for others.
    pub(crate) fault: Option<String>,
}

impl Outcome {
    /// An engine that could not take part.
    pub(crate) fn refused(engine: &str, reason: String) -> Self {
        Self {
            engine: engine.to_owned(),
            microseconds_per_row: Vec::new(),
            helpers_share: 0.0,
            answers: Vec::new(),
            scale: Scale::Margin,
            refused: Some(reason),
            fault: None,
        }
    }

    /// The least time of a repetition, in microseconds per row.
    pub(crate) fn min(&self) -> Option<f64> {
        self.microseconds_per_row.iter().copied().reduce(f64::min)
    }

    /// The median of the repetitions' times, in microseconds per row.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.microseconds_per_row.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// The greatest difference between these answers and others, on the scale of these.
    pub(crate) fn difference(&self, others: &Self) -> Option<f64> {
        let probability = |margin: f64| 1.0 / (1.0 + (-margin).exp());
        let convert = self.scale == Scale::Probability && others.scale == Scale::Margin;
        self.answers
            .iter()
            .zip(&others.answers)
            .map(|(own, other)| (own - if convert { probability(*other) } else { *other }).abs())
            .reduce(f64::max)
    }
}

/// An engine by its name.
pub(crate) type Engine<'a> = (String, Box<dyn Contestant + 'a>);

/// Lets the engines work in turns: one untimed pass each, then the repetitions.
pub(crate) fn run(engines: &mut [Engine<'_>], plan: Plan) -> anyhow::Result<Vec<Outcome>> {
    ensure!(
        plan.rows > 0 && plan.rows.is_multiple_of(plan.batch),
        "{} rows do not divide into calls of {}",
        plan.rows,
        plan.batch
    );
    let mut outcomes: Vec<Outcome> = engines
        .iter_mut()
        .map(|(name, engine)| {
            let mut outcome = Outcome {
                answers: vec![0.0; plan.rows * plan.numbers_per_row],
                refused: None,
                ..Outcome::refused(name, String::new())
            };
            if let Err(error) = pass(engine.as_mut(), plan, &mut outcome.answers) {
                outcome = Outcome::refused(name, format!("{error:#}"));
            }
            // Only an engine that has loaded its model knows.
            outcome.scale = engine.scale();
            outcome
        })
        .collect();
    for _ in 0..plan.repetitions {
        for ((_, engine), outcome) in engines.iter_mut().zip(&mut outcomes) {
            if outcome.refused.is_some() {
                continue;
            }
            let start = CpuTime::now();
            pass(engine.as_mut(), plan, &mut outcome.answers)?;
            let end = CpuTime::now();
            let own = end.thread_since(start);
            outcome.microseconds_per_row.push(own / plan.rows as f64);
            outcome.helpers_share = outcome.helpers_share.max(end.others_since(start) / own);
        }
    }
    Ok(outcomes)
}

fn pass(engine: &mut dyn Contestant, plan: Plan, answers: &mut [f64]) -> anyhow::Result<()> {
    let chunks = answers.chunks_exact_mut(plan.batch * plan.numbers_per_row);
    for (call, answers) in chunks.enumerate() {
        engine.answer(call * plan.batch, answers)?;
    }
    Ok(())
}
