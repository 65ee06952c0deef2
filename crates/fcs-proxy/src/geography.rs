use std::collections::HashMap;
use std::fmt;

use crate::group::{Group, Shares};
use crate::read::{Columns, Rows, TableError};
use crate::surnames::insert;

/// The key of the row with the whole population, where a table does not hold all places.
const TOTAL: &str = "TOTAL";

/// How finely a table divides the country, the finest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A block group: a code of twelve digits.
    BlockGroup,
    /// A tract: a code of eleven digits.
    Tract,
    /// A ZIP code tabulation area: a code of five digits.
    Zcta,
}

impl Level {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::BlockGroup => "block_group",
            Self::Tract => "tract",
            Self::Zcta => "zcta",
        }
    }

    /// Digits of a code.
    pub fn digits(self) -> usize {
        match self {
            Self::BlockGroup => 12,
            Self::Tract => 11,
            Self::Zcta => 5,
        }
    }
}

/// The code of a place. Prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    digits: String,
    level: Level,
}

/// A code is of no kind that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no code of a place: 15 digits of a block, 12 of a block group, 11 of a tract, or 5 of a ZIP code, \
     or 5-4; leading zeros count"
)]
pub struct InvalidPlace;

impl Place {
    /// Reads the code of a block, a block group, a tract or a ZIP code, with or without its last four
    /// digits. `None` for an empty text.
    pub fn read(text: &str) -> Result<Option<Self>, InvalidPlace> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let digits = match text.split_once('-') {
            Some((five, four)) if is_code(five, 5) && is_code(four, 4) => five,
            Some(_) => return Err(InvalidPlace),
            None if is_code(text, 15) => &text[..Level::BlockGroup.digits()],
            None => text,
        };
        let levels = [Level::BlockGroup, Level::Tract, Level::Zcta];
        let level = levels
            .into_iter()
            .find(|level| is_code(digits, level.digits()));
        let level = level.ok_or(InvalidPlace)?;
        Ok(Some(Self {
            digits: digits.to_owned(),
            level,
        }))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({}, [redacted])", self.level.name())
    }
}

fn is_code(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a table says of a place.
pub(crate) struct Found {
    pub(crate) level: Level,
    /// `P(place | group)`.
    pub(crate) given_group: Shares,
    /// `P(group)` in the whole population of the table.
    pub(crate) population: Shares,
}

/// The people of each group in each place of one level.
pub(crate) struct Geography {
    level: Level,
    people: HashMap<String, Shares>,
    totals: Shares,
}

impl Geography {
    /// Reads a table of places. Shares are of the row TOTAL, or of the sum of all rows without one.
    pub(crate) fn read(
        level: Level,
        table: &'static str,
        bytes: &[u8],
    ) -> Result<Self, TableError> {
        let columns = Columns {
            leading: &[&["geography"]],
            groups: Group::ALL.map(Group::name),
        };
        let mut rows = Rows::open(table, bytes, &columns)?;
        let mut people = HashMap::new();
        let mut stated = None;
        let mut sums = Shares::default();
        while rows.next()? {
            let code = rows.leading(0).to_owned();
            let own = rows.group_people()?;
            if code == TOTAL {
                if stated.replace(own).is_some() {
                    return Err(rows.leading_problem(0, format!("there are two rows {TOTAL}")));
                }
                continue;
            }
            if !is_code(&code, level.digits()) {
                let problem = format!("is no code of {} digits, nor {TOTAL}", level.digits());
                return Err(rows.leading_problem(0, problem));
            }
            for (sum, own) in sums.iter_mut().zip(own) {
                *sum += own;
            }
            insert(&mut people, code, own, &rows)?;
        }
        let totals = stated.unwrap_or(sums);
        check_totals(table, totals, sums)?;
        Ok(Self {
            level,
            people,
            totals,
        })
    }

    /// What is known of a place: `None` if it is not in the table, or nobody lives there. A block group lies
    /// in the tract of its first eleven digits.
    pub(crate) fn find(&self, place: &Place) -> Option<Found> {
        let code = match (place.level, self.level) {
            (own, table) if own == table => place.digits.as_str(),
            (Level::BlockGroup, Level::Tract) => &place.digits[..Level::Tract.digits()],
            _ => return None,
        };
        let people = self.people.get(code)?;
        if people.iter().sum::<f64>() <= 0.0 {
            return None;
        }
        let mut given_group = *people;
        for (number, total) in given_group.iter_mut().zip(self.totals) {
            *number = if total > 0.0 { *number / total } else { 0.0 };
        }
        let everybody: f64 = self.totals.iter().sum();
        Some(Found {
            level: self.level,
            given_group,
            population: self.totals.map(|total| total / everybody),
        })
    }
}

/// Places hold no more people than the whole; fractions may round.
fn check_totals(table: &'static str, totals: Shares, sums: Shares) -> Result<(), TableError> {
    for ((group, total), sum) in Group::ALL.iter().zip(totals).zip(sums) {
        if sum > total * (1.0 + 1e-9) {
            return Err(TableError::Table {
                table,
                problem: format!(
                    "the rows hold more people of the column {} than the row {TOTAL}",
                    group.name()
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_their_length() {
        for (text, expected) in [
            ("010010201001", Level::BlockGroup),
            ("010010201001000", Level::BlockGroup),
            ("01001020100", Level::Tract),
            (" 05401 ", Level::Zcta),
            ("05401-1234", Level::Zcta),
        ] {
            let place = Place::read(text).unwrap().unwrap();
            assert_eq!(place.level, expected, "{text}");
            assert!(!format!("{place:?}").contains("54") && !format!("{place:?}").contains("01"));
        }
        assert_eq!(Place::read(" "), Ok(None));
        for wrong in ["5401", "o5401", "05401-12", "0540 1", "٠٥٤٠١", "05401-"] {
            assert_eq!(Place::read(wrong), Err(InvalidPlace), "{wrong}");
        }
    }
}
