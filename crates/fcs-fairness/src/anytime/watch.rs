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
use super::{Alpha, Bets, EValue, Payoffs, Starts};

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
    pub fn question(&mut self, minimum_group_size: u64) -> Question<'_> {
        Question {
            state: &mut self.state,
            minimum_group_size,
        }
    }

    fn close(&mut self, closed: Option<Payoffs>) {
        if let Some(payoffs) = closed {
            self.state.bets.add(&payoffs);
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
        self.state
            .see_in_part(Side::Reference, member.reference(), at);
        self.state.see_in_part(Side::Group, member.group(), at);
        let closed = self.blocks.add(member);
        self.close(closed);
    }
}

/// A watch at a look.
#[derive(Debug)]
pub struct Question<'a> {
    state: &'a mut WatchState,
    /// A side with fewer decisions gets no answer.
    minimum_group_size: u64,
}

impl Question<'_> {
    fn is_large_enough(&self) -> bool {
        self.state.missing_members(self.minimum_group_size) == 0
    }

    /// The evidence of a breach; none while a side is too small.
    fn breach_evidence(&self) -> EValue {
        if self.is_large_enough() {
            self.state.bets().breach_e_value()
        } else {
            EValue::NONE
        }
    }

    /// The evidence of the limit being kept; none while a side is too small, or where it cannot be shown.
    fn clear_evidence(&self) -> EValue {
        let shown = self.state.bets().clear_e_value();
        shown
            .filter(|_| self.is_large_enough())
            .unwrap_or(EValue::NONE)
    }

    fn run_length_reached(&self, rules: &Rules) -> bool {
        let change = self.state.bets().change();
        let bar = EValue::from_ln(libm::log(rules.run_length_blocks.max(1) as f64));
        let counts = change.starts() == Starts::EveryBlock && self.is_large_enough();
        counts && change.level().reaches(bar)
    }
}

/// Looks at questions that belong together, in a fixed order: finds answers, and says what holds now.
///
/// Call it on a timer, or after each decision of a single question. The number of questions enters by
/// [`Rules::multiplicity`], so pass all of them each time.
pub fn look(questions: &mut [Question<'_>], rules: &Rules, now: UnixMicros) -> Vec<Judgement> {
    let breach_evidence: Vec<EValue> = questions.iter().map(Question::breach_evidence).collect();
    let clear_evidence: Vec<EValue> = questions.iter().map(Question::clear_evidence).collect();
    let breaches = rejected(&breach_evidence, rules.alpha, rules.multiplicity);
    let clearances = rejected(&clear_evidence, rules.alpha, rules.multiplicity);
    let answers = breaches.into_iter().zip(clearances);
    for (question, (breach, clear)) in questions.iter_mut().zip(answers) {
        if breach {
            question.state.conclude(FindingKind::Breach, now);
        } else if question.run_length_reached(rules) {
            question.state.conclude(FindingKind::ChangeToBreach, now);
        } else if clear {
            question.state.conclude(FindingKind::Clear, now);
        }
    }
    let count = questions.len();
    questions
        .iter()
        .map(|question| judgement::judge(question, rules, count, now))
        .collect()
}

#[cfg(test)]
mod tests;
