use fcs_core::UnixMicros;

use super::Moment;
use crate::rollout::event::{Event, Recorded};
use crate::rollout::fold::apply;
use crate::rollout::state::Rollout;
use crate::text::Principal;

/// The events of one command, and the state that they lead to.
pub(super) struct Draft<'a> {
    state: Rollout,
    actor: &'a Principal,
    moment: Moment,
    events: Vec<Recorded>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &Rollout, actor: &'a Principal, moment: Moment) -> Self {
        let at = moment.at.max(state.updated_at);
        Self {
            state: state.clone(),
            actor,
            moment: Moment { at, ..moment },
            events: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> &Rollout {
        &self.state
    }

    pub(super) fn actor(&self) -> &Principal {
        self.actor
    }

    /// Whether the candidate may get more traffic now.
    pub(super) fn is_open(&self) -> bool {
        self.moment.is_open || self.state.has_broken_glass
    }

    /// Microseconds since a moment; never less than 0.
    pub(super) fn micros_since(&self, since: UnixMicros) -> u64 {
        u64::try_from(self.moment.at.0.saturating_sub(since.0)).unwrap_or(0)
    }

    /// Records an event that can follow.
    pub(super) fn push(&mut self, event: Event) {
        let recorded = Recorded {
            sequence: self.state.sequence + 1,
            at: self.moment.at,
            actor: self.actor.clone(),
            event,
        };
        self.state = apply(Some(self.state.clone()), &recorded)
            .expect("only events that can follow are decided");
        self.events.push(recorded);
    }

    pub(super) fn into_events(self) -> Vec<Recorded> {
        self.events
    }
}
