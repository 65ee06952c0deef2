//! Writes, decided: what a batch changes, given what is known. The store loads the facts, asks [`Change::plan`]
//! and applies the effects, all in one transaction under one lock.

use std::collections::{BTreeMap, BTreeSet};

use fcs_core::ApplicationId;

use super::counts::{Increments, Sign};
use super::facts::{
    AttributeName, Decision, Demographics, EventId, KnownGroup, KnownOutcome, LoggedDecision,
    Outcome, OutcomeEvent,
};
use super::profiles::ProfileIncrements;
use super::proxies::{
    GroupProbabilities, KnownMembership, Memberships, ProxyIncrements, ProxyName,
};

/// Values of an application by attribute.
pub type Groups = BTreeMap<AttributeName, KnownGroup>;

/// A batch to write.
#[derive(Debug, Clone)]
pub enum Change {
    /// Entries of the feed, in the order of the log.
    Decisions(Vec<LoggedDecision>),
    /// Protected attributes.
    Demographics(Vec<Demographics>),
    /// What proxies say of applicants.
    GroupProbabilities(Vec<GroupProbabilities>),
    /// Outcome events.
    Outcomes(Vec<OutcomeEvent>),
}

/// What the store holds on the applications of a change.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Highest log index that is counted.
    pub last_index: u64,
    /// Their decisions. Not needed, and empty, for [`Change::Decisions`].
    pub decisions: Vec<Decision>,
    /// Their protected attributes.
    pub groups: BTreeMap<ApplicationId, Groups>,
    /// What proxies say of them.
    pub memberships: BTreeMap<ApplicationId, Memberships>,
    /// Their outcomes in force.
    pub outcomes: BTreeMap<ApplicationId, KnownOutcome>,
    /// The events of the change that are stored already.
    pub events: BTreeSet<EventId>,
}

/// What a batch changes in the store.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Decisions to insert.
    pub decisions: Vec<LoggedDecision>,
    /// Attribute values to insert or replace.
    pub groups: BTreeMap<(ApplicationId, AttributeName), KnownGroup>,
    /// How many of these attributes were not known at all.
    pub groups_new: u64,
    /// Probabilities to insert or replace.
    pub memberships: BTreeMap<(ApplicationId, ProxyName), KnownMembership>,
    /// Events to insert.
    pub events: Vec<OutcomeEvent>,
    /// Outcomes in force to insert or replace.
    pub outcomes: BTreeMap<ApplicationId, KnownOutcome>,
    /// Increments of the counters.
    pub increments: Increments,
    /// Increments of the bins.
    pub profiles: ProfileIncrements,
    /// Increments of sums of probabilities.
    pub proxies: ProxyIncrements,
    /// What the caller is told.
    pub receipt: Receipt,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Parts of the batch that were new or changed something.
    pub recorded: u64,
    /// Parts that were known already.
    pub unchanged: u64,
    /// Highest log index that is counted after it.
    pub last_index: u64,
}

/// The feed skipped an index. Counting on would lose decisions for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision log has a gap: expected index {expected}, found {found}")]
pub struct Gap {
    /// The index that must come next.
    pub expected: u64,
    /// The index that came.
    pub found: u64,
}

impl Change {
    /// The applications that the facts must be about.
    pub fn applications(&self) -> BTreeSet<&ApplicationId> {
        match self {
            Self::Decisions(batch) => batch.iter().map(|it| &it.decision.application_id).collect(),
            Self::Demographics(batch) => batch.iter().map(|it| &it.application_id).collect(),
            Self::GroupProbabilities(batch) => batch.iter().map(|it| &it.application_id).collect(),
            Self::Outcomes(batch) => batch.iter().map(|it| &it.application_id).collect(),
        }
    }

    /// The events that the facts must be about.
    pub fn events(&self) -> BTreeSet<&EventId> {
        match self {
            Self::Outcomes(batch) => batch.iter().map(|event| &event.event_id).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Whether the plan needs the decisions that are stored.
    pub const fn needs_decisions(&self) -> bool {
        !matches!(self, Self::Decisions(_))
    }

    /// Decides what the batch changes. Fails if decisions do not follow the log without a gap; then nothing of the
    /// batch may be written.
    pub fn plan(&self, facts: &Facts) -> Result<Effects, Gap> {
        let mut effects = match self {
            Self::Decisions(batch) => plan_decisions(batch, facts)?,
            Self::Demographics(batch) => plan_demographics(batch, facts),
            Self::GroupProbabilities(batch) => plan_probabilities(batch, facts),
            Self::Outcomes(batch) => plan_outcomes(batch, facts),
        };
        effects.increments.settle();
        effects.profiles.settle();
        effects.proxies.settle();
        Ok(effects)
    }
}

fn plan_decisions(batch: &[LoggedDecision], facts: &Facts) -> Result<Effects, Gap> {
    let mut effects = Effects::default();
    let mut last_index = facts.last_index;
    for logged in batch {
        if logged.log_index <= last_index {
            effects.receipt.unchanged += 1;
            continue;
        }
        if logged.log_index != last_index + 1 {
            return Err(Gap {
                expected: last_index + 1,
                found: logged.log_index,
            });
        }
        last_index = logged.log_index;
        let decision = &logged.decision;
        if decision.outcome == Outcome::Incomplete {
            effects.receipt.unchanged += 1;
            continue;
        }
        let groups = || {
            let known = facts.groups.get(&decision.application_id);
            known.into_iter().flatten()
        };
        let outcome = facts
            .outcomes
            .get(&decision.application_id)
            .map(|known| known.outcome);
        effects
            .increments
            .add(decision, groups(), outcome, Sign::Plus);
        effects.profiles.add(decision, groups(), Sign::Plus);
        let memberships = facts.memberships.get(&decision.application_id);
        let memberships = memberships.into_iter().flatten();
        effects.proxies.add(decision, memberships, Sign::Plus);
        effects.decisions.push(logged.clone());
        effects.receipt.recorded += 1;
    }
    effects.receipt.last_index = last_index;
    Ok(effects)
}

fn plan_demographics(batch: &[Demographics], facts: &Facts) -> Effects {
    let mut effects = Effects::default();
    effects.receipt.last_index = facts.last_index;
    let mut after = facts.groups.clone();
    for item in batch {
        let groups = after.entry(item.application_id.clone()).or_default();
        for (attribute, value) in &item.attributes {
            let before = groups.insert(attribute.clone(), value.clone());
            if before.as_ref() == Some(value) {
                effects.receipt.unchanged += 1;
                continue;
            }
            effects.groups_new += u64::from(before.is_none());
            // The same group from another source is written, but it is no change of the value.
            let same_group = before.is_some_and(|before| before.group == value.group);
            effects.receipt.unchanged += u64::from(same_group);
            effects.receipt.recorded += u64::from(!same_group);
            effects.groups.insert(
                (item.application_id.clone(), attribute.clone()),
                value.clone(),
            );
        }
    }
    for decision in &facts.decisions {
        let id = &decision.application_id;
        let outcome = facts.outcomes.get(id).map(|known| known.outcome);
        let before = || facts.groups.get(id).into_iter().flatten();
        effects
            .increments
            .add(decision, before(), outcome, Sign::Minus);
        effects.profiles.add(decision, before(), Sign::Minus);
        let after = || after.get(id).into_iter().flatten();
        effects
            .increments
            .add(decision, after(), outcome, Sign::Plus);
        effects.profiles.add(decision, after(), Sign::Plus);
    }
    effects
}

fn plan_probabilities(batch: &[GroupProbabilities], facts: &Facts) -> Effects {
    let mut effects = Effects::default();
    effects.receipt.last_index = facts.last_index;
    let mut after = facts.memberships.clone();
    for item in batch {
        let memberships = after.entry(item.application_id.clone()).or_default();
        let before = memberships.insert(item.proxy.clone(), item.known.clone());
        if before.as_ref() == Some(&item.known) {
            effects.receipt.unchanged += 1;
            continue;
        }
        effects.receipt.recorded += 1;
        let key = (item.application_id.clone(), item.proxy.clone());
        effects.memberships.insert(key, item.known.clone());
    }
    for decision in &facts.decisions {
        let id = &decision.application_id;
        let before = facts.memberships.get(id).into_iter().flatten();
        effects.proxies.add(decision, before, Sign::Minus);
        let after = after.get(id).into_iter().flatten();
        effects.proxies.add(decision, after, Sign::Plus);
    }
    effects
}

fn plan_outcomes(batch: &[OutcomeEvent], facts: &Facts) -> Effects {
    let mut effects = Effects::default();
    effects.receipt.last_index = facts.last_index;
    let mut seen = facts.events.clone();
    for event in batch {
        if !seen.insert(event.event_id.clone()) {
            effects.receipt.unchanged += 1;
            continue;
        }
        effects.receipt.recorded += 1;
        effects.events.push(event.clone());
        let id = &event.application_id;
        let known = effects.outcomes.get(id).or_else(|| facts.outcomes.get(id));
        if known.is_none_or(|known| known.yields_to(event)) {
            effects.outcomes.insert(id.clone(), event.into());
        }
    }
    for decision in &facts.decisions {
        let id = &decision.application_id;
        let Some(after) = effects.outcomes.get(id) else {
            continue;
        };
        let before = facts.outcomes.get(id).map(|known| known.outcome);
        let groups = || facts.groups.get(id).into_iter().flatten();
        effects
            .increments
            .add(decision, groups(), before, Sign::Minus);
        effects
            .increments
            .add(decision, groups(), Some(after.outcome), Sign::Plus);
    }
    effects
}

#[cfg(test)]
mod tests {
    use fcs_core::{DecisionId, UnixMicros};

    use super::*;
    use crate::app::facts::{CreditOutcome, Outcome, Source};

    fn logged(log_index: u64) -> LoggedDecision {
        LoggedDecision {
            log_index,
            decision_id: DecisionId::new(UnixMicros(0), &[u8::try_from(log_index).unwrap(); 10]),
            decision: Decision {
                application_id: "A-1".parse().unwrap(),
                minute: 0,
                model: "demo/1".parse().unwrap(),
                arm: "stable".to_owned(),
                outcome: Outcome::Approve,
                score: 700,
                probability_ppm: 50_000,
                bins: Vec::new(),
            },
        }
    }

    fn event(id: &str, outcome: CreditOutcome, at: i64) -> OutcomeEvent {
        OutcomeEvent {
            event_id: id.parse().unwrap(),
            application_id: "A-1".parse().unwrap(),
            outcome,
            occurred_at: UnixMicros(at),
        }
    }

    #[test]
    fn entries_that_are_known_are_skipped_and_a_gap_is_refused() {
        let facts = Facts {
            last_index: 4,
            ..Facts::default()
        };
        let plan = Change::Decisions(vec![logged(3), logged(4), logged(5), logged(5), logged(6)])
            .plan(&facts);
        let effects = plan.unwrap();
        assert_eq!(
            effects.receipt,
            Receipt {
                recorded: 2,
                unchanged: 3,
                last_index: 6
            }
        );
        let gap = Change::Decisions(vec![logged(5), logged(7)])
            .plan(&facts)
            .unwrap_err();
        assert_eq!(
            gap,
            Gap {
                expected: 6,
                found: 7
            }
        );
    }

    #[test]
    fn the_latest_event_is_in_force_whatever_the_order() {
        let (old, tie, new) = (
            event("b", CreditOutcome::Repaid, 1),
            event("a", CreditOutcome::Defaulted, 2),
            event("c", CreditOutcome::Repaid, 2),
        );
        for batch in [[&old, &tie, &new], [&new, &tie, &old], [&tie, &new, &old]] {
            let change = Change::Outcomes(batch.into_iter().cloned().collect());
            let effects = change.plan(&Facts::default()).unwrap();
            assert_eq!(
                effects.outcomes.values().next().unwrap().event_id,
                new.event_id
            );
            assert_eq!(effects.receipt.recorded, 3);
        }
    }

    #[test]
    fn the_same_group_from_another_source_changes_no_counter() {
        let value = |source| KnownGroup {
            group: "female".parse().unwrap(),
            source,
        };
        let application: ApplicationId = "A-1".parse().unwrap();
        let attribute: AttributeName = "sex".parse().unwrap();
        let groups = Groups::from([(attribute.clone(), value(Source::Observed))]);
        let facts = Facts {
            decisions: vec![logged(1).decision],
            groups: BTreeMap::from([(application.clone(), groups)]),
            ..Facts::default()
        };
        let item = Demographics {
            application_id: application,
            attributes: vec![(attribute, value(Source::SelfReported))],
        };
        let effects = Change::Demographics(vec![item]).plan(&facts).unwrap();
        assert_eq!(effects.increments, Increments::default());
        assert_eq!(
            (
                effects.receipt.unchanged,
                effects.groups.len(),
                effects.groups_new
            ),
            (1, 1, 0)
        );
    }
}
