//! Whether a model in the shadow widens the gap between groups, compared with the model that decided.
//!
//! Both models decided the same applications, so what differs is theirs alone: a shadow finds in a thousand applications
//! what a small live share does not find in twenty thousand. Outcomes are taken in the order of the log, each once its
//! live decision is counted and it is known whose it is, or when that was waited for long enough. A sampled decision that
//! the shadow dropped is left out.

use std::collections::BTreeMap;

use fcs_core::{ModelVersion, UnixMicros};
use fcs_fairness::anytime::gap::PairedDecision;
use fcs_fairness::anytime::ratio::Side;
use fcs_fairness::anytime::watch::PairedWatch;
use fcs_fairness::policy::Channel;

use super::evidence::{Candidate, GroupWatch, News, Watched, WatchedGroup, look_at_all};
use super::facts::GroupName;
use super::terms::{AttributeTerms, Terms};

/// Outcomes of one turn at most.
pub const PAGE: u32 = 500;

/// A shadow arm at work, as the gateway tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowArm {
    /// Its name in the traffic table.
    pub name: String,
    /// Its model.
    pub model: ModelVersion,
    /// The table that brought it: another generation is another arm.
    pub since_generation: u64,
    /// It looks at decisions after this log index.
    pub after_index: u64,
}

/// What a shadow arm would have decided about the application of a live decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShadowOutcome {
    /// The live decision's place in the log.
    pub log_index: u64,
    /// Whether it would have approved; nothing where there is no decision of its.
    pub approved: Option<bool>,
}

/// A page of an arm's outcomes, in the order of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShadowPage {
    /// The page begins after this log index.
    pub after_index: u64,
    /// The outcomes.
    pub outcomes: Vec<ShadowOutcome>,
    /// No outcome up to this log index is missing.
    pub up_to_index: u64,
}

/// One turn: a page is taken in, and when there are no more, every group is looked at.
#[derive(Debug, Clone)]
pub struct GapTurn<'a> {
    /// What is watched.
    pub terms: &'a Terms,
    /// The time of the look.
    pub now: UnixMicros,
    /// How long a decision waits for what is known of its applicant, in microseconds.
    pub settle_micros: i64,
    /// Whose outcomes.
    pub arm: &'a ShadowArm,
    /// The outcomes.
    pub page: &'a ShadowPage,
}

/// What the store knows before a turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GapLedger {
    /// Highest log index that is counted: a live decision up to it that is not among the decisions is not one on credit.
    pub counted_index: u64,
    /// The live decisions of the page, by log index.
    pub decisions: BTreeMap<u64, Candidate>,
    /// The groups of the arm's model.
    pub watched: BTreeMap<WatchedGroup, Watched>,
}

/// What a turn led to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GapTurned {
    /// The groups of the arm's model.
    pub watched: BTreeMap<WatchedGroup, Watched>,
    /// What happened to alarms.
    pub news: Vec<News>,
    /// Highest log index that is in the evidence.
    pub last_index: u64,
    /// Whether the page was full and all of it is taken; then nothing was looked at.
    pub more: bool,
}

impl GapTurn<'_> {
    /// Takes in what is settled of the page.
    pub fn run(&self, ledger: GapLedger) -> GapTurned {
        let GapLedger {
            counted_index,
            decisions,
            mut watched,
        } = ledger;
        let mut last_index = self.page.after_index;
        let mut all = true;
        for outcome in &self.page.outcomes {
            match decisions.get(&outcome.log_index) {
                Some(live) if self.is_settled(live) => self.record(&mut watched, live, outcome),
                None if outcome.log_index <= counted_index => {}
                _ => {
                    all = false;
                    break;
                }
            }
            last_index = outcome.log_index;
        }
        if all {
            last_index = self.page.up_to_index.max(last_index);
        }
        let more = all && self.page.outcomes.len() >= PAGE as usize;
        let news = if more {
            Vec::new()
        } else {
            look_at_all(self.terms, self.now, &mut watched)
        };
        GapTurned {
            watched,
            news,
            last_index,
            more,
        }
    }

    fn is_settled(&self, live: &Candidate) -> bool {
        let waited = self.now.0.saturating_sub(live.at.0);
        !live.groups.is_empty() || waited >= self.settle_micros
    }

    /// A model that shadows itself cannot differ, and what it would have decided without an answer is not known.
    fn record(
        &self,
        watched: &mut BTreeMap<WatchedGroup, Watched>,
        live: &Candidate,
        outcome: &ShadowOutcome,
    ) {
        let Some(new_approved) = outcome.approved.filter(|_| live.model != self.arm.model) else {
            return;
        };
        let by_value = |terms: &&AttributeTerms| terms.channel == Channel::Value;
        for terms in self.terms.attributes.iter().filter(by_value) {
            let Some(known) = live.groups.get(&terms.name) else {
                continue;
            };
            let pair = |side| PairedDecision {
                side,
                stable_approved: live.approved,
                new_approved,
            };
            for group in &terms.groups {
                self.watch(watched, terms, &live.model, group);
            }
            if known.group == terms.reference {
                let compared = watched.iter_mut().filter(|(id, _)| {
                    id.baseline.as_ref() == Some(&live.model) && id.attribute == terms.name
                });
                for watch in compared.filter_map(|(_, watched)| watched.watch.as_mut()) {
                    watch.record_pair(pair(Side::Reference), live.at);
                }
            } else if terms.covers(&known.group) {
                let watch = self.watch(watched, terms, &live.model, &known.group);
                watch.record_pair(pair(Side::Group), live.at);
            }
        }
    }

    /// The watch of a group, begun if it is not there.
    fn watch<'a>(
        &self,
        watched: &'a mut BTreeMap<WatchedGroup, Watched>,
        terms: &AttributeTerms,
        baseline: &ModelVersion,
        group: &GroupName,
    ) -> &'a mut GroupWatch {
        let id = WatchedGroup {
            model: self.arm.model.clone(),
            baseline: Some(baseline.clone()),
            attribute: terms.name.clone(),
            group: group.clone(),
        };
        let starts = self.terms.policy.starts();
        let begin = || GroupWatch::Paired(PairedWatch::paired(terms.tolerance, starts));
        let watch = &mut watched.entry(id).or_default().watch;
        watch.get_or_insert_with(begin)
    }
}

#[cfg(test)]
mod tests;
