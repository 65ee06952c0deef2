//! hessboost, the strongest peer on XGBoost models, as the Rust crate that it is.

use std::rc::Rc;

use hessboost::model::{BoostedModel, Iterations, ModelFormat};
use hessboost::prelude::DMatrix;

use super::take_contributions;
use crate::contest::Contestant;
use crate::shape::{Library, Rows, Shape};

fn load_model(shape: &Shape) -> anyhow::Result<BoostedModel> {
    let format = if shape.library == Library::LightGbm {
        ModelFormat::LightgbmText
    } else {
        ModelFormat::XgboostJson
    };
    Ok(BoostedModel::decode(shape.model_bytes()?, format)?)
}

/// Margins.
pub(crate) struct Margins {
    model: BoostedModel,
    rows: Rc<Rows>,
}

impl Margins {
    /// Reads the model.
    pub(crate) fn load(shape: &Shape) -> anyhow::Result<Self> {
        Ok(Self {
            model: load_model(shape)?,
            rows: Rc::clone(&shape.rows),
        })
    }
}

impl Contestant for Margins {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        if let [answer] = answers {
            let row = self.rows.singles(first, 1);
            *answer = self.model.predict_margin_row(row, Iterations::Best)?.into();
            return Ok(());
        }
        let rows = self.rows.singles(first, answers.len());
        let margins = self.model.predict_margin_rows(rows, Iterations::Best)?;
        for (answer, margin) in answers.iter_mut().zip(margins.as_slice()) {
            *answer = f64::from(*margin);
        }
        Ok(())
    }
}

/// Path-dependent contributions.
pub(crate) struct PathContributions {
    model: BoostedModel,
    rows: Rc<Rows>,
}

impl PathContributions {
    /// Reads the model.
    pub(crate) fn load(shape: &Shape) -> anyhow::Result<Self> {
        Ok(Self {
            model: load_model(shape)?,
            rows: Rc::clone(&shape.rows),
        })
    }
}

impl Contestant for PathContributions {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let width = self.rows.width;
        let count = answers.len() / width;
        let matrix = DMatrix::from_dense(self.rows.singles(first, count), count, width)?;
        let found = self.model.predict_contribs(&matrix, Iterations::Best)?;
        take_contributions(found.as_slice(), width, answers);
        Ok(())
    }
}
