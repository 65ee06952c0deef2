//! What an application says besides its features, for the OpenAPI document.

use serde::Serialize;
use utoipa::ToSchema;

use super::schema::FeatureValue;

/// The value of a feature as a request gives it: by itself, or with where it comes from.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(super) enum GivenValue {
    /// By itself.
    Plain(FeatureValue),
    /// With where it comes from.
    Sourced(SourcedValue),
}

/// What is asked for.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(super) enum Purpose {
    New,
    LineIncrease,
    LineDecrease,
    RateIncrease,
    Renewal,
    AccountClosure,
}

/// An amount of money.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    /// Up to 11 digits and up to 4 behind a point.
    #[schema(pattern = r"^(0|[1-9][0-9]{0,10})(\.[0-9]{1,4})?$")]
    value: String,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// A value with where it comes from.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourcedValue {
    /// A number, the name of a category, or null when missing.
    value: FeatureValue,
    source: Source,
    /// The day on which it was known.
    #[schema(format = Date)]
    as_of: Option<String>,
}

/// Who gave a value.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(super) enum Source {
    Application,
    Bureau,
    Internal,
    ThirdParty,
}

/// A bureau's credit score with what must be disclosed of it (15 USC 1681m(a)(2)). The model does not see it, and its
/// key factors are never mixed with the principal reasons.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BureauScore {
    score: i32,
    range_low: i32,
    range_high: i32,
    /// The day on which it was made.
    #[schema(format = Date)]
    created_on: String,
    provider: String,
    /// At most four, and inquiries as a fifth.
    #[schema(max_items = 5, required = false)]
    key_factors: Vec<KeyFactor>,
    consumer_reporting_agency: Agency,
}

/// What lowered a bureau's score.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct KeyFactor {
    code: Option<String>,
    text: String,
    /// Whether it is the number of inquiries.
    #[schema(required = false)]
    inquiries: bool,
}

/// A consumer reporting agency.
#[derive(ToSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Agency {
    name: String,
    address: String,
    telephone: String,
}
