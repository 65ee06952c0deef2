//! Reviews: a person confirms or overrides a decision. The decision stays as it is; the latest review counts.

use std::collections::BTreeSet;

use fcs_core::{
    ApiError, DecisionId, Digest, ErrorCode, IdempotencyKey, RandomBytes, ReviewId, TenantId,
    Violation, redacted_debug,
};
use fcs_decision::manifest::Manifest;
use fcs_decision::regulation_b::sample_reason;
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;

use super::command::{fingerprint_of, invalid_request, parse_key};
use super::score::client_of;
use super::{App, store_unavailable};
use crate::store::{CASE_ROWS_MAX, Claim, Kept, Review, ReviewOutcome, ReviewReason};

redacted_debug!(ReviewDraft);

/// Reasons of a denial at most (12 CFR 1002, Supplement I, comment 9(b)(2)-1).
pub const REASONS_MAX: usize = 4;
/// Characters of a reviewer's identifier at most.
const REVIEWER_MAX: usize = 128;
/// Characters of a note at most.
const NOTE_MAX: usize = 4_000;
/// Name of the fingerprint's form; a new form needs a new name.
const FINGERPRINT_FORM: &str = "faircredit/review/v1";

/// What a client sends about a review.
#[derive(Clone, PartialEq, Eq)]
pub struct ReviewDraft {
    /// The lender's identifier of the person.
    pub reviewer: String,
    /// What the person decided.
    pub outcome: ReviewOutcome,
    /// Codes of the reasons, most important first.
    pub reason_codes: Vec<String>,
    /// Why, in the person's words.
    pub note: String,
}

/// A checked request to record a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewCommand {
    key: IdempotencyKey,
    decision_id: DecisionId,
    draft: ReviewDraft,
}

/// Something that was recorded under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<T> {
    /// What is in the store.
    pub value: T,
    /// Whether it was recorded for an earlier request with the same key.
    pub replayed: bool,
}

impl ReviewCommand {
    /// Checks everything that needs neither the decision nor its model.
    pub fn new(key: &str, decision_id: DecisionId, draft: ReviewDraft) -> Result<Self, ApiError> {
        let key = parse_key(key)?;
        let violations = draft.violations();
        if violations.is_empty() {
            Ok(Self {
                key,
                decision_id,
                draft,
            })
        } else {
            Err(invalid_request(violations))
        }
    }

    fn claim(&self, caller: &Principal) -> Claim {
        Claim {
            tenant: caller.tenant.clone(),
            client: client_of(caller),
            key: self.key.clone(),
            fingerprint: self.fingerprint(),
        }
    }

    fn fingerprint(&self) -> Digest {
        let decision_id = self.decision_id.to_string();
        let draft = &self.draft;
        let mut parts = vec![
            decision_id.as_str(),
            draft.reviewer.as_str(),
            draft.outcome.as_str(),
            draft.note.as_str(),
        ];
        parts.extend(draft.reason_codes.iter().map(String::as_str));
        fingerprint_of(FINGERPRINT_FORM, &parts)
    }
}

impl ReviewDraft {
    fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut add = |pointer: &str, reason, description: &str| {
            violations.push(Violation {
                pointer: pointer.to_owned(),
                reason,
                description: description.to_owned(),
            });
        };
        let length = self.reviewer.chars().count();
        if !(1..=REVIEWER_MAX).contains(&length) || self.reviewer.chars().any(char::is_control) {
            add(
                "/reviewer",
                "REVIEWER_INVALID",
                "1 to 128 characters without control characters",
            );
        }
        let is_foreign = |c: char| c.is_control() && c != '\n' && c != '\t';
        if self.note.chars().count() > NOTE_MAX || self.note.chars().any(is_foreign) {
            add(
                "/note",
                "NOTE_INVALID",
                "at most 4,000 characters, and of control characters only new lines and tabs",
            );
        }
        let codes = self.reason_codes.len();
        match self.outcome {
            ReviewOutcome::Approve if codes != 0 => {
                add(
                    "/reason_codes",
                    "REASONS_NOT_ALLOWED",
                    "an approval has no reasons",
                );
            }
            ReviewOutcome::Deny if !(1..=REASONS_MAX).contains(&codes) => {
                add(
                    "/reason_codes",
                    "REASONS_MISSING",
                    "a denial has one to four reasons",
                );
            }
            _ => {}
        }
        if self.reason_codes.iter().collect::<BTreeSet<_>>().len() < codes {
            add("/reason_codes", "REASON_REPEATED", "name each reason once");
        }
        violations
    }
}

impl App {
    /// Records a review, or gives the one that its key stands for already.
    pub async fn record_review(
        &self,
        caller: &Principal,
        command: &ReviewCommand,
        deadline: Deadline,
    ) -> Result<Recorded<Review>, ApiError> {
        let claim = command.claim(caller);
        let record = self.record(&caller.tenant, command.decision_id).await?;
        let known = self
            .cases
            .review_of(&claim)
            .await
            .map_err(store_unavailable)?;
        if let Some(kept) = known {
            return answer(kept, true);
        }
        let manifest = deadline.run(self.manifest_of(&record)).await??;
        let reasons = reasons(&command.draft.reason_codes, &manifest)?;
        let earlier = self.reviews(&caller.tenant, command.decision_id).await?;
        if earlier.len() >= CASE_ROWS_MAX as usize {
            let message = format!("this decision has {CASE_ROWS_MAX} reviews, which is the limit");
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "TOO_MANY_REVIEWS",
                message,
            ));
        }
        let review = self.review(command, reasons);
        let kept = self
            .cases
            .record_review(&claim, &review)
            .await
            .map_err(store_unavailable)?;
        let replayed = kept.value.review_id != review.review_id;
        answer(kept, replayed)
    }

    /// The reviews of a decision, the earliest first.
    pub async fn reviews(
        &self,
        tenant: &TenantId,
        id: DecisionId,
    ) -> Result<Vec<Review>, ApiError> {
        self.decision(tenant, id).await?;
        let reviews = self.cases.reviews(tenant, id).await;
        reviews.map_err(store_unavailable)
    }

    fn review(&self, command: &ReviewCommand, reasons: Vec<ReviewReason>) -> Review {
        let reviewed_at = self.clock.now();
        let mut identity = RandomBytes::default();
        self.random.fill(&mut identity);
        let draft = command.draft.clone();
        Review {
            review_id: ReviewId::new(reviewed_at, &identity),
            decision_id: command.decision_id,
            reviewer: draft.reviewer,
            outcome: draft.outcome,
            reasons,
            note: draft.note,
            reviewed_at,
        }
    }
}

/// The texts of the codes: those of the model's reason map, and the sample reasons of form C-1.
fn reasons(codes: &[String], manifest: &Manifest) -> Result<Vec<ReviewReason>, ApiError> {
    let text = |code: &str| {
        let own = manifest.reason(code).map(|reason| reason.text.as_str());
        own.or_else(|| sample_reason(code)).map(str::to_owned)
    };
    let mut violations = Vec::new();
    let mut reasons = Vec::with_capacity(codes.len());
    for (index, code) in codes.iter().enumerate() {
        match text(code) {
            Some(text) => reasons.push(ReviewReason {
                code: code.clone(),
                text,
            }),
            None => violations.push(Violation {
                pointer: format!("/reason_codes/{index}"),
                reason: "REASON_UNKNOWN",
                description: format!(
                    "{code:?} is neither in the reason map of {} nor one of C1-01 to C1-23",
                    manifest.model_version()
                ),
            }),
        }
    }
    if violations.is_empty() {
        Ok(reasons)
    } else {
        Err(invalid_request(violations))
    }
}

/// The answer to a claim whose key stands for something now.
pub(super) fn answer<T>(kept: Kept<T>, replayed: bool) -> Result<Recorded<T>, ApiError> {
    if kept.same_request {
        return Ok(Recorded {
            value: kept.value,
            replayed,
        });
    }
    Err(super::queue::other_request())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(outcome: ReviewOutcome, codes: &[&str]) -> ReviewDraft {
        ReviewDraft {
            reviewer: "u-17".to_owned(),
            outcome,
            reason_codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            note: "called the employer\nconfirmed".to_owned(),
        }
    }

    fn broken(draft: &ReviewDraft) -> Vec<&'static str> {
        draft
            .violations()
            .iter()
            .map(|violation| violation.reason)
            .collect()
    }

    #[test]
    fn reasons_go_with_denials_only() {
        use ReviewOutcome::{Approve, Deny};

        assert!(broken(&draft(Approve, &[])).is_empty());
        assert!(broken(&draft(Deny, &["C1-06"])).is_empty());
        assert_eq!(broken(&draft(Approve, &["C1-06"])), ["REASONS_NOT_ALLOWED"]);
        assert_eq!(broken(&draft(Deny, &[])), ["REASONS_MISSING"]);
        assert_eq!(
            broken(&draft(Deny, &["a", "b", "c", "d", "e"])),
            ["REASONS_MISSING"]
        );
        assert_eq!(broken(&draft(Deny, &["a", "a"])), ["REASON_REPEATED"]);
    }

    #[test]
    fn texts_that_the_store_could_not_keep_are_refused() {
        let mut strange = draft(ReviewOutcome::Approve, &[]);
        strange.note = "a\0b".to_owned();
        strange.reviewer = String::new();
        assert_eq!(broken(&strange), ["REVIEWER_INVALID", "NOTE_INVALID"]);
    }
}
