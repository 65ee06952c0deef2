//! What becomes of verdicts: alarms that are raised, acknowledged, muted and ended, with their history.
//!
//! A state machine without a clock: the same events at the same times give the same state. It is told a
//! verdict at every look, and what people do.
//! - An alarm is raised by a breach, at once or after a number of looks in a row.
//! - It ends when a clearance has held for a while. Too little evidence and silence end nothing.
//! - Acknowledging says that somebody works on it. Muting silences notices for a reason and a time. Neither
//!   changes the verdict or [`Alarm::holds`], which is what a gate asks: nobody can mute a gate open.

use fcs_core::{Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use crate::anytime::watch::{Judgement, Verdict};
use crate::policy::AlarmSection;

mod history;

pub use history::{Change, Entry, HISTORY_MAX, History};

const MICROS_PER_SECOND: i64 = 1_000_000;
const TEXT_LENGTH_MAX: usize = 1_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A look found this verdict under a policy.
    Judged {
        /// The verdict.
        verdict: Verdict,
        /// The digest of the policy.
        policy: Digest,
    },
    /// Somebody works on the alarm.
    Acknowledge {
        /// Who.
        by: String,
        /// What they say about it.
        note: String,
    },
    /// Notices are silenced for a while.
    Mute {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when.
        until: UnixMicros,
    },
    /// Notices are wanted again.
    Unmute {
        /// Who.
        by: String,
    },
    /// Time passed.
    Tick,
}

impl From<&Judgement> for Event {
    fn from(judgement: &Judgement) -> Self {
        Self::Judged {
            verdict: judgement.verdict,
            policy: judgement.policy,
        }
    }
}

/// Where an alarm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Nothing is wrong as far as is known.
    #[default]
    Quiet,
    /// Breaches were found, not yet often enough.
    Pending {
        /// Looks in a row.
        looks: u32,
    },
    /// A breach holds.
    Firing {
        /// Since when.
        since: UnixMicros,
    },
    /// Cleared, not yet for long enough.
    Recovering {
        /// Since when the alarm fires.
        since: UnixMicros,
        /// Since when it is cleared.
        cleared_at: UnixMicros,
    },
}

/// Who acknowledged an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// What they said.
    pub note: String,
    /// When.
    pub at: UnixMicros,
}

/// Who silenced notices, why and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: UnixMicros,
}

/// Why an event is refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Only an alarm that fires or recovers can be acknowledged.
    #[error("acknowledge an alarm that does not fire")]
    NothingToAcknowledge,
    /// A person's name is missing or too long.
    #[error("act on an alarm without a name of 1 to 1000 bytes")]
    InvalidName,
    /// A note or reason is missing or too long.
    #[error("act on an alarm without a note or reason of 1 to 1000 bytes")]
    InvalidText,
    /// A mute must end in the future, and not too far in it.
    #[error("mute an alarm for no time or for longer than the policy allows")]
    InvalidExpiry,
    /// Nothing is muted.
    #[error("unmute an alarm that is not muted")]
    NotMuted,
}

/// An alarm about one group and metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    status: Status,
    acknowledgement: Option<Acknowledgement>,
    mute: Option<Mute>,
    stale: bool,
    /// Times never run backwards: an earlier one counts as this.
    latest_at: Option<UnixMicros>,
    history: History,
}

impl Alarm {
    /// Where it stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether a gate must stay closed: muted or not, until a clearance has held for long enough.
    pub fn holds(&self) -> bool {
        matches!(
            self.status,
            Status::Firing { .. } | Status::Recovering { .. }
        )
    }

    /// Who works on it.
    pub fn acknowledgement(&self) -> Option<&Acknowledgement> {
        self.acknowledgement.as_ref()
    }

    /// What silences it.
    pub fn mute(&self) -> Option<&Mute> {
        self.mute.as_ref()
    }

    /// Whether the latest look found no new decisions.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// What happened.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Applies an event; returns what changed, in order. What is marked to be told should be.
    pub fn apply(
        &mut self,
        event: Event,
        at: UnixMicros,
        rules: &AlarmSection,
    ) -> Result<Vec<Entry>, Rejection> {
        let at = self.latest_at.map_or(at, |latest| latest.max(at));
        self.refuse(&event, at, rules)?;
        self.latest_at = Some(at);
        let mut changes = self.expire_mute(at);
        match event {
            Event::Judged { verdict, policy } => {
                changes.extend(
                    self.judged(verdict, at, rules)
                        .into_iter()
                        .map(|change| (change, Some(policy))),
                );
            }
            Event::Acknowledge { by, note } => {
                let acknowledgement = Acknowledgement { by, note, at };
                self.acknowledgement = Some(acknowledgement.clone());
                changes.push((Change::Acknowledged(acknowledgement), None));
            }
            Event::Mute { by, reason, until } => {
                let mute = Mute { by, reason, until };
                self.mute = Some(mute.clone());
                changes.push((Change::Muted(mute), None));
            }
            Event::Unmute { by } => {
                self.mute = None;
                changes.push((Change::Unmuted { by }, None));
            }
            Event::Tick => {}
        }
        let muted = self.mute.is_some();
        let entries: Vec<Entry> = changes
            .into_iter()
            .map(|(change, policy)| Entry {
                at,
                tell: change.is_told_when_muted() || !muted,
                change,
                policy,
            })
            .collect();
        for entry in &entries {
            self.history.add(entry.clone());
        }
        Ok(entries)
    }

    fn refuse(&self, event: &Event, at: UnixMicros, rules: &AlarmSection) -> Result<(), Rejection> {
        let is_text = |text: &str| !text.trim().is_empty() && text.len() <= TEXT_LENGTH_MAX;
        let person = match event {
            Event::Judged { .. } | Event::Tick => return Ok(()),
            Event::Acknowledge { by, .. } | Event::Mute { by, .. } | Event::Unmute { by } => by,
        };
        if !is_text(person) {
            return Err(Rejection::InvalidName);
        }
        match event {
            Event::Acknowledge { note, .. } if !is_text(note) => Err(Rejection::InvalidText),
            Event::Acknowledge { .. } if !self.holds() => Err(Rejection::NothingToAcknowledge),
            Event::Mute { reason, .. } if !is_text(reason) => Err(Rejection::InvalidText),
            Event::Mute { until, .. } => {
                let latest = plus_seconds(at, rules.mute_max_s);
                let usable = *until > at && *until <= latest;
                usable.then_some(()).ok_or(Rejection::InvalidExpiry)
            }
            Event::Unmute { .. } if self.mute.is_none() => Err(Rejection::NotMuted),
            _ => Ok(()),
        }
    }

    /// An alarm that goes on when its mute ends is told again.
    fn expire_mute(&mut self, at: UnixMicros) -> Vec<(Change, Option<Digest>)> {
        let expired = self.mute.take_if(|mute| mute.until <= at);
        let still_firing = self.holds();
        expired
            .map(|_| (Change::MuteExpired { still_firing }, None))
            .into_iter()
            .collect()
    }

    fn judged(&mut self, verdict: Verdict, at: UnixMicros, rules: &AlarmSection) -> Vec<Change> {
        let mut changes = Vec::new();
        let stale = verdict == Verdict::Stale;
        if stale != self.stale {
            self.stale = stale;
            changes.push(if stale {
                Change::FeedStopped
            } else {
                Change::FeedResumed
            });
        }
        let (status, change) = next_status(self.status, verdict, at, rules);
        self.status = status;
        if !self.holds() {
            self.acknowledgement = None;
        }
        changes.extend(change);
        changes
    }
}

fn next_status(
    status: Status,
    verdict: Verdict,
    at: UnixMicros,
    rules: &AlarmSection,
) -> (Status, Option<Change>) {
    match (status, verdict) {
        (Status::Quiet, Verdict::Breach) => found(0, at, rules),
        (Status::Pending { looks }, Verdict::Breach) => found(looks, at, rules),
        (Status::Quiet | Status::Pending { .. }, _) => (Status::Quiet, None),
        (Status::Firing { since }, Verdict::Clear) => recovering(since, at, at, rules),
        (Status::Firing { .. }, _) => (status, None),
        (Status::Recovering { since, cleared_at }, Verdict::Clear) => {
            let (next, change) = recovering(since, cleared_at, at, rules);
            (
                next,
                change.filter(|change| *change != Change::RecoveryBegan),
            )
        }
        (Status::Recovering { since, .. }, _) => {
            (Status::Firing { since }, Some(Change::Relapsed { verdict }))
        }
    }
}

fn found(looks: u32, at: UnixMicros, rules: &AlarmSection) -> (Status, Option<Change>) {
    let looks = looks.saturating_add(1);
    if looks >= rules.raise_after_looks {
        (Status::Firing { since: at }, Some(Change::Raised))
    } else {
        (Status::Pending { looks }, None)
    }
}

fn recovering(
    since: UnixMicros,
    cleared_at: UnixMicros,
    at: UnixMicros,
    rules: &AlarmSection,
) -> (Status, Option<Change>) {
    if at >= plus_seconds(cleared_at, rules.clear_hold_s) {
        return (Status::Quiet, Some(Change::Ended));
    }
    (
        Status::Recovering { since, cleared_at },
        Some(Change::RecoveryBegan),
    )
}

fn plus_seconds(at: UnixMicros, seconds: u32) -> UnixMicros {
    UnixMicros(at.0.saturating_add(i64::from(seconds) * MICROS_PER_SECOND))
}

#[cfg(test)]
mod tests;
