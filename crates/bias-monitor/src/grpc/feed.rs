//! Entries of the gateway's feed as decisions.

use std::error::Error;

use fcs_core::{Probability, UnixMicros};
use fcs_proto::scoring::v1::{
    self as wire, FeedEntry, GetModelProfileResponse, Outcome as WireOutcome,
};

use crate::app::drift::Variable;
use crate::app::erasure::Erased;
use crate::app::facts::{Decision, LoggedDecision, Outcome, parts_per_million};
use crate::app::gaps::{PAGE, ShadowArm, ShadowOutcome, ShadowPage};

/// Characters of a traffic arm's name at most.
const ARM_MAX: usize = 64;
/// Variables of a profile at most.
const VARIABLES_MAX: usize = 10_000;
/// The highest index that the store can keep.
const INDEX_MAX: u64 = i64::MAX.unsigned_abs();
/// The highest place of a bin: that of the last of a thousand bins.
const PLACE_MAX: u16 = 1_000;

/// An entry that makes no sense. Counting on would lose a decision, so the reader stops here.
#[derive(Debug, thiserror::Error)]
#[error("entry {log_index} of the feed makes no sense: {field}")]
pub(crate) struct InvalidEntry {
    /// Its place in the log.
    pub(crate) log_index: u64,
    /// The field at fault.
    pub(crate) field: &'static str,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What the gateway tells of a shadow arm makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("its name, its model, or the order of its indices")]
pub(crate) struct InvalidShadow;

/// What the gateway tells of an erasure makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("its place, or its pseudonym")]
pub(crate) struct InvalidErasure;

/// Reads an entry.
pub(crate) fn decision(entry: &FeedEntry) -> Result<LoggedDecision, InvalidEntry> {
    let log_index = entry.log_index;
    let invalid = |field, source| InvalidEntry {
        log_index,
        field,
        source,
    };
    let outcome = match entry.outcome() {
        WireOutcome::Approve => Outcome::Approve,
        // An offer of other terms neither grants what was asked for nor refuses credit (12 CFR 1002.2(c)(1)(i)); what
        // becomes of it is open, as with a referral.
        WireOutcome::Refer | WireOutcome::Counteroffer => Outcome::Refer,
        WireOutcome::Deny => Outcome::Deny,
        WireOutcome::Incomplete => Outcome::Incomplete,
        WireOutcome::Unspecified => return Err(invalid("outcome", None)),
    };
    let arm_fits = (1..=ARM_MAX).contains(&entry.arm.chars().count());
    if !arm_fits || entry.arm.chars().any(char::is_control) {
        return Err(invalid("arm", None));
    }
    let probability = Probability::try_from(entry.probability)
        .map_err(|error| invalid("probability", Some(error.into())))?;
    let decision = Decision {
        application_id: entry
            .application_id
            .parse()
            .map_err(|error: fcs_core::InvalidId| invalid("application_id", Some(error.into())))?,
        minute: UnixMicros(entry.decided_at_micros).minute(),
        model: entry
            .model
            .parse()
            .map_err(|error: fcs_core::InvalidId| invalid("model", Some(error.into())))?,
        arm: entry.arm.clone(),
        outcome,
        score: entry.score.into(),
        probability_ppm: parts_per_million(probability),
        bins: bins(&entry.bins).unwrap_or_default(),
    };
    let decision_id = entry
        .decision_id
        .parse()
        .map_err(|error: fcs_core::InvalidId| invalid("decision_id", Some(error.into())))?;
    Ok(LoggedDecision {
        log_index,
        decision_id,
        decision,
    })
}

/// Erasures that the gateway tells of, after a place.
pub(crate) fn erased(
    after_place: u64,
    told: Vec<wire::ExecutedErasure>,
) -> Result<Vec<Erased>, InvalidErasure> {
    let mut last = after_place;
    let mut erased = Vec::with_capacity(told.len());
    for it in told {
        if it.place <= last || it.place > INDEX_MAX {
            return Err(InvalidErasure);
        }
        last = it.place;
        erased.push(Erased {
            place: it.place,
            pseudonym: it.pseudonym.parse().map_err(|_| InvalidErasure)?,
            log_indices: it.log_indices,
        });
    }
    Ok(erased)
}

/// A shadow arm that the gateway tells of.
pub(crate) fn shadow_arm(arm: wire::ShadowArmProgress) -> Result<ShadowArm, InvalidShadow> {
    let fits = (1..=ARM_MAX).contains(&arm.name.chars().count());
    if !fits || arm.complete_up_to < arm.after_index || arm.after_index > INDEX_MAX {
        return Err(InvalidShadow);
    }
    Ok(ShadowArm {
        name: arm.name,
        model: arm.model.parse().map_err(|_| InvalidShadow)?,
        since_generation: arm.since_generation,
        after_index: arm.after_index,
    })
}

/// A page of a shadow arm's outcomes. Nothing is known where the application was incomplete to the arm's model.
pub(crate) fn shadow_page(
    after_index: u64,
    page: &wire::ListShadowOutcomesResponse,
) -> Result<ShadowPage, InvalidShadow> {
    let approved = |outcome: WireOutcome| match outcome {
        WireOutcome::Approve => Some(true),
        WireOutcome::Refer | WireOutcome::Counteroffer | WireOutcome::Deny => Some(false),
        WireOutcome::Incomplete | WireOutcome::Unspecified => None,
    };
    let outcomes = page.outcomes.iter().map(|it| ShadowOutcome {
        log_index: it.log_index,
        approved: approved(it.outcome()),
    });
    let outcomes: Vec<_> = outcomes.collect();
    let mut indices = vec![after_index];
    indices.extend(outcomes.iter().map(|it| it.log_index));
    let last = indices.last().copied().unwrap_or(after_index);
    let ascends = indices.windows(2).all(|pair| pair[0] < pair[1]);
    let reaches = (last..=INDEX_MAX).contains(&page.up_to_index);
    if !ascends || !reaches || outcomes.len() > PAGE as usize {
        return Err(InvalidShadow);
    }
    Ok(ShadowPage {
        after_index,
        outcomes,
        up_to_index: page.up_to_index,
    })
}

/// A model's profile; `None` if it makes no sense.
pub(crate) fn variables(profile: GetModelProfileResponse) -> Option<Vec<Variable>> {
    if !(1..=VARIABLES_MAX).contains(&profile.variables.len()) {
        return None;
    }
    let variable = |it: wire::Variable| {
        let bins = it.edges.len().saturating_sub(1).max(it.categories.len());
        let is_one_kind = it.edges.is_empty() != it.categories.is_empty();
        let ascends = it.edges.windows(2).all(|pair| pair[0] <= pair[1]);
        let is_finite = it.edges.iter().all(|edge| edge.is_finite());
        let counted = bins == it.reference.len() && bins <= usize::from(PLACE_MAX);
        let fits = is_one_kind && ascends && is_finite && counted;
        fits.then_some(Variable {
            name: it.name,
            edges: it.edges,
            reference: it.reference,
            reference_missing: it.reference_missing,
        })
    };
    profile.variables.into_iter().map(variable).collect()
}

/// Bins within the limits of a profile. Drift does without others; counters must not stop for them.
fn bins(bins: &[u32]) -> Option<Vec<u16>> {
    if bins.len() > VARIABLES_MAX {
        return None;
    }
    let place = |bin: &u32| u16::try_from(*bin).ok().filter(|bin| *bin <= PLACE_MAX);
    bins.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use fcs_core::DecisionId;

    use super::*;

    fn entry() -> FeedEntry {
        FeedEntry {
            log_index: 9,
            tenant: "default".to_owned(),
            decision_id: DecisionId::new(UnixMicros(0), &[1; 10]).to_string(),
            application_id: "A-1".to_owned(),
            decided_at_micros: 120_000_001,
            outcome: WireOutcome::Refer.into(),
            score: 600,
            probability: 0.25,
            model: "demo/1".to_owned(),
            arm: "stable".to_owned(),
            record_digest: vec![0; 32],
            bins: vec![0, 1_000],
        }
    }

    #[test]
    fn an_entry_is_read() {
        let logged = decision(&entry()).unwrap();
        assert_eq!((logged.log_index, logged.decision.minute), (9, 2));
        assert_eq!(logged.decision.outcome, Outcome::Refer);
        assert_eq!(logged.decision.probability_ppm, 250_000);
        assert_eq!(logged.decision.bins, [0, 1_000]);
    }

    #[test]
    fn a_profile_has_as_many_counts_as_bins() {
        let variable = |edges: &[f64], reference: &[u64]| GetModelProfileResponse {
            variables: vec![wire::Variable {
                name: "income".to_owned(),
                edges: edges.to_vec(),
                categories: Vec::new(),
                reference: reference.to_vec(),
                reference_missing: 3,
            }],
        };
        let read = variables(variable(&[0.0, 1.0, 2.0], &[5, 6])).unwrap();
        assert_eq!(
            (read[0].name.as_str(), read[0].reference_missing),
            ("income", 3)
        );
        for (edges, reference) in [
            (&[0.0, 1.0][..], &[5, 6][..]),
            (&[], &[]),
            (&[0.0, f64::NAN], &[5]),
            (&[1.0, 0.0], &[5]),
        ] {
            assert_eq!(variables(variable(edges, reference)), None);
        }
    }

    #[test]
    fn bins_beyond_the_limits_are_none() {
        for bins in [vec![1_001], vec![0; 10_001]] {
            let entry = FeedEntry { bins, ..entry() };
            assert!(decision(&entry).unwrap().decision.bins.is_empty());
        }
    }

    #[test]
    fn nonsense_is_named() {
        let field = |change: fn(&mut FeedEntry)| {
            let mut entry = entry();
            change(&mut entry);
            decision(&entry).unwrap_err().field
        };
        assert_eq!(field(|entry| entry.outcome = 0), "outcome");
        assert_eq!(field(|entry| entry.outcome = 99), "outcome");
        assert_eq!(field(|entry| entry.probability = f64::NAN), "probability");
        assert_eq!(
            field(|entry| entry.application_id.clear()),
            "application_id"
        );
        assert_eq!(
            field(|entry| entry.decision_id = "dec_1".to_owned()),
            "decision_id"
        );
        assert_eq!(field(|entry| entry.model = "demo".to_owned()), "model");
        assert_eq!(field(|entry| entry.arm.clear()), "arm");
    }
}
