//! Rows as the engines give them, and what they mean.

use fcs_core::{ApplicationId, DecisionId, Digest, ModelVersion, UnixMicros};
use fcs_decision::record::Outcome;

use super::sql::{StoreFailure, to_u64};
use super::{FeedEntry, Found, StoredDecision, Summary, Tombstone};
use crate::app::traffic::TrafficTable;
use crate::privacy::{Applicant, DataKey, Place, Vault, WrappedKey};

/// The row of an applicant's key beside another row; empty beside one from before encryption.
pub(super) struct KeyColumns {
    pub(super) tenant: String,
    pub(super) applicant: Option<Vec<u8>>,
    pub(super) kek_id: Option<String>,
    pub(super) wrapped_key: Option<Vec<u8>>,
    pub(super) erased_at: Option<i64>,
}

/// How a row is kept.
pub(super) enum Keeping {
    /// As it was before encryption.
    Clear,
    /// Encrypted with this key.
    Sealed(Applicant, Box<DataKey>),
    /// Encrypted with a key that was destroyed.
    Erased(Applicant, UnixMicros),
}

impl KeyColumns {
    pub(super) fn keeping(self, vault: &Vault) -> Result<Keeping, StoreFailure> {
        let Some(index) = self.applicant else {
            return Ok(Keeping::Clear);
        };
        let applicant = Applicant {
            tenant: self.tenant.parse()?,
            index: Digest::try_from(index.as_slice())?,
        };
        match (self.kek_id, self.wrapped_key, self.erased_at) {
            (Some(kek_id), Some(bytes), None) => {
                let key = vault.unwrap(&applicant, &WrappedKey { kek_id, bytes })?;
                Ok(Keeping::Sealed(applicant, Box::new(key)))
            }
            (None, None, Some(at)) => Ok(Keeping::Erased(applicant, UnixMicros(at))),
            _ => Err("a data key is missing: restore the table applicant_keys".into()),
        }
    }
}

/// The place of a decision's record.
pub(super) fn record_place<'a>(row: &'a [&'a [u8]; 1]) -> Place<'a> {
    Place {
        table: "decisions",
        row,
        column: "record",
    }
}

/// The place of a decision's bins.
pub(super) fn bins_place<'a>(row: &'a [&'a [u8]; 1]) -> Place<'a> {
    Place {
        table: "decisions",
        row,
        column: "bins",
    }
}

/// Bins before they are sealed: two bytes each, the high one first.
pub(super) fn bins_to_bytes(bins: &[u16]) -> Vec<u8> {
    bins.iter().flat_map(|bin| bin.to_be_bytes()).collect()
}

fn bins_from_bytes(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

/// The columns of a decision.
pub(super) struct DecisionColumns {
    pub(super) log_index: i64,
    pub(super) decision_id: String,
    pub(super) record: Vec<u8>,
    pub(super) record_digest: Vec<u8>,
    pub(super) key: KeyColumns,
}

impl DecisionColumns {
    pub(super) fn found(self, vault: &Vault) -> Result<Found, StoreFailure> {
        let log_index = to_u64(self.log_index)?;
        let record_digest = Digest::try_from(self.record_digest.as_slice())?;
        let record = match self.key.keeping(vault)? {
            Keeping::Clear => self.record,
            Keeping::Sealed(_, key) => {
                let row = [self.decision_id.as_bytes()];
                key.open(&record_place(&row), &self.record)?
            }
            Keeping::Erased(_, erased_at) => {
                return Ok(Found::Erased(Tombstone {
                    log_index,
                    decision_id: self.decision_id.parse()?,
                    record_digest,
                    erased_at,
                }));
            }
        };
        Ok(Found::Kept(StoredDecision {
            log_index,
            record: record.into(),
            record_digest,
        }))
    }
}

/// The columns of a feed entry.
pub(super) struct EntryColumns {
    pub(super) log_index: i64,
    pub(super) decision_id: String,
    pub(super) application_id: String,
    pub(super) sealed_application_id: Option<Vec<u8>>,
    pub(super) decided_at: i64,
    pub(super) outcome: String,
    pub(super) score: i32,
    pub(super) probability: f64,
    pub(super) model: String,
    pub(super) arm: String,
    pub(super) record_digest: Vec<u8>,
    pub(super) sealed_bins: Option<Vec<u8>>,
    pub(super) key: KeyColumns,
}

impl EntryColumns {
    pub(super) fn entry(self, vault: &Vault) -> Result<FeedEntry, StoreFailure> {
        let outcome = Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == self.outcome)
            .ok_or_else(|| format!("the store holds the outcome {:?}", self.outcome))?;
        let tenant = self.key.tenant.parse()?;
        let mut bins = Vec::new();
        let application_id = match self.key.keeping(vault)? {
            Keeping::Clear => self.application_id.parse::<ApplicationId>()?,
            Keeping::Sealed(applicant, key) => {
                if let Some(sealed) = self.sealed_bins {
                    let row = [self.decision_id.as_bytes()];
                    bins = bins_from_bytes(&key.open(&bins_place(&row), &sealed)?);
                }
                let sealed = self.sealed_application_id.unwrap_or_default();
                vault.application_id(&applicant, &key, &sealed)?
            }
            Keeping::Erased(applicant, _) => crate::store::pseudonym(&applicant.index).parse()?,
        };
        let summary = Summary {
            decision_id: self.decision_id.parse::<DecisionId>()?,
            application_id,
            decided_at: UnixMicros(self.decided_at),
            outcome,
            score: self.score,
            probability: self.probability,
            model: self.model.parse::<ModelVersion>()?,
            arm: self.arm,
            record_digest: Digest::try_from(self.record_digest.as_slice())?,
            bins,
        };
        Ok(FeedEntry {
            log_index: to_u64(self.log_index)?,
            tenant,
            summary,
        })
    }
}

pub(super) fn traffic_table(
    generation: i64,
    salt: String,
    arms: &str,
    shadows: &str,
) -> Result<TrafficTable, StoreFailure> {
    let (arms, shadows) = (serde_json::from_str(arms)?, serde_json::from_str(shadows)?);
    TrafficTable::restored(to_u64(generation)?, salt, arms, shadows)
        .ok_or_else(|| "the arms of the stored traffic table do not cover the traffic".into())
}
