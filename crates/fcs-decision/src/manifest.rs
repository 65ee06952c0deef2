//! The signed manifest of a model package, `model.toml`.
//!
//! Reading is fail-closed: a manifest with an unknown key, a reason without text or a protected attribute among its
//! features is refused, with every problem listed.

mod check;
mod evidence;
mod schema;
mod shape;

use std::ops::RangeInclusive;

use fcs_core::{Digest, ModelVersion};
use serde::Deserialize;
use sha2::Digest as _;

use crate::calendar::Day;
use crate::catalogue::{self, Catalogue, NoTexts};
use crate::policy::{self, KnockOut, Policy, Rule};
use crate::score::ScoreScale;

pub use evidence::{Calibration, CalibrationBin, EngineInfo, Lineage, ScoreDistribution};

/// The formats that this crate reads. Each release reads every format that an earlier one has read.
pub const MANIFEST_FORMATS: RangeInclusive<i64> = 1..=3;
/// Largest manifest that is read, in bytes.
pub const MANIFEST_SIZE_MAX: usize = 1024 * 1024;

/// A complete, checked manifest.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The format it was written in.
    pub format: i64,
    /// What the model is.
    pub model: ModelInfo,
    /// The files of the package, one per role.
    pub files: Vec<FileEntry>,
    /// The features in the order of the model's columns.
    pub features: Vec<Feature>,
    /// The reason map.
    pub reasons: Vec<Reason>,
    /// The scale of the score.
    pub score: ScoreScale,
    /// Texts of the reasons by language and day; from format 3 on. Without any, the reason map holds the texts.
    pub catalogues: Vec<Catalogue>,
    /// Cut-offs and rules.
    pub policy: Policy,
    /// The applicants that attributions are measured against.
    pub reference_population: ReferencePopulation,
    /// The rows that the model was trained on.
    pub training: Training,
    /// Quality on rows that the model was not trained on.
    pub evaluation: Evaluation,
    /// Where the model comes from; from format 2 on.
    pub lineage: Option<Lineage>,
    /// How the model is computed; from format 2 on.
    pub engine: Option<EngineInfo>,
    /// Predicted against observed; from format 2 on.
    pub calibration: Option<Calibration>,
    /// How scores are distributed; from format 2 on.
    pub score_distribution: Option<ScoreDistribution>,
    version: ModelVersion,
    digest: Digest,
}

/// What the model is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// One line for people.
    pub title: String,
    /// Day of training, `YYYY-MM-DD`.
    pub created: String,
    /// What the probability is the probability of.
    pub adverse_outcome: String,
    /// How a margin becomes a probability.
    pub link: Link,
    /// SHA-256 of the training data (CSV, uncompressed).
    pub training_data_sha256: Digest,
    /// Commit of the training code, 7 to 64 hexadecimal digits; empty when unknown.
    #[serde(default)]
    pub git_commit: String,
}

/// How a margin becomes a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// `1 / (1 + exp(-margin))`.
    Logistic,
}

impl Link {
    /// The probability of a margin, in `[0, 1]`; NaN for NaN.
    pub fn probability(self, margin: f64) -> f64 {
        match self {
            Self::Logistic => 1.0 / (1.0 + (-margin).exp()),
        }
    }
}

/// One file of the package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// What the file is for.
    pub role: FileRole,
    /// A plain file name inside the package folder.
    pub path: String,
    /// One of [`FileRole::formats`].
    pub format: String,
    /// SHA-256 of the file.
    pub sha256: Digest,
}

/// What a file of the package is for. Each role occurs exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRole {
    /// The model itself.
    Model,
    /// The reference population.
    Reference,
    /// Rows with the margins of the library that trained the model.
    Golden,
    /// Origin and licence of the data.
    DataSheet,
    /// What the model is for and how well it does it.
    ModelCard,
}

impl FileRole {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Model,
        Self::Reference,
        Self::Golden,
        Self::DataSheet,
        Self::ModelCard,
    ];

    /// The formats that a file of this role may have in a manifest of a format. A manifest may name a format of a
    /// model that a server cannot read: that server refuses the package.
    pub const fn formats(self, manifest_format: i64) -> &'static [&'static str] {
        match (self, manifest_format) {
            (Self::Model, 1) => &["lightgbm-text"],
            (Self::Model, _) => &MODEL_FORMATS,
            (Self::Reference | Self::Golden, _) => &["csv"],
            (Self::DataSheet | Self::ModelCard, _) => &["markdown"],
        }
    }
}

/// Formats of a model file, from manifest format 2 on.
const MODEL_FORMATS: [&str; 8] = [
    "lightgbm-text",
    "xgboost-json",
    "xgboost-ubj",
    "onnx",
    "linear-toml",
    "linear-json",
    "scorecard-toml",
    "scorecard-json",
];

/// One feature of the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// The model's own name for it.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Unit of a number; empty for a category.
    pub unit: String,
    /// Type and allowed values.
    pub kind: FeatureKind,
    /// Whether an application may leave it out.
    pub missing: MissingRule,
    /// How the model's risk moves with the value.
    pub risk_direction: RiskDirection,
    /// Code in the reason map.
    pub reason: String,
    /// The group that its attribution is summed into for people, for example "payment history"; from format 2 on.
    pub family: Option<String>,
    /// Distribution in the training data, for drift.
    pub bins: Bins,
}

/// Type of a feature and its allowed values.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureKind {
    /// Any finite number in the range.
    Number(Range),
    /// A whole number in the range.
    Integer(Range),
    /// One of these.
    Category(Vec<Category>),
}

/// A closed range of finite numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest allowed value.
    pub minimum: f64,
    /// Largest allowed value.
    pub maximum: f64,
}

/// One category and the number that the model knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Name in requests and records.
    pub name: String,
    /// Number in the model's row.
    pub code: u32,
}

/// Whether an application may leave a feature out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingRule {
    /// It must be given.
    Refuse,
    /// The model sees NaN.
    Allow,
}

/// How the model's risk moves with a value, by a constraint of the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskDirection {
    /// Risk never falls when the value rises.
    Increasing,
    /// Risk never rises when the value rises.
    Decreasing,
    /// Unconstrained.
    None,
}

/// Frozen distribution of a feature in the training data.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Inner edges, ascending, at most nine; none for a category.
    pub edges: Vec<f64>,
    /// Share of each bin, or of each category in order, among the rows with a value; the shares sum to 1.
    pub shares: Vec<f64>,
    /// Share of all rows without a value.
    pub missing_share: f64,
}

/// One entry of the reason map.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The code that features and rules name.
    pub code: String,
    /// Sample reason of Regulation B, form C-1 part I in order of appearance: `01` to `23`, or `other`.
    pub regb_ref: String,
    /// HMDA denial reason (12 CFR 1003.4(a)(16)), 1 to 9.
    pub hmda_code: u8,
    /// The reason in words for the applicant. With catalogues it is the newest text of the first one's language.
    #[serde(default)]
    pub text: String,
}

impl Reason {
    /// Takes the newest text of the first language, where catalogues hold the texts.
    fn take_text(&mut self, catalogues: &[Catalogue]) {
        let first = catalogues.first().map(|it| &it.language);
        let own = catalogues.iter().filter(|it| Some(&it.language) == first);
        if let Some(newest) = own.max_by_key(|it| it.effective_from) {
            self.text = newest.texts.get(&self.code).cloned().unwrap_or_default();
        }
    }
}

/// The applicants that attributions are measured against: those at or slightly above the approval cut-off
/// (12 CFR 1002, Supplement I, comment 9(b)(2)-5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencePopulation {
    /// Identifier, kept in every record.
    pub id: String,
    /// Who they are.
    pub description: String,
    /// Rows of the reference file.
    pub rows: u32,
    /// Lowest score among them.
    pub score_from: i32,
    /// Scores among them are below this.
    pub score_to: i32,
}

/// The rows that the model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Number of rows.
    pub rows: u32,
}

/// Quality on rows that the model was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Number of rows.
    pub rows: u32,
    /// Area under the ROC curve.
    pub auc: f64,
    /// Brier score.
    pub brier: f64,
}

/// The manifest cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the manifest has {} problem(s): {}", problems.len(), problems.join("; "))]
pub struct ManifestError {
    /// Every problem that was found, each starting with its key path, for example `features[3].maximum`.
    pub problems: Vec<String>,
}

impl Manifest {
    /// Reads and checks the bytes of a `model.toml`.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut problems = Vec::new();
        let draft = match text_of(bytes) {
            Ok(text) => shape::read(text, &mut problems),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let Some(draft) = draft else {
            return Err(ManifestError { problems });
        };
        check::sections(&draft, &mut problems);
        let features = schema::features(&draft, &mut problems);
        let knock_outs = schema::knock_outs(&draft, &features, &mut problems);
        let rules = schema::rules(&draft, &features, &mut problems);
        let manifest = assemble(draft, features, (knock_outs, rules), sha256(bytes));
        if let Some(manifest) = &manifest {
            let (policy, features) = (&manifest.policy, &manifest.features);
            policy::together(policy, features, &manifest.score, &mut problems);
        }
        manifest
            .filter(|_| problems.is_empty())
            .ok_or(ManifestError { problems })
    }

    /// SHA-256 of the bytes that were parsed.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Name and version.
    pub fn model_version(&self) -> &ModelVersion {
        &self.version
    }

    /// How far base plus contributions may lie from a margin. Attributions are sums in double precision; a margin
    /// that its own library adds up in single precision is farther from them.
    pub fn additivity_tolerance(&self, margin: f64) -> f64 {
        let relative = if self.is_single_precision() {
            1e-4
        } else {
            1e-9
        };
        relative * margin.abs().max(1.0)
    }

    /// Largest relative distance between a golden margin or probability and the one computed from its row.
    pub fn golden_tolerance(&self) -> f64 {
        if self.is_single_precision() {
            1e-5
        } else {
            1e-12
        }
    }

    /// Whether the model's library computes in single precision.
    fn is_single_precision(&self) -> bool {
        let format = self.file(FileRole::Model).format.as_str();
        matches!(format, "xgboost-json" | "xgboost-ubj" | "onnx")
    }

    /// Contributions, one per feature, summed by family in the order in which families first occur. A feature without
    /// a family stands for itself. Empty when no feature has one: then there is nothing to sum.
    pub fn by_family<'a>(&'a self, contributions: &[f64]) -> Vec<(&'a str, f64)> {
        let mut sums: Vec<(&str, f64)> = Vec::new();
        if contributions.is_empty() || self.features.iter().all(|it| it.family.is_none()) {
            return sums;
        }
        for (feature, contribution) in self.features.iter().zip(contributions) {
            let family = feature.family.as_deref().unwrap_or(&feature.name);
            match sums.iter_mut().find(|(name, _)| *name == family) {
                Some((_, sum)) => *sum += contribution,
                None => sums.push((family, *contribution)),
            }
        }
        sums
    }

    /// The file with a role.
    pub fn file(&self, role: FileRole) -> &FileEntry {
        self.files
            .iter()
            .find(|file| file.role == role)
            .expect("a manifest holds every role once")
    }

    /// The catalogue of reason texts for a language on a day; `None` when the reason map holds the texts, which are in
    /// no declared language.
    pub fn texts(&self, language: Option<&str>, day: Day) -> Result<Option<&Catalogue>, NoTexts> {
        if self.catalogues.is_empty() && language.is_none() {
            return Ok(None);
        }
        catalogue::choose(&self.catalogues, language, day).map(Some)
    }

    /// The entry of the reason map with a code that a feature or a rule of this manifest names.
    pub fn reason(&self, code: &str) -> Option<&Reason> {
        self.reasons.iter().find(|reason| reason.code == code)
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > MANIFEST_SIZE_MAX {
        return Err(format!("manifest: larger than {MANIFEST_SIZE_MAX} bytes"));
    }
    std::str::from_utf8(bytes).map_err(|_| "manifest: not UTF-8".to_owned())
}

/// Puts the checked parts together; `None` when one is missing, which a problem has said already.
fn assemble(
    draft: shape::Draft,
    features: Vec<Option<Feature>>,
    (knock_outs, rules): (Vec<KnockOut>, Vec<Rule>),
    digest: Digest,
) -> Option<Manifest> {
    let model = draft.model?;
    let cut_offs = draft.cut_offs?;
    let catalogues = draft.catalogues.into_iter().collect::<Option<Vec<_>>>()?;
    let mut reasons = draft.reasons.into_iter().collect::<Option<Vec<Reason>>>()?;
    for reason in &mut reasons {
        reason.take_text(&catalogues);
    }
    Some(Manifest {
        format: draft.format,
        lineage: draft.lineage,
        engine: draft.engine,
        calibration: draft.calibration,
        score_distribution: draft.score_distribution,
        version: ModelVersion::new(&model.name, &model.version).ok()?,
        files: draft.files.into_iter().collect::<Option<_>>()?,
        features: features.into_iter().collect::<Option<_>>()?,
        reasons,
        catalogues,
        score: draft.score?,
        policy: Policy {
            name: cut_offs.name.unwrap_or_else(|| model.name.clone()),
            version: cut_offs.version.unwrap_or_else(|| model.version.clone()),
            digest: draft.policy_digest?,
            credit: cut_offs.credit.unwrap_or_default(),
            reasons_on_request: cut_offs.reasons_on_request.unwrap_or_default(),
            approve_at_least: cut_offs.approve_at_least,
            refer_at_least: cut_offs.refer_at_least,
            knock_outs,
            rules,
        },
        model,
        reference_population: draft.reference_population?,
        training: draft.training?,
        evaluation: draft.evaluation?,
        digest,
    })
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}
