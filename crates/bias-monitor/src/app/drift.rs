//! Drift: the bins that decisions of late fall into, beside those of the model's reference, of the stable arm, and of
//! decisions before. A group is not held against the reference, which is of everybody: that groups differ is no drift.

use std::collections::{BTreeMap, BTreeSet};

use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, UnixMicros, Violation};
use fcs_fairness::drift::chance::Level;
use fcs_fairness::drift::counts::{Edges, FeatureCounts};
use fcs_fairness::drift::feature::{Comparison, FeatureDrift, Rules, feature_drift};
use fcs_fairness::policy::Policy;
use serde::{Deserialize, Serialize};

use super::profiles::ProfileCounts;

/// The longest window: a month.
pub const HOURS_MAX: u32 = 744;
/// The window where none is asked for.
pub const HOURS_DEFAULT: u32 = 24;
/// Windows before the one in question that a group is compared with, its own decisions in them.
const EARLIER_WINDOWS: u32 = 4;
/// Tests of one comparison at most: four distances and a rate.
const TESTS: usize = 5;
/// The arm that others are compared with.
const STABLE: &str = "stable";
const HOUR_MICROS: i64 = 3_600_000_000;

/// A feature of a model, or its score, with its frozen bins and what the reference has in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Name of the feature; `(score)` for the score.
    pub name: String,
    /// The limits of a number, one more than there are bins; none for categories.
    pub edges: Vec<f64>,
    /// Rows of the reference in each bin; all zero where there is no reference.
    pub reference: Vec<u64>,
    /// Rows of the reference without a value.
    pub reference_missing: u64,
}

impl Variable {
    fn reference(&self) -> Option<FeatureCounts> {
        let counts = FeatureCounts::of_bins(&self.reference).with_missing(self.reference_missing);
        (counts.applicants() > 0).then_some(counts)
    }

    /// The edges, if they are any for a distance: a bin without width has none.
    fn edges(&self) -> Option<Edges> {
        Edges::try_from(self.edges.clone()).ok()
    }
}

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftQuery {
    /// The model.
    pub model: ModelVersion,
    /// The window: so many hours up to now, the one that runs included.
    pub hours: u32,
}

impl DriftQuery {
    /// Checks a request; 0 hours mean [`HOURS_DEFAULT`].
    pub fn new(model: &str, hours: u32) -> Result<Self, ApiError> {
        let model = model.parse().map_err(|error: fcs_core::InvalidId| {
            invalid("MODEL_INVALID", "/model", error.to_string())
        })?;
        let hours = if hours == 0 { HOURS_DEFAULT } else { hours };
        if hours > HOURS_MAX {
            let rule = format!("ask for 1 to {HOURS_MAX} hours");
            return Err(invalid("HOURS_INVALID", "/hours", rule));
        }
        Ok(Self { model, hours })
    }
}

fn invalid(reason: &'static str, pointer: &str, description: String) -> ApiError {
    let violation = Violation {
        pointer: pointer.to_owned(),
        reason,
        description: description.clone(),
    };
    ApiError::invalid(reason, description, vec![violation])
}

/// Whose decisions: an arm, an attribute and a group; the last two empty for all of the arm.
pub type Slice = (String, String, String);

/// The bins of a model's decisions in a window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelCounts {
    /// The model's variables; `None` until the gateway told.
    pub variables: Option<Vec<Variable>>,
    /// Counts of the window, summed over hours.
    pub slices: BTreeMap<Slice, ProfileCounts>,
    /// Counts of the time before it, summed over hours.
    pub earlier: BTreeMap<Slice, ProfileCounts>,
}

/// A window and the time before it, by their first hours since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The first hour before the window that counts.
    pub earlier: i64,
    /// The first hour of the window.
    pub current: i64,
}

impl Windows {
    /// A window of so many hours, of which the last one still runs, and the windows before it.
    pub fn of(hours: u32, now: UnixMicros) -> Self {
        let current = now.0.div_euclid(HOUR_MICROS) + 1 - i64::from(hours);
        Self {
            earlier: current - i64::from(hours) * i64::from(EARLIER_WINDOWS),
            current,
        }
    }
}

/// What decisions of late are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The rows that the model was built on.
    Reference,
    /// The decisions that the same version made on the stable arm in the same window, of the same group.
    Stable,
    /// The decisions of the same arm and group in the four windows before.
    Earlier,
}

/// One variable of some decisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftLine {
    /// The arm that decided.
    pub arm: String,
    /// The attribute; empty for all applicants.
    pub attribute: String,
    /// The group; empty for all applicants.
    pub group: String,
    /// The variable.
    pub variable: String,
    /// What it is compared with.
    pub against: Against,
    /// How it is read: the most serious of all that was compared.
    pub level: Level,
    /// What was compared.
    pub drift: FeatureDrift,
}

/// Everything that was compared for a model in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftSheet {
    /// The model, `name/version`.
    pub model: String,
    /// When the window begins, in microseconds since the Unix epoch.
    pub from_micros: i64,
    /// The policy of the thresholds.
    pub policy: Digest,
    /// By arm, group, comparison and variable.
    pub lines: Vec<DriftLine>,
}

/// What is to be compared, before anything is: significance is shared by all of it.
struct Pair<'a> {
    slice: &'a Slice,
    variable: &'a Variable,
    against: Against,
    reference: FeatureCounts,
    current: FeatureCounts,
}

/// Compares every variable of every arm with the reference, of every group with its own past, and of other arms with
/// the stable one.
///
/// # Errors
/// Not found when the window has no decision with bins, or the model's profile is not known yet.
pub fn drift_sheet(
    query: &DriftQuery,
    counts: &ModelCounts,
    policy: &Policy,
    now: UnixMicros,
) -> Result<DriftSheet, ApiError> {
    if counts.slices.is_empty() {
        let hours = query.hours;
        let message = format!("no decision of {} in the last {hours} h", query.model);
        return Err(ApiError::new(ErrorCode::NotFound, "NO_DECISIONS", message));
    }
    let Some(variables) = &counts.variables else {
        let message = format!(
            "the gateway has not told yet what {} was built on; it is asked again every few seconds",
            query.model
        );
        return Err(ApiError::new(ErrorCode::NotFound, "NO_PROFILE", message));
    };
    let pairs: Vec<Pair<'_>> = counts
        .slices
        .iter()
        .flat_map(|(slice, counted)| pairs_of(slice, counted, counts, variables))
        .collect();
    let rules = Rules {
        policy: &policy.document().drift,
        comparisons: u32::try_from(pairs.len() * TESTS).unwrap_or(u32::MAX),
        digest: policy.digest(),
    };
    Ok(DriftSheet {
        model: query.model.to_string(),
        from_micros: Windows::of(query.hours, now)
            .current
            .saturating_mul(HOUR_MICROS),
        policy: policy.digest(),
        lines: pairs.iter().filter_map(|pair| line(pair, &rules)).collect(),
    })
}

fn pairs_of<'a>(
    slice: &'a Slice,
    counted: &ProfileCounts,
    counts: &ModelCounts,
    variables: &'a [Variable],
) -> Vec<Pair<'a>> {
    let (arm, attribute, group) = slice;
    let stable = (STABLE.to_owned(), attribute.clone(), group.clone());
    let stable = counts.slices.get(&stable).filter(|_| arm != STABLE);
    let earlier = counts.earlier.get(slice);
    let mut pairs = Vec::new();
    for (place, variable) in variables.iter().enumerate() {
        let of = |counts: &ProfileCounts| counts.variable(place, variable.reference.len());
        let before = if attribute.is_empty() {
            (Against::Reference, variable.reference())
        } else {
            (Against::Earlier, earlier.map(of))
        };
        let references = [before, (Against::Stable, stable.map(of))];
        for (against, reference) in references {
            pairs.extend(reference.map(|reference| Pair {
                slice,
                variable,
                against,
                reference,
                current: of(counted),
            }));
        }
    }
    pairs
}

fn line(pair: &Pair<'_>, rules: &Rules<'_>) -> Option<DriftLine> {
    let edges = pair.variable.edges();
    let comparison = Comparison {
        reference: &pair.reference,
        current: &pair.current,
        edges: edges.as_ref(),
    };
    let drift = feature_drift(&comparison, rules)?;
    let (arm, attribute, group) = pair.slice.clone();
    Some(DriftLine {
        arm,
        attribute,
        group,
        variable: pair.variable.name.clone(),
        against: pair.against,
        level: drift.level(),
        drift,
    })
}

impl DriftSheet {
    /// The drift score of an arm: the largest population stability index of a variable of all its decisions against
    /// the reference, among those for which there were enough decisions; `None` without any.
    pub fn score(&self, arm: &str) -> Option<f64> {
        self.lines
            .iter()
            .filter(|line| line.arm == arm && line.attribute.is_empty())
            .filter(|line| line.against == Against::Reference)
            .filter_map(|line| line.drift.psi)
            .filter(|psi| psi.level != Level::InsufficientEvidence)
            .map(|psi| psi.value)
            .fold(None, |most, value| Some(most.unwrap_or(value).max(value)))
    }

    /// The arms that were compared.
    pub fn arms(&self) -> BTreeSet<&str> {
        self.lines.iter().map(|line| line.arm.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMicros = UnixMicros(100 * HOUR_MICROS + 5);

    fn policy() -> Policy {
        crate::settings::BiasMonitorSettings::default()
            .terms()
            .unwrap()
            .policy
    }

    fn counts(text: &str) -> ProfileCounts {
        serde_json::from_str(text).unwrap()
    }

    fn slice(arm: &str, group: &str) -> Slice {
        let attribute = if group.is_empty() { "" } else { "sex" };
        (arm.to_owned(), attribute.to_owned(), group.to_owned())
    }

    fn model(slices: &[(Slice, &str)]) -> ModelCounts {
        let income = Variable {
            name: "income".to_owned(),
            edges: vec![0.0, 10.0, 20.0],
            reference: vec![5_000, 5_000],
            reference_missing: 0,
        };
        let score = Variable {
            name: "(score)".to_owned(),
            reference: vec![0, 0],
            ..income.clone()
        };
        ModelCounts {
            variables: Some(vec![income, score]),
            slices: slices
                .iter()
                .map(|(slice, text)| (slice.clone(), counts(text)))
                .collect(),
            earlier: BTreeMap::new(),
        }
    }

    fn sheet(counts: &ModelCounts) -> Result<DriftSheet, ApiError> {
        let query = DriftQuery::new("demo/1", 0).unwrap();
        drift_sheet(&query, counts, &policy(), NOW)
    }

    fn find<'a>(
        sheet: &'a DriftSheet,
        arm: &str,
        variable: &str,
        against: Against,
    ) -> Option<&'a DriftLine> {
        sheet.lines.iter().find(|line| {
            line.arm == arm
                && line.variable == variable
                && line.against == against
                && line.group.is_empty()
        })
    }

    #[test]
    fn an_arm_is_compared_with_the_reference_and_with_the_stable_arm() {
        let moved = "[[0,900,100],[0,100,900]]";
        let steady = "[[0,5000,5000],[0,5000,5000]]";
        let sheet = sheet(&model(&[
            (slice("candidate", ""), moved),
            (slice("stable", ""), steady),
        ]));
        let sheet = sheet.unwrap();
        let income = find(&sheet, "candidate", "income", Against::Reference).unwrap();
        assert_eq!(income.level, Level::Act);
        let expected =
            (0.9_f64 - 0.5) * (0.9_f64 / 0.5).ln() + (0.1_f64 - 0.5) * (0.1_f64 / 0.5).ln();
        assert!((sheet.score("candidate").unwrap() - expected).abs() < 1e-12);
        assert_eq!(sheet.score("stable"), Some(0.0));
        let score = find(&sheet, "candidate", "(score)", Against::Stable).unwrap();
        assert_eq!(
            score.level,
            Level::Act,
            "there is a stable arm to compare with"
        );
        assert!(find(&sheet, "candidate", "(score)", Against::Reference).is_none());
        assert!(find(&sheet, "stable", "income", Against::Stable).is_none());
        assert_eq!(
            sheet.from_micros,
            77 * HOUR_MICROS,
            "24 hours with the one that runs"
        );
    }

    #[test]
    fn a_group_is_compared_with_its_own_past_and_not_with_everybody() {
        let (low, high) = ("[[0,900,100]]", "[[0,100,900]]");
        let mut counts = model(&[
            (slice("stable", ""), "[[0,500,500]]"),
            (slice("stable", "f"), low),
        ]);
        let of_group = |sheet: &DriftSheet| {
            let lines = sheet.lines.iter().filter(|line| line.group == "f");
            lines
                .map(|line| (line.against, line.level))
                .collect::<Vec<_>>()
        };
        assert_eq!(of_group(&sheet(&counts).unwrap()), [], "it has no past");
        counts.earlier = model(&[(slice("stable", "f"), low)]).slices;
        let steady = of_group(&sheet(&counts).unwrap());
        assert_eq!(steady[0].0, Against::Earlier);
        assert_ne!(steady[0].1, Level::Act);
        counts.earlier = model(&[(slice("stable", "f"), high)]).slices;
        let moved = of_group(&sheet(&counts).unwrap());
        assert_eq!(moved[0], (Against::Earlier, Level::Act));
    }

    #[test]
    fn few_decisions_are_no_drift() {
        let few = model(&[(slice("stable", ""), "[[0,6,4]]")]);
        let sheet = sheet(&few).unwrap();
        let income = find(&sheet, "stable", "income", Against::Reference).unwrap();
        assert_eq!(income.drift.psi.unwrap().level, Level::InsufficientEvidence);
        assert_eq!(sheet.score("stable"), None);
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        assert_eq!(sheet(&model(&[])).unwrap_err().reason, "NO_DECISIONS");
        let mut counts = model(&[(slice("stable", ""), "[[0,9,1]]")]);
        counts.variables = None;
        assert_eq!(sheet(&counts).unwrap_err().reason, "NO_PROFILE");
        assert_eq!(
            DriftQuery::new("demo", 1).unwrap_err().reason,
            "MODEL_INVALID"
        );
        assert_eq!(
            DriftQuery::new("demo/1", 9_999).unwrap_err().reason,
            "HOURS_INVALID"
        );
    }
}
