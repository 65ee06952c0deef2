//! What a monitor holds: counters per model, arm, attribute, group and minute.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use fcs_fairness::Evidence;
use fcs_fairness::scores::{Edges, Histogram, Score, Scores};
use fcs_fairness::table::{Key, Table};
use fcs_fairness::tally::{Decision, Outcome, Tally};

/// Which counter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) model: u8,
    pub(crate) arm: u8,
    pub(crate) attribute: u8,
    pub(crate) group: u8,
    pub(crate) minute: u32,
}

/// Counts and scores of one group in one minute.
pub(crate) struct Counter {
    tally: Tally,
    scores: Histogram,
}

/// All counters.
pub(crate) struct State {
    edges: Edges,
    counters: HashMap<Place, Counter, BuildHasherDefault<Mix>>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            edges: Edges::hundredths(),
            counters: HashMap::default(),
        }
    }

    /// Counts a decision so many times; -1 takes it back.
    pub(crate) fn count(
        &mut self,
        place: Place,
        score: Score,
        (decision, outcome): (Decision, Option<Outcome>),
        times: i64,
    ) {
        let counter = self.counters.entry(place).or_insert_with(|| Counter {
            tally: Tally::default(),
            scores: Histogram::new(self.edges.clone()),
        });
        counter.tally.add(&Tally::one(decision, outcome), times);
        counter.scores.record(score, decision, outcome, times);
    }

    pub(crate) fn len(&self) -> usize {
        self.counters.len()
    }

    /// Decisions in all counters.
    pub(crate) fn decisions(&self) -> i64 {
        let own = self.counters.values();
        own.map(|counter| counter.tally.decisions()).sum()
    }

    /// The groups of one attribute over all minutes, models and arms, ready for a report.
    pub(crate) fn table(&self, attribute: u8, name: &str) -> anyhow::Result<Table> {
        let mut table = Table::new(vec![name.to_owned()]);
        for (place, counter) in &self.counters {
            if place.attribute == attribute {
                let key = Key {
                    groups: vec![Some(place.group.to_string())],
                    stratum: None,
                };
                let evidence = Evidence {
                    tally: counter.tally,
                    scores: Scores::Binned(counter.scores.clone()),
                };
                table.add(&key, &evidence, 1)?;
            }
        }
        Ok(table)
    }
}

/// Mixes the few bytes of a place; nobody outside chooses them, so collisions need not be made hard to find.
#[derive(Default)]
pub(crate) struct Mix(u64);

impl Mix {
    fn add(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.add(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.add(u64::from(number));
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
