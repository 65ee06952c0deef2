//! What the monitor does, over the port to its store.

pub mod alarms;
pub mod at_store;
pub mod change;
pub mod counts;
pub mod document;
pub mod drift;
pub mod drifts;
pub mod erasure;
pub mod evidence;
pub mod examination;
pub mod examinations;
pub mod facts;
pub mod gaps;
pub mod intake;
pub mod monitor;
pub mod panels;
pub mod profiles;
pub mod proxies;
pub mod ratios;
pub mod rebuild;
pub mod report;
pub mod rollup;
pub mod sheets;
pub mod terms;
