//! The verdict on counts.

use std::fmt::Write as _;

use fcs_core::{Alpha, EValue};
use fcs_rollout::statistics::simulate::{Plan, Step};
use fcs_rollout::statistics::{
    Absence, Arms, Counts, Criteria, Grounds, Judgement, Needed, RateInterval, RatioInterval,
    Tally, Verdict, Weight, judge,
};
use serde::Serialize;

use super::FORMAT;
use crate::cli::{Format, SimulateArguments};
use crate::exit::CliError;
use crate::output::{print, table};

/// What is printed.
#[derive(Serialize)]
struct Document {
    format: u32,
    weight_basis_points: Weight,
    #[serde(flatten)]
    verdict: Verdict,
    grounds: Option<Grounds>,
    worse: Evidence,
    ratio: RatioInterval,
    rate: Option<RateInterval>,
    mismatch: Evidence,
    criteria: Criteria,
    counts: Counts,
}

/// An e-value beside its bar, `1 / alpha`.
#[derive(Serialize)]
struct Evidence {
    /// `None` beyond 64 bits.
    e: Option<f64>,
    ln_e: f64,
    bar: f64,
}

impl Evidence {
    fn of(value: EValue, alpha: Alpha) -> Self {
        let e = value.ln().exp();
        Self {
            e: e.is_finite().then_some(e),
            ln_e: value.ln(),
            bar: 1.0 / alpha.get(),
        }
    }

    fn text(&self) -> String {
        self.e.map_or_else(|| "beyond 1e308".to_owned(), number)
    }
}

/// Judges by the step of the plan that the weight belongs to.
pub(super) fn run(
    output: Format,
    arguments: &SimulateArguments,
    plan: &Plan,
    counts: Counts,
) -> anyhow::Result<()> {
    let highest = || counts.iter().last().map(|(weight, _)| weight);
    let weight = arguments.weight.or_else(highest).ok_or_else(|| {
        CliError::Usage("there are no counts; name the weight in force with --weight".to_owned())
    })?;
    let criteria = plan.criteria(step_at(plan, weight));
    let judgement = judge(&counts, weight, &criteria);
    let document = document(&judgement, weight, criteria, counts);
    print(output, &document, text)?;
    if arguments.fail_unless_clear && document.verdict != Verdict::Clear {
        let problem = format!("the candidate is not clear: {}", name(document.verdict));
        return Err(CliError::Verification(problem).into());
    }
    Ok(())
}

/// The last step that has at most this weight, else the first.
fn step_at(plan: &Plan, weight: Weight) -> &Step {
    let steps = &plan.parts().steps;
    let step = steps
        .iter()
        .rfind(|step| step.weight_basis_points <= weight);
    step.unwrap_or(&steps[0])
}

fn document(judgement: &Judgement, weight: Weight, criteria: Criteria, counts: Counts) -> Document {
    Document {
        format: FORMAT,
        weight_basis_points: weight,
        verdict: judgement.verdict,
        grounds: judgement.grounds,
        worse: Evidence::of(judgement.worse, criteria.ratio.alpha),
        ratio: judgement.ratio,
        rate: judgement.rate,
        mismatch: Evidence::of(judgement.mismatch, criteria.assignment_alpha),
        criteria,
        counts,
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Breach => "breach",
        Verdict::Clear => "clear",
        Verdict::Insufficient { .. } => "insufficient",
        Verdict::NoData { .. } => "no data",
    }
}

fn text(document: &Document) -> String {
    let weight = document.weight_basis_points;
    let mut text = format!("{} at {weight}", name(document.verdict));
    let why = why(document);
    let _ = writeln!(text, ": {why}");
    if let Verdict::Insufficient { needed } = document.verdict {
        for line in needs(&needed, weight) {
            let _ = writeln!(text, "  {line}");
        }
    }
    let header = ["weight", "arm", "#requests", "#bad", "#share"];
    let rows = document.counts.iter().flat_map(count_rows);
    let _ = writeln!(text, "\n{}", table(&header, rows));
    let header = ["question", "#found", "#lower", "#upper", "breach", "clear"];
    let _ = write!(text, "\n{}", table(&header, questions(document)));
    text
}

fn why(document: &Document) -> &'static str {
    match (document.verdict, document.grounds) {
        (Verdict::Breach, Some(Grounds::Rate)) => {
            "the candidate's share of bad requests is above what is tolerated"
        }
        (Verdict::Breach, _) => {
            "the candidate's risk over the stable arm's is above what is tolerated"
        }
        (Verdict::Clear, Some(Grounds::Rate)) => {
            "the candidate's share of bad requests is as low as was asked for"
        }
        (Verdict::Clear, _) => {
            "the candidate's risk over the stable arm's is as low as was asked for"
        }
        (Verdict::Insufficient { .. }, _) => "neither a breach nor a clearance is shown yet",
        (Verdict::NoData { reason }, _) => match reason {
            Absence::Missing => "the candidate has no requests at this weight",
            Absence::SampleRatioMismatch => {
                "requests do not reach the arms by the weights, so the arms cannot be compared"
            }
            Absence::Stale => "what there is is too old",
            Absence::NotANumber => "what there is is not a number",
            Absence::TooFewRequests => "there are too few requests",
        },
    }
}

/// What is missing at best, a line for each way.
fn needs(needed: &Needed, weight: Weight) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(requests) = needed.good_requests_to_clear {
        let both = (requests as f64 / weight.share()).ceil();
        lines.push(format!(
            "clear after {requests} more requests of the candidate, about {both} of both arms, if none is bad"
        ));
    }
    if let Some(bad) = needed.bad_requests_to_clear {
        lines.push(format!(
            "clear after {bad} more bad requests, if all are the stable arm's"
        ));
    }
    if let Some(bad) = needed.bad_requests_to_breach {
        lines.push(format!(
            "breach after {bad} more bad requests, if all are the candidate's"
        ));
    }
    lines
}

fn count_rows((weight, arms): (Weight, Arms)) -> Vec<Vec<String>> {
    let row = |weight: String, arm: &str, tally: Tally| {
        let (requests, bad) = (tally.requests().to_string(), tally.bad().to_string());
        let share = tally.rate().map_or_else(|| "–".to_owned(), number);
        vec![weight, arm.to_owned(), requests, bad, share]
    };
    let mut rows = vec![row(weight.to_string(), "candidate", arms.candidate)];
    if !weight.is_whole() {
        rows.push(row(String::new(), "stable", arms.stable));
    }
    rows
}

fn questions(document: &Document) -> Vec<Vec<String>> {
    let criteria = &document.criteria;
    let end = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let ratio = &document.ratio;
    let mut rows = vec![
        vec![
            format!("E: risk above {} times", criteria.ratio.tolerated.get()),
            document.worse.text(),
            String::new(),
            String::new(),
            format!("from {}", number(document.worse.bar)),
            String::new(),
        ],
        vec![
            "ratio of risks".to_owned(),
            end(ratio.estimate),
            number(ratio.lower),
            end(ratio.upper),
            String::new(),
            format!("upper below {}", criteria.ratio.certified.get()),
        ],
    ];
    if let (Some(rate), Some(asked)) = (&document.rate, &criteria.rate) {
        rows.push(vec![
            "candidate's share".to_owned(),
            number(rate.estimate),
            number(rate.lower),
            number(rate.upper),
            format!("lower above {} at 100 %", asked.tolerated.get()),
            format!("upper below {}", asked.certified.get()),
        ]);
    }
    rows.push(vec![
        "E: wrong assignment".to_owned(),
        document.mismatch.text(),
        String::new(),
        String::new(),
        format!("no verdict from {}", number(document.mismatch.bar)),
        String::new(),
    ]);
    rows
}

/// With four digits that say something.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude > 0.0 && !(1e-4..1e6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = if magnitude >= 100.0 {
        1
    } else if magnitude >= 1.0 {
        3
    } else {
        5
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_about_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.002_95, "0.00295"),
            (1_234.567, "1234.6"),
            (111.111_111, "111.1"),
            (2e-10, "2.000e-10"),
            (3e7, "3.000e7"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
