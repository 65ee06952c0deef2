//! Which decision each draft of a batch becomes or stands for.

use super::{Claim, Claimed, Draft, StoredDecision};

/// What the drafts of one batch become.
pub(super) struct Placement<'a> {
    /// Drafts that are written, with their indices.
    pub(super) written: Vec<(u64, &'a Draft)>,
    /// Which decision each draft's key stands for, in the order of the drafts.
    pub(super) claimed: Vec<Claimed>,
}

/// Gives contiguous indices after `last` to the drafts whose keys are free; the first draft with a key takes it.
pub(super) fn place<'a>(
    drafts: &'a [Draft],
    taken: &[(Claim, StoredDecision)],
    last: u64,
) -> Placement<'a> {
    let mut placement = Placement {
        written: Vec::new(),
        claimed: Vec::with_capacity(drafts.len()),
    };
    for draft in drafts {
        let earlier = placement
            .written
            .iter()
            .find(|(_, other)| same_key(&other.claim, &draft.claim));
        let claimed = if let Some((claim, decision)) = taken
            .iter()
            .find(|(claim, _)| same_key(claim, &draft.claim))
        {
            Claimed {
                fingerprint: claim.fingerprint,
                decision: decision.clone(),
            }
        } else if let Some((log_index, other)) = earlier {
            stored(*log_index, other)
        } else {
            let log_index = last + 1 + placement.written.len() as u64;
            placement.written.push((log_index, draft));
            stored(log_index, draft)
        };
        placement.claimed.push(claimed);
    }
    placement
}

pub(super) fn same_key(left: &Claim, right: &Claim) -> bool {
    left.tenant == right.tenant && left.client == right.client && left.key == right.key
}

fn stored(log_index: u64, draft: &Draft) -> Claimed {
    let decision = StoredDecision {
        log_index,
        record: draft.record.clone(),
        record_digest: draft.summary.record_digest,
    };
    Claimed {
        fingerprint: draft.claim.fingerprint,
        decision,
    }
}
