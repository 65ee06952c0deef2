//! Memory of 100 groups over 90 days, from counters that are really filled.

use std::fs;

use anyhow::Context;
use fcs_fairness::tally::Tally;
use serde::Serialize;

use crate::applicant::Applicant;
use crate::random::Random;
use crate::state::{Place, State};

const GROUPS: u8 = 100;
const DAYS: u64 = 90;
const PAGE: u64 = 4096;
/// Counters that are filled to learn how large one is.
const SAMPLE: u32 = 16_000;
const BYTES_PER_GIB: f64 = (1_u64 << 30) as f64;

/// A way to keep counters, and what it takes.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) what: String,
    pub(crate) counters: u64,
    pub(crate) bytes_per_counter: f64,
    pub(crate) gib: f64,
}

struct Way {
    what: &'static str,
    counters_per_day: u64,
    /// Of one group, in the span of one counter.
    decisions: u32,
}

const WAYS: [Way; 4] = [
    Way {
        what: "a minute each, 1 decision",
        counters_per_day: 24 * 60,
        decisions: 1,
    },
    Way {
        what: "a minute each, 6 decisions",
        counters_per_day: 24 * 60,
        decisions: 6,
    },
    Way {
        what: "an hour each, 360 decisions",
        counters_per_day: 24,
        decisions: 360,
    },
    Way {
        what: "a day each, 8640 decisions",
        counters_per_day: 1,
        decisions: 8640,
    },
];

/// Measures every way; before anything else, because memory that was freed would be used again unseen.
pub(crate) fn run() -> anyhow::Result<Vec<Memory>> {
    let mut found = Vec::with_capacity(WAYS.len() + 1);
    let mut kept = Vec::with_capacity(WAYS.len());
    for way in &WAYS {
        let counters = u64::from(GROUPS) * DAYS * way.counters_per_day;
        // A day's counters are few and full; fewer of them tell as much.
        let sample = SAMPLE.min(4_000_000 / way.decisions).max(400);
        let before = resident()?;
        // Kept until the end: what is measured next must not find room that this leaves behind.
        kept.push(fill(sample, way.decisions));
        let bytes = resident()?.saturating_sub(before) as f64 / f64::from(sample);
        found.push(Memory {
            what: way.what.to_owned(),
            counters,
            bytes_per_counter: bytes,
            gib: bytes * counters as f64 / BYTES_PER_GIB,
        });
    }
    found.push(counts_alone());
    Ok(found)
}

/// So many counters of so many decisions.
fn fill(counters: u32, decisions: u32) -> State {
    let mut random = Random::new(7);
    let mut state = State::new();
    for number in 0..counters {
        let place = Place {
            model: 0,
            arm: 0,
            attribute: 0,
            group: (number % u32::from(GROUPS)) as u8,
            minute: number / u32::from(GROUPS),
        };
        for _ in 0..decisions {
            let applicant = Applicant::random(&mut random);
            state.count(place, applicant.score, (applicant.decision, None), 1);
        }
    }
    state
}

/// Counts without scores, as computed from the sizes of key and tally in a hash table that is at most 7/8 full and
/// doubles.
fn counts_alone() -> Memory {
    let counters = u64::from(GROUPS) * DAYS * 24 * 60;
    let slots = (counters * 8 / 7).next_power_of_two();
    let slot = size_of::<Place>() + size_of::<Tally>() + 1;
    let bytes = slots as f64 * slot as f64;
    Memory {
        what: "a minute each, counts without scores (computed)".to_owned(),
        counters,
        bytes_per_counter: bytes / counters as f64,
        gib: bytes / BYTES_PER_GIB,
    }
}

fn resident() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/statm").context("read /proc/self/statm")?;
    let pages = text.split(' ').nth(1).context("statm has two numbers")?;
    Ok(pages.parse::<u64>()? * PAGE)
}
