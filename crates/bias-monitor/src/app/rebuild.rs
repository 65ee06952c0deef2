//! Counters from nothing: every decision counted again under what is known of its application, beside what is stored.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Groups;
use super::counts::{BinKey, CounterKey, Increments, Sign};
use super::facts::{CreditOutcome, Decision};
use super::profiles::{ProfileIncrements, ProfileKey};
use super::proxies::{Memberships, ProxyIncrements, ProxyKey};

/// Differences that are listed at most.
pub const DIFFERENCES_MAX: usize = 20;

/// Every counter, as it is stored or as a recount gives it. What is zero is not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Decisions that were counted; 0 for what is stored.
    pub decisions: u64,
    /// Counters by minute and group, and calibration.
    pub increments: Increments,
    /// Bins by hour and group.
    pub profiles: ProfileIncrements,
    /// Sums of probabilities by hour.
    pub proxies: ProxyIncrements,
}

/// What is known of the applicant of a decision.
#[derive(Debug, Clone, Default)]
pub struct Applicant {
    /// Protected attributes.
    pub groups: Groups,
    /// What proxies say.
    pub memberships: Memberships,
    /// The outcome in force.
    pub outcome: Option<CreditOutcome>,
}

impl Sums {
    /// Counts a decision.
    pub fn count(&mut self, decision: &Decision, applicant: &Applicant) {
        let Applicant {
            groups,
            memberships,
            outcome,
        } = applicant;
        self.decisions += 1;
        self.increments.add(decision, groups, *outcome, Sign::Plus);
        self.profiles.add(decision, groups, Sign::Plus);
        self.proxies.add(decision, memberships, Sign::Plus);
    }

    /// Drops what is zero.
    pub fn settle(&mut self) {
        self.increments.settle();
        self.profiles.settle();
        self.proxies.settle();
    }

    fn counters(&self) -> u64 {
        let counters = self.increments.counters.len() + self.increments.bins.len();
        (counters + self.profiles.0.len() + self.proxies.0.len()) as u64
    }
}

/// What a recount came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Decisions that were counted again.
    pub decisions: u64,
    /// Counters that they make.
    pub counters: u64,
    /// Counters that were stored with other numbers, not at all, or for nothing.
    pub different: u64,
    /// The first of them, in words, without the name of a group.
    pub differences: Vec<String>,
    /// Whether the recount was stored in their place.
    pub applied: bool,
}

/// Holds what is stored against a recount.
pub fn compare(stored: &Sums, recounted: &Sums) -> Rebuilt {
    let mut rebuilt = Rebuilt {
        decisions: recounted.decisions,
        counters: recounted.counters(),
        ..Rebuilt::default()
    };
    let (left, right) = (&stored.increments, &recounted.increments);
    rebuilt.note(&left.counters, &right.counters, counter_name);
    rebuilt.note(&left.bins, &right.bins, bin_name);
    rebuilt.note(&stored.profiles.0, &recounted.profiles.0, profile_name);
    rebuilt.note(&stored.proxies.0, &recounted.proxies.0, proxy_name);
    rebuilt
}

fn counter_name(key: &CounterKey) -> String {
    let (attribute, _) = key.cell.columns();
    format!(
        "decisions of {} on the arm {} by {attribute:?} in minute {}",
        key.model, key.arm, key.minute
    )
}

fn bin_name(key: &BinKey) -> String {
    format!("calibration of {} in bin {}", key.model, key.bin)
}

fn profile_name(key: &ProfileKey) -> String {
    let (attribute, _) = key.cell.columns();
    format!(
        "bins of {} on the arm {} by {attribute:?} in hour {}",
        key.model, key.arm, key.hour
    )
}

fn proxy_name(key: &ProxyKey) -> String {
    let proxy = &key.panel.proxy;
    format!(
        "probabilities of {} on the arm {} by {:?} of {:?}, version {:?}, in hour {}",
        key.model, key.arm, proxy.attribute, proxy.source, proxy.version, key.hour
    )
}

impl Rebuilt {
    fn note<K: Ord, V: PartialEq>(
        &mut self,
        stored: &BTreeMap<K, V>,
        recounted: &BTreeMap<K, V>,
        name: impl Fn(&K) -> String,
    ) {
        let keys: BTreeSet<&K> = stored.keys().chain(recounted.keys()).collect();
        for key in keys {
            if stored.get(key) == recounted.get(key) {
                continue;
            }
            self.different += 1;
            if self.differences.len() < DIFFERENCES_MAX {
                self.differences.push(name(key));
            }
        }
    }
}
