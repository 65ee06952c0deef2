//! The statements, which are the same text on both engines, and what rows mean.

use std::error::Error;
use std::time::Duration;

use fcs_core::UnixMicros;
use fcs_fairness::GroupCounters;
use fcs_fairness::calibration::CalibrationBin;

use super::rows::{Find, Insert, bins_from_text};
use super::{StoreError, WriteError};
use crate::app::change::{Effects, Gap};
use crate::app::facts::{CreditOutcome, Decision, KnownGroup, KnownOutcome, Outcome, Source};

/// A read that takes longer is given up. The driver has no time-out of its own, so a cut network would hang for ever.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// A batch that takes longer is given up with its connection; it may be stored all the same.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts at a batch while other writers hold the lock longer than the server lets us wait.
pub(super) const ATTEMPTS_MAX: u32 = 4;
pub(super) const DECISIONS_OF: Find = Find(
    "SELECT application_id, minute, model, arm, outcome, score, probability_ppm, bins FROM decisions \
     WHERE application_id",
);
/// The same in the order of the log, a page of it.
pub(super) const DECISIONS_AFTER: &str = "SELECT log_index, application_id, minute, model, arm, outcome, score, \
     probability_ppm, bins FROM decisions WHERE log_index > $1 ORDER BY log_index LIMIT $2";
pub(super) const GROUPS_OF: Find = Find(
    "SELECT application_id, attribute, group_name, source FROM demographics WHERE application_id",
);
pub(super) const ANY_MEMBERSHIPS: &str = "SELECT EXISTS (SELECT 1 FROM group_probabilities)";
pub(super) const MEMBERSHIPS_OF: Find = Find(
    "SELECT application_id, attribute, source, proxy_version, group_names, parts FROM group_probabilities \
     WHERE application_id",
);
pub(super) const OUTCOMES_OF: Find = Find(
    "SELECT application_id, outcome, occurred_at, event_id FROM outcomes WHERE application_id",
);
pub(super) const EVENTS_AMONG: Find = Find("SELECT event_id FROM outcome_events WHERE event_id");

pub(super) static DECISIONS: Insert = Insert {
    into: "decisions",
    columns: "log_index, decision_id, application_id, minute, model, arm, outcome, score, probability_ppm, \
              bins",
    on_conflict: "",
};
pub(super) static DEMOGRAPHICS: Insert = Insert {
    into: "demographics",
    columns: "application_id, attribute, group_name, source",
    on_conflict: "ON CONFLICT (application_id, attribute) DO UPDATE SET group_name = excluded.group_name, \
                  source = excluded.source",
};
pub(super) static GROUP_PROBABILITIES: Insert = Insert {
    into: "group_probabilities",
    columns: "application_id, attribute, source, proxy_version, group_names, parts",
    on_conflict: "ON CONFLICT (application_id, attribute, source, proxy_version) DO UPDATE SET \
                  group_names = excluded.group_names, parts = excluded.parts",
};
pub(super) static OUTCOME_EVENTS: Insert = Insert {
    into: "outcome_events",
    columns: "event_id, application_id, outcome, occurred_at",
    on_conflict: "",
};
pub(super) static OUTCOMES: Insert = Insert {
    into: "outcomes",
    columns: "application_id, outcome, occurred_at, event_id",
    on_conflict: "ON CONFLICT (application_id) DO UPDATE SET outcome = excluded.outcome, \
                  occurred_at = excluded.occurred_at, event_id = excluded.event_id",
};
pub(super) static COUNTERS: Insert = Insert {
    into: "counters",
    columns: "model, arm, attribute, group_name, minute, approved, referred, denied, score_sum, score_square_sum, \
              approved_repaid, approved_defaulted",
    on_conflict: "ON CONFLICT (model, arm, attribute, group_name, minute) DO UPDATE SET \
                  approved = counters.approved + excluded.approved, \
                  referred = counters.referred + excluded.referred, \
                  denied = counters.denied + excluded.denied, \
                  score_sum = counters.score_sum + excluded.score_sum, \
                  score_square_sum = counters.score_square_sum + excluded.score_square_sum, \
                  approved_repaid = counters.approved_repaid + excluded.approved_repaid, \
                  approved_defaulted = counters.approved_defaulted + excluded.approved_defaulted",
};
pub(super) static CALIBRATION: Insert = Insert {
    into: "calibration",
    columns: "model, bin, labelled, defaulted, predicted_sum_ppm",
    on_conflict: "ON CONFLICT (model, bin) DO UPDATE SET \
                  labelled = calibration.labelled + excluded.labelled, \
                  defaulted = calibration.defaulted + excluded.defaulted, \
                  predicted_sum_ppm = calibration.predicted_sum_ppm + excluded.predicted_sum_ppm",
};
pub(super) const PROFILES_AT: Find = Find("SELECT place, counts FROM profiles WHERE place");
pub(super) static PROFILES: Insert = Insert {
    into: "profiles",
    columns: "place, model, arm, attribute, group_name, hour, counts",
    on_conflict: "ON CONFLICT (place) DO UPDATE SET counts = excluded.counts",
};
pub(super) const PROXIES_AT: Find = Find("SELECT place, counts FROM proxies WHERE place");
pub(super) static PROXIES: Insert = Insert {
    into: "proxies",
    columns: "place, model, arm, attribute, source, proxy_version, group_names, hour, counts",
    on_conflict: "ON CONFLICT (place) DO UPDATE SET counts = excluded.counts",
};
pub(super) const ADVANCE: &str = "UPDATE state SET last_index = $1, decisions = decisions + $2, demographics = demographics + $3, \
     outcomes = outcomes + $4 WHERE id = 1";

pub(super) const STATUS: &str =
    "SELECT last_index, decisions, demographics, outcomes FROM state WHERE id = 1";
/// The sums are cast because PostgreSQL's sum of 64-bit integers is a decimal number.
pub(super) const COUNTER_SUMS: &str = "SELECT attribute, group_name, CAST(SUM(approved) AS BIGINT) AS approved, \
     CAST(SUM(referred) AS BIGINT) AS referred, CAST(SUM(denied) AS BIGINT) AS denied, \
     CAST(SUM(score_sum) AS BIGINT) AS score_sum, \
     CAST(SUM(score_square_sum) AS BIGINT) AS score_square_sum, \
     CAST(SUM(approved_repaid) AS BIGINT) AS approved_repaid, \
     CAST(SUM(approved_defaulted) AS BIGINT) AS approved_defaulted \
     FROM counters WHERE ($1 = '' OR model = $1) AND minute >= $2 AND minute < $3 GROUP BY attribute, group_name";
pub(super) const CALIBRATION_SUMS: &str = "SELECT bin, CAST(SUM(labelled) AS BIGINT) AS labelled, CAST(SUM(defaulted) AS BIGINT) AS defaulted, \
     CAST(SUM(predicted_sum_ppm) AS BIGINT) AS predicted_sum_ppm \
     FROM calibration WHERE $1 = '' OR model = $1 GROUP BY bin";

/// Sums of one panel over hours and arms are made by the reader: no engine adds the integers that they are.
pub(super) const PROXY_SUMS: &str = "SELECT attribute, source, proxy_version, group_names, counts FROM proxies \
     WHERE ($1 = '' OR model = $1) AND hour >= $2 AND hour < $3";

/// Why a statement gave nothing.
pub(super) type StoreFailure = Box<dyn Error + Send + Sync>;

/// Why a batch was not written.
pub(super) enum Failure {
    Gap(Gap),
    Store(StoreFailure),
}

impl<E: Into<StoreFailure>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Gap(gap) => Self::Gap(gap),
            Failure::Store(error) => Self::Store(StoreError::new("write a batch", error)),
        }
    }
}

impl Failure {
    /// Whether another writer was in the way and the batch can simply be tried again: PostgreSQL's serialisation
    /// failure, deadlock and lock not available, SQLite's busy in its forms.
    pub(super) fn is_contention(&self) -> bool {
        const CODES: [&str; 6] = ["40001", "40P01", "55P03", "5", "261", "517"];
        let Self::Store(error) = self else {
            return false;
        };
        let code = error
            .downcast_ref::<sqlx::Error>()
            .and_then(sqlx::Error::as_database_error)
            .and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| CODES.contains(&code.as_ref()))
    }
}

/// Whether there is anything to write.
pub(super) fn is_nothing(effects: &Effects) -> bool {
    effects.decisions.is_empty()
        && effects.groups.is_empty()
        && effects.memberships.is_empty()
        && effects.events.is_empty()
}

/// Indices and counts are stored as 64-bit signed integers; neither ever comes near the limit.
pub(super) fn to_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn index_to_i64(value: u64) -> Result<i64, StoreFailure> {
    i64::try_from(value)
        .map_err(|_| format!("the index {value} is beyond what can be stored").into())
}

pub(super) fn to_u64(value: i64) -> Result<u64, StoreFailure> {
    u64::try_from(value).map_err(|_| format!("the store holds the negative number {value}").into())
}

fn word<T>(word: Option<T>) -> Result<T, StoreFailure> {
    word.ok_or_else(|| "the store holds a word that this program does not know".into())
}

/// The columns of a decision as the engines give them.
pub(super) struct DecisionColumns {
    pub(super) application_id: String,
    pub(super) minute: i64,
    pub(super) model: String,
    pub(super) arm: String,
    pub(super) outcome: String,
    pub(super) score: i64,
    pub(super) probability_ppm: i64,
    pub(super) bins: String,
}

impl DecisionColumns {
    pub(super) fn decision(self) -> Result<Decision, StoreFailure> {
        Ok(Decision {
            application_id: self.application_id.parse()?,
            minute: self.minute,
            model: self.model.parse()?,
            arm: self.arm,
            outcome: word(Outcome::parse(&self.outcome))?,
            score: self.score,
            probability_ppm: self.probability_ppm,
            bins: bins_from_text(&self.bins)?,
        })
    }
}

pub(super) fn known_group(group: &str, source: &str) -> Result<KnownGroup, StoreFailure> {
    Ok(KnownGroup {
        group: group.parse()?,
        source: word(Source::parse(source))?,
    })
}

pub(super) fn known_outcome(
    outcome: &str,
    occurred_at: i64,
    event_id: &str,
) -> Result<KnownOutcome, StoreFailure> {
    Ok(KnownOutcome {
        outcome: word(CreditOutcome::parse(outcome))?,
        occurred_at: UnixMicros(occurred_at),
        event_id: event_id.parse()?,
    })
}

/// The sums of a group as the engines give them.
pub(super) struct CounterColumns {
    pub(super) approved: i64,
    pub(super) referred: i64,
    pub(super) denied: i64,
    pub(super) score_sum: i64,
    pub(super) score_square_sum: i64,
    pub(super) approved_repaid: i64,
    pub(super) approved_defaulted: i64,
}

impl CounterColumns {
    pub(super) fn counters(&self) -> Result<GroupCounters, StoreFailure> {
        Ok(GroupCounters {
            approved: to_u64(self.approved)?,
            referred: to_u64(self.referred)?,
            denied: to_u64(self.denied)?,
            score_sum: self.score_sum,
            score_square_sum: self.score_square_sum,
            approved_repaid: to_u64(self.approved_repaid)?,
            approved_defaulted: to_u64(self.approved_defaulted)?,
        })
    }
}

pub(super) fn bin(
    labelled: i64,
    defaulted: i64,
    predicted_sum_ppm: i64,
) -> Result<CalibrationBin, StoreFailure> {
    Ok(CalibrationBin {
        labelled: to_u64(labelled)?,
        defaulted: to_u64(defaulted)?,
        predicted_sum_ppm: to_u64(predicted_sum_ppm)?,
    })
}
