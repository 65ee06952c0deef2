//! Events a second on one processor, in memory.

use anyhow::ensure;
use fcs_fairness::tally::Outcome;
use serde::Serialize;

use crate::applicant::Applicant;
use crate::clock;
use crate::random::Random;
use crate::state::{Place, State};

/// Decisions that arrive in a second.
const PER_SECOND: u64 = 500;
/// One in so many events is the outcome of an earlier decision.
const OUTCOME_EVERY: u64 = 6;

/// What came of one way to count.
#[derive(Debug, Serialize)]
pub(crate) struct Counting {
    pub(crate) by: &'static str,
    pub(crate) events: usize,
    pub(crate) outcomes: usize,
    pub(crate) counters: usize,
    pub(crate) increments_per_event: f64,
    pub(crate) events_per_second: Vec<f64>,
}

/// A decision, or the outcome of one.
enum Event {
    Decided(Decided),
    Outcome(Decided, Outcome),
}

#[derive(Clone, Copy)]
struct Decided {
    applicant: Applicant,
    model: u8,
    arm: u8,
    minute: u32,
}

/// Counts the same stream in two ways.
pub(crate) fn run(events: usize, repetitions: usize) -> anyhow::Result<[Counting; 2]> {
    let stream = stream(events);
    let by = "attribute, and sex and race together";
    let attributes = measure(by, Applicant::cells, &stream, repetitions)?;
    let by = "combination of all attributes";
    let combinations = measure(by, Applicant::combination, &stream, repetitions)?;
    Ok([attributes, combinations])
}

/// Counts the stream several times, each into an empty state; a decision into each of its cells.
fn measure<const CELLS: usize>(
    by: &'static str,
    cells: impl Fn(&Applicant) -> [(u8, u8); CELLS],
    stream: &[Event],
    repetitions: usize,
) -> anyhow::Result<Counting> {
    let is_outcome = |event: &&Event| matches!(event, Event::Outcome(..));
    let outcomes = stream.iter().filter(is_outcome).count();
    let mut events_per_second = Vec::with_capacity(repetitions);
    let mut counters = 0;
    for _ in 0..repetitions {
        let (state, seconds) = clock::time(|| Ok(counted(stream, &cells)))?;
        events_per_second.push(stream.len() as f64 / seconds);
        counters = state.len();
        let decisions = i64::try_from((stream.len() - outcomes) * CELLS)?;
        ensure!(state.decisions() == decisions, "decisions are missing");
    }
    let increments = (stream.len() + outcomes) * CELLS;
    Ok(Counting {
        by,
        events: stream.len(),
        outcomes,
        counters,
        increments_per_event: increments as f64 / stream.len() as f64,
        events_per_second,
    })
}

/// Two models on two arms each, and outcomes of decisions of any earlier minute.
fn stream(events: usize) -> Vec<Event> {
    let mut random = Random::new(20);
    let mut decided: Vec<Decided> = Vec::with_capacity(events);
    let mut stream = Vec::with_capacity(events);
    for _ in 0..events {
        if !decided.is_empty() && random.below(OUTCOME_EVERY) == 0 {
            let place = random.below(decided.len() as u64) as usize;
            let known = decided.swap_remove(place);
            stream.push(Event::Outcome(known, known.applicant.outcome));
            continue;
        }
        let second = stream.len() as u64 / PER_SECOND;
        let new = Decided {
            applicant: Applicant::random(&mut random),
            model: random.below(2) as u8,
            arm: u8::from(random.below(10) == 0),
            minute: u32::try_from(second / 60).unwrap_or(u32::MAX),
        };
        decided.push(new);
        stream.push(Event::Decided(new));
    }
    stream
}

fn counted<const CELLS: usize>(
    stream: &[Event],
    cells: &impl Fn(&Applicant) -> [(u8, u8); CELLS],
) -> State {
    let mut state = State::new();
    let mut add = |decided: &Decided, outcome: Option<Outcome>, times: i64| {
        let applicant = &decided.applicant;
        for (attribute, group) in cells(applicant) {
            let place = Place {
                model: decided.model,
                arm: decided.arm,
                attribute,
                group,
                minute: decided.minute,
            };
            state.count(place, applicant.score, (applicant.decision, outcome), times);
        }
    };
    for event in stream {
        match event {
            Event::Decided(decided) => add(decided, None, 1),
            Event::Outcome(decided, outcome) => {
                add(decided, None, -1);
                add(decided, Some(*outcome), 1);
            }
        }
    }
    state
}
