//! What an application says besides its feature values. It is recorded; of it, a policy sees purpose, product, amount
//! and currency, and the model sees nothing. The language is for texts only: it would tell of national origin.

use std::collections::BTreeMap;

use fcs_core::{UnixMicros, Violation, redacted_debug};
use serde::{Deserialize, Serialize};

use crate::calendar::Day;

redacted_debug!(Application, Amount, BureauScore, KeyFactor, Agency);

/// Longest text of a member, in bytes.
const TEXT_MAX: usize = 256;
/// Key factors of a bureau score at most, besides the one for inquiries (15 USC 1681g(f)(1)(C), (f)(9)).
const KEY_FACTORS_MAX: usize = 4;

/// What an application says besides its feature values.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The lender's name of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// How much is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The day on which the application was complete, from which the notice clock counts; the day of the decision when
    /// it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_on: Option<Day>,
    /// Language of the reason texts, a tag as in BCP 47; the package's default when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Where feature values come from, by feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_sources: BTreeMap<String, FeatureSource>,
    /// The credit score that a bureau gave, as it must be disclosed. Never an input of the model, and never a source
    /// of our reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bureau_score: Option<BureauScore>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// New credit.
    New,
    /// A higher limit on credit that exists.
    LineIncrease,
    /// A lower limit, proposed by the lender.
    LineDecrease,
    /// A higher price, proposed by the lender.
    RateIncrease,
    /// The same credit for longer.
    Renewal,
    /// The end of the account, proposed by the lender.
    AccountClosure,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::LineIncrease,
        Self::LineDecrease,
        Self::RateIncrease,
        Self::Renewal,
        Self::AccountClosure,
    ];

    /// The text form, as in requests and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::LineIncrease => "line_increase",
            Self::LineDecrease => "line_decrease",
            Self::RateIncrease => "rate_increase",
            Self::Renewal => "renewal",
            Self::AccountClosure => "account_closure",
        }
    }
}

/// An amount of money: a decimal number as text, so that no digit is lost.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Up to 11 digits, and up to 4 more behind a point; for example `15000.00`.
    pub value: String,
    /// ISO 4217, for example `USD`.
    pub currency: String,
}

impl Amount {
    /// The nearest double. Amounts have at most 15 digits, so that different ones never become the same.
    pub fn to_f64(&self) -> Option<f64> {
        let (whole, fraction) = self.value.split_once('.').unwrap_or((&self.value, "0"));
        let digits = |text: &str, range: std::ops::RangeInclusive<usize>| {
            range.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let leading = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole, 1..=11) || !digits(fraction, 1..=4) || leading {
            return None;
        }
        self.value.parse().ok()
    }
}

/// Whether a text has the form of an ISO 4217 code.
pub fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Where the value of a feature comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSource {
    /// Who says so.
    pub source: Source,
    /// The day on which it was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Day>,
}

/// Who gave a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The applicant.
    Application,
    /// A consumer reporting agency (15 USC 1681a(f)).
    Bureau,
    /// The lender's own records.
    Internal,
    /// Anyone else.
    ThirdParty,
}

/// A bureau's credit score with what must be disclosed of it (15 USC 1681m(a)(2)).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BureauScore {
    /// The score.
    pub score: i32,
    /// Lowest possible score.
    pub range_low: i32,
    /// Highest possible score.
    pub range_high: i32,
    /// The day on which it was made.
    pub created_on: Day,
    /// Who made it.
    pub provider: String,
    /// What lowered it most, in order of importance, in the provider's words.
    #[serde(default)]
    pub key_factors: Vec<KeyFactor>,
    /// The agency that gave the report.
    pub consumer_reporting_agency: Agency,
}

/// What lowered a bureau's score.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFactor {
    /// The provider's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's text.
    pub text: String,
    /// Whether it is the number of inquiries, which may come as a fifth factor.
    #[serde(default)]
    pub inquiries: bool,
}

/// A consumer reporting agency, as the notice must name it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Name.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// Telephone number; toll-free when it is a nationwide agency.
    pub telephone: String,
}

impl Application {
    /// Canonical JSON (RFC 8785): equal applications have equal bytes.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        fcs_core::to_canonical_vec(self).expect("an application holds texts and whole numbers")
    }

    /// The day from which the notice clock counts.
    pub fn clock_starts(&self, decided_at: UnixMicros) -> Day {
        self.received_on.unwrap_or_else(|| Day::of(decided_at))
    }

    /// The amount asked for as a number.
    pub fn amount_number(&self) -> Option<f64> {
        self.amount.as_ref().and_then(Amount::to_f64)
    }

    /// Everything that is wrong with it, by JSON pointer. `features` are the names with a value or an explicit null.
    pub fn violations<'a>(&self, features: impl Iterator<Item = &'a str>) -> Vec<Violation> {
        let mut found = Violations::default();
        if let Some(amount) = &self.amount {
            if amount.to_f64().is_none() {
                let rule = "must be a decimal text of up to 11 digits and up to 4 behind a point";
                found.add("/amount/value", "AMOUNT_INVALID", rule);
            }
            if !is_currency(&amount.currency) {
                let rule = "must be a currency code of ISO 4217, for example USD";
                found.add("/amount/currency", "CURRENCY_INVALID", rule);
            }
        }
        if let Some(product) = &self.product {
            found.text("/product", product);
        }
        if let Some(language) = &self.language
            && !is_language(language)
        {
            found.add(
                "/language",
                "LANGUAGE_INVALID",
                "must be a language tag, for example en or es-MX",
            );
        }
        let named: Vec<&str> = features.collect();
        for name in self
            .feature_sources
            .keys()
            .filter(|name| !named.contains(&name.as_str()))
        {
            let pointer = format!("/features/{}", name.replace('~', "~0").replace('/', "~1"));
            found.add(
                &pointer,
                "SOURCE_WITHOUT_VALUE",
                "has a source and no value",
            );
        }
        if let Some(score) = &self.bureau_score {
            score.check(&mut found);
        }
        found.0
    }
}

impl BureauScore {
    fn check(&self, found: &mut Violations) {
        if self.range_low >= self.range_high
            || !(self.range_low..=self.range_high).contains(&self.score)
        {
            found.add(
                "/bureau_score/score",
                "BUREAU_SCORE_OUT_OF_RANGE",
                "must lie between range_low and range_high, which must ascend",
            );
        }
        found.text("/bureau_score/provider", &self.provider);
        let inquiries = self
            .key_factors
            .iter()
            .filter(|factor| factor.inquiries)
            .count();
        if inquiries > 1 || self.key_factors.len() - inquiries > KEY_FACTORS_MAX {
            let rule = "at most four key factors, and one more for inquiries";
            found.add("/bureau_score/key_factors", "TOO_MANY_KEY_FACTORS", rule);
        }
        for (index, factor) in self.key_factors.iter().enumerate() {
            let pointer = format!("/bureau_score/key_factors/{index}");
            found.text(&format!("{pointer}/text"), &factor.text);
            if let Some(code) = &factor.code {
                found.text(&format!("{pointer}/code"), code);
            }
        }
        let agency = &self.consumer_reporting_agency;
        for (member, text) in [
            ("name", &agency.name),
            ("address", &agency.address),
            ("telephone", &agency.telephone),
        ] {
            found.text(
                &format!("/bureau_score/consumer_reporting_agency/{member}"),
                text,
            );
        }
    }
}

/// Whether a text has the form of a language with perhaps a region (BCP 47): `en`, `es-MX`.
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let lower = language.bytes().all(|byte| byte.is_ascii_lowercase());
    let region = match parts.next() {
        None => true,
        Some(region) => region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()),
    };
    (2..=3).contains(&language.len()) && lower && region && parts.next().is_none()
}

#[derive(Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, pointer: &str, reason: &'static str, rule: &str) {
        self.0.push(Violation {
            pointer: pointer.to_owned(),
            reason,
            description: rule.to_owned(),
        });
    }

    fn text(&mut self, pointer: &str, text: &str) {
        let printable = !text.chars().any(char::is_control);
        if text.trim().is_empty() || text.len() > TEXT_MAX || !printable {
            let rule = format!("must be 1 to {TEXT_MAX} bytes of printable text");
            self.add(pointer, "TEXT_INVALID", &rule);
        }
    }
}
