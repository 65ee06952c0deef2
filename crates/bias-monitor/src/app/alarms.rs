//! The use cases of verdicts and alarms.

use std::sync::Arc;

use fcs_core::{ApiError, Clock, ErrorCode, UnixMicros, Violation};
use fcs_fairness::alarm::{Event, Rejection};
use fcs_fairness::policy::Policy;

use super::at_store::{AtStore, Spawn, unavailable};
use super::evidence::WatchedGroup;
use super::terms::Terms;
use crate::store::{ActError, EvidenceStore, Standing, StoredNews};

/// Entries of one answer at most.
pub const NEWS_MAX: u32 = 500;

/// The use cases with what they need. Cloning shares it.
#[derive(Clone)]
pub struct Alarms {
    store: AtStore<dyn EvidenceStore>,
    terms: Arc<Terms>,
    clock: Arc<dyn Clock>,
}

/// What a person does about an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Works on it.
    Acknowledge {
        /// What they say about it.
        note: String,
    },
    /// Silences its notices.
    Mute {
        /// Why.
        reason: String,
        /// For how long, in seconds.
        for_s: u32,
    },
    /// Wants its notices again.
    Unmute,
}

impl Alarms {
    /// The use cases over a store.
    pub fn new(
        store: Arc<dyn EvidenceStore>,
        terms: Arc<Terms>,
        clock: Arc<dyn Clock>,
        spawn: Spawn,
    ) -> Self {
        Self {
            store: AtStore::new(store, spawn),
            terms,
            clock,
        }
    }

    /// The policy that verdicts are judged by.
    pub fn policy(&self) -> &Policy {
        &self.terms.policy
    }

    /// What holds for the groups of a model; of every model if it is empty.
    pub async fn verdicts(&self, model: String) -> Result<Standing, ApiError> {
        self.store
            .run(|store| async move { store.standing(&model).await.map_err(unavailable) })
            .await
    }

    /// What happened to alarms after a place, in order; at most [`NEWS_MAX`].
    pub async fn news(&self, after: u64) -> Result<Vec<StoredNews>, ApiError> {
        self.store
            .run(|store| async move { store.news(after, NEWS_MAX).await.map_err(unavailable) })
            .await
    }

    /// Has a person do something about an alarm.
    pub async fn act(&self, id: WatchedGroup, by: String, action: Action) -> Result<(), ApiError> {
        let now = self.clock.now();
        let event = match action {
            Action::Acknowledge { note } => Event::Acknowledge { by, note },
            Action::Unmute => Event::Unmute { by },
            Action::Mute { reason, for_s } => {
                let micros = i64::from(for_s).saturating_mul(1_000_000);
                let until = UnixMicros(now.0.saturating_add(micros));
                Event::Mute { by, reason, until }
            }
        };
        let rules = self.terms.policy.document().alarm;
        self.store
            .run(move |store| async move {
                let acted = store.act(&id, event, now, &rules).await;
                acted.map_err(unavailable)?.map_err(refused)
            })
            .await
    }
}

/// A group that a request names; an empty baseline is none.
pub fn watched_group(
    model: &str,
    baseline: &str,
    attribute: &str,
    group: &str,
) -> Result<WatchedGroup, ApiError> {
    let baseline = Some(baseline).filter(|text| !text.is_empty());
    let baseline = baseline.map(|text| named(text, "/baseline_model"));
    Ok(WatchedGroup {
        model: named(model, "/model")?,
        baseline: baseline.transpose()?,
        attribute: named(attribute, "/attribute")?,
        group: named(group, "/group")?,
    })
}

fn named<T>(text: &str, pointer: &str) -> Result<T, ApiError>
where
    T: std::str::FromStr<Err = fcs_core::InvalidId>,
{
    text.parse().map_err(|error: fcs_core::InvalidId| {
        let violation = Violation {
            pointer: pointer.to_owned(),
            reason: "WATCHED_GROUP_INVALID",
            description: error.to_string(),
        };
        let message = format!("the group cannot be named like this: {error}");
        ApiError::invalid("WATCHED_GROUP_INVALID", message, vec![violation])
    })
}

fn refused(error: ActError) -> ApiError {
    let rejection = match error {
        ActError::Unknown => {
            let message =
                "nothing is known of this group under this model; verdicts list what is watched";
            return ApiError::not_found("WATCHED_GROUP_UNKNOWN", message);
        }
        ActError::Rejected(rejection) => rejection,
    };
    let state =
        |reason| ApiError::new(ErrorCode::FailedPrecondition, reason, rejection.to_string());
    let invalid = |pointer: &str, reason| {
        let violation = Violation {
            pointer: pointer.to_owned(),
            reason,
            description: rejection.to_string(),
        };
        ApiError::invalid(reason, rejection.to_string(), vec![violation])
    };
    match rejection {
        Rejection::NothingToAcknowledge => state("ALERT_NOT_FIRING"),
        Rejection::NotMuted => state("ALERT_NOT_MUTED"),
        Rejection::InvalidName => invalid("", "ALERT_TEXT_INVALID"),
        Rejection::InvalidText => invalid("/note", "ALERT_TEXT_INVALID"),
        Rejection::InvalidExpiry => invalid("/for_s", "MUTE_LENGTH_INVALID"),
    }
}
