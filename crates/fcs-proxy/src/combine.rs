use std::fmt;

use crate::geography::{Level, Place};
use crate::group::Shares;
use crate::tables::Tables;

/// What is known of a person. Cannot be printed.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// The surname as it was written; may be empty.
    pub surname: &'a str,
    /// The first name as it was written; looked up if the tables have first names.
    pub first_name: Option<&'a str>,
    /// Where the person lives.
    pub place: Option<&'a Place>,
}

/// What probabilities rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The surname was found.
    pub surname: bool,
    /// The first name was found.
    pub first_name: bool,
    /// The place was found, in the table of this level.
    pub place: Option<Level>,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.surname.then_some("surname"),
            self.first_name.then_some("first_name"),
            self.place.map(Level::name),
        ];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join("+"))
    }
}

/// The probabilities of a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// The probability of each group; 1 together.
    pub probabilities: Shares,
    /// What they rest on.
    pub basis: Basis,
}

/// Why a person has no probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplaced {
    /// Neither surname nor place is in the tables. A first name alone is not enough.
    #[error("neither the surname nor the place is in the tables")]
    Unknown,
    /// Every group is impossible by the surname, the first name or the place.
    #[error("what the tables say of name and place excludes every group")]
    Contradiction,
}

impl Tables {
    /// The probabilities of each group `r` for surname `s`, first name `f` and place `g`:
    /// `P(r | s, f, g) = u(r) / Σ u`, with `u(r) = P(r | s) P(g | r)` (Elliott and others 2009) and, with
    /// first names, `u(r) = P(r | s) P(f | r) P(g | r)` (Voicu 2018).
    ///
    /// What is not in the tables leaves its factor out. For an unknown surname `P(r)` of the table of places
    /// stands instead of `P(r | s)`, which gives the shares of the place. Places are looked up in the finest
    /// table that knows them.
    pub fn probabilities(&self, person: &Person<'_>) -> Result<Placed, Unplaced> {
        let surname = self.surnames.find(person.surname);
        let place = person
            .place
            .and_then(|place| self.places.iter().find_map(|table| table.find(place)));
        let first_name = self.first_names.as_ref().zip(person.first_name);
        let first_name = first_name.and_then(|(table, name)| table.find(name));
        let prior = surname.or(place.as_ref().map(|place| place.population));
        let mut product = prior.ok_or(Unplaced::Unknown)?;
        let factors = [first_name, place.as_ref().map(|place| place.given_group)];
        for factor in factors.into_iter().flatten() {
            for (number, factor) in product.iter_mut().zip(factor) {
                *number *= factor;
            }
        }
        let total: f64 = product.iter().sum();
        if total <= 0.0 {
            return Err(Unplaced::Contradiction);
        }
        Ok(Placed {
            probabilities: product.map(|number| number / total),
            basis: Basis {
                surname: surname.is_some(),
                first_name: first_name.is_some(),
                place: place.map(|place| place.level),
            },
        })
    }
}
