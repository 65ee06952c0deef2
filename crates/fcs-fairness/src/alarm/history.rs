use std::collections::VecDeque;

use fcs_core::{Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Mute};
use crate::anytime::watch::Verdict;

/// How many changes an alarm remembers; whoever stores entries as they come has all of them.
pub const HISTORY_MAX: usize = 256;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The alarm fires.
    Raised,
    /// It is cleared, and ends if that holds.
    RecoveryBegan,
    /// The clearance did not hold; the alarm goes on.
    Relapsed {
        /// What was found instead.
        verdict: Verdict,
    },
    /// The alarm is over.
    Ended,
    /// Decisions stopped coming.
    FeedStopped,
    /// Decisions come again.
    FeedResumed,
    /// Somebody works on it.
    Acknowledged(Acknowledgement),
    /// Notices are silenced.
    Muted(Mute),
    /// Notices are wanted again.
    Unmuted {
        /// Who said so.
        by: String,
    },
    /// The time of the mute is over.
    MuteExpired {
        /// Whether the alarm goes on.
        still_firing: bool,
    },
}

impl Change {
    /// What people did to an alarm is told whether or not it is muted.
    pub(super) fn is_told_when_muted(&self) -> bool {
        matches!(
            self,
            Self::Acknowledged(_)
                | Self::Muted(_)
                | Self::Unmuted { .. }
                | Self::MuteExpired { .. }
        )
    }
}

/// A change, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: UnixMicros,
    /// What.
    pub change: Change,
    /// Whether people should hear of it.
    pub tell: bool,
    /// The policy of the verdict that led to it.
    pub policy: Option<Digest>,
}

/// The latest changes of an alarm, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    entries: VecDeque<Entry>,
    forgotten: u64,
}

impl History {
    /// The changes, oldest first; at most [`HISTORY_MAX`].
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many older ones there were.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn add(&mut self, entry: Entry) {
        if self.entries.len() >= HISTORY_MAX {
            self.entries.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.entries.push_back(entry);
    }
}
