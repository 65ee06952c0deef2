//! One question watched over time: blocks, bets, who was seen when, and the verdict.
//!
//! A verdict is an answer that was found and is still good:
//! - *breach*: shown, and not cleared since by decisions that came afterwards;
//! - *clear*: shown less than [`Rules::clear_valid_for_s`] ago, while both sides are still being seen;
//! - *stale*: decisions stopped coming, from everywhere or from one side;
//! - *insufficient evidence*: anything else, with the number of decisions that are about missing.
//!
//! Each answer starts new bets, so an old good time never outweighs what happens now.

use fcs_core::{Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use super::gap::{Arm, PairedBlocks, PairedDecision, SplitBlocks, Tolerance};
use super::multiple::{Multiplicity, rejected};
use super::ratio::{Floor, RatioBlocks, Side};
use super::weighted::{Member, WeightedBlocks};
use super::{Alpha, EValue, Evidence, Payoffs, Starts};

mod judgement;
mod state;

pub use judgement::{Grounds, Judgement, Silent, Verdict};
pub use state::{Attendance, Finding, FindingKind, WatchState};

/// What a verdict must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The probability of a wrong answer that is accepted.
    pub alpha: Alpha,
    /// How the number of questions is paid for.
    pub multiplicity: Multiplicity,
    /// A side with fewer decisions gets no answer.
    pub minimum_group_size: u64,
    /// No decision at all for so long is a stopped feed.
    pub feed_stale_after_s: u32,
    /// No decision of one side for so long is a missing side.
    pub side_stale_after_s: u32,
    /// How long a clearance is good for.
    pub clear_valid_for_s: u32,
    /// For [`Starts::EveryBlock`]: the mean number of blocks to a false alarm.
    pub run_length_blocks: u64,
    /// The policy that these rules are from.
    pub policy: Digest,
}

/// A question, with the former of its blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch<B> {
    blocks: B,
    state: WatchState,
}

/// Watches an adverse impact ratio.
pub type RatioWatch = Watch<RatioBlocks>;
/// Watches the approval gap of a new version, both versions deciding every application.
pub type PairedWatch = Watch<PairedBlocks>;
/// Watches the approval gap of a new version that decides a share of the applications.
pub type SplitWatch = Watch<SplitBlocks>;
/// Watches an adverse impact ratio by probabilities of membership.
pub type WeightedWatch = Watch<WeightedBlocks>;

impl<B> Watch<B> {
    /// What is known so far.
    pub fn state(&self) -> &WatchState {
        &self.state
    }

    /// For [`look`].
    pub fn state_mut(&mut self) -> &mut WatchState {
        &mut self.state
    }

    fn close(&mut self, closed: Option<Payoffs>) {
        if let Some(payoffs) = closed {
            self.state.evidence.add(&payoffs);
        }
    }
}

impl RatioWatch {
    /// Begins to watch.
    pub fn ratio(floor: Floor, starts: Starts) -> Self {
        Self {
            blocks: RatioBlocks::new(floor),
            state: WatchState::new(starts),
        }
    }

    /// Counts a decision.
    pub fn record(&mut self, side: Side, approved: bool, at: UnixMicros) {
        self.state.see(side, at);
        let closed = self.blocks.add(side, approved);
        self.close(closed);
    }
}

impl PairedWatch {
    /// Begins to watch.
    pub fn paired(tolerance: Tolerance, starts: Starts) -> Self {
        Self {
            blocks: PairedBlocks::new(tolerance),
            state: WatchState::new(starts),
        }
    }

    /// Counts an application that both versions decided.
    pub fn record(&mut self, decision: PairedDecision, at: UnixMicros) {
        self.state.see(decision.side, at);
        let closed = self.blocks.add(decision);
        self.close(closed);
    }
}

impl SplitWatch {
    /// Begins to watch.
    pub fn split(tolerance: Tolerance, starts: Starts) -> Self {
        Self {
            blocks: SplitBlocks::new(tolerance),
            state: WatchState::new(starts),
        }
    }

    /// Counts a decision of one version. Only the new version's count towards the minimum size.
    pub fn record(&mut self, arm: Arm, side: Side, approved: bool, at: UnixMicros) {
        if arm == Arm::New {
            self.state.see(side, at);
        }
        let closed = self.blocks.add(arm, side, approved);
        self.close(closed);
    }
}

impl WeightedWatch {
    /// Begins to watch.
    pub fn weighted(floor: Floor, starts: Starts) -> Self {
        Self {
            blocks: WeightedBlocks::new(floor),
            state: WatchState::new(starts),
        }
    }

    /// Counts a decision; each side is as large as its probabilities add up to.
    pub fn record(&mut self, member: Member, at: UnixMicros) {
        self.state.see_in_part(Side::Reference, member.reference(), at);
        self.state.see_in_part(Side::Group, member.group(), at);
        let closed = self.blocks.add(member);
        self.close(closed);
    }
}

/// Looks at questions that belong together, in a fixed order: finds answers, and says what holds now.
///
/// Call it on a timer, or after each decision of a single question. The number of questions enters by
/// [`Rules::multiplicity`], so pass all of them each time.
pub fn look(questions: &mut [&mut WatchState], rules: &Rules, now: UnixMicros) -> Vec<Judgement> {
    let breaches = rejected(&usable(questions, rules, breach_evidence), rules.alpha, rules.multiplicity);
    let clearances = rejected(&usable(questions, rules, clear_evidence), rules.alpha, rules.multiplicity);
    let answers = breaches.into_iter().zip(clearances);
    for (question, (breach, clear)) in questions.iter_mut().zip(answers) {
        let changed = question.is_large_enough(rules) && question.run_length_reached(rules);
        if breach {
            question.conclude(FindingKind::Breach, now);
        } else if changed {
            question.conclude(FindingKind::ChangeToBreach, now);
        } else if clear {
            question.conclude(FindingKind::Clear, now);
        }
    }
    let count = questions.len();
    questions
        .iter()
        .map(|question| judgement::judge(question, rules, count, now))
        .collect()
}

fn breach_evidence(question: &WatchState) -> Option<EValue> {
    Some(question.evidence.breach_e_value())
}

fn clear_evidence(question: &WatchState) -> Option<EValue> {
    question.evidence.clear_e_value()
}

/// The evidence of each question, none where a side is too small or nothing can be shown.
fn usable(
    questions: &[&mut WatchState],
    rules: &Rules,
    evidence: impl Fn(&WatchState) -> Option<EValue>,
) -> Vec<EValue> {
    let of = |question: &WatchState| {
        let usable = evidence(question).filter(|_| question.is_large_enough(rules));
        usable.unwrap_or(EValue::from_ln(f64::NEG_INFINITY))
    };
    questions.iter().map(|question| of(question)).collect()
}

#[cfg(test)]
mod tests;
