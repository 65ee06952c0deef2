//! Probabilities that a person belongs to each group of race and ethnicity, from surname, place and, if
//! wanted, first name: Bayesian Improved Surname Geocoding (BISG) and, with first names, BIFSG.
//!
//! For: reading published tables, finding names and places in them, and combining what they say.
//! Not for: finding the place of an address, reading files, keeping anything of a person, or deciding
//! which group somebody belongs to. A probability is about people who share a name and a place, and is
//! only fit for sums over many people; it must never reach a decision about one of them.
//!
//! Sources: Elliott, M. N., Morrison, P. A., Fremont, A., McCaffrey, D. F., Pantoja, P. and Lurie, N. (2009),
//! "Using the Census Bureau's surname list to improve estimates of race/ethnicity and associated
//! disparities", Health Services and Outcomes Research Methodology 9, 69-83; Consumer Financial Protection
//! Bureau (2014), "Using publicly available information to proxy for unidentified race and ethnicity", whose
//! rules for names are those of [`name`]; Voicu, I. (2018), "Using First Name Information to Improve Race and
//! Ethnicity Classification", Statistics and Public Policy 5(1), 1-13.
//!
//! Invariants: probabilities are 1 together; the same tables and person give the same probabilities, and the
//! version names the tables; no error and no `Debug` holds a name or a place.

mod combine;
mod first_names;
mod geography;
mod group;
pub mod name;
mod read;
mod surnames;
mod tables;

pub use combine::{Basis, Person, Placed, Unplaced};
pub use geography::{InvalidPlace, Level, Place};
pub use group::{Group, Shares};
pub use read::TableError;
pub use tables::{Files, InvalidTables, Method, Tables};
