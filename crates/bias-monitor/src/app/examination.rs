//! Every group metric of stored decisions: of one attribute or of the intersections of several, within strata, by
//! vintage, of one arm, of some time, and of what people decided instead of the model.
//!
//! Unlike the group report, which follows from counters, an examination reads each decision of its time; it is asked for,
//! never published by itself. Intervals and tests are for one look.

use std::collections::BTreeSet;
use std::ops::Range;

use fcs_core::{ApiError, ModelVersion, UnixMicros, Violation};
use fcs_fairness::Confidence;
use fcs_fairness::sheet::{Group, Request, Sheet, sheet};
use fcs_fairness::table::{Row, Table};
use fcs_fairness::tally::{Decision, Outcome};
use serde::Serialize;

use super::facts::{AttributeName, CreditOutcome, GroupName, Outcome as Decided, PersonsOutcome};
use crate::store::EVER;

/// Attributes whose intersections are formed, at most.
pub const ATTRIBUTES_MAX: usize = 3;
/// Shares of everybody for adverse impact by quantile, at most.
const QUANTILES_MAX: usize = 10;
/// Strata that get a sheet of their own, at most: ten years of months.
const STRATA_MAX: usize = 120;
/// The quantiles of a request that names none.
const QUANTILES: [f64; 3] = [0.25, 0.5, 0.75];
const MINUTE_MICROS: i64 = 60_000_000;
const MINUTES_OF_DAY: i64 = 1_440;

/// Which decisions are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What the model decided.
    #[default]
    Model,
    /// What holds in the end: what a person decided, or else the model.
    Final,
    /// Of what the model denied, what people approved (low-side overrides); approving is the selection.
    LowSideOverrides,
    /// Of what the model approved, what people did not deny (high-side overrides); leaving it approved is the selection.
    HighSideOverrides,
}

impl Basis {
    const ALL: [Self; 4] = [
        Self::Model,
        Self::Final,
        Self::LowSideOverrides,
        Self::HighSideOverrides,
    ];

    /// Its name in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Final => "final",
            Self::LowSideOverrides => "low_side_overrides",
            Self::HighSideOverrides => "high_side_overrides",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = if text.is_empty() { "model" } else { text };
        Self::ALL.into_iter().find(|basis| basis.as_str() == text)
    }

    /// The decision that counts; none where the decision is not among those that are compared.
    fn decision(self, decided: Decided, person: Option<PersonsOutcome>) -> Option<Decision> {
        let of_person = |outcome| match outcome {
            PersonsOutcome::Approve => Decision::Approve,
            PersonsOutcome::Deny => Decision::Deny,
        };
        let of_model = match decided {
            Decided::Approve => Decision::Approve,
            Decided::Refer => Decision::Refer,
            Decided::Deny => Decision::Deny,
            Decided::Incomplete => return None,
        };
        match (self, of_model) {
            (Self::Model, decision) => Some(decision),
            (Self::Final, decision) => Some(person.map_or(decision, of_person)),
            (Self::LowSideOverrides, Decision::Deny)
            | (Self::HighSideOverrides, Decision::Approve) => {
                Some(person.map_or(of_model, of_person))
            }
            (Self::LowSideOverrides | Self::HighSideOverrides, _) => None,
        }
    }
}

/// What applicants are compared within.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Strata {
    /// Nothing.
    #[default]
    None,
    /// The month of the decision, in UTC.
    Vintage,
    /// The value of another attribute.
    Attribute(AttributeName),
}

/// Which decisions to read, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// One model, or all together.
    pub model: Option<ModelVersion>,
    /// One traffic arm, or all together.
    pub arm: Option<String>,
    /// Minutes since the Unix epoch.
    pub minutes: Range<i64>,
    /// One attribute, or several for their intersections.
    pub attributes: Vec<AttributeName>,
    /// What applicants are compared within.
    pub strata: Strata,
}

/// An examination, not yet checked; empty means what the field says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExaminationInput {
    /// All models.
    pub model: String,
    /// All arms.
    pub arm: String,
    /// RFC 3339; from the first decision on.
    pub from: String,
    /// RFC 3339; to the last decision. Its minute is not included.
    pub to: String,
    /// Never empty.
    pub attributes: Vec<String>,
    /// `vintage` for the month of the decision, or an attribute; no strata.
    pub stratify_by: String,
    /// Every stratum.
    pub within: String,
    /// One group for each attribute; the largest.
    pub reference: Vec<String>,
    /// 0 is the monitor's minimum.
    pub minimum_cell_size: u32,
    /// Shares of everybody; 0.25, 0.5 and 0.75.
    pub quantiles: Vec<f64>,
    /// See [`Basis`]; what the model decided.
    pub basis: String,
}

/// An examination to make.
#[derive(Debug, Clone, PartialEq)]
pub struct ExaminationQuery {
    /// Which decisions to read.
    pub scope: Scope,
    /// Which of them are compared.
    pub basis: Basis,
    request: Request,
}

/// Decisions that agree in everything that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The applicants' value of each attribute.
    pub groups: Vec<Option<GroupName>>,
    /// Their stratum.
    pub stratum: Option<Stratum>,
    /// What the model decided.
    pub decided: Decided,
    /// What a person decided.
    pub person: Option<PersonsOutcome>,
    /// What became of the credit.
    pub realised: Option<CreditOutcome>,
    /// The probability of default in ten-thousandths, rounded.
    pub probability: i64,
    /// How many they are.
    pub decisions: i64,
}

/// What some decisions are compared within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stratum {
    /// Days from the Unix epoch to the decision.
    Day(i64),
    /// The value of another attribute.
    Group(GroupName),
}

/// The decisions of an examination, from one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Highest log index that is counted.
    pub last_index: u64,
    /// The decisions.
    pub counted: Vec<Counted>,
}

/// An examination that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// Highest log index that is counted.
    pub last_index: u64,
    /// Decisions that are compared, those without a group included.
    pub decisions: i64,
    /// Which of them are compared.
    pub basis: Basis,
    /// Every metric of every group.
    pub sheet: Sheet,
    /// The same within each stratum, in their order; empty without strata, or for one that was asked for.
    pub strata: Vec<Sheet>,
}

impl ExaminationQuery {
    /// Checks a request. `minimum_cell_size` and `confidence` are the monitor's.
    pub fn new(
        input: &ExaminationInput,
        minimum_cell_size: u64,
        confidence: Confidence,
    ) -> Result<Self, ApiError> {
        let attributes = attributes(&input.attributes)?;
        let minimum = u64::from(input.minimum_cell_size).max(minimum_cell_size);
        let basis = Basis::parse(&input.basis);
        Ok(Self {
            request: Request {
                attributes: input.attributes.clone(),
                stratum: Some(input.within.clone()).filter(|within| !within.is_empty()),
                reference: reference(&input.reference, attributes.len())?,
                minimum_cell_size: u32::try_from(minimum).unwrap_or(u32::MAX),
                confidence,
                quantiles: quantiles(&input.quantiles)?,
            },
            scope: Scope {
                model: model(&input.model)?,
                arm: Some(input.arm.clone()).filter(|arm| !arm.is_empty()),
                minutes: minutes(&input.from, &input.to)?,
                strata: strata(&input.stratify_by, &attributes)?,
                attributes,
            },
            basis: basis.ok_or_else(|| {
                let rule = "one of model, final, low_side_overrides and high_side_overrides";
                invalid("BASIS_INVALID", "/basis", rule)
            })?,
        })
    }

    /// Makes the examination.
    pub fn examine(&self, found: Found) -> Result<Examination, ApiError> {
        let mut table = Table::new(self.request.attributes.clone());
        let mut decisions = 0_i64;
        for counted in found.counted {
            let Some(decision) = self.basis.decision(counted.decided, counted.person) else {
                continue;
            };
            decisions = decisions.saturating_add(counted.decisions);
            let times = counted.decisions;
            let pushed = table.count(row(counted, decision), times);
            pushed.map_err(|error| fcs_service::problem::internal("EXAMINATION_FAILED", error))?;
        }
        self.check_stratum(&table)?;
        Ok(Examination {
            last_index: found.last_index,
            decisions,
            basis: self.basis,
            sheet: made(&table, &self.request)?,
            strata: self.strata(&table)?,
        })
    }

    /// A sheet for each stratum, unless one was asked for.
    fn strata(&self, table: &Table) -> Result<Vec<Sheet>, ApiError> {
        let strata = table.strata();
        if self.request.stratum.is_some() {
            return Ok(Vec::new());
        }
        if strata.len() > STRATA_MAX {
            let rule = format!(
                "there are more than {STRATA_MAX} strata; ask for less time, or for one with within"
            );
            return Err(invalid("STRATA_INVALID", "/stratify_by", &rule));
        }
        let of = |stratum: &str| {
            let request = Request {
                stratum: Some(stratum.to_owned()),
                ..self.request.clone()
            };
            made(table, &request)
        };
        strata.into_iter().map(of).collect()
    }

    /// A stratum that no decision is in is a slip, and would leave an empty sheet.
    fn check_stratum(&self, table: &Table) -> Result<(), ApiError> {
        let strata = table.strata();
        let Some(wanted) = self.request.stratum.as_deref() else {
            return Ok(());
        };
        if strata.contains(wanted) {
            return Ok(());
        }
        let named: Vec<&str> = strata.into_iter().take(50).collect();
        let rule = format!(
            "no decision is in this stratum; strata: {}",
            named.join(", ")
        );
        Err(invalid("STRATUM_UNKNOWN", "/within", &rule))
    }
}

fn made(table: &Table, request: &Request) -> Result<Sheet, ApiError> {
    sheet(table, request)
        .map_err(|error| invalid("EXAMINATION_INVALID", "/attributes", &error.to_string()))
}

fn row(counted: Counted, decision: Decision) -> Row {
    let text = |group: GroupName| group.as_str().to_owned();
    #[expect(clippy::cast_precision_loss, reason = "it is at most ten thousand")]
    let repaid = (10_000 - counted.probability) as f64 / 10_000.0;
    Row {
        groups: counted.groups.into_iter().map(|it| it.map(text)).collect(),
        decision,
        outcome: counted.realised.map(|outcome| match outcome {
            CreditOutcome::Repaid => Outcome::Repaid,
            CreditOutcome::Defaulted => Outcome::Defaulted,
        }),
        score: Some(repaid),
        stratum: counted.stratum.map(|stratum| match stratum {
            Stratum::Day(day) => month(day),
            Stratum::Group(group) => text(group),
        }),
    }
}

/// The month of a day since the Unix epoch, `YYYY-MM`.
fn month(day: i64) -> String {
    let at = UnixMicros(day.saturating_mul(MINUTES_OF_DAY * MINUTE_MICROS));
    at.to_string().chars().take(7).collect()
}

fn attributes(named: &[String]) -> Result<Vec<AttributeName>, ApiError> {
    let names = named.iter().map(|name| name.parse());
    let names: Vec<AttributeName> = names
        .collect::<Result<_, fcs_core::InvalidId>>()
        .map_err(|error| invalid("ATTRIBUTES_INVALID", "/attributes", &error.to_string()))?;
    let different: BTreeSet<_> = names.iter().collect();
    if !(1..=ATTRIBUTES_MAX).contains(&names.len()) || different.len() < names.len() {
        let rule = format!("name 1 to {ATTRIBUTES_MAX} different attributes");
        return Err(invalid("ATTRIBUTES_INVALID", "/attributes", &rule));
    }
    Ok(names)
}

fn strata(text: &str, attributes: &[AttributeName]) -> Result<Strata, ApiError> {
    let refused = |rule: &str| invalid("STRATA_INVALID", "/stratify_by", rule);
    match text {
        "" => Ok(Strata::None),
        "vintage" => Ok(Strata::Vintage),
        name => {
            let name: AttributeName = name.parse().map_err(|error: fcs_core::InvalidId| {
                refused(&format!("vintage, or the name of an attribute: {error}"))
            })?;
            if attributes.contains(&name) {
                return Err(refused("an attribute that is not compared itself"));
            }
            Ok(Strata::Attribute(name))
        }
    }
}

fn reference(named: &[String], attributes: usize) -> Result<Option<Group>, ApiError> {
    if named.is_empty() {
        return Ok(None);
    }
    if named.len() != attributes {
        let rule = "name one group for each attribute, in their order, or none";
        return Err(invalid("REFERENCE_GROUPS_INVALID", "/reference", rule));
    }
    Ok(Some(Group(named.to_vec())))
}

fn quantiles(named: &[f64]) -> Result<Vec<f64>, ApiError> {
    if named.is_empty() {
        return Ok(QUANTILES.to_vec());
    }
    let fits = named.iter().all(|share| *share > 0.0 && *share <= 1.0);
    if !fits || named.len() > QUANTILES_MAX {
        let rule = format!("at most {QUANTILES_MAX} shares above 0 and at most 1");
        return Err(invalid("QUANTILES_INVALID", "/quantiles", &rule));
    }
    Ok(named.to_vec())
}

fn model(text: &str) -> Result<Option<ModelVersion>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse::<ModelVersion>();
    parsed
        .map(Some)
        .map_err(|error| invalid("MODEL_INVALID", "/model", &error.to_string()))
}

fn minutes(from: &str, to: &str) -> Result<Range<i64>, ApiError> {
    let minute = |text: &str, pointer: &str, otherwise: i64| {
        if text.is_empty() {
            return Ok(otherwise);
        }
        let at = UnixMicros::parse_rfc3339(text);
        at.map(UnixMicros::minute)
            .map_err(|error| invalid("TIME_INVALID", pointer, &error.to_string()))
    };
    let range = minute(from, "/from", EVER.start)?..minute(to, "/to", EVER.end)?;
    if range.is_empty() {
        let rule = "it must be at least a minute after /from";
        return Err(invalid("TIME_INVALID", "/to", rule));
    }
    Ok(range)
}

fn invalid(reason: &'static str, pointer: &str, rule: &str) -> ApiError {
    let violation = Violation {
        pointer: pointer.to_owned(),
        reason,
        description: rule.to_owned(),
    };
    let message = format!("the examination cannot be made: {rule}");
    ApiError::invalid(reason, message, vec![violation])
}

#[cfg(test)]
mod tests;
