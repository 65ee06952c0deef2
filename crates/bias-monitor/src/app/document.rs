//! The fairness sheet: a report on a day, or on all time, as a file that can be kept, and the note that signs it.

use std::ops::Range;

use fcs_core::{ApiError, Digest, ModelVersion, UnixMicros, Violation};
use fcs_fairness::alarm::Entry;
use fcs_fairness::anytime::watch::Judgement;
use fcs_fairness::drift::chance::Level;
use fcs_fairness::report::AttributeReport;
use fcs_tlog::note::{NoteError, SignedNote, SigningKey};
use serde::Serialize;

use super::drift::{DriftLine, DriftSheet};
use super::examination::{Examination, ExaminationInput};
use super::panels::ProxySheet;
use super::report::{AttributeSheet, ReportQuery, Sheet};
use crate::store::{EVER, Standing, StoredNews};

const DAY_MICROS: i64 = 86_400_000_000;
const MINUTE_MICROS: i64 = 60_000_000;
/// Version of the document's members.
const FORMAT: u32 = 1;
/// The first line of the note that signs a rendering.
const NOTE_HEAD: &str = "faircredit fairness sheet v1";

/// What a sheet is to be about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetQuery {
    /// Model and reference groups.
    pub report: ReportQuery,
    /// A day in UTC; all time if there is none.
    pub day: Option<SheetDay>,
    /// What to examine besides.
    pub examination: SheetExamination,
}

/// What a sheet examines besides: nothing if it names no attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetExamination {
    /// The attributes whose groups, or intersections, are compared.
    pub attributes: Vec<String>,
    /// What applicants are compared within.
    pub stratify_by: String,
    /// Which decisions are compared.
    pub basis: String,
    /// A traffic arm, or all together.
    pub arm: String,
}

/// A day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SheetDay(UnixMicros);

impl SheetDay {
    /// Reads `YYYY-MM-DD`; nothing for an empty text.
    pub fn parse(text: &str) -> Result<Option<Self>, ApiError> {
        if text.is_empty() {
            return Ok(None);
        }
        let midnight = UnixMicros::parse_rfc3339(&format!("{text}T00:00:00Z"));
        midnight.map(|at| Some(Self(at))).map_err(|_| {
            let rule = "write the day as YYYY-MM-DD";
            let violation = Violation {
                pointer: "/day".to_owned(),
                reason: "DAY_INVALID",
                description: rule.to_owned(),
            };
            ApiError::invalid("DAY_INVALID", rule, vec![violation])
        })
    }

    fn contains(self, at: UnixMicros) -> bool {
        (self.0.0..self.0.0 + DAY_MICROS).contains(&at.0)
    }
}

impl SheetQuery {
    /// The minutes that the sheet is about, since the Unix epoch.
    pub fn minutes(&self) -> Range<i64> {
        self.day.map_or(EVER, |SheetDay(from)| {
            let first = from.0.div_euclid(MINUTE_MICROS);
            first..first + DAY_MICROS / MINUTE_MICROS
        })
    }

    /// The examination of the decisions that the sheet is about, with its reference groups where they are all named.
    pub fn examination_input(&self) -> Option<ExaminationInput> {
        let SheetExamination {
            attributes,
            stratify_by,
            basis,
            arm,
        } = self.examination.clone();
        if attributes.is_empty() {
            return None;
        }
        let named = |attribute| self.report.references.get(attribute).cloned();
        let reference: Option<Vec<String>> = attributes.iter().map(named).collect();
        let model = self.report.model.as_ref().map(ToString::to_string);
        let day = |SheetDay(from): SheetDay| (from, UnixMicros(from.0 + DAY_MICROS));
        let times = self.day.map(day);
        Some(ExaminationInput {
            model: model.unwrap_or_default(),
            from: times.map(|it| it.0.to_string()).unwrap_or_default(),
            to: times.map(|it| it.1.to_string()).unwrap_or_default(),
            reference: reference.unwrap_or_default(),
            attributes,
            stratify_by,
            basis,
            arm,
            ..ExaminationInput::default()
        })
    }
}

/// Everything that a sheet shows.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// Version of these members.
    pub format: u32,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// The model; all models if there is none.
    pub model: Option<ModelVersion>,
    /// The day, RFC 3339, that decisions and changes of alarms are of; all time if there is none.
    pub day: Option<String>,
    /// Highest log index that is counted.
    pub last_index: u64,
    /// The policy of verdicts and drift.
    pub policy: Digest,
    /// Decisions that the sheet is about.
    pub decisions: u64,
    /// The groups of every attribute.
    pub attributes: Vec<AttributePart>,
    /// What follows from probabilities of belonging to groups, apart from what is known by value.
    pub proxies: Vec<ProxySheet>,
    /// Every metric of the groups that were asked for besides.
    pub examination: Option<Examination>,
    /// What people decided instead of a model, or of what a model referred to them.
    pub overrides: Vec<OverridePart>,
    /// What the evidence says when the sheet is made.
    pub verdicts: Vec<VerdictPart>,
    /// Highest log index that is in the evidence behind the verdicts.
    pub evidence_index: u64,
    /// What has drifted in the last 24 h before the sheet is made; nothing is known of all models together, of a model
    /// without decisions, or of one of which it is not known what it was built on.
    pub drift: Option<DriftPart>,
    /// What happened to alarms, what people did about it included.
    pub alerts: Vec<AlertPart>,
}

/// What has drifted.
#[derive(Debug, Clone, Serialize)]
pub struct DriftPart {
    /// What is to be watched or acted on.
    pub lines: Vec<DriftLine>,
    /// Comparisons for which there were too few decisions.
    pub insufficient: usize,
    /// Comparisons that show nothing.
    pub stable: usize,
}

impl DriftPart {
    fn of(sheet: DriftSheet) -> Self {
        let at = |level| {
            sheet
                .lines
                .iter()
                .filter(|line| line.level == level)
                .count()
        };
        let (insufficient, stable) = (at(Level::InsufficientEvidence), at(Level::Stable));
        let is_listed = |line: &DriftLine| matches!(line.level, Level::Watch | Level::Act);
        Self {
            lines: sheet.lines.into_iter().filter(is_listed).collect(),
            insufficient,
            stable,
        }
    }
}

/// The groups of an attribute, and how many have none.
#[derive(Debug, Clone, Serialize)]
pub struct AttributePart {
    /// The groups.
    #[serde(flatten)]
    pub report: AttributeReport,
    /// Decisions whose application has no value.
    pub unknown: u64,
}

/// Overrides of one kind that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverridePart {
    /// What the model decided.
    pub decided: &'static str,
    /// What the person decided.
    pub person: &'static str,
    /// Why, as a code of the lender's.
    pub reason: String,
    /// Decisions.
    pub decisions: i64,
}

/// A group that is watched.
#[derive(Debug, Clone, Serialize)]
pub struct VerdictPart {
    /// The model.
    pub model: ModelVersion,
    /// The model that decided, where the first one is in the shadow and the gap between the groups is watched.
    pub baseline_model: Option<ModelVersion>,
    /// The attribute.
    pub attribute: String,
    /// The group.
    pub group: String,
    /// What the latest look found.
    pub judgement: Option<Judgement>,
}

/// A change of an alarm.
#[derive(Debug, Clone, Serialize)]
pub struct AlertPart {
    /// Its place among all.
    pub sequence: u64,
    /// The model.
    pub model: ModelVersion,
    /// The model that decided, where the first one is in the shadow and the gap between the groups is watched.
    pub baseline_model: Option<ModelVersion>,
    /// The attribute.
    pub attribute: String,
    /// The group.
    pub group: String,
    /// What happened.
    pub entry: Entry,
}

/// What a document is made of.
pub struct Parts<'a> {
    /// The groups.
    pub sheet: Sheet,
    /// Every metric of the groups that were asked for besides.
    pub examination: Option<Examination>,
    /// What people decided.
    pub overrides: Vec<OverridePart>,
    /// The evidence.
    pub standing: Standing,
    /// Every change of alarms.
    pub news: Vec<StoredNews>,
    /// Drift, if the sheet is about one model of which it is known.
    pub drift: Option<DriftSheet>,
    /// The policy in force.
    pub policy: &'a Digest,
    /// Now.
    pub made_at: UnixMicros,
}

impl Document {
    /// Puts the parts together, those of the query.
    pub fn new(query: &SheetQuery, parts: Parts<'_>) -> Self {
        let model = query.report.model.clone();
        let about = |of: &ModelVersion| model.as_ref().is_none_or(|model| model == of);
        let verdicts = parts.standing.watched.into_iter();
        let alerts = parts.news.into_iter();
        Self {
            format: FORMAT,
            made_at: parts.made_at.to_string(),
            day: query.day.map(|SheetDay(from)| from.to_string()),
            last_index: parts.sheet.last_index,
            policy: *parts.policy,
            decisions: parts.sheet.decisions,
            attributes: parts.sheet.attributes.into_iter().map(attribute).collect(),
            proxies: parts.sheet.proxies,
            examination: parts.examination,
            overrides: parts.overrides,
            verdicts: verdicts
                .filter(|(id, _)| about(&id.model))
                .map(|(id, known)| VerdictPart {
                    model: id.model,
                    baseline_model: id.baseline,
                    attribute: id.attribute.as_str().to_owned(),
                    group: id.group.as_str().to_owned(),
                    judgement: known.judgement,
                })
                .collect(),
            evidence_index: parts.standing.last_index,
            drift: parts.drift.map(DriftPart::of),
            alerts: alerts
                .filter(|it| about(&it.news.watched.model))
                .filter(|it| query.day.is_none_or(|day| day.contains(it.news.entry.at)))
                .map(alert)
                .collect(),
            model,
        }
    }
}

fn attribute(sheet: AttributeSheet) -> AttributePart {
    AttributePart {
        report: sheet.report,
        unknown: sheet.unknown,
    }
}

fn alert(StoredNews { sequence, news }: StoredNews) -> AlertPart {
    AlertPart {
        sequence,
        model: news.watched.model,
        baseline_model: news.watched.baseline,
        attribute: news.watched.attribute.as_str().to_owned(),
        group: news.watched.group.as_str().to_owned(),
        entry: news.entry,
    }
}

/// The note that signs the bytes of a rendering (C2SP signed-note), a line each: what it is, when it was made, up to
/// which place of the log, of which model and day (`all` for all of them), under which policy, in which format, and the
/// SHA-256 of its bytes in hexadecimal.
pub fn note(
    document: &Document,
    format: &str,
    digest: &Digest,
    key: &SigningKey,
) -> Result<SignedNote, NoteError> {
    let all = || "all".to_owned();
    let model = document
        .model
        .as_ref()
        .map_or_else(all, ToString::to_string);
    let day = document.day.clone().unwrap_or_else(all);
    let text = format!(
        "{NOTE_HEAD}\n{}\n{}\n{model}\n{day}\n{}\n{format}\n{digest}\n",
        document.made_at, document.last_index, document.policy
    );
    SignedNote::sign(&text, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_minutes() {
        let day = SheetDay::parse("1970-01-02").unwrap();
        let query = SheetQuery {
            day,
            ..SheetQuery::default()
        };
        assert_eq!(query.minutes(), 1_440..2_880);
        assert_eq!(SheetQuery::default().minutes(), EVER);
        assert_eq!(SheetDay::parse("").unwrap(), None);
        for bad in ["1970-02-30", "yesterday", "1970-01-02T00:00:00Z"] {
            assert_eq!(SheetDay::parse(bad).unwrap_err().reason, "DAY_INVALID");
        }
        let day = day.unwrap();
        assert!(day.contains(UnixMicros(DAY_MICROS)));
        assert!(!day.contains(UnixMicros(2 * DAY_MICROS)));
    }
}
