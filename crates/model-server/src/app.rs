//! What the model server does, free of transport.

pub mod inference;
pub mod lifecycle;
pub mod models;
pub mod pace;
pub mod package;
pub mod score;
pub mod scorer;
pub mod statistics;
pub mod turns;
pub mod versions;

use fcs_decision::rows;
pub use rows::{GoldenRow, RowsError};
