//! How a margin is shared out among the features of its row.

mod error;
mod game;
mod grouping;
mod interventional;
mod path;
mod quadrature;
mod rows;
mod tables;

pub use error::AttributionError;
pub use interventional::Attributor;
pub use path::PathAttributor;
