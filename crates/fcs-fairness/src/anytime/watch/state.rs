use fcs_core::UnixMicros;
use serde::{Deserialize, Serialize};

use super::{Bets, EValue, Side, Starts};

const PARTS_PER_MILLION: f64 = 1_000_000.0;
const ONE_PPM: u64 = 1_000_000;

/// How much of one side was seen, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// Decisions, or the sum of probabilities of membership, in millionths.
    size_ppm: u64,
    last_at: Option<UnixMicros>,
}

impl Attendance {
    /// Whole decisions.
    pub fn decisions(&self) -> u64 {
        self.size_ppm / ONE_PPM
    }

    /// The time of the latest decision.
    pub fn last_at(&self) -> Option<UnixMicros> {
        self.last_at
    }

    fn add(&mut self, size_ppm: u64, at: UnixMicros) {
        self.size_ppm = self.size_ppm.saturating_add(size_ppm);
        self.last_at = self.last_at.max(Some(at));
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The limit is broken.
    Breach,
    /// The limit came to be broken, by the run length of a detector that has no lifetime guarantee.
    ChangeToBreach,
    /// The limit is kept.
    Clear,
}

/// An answer, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The answer.
    pub kind: FindingKind,
    /// When it was found.
    pub at: UnixMicros,
    /// The evidence for it.
    pub e_value: EValue,
    /// The decisions of both sides that had been seen by then.
    pub decisions: u64,
}

/// What is kept of a question, whatever forms its blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchState {
    pub(super) bets: Bets,
    reference: Attendance,
    group: Attendance,
    finding: Option<Finding>,
}

impl WatchState {
    pub(super) fn new(starts: Starts) -> Self {
        Self {
            bets: Bets::new(starts),
            reference: Attendance::default(),
            group: Attendance::default(),
            finding: None,
        }
    }

    /// The bets since the latest answer.
    pub fn bets(&self) -> &Bets {
        &self.bets
    }

    /// The reference group.
    pub fn reference(&self) -> &Attendance {
        &self.reference
    }

    /// The group that is compared with it.
    pub fn group(&self) -> &Attendance {
        &self.group
    }

    /// The latest answer, which may have expired since.
    pub fn finding(&self) -> Option<&Finding> {
        self.finding.as_ref()
    }

    pub(super) fn see(&mut self, side: Side, at: UnixMicros) {
        self.attendance(side).add(ONE_PPM, at);
    }

    /// Counts the share of a decision that belongs to a side.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is within 0 and 1"
    )]
    pub(super) fn see_in_part(&mut self, side: Side, share: f64, at: UnixMicros) {
        let share_ppm = (share * PARTS_PER_MILLION).round() as u64;
        if share_ppm > 0 {
            self.attendance(side).add(share_ppm, at);
        }
    }

    fn attendance(&mut self, side: Side) -> &mut Attendance {
        match side {
            Side::Reference => &mut self.reference,
            Side::Group => &mut self.group,
        }
    }

    /// The decisions of both sides.
    pub fn decisions(&self) -> u64 {
        self.reference
            .decisions()
            .saturating_add(self.group.decisions())
    }

    /// How many decisions the smaller side is short of a minimum, at least one.
    pub(super) fn missing_members(&self, minimum_group_size: u64) -> u64 {
        let smaller = self.reference.decisions().min(self.group.decisions());
        minimum_group_size.max(1).saturating_sub(smaller)
    }

    /// Keeps an answer and starts the bets that led to it anew.
    pub(super) fn conclude(&mut self, kind: FindingKind, at: UnixMicros) {
        let e_value = match kind {
            FindingKind::Breach => self.bets.breach_e_value(),
            FindingKind::ChangeToBreach => self.bets.change().level(),
            FindingKind::Clear => self.bets.clear_e_value().unwrap_or(EValue::ONE),
        };
        self.finding = Some(Finding {
            kind,
            at,
            e_value,
            decisions: self.decisions(),
        });
        match kind {
            FindingKind::Breach | FindingKind::ChangeToBreach => self.bets.restart(),
            FindingKind::Clear => self.bets.restart_clear(),
        }
    }
}
