//! What the model server does, free of transport.

pub mod models;
pub mod package;
mod rows;
pub mod score;

pub use rows::{GoldenRow, RowsError};
