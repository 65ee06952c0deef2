//! Sheets as files for people.

pub(crate) mod csv;
mod examined;
pub(crate) mod html;
mod plot;
