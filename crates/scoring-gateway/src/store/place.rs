//! Which decision each draft of a batch becomes or stands for.

use std::collections::BTreeMap;

use fcs_core::{ApplicationId, Digest, TenantId};
use fcs_decision::calendar::Day;

use super::columns::{bins_place, bins_to_bytes, record_place};
use super::{Appended, Claim, Claimed, Draft, Found, StoredDecision};
use crate::privacy::{Applicant, DataKey, FreshKey, Vault};

/// A claim with what the store keeps of it.
pub(super) struct BlindClaim<'a> {
    pub(super) claim: &'a Claim,
    pub(super) key: String,
    pub(super) fingerprint: Digest,
}

/// A row of a key that is taken.
pub(super) struct Taken {
    pub(super) tenant: String,
    pub(super) client: String,
    pub(super) key: String,
    pub(super) fingerprint: Digest,
    pub(super) decision: Found,
}

impl<'a> BlindClaim<'a> {
    pub(super) fn of(claim: &'a Claim, vault: &Vault) -> Self {
        Self {
            claim,
            key: vault.request_key(claim),
            fingerprint: vault.fingerprint(claim),
        }
    }

    /// Both forms in which the key may be stored: rows from before encryption hold it as it is.
    pub(super) fn stored_keys(&self) -> [&str; 2] {
        [&self.key, self.claim.key.as_str()]
    }

    /// Whether what is stored under this key was recorded for the same request; `None` when it is another key.
    pub(super) fn same_request(&self, key: &str, fingerprint: Digest) -> Option<bool> {
        if key == self.key {
            Some(fingerprint == self.fingerprint)
        } else {
            (key == self.claim.key.as_str()).then(|| fingerprint == self.claim.fingerprint)
        }
    }

    /// The decision that it stands for.
    pub(super) fn among(&self, taken: &[Taken]) -> Option<Claimed> {
        taken.iter().find_map(|row| {
            let in_scope =
                row.tenant == self.claim.tenant.as_str() && row.client == self.claim.client;
            let same_request = self
                .same_request(&row.key, row.fingerprint)
                .filter(|_| in_scope)?;
            let decision = row.decision.clone();
            Some(Claimed {
                same_request,
                decision,
            })
        })
    }
}

/// The keys of a batch's applications; none where the application was erased.
pub(super) type Keys = BTreeMap<Applicant, Option<DataKey>>;

/// An application that needs a key, and the last day on which it is needed.
#[derive(Clone, Copy)]
pub(super) struct WantedKey<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) application_id: &'a ApplicationId,
    pub(super) retain_until: Day,
}

impl<'a> WantedKey<'a> {
    /// The key of a draft's application.
    pub(super) const fn of(draft: &'a Draft) -> Self {
        Self {
            tenant: &draft.claim.tenant,
            application_id: &draft.summary.application_id,
            retain_until: draft.retain_until,
        }
    }
}

/// A key for each of these applications, to be stored where there is none.
pub(super) fn fresh_keys<'a>(
    wanted: impl Iterator<Item = WantedKey<'a>>,
    vault: &Vault,
) -> BTreeMap<Applicant, (FreshKey, Day)> {
    let mut keys: BTreeMap<Applicant, (FreshKey, Day)> = BTreeMap::new();
    for want in wanted {
        let applicant = vault.applicant(want.tenant, want.application_id);
        if let Some((_, day)) = keys.get_mut(&applicant) {
            *day = want.retain_until.max(*day);
        } else {
            let key = vault.fresh_key(&applicant, want.application_id);
            keys.insert(applicant, (key, want.retain_until));
        }
    }
    keys
}

/// A draft that is written.
pub(super) struct Written<'a> {
    pub(super) log_index: u64,
    pub(super) draft: &'a Draft,
    pub(super) claim: &'a BlindClaim<'a>,
    pub(super) applicant: Applicant,
    pub(super) sealed_record: Vec<u8>,
    pub(super) sealed_bins: Vec<u8>,
}

/// What the drafts of one batch become.
pub(super) struct Placement<'a> {
    /// Drafts that are written, with their indices.
    pub(super) written: Vec<Written<'a>>,
    /// What became of each draft, in the order of the drafts.
    pub(super) appended: Vec<Appended>,
}

/// What is known about a batch before it is placed.
pub(super) struct Batch<'a> {
    pub(super) drafts: &'a [Draft],
    /// The claims of the drafts, in their order.
    pub(super) claims: &'a [BlindClaim<'a>],
    /// Keys that stand for a decision already.
    pub(super) taken: &'a [Taken],
    pub(super) vault: &'a Vault,
}

impl<'a> Batch<'a> {
    /// The applications of the drafts whose keys do not stand for a decision yet.
    pub(super) fn free(&self) -> impl Iterator<Item = WantedKey<'a>> {
        let pairs = self.drafts.iter().zip(self.claims);
        pairs
            .filter(|(_, claim)| claim.among(self.taken).is_none())
            .map(|(draft, _)| WantedKey::of(draft))
    }

    /// Gives contiguous indices after `last` to the drafts whose keys are free; the first draft with a key takes it.
    pub(super) fn place(&self, keys: &Keys, last: u64) -> Placement<'a> {
        let mut placement = Placement {
            written: Vec::new(),
            appended: Vec::with_capacity(self.drafts.len()),
        };
        for (draft, claim) in self.drafts.iter().zip(self.claims) {
            let earlier = placement
                .written
                .iter()
                .find(|written| same_key(&written.draft.claim, &draft.claim));
            let appended = if let Some(claimed) = claim.among(self.taken) {
                Appended::Stands(claimed)
            } else if let Some(written) = earlier {
                stands(written.log_index, written.draft, &draft.claim)
            } else {
                let next = last + 1 + placement.written.len() as u64;
                match self.written(draft, claim, keys, next) {
                    None => Appended::ApplicationErased,
                    Some(written) => {
                        placement.written.push(written);
                        stands(next, draft, &draft.claim)
                    }
                }
            };
            placement.appended.push(appended);
        }
        placement
    }

    fn written(
        &self,
        draft: &'a Draft,
        claim: &'a BlindClaim<'a>,
        keys: &Keys,
        log_index: u64,
    ) -> Option<Written<'a>> {
        let id = &draft.summary.application_id;
        let applicant = self.vault.applicant(&draft.claim.tenant, id);
        let key = keys.get(&applicant)?.as_ref()?;
        let decision_id = draft.summary.decision_id.to_string();
        let row = [decision_id.as_bytes()];
        let sealed_record = key.seal(&record_place(&row), &draft.record);
        let sealed_bins = key.seal(&bins_place(&row), &bins_to_bytes(&draft.summary.bins));
        Some(Written {
            log_index,
            draft,
            claim,
            applicant,
            sealed_record,
            sealed_bins,
        })
    }
}

fn same_key(left: &Claim, right: &Claim) -> bool {
    left.tenant == right.tenant && left.client == right.client && left.key == right.key
}

pub(super) fn stands(log_index: u64, draft: &Draft, claim: &Claim) -> Appended {
    let decision = Found::Kept(StoredDecision {
        log_index,
        record: draft.record.clone(),
        record_digest: draft.summary.record_digest,
    });
    Appended::Stands(Claimed {
        same_request: draft.claim.fingerprint == claim.fingerprint,
        decision,
    })
}
