//! What the monitor does, over the port to its store.

pub mod alerts;
pub mod change;
pub mod counts;
pub mod facts;
pub mod intake;
pub mod monitor;
pub mod report;
