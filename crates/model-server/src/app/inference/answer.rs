//! Output tensors: which are asked for, and what they hold.

use std::collections::BTreeSet;

use fcs_core::{ApiError, redacted_debug};

use super::super::score::RowScore;
use super::{OUTPUTS_MAX, invalid};

redacted_debug!(OutputTensor);

/// The outputs of every model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Probability of the adverse outcome.
    Probability,
    /// Log-odds of it.
    Margin,
    /// One attribution per feature.
    Contributions,
    /// Mean margin of the reference population.
    BaseMargin,
}

/// A tensor of doubles that goes back.
#[derive(Clone, PartialEq)]
pub struct OutputTensor {
    /// Name.
    pub name: &'static str,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Finite elements, row by row.
    pub values: Vec<f64>,
}

impl OutputTensor {
    /// The elements, little-endian.
    pub fn raw(&self) -> Vec<u8> {
        self.values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }
}

impl Output {
    pub(super) const ALL: [Self; 4] = [
        Self::Probability,
        Self::Margin,
        Self::Contributions,
        Self::BaseMargin,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Margin => "margin",
            Self::Contributions => "contributions",
            Self::BaseMargin => "base_margin",
        }
    }

    /// Attributions cost a hundred times a score, so they come only when they are asked for by name.
    pub(super) const fn needs_attributions(self) -> bool {
        matches!(self, Self::Contributions)
    }

    /// Columns of the tensor for a model with so many features.
    pub(super) const fn columns(self, features: usize) -> usize {
        match self {
            Self::Contributions => features,
            Self::Probability | Self::Margin | Self::BaseMargin => 1,
        }
    }

    pub(super) fn tensor(
        self,
        scores: &[RowScore],
        base_margin: f64,
        features: usize,
    ) -> OutputTensor {
        let values = match self {
            Self::Probability => scores.iter().map(|score| score.probability).collect(),
            Self::Margin => scores.iter().map(|score| score.margin).collect(),
            Self::BaseMargin => vec![base_margin; scores.len()],
            Self::Contributions => {
                let all = scores.iter().flat_map(|score| &score.contributions);
                all.copied().collect()
            }
        };
        OutputTensor {
            name: self.name(),
            shape: [scores.len(), self.columns(features)],
            values,
        }
    }
}

/// The outputs of a request; without names, all but those on request.
///
/// # Errors
/// `InvalidArgument` for a name that is unknown or comes twice.
pub(super) fn choose(names: &[String]) -> Result<Vec<Output>, ApiError> {
    if names.is_empty() {
        let by_default = Output::ALL
            .into_iter()
            .filter(|it| !it.needs_attributions());
        return Ok(by_default.collect());
    }
    if names.len() > OUTPUTS_MAX {
        let message = format!("ask for at most {OUTPUTS_MAX} outputs");
        return Err(invalid("TOO_MANY_OUTPUTS", message));
    }
    let mut seen = BTreeSet::new();
    let mut outputs = Vec::with_capacity(names.len());
    for name in names {
        let shown: String = name.chars().take(64).collect();
        if !seen.insert(name) {
            let message = format!("the output {shown:?} is asked for twice");
            return Err(invalid("OUTPUT_DUPLICATE", message));
        }
        let output = Output::ALL
            .into_iter()
            .find(|output| output.name() == name)
            .ok_or_else(|| {
                let known = Output::ALL.map(Output::name).join(", ");
                let message = format!("there is no output {shown:?}; there are {known}");
                invalid("OUTPUT_UNKNOWN", message)
            })?;
        outputs.push(output);
    }
    Ok(outputs)
}
