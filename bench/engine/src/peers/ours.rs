//! `fcs-forest`.

use std::rc::Rc;

use anyhow::ensure;
use fcs_forest::{Attributor, Engine, PathAttributor};

use crate::contest::Contestant;
use crate::shape::{Library, Rows, Shape};

/// The compiled engine's margins.
pub(crate) struct Margins {
    engine: Engine,
    rows: Rc<Rows>,
}

impl Margins {
    /// Reads and compiles the model.
    pub(crate) fn load(shape: &Shape) -> anyhow::Result<Self> {
        Ok(Self {
            engine: Engine::new(&shape.model()?),
            rows: Rc::clone(&shape.rows),
        })
    }
}

impl Contestant for Margins {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        if let [answer] = answers {
            *answer = self.engine.margin(self.rows.doubles(first, 1));
        } else {
            let rows = self.rows.doubles(first, answers.len());
            self.engine.margins(rows, answers);
        }
        Ok(())
    }
}

/// Contributions along the paths of the trees.
pub(crate) struct PathContributions {
    attributor: PathAttributor,
    rows: Rc<Rows>,
}

impl PathContributions {
    /// Reads the model and prepares its attributions.
    pub(crate) fn load(shape: &Shape) -> anyhow::Result<Self> {
        Ok(Self {
            attributor: PathAttributor::new(&shape.model()?)?,
            rows: Rc::clone(&shape.rows),
        })
    }
}

impl Contestant for PathContributions {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let rows = self.rows.doubles(first, answers.len() / self.rows.width);
        self.attributor.contributions_of(rows, answers);
        Ok(())
    }
}

/// Rows on which additivity is checked.
const CHECKED_ROWS: usize = 64;

/// Contributions against a reference population.
pub(crate) struct ReferenceContributions {
    attributor: Attributor,
    rows: Rc<Rows>,
}

impl ReferenceContributions {
    /// Reads the model, condenses the first `count` references, and checks on some rows that contributions and base
    /// add up to the margin, which holds for every model, also where no peer is right.
    pub(crate) fn load(shape: &Shape, references: &Rows, count: usize) -> anyhow::Result<Self> {
        let references: Vec<Vec<f64>> = references
            .doubles(0, count)
            .chunks_exact(references.width)
            .map(<[f64]>::to_vec)
            .collect();
        let model = shape.model()?;
        // XGBoost adds up its margins in 32 bits, and so does our engine for its models.
        let missed_max = match shape.library {
            Library::LightGbm => 1e-9,
            Library::XgBoost => 1e-5,
        };
        let attributor = Attributor::new(&model, &references)?;
        for row in 0..CHECKED_ROWS {
            let row = shape.rows.doubles(row, 1);
            let sum: f64 = attributor.contributions(row).iter().sum();
            let missed = (attributor.base_margin() + sum - model.margin(row)).abs();
            ensure!(
                missed < missed_max,
                "contributions miss the margin by {missed:.1e}"
            );
        }
        Ok(Self {
            attributor,
            rows: Rc::clone(&shape.rows),
        })
    }
}

impl Contestant for ReferenceContributions {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let width = self.rows.width;
        let rows = self.rows.doubles(first, answers.len() / width);
        self.attributor.contributions_of(rows, answers);
        Ok(())
    }
}
