//! Adverse action notices (12 CFR 1002.9): what one says, and when and how it went out.

use fcs_core::{
    ApiError, DecisionId, Digest, ErrorCode, IdempotencyKey, TenantId, UnixMicros, Violation,
    redacted_debug,
};
use fcs_decision::application::Purpose;
use fcs_decision::manifest::sha256;
use fcs_decision::record::{DecidedBy, DecisionRecord, Outcome};
use fcs_service::auth::Principal;
use serde::Serialize;

use super::command::{fingerprint_of, invalid_request, parse_key};
use super::review::{Recorded, answer};
use super::score::client_of;
use super::{App, store_unavailable};
use crate::settings::NoticeSettings;
use crate::store::{CASE_ROWS_MAX, Claim, Delivery, DeliveryChannel, Review, ReviewOutcome};

redacted_debug!(Notice);

/// Days from the decision to the last day for its notice (12 CFR 1002.9(a)(1)).
const NOTICE_DAYS: u32 = 30;
/// How far another clock may be ahead of ours.
const CLOCK_SKEW_MICROS: i64 = 300_000_000;
/// Name of the fingerprint's form; a new form needs a new name.
const FINGERPRINT_FORM: &str = "faircredit/notice-delivery/v1";
/// What a denial by score says before its reasons, after form C-2 of appendix C.
const SCORED: &str = "Thank you for your application for credit. We have considered it carefully and regret that we \
                      are unable to grant you credit at this time. Your application was processed by a credit scoring \
                      system that assigns a numerical value to the items of information that we consider. It did not \
                      reach the score that is needed for approval. The principal reasons why it did not score well \
                      compared with other applications are:";
/// What a denial by a rule or by a person says before its reasons.
const OTHERWISE: &str = "Thank you for your application for credit. We have considered it carefully and regret that \
                         we are unable to grant you credit at this time. The principal reasons for our decision are:";

/// What a notice says. Its digest is over the canonical JSON of exactly these members.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The decision.
    pub decision_id: DecisionId,
    /// The lender's identifier of the application.
    pub application_id: String,
    /// Date of the denial in UTC, `YYYY-MM-DD`.
    pub action_date: String,
    /// Last day for the notice, `YYYY-MM-DD`.
    pub due_by: String,
    /// The creditor.
    pub creditor_name: String,
    /// The creditor's address.
    pub creditor_address: String,
    /// The statement of the action taken.
    pub statement: String,
    /// The principal reasons, most important first.
    pub reasons: Vec<NoticeReason>,
    /// The notice of section 701(a) of the Equal Credit Opportunity Act.
    pub ecoa_notice: String,
}

/// One principal reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeReason {
    /// Code in the reason map, or of form C-1.
    pub code: String,
    /// Text for the applicant.
    pub text: String,
}

impl Notice {
    /// SHA-256 over the canonical JSON (RFC 8785).
    pub fn digest(&self) -> Digest {
        let bytes = fcs_core::to_canonical_vec(self).expect("a notice holds only texts");
        sha256(&bytes)
    }
}

/// What a client sends about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryDraft {
    /// How the notice went out.
    pub channel: DeliveryChannel,
    /// When it went out.
    pub sent_at: UnixMicros,
    /// SHA-256 of the notice that went out.
    pub notice_digest: Digest,
}

/// A request to record that a notice went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCommand {
    key: IdempotencyKey,
    decision_id: DecisionId,
    draft: DeliveryDraft,
}

impl DeliveryCommand {
    /// Checks the key.
    pub fn new(key: &str, decision_id: DecisionId, draft: DeliveryDraft) -> Result<Self, ApiError> {
        let key = parse_key(key)?;
        Ok(Self {
            key,
            decision_id,
            draft,
        })
    }

    fn claim(&self, caller: &Principal) -> Claim {
        let draft = &self.draft;
        let parts = [
            &self.decision_id.to_string(),
            draft.channel.as_str(),
            &draft.sent_at.to_string(),
            &draft.notice_digest.to_string(),
        ];
        Claim {
            tenant: caller.tenant.clone(),
            client: client_of(caller),
            key: self.key.clone(),
            fingerprint: fingerprint_of(FINGERPRINT_FORM, &parts),
        }
    }
}

impl App {
    /// Writes the notice of a decision that is a denial by itself or by its latest review.
    pub async fn notice(&self, tenant: &TenantId, id: DecisionId) -> Result<Notice, ApiError> {
        self.case(tenant, id).await?.notice(&self.notices, tenant)
    }

    async fn case(&self, tenant: &TenantId, id: DecisionId) -> Result<Case, ApiError> {
        let record = self.record(tenant, id).await?;
        let latest = self.reviews(tenant, id).await?.pop();
        let denial = denial(&record, latest)?;
        Ok(Case { record, denial })
    }

    /// Records that a notice went out, or gives the delivery that its key stands for already.
    pub async fn record_delivery(
        &self,
        caller: &Principal,
        command: &DeliveryCommand,
    ) -> Result<Recorded<Delivery>, ApiError> {
        let claim = command.claim(caller);
        self.decision(&caller.tenant, command.decision_id).await?;
        let known = self
            .cases
            .delivery_of(&claim)
            .await
            .map_err(store_unavailable)?;
        if let Some(kept) = known {
            return answer(kept, true);
        }
        let case = self.case(&caller.tenant, command.decision_id).await?;
        let notice = case.notice(&self.notices, &caller.tenant)?;
        let now = self.clock.now();
        check_delivery(&command.draft, &notice, case.denial.at, now)?;
        let earlier = self.deliveries(&caller.tenant, command.decision_id).await?;
        if earlier.len() >= CASE_ROWS_MAX as usize {
            let message = format!("this notice has {CASE_ROWS_MAX} deliveries, which is the limit");
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "TOO_MANY_DELIVERIES",
                message,
            ));
        }
        let delivery = Delivery {
            decision_id: command.decision_id,
            channel: command.draft.channel,
            sent_at: command.draft.sent_at,
            notice_digest: command.draft.notice_digest,
            recorded_at: now,
        };
        let kept = self
            .cases
            .record_delivery(&claim, &delivery)
            .await
            .map_err(store_unavailable)?;
        answer(kept, false)
    }

    /// The deliveries of a decision's notice, the earliest first.
    pub async fn deliveries(
        &self,
        tenant: &TenantId,
        id: DecisionId,
    ) -> Result<Vec<Delivery>, ApiError> {
        self.decision(tenant, id).await?;
        self.cases.deliveries(id).await.map_err(store_unavailable)
    }
}

/// A decision that must be notified.
struct Case {
    record: DecisionRecord,
    denial: Denial,
}

/// A denial: when, how it is stated, and why.
#[derive(Clone)]
struct Denial {
    at: UnixMicros,
    statement: &'static str,
    reasons: Vec<NoticeReason>,
}

/// What a notice is about: the latest review, or else the decision itself.
fn denial(record: &DecisionRecord, latest: Option<Review>) -> Result<Denial, ApiError> {
    match latest {
        Some(review) if review.outcome == ReviewOutcome::Deny => Ok(Denial {
            at: review.reviewed_at,
            statement: OTHERWISE,
            reasons: review
                .reasons
                .into_iter()
                .map(|reason| NoticeReason {
                    code: reason.code,
                    text: reason.text,
                })
                .collect(),
        }),
        None if record.outcome == Outcome::Deny => Ok(Denial {
            at: record.decided_at,
            statement: match record.decided_by {
                DecidedBy::Score => SCORED,
                DecidedBy::KnockOut | DecidedBy::PolicyRule => OTHERWISE,
            },
            reasons: record
                .principal_reasons
                .iter()
                .map(|reason| NoticeReason {
                    code: reason.code.clone(),
                    text: reason.text.clone(),
                })
                .collect(),
        }),
        Some(_) => Err(not_applicable("its latest review approves")),
        None if matches!(record.outcome, Outcome::Counteroffer | Outcome::Incomplete) => Err(
            not_written("of a counter-offer or an incomplete application"),
        ),
        None => Err(not_applicable(
            "its outcome is no denial, and no review denies it",
        )),
    }
}

fn not_applicable(why: &str) -> ApiError {
    let message = format!("there is no adverse action to give notice of: {why}");
    ApiError::new(
        ErrorCode::FailedPrecondition,
        "NOTICE_NOT_APPLICABLE",
        message,
    )
}

/// The notice is due and is not one that this service writes.
fn not_written(of: &str) -> ApiError {
    let message = format!(
        "the notice {of} is not written here: write it from `notice`, `outside_sources` and the reasons of the record"
    );
    ApiError::new(ErrorCode::FailedPrecondition, "NOTICE_NOT_WRITTEN", message)
}

/// Refuses what the texts of this service do not cover.
fn check_covered(record: &DecisionRecord) -> Result<(), ApiError> {
    use Purpose as P;

    let sources = record.outside_sources.as_ref();
    if sources.is_some_and(|sources| sources.fcra_615a || sources.fcra_615b) {
        return Err(not_written(
            "with the disclosures of 15 USC 1681m(a) or (b), which this decision needs,",
        ));
    }
    let purpose = record
        .application
        .as_ref()
        .and_then(|application| application.purpose);
    match purpose {
        Some(P::LineDecrease | P::RateIncrease | P::AccountClosure) => {
            Err(not_written("of an act on an account that exists"))
        }
        _ => Ok(()),
    }
}

impl Case {
    fn notice(&self, settings: &NoticeSettings, tenant: &TenantId) -> Result<Notice, ApiError> {
        check_covered(&self.record)?;
        write(&self.record, self.denial.clone(), settings, tenant)
    }
}

fn write(
    record: &DecisionRecord,
    denial: Denial,
    settings: &NoticeSettings,
    tenant: &TenantId,
) -> Result<Notice, ApiError> {
    if !settings.is_complete() || settings.tenant != tenant.as_str() {
        let message = "the creditor of this tenant is not known to this gateway: set gateway.notice.tenant, \
                       gateway.notice.creditor_name, gateway.notice.creditor_address and gateway.notice.agency";
        return Err(ApiError::new(
            ErrorCode::FailedPrecondition,
            "NOTICE_NOT_CONFIGURED",
            message,
        ));
    }
    Ok(Notice {
        decision_id: record.decision_id,
        application_id: record.application_id.as_str().to_owned(),
        action_date: denial.at.date(),
        due_by: due_by(record),
        creditor_name: settings.creditor_name.clone(),
        creditor_address: settings.creditor_address.clone(),
        statement: denial.statement.to_owned(),
        reasons: denial.reasons,
        ecoa_notice: settings.ecoa_notice(),
    })
}

/// The last day for the notice: the record's own; records of format 1 have none.
fn due_by(record: &DecisionRecord) -> String {
    let recorded = record.notice.as_ref().and_then(|notice| notice.due_by);
    recorded.map_or_else(
        || record.decided_at.plus_days(NOTICE_DAYS).date(),
        |day| day.to_string(),
    )
}

fn check_delivery(
    draft: &DeliveryDraft,
    notice: &Notice,
    denied_at: UnixMicros,
    now: UnixMicros,
) -> Result<(), ApiError> {
    let mut violations = Vec::new();
    if draft.sent_at < denied_at || draft.sent_at.0 > now.0.saturating_add(CLOCK_SKEW_MICROS) {
        violations.push(Violation {
            pointer: "/sent_at".to_owned(),
            reason: "SENT_AT_INVALID",
            description: format!("not before the denial ({denied_at}) and not in the future"),
        });
    }
    if draft.notice_digest != notice.digest() {
        violations.push(Violation {
            pointer: "/notice_digest".to_owned(),
            reason: "NOTICE_DIGEST_MISMATCH",
            description: format!(
                "the notice of this decision has the digest {}",
                notice.digest()
            ),
        });
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(invalid_request(violations))
    }
}
