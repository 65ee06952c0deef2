//! What goes over HTTP, for the OpenAPI document, and the answers that are not written from stored bytes.

mod erased;

use std::collections::BTreeMap;

use fcs_core::Probability;
use fcs_decision::features::FeatureInput;
use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use super::application::{Amount, BureauScore, GivenValue, Purpose};
use crate::app::explain;

/// The header of requests that must not be done twice.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(super) struct IdempotencyKeyHeader {
    /// Chosen by the client, 1 to 128 visible ASCII characters, a new one for each new request.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 128,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: String,
}

/// The path of one decision.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct DecisionPath {
    /// `dec_` followed by a UUID.
    #[param(pattern = "^dec_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    decision_id: String,
}

/// A problem of RFC 9457, as `application/problem+json`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Problem {
    /// Path of a page about this kind of problem.
    r#type: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong here and what to do.
    detail: String,
    /// The kind of problem; the same as the `code` of gRPC's `ErrorInfo`.
    code: String,
    /// Stable reason in `UPPER_SNAKE_CASE`, finer than the code.
    reason: String,
    /// Broken rules, when there are several.
    #[schema(required = false)]
    violations: Vec<Violation>,
    /// When a retry may succeed, in seconds.
    #[schema(required = false)]
    retry_after_s: u32,
    /// Give it to the operators when you ask them.
    #[schema(required = false)]
    request_id: String,
}

/// One broken rule.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Violation {
    /// JSON pointer into the body.
    pointer: String,
    /// Stable reason in `UPPER_SNAKE_CASE`.
    reason: String,
    /// What is wrong and what would be right.
    description: String,
}

macro_rules! problems {
    ($(#[$doc:meta])* $name:ident: $($variant:ident $status:literal $what:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(IntoResponses)]
        #[expect(dead_code, reason = "only described")]
        pub(super) enum $name {
            $(
                #[doc = $what]
                #[response(status = $status, content_type = "application/problem+json")]
                $variant(Problem),
            )*
        }
    };
}

problems!(
    /// Of routes that read one thing.
    ReadProblems:
    Invalid 400 "The request is not valid",
    Credentials 401 "Credentials are missing or wrong",
    Forbidden 403 "The credentials do not allow this",
    NotFound 404 "There is no such decision",
    State 409 "Not possible in the present state",
    Gone 410 "The application was erased",
    TooMany 429 "Too many requests; retry after the header's seconds",
    TooManyHeaders 431 "The head has too many fields",
    Defect 500 "A defect; give the request id to the operators",
    Unavailable 503 "Not available now; retry",
    Late 504 "Out of time; retry",
);

problems!(
    /// Of routes that list.
    ListProblems:
    Invalid 400 "The query is not valid",
    Credentials 401 "Credentials are missing or wrong",
    Forbidden 403 "The credentials do not allow this",
    TooMany 429 "Too many requests; retry after the header's seconds",
    TooManyHeaders 431 "The head has too many fields",
    Defect 500 "A defect; give the request id to the operators",
    Unavailable 503 "Not available now; retry",
    Late 504 "Out of time; retry",
);

problems!(
    /// Of routes that take a body.
    BodyProblems:
    Invalid 400 "The request is not valid",
    Credentials 401 "Credentials are missing or wrong",
    Forbidden 403 "The credentials do not allow this",
    Incomplete 408 "The body did not arrive in time",
    TooLarge 413 "The body is too large",
    MediaType 415 "The body is not JSON",
    TooMany 429 "Too many requests; retry after the header's seconds",
    TooManyHeaders 431 "The head has too many fields",
    Defect 500 "A defect; give the request id to the operators",
    Unavailable 503 "Not available now; retry",
    Late 504 "Out of time; retry",
);

problems!(
    /// Of routes that record something under a key.
    WriteProblems:
    Invalid 400 "The request is not valid",
    Credentials 401 "Credentials are missing or wrong",
    Forbidden 403 "The credentials do not allow this",
    NotFound 404 "There is no such decision",
    Incomplete 408 "The body did not arrive in time; retry with the same key",
    State 409 "Not possible in the present state, or a request with this key is in flight",
    Gone 410 "The application was erased",
    TooLarge 413 "The body is too large",
    MediaType 415 "The body is not JSON",
    Mismatch 422 "The key was used with another request",
    TooMany 429 "Too many requests; retry after the header's seconds",
    TooManyHeaders 431 "The head has too many fields",
    Defect 500 "A defect; give the request id to the operators",
    Unavailable 503 "Not available now; retry with the same key",
    Late 504 "Out of time; retry with the same key",
);

/// The value of a feature: a number in the unit of the model's schema, the name of a category, or null when missing.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum FeatureValue {
    /// A number.
    Number(f64),
    /// The name of a category.
    Category(String),
    /// Missing.
    Missing(Option<()>),
}

impl PartialSchema for FeatureValue {
    fn schema() -> RefOr<Schema> {
        let types = vec![Type::Number, Type::String, Type::Null];
        ObjectBuilder::new()
            .schema_type(SchemaType::Array(types))
            .description(Some("A number in the unit of the model's schema, the name of a category, or null when missing."))
            .into()
    }
}

impl ToSchema for FeatureValue {}

/// A request for a decision.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoreRequest {
    /// The lender's identifier of the application.
    #[schema(min_length = 1, max_length = 128)]
    application_id: String,
    /// Feature name to value. Protected attributes (sex, race, age, ...) are refused by name.
    features: BTreeMap<String, GivenValue>,
    purpose: Option<Purpose>,
    /// The lender's name of the product.
    #[schema(max_length = 256)]
    product: Option<String>,
    amount: Option<Amount>,
    /// The day on which the application was complete.
    #[schema(format = Date)]
    received_on: Option<String>,
    /// Language of the texts, for example `es`.
    language: Option<String>,
    bureau_score: Option<BureauScore>,
}

/// Requests for decisions.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    /// At most 1 MiB.
    #[schema(min_items = 1, max_items = 256)]
    items: Vec<BatchEntry>,
}

/// Whatever stands in the place of an item: a batch is not refused for one of them.
#[derive(Serialize)]
pub(super) struct BatchEntry;

impl PartialSchema for BatchEntry {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(Ref::from_schema_name("BatchItem"))
            .item(ObjectBuilder::new().schema_type(SchemaType::AnyValue))
            .into()
    }
}

impl ToSchema for BatchEntry {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((BatchItem::name().into_owned(), BatchItem::schema()));
        BatchItem::schemas(schemas);
    }
}

/// One request of a batch. An item that breaks this schema is refused by itself.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchItem {
    /// As the header of a request by itself.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    idempotency_key: String,
    /// The lender's identifier of the application.
    #[schema(min_length = 1, max_length = 128)]
    application_id: String,
    /// Feature name to value.
    features: BTreeMap<String, GivenValue>,
    purpose: Option<Purpose>,
    /// The lender's name of the product.
    #[schema(max_length = 256)]
    product: Option<String>,
    amount: Option<Amount>,
    /// The day on which the application was complete.
    #[schema(format = Date)]
    received_on: Option<String>,
    /// Language of the texts, for example `es`.
    language: Option<String>,
    bureau_score: Option<BureauScore>,
}

/// What became of the items of a batch, in their order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct BatchAnswer {
    items: Vec<BatchOutcome>,
}

/// What became of one item: a decision or a problem.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct BatchOutcome {
    /// The status that a request by itself would have had.
    status: u16,
    /// Whether the decision was made before.
    #[schema(required = false)]
    replayed: bool,
    #[schema(required = false)]
    decision: Decision,
    #[schema(required = false)]
    problem: Problem,
}

/// One decision with its evidence. Without `log_index` and `record_digest` it is the canonical record (RFC 8785).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Decision {
    /// Version of the record's layout.
    record_format: u32,
    decision_id: String,
    application_id: String,
    /// RFC 3339 in UTC.
    #[schema(format = DateTime)]
    decided_at: String,
    /// For example `approve`, `refer`, `deny`, `counteroffer` or `incomplete`.
    outcome: String,
    /// For example `score` or `knock_out`.
    decided_by: String,
    /// Scaled score; higher is better. An incomplete application is not scored.
    #[schema(required = false)]
    score: i32,
    /// Probability of the adverse outcome.
    #[schema(minimum = 0, maximum = 1, required = false)]
    probability: f64,
    /// Log-odds of the adverse outcome.
    #[schema(required = false)]
    margin: f64,
    /// Mean margin of the reference population.
    #[schema(required = false)]
    base_margin: f64,
    features: BTreeMap<String, FeatureValue>,
    /// Shapley value of every feature in margin space; positive is adverse.
    #[schema(required = false)]
    contributions: BTreeMap<String, f64>,
    /// Most important first.
    #[schema(max_items = 4)]
    principal_reasons: Vec<PrincipalReason>,
    /// The traffic arm that scored the application.
    arm: String,
    /// Place in the decision log, from 1 without gaps.
    #[schema(minimum = 1)]
    log_index: u64,
    /// SHA-256 of the record.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    record_digest: String,
}

/// A specific reason for an adverse decision (12 CFR 1002.9).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct PrincipalReason {
    /// 1 for the most important.
    rank: u8,
    /// Code in the model's reason map.
    code: String,
    /// Text for the applicant.
    text: String,
    /// Sample reason of Regulation B, form C-1: `01` to `23`, or `other`.
    regb_ref: String,
    /// Features behind the reason.
    features: Vec<String>,
    /// Summed contribution in margin space.
    contribution: f64,
}

/// One page of decisions.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Page {
    decisions: Vec<erased::Listed>,
    /// Highest index of your decisions in the log.
    highest_index: u64,
    /// Opens the next page; not there on the last one.
    #[schema(required = false)]
    next_page_token: String,
    /// Path of the next page; not there on the last one.
    #[schema(required = false)]
    next: String,
}

/// A record beside the same one computed again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Replay {
    /// Whether both are the same bytes.
    identical: bool,
    #[schema(value_type = Object)]
    stored_record: (),
    #[schema(value_type = Object)]
    recomputed_record: (),
}

/// A decision with everything that moved its margin.
#[derive(ToSchema, Serialize)]
pub(super) struct Explanation {
    decision_id: String,
    outcome: String,
    score: i32,
    /// Probability of the adverse outcome.
    probability: f64,
    /// `base_margin` plus the sum of the contributions.
    margin: f64,
    /// Mean margin of the reference population.
    base_margin: f64,
    /// Largest magnitude first; positive is adverse.
    features: Vec<FeatureContribution>,
    /// The same summed by family; a feature without one stands for itself.
    families: Vec<FamilyContribution>,
    /// The same summed by reason code, most adverse first.
    reasons: Vec<ReasonContribution>,
    reference_population: ReferencePopulation,
}

/// What one feature adds to the margin.
#[derive(ToSchema, Serialize)]
pub(super) struct FeatureContribution {
    name: String,
    /// What the feature means.
    description: String,
    /// Unit of a number; empty for a category.
    unit: String,
    value: FeatureValue,
    contribution: f64,
    /// The reason that the feature counts towards.
    reason_code: String,
}

/// What a family of features adds to the margin.
#[derive(ToSchema, Serialize)]
pub(super) struct FamilyContribution {
    family: String,
    contribution: f64,
}

/// What the features behind one reason add to the margin.
#[derive(ToSchema, Serialize)]
pub(super) struct ReasonContribution {
    code: String,
    text: String,
    features: Vec<String>,
    contribution: f64,
}

/// Applicants near the cut-off, whose mean margin is the base of the contributions.
#[derive(ToSchema, Serialize)]
pub(super) struct ReferencePopulation {
    id: String,
    description: String,
    rows: u32,
    score_from: i32,
    score_to: i32,
    /// SHA-256 of the file.
    digest: String,
}

impl From<explain::Explanation> for Explanation {
    fn from(explanation: explain::Explanation) -> Self {
        let (record, population) = (explanation.record, explanation.population);
        let families = explanation
            .families
            .into_iter()
            .map(|part| FamilyContribution {
                family: part.family,
                contribution: part.contribution,
            });
        let reasons = explanation
            .reasons
            .into_iter()
            .map(|part| ReasonContribution {
                code: part.code,
                text: part.text,
                features: part.features,
                contribution: part.contribution,
            });
        Self {
            decision_id: record.decision_id.to_string(),
            outcome: record.outcome.as_str().to_owned(),
            score: record.score.unwrap_or_default(),
            probability: record.probability.map_or(0.0, Probability::get),
            margin: record.margin.unwrap_or_default(),
            base_margin: record.base_margin.unwrap_or_default(),
            features: explanation.features.into_iter().map(feature).collect(),
            families: families.collect(),
            reasons: reasons.collect(),
            reference_population: ReferencePopulation {
                id: population.id,
                description: population.description,
                rows: population.rows,
                score_from: population.score_from,
                score_to: population.score_to,
                digest: population.digest.to_string(),
            },
        }
    }
}

fn feature(part: explain::FeaturePart) -> FeatureContribution {
    FeatureContribution {
        name: part.name,
        description: part.description,
        unit: part.unit,
        value: match part.value {
            FeatureInput::Number(number) => FeatureValue::Number(number),
            FeatureInput::Category(category) => FeatureValue::Category(category),
            FeatureInput::Missing => FeatureValue::Missing(None),
        },
        contribution: part.contribution,
        reason_code: part.reason_code,
    }
}
