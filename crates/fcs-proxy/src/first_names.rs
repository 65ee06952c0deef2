use std::collections::HashMap;

use crate::group::Shares;
use crate::name;
use crate::read::{Columns, PERCENTAGES, Rows, TableError};
use crate::surnames::insert;

/// The row for all names that have none of their own: its people are part of every group.
const ALL_OTHERS: &str = "ALLOTHERFIRSTNAMES";

/// The share of a first name among the people of each group.
pub(crate) struct FirstNames(HashMap<String, Shares>);

impl FirstNames {
    /// Reads a table of first names: observations of each, and the percentage of each group among them.
    ///
    /// `P(name | group)` is the people of the group with the name over all people of the group: Tzioumis, K.
    /// (2018), "Demographic aspects of first names", Scientific Data 5, 180025, for the table; Voicu (2018)
    /// for its use.
    pub(crate) fn read(table: &'static str, bytes: &[u8]) -> Result<Self, TableError> {
        let columns = Columns {
            leading: &[&["firstname", "name"], &["obs", "count"]],
            groups: PERCENTAGES,
        };
        let mut rows = Rows::open(table, bytes, &columns)?;
        let mut people = HashMap::new();
        let mut totals = Shares::default();
        while rows.next()? {
            let key = name::of_table(rows.leading(0));
            let key = key.ok_or_else(|| rows.leading_problem(0, "has no letter".to_owned()))?;
            let observations = rows.leading_people(1)?;
            let own = rows.shares()?.map(|share| share * observations);
            for (total, own) in totals.iter_mut().zip(own) {
                *total += own;
            }
            if key != ALL_OTHERS {
                insert(&mut people, key, own, &rows)?;
            }
        }
        for own in people.values_mut() {
            for (number, total) in own.iter_mut().zip(totals) {
                *number = if total > 0.0 { *number / total } else { 0.0 };
            }
        }
        Ok(Self(people))
    }

    /// The share of a name in each group; `None` if none of its spellings is in the table.
    pub(crate) fn find(&self, first_name: &str) -> Option<Shares> {
        let spellings = name::first_name(first_name);
        spellings.iter().find_map(|own| self.0.get(own).copied())
    }
}
