//! `fcs bias examine`: every group metric of the decisions that the monitor keeps.

use anyhow::Context as _;
use fcs_fairness::sheet::Sheet;
use fcs_proto::monitoring::v1::{ExaminationBasis, ExamineRequest};
use serde::Serialize;

use super::text;
use crate::cli::{ExamineArguments, ExamineBasis, Global};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::print;
use crate::progress;

#[derive(Serialize)]
struct Examined {
    last_index: u64,
    decisions: i64,
    sheet: Sheet,
    /// The same within each stratum.
    strata: Vec<Sheet>,
}

/// Asks the monitor.
pub(super) async fn run(global: &Global, arguments: &ExamineArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let spinner = progress::spinner("the monitor reads its decisions".to_owned());
    let answer = clients.monitoring.examine(request(arguments)).await;
    spinner.finish_and_clear();
    let answer = answer.map_err(CliError::from)?.into_inner();
    let read = |text: &String| serde_json::from_str(text).context("read the monitor's answer");
    let examined = Examined {
        last_index: answer.last_index,
        decisions: answer.decisions,
        sheet: read(&answer.sheet)?,
        strata: answer.strata.iter().map(read).collect::<Result<_, _>>()?,
    };
    print(global.output, &examined, |it| {
        let sheets = std::iter::once(&it.sheet).chain(&it.strata);
        let sheets: String = sheets.map(|sheet| text::of_sheet(sheet, true)).collect();
        format!(
            "{} decisions, up to log index {}\n{sheets}",
            it.decisions, it.last_index
        )
    })
}

fn request(arguments: &ExamineArguments) -> ExamineRequest {
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    ExamineRequest {
        model: text(&arguments.model),
        arm: text(&arguments.arm),
        from: text(&arguments.from),
        to: text(&arguments.to),
        attributes: arguments.attributes.clone(),
        stratify_by: text(&arguments.stratify_by),
        within: text(&arguments.within),
        reference: arguments.references.clone(),
        minimum_cell_size: arguments.minimum_cell_size,
        quantiles: arguments.quantiles.clone(),
        basis: basis(arguments.basis).into(),
    }
}

/// A basis on the wire.
pub(super) const fn basis(basis: ExamineBasis) -> ExaminationBasis {
    match basis {
        ExamineBasis::Model => ExaminationBasis::Model,
        ExamineBasis::Final => ExaminationBasis::Final,
        ExamineBasis::LowSideOverrides => ExaminationBasis::LowSideOverrides,
        ExamineBasis::HighSideOverrides => ExaminationBasis::HighSideOverrides,
    }
}
