use fcs_core::Digest;
use sha2::{Digest as _, Sha256};

use crate::first_names::FirstNames;
use crate::geography::{Geography, Level};
use crate::read::TableError;
use crate::surnames::Surnames;

/// Changes with every change of rules or formulas that changes a probability.
const RULES: &str = "fcs-proxy 1";

/// The contents of the files with tables; the names of the fields are those of the files, with `.csv`.
#[derive(Clone, Copy, Default)]
pub struct Files<'a> {
    /// `name`, then percentages: the Census Bureau's file of surnames.
    pub surnames: &'a [u8],
    /// `firstname`, `obs`, then percentages; for [`Method::Bifsg`].
    pub first_names: Option<&'a [u8]>,
    /// People of each group by block group.
    pub block_groups: Option<&'a [u8]>,
    /// People of each group by tract.
    pub tracts: Option<&'a [u8]>,
    /// People of each group by ZIP code tabulation area.
    pub zctas: Option<&'a [u8]>,
}

/// Why tables are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTables {
    /// One of them cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no table of places.
    #[error("there is no table of places: block_groups.csv, tracts.csv or zctas.csv")]
    NoPlaces,
}

/// Which names are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Surname and place.
    Bisg,
    /// Surname, first name and place.
    Bifsg,
}

/// Tables in memory, about 30 MB for the whole United States.
pub struct Tables {
    pub(crate) surnames: Surnames,
    pub(crate) first_names: Option<FirstNames>,
    /// The finest first.
    pub(crate) places: Vec<Geography>,
    version: String,
}

impl Tables {
    /// Reads tables. Fails with the table, line and column of the first fault.
    pub fn read(files: &Files<'_>) -> Result<Self, InvalidTables> {
        let mut places = Vec::new();
        for (level, table, bytes) in [
            (Level::BlockGroup, "block_groups.csv", files.block_groups),
            (Level::Tract, "tracts.csv", files.tracts),
            (Level::Zcta, "zctas.csv", files.zctas),
        ] {
            if let Some(bytes) = bytes {
                places.push(Geography::read(level, table, bytes)?);
            }
        }
        if places.is_empty() {
            return Err(InvalidTables::NoPlaces);
        }
        let first_names = files.first_names;
        let first_names = first_names.map(|bytes| FirstNames::read("first_names.csv", bytes));
        Ok(Self {
            surnames: Surnames::read("surnames.csv", files.surnames)?,
            first_names: first_names.transpose()?,
            places,
            version: version(files),
        })
    }

    /// Which names are used.
    pub fn method(&self) -> Method {
        match self.first_names {
            Some(_) => Method::Bifsg,
            None => Method::Bisg,
        }
    }

    /// The method and the SHA-256 digest of the rules and of every table: equal versions give equal
    /// probabilities.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn version(files: &Files<'_>) -> String {
    let method = match files.first_names {
        Some(_) => "bifsg",
        None => "bisg",
    };
    let mut hash = Sha256::new();
    hash.update(RULES);
    for table in [
        Some(files.surnames),
        files.first_names,
        files.block_groups,
        files.tracts,
        files.zctas,
    ] {
        // The digest of each has a fixed length, so that no two sets of tables are the same text.
        match table {
            Some(bytes) => hash.update(Sha256::digest(bytes)),
            None => hash.update([0; 32]),
        }
    }
    let digest = Digest::from_bytes(hash.finalize().into());
    format!("{method}:{digest}")
}
