//! Entries of the gateway's feed as decisions.

use std::error::Error;

use fcs_core::{Probability, UnixMicros};
use fcs_proto::scoring::v1::{FeedEntry, Outcome as WireOutcome};

use crate::app::facts::{Decision, LoggedDecision, Outcome, parts_per_million};

/// Characters of a traffic arm's name at most.
const ARM_MAX: usize = 64;

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
        }
    }

    #[test]
    fn an_entry_is_read() {
        let logged = decision(&entry()).unwrap();
        assert_eq!((logged.log_index, logged.decision.minute), (9, 2));
        assert_eq!(logged.decision.outcome, Outcome::Refer);
        assert_eq!(logged.decision.probability_ppm, 250_000);
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
