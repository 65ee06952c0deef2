//! The duties that come with a decision: the notice, the disclosures and how long the record is kept.

use std::collections::BTreeMap;

use super::{DecisionContext, Verdict};
use crate::application::{Application, Purpose, Source};
use crate::calendar::Day;
use crate::features::FeatureInput;
use crate::policy::{CreditKind, Policy};
use crate::record::{Component, DecidedBy, FormHint, Notice, Outcome, OutsideSources};

/// Days for a notice after the application is complete, or after action on an account (12 CFR 1002.9(a)(1)(i)-(iii)).
const NOTICE_DAYS: u16 = 30;
/// Days for a notice after a counter-offer that the applicant does not accept (12 CFR 1002.9(a)(1)(iv)).
const COUNTEROFFER_NOTICE_DAYS: u16 = 90;
/// Months for which records of consumer credit are kept after the notice (12 CFR 1002.12(b)(1)).
const RETENTION_MONTHS: u8 = 25;
/// The same for business credit.
const RETENTION_MONTHS_BUSINESS: u8 = 12;

/// What the duties follow from.
pub(super) struct Facts {
    outcome: Outcome,
    decided_by: DecidedBy,
    decided_on: Day,
    clock_starts: Day,
    credit: CreditKind,
    reasons_on_request: bool,
    sources: OutsideSources,
}

impl Facts {
    pub(super) fn of(
        verdict: &Verdict,
        inputs: &BTreeMap<String, FeatureInput>,
        context: &DecisionContext,
        policy: &Policy,
    ) -> Self {
        let decided_on = Day::of(context.decided_at);
        let application = &context.application;
        // What a lender does of itself to an account that exists counts from when it does it.
        let of_the_lender = matches!(
            application.purpose,
            Some(Purpose::LineDecrease | Purpose::RateIncrease | Purpose::AccountClosure)
        );
        let clock_starts = if of_the_lender {
            decided_on
        } else {
            application.clock_starts(context.decided_at)
        };
        Self {
            outcome: verdict.outcome,
            decided_by: verdict.decided_by,
            decided_on,
            clock_starts,
            credit: policy.credit,
            reasons_on_request: policy.reasons_on_request,
            sources: sources(inputs, application),
        }
    }

    fn is_adverse(&self) -> bool {
        matches!(self.outcome, Outcome::Deny | Outcome::Counteroffer)
    }

    pub(super) fn component(&self) -> Option<Component> {
        let component = match self.decided_by {
            DecidedBy::Score => Component::Score,
            DecidedBy::KnockOut | DecidedBy::PolicyRule => Component::PolicyRule,
        };
        self.is_adverse().then_some(component)
    }

    pub(super) fn outside_sources(&self) -> Option<OutsideSources> {
        self.is_adverse().then_some(self.sources)
    }

    pub(super) fn notice(&self) -> Notice {
        let due_by = match self.outcome {
            Outcome::Approve => None,
            Outcome::Refer | Outcome::Deny | Outcome::Incomplete => {
                Some(self.clock_starts.plus_days(NOTICE_DAYS))
            }
            // The offer itself is the first notice; the clock counts from it.
            Outcome::Counteroffer => Some(self.decided_on.plus_days(COUNTEROFFER_NOTICE_DAYS)),
        };
        Notice {
            required: !matches!(self.outcome, Outcome::Approve | Outcome::Refer),
            due_by,
            form_hint: self.form_hint(),
        }
    }

    fn form_hint(&self) -> Option<FormHint> {
        match self.outcome {
            Outcome::Approve | Outcome::Refer => None,
            Outcome::Incomplete => Some(FormHint::C6),
            Outcome::Counteroffer => Some(FormHint::C4),
            Outcome::Deny if self.reasons_on_request => Some(FormHint::C5),
            Outcome::Deny if self.sources.fcra_615b => Some(FormHint::C1),
            Outcome::Deny if self.decided_by == DecidedBy::Score => Some(FormHint::C3),
            Outcome::Deny => Some(FormHint::C2),
        }
    }

    /// Counted from the last day for the notice, which is never before the notice itself.
    pub(super) fn retain_until(&self) -> Day {
        let months = match self.credit {
            CreditKind::Consumer => RETENTION_MONTHS,
            CreditKind::Business => RETENTION_MONTHS_BUSINESS,
        };
        let notified = self.notice().due_by.unwrap_or(self.decided_on);
        notified.max(self.decided_on).plus_months(months)
    }
}

/// Every value was considered, so one value of a source is enough. Values without a declared source say nothing.
fn sources(inputs: &BTreeMap<String, FeatureInput>, application: &Application) -> OutsideSources {
    let given = |source| {
        application.feature_sources.iter().any(|(name, declared)| {
            let has_value = inputs
                .get(name)
                .is_some_and(|input| *input != FeatureInput::Missing);
            has_value && declared.source == source
        })
    };
    OutsideSources {
        fcra_615a: given(Source::Bureau),
        fcra_615b: given(Source::ThirdParty),
    }
}
