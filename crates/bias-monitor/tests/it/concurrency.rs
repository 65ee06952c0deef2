//! Two processes on one PostgreSQL: no pair of decision and demographics is missed, nothing counts twice.

use std::sync::Arc;

use bias_monitor::app::change::Change;
use bias_monitor::app::facts::{CreditOutcome, Outcome};
use bias_monitor::store::MonitorStore;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Engine, Place, decision, demographics, event};

const APPLICATIONS: u64 = 400;
const BATCH: usize = 10;

/// Writes batches one after another, from the moment on that all writers have started.
fn writer(
    tasks: &mut JoinSet<()>,
    store: &Arc<dyn MonitorStore>,
    barrier: &Arc<Barrier>,
    batches: Vec<Change>,
) {
    let (store, barrier) = (Arc::clone(store), Arc::clone(barrier));
    tasks.spawn(async move {
        barrier.wait().await;
        for batch in batches {
            store.write(&batch).await.unwrap();
        }
    });
}

fn batches<T: Clone>(items: &[T], change: fn(Vec<T>) -> Change) -> Vec<Change> {
    items
        .chunks(BATCH)
        .map(|chunk| change(chunk.to_vec()))
        .collect()
}

fn name(number: u64) -> String {
    format!("A-{number:03}")
}

fn all_decisions() -> Vec<Change> {
    let log: Vec<_> = (1..=APPLICATIONS)
        .map(|it| decision(it, &name(it), Outcome::Approve))
        .collect();
    batches(&log, Change::Decisions)
}

fn all_demographics() -> Vec<Change> {
    let groups = ["female", "male"];
    let group = |number: u64| groups[usize::try_from(number % 2).unwrap()];
    let items: Vec<_> = (1..=APPLICATIONS)
        .map(|it| demographics(&name(it), &[("sex", group(it))]))
        .collect();
    batches(&items, Change::Demographics)
}

fn all_outcomes() -> Vec<Change> {
    let repaid = |it: u64| event(&format!("e{it}"), &name(it), CreditOutcome::Repaid, 1);
    let events: Vec<_> = (1..=APPLICATIONS).map(repaid).collect();
    batches(&events, Change::Outcomes)
}

/// Runs writers at the same time, each with the store of one of two processes.
async fn run(place: &Place, writers: Vec<Vec<Change>>) {
    let stores = [place.open().await.store, place.open().await.store];
    let barrier = Arc::new(Barrier::new(writers.len()));
    let mut tasks = JoinSet::new();
    for (number, batches) in writers.into_iter().enumerate() {
        writer(&mut tasks, &stores[number % 2], &barrier, batches);
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_decision_and_its_demographics_that_come_together_find_each_other() {
    let place = Place::new(Engine::Postgres).await;
    run(&place, vec![all_decisions(), all_demographics()]).await;
    let opened = place.open().await;
    opened.assert_equals_recount().await;
    let tables = opened
        .store
        .tables(None, bias_monitor::store::EVER)
        .await
        .unwrap();
    assert_eq!(
        tables.attributes["sex"]["female"].approved,
        APPLICATIONS / 2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_processes_count_everything_once() {
    let place = Place::new(Engine::Postgres).await;
    // Both processes read the same feed, and the same outcomes and demographics reach both.
    let writers = vec![
        all_decisions(),
        all_decisions(),
        all_demographics(),
        all_demographics(),
        all_outcomes(),
        all_outcomes(),
    ];
    run(&place, writers).await;
    let opened = place.open().await;
    opened.assert_equals_recount().await;
    let tables = opened
        .store
        .tables(None, bias_monitor::store::EVER)
        .await
        .unwrap();
    assert_eq!(tables.total.approved_repaid, APPLICATIONS);
    assert_eq!(
        tables.attributes["sex"]["female"].approved_repaid,
        APPLICATIONS / 2
    );
    assert_eq!(tables.attributes["sex"]["male"].approved, APPLICATIONS / 2);
}
