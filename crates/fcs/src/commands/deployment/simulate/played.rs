//! Rollouts played by a plan.

use std::num::{NonZero, NonZeroU64};
use std::thread;

use fcs_core::Probability;
use fcs_rollout::statistics::simulate::{
    Dice, Figures, Plan, RuleFigures, Scenario, Tallied, play,
};
use indicatif::ProgressBar;
use serde::Serialize;

use super::FORMAT;
use crate::cli::{Format, ScenarioArguments};
use crate::exit::CliError;
use crate::output::{print, table};
use crate::progress;

/// What is printed. It follows from plan, scenario and seed, whatever the number of processors.
#[derive(Serialize)]
struct Document {
    format: u32,
    plan: Plan,
    seed: u64,
    candidates: Vec<Candidate>,
}

/// One candidate.
#[derive(Serialize)]
struct Candidate {
    times: f64,
    scenario: Scenario,
    #[serde(flatten)]
    figures: Figures,
}

/// Plays every candidate's rollouts.
pub(super) fn run(output: Format, arguments: &ScenarioArguments, plan: Plan) -> anyhow::Result<()> {
    let scenarios = scenarios(arguments)?;
    let rollouts = arguments.rollouts;
    let bar = progress::bar("rollouts", rollouts.get() * scenarios.len() as u64);
    let play_one = |(times, scenario)| Candidate {
        times,
        scenario,
        figures: play_all(&plan, &scenario, arguments.seed, rollouts, &bar),
    };
    let candidates = scenarios.into_iter().map(play_one).collect();
    bar.finish_and_clear();
    let document = Document {
        format: FORMAT,
        plan,
        seed: arguments.seed,
        candidates,
    };
    print(output, &document, text)
}

fn scenarios(arguments: &ScenarioArguments) -> Result<Vec<(f64, Scenario)>, CliError> {
    let stable_bad = arguments.stable_bad;
    let scenario = |times: &f64| {
        let candidate_bad = Probability::try_from(stable_bad.get() * times).map_err(|_| {
            let share = stable_bad.get();
            CliError::Usage(format!(
                "--times: {times} times {share} is no share of requests"
            ))
        })?;
        let scenario = Scenario {
            requests_per_s: arguments.requests_per_second,
            stable_bad,
            candidate_bad,
            outage: arguments.outage,
        };
        if !scenario.is_usable() {
            let problem = "--requests-per-second: write a number above 0 and at most 1000000";
            return Err(CliError::Usage(problem.to_owned()));
        }
        Ok((*times, scenario))
    };
    arguments.times.iter().map(scenario).collect()
}

/// Spreads the rollouts over the processors.
fn play_all(
    plan: &Plan,
    scenario: &Scenario,
    seed: u64,
    rollouts: NonZeroU64,
    bar: &ProgressBar,
) -> Figures {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let work = |first: usize| {
        let mut tallied = Tallied::default();
        for rollout in (first as u64..rollouts.get()).step_by(workers) {
            tallied.add(&play(plan, scenario, &mut Dice::of(seed, rollout)));
            bar.inc(1);
        }
        tallied
    };
    let mut sum = Tallied::default();
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..workers)
            .map(|first| scope.spawn(move || work(first)))
            .collect();
        for worker in running {
            sum.merge(
                worker
                    .join()
                    .expect("playing a checked plan does not panic"),
            );
        }
    });
    sum.figures().expect("at least one rollout was played")
}

fn text(document: &Document) -> String {
    let steps = &document.plan.parts().steps;
    let weights: Vec<String> = steps
        .iter()
        .map(|it| it.weight_basis_points.to_string())
        .collect();
    let Some(first) = document.candidates.first() else {
        return String::new();
    };
    let minutes = document.plan.duration_s() as f64 / 60.0;
    let header = [
        "times the risk",
        "#stopped",
        "#half within",
        "#bad served",
        "#by threshold",
        "#half within",
        "#bad served",
        "clear after each step",
    ];
    format!(
        "{} in {minutes} min at {} requests per second, {} of them bad; {} rollouts for each line\n\n{}\n\
         stopped: by the tests; by threshold: by more than 5 % bad for 5 min alone",
        weights.join(", "),
        first.scenario.requests_per_s,
        first.scenario.stable_bad.get(),
        first.figures.rollouts,
        table(&header, document.candidates.iter().map(row)),
    )
}

fn row(candidate: &Candidate) -> Vec<String> {
    let figures = &candidate.figures;
    let cleared: Vec<String> = figures
        .cleared
        .iter()
        .map(|share| percent(*share))
        .collect();
    let [stopped, median, bad] = cells(&figures.tests);
    let [by_threshold, later, more_bad] = cells(&figures.threshold);
    vec![
        candidate.times.to_string(),
        stopped,
        median,
        bad,
        by_threshold,
        later,
        more_bad,
        cleared.join(", "),
    ]
}

fn cells(figures: &RuleFigures) -> [String; 3] {
    let minutes = |seconds: u64| format!("{:.2} min", seconds as f64 / 60.0);
    [
        percent(figures.stopped),
        figures
            .median_stop_s
            .map_or_else(|| "–".to_owned(), minutes),
        format!("{:.1}", figures.candidate_bad_mean),
    ]
}

/// With two digits that say something.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = if percent > 0.0 && percent < 10.0 {
        2
    } else {
        0
    };
    format!("{percent:.decimals$} %")
}
