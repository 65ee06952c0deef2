use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::group::Shares;
use crate::name;
use crate::read::{Columns, PERCENTAGES, Rows, TableError};

/// The row for all names that have none of their own; a name that is not in the table says nothing.
const ALL_OTHERS: &str = "ALLOTHERNAMES";

/// The share of each group among the people of a surname.
pub(crate) struct Surnames(HashMap<String, Shares>);

impl Surnames {
    /// Reads the Census Bureau's file of surnames.
    pub(crate) fn read(table: &'static str, bytes: &[u8]) -> Result<Self, TableError> {
        let columns = Columns {
            leading: &[&["name"]],
            groups: PERCENTAGES,
        };
        let mut rows = Rows::open(table, bytes, &columns)?;
        let mut shares = HashMap::new();
        while rows.next()? {
            let key = name::of_table(rows.leading(0));
            let key = key.ok_or_else(|| rows.leading_problem(0, "has no letter".to_owned()))?;
            let own = rows.shares()?;
            if key != ALL_OTHERS {
                insert(&mut shares, key, own, &rows)?;
            }
        }
        Ok(Self(shares))
    }

    /// The shares of a surname; `None` if none of its spellings is in the table.
    pub(crate) fn find(&self, surname: &str) -> Option<Shares> {
        let spellings = name::surname(surname);
        spellings.iter().find_map(|own| self.0.get(own).copied())
    }
}

/// Adds a row; a name must not have two.
pub(crate) fn insert<T>(
    map: &mut HashMap<String, T>,
    key: String,
    value: T,
    rows: &Rows<'_>,
) -> Result<(), TableError> {
    match map.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        Entry::Occupied(_) => {
            Err(rows.leading_problem(0, "stands in an earlier row already".to_owned()))
        }
    }
}
