//! Whatever comes in whatever order, the counters equal a count from nothing.

use bias_monitor::app::change::Change;
use bias_monitor::app::facts::{CreditOutcome, LoggedDecision, Outcome};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::{Engine, Place, decision, demographics, event, probabilities};

const APPLICATIONS: [&str; 5] = ["A", "B", "C", "D", "E"];
const ATTRIBUTES: [&str; 2] = ["age_band", "sex"];
const GROUPS: [&str; 3] = ["x", "y", "z"];
const MODELS: [&str; 2] = ["demo/1", "demo/2"];
const ARMS: [&str; 2] = ["stable", "canary"];

#[derive(Debug, Clone)]
struct NewDecision {
    application: usize,
    outcome: usize,
    model: usize,
    arm: usize,
    minute: i64,
    probability_ppm: i64,
}

#[derive(Debug, Clone)]
enum Op {
    /// New entries of the log.
    Decide(Vec<NewDecision>),
    /// Entries from so far back, again.
    Repeat(usize),
    /// Application, attribute, group.
    Demographics(Vec<(usize, usize, usize)>),
    /// Application, version, how many groups, hundredths of the first of them.
    Probabilities(Vec<(usize, usize, usize, u8)>),
    /// Event, application, outcome, time.
    Outcomes(Vec<(usize, usize, usize, i64)>),
    /// The process ends and another starts.
    Restart,
}

fn new_decision() -> impl Strategy<Value = NewDecision> {
    let probability = prop_oneof![Just(0_i64), Just(1_000_000), 0..=1_000_000_i64];
    (
        0..APPLICATIONS.len(),
        0..3_usize,
        0..2_usize,
        0..2_usize,
        prop_oneof![0..3_i64, 59..61_i64],
        probability,
    )
        .prop_map(
            |(application, outcome, model, arm, minute, probability_ppm)| NewDecision {
                application,
                outcome,
                model,
                arm,
                minute,
                probability_ppm,
            },
        )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => vec(new_decision(), 1..8).prop_map(Op::Decide),
        1 => (1..10_usize).prop_map(Op::Repeat),
        4 => vec((0..APPLICATIONS.len(), 0..ATTRIBUTES.len(), 0..GROUPS.len()), 1..6)
            .prop_map(Op::Demographics),
        4 => vec((0..APPLICATIONS.len(), 0..2_usize, 2..4_usize, 0..=100_u8), 1..6)
            .prop_map(Op::Probabilities),
        4 => vec((0..20_usize, 0..APPLICATIONS.len(), 0..2_usize, 0..4_i64), 1..6).prop_map(Op::Outcomes),
        1 => Just(Op::Restart),
    ]
}

fn logged(log_index: u64, new: &NewDecision) -> LoggedDecision {
    let mut logged = decision(
        log_index,
        APPLICATIONS[new.application],
        Outcome::ALL[new.outcome],
    );
    logged.decision.model = MODELS[new.model].parse().unwrap();
    ARMS[new.arm].clone_into(&mut logged.decision.arm);
    logged.decision.minute = new.minute;
    logged.decision.probability_ppm = new.probability_ppm;
    logged
}

fn change(op: &Op, log: &mut Vec<LoggedDecision>) -> Option<Change> {
    let change = match op {
        Op::Restart => return None,
        Op::Decide(new) => {
            let start = log.len();
            for new in new {
                log.push(logged(log.len() as u64 + 1, new));
            }
            Change::Decisions(log[start..].to_vec())
        }
        Op::Repeat(count) => Change::Decisions(log[log.len().saturating_sub(*count)..].to_vec()),
        Op::Demographics(items) => {
            let item = |(application, attribute, group): &(usize, usize, usize)| {
                demographics(
                    APPLICATIONS[*application],
                    &[(ATTRIBUTES[*attribute], GROUPS[*group])],
                )
            };
            Change::Demographics(items.iter().map(item).collect())
        }
        Op::Probabilities(items) => {
            let item = |(application, version, groups, first): &(usize, usize, usize, u8)| {
                let first = f64::from(*first) / 100.0;
                let others = u32::try_from(groups - 1).unwrap();
                let mut of_groups = vec![(GROUPS[0], first)];
                let other = |group: &&'static str| (*group, (1.0 - first) / f64::from(others));
                of_groups.extend(GROUPS[1..*groups].iter().map(other));
                probabilities(APPLICATIONS[*application], ["1", "2"][*version], &of_groups)
            };
            Change::GroupProbabilities(items.iter().map(item).collect())
        }
        Op::Outcomes(events) => {
            let item = |(id, application, outcome, at): &(usize, usize, usize, i64)| {
                let outcome = CreditOutcome::ALL[*outcome];
                event(&format!("e{id}"), APPLICATIONS[*application], outcome, *at)
            };
            Change::Outcomes(events.iter().map(item).collect())
        }
    };
    Some(change)
}

async fn play(engine: Engine, ops: &[Op]) {
    let place = Place::new(engine).await;
    let mut opened = place.open().await;
    let mut log = Vec::new();
    for op in ops {
        let Some(change) = change(op, &mut log) else {
            opened.database.close().await;
            opened = place.open().await;
            continue;
        };
        opened.write(change.clone()).await;
        opened.assert_equals_recount().await;
        let again = opened.write(change).await;
        // A batch may correct what it says itself.
        if !matches!(op, Op::Demographics(_) | Op::Probabilities(_)) {
            assert_eq!(again.recorded, 0, "a repeated batch records nothing");
        }
        assert_eq!(again.last_index, log.len() as u64);
    }
    opened.assert_equals_recount().await;
    opened.database.close().await;
}

fn run(engine: Engine, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&vec(op(), 1..16), |ops| {
        let played = std::panic::AssertUnwindSafe(|| runtime.block_on(play(engine, &ops)));
        std::panic::catch_unwind(played).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            TestCaseError::fail(text)
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn counters_equal_a_recount_on_sqlite() {
    run(Engine::Sqlite, 64);
}

#[test]
fn counters_equal_a_recount_on_postgres() {
    run(Engine::Postgres, 4);
}
