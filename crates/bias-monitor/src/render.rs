//! Sheets as files for people.

pub(crate) mod csv;
pub(crate) mod html;
mod plot;
