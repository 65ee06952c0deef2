use fcs_core::UnixMicros;

use super::event::{Event, Recorded};
use super::strategy::Step;
use crate::statistics::Weight;

/// A time in which every gateway gave the candidate the same weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The weight.
    pub weight: Weight,
    /// When it was confirmed.
    pub from: UnixMicros,
    /// When another one was asked for, or now.
    pub until: UnixMicros,
}

/// The times in which the candidate had traffic, first one first; the present one is the last and ends `now`.
///
/// It follows from the history alone, so counts that are asked for by these times are the same after a restart.
pub fn watched(events: &[Recorded], now: UnixMicros) -> Vec<Watched> {
    let mut times: Vec<Watched> = Vec::new();
    let (mut steps, mut asked, mut open): (Vec<Step>, usize, Option<Watched>) = Default::default();
    for recorded in events {
        match &recorded.event {
            Event::Proposed { plan, .. } => steps = plan.strategy.program().unwrap_or_default(),
            Event::StepStarted { step, .. } => {
                asked = *step;
                times.extend(open.take().map(|it| it.ending(recorded.at)));
            }
            Event::ShiftConfirmed { .. } => {
                let basis_points = steps.get(asked).map_or(0, |it| it.weight_basis_points);
                let (from, until) = (recorded.at, recorded.at);
                let weight = Weight::try_from(basis_points).ok();
                open = weight.map(|weight| Watched {
                    weight,
                    from,
                    until,
                });
            }
            Event::RollbackStarted { .. } => {
                times.extend(open.take().map(|it| it.ending(recorded.at)));
            }
            _ => {}
        }
    }
    times.extend(open.map(|it| it.ending(now)));
    times
}

impl Watched {
    fn ending(self, until: UnixMicros) -> Self {
        let until = until.max(self.from);
        Self { until, ..self }
    }

    /// Whole seconds of it.
    pub fn seconds(&self) -> u64 {
        let micros = self.until.0.saturating_sub(self.from.0);
        u64::try_from(micros / 1_000_000).unwrap_or(0)
    }
}
