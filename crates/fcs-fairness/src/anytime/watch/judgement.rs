use fcs_core::{Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use super::{EValue, FindingKind, Multiplicity, Question, Rules, WatchState};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What holds for one question now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The limit is broken.
    Breach,
    /// The limit is kept.
    Clear,
    /// Neither is shown.
    InsufficientEvidence,
    /// Decisions stopped coming, so nothing can be said of now.
    Stale,
}

/// Who has not been seen for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silent {
    /// Neither side.
    Feed,
    /// The reference group.
    Reference,
    /// The group that is compared with it.
    Group,
}

/// Why the verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grounds {
    /// The evidence of a breach reached its bar.
    Shown,
    /// The change detector reached its run length.
    ShownByRunLength,
    /// The evidence of the limit being kept reached its bar, not too long ago.
    Cleared,
    /// The latest clearance is too old.
    ClearanceExpired,
    /// No decision of the reference group was ever seen.
    MissingReference,
    /// No decision of the group was ever seen.
    MissingGroup,
    /// A side is smaller than the policy's minimum.
    TooFewDecisions,
    /// The evidence reached neither bar.
    Undecided,
    /// The feed or one side stopped.
    Silence,
}

/// A verdict with everything it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What holds.
    pub verdict: Verdict,
    /// Why.
    pub grounds: Grounds,
    /// Who stopped coming, whatever the verdict: a breach outlasts silence.
    pub silent: Option<Silent>,
    /// About how many more decisions an answer takes; `None` if there is one, or if what was seen so far
    /// does not lead to any.
    pub more_decisions: Option<u64>,
    /// The logarithm of the e-value of a breach since the latest answer.
    pub breach_ln_e: EValue,
    /// The logarithm of the e-value of the limit being kept; `None` where that cannot be shown.
    pub clear_ln_e: Option<EValue>,
    /// Blocks since the latest answer.
    pub blocks: u64,
    /// Decisions of the reference group.
    pub reference_decisions: u64,
    /// Decisions of the group that is compared with it.
    pub group_decisions: u64,
    /// When the answer was found, for a breach or a clearance.
    pub found_at: Option<UnixMicros>,
    /// The policy it was judged by.
    pub policy: Digest,
    /// When it was judged.
    pub judged_at: UnixMicros,
}

/// Says what holds of a question that is one of `questions`.
pub(super) fn judge(
    question: &Question<'_>,
    rules: &Rules,
    questions: usize,
    now: UnixMicros,
) -> Judgement {
    let state = &*question.state;
    let silent = silence(state, rules, now);
    let (verdict, grounds) = ground(question, rules, silent, now);
    let answered = matches!(verdict, Verdict::Breach | Verdict::Clear);
    let missing = || more_decisions(question, rules, questions);
    Judgement {
        verdict,
        grounds,
        silent,
        more_decisions: if answered { None } else { missing() },
        breach_ln_e: state.bets.breach_e_value(),
        clear_ln_e: state.bets.clear_e_value(),
        blocks: state.bets.lasting().blocks(),
        reference_decisions: state.reference().decisions(),
        group_decisions: state.group().decisions(),
        found_at: state
            .finding()
            .filter(|_| answered)
            .map(|finding| finding.at),
        policy: rules.policy,
        judged_at: now,
    }
}

fn ground(
    question: &Question<'_>,
    rules: &Rules,
    silent: Option<Silent>,
    now: UnixMicros,
) -> (Verdict, Grounds) {
    let state = &*question.state;
    let kind = state.finding().map(|finding| finding.kind);
    match kind {
        Some(FindingKind::Breach) => return (Verdict::Breach, Grounds::Shown),
        Some(FindingKind::ChangeToBreach) => return (Verdict::Breach, Grounds::ShownByRunLength),
        Some(FindingKind::Clear) | None => {}
    }
    if silent.is_some() {
        return (Verdict::Stale, Grounds::Silence);
    }
    let cleared = state
        .finding()
        .is_some_and(|finding| !is_older(Some(finding.at), rules.clear_valid_for_s, now));
    match kind {
        Some(_) if cleared => (Verdict::Clear, Grounds::Cleared),
        Some(_) => (Verdict::InsufficientEvidence, Grounds::ClearanceExpired),
        None => (Verdict::InsufficientEvidence, why_undecided(question)),
    }
}

fn why_undecided(question: &Question<'_>) -> Grounds {
    if question.state.reference().decisions() == 0 {
        Grounds::MissingReference
    } else if question.state.group().decisions() == 0 {
        Grounds::MissingGroup
    } else if question.is_large_enough() {
        Grounds::Undecided
    } else {
        Grounds::TooFewDecisions
    }
}

/// Who was seen before, and not for too long.
fn silence(state: &WatchState, rules: &Rules, now: UnixMicros) -> Option<Silent> {
    let (reference, group) = (state.reference().last_at(), state.group().last_at());
    if is_older(reference.max(group), rules.feed_stale_after_s, now) {
        return Some(Silent::Feed);
    }
    if is_older(reference, rules.side_stale_after_s, now) {
        return Some(Silent::Reference);
    }
    is_older(group, rules.side_stale_after_s, now).then_some(Silent::Group)
}

fn is_older(at: Option<UnixMicros>, limit_s: u32, now: UnixMicros) -> bool {
    let limit_micros = i64::from(limit_s).saturating_mul(MICROS_PER_SECOND);
    at.is_some_and(|at| now.0.saturating_sub(at.0) > limit_micros)
}

/// The decisions until the evidence reaches its bar, and until both sides are large enough.
fn more_decisions(question: &Question<'_>, rules: &Rules, questions: usize) -> Option<u64> {
    // If this is the only alarm, e-BH asks of it what Bonferroni asks.
    let factor = match rules.multiplicity {
        Multiplicity::Each => 1.0,
        Multiplicity::EBh | Multiplicity::Bonferroni => questions.max(1) as f64,
    };
    let bar = EValue::from_ln(rules.alpha.bar().ln() + libm::log(factor));
    let until_shown = question.state.bets().forecast(bar).nearest();
    let until_large = until_large_enough(question);
    match (until_shown, until_large) {
        (Some(shown), Some(large)) => Some(shown.max(large)),
        (one, other) => one.or(other),
    }
}

/// The decisions of both sides until the smaller one has its minimum at the present mix; `None` if it has.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that is cut off at the largest integer"
)]
fn until_large_enough(question: &Question<'_>) -> Option<u64> {
    let state = &*question.state;
    let missing = state.missing_members(question.minimum_group_size);
    if missing == 0 {
        return None;
    }
    let smaller = state.reference().decisions().min(state.group().decisions());
    if smaller == 0 {
        return Some(missing);
    }
    let decisions_per_member = state.decisions() as f64 / smaller as f64;
    Some((missing as f64 * decisions_per_member).ceil() as u64)
}
