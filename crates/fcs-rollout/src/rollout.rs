//! Rollouts step by step: a pure machine over events, for every strategy.
//!
//! [`decide`] says what a command or an observation does, [`apply`] folds events, and [`Rollout::desired`] says what
//! should be true of the world: absolute, so that asking for it twice, late, or after a crash is harmless.
//! [`laws`] are checked over whole histories.
//!
//! The machine takes time, verdicts and observations as arguments. Whoever drives it holds the lock of service and
//! environment, so that one rollout at a time goes forward there.

mod analysis;
mod command;
mod decide;
mod event;
mod fold;
mod guard;
pub mod laws;
mod look;
mod plan;
mod refusal;
mod state;
mod strategy;
mod usual;
mod watched;
mod window;

pub use analysis::{Analysis, Expression, InvalidAnalysis, Metric, Name, Query, SlowerAnywhere};
pub use command::Command;
pub use decide::{Moment, decide};
pub use event::{Event, NO_EVENT, PassGrounds, PauseCause, Recorded, RollbackCause, leaf_digest};
pub use fold::apply;
pub use guard::{Guard, GuardSamples, Measure, Samples, WhenShared};
pub use look::{BiasAlarm, BiasAlarms, Seen, assess, judged};
pub use plan::{Baseline, Limits, OnInconclusive, Plan};
pub use refusal::Refusal;
pub use state::{Desired, Pause, Phase, Rollout};
pub use strategy::{InvalidStrategy, Shadow, Share, Step, Strategy};
pub use watched::{Watched, watched};
pub use window::{Window, WindowKind, is_open};
